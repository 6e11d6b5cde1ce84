// DPoP against an independent implementation: what is accepted here, oauth4webapi accepts too; and no changed byte passes.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import * as oauth from 'oauth4webapi'
import {
  athOf,
  claimsOf,
  compact,
  headerOf,
  newPair,
  type Pair,
  PUBLIC_URL,
  present,
  verifier,
} from './lib.ts'

const SEED = Number(process.env['SEED'] ?? 94_49)
const ISSUER = 'https://issuer.example.com'

const issuer = await generateKeyPair('ES256')
const jwks = { keys: [{ ...(await exportJWK(issuer.publicKey)), kid: 'k', alg: 'ES256', use: 'sig' }] }
const EC = await newPair('ES256')
const RSA = await newPair('RS256')
const ED = await newPair('Ed25519')
const OTHER = await newPair('ES256')

const tokenFor = (jkt: string): Promise<string> =>
  new SignJWT({ client_id: 'agent', cnf: { jkt } })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'k' })
    .setIssuer(ISSUER)
    .setAudience(PUBLIC_URL)
    .setSubject('agent')
    .setJti(randomUUID())
    .setIssuedAt()
    .setExpirationTime('10m')
    .sign(issuer.privateKey)

async function oracleAccepts(token: string, proof: string, method: string): Promise<boolean> {
  const request = new Request(`${PUBLIC_URL}/mcp`, {
    method,
    headers: { authorization: `DPoP ${token}`, dpop: proof },
  })
  try {
    await oauth.validateJwtAccessToken({ issuer: ISSUER, jwks_uri: `${ISSUER}/jwks` }, request, PUBLIC_URL, {
      requireDPoP: true,
      [oauth.customFetch]: async () => Response.json(jwks),
    })
    return true
  } catch (error) {
    assert.ok(
      error instanceof oauth.OperationProcessingError ||
        error instanceof oauth.UnsupportedOperationError ||
        error instanceof DOMException ||
        error instanceof TypeError,
      String(error),
    )
    return false
  }
}

async function weAccept(token: string, proof: string, jkt: string, method = 'POST'): Promise<boolean> {
  const { dpop } = verifier()
  return (await dpop.verify(present(proof, { token, method, now: Date.now() }), jkt)) === undefined
}

/** The honest value first: it is taken most often, so that proofs with one fault are common. */
const mostly = <T>(honest: T, ...others: T[]): fc.Arbitrary<T> =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constant(honest) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  )

const ABSENT = undefined
const seconds = Math.floor(Date.now() / 1000)

const shapes = fc.record({
  pair: fc.constantFrom(EC, RSA, ED),
  bound: mostly<'own' | 'other'>('own', 'other'),
  signer: mostly<'own' | 'other'>('own', 'other'),
  method: fc.constantFrom('POST', 'GET'),
  header: fc.record({
    typ: mostly<unknown>('dpop+jwt', 'JWT', 'DPoP+JWT', 'application/dpop+jwt', ABSENT),
    alg: mostly<unknown>('own', 'HS256', 'none', 'ES384', 7, ABSENT),
    jwk: mostly<unknown>('own', 'other', 'with d', 'text', ABSENT),
    crit: mostly<unknown>(ABSENT, ['x'], []),
  }),
  claims: fc.record({
    jti: mostly<unknown>('fresh', '', 5, ABSENT),
    htm: mostly<unknown>('own', 'PUT', 'post', ABSENT),
    htu: mostly<unknown>(
      `${PUBLIC_URL}/mcp`,
      `${PUBLIC_URL}/mcp?q`,
      `${PUBLIC_URL}:443/mcp`,
      `${PUBLIC_URL}/other`,
      'x',
      ABSENT,
    ),
    iat: mostly<unknown>(seconds, seconds - 30, seconds - 4000, seconds + 4000, 'now', ABSENT),
    ath: mostly<unknown>('own', athOf('x'), '', ABSENT),
    exp: mostly<unknown>(ABSENT, seconds - 100, 'x'),
    nbf: mostly<unknown>(ABSENT, seconds + 100, 'x'),
  }),
})

const drop = (value: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).filter(([, one]) => one !== ABSENT))

describe('against oauth4webapi', () => {
  it(`what is accepted here is accepted there, and honest proofs are accepted by both (seed ${SEED})`, async () => {
    let accepted = 0
    let refused = 0
    const tokens = new Map<string, string>()
    for (const { jkt } of [EC, RSA, ED, OTHER]) tokens.set(jkt, await tokenFor(jkt))
    await fc.assert(
      fc.asyncProperty(shapes, async ({ pair, bound, signer, method, header, claims }) => {
        const jkt = bound === 'own' ? pair.jkt : OTHER.jkt
        const token = tokens.get(jkt) as string
        const jwks: Record<string, unknown> = {
          own: pair.jwk,
          other: OTHER.jwk,
          'with d': { ...pair.jwk, d: 'AAAA' },
          text: 'k',
        }
        const head = drop({
          ...header,
          alg: header.alg === 'own' ? pair.alg : header.alg,
          jwk: jwks[String(header.jwk)],
        })
        const body = drop({
          ...claims,
          jti: claims.jti === 'fresh' ? randomUUID() : claims.jti,
          htm: claims.htm === 'own' ? method : claims.htm,
          ath: claims.ath === 'own' ? athOf(token) : claims.ath,
        })
        const by: Pair = signer === 'own' ? pair : { ...OTHER }
        const proof = compact(by, head, body)
        const ours = await weAccept(token, proof, jkt, method)
        if (!ours) {
          refused++
          return
        }
        accepted++
        assert.equal(await oracleAccepts(token, proof, method), true)
      }),
      { seed: SEED, numRuns: 1500 },
    )
    // Both kinds have to be there for this to mean anything.
    assert.ok(accepted > 100 && refused > 100, `${accepted} accepted, ${refused} refused`)
  })

  it('an honest proof is accepted by both', async () => {
    for (const pair of [EC, RSA, ED]) {
      const token = await tokenFor(pair.jkt)
      const proof = compact(pair, headerOf(pair), claimsOf({ iat: seconds, ath: athOf(token) }))
      assert.equal(await oracleAccepts(token, proof, 'POST'), true)
      assert.equal(await weAccept(token, proof, pair.jkt), true)
    }
  })
})

describe('any changed byte', () => {
  const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ ,{'

  it(`of the proof, at every place, makes it refused, and the true one still counts (seed ${SEED})`, async () => {
    const token = 'token'
    for (const pair of [EC, ED]) {
      const { dpop } = verifier()
      const proof = compact(pair, headerOf(pair), claimsOf({ ath: athOf(token) }))
      await fc.assert(
        fc.asyncProperty(fc.infiniteStream(fc.nat({ max: ALPHABET.length - 2 })), async (choices) => {
          const at = [...choices.take(proof.length)]
          for (let i = 0; i < proof.length; i++) {
            const others = ALPHABET.replace(proof[i] as string, '')
            const changed = proof.slice(0, i) + others[at[i] as number] + proof.slice(i + 1)
            const denial = await dpop.verify(present(changed, { token }), pair.jkt)
            assert.equal(denial?.code, 'proof_invalid', `place ${i}`)
          }
        }),
        { seed: SEED, numRuns: 2 },
      )
      assert.equal(await dpop.verify(present(proof, { token }), pair.jkt), undefined)
    }
  })

  it(`any text is answered, never thrown at (seed ${SEED})`, async () => {
    const { dpop } = verifier()
    const part = fc.oneof(
      fc.string({ maxLength: 40 }),
      fc.json().map((text) => Buffer.from(text).toString('base64url')),
      fc.constant(Buffer.from(JSON.stringify(headerOf(EC))).toString('base64url')),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 4 }), async (parts) => {
        const denial = await dpop.verify(present(parts.join('.')), EC.jkt)
        assert.equal(denial?.code, 'proof_invalid')
      }),
      { seed: SEED, numRuns: 2000 },
    )
  })
})
