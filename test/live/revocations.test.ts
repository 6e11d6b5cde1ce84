// Revocations on the running service: by the live file and by the administrative endpoint, of every kind, in force for the next request.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { decodeJwt } from 'jose'
import type { RevocationKind } from '../../src/core/runtime.ts'
import { memoryFiles } from '../credentials/lib/service.ts'
import { AGENT, type Issuer, startIssuer } from '../identity/lib/issuer.ts'
import * as x509 from '../identity/mtls/lib/x509.ts'
import {
  type Answer,
  bearer,
  call,
  codeOf,
  keyOf,
  PUBLIC_URL,
  type Secured,
  send,
  startSecured,
} from './lib/secured.ts'

const HOUR = 3_600_000
const PATH = '/v1/admin/revocations'
const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-revoke-'))
const root = x509.makeAuthority({ notAfter: Date.now() + HOUR })
const agent = x509.makeClient(root, [['dns', 'agent.example.com']], {
  notBefore: Date.now() - HOUR,
  notAfter: Date.now() + HOUR,
})

let issuer: Issuer
let service: Secured
type Headers = Record<string, string>
/** Each way to be known, by the kinds of revocation that end it. */
let ways: Record<RevocationKind, { headers: Headers; value: string }>

before(async () => {
  issuer = await startIssuer({ resources: [PUBLIC_URL], claims: { roles: ['all'] } })
  const files = memoryFiles()
  files.write('/ca.crt', root.pem)
  service = await startSecured({
    files,
    callers: {
      reader: {},
      second: { owner: 'team' },
      warden: { scopes: ['ductape:admin'] },
      // Whoever may configure Ductape is not the one who lets callers in.
      chief: { scopes: ['ductape:configure', 'ductape:write', 'admin', 'ductape:*'] },
    },
    auth: {
      apiKeys: {},
      oauth: { issuers: [{ issuer: issuer.url }] },
      mtls: {
        ca: { file: '/ca.crt' },
        trustDomains: ['example.com'],
        map: [{ dns: 'agent.example.com', roles: ['all'] }],
      },
    },
    app: { config: { listen: { kind: 'unix', path: join(folder, 'mcp.sock') } } },
  })
  const token = await issuer.clientCredentials({ resource: PUBLIC_URL })
  const asToken = { authorization: `Bearer ${token}` }
  ways = {
    jti: { headers: asToken, value: String(decodeJwt(token).jti) },
    subject: { headers: asToken, value: AGENT },
    key: { headers: bearer('reader'), value: 'reader' },
    fingerprint: {
      headers: { 'x-client-cert': x509.escaped(agent) },
      value: createHash('sha256').update(agent.der).digest('hex'),
    },
  }
})
after(async () => {
  await service?.close()
  await issuer?.close()
  rmSync(folder, { recursive: true, force: true })
})

const KINDS: readonly RevocationKind[] = ['jti', 'subject', 'key', 'fingerprint']
const code = async (headers: Headers): Promise<string> => codeOf(await call(service, 'rest', { headers }))
const revoke = (body: unknown, headers: Headers = bearer('warden')): Promise<Answer> =>
  send(service, { path: PATH, headers, body: typeof body === 'string' ? body : JSON.stringify(body) })
const inAnHour = (): string => new Date(Date.now() + HOUR).toISOString()
const last = (type: 'decision' | 'outcome') => service.records().findLast((line) => line.type === type)

describe('by live/revocations.yaml', () => {
  for (const kind of KINDS) {
    test(`a ${kind}: refused from then on, although it was verified before; taken away, it is let in again`, async () => {
      const { headers, value } = ways[kind]
      assert.equal(await code(headers), 'ok')
      await service.put('revocations.yaml', { revocations: [{ kind, value }] })
      assert.equal(await code(headers), 'token_revoked')
      assert.equal(await code(bearer('warden')), 'ok')
      await service.put('revocations.yaml', { revocations: [] })
      assert.equal(await code(headers), 'ok')
    })
  }

  test('the owner of an API key is its subject', async () => {
    await service.put('revocations.yaml', { revocations: [{ kind: 'subject', value: 'team' }] })
    assert.equal(await code(bearer('second')), 'token_revoked')
    await service.put('revocations.yaml', 'revocations: []')
    assert.equal(await code(bearer('second')), 'ok')
  })

  test('one that has ended counts no more, and a kind says which value is meant', async () => {
    await service.put('revocations.yaml', {
      revocations: [
        { kind: 'key', value: 'reader', until: new Date(Date.now() - HOUR).toISOString() },
        { kind: 'jti', value: 'reader' },
        { kind: 'subject', value: 'reader' },
      ],
    })
    assert.equal(await code(bearer('reader')), 'ok')
    await service.put('revocations.yaml', { revocations: [] })
  })

  test('a bad file can add and never take away; a wholly valid one takes away', async () => {
    await service.put('revocations.yaml', { revocations: [{ kind: 'key', value: 'reader' }] })
    await service.put(
      'revocations.yaml',
      'revocations:\n  - { kind: key, value: second }\n  - { kind: kay, value: chief }\n  - { kind: key, value: \n',
    )
    assert.equal(await code(bearer('reader')), 'token_revoked')
    await service.put(
      'revocations.yaml',
      'revocations:\n  - { kind: key, value: second }\n  - { kind: kay, value: chief }\n',
    )
    assert.equal(await code(bearer('reader')), 'token_revoked')
    assert.equal(await code(bearer('second')), 'token_revoked')
    assert.equal(await code(bearer('chief')), 'ok')
    assert.deepEqual((await service.ready()).warnings, [
      'live/revocations.yaml is not valid; the last good one holds',
    ])
    await service.put('revocations.yaml', undefined)
    assert.equal(await code(bearer('second')), 'token_revoked')
    await service.put('revocations.yaml', { revocations: [] })
    assert.equal(await code(bearer('reader')), 'ok')
    assert.equal(await code(bearer('second')), 'ok')
  })
})

describe(`by POST ${PATH}`, () => {
  test('who has no scope for it is refused, whatever else it may do', async () => {
    const body = { kind: 'key', value: 'reader', until: inAnHour() }
    for (const headers of [bearer('reader'), bearer('chief'), ways.jti.headers, ways.fingerprint.headers]) {
      const answer = await revoke(body, headers)
      assert.deepEqual([answer.status, codeOf(answer)], [403, 'scope_insufficient'])
      assert.match(
        String(answer.headers['www-authenticate']),
        /error="insufficient_scope".*scope="ductape:admin"/,
      )
      const record = last('decision')
      assert.deepEqual(record?.decision, { allowed: false, code: 'scope_insufficient', stage: 'policy' })
      assert.equal(record.what?.['action'], 'revoke')
    }
    assert.equal((await revoke(body, {})).status, 401)
    assert.equal(await code(bearer('reader')), 'ok')
  })

  test('what is no revocation is 400, says what is wrong, and changes nothing', async () => {
    const good = { kind: 'key', value: 'reader', until: inAnHour() }
    for (const [body, wrong] of [
      ['', 'json_malformed'],
      ['{', 'json_malformed'],
      ['{"kind":"key","kind":"jti"}', 'json_not_exact'],
      ['[]', 'admin_invalid'],
      ['null', 'admin_invalid'],
      [{ ...good, kind: 'tenant' }, 'admin_invalid'],
      [{ ...good, value: keyOf('reader') }, 'admin_invalid'],
      [{ ...good, until: 'tomorrow' }, 'admin_invalid'],
      [{ ...good, reason: 'x' }, 'admin_invalid'],
    ] as const) {
      const answer = await revoke(body)
      assert.deepEqual([answer.status, codeOf(answer)], [400, wrong], answer.text)
    }
    for (const method of ['GET', 'DELETE', 'PUT'])
      assert.equal((await send(service, { method, path: PATH, headers: bearer('warden') })).status, 405)
    assert.equal(await code(bearer('reader')), 'ok')
  })

  test('a credential is refused from the next request on; the record says who did it, and nothing says the value', async () => {
    // The last of them ends both the token and its jti, so each kind has its own credential here.
    const other = await issuer.clientCredentials({ resource: PUBLIC_URL })
    const rows = [
      { kind: 'jti', headers: { authorization: `Bearer ${other}` }, value: String(decodeJwt(other).jti) },
      ...(['key', 'fingerprint', 'subject'] as const).map((kind) => ({ kind, ...ways[kind] })),
    ]
    for (const { kind, headers, value } of rows) {
      assert.equal(await code(headers), 'ok', kind)
      const until = inAnHour()
      const answer = await revoke({ kind, value, until })
      assert.deepEqual([answer.status, answer.body], [200, { kind, until }], answer.text)
      const { decision, what, who, callId } = last('decision') ?? {}
      assert.deepEqual(decision, { allowed: true })
      assert.deepEqual(
        [what?.['action'], who?.['keyId'], who?.['owner']],
        ['revoke', 'warden', 'owner of warden'],
      )
      const outcome = last('outcome')
      assert.deepEqual([outcome?.callId, outcome?.outcome?.status], [callId, 'executed'])
      assert.equal(await code(headers), 'token_revoked', kind)
    }
    const added = service.log().filter((line) => line.includes('revocation_added'))
    assert.equal(added.length, rows.length)
    for (const line of added) assert.match(line, /"by":"api-key:warden"/)
    for (const { value } of rows.filter(({ kind }) => kind === 'jti'))
      assert.ok(![...service.log(), JSON.stringify(service.records())].some((text) => text.includes(value)))
  })

  test('an empty live file takes back nothing of it', async () => {
    await service.put('revocations.yaml', 'revocations: []\n# again\n')
    assert.equal(await code(ways.key.headers), 'token_revoked')
  })
})
