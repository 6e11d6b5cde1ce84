// A real authorization server: its tokens are accepted for this service, and for nothing else that it issues (RFC 9068, RFC 8414, RFC 8707, RFC 9449, RFC 8705).
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { type CryptoKey, calculateJwkThumbprint, importJWK, SignJWT } from 'jose'
import * as oauth4webapi from 'oauth4webapi'
import type { DpopVerifier, Verified } from '../../../src/identity/authenticator.ts'
import { isDenial } from '../../../src/identity/authenticator.ts'
import { KEY_TIMES } from '../../../src/identity/oauth/keys.ts'
import { REASONS } from '../../../src/identity/oauth/reasons.ts'
import { createAuthority } from '../../lib/certificate.ts'
import { AGENT, BOUND_AGENT, type Issuer, newDpopKey, PERSON, startIssuer } from '../lib/issuer.ts'
import { certificate, issuerOptions, oauthOptions, presented, type Setup, setup } from './lib/paper.ts'

const US = 'https://mcp.example.com'
const OTHER = 'https://other.example.com'

const overLoopback = async (url: string): Promise<{ status: number; body: Buffer }> => {
  const answer = await fetch(url, { redirect: 'manual' })
  return { status: answer.status, body: Buffer.from(await answer.arrayBuffer()) }
}

const trusting = (issuers: readonly Issuer[], tokenType: 'at+jwt' | 'jwt' = 'at+jwt', ports = {}): Setup =>
  setup(oauthOptions(issuers.map(({ url }) => issuerOptions(url, { jwksUri: undefined, tokenType }))), {
    fetch: overLoopback,
    ...ports,
  })

describe('a real issuer', () => {
  let issuer: Issuer
  let second: Issuer
  before(async () => {
    issuer = await startIssuer({ resources: [US, OTHER], claims: { roles: ['operator'] } })
    second = await startIssuer({ resources: [US], path: '/realms/main' })
  })
  after(async () => {
    await issuer.close()
    await second.close()
  })

  const ask = (made: Setup, token: string, changes = {}): Promise<Verified> =>
    Promise.resolve(made.oauth.authenticate(presented(token, { now: Date.now(), ...changes })))
  async function subject(made: Setup, token: string, changes = {}): Promise<string> {
    const verified = await ask(made, token, changes)
    return isDenial(verified) ? `${verified.code}: ${verified.detail}` : verified.subject
  }

  test('client credentials', async () => {
    const verified = await ask(trusting([issuer]), await issuer.clientCredentials({ resource: US }))
    assert.ok(!isDenial(verified), JSON.stringify(verified))
    assert.deepEqual(
      [verified.id, verified.client, verified.issuer, verified.roles, verified.scopes],
      [`oauth:${issuer.url}|${AGENT}`, AGENT, issuer.url, ['operator'], ['ductape:read']],
    )
  })

  test('authorization code with PKCE, for a person', async () => {
    const { accessToken } = await issuer.authorizationCode({ resource: US, scope: 'openid ductape:write' })
    const verified = await ask(trusting([issuer]), accessToken)
    assert.ok(!isDenial(verified), JSON.stringify(verified))
    assert.deepEqual([verified.subject, verified.scopes], [PERSON, ['ductape:write']])
  })

  test('the ID token of the same login is refused, also where access tokens have no type', async () => {
    const { idToken } = await issuer.authorizationCode({ resource: US })
    assert.equal(await subject(trusting([issuer]), idToken), `token_invalid: ${REASONS.type}`)
    assert.equal(await subject(trusting([issuer], 'jwt'), idToken), `token_invalid: ${REASONS.idToken}`)
  })

  test('a token for another resource is refused', async () => {
    const token = await issuer.clientCredentials({ resource: OTHER })
    assert.equal(await subject(trusting([issuer]), token), `token_invalid: ${REASONS.audience}`)
  })

  test('a token is refused where its issuer is not trusted', async () => {
    const token = await issuer.clientCredentials({ resource: US })
    assert.equal(await subject(trusting([second]), token), `token_invalid: ${REASONS.issuer}`)
  })

  test('two issuers, one below a path: each by its own keys', async () => {
    const made = trusting([issuer, second])
    const tokens = [
      await issuer.clientCredentials({ resource: US }),
      await second.clientCredentials({ resource: US }),
    ]
    const ids: string[] = []
    for (const token of tokens) {
      const verified = await ask(made, token)
      ids.push(isDenial(verified) ? verified.code : verified.id)
    }
    assert.deepEqual(ids, [`oauth:${issuer.url}|${AGENT}`, `oauth:${second.url}|${AGENT}`])
    const forged = await new SignJWT({ client_id: AGENT })
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: String(second.signingKey().kid) })
      .setIssuer(issuer.url)
      .setAudience(US)
      .setSubject(AGENT)
      .setJti('x')
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(await importJWK(second.signingKey(), 'ES256'))
    assert.equal(await subject(made, forged), `token_invalid: ${REASONS.key}`)
  })

  test('keys rotate in the middle: the old token lives on, the new one is taken at once, the retired key is not', async () => {
    const made = trusting([issuer])
    const old = await issuer.clientCredentials({ resource: US })
    assert.equal(await subject(made, old), AGENT)
    await issuer.rotate()
    const fresh = await issuer.clientCredentials({ resource: US })
    assert.equal(await subject(made, fresh), AGENT)
    assert.equal(await subject(made, old), AGENT)
    issuer.retire()
    made.clock.tick += KEY_TIMES.fresh
    await made.oauth.check()
    assert.equal(await subject(made, old), `token_invalid: ${REASONS.key}`)
    assert.equal(await subject(made, fresh), AGENT)
  })

  test('a token bound to a DPoP key comes with the thumbprint that the proof has to have', async () => {
    const key = await newDpopKey()
    const seen: string[] = []
    const dpop: DpopVerifier = { verify: (_presented, jkt) => void seen.push(jkt) }
    const made = trusting([issuer], 'at+jwt', { dpop })
    const token = await issuer.clientCredentials({ resource: US, dpop: key })
    assert.equal(await subject(made, token, { scheme: 'dpop' }), AGENT)
    assert.deepEqual(seen, [await calculateJwkThumbprint(key.publicKey as CryptoKey)])
    assert.match(await subject(made, token), /^proof_invalid/)
  })

  test('a token bound to a certificate needs that certificate', async () => {
    const authority = createAuthority()
    const pem = authority.issue([BOUND_AGENT]).certificate
    const { fingerprint256 } = new X509Certificate(pem)
    const thumbprint = Buffer.from(fingerprint256.replaceAll(':', ''), 'hex').toString('base64url')
    const token = await issuer.clientCredentials({ resource: US, certificate: pem })
    const made = trusting([issuer])
    assert.equal(await subject(made, token, { certificate: certificate(thumbprint) }), BOUND_AGENT)
    assert.match(await subject(made, token), /^proof_invalid/)
  })

  test('an issuer that answers with something else is unavailable, and comes back', async () => {
    const made = trusting([issuer])
    const token = await issuer.clientCredentials({ resource: US })
    issuer.intercept = (request, response) => {
      const isKeys = request.url?.endsWith('/jwks') === true
      if (isKeys) response.writeHead(302, { location: 'https://evil.example/jwks' }).end()
      return isKeys
    }
    assert.match(await subject(made, token), /^issuer_unavailable/)
    issuer.intercept = undefined
    made.clock.tick += KEY_TIMES.retry
    assert.equal(await subject(made, token), AGENT)
  })

  test('oauth4webapi, another reading of RFC 9068, accepts what is accepted here', async () => {
    const token = await issuer.clientCredentials({ resource: US })
    assert.equal(await subject(trusting([issuer]), token), AGENT)
    const server = await oauth4webapi.processDiscoveryResponse(
      new URL(issuer.url),
      await oauth4webapi.discoveryRequest(new URL(issuer.url), {
        [oauth4webapi.allowInsecureRequests]: true,
      }),
    )
    const request = new Request(`${US}/mcp`, { headers: { authorization: `Bearer ${token}` } })
    const claims = await oauth4webapi.validateJwtAccessToken(server, request, US, {
      [oauth4webapi.allowInsecureRequests]: true,
    })
    assert.equal(claims.sub, AGENT)
  })
})
