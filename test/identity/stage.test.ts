// The stage identity on the whole service: who decides about a request, which proofs are enough, and what counts as one.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { openCall } from '../../src/core/call.ts'
import { deny } from '../../src/core/denials.ts'
import { ANONYMOUS, makePrincipal } from '../../src/core/principal.ts'
import type { TokenAuthenticator } from '../../src/identity/authenticator.ts'
import { prepareIdentity } from '../../src/identity/stage.ts'
import { memoryFiles } from '../credentials/lib/service.ts'
import { RUNTIME } from '../lib/runtime.ts'
import {
  type Answer,
  bearer,
  call,
  codeOf,
  keyOf,
  PUBLIC_URL,
  type Secured,
  startSecured,
} from '../live/lib/secured.ts'
import { type Issuer, startIssuer } from './lib/issuer.ts'
import * as x509 from './mtls/lib/x509.ts'

const HOUR = 3_600_000
const root = x509.makeAuthority({ notAfter: Date.now() + HOUR })
const stranger = x509.makeAuthority({ notAfter: Date.now() + HOUR })
const dates = { notBefore: Date.now() - HOUR, notAfter: Date.now() + HOUR }
const certificateOf = (name: string, authority = root): string =>
  x509.escaped(x509.makeClient(authority, [['dns', `${name}.example.com`]], dates))
const CERTIFICATE = { 'x-client-cert': certificateOf('agent') }

const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-stage-'))
const running: Secured[] = []
let issuer: Issuer
let token: { authorization: string }
let sockets = 0

before(async () => {
  issuer = await startIssuer({ resources: [PUBLIC_URL], claims: { roles: ['all'], org: 'acme' } })
  token = { authorization: `Bearer ${await issuer.clientCredentials({ resource: PUBLIC_URL })}` }
})
after(async () => {
  for (const service of running) await service.close()
  await issuer?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** All three authenticators. */
async function startAll(auth: object = {}): Promise<Secured> {
  const files = memoryFiles()
  files.write('/ca.crt', root.pem)
  const service = await startSecured({
    files,
    callers: { reader: { tenant: 'acme' } },
    auth: {
      apiKeys: {},
      oauth: { issuers: [{ issuer: issuer.url, claims: { tenant: 'org' } }] },
      mtls: {
        ca: { file: '/ca.crt' },
        trustDomains: ['example.com'],
        map: [
          { dns: 'agent.example.com', tenant: 'acme', roles: ['all'] },
          { dns: 'other.example.com', tenant: 'umbrella', roles: ['all'] },
          { dns: 'loose.example.com', roles: ['all'] },
        ],
      },
      ...auth,
    },
    app: { config: { listen: { kind: 'unix', path: join(folder, `${++sockets}.sock`) } } },
  })
  running.push(service)
  return service
}

/** The method of the caller in the record, or the code of the refusal. */
const outcomeOf = (service: Secured, answer: Answer): unknown => {
  const code = codeOf(answer)
  return code === 'ok' ? service.records().findLast(({ who }) => who !== undefined)?.who?.['method'] : code
}
const ask = async (service: Secured, headers: Record<string, string | string[]>): Promise<unknown> =>
  outcomeOf(service, await call(service, 'rest', { headers }))

describe('the first responsible authenticator', () => {
  const alice = makePrincipal({ method: 'oauth', id: 'a', subject: 'a' })
  const asked: string[] = []
  const authenticator = (
    name: string,
    prefix: string,
    answer: ReturnType<TokenAuthenticator['authenticate']>,
  ): TokenAuthenticator => ({
    isResponsible: (text) => text.startsWith(prefix),
    authenticate: () => {
      asked.push(name)
      return answer
    },
  })
  const stage = prepareIdentity({
    tokens: [
      authenticator('first', 'a', deny('token_invalid')),
      authenticator('second', 'a', alice),
      authenticator('third', 'b', Promise.resolve(alice)),
    ],
    certificates: undefined,
    require: [],
    local: undefined,
    isOpen: () => false,
    challenge: (denial) => denial,
    now: () => 0,
  })
  const decide = async (authorization: string) => {
    asked.length = 0
    const one = openCall({
      id: 'x',
      startedAt: 0,
      startedTick: 0,
      channel: 'http',
      peer: 'p',
      principal: ANONYMOUS,
      runtime: RUNTIME,
      request: {
        method: 'POST',
        path: '/mcp',
        query: '',
        headers: { authorization },
        raw: [],
        read: () => assert.fail('the body is not for this stage'),
      },
    })
    const denial = await stage(one)
    return [denial?.code, one.principal.id, ...asked]
  }

  test('decides alone, also where it refuses and another would not', async () => {
    assert.deepEqual(await decide('Bearer a1'), ['token_invalid', 'anonymous', 'first'])
    assert.deepEqual(await decide('Bearer b1'), [undefined, 'a', 'third'])
  })

  test('there is none for a token of another form', async () => {
    assert.deepEqual(await decide('Bearer c1'), ['token_invalid', 'anonymous'])
  })
})

describe('which proofs are enough', () => {
  const key = bearer('reader')
  const PRESENTED = {
    nothing: () => ({}),
    certificate: () => CERTIFICATE,
    key: () => key,
    token: () => token,
    'certificate and key': () => ({ ...CERTIFICATE, ...key }),
    'certificate and token': () => ({ ...CERTIFICATE, ...token }),
  }
  const missing = 'credential_missing'
  const ROWS: readonly [require: string[], ...outcomes: string[]][] = [
    [[], 'token_missing', 'mtls', 'api-key', 'oauth', 'api-key', 'oauth'],
    [['mtls'], 'token_missing', 'mtls', missing, missing, 'api-key', 'oauth'],
    [['oauth'], 'token_missing', missing, missing, 'oauth', missing, 'oauth'],
    [['api-key'], 'token_missing', missing, 'api-key', missing, 'api-key', missing],
    [['mtls', 'oauth'], 'token_missing', missing, missing, missing, missing, 'oauth'],
    [['mtls', 'api-key'], 'token_missing', missing, missing, missing, 'api-key', missing],
  ]
  for (const [require, ...outcomes] of ROWS) {
    test(`auth.require: [${require.join(', ')}]`, async () => {
      const service = await startAll({ require })
      for (const [index, [what, headers]] of Object.entries(PRESENTED).entries())
        assert.equal(await ask(service, headers()), outcomes[index], what)
    })
  }

  test('both have to be of one tenant, where both are demanded', async () => {
    const strict = await startAll({ require: ['mtls', 'oauth'] })
    const other = { ...token, 'x-client-cert': certificateOf('other') }
    assert.equal(await ask(strict, other), 'identity_conflict')
    assert.equal(await ask(strict, { ...token, 'x-client-cert': certificateOf('loose') }), 'oauth')
    assert.equal(
      await ask(strict, { ...token, 'x-client-cert': certificateOf('unmapped') }),
      'certificate_refused',
    )
    assert.equal(await ask(strict, { ...token, 'x-client-cert': 'nonsense' }), 'certificate_refused')
    // Where one is enough, the certificate beside a token names the peer and nothing else.
    assert.equal(await ask(await startAll(), other), 'oauth')
  })
})

describe('an Authorization header', () => {
  let service: Secured
  before(async () => {
    service = await startAll()
  })

  test('decides: a bad one is refused, whatever certificate came with it', async () => {
    const bad = {
      'Bearer dmcp_short': 'key_invalid',
      [`Bearer ${keyOf('nobody')}`]: 'key_invalid',
      'Bearer a.b.c': 'token_invalid',
      'Bearer opaque': 'token_invalid',
      Bearer: 'authorization_malformed',
      'Basic YTpi': 'token_missing',
    }
    for (const [authorization, code] of Object.entries(bad)) {
      assert.equal(await ask(service, { ...CERTIFICATE, authorization }), code, authorization)
      assert.equal(await ask(service, { authorization }), code, authorization)
    }
    assert.equal(await ask(service, CERTIFICATE), 'mtls')
  })

  test('a good token decides alone: a certificate that does not hold binds nothing and proves nothing', async () => {
    for (const certificate of ['nonsense', certificateOf('agent', stranger)]) {
      assert.equal(await ask(service, { ...token, 'x-client-cert': certificate }), 'oauth')
      assert.equal(await ask(service, { 'x-client-cert': certificate }), 'certificate_refused')
    }
  })

  test('a certificate that was revoked stands in the way of a good token', async () => {
    const made = x509.makeClient(root, [['dns', 'agent.example.com']], dates)
    const headers = { ...token, 'x-client-cert': x509.escaped(made) }
    assert.equal(await ask(service, headers), 'oauth')
    const value = createHash('sha256').update(made.der).digest('hex')
    await service.put('revocations.yaml', { revocations: [{ kind: 'fingerprint', value }] })
    assert.equal(await ask(service, headers), 'token_revoked')
    assert.equal(await ask(service, { ...token, ...CERTIFICATE }), 'oauth')
  })

  test('an empty certificate header is what nginx sends for none', async () => {
    assert.equal(await ask(service, { 'x-client-cert': '' }), 'token_missing')
    assert.equal(await ask(service, { ...token, 'x-client-cert': '' }), 'oauth')
  })

  test('the name of the scheme has no case, and more than one space may follow (RFC 9110 11.1, 11.4)', async () => {
    const { authorization } = bearer('reader')
    for (const scheme of ['bearer', 'BEARER', 'bEaReR ', 'Bearer   '])
      assert.equal(await ask(service, { authorization: authorization.replace('Bearer', scheme) }), 'api-key')
  })

  const MALFORMED = [
    'Bearer',
    'bearer ',
    'DPoP',
    'Bearer a b',
    'Bearer a,b',
    'Bearer a, Bearer b',
    'Bearer "a"',
    'Bearer a=b',
    'Bearer =',
    'Bearer a;b',
    'Bearer %41',
    'Bearer a\tb',
    'Bearer caf\u00e9',
    'Bearer token="a"',
  ]
  test('that is no scheme and one token is 400 (RFC 6750 2.1, 3.1)', async () => {
    for (const authorization of MALFORMED)
      assert.equal(await ask(service, { authorization }), 'authorization_malformed', authorization)
  })

  test('of another scheme is as none', async () => {
    for (const authorization of [
      'Basic YTpi',
      'Digest username="a"',
      'Negotiate x',
      'Bearerx',
      'Bearer\u00a0a',
      keyOf('reader'),
      '',
      'Bearer\ta',
    ])
      assert.equal(await ask(service, { authorization }), 'token_missing', authorization)
  })

  test('twice is 400, whatever the two say', async () => {
    const good = bearer('reader').authorization
    for (const authorization of [
      [good, good],
      [good, 'Bearer x'],
      ['Basic x', good],
    ])
      assert.equal(await ask(service, { authorization }), 'header_repeated')
  })
})
