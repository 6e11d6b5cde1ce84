// Whatever is accepted here, jose accepts too; and no text, however odd, does anything but get an answer.
import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { jwtVerify } from 'jose'
import { isDenial } from '../../../src/identity/authenticator.ts'
import {
  goodClaims,
  issuerOptions,
  NOW,
  oauthOptions,
  PUBLIC_URL,
  paperFetch,
  paperKey,
  presented,
  SECONDS,
  setup,
  signRaw,
} from './lib/paper.ts'

const SEED = 20_261_121
const RUNS = 1500

const ISSUER = 'https://issuer.example'
const KEYS = {
  ES256: paperKey('ec', 'k-es'),
  RS256: paperKey('rsa', 'k-rs'),
  PS256: paperKey('rsa', 'k-ps'),
  EdDSA: paperKey('ed25519', 'k-ed'),
} as const
type Alg = keyof typeof KEYS
const ALGS = Object.keys(KEYS) as Alg[]

const world = () =>
  setup(oauthOptions([issuerOptions(ISSUER)]), {
    fetch: paperFetch(new Map([[`${ISSUER}/jwks`, { keys: Object.values(KEYS).map(({ jwk }) => jwk) }]])),
  })

/** Mostly what a good token has, so that many are accepted. */
const mostly = <T>(good: T, ...odd: unknown[]): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constant<unknown>(good) },
    fc.constantFrom(undefined, null, '', 0, ...odd),
  )
const time = (good: number): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constant<unknown>(good) },
    fc.integer({ min: SECONDS - 100, max: SECONDS + 100 }),
    fc.constantFrom(undefined, '1', null, -1, 1e300, SECONDS + 0.5),
  )

const cases = fc.record({
  alg: fc.constantFrom(...ALGS),
  /** Signs with the key of another algorithm, or with the one of its own. */
  signer: fc.oneof({ weight: 8, arbitrary: fc.constant(undefined) }, fc.constantFrom(...ALGS)),
  header: fc.record({
    typ: mostly('at+jwt', 'AT+JWT', 'application/at+jwt', 'JWT', 'dpop+jwt'),
    kid: mostly(true, 'nobody', 7),
    crit: mostly(undefined, ['exp'], []),
    b64: mostly(undefined, false, true),
  }),
  claims: fc.record({
    iss: mostly(ISSUER, `${ISSUER}/`, [ISSUER]),
    aud: mostly(PUBLIC_URL, [PUBLIC_URL], ['x', PUBLIC_URL], [], 'x', [PUBLIC_URL, 7]),
    sub: mostly('agent', 7, ['agent']),
    client_id: mostly('planner', 7),
    jti: mostly('t', 7),
    exp: time(SECONDS + 300),
    iat: time(SECONDS - 10),
    nbf: time(SECONDS - 10),
  }),
})

describe('jose as a second reader', () => {
  test(`accepts what is accepted here (seed ${SEED}, ${RUNS} tokens)`, async () => {
    const { oauth } = world()
    let accepted = 0
    await fc.assert(
      fc.asyncProperty(cases, async ({ alg, signer, header, claims }) => {
        const key = KEYS[alg]
        const kid = header.kid === true ? key.kid : header.kid
        const signing =
          signer === undefined || KEYS[signer].jwk['kty'] !== key.jwk['kty'] ? key : KEYS[signer]
        const text = signRaw(
          JSON.stringify({ alg, ...header, kid }),
          JSON.stringify({ ...goodClaims(ISSUER), ...claims }),
          alg,
          signing.privateKey,
        )
        const verified = await oauth.authenticate(presented(text))
        if (isDenial(verified)) return
        accepted++
        const { payload } = await jwtVerify(text, createPublicKey(key.privateKey), {
          algorithms: [alg],
          issuer: ISSUER,
          audience: PUBLIC_URL,
          typ: 'at+jwt',
          clockTolerance: 30,
          currentDate: new Date(NOW),
          requiredClaims: ['exp', 'iat', 'sub', 'jti', 'client_id'],
        })
        assert.equal(payload.sub, verified.subject)
        assert.equal((payload.exp as number) * 1000, verified.expiresAt)
      }),
      { seed: SEED, numRuns: RUNS },
    )
    assert.ok(accepted > RUNS / 20, `${accepted} accepted`)
  })
})

describe('odd texts', () => {
  const part = fc.oneof(
    fc.string(),
    fc.json().map((text) => Buffer.from(text).toString('base64url')),
    fc
      .record({ alg: fc.constantFrom(...ALGS, 'none'), kid: fc.jsonValue(), typ: fc.jsonValue() })
      .map(encode),
    fc
      .dictionary(
        fc.constantFrom(...Object.keys(goodClaims(ISSUER)), 'cnf', 'act', 'roles', '__proto__'),
        fc.jsonValue(),
      )
      .map((claims) => encode({ ...goodClaims(ISSUER), ...claims })),
  )
  test(`are refused with one of the codes (seed ${SEED}, ${RUNS} texts)`, async () => {
    const { oauth } = world()
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 5 }), async (parts) => {
        const verified = await oauth.authenticate(presented(parts.join('.')))
        assert.ok(isDenial(verified) && verified.code === 'token_invalid')
      }),
      { seed: SEED, numRuns: RUNS },
    )
  })

  test(`claims of any kind in a token that is signed well (seed ${SEED}, ${RUNS} tokens)`, async () => {
    const { oauth } = world()
    const names = ['cnf', 'act', 'roles', 'scope', 'scp', 'azp', 'constructor', '__proto__', 'toString']
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.constantFrom(...names), fc.jsonValue()), async (claims) => {
        const text = signRaw(
          JSON.stringify({ alg: 'EdDSA', typ: 'at+jwt', kid: 'k-ed' }),
          JSON.stringify({ ...goodClaims(ISSUER), ...claims }),
          'EdDSA',
          KEYS.EdDSA.privateKey,
        )
        const verified = await oauth.authenticate(presented(text))
        if (isDenial(verified)) assert.ok(['token_invalid', 'proof_invalid'].includes(verified.code))
        else assert.equal(verified.subject, 'agent-7')
      }),
      { seed: SEED, numRuns: RUNS },
    )
  })
})

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
