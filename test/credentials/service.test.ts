// The whole service with held keys: what callers are shown, what is refused and recorded, and that a held key comes out nowhere.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { DEMO } from '../../src/emulator/index.ts'
import { credentialId } from '../../src/keys/index.ts'
import type { RecordLine } from '../lib/app.ts'
import { findKeys } from '../security/lib/canary.ts'
import { LEAKY_REPLIES, startScriptedBackend } from '../security/lib/canary-backend.ts'
import { FLEET, heldBoth, memoryFiles, startTenants, type TenantService } from './lib/service.ts'

const EXECUTE = { module: 'secrets', method: 'fetch', params: ['STRIPE_KEY'] }
const GENERATE = {
  product_tag: 'ductape:my-product',
  env_slug: 'prd',
  operation_family: 'database',
  method: 'query',
}
const CREDENTIAL_NAMES = /publishable_key|public_key|workspace_id|user_id/

interface Answer {
  status: number
  text: string
  body: Record<string, unknown>
}

async function ask(url: string, key: string, path: string, body?: unknown, method = 'POST'): Promise<Answer> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, text, body: JSON.parse(text) as Record<string, unknown> }
}

const rest = (service: TenantService, tenant: string, tool: string, args: unknown): Promise<Answer> =>
  ask(service.url, service.keyOf(tenant), `/v1/tools/${tool}`, args)

const rpc = (service: TenantService, tenant: string, method: string, params: unknown): Promise<Answer> =>
  ask(service.url, service.keyOf(tenant), '/mcp', { jsonrpc: '2.0', id: 1, method, params })

const decisions = (service: TenantService): RecordLine[] =>
  service.records().filter((line) => line.type === 'decision')

function heldFiles() {
  const files = memoryFiles()
  for (const name of ['main', 'other'] as const) {
    files.write(`/keys/${name}/publishable`, DEMO[name].publishableKey)
    files.write(`/keys/${name}/public`, `${DEMO[name].publicKey}\n`)
  }
  return files
}

describe('injected', () => {
  let service: TenantService
  before(async () => {
    const { tenants } = heldBoth
    service = await startTenants({
      credentials: { mode: 'injected', tenants: { ...tenants, visitor: { mode: 'passthrough' } } },
      callers: ['main', 'other', 'visitor', 'unlisted'],
      files: heldFiles(),
    })
  })
  after(() => service.close())

  test('tools/list, GET /v1/tools and the OpenAPI document name no credential argument', async () => {
    for (const tenant of ['main', 'unlisted', '']) {
      const listed = await rpc(service, tenant, 'tools/list', {})
      const { tools } = listed.body['result'] as { tools: { name: string }[] }
      assert.equal(tools.length, 3)
      assert.doesNotMatch(listed.text, CREDENTIAL_NAMES)
      for (const path of ['/v1/tools', '/openapi.json']) {
        const { status, text } = await ask(service.url, service.keyOf(tenant), path, undefined, 'GET')
        assert.equal(status, 200)
        assert.doesNotMatch(text, CREDENTIAL_NAMES)
      }
    }
    const visitor = await rpc(service, 'visitor', 'tools/list', {})
    assert.match(visitor.text, /"publishable_key"/, 'a tenant in passthrough sees them')
  })

  test('each tenant works in its own workspace, over MCP and REST, with all three tools', async () => {
    for (const [tenant, own] of [
      ['main', /demo-value-of-STRIPE_KEY/],
      ['other', /other-value-of-STRIPE_KEY/],
    ] as const) {
      const arrived = service.seen.length
      assert.match((await rest(service, tenant, 'ductape_execute', EXECUTE)).text, own)
      assert.match(
        (await rpc(service, tenant, 'tools/call', { name: 'ductape_execute', arguments: EXECUTE })).text,
        own,
      )
      for (const tool of ['ductape_generate_payload', 'ductape_generate_snippet'])
        assert.equal((await rest(service, tenant, tool, GENERATE)).status, 200)
      for (const { headers, body } of service.seen.slice(arrived)) {
        const generate = headers['x-access-key'] !== undefined
        assert.equal(
          headers[generate ? 'x-access-key' : 'x-publishable-key'],
          DEMO[tenant][generate ? 'publicKey' : 'publishableKey'],
        )
        if (generate)
          assert.equal(
            (JSON.parse(body) as typeof GENERATE & { workspace_id: string }).workspace_id,
            DEMO[tenant].workspaceId,
          )
        assert.ok(!JSON.stringify([headers, body]).includes(service.keyOf(tenant)), 'no API key goes on')
      }
      assert.deepEqual(
        decisions(service)
          .slice(-4)
          .map(({ what }) => what?.['credentialId']),
        [
          DEMO[tenant].publishableKey,
          DEMO[tenant].publishableKey,
          DEMO[tenant].publicKey,
          DEMO[tenant].publicKey,
        ].map((key) => credentialId(FLEET, key)),
      )
    }
  })

  test('a key that is sent anyway is refused and recorded without it, whoever it belongs to', async () => {
    const arrived = service.seen.length
    for (const key of [DEMO.main.publishableKey, DEMO.other.publishableKey, 'pk_someone_else_0123456789']) {
      const { status, body, text } = await rest(service, 'main', 'ductape_execute', {
        ...EXECUTE,
        publishable_key: key,
      })
      assert.equal(status, 400)
      assert.equal(body['code'], 'credential_not_accepted')
      assert.ok(!text.includes(key))
      const called = await rpc(service, 'main', 'tools/call', {
        name: 'ductape_execute',
        arguments: { ...EXECUTE, publishable_key: key },
      })
      const { isError, content } = called.body['result'] as { isError: boolean; content: { text: string }[] }
      assert.equal(isError, true)
      assert.equal(
        content[0]?.text,
        '[credential_not_accepted] This service holds the Ductape keys itself; the argument `publishable_key` is not accepted.',
      )
      const last = decisions(service).at(-1)
      assert.deepEqual([last?.decision?.code, last?.decision?.stage], ['credential_not_accepted', 'validate'])
      assert.ok(!JSON.stringify(service.records()).includes(key))
    }
    assert.equal(service.seen.length, arrived)
  })

  test('a caller whose tenant has no key, or who has no tenant, gets credential_unavailable and nothing is sent', async () => {
    const arrived = service.seen.length
    for (const tenant of ['unlisted', '']) {
      for (const [tool, args] of [
        ['ductape_execute', EXECUTE],
        ['ductape_generate_payload', GENERATE],
        ['ductape_generate_snippet', GENERATE],
      ] as const) {
        const { status, body } = await rest(service, tenant, tool, args)
        assert.equal(status, 503)
        assert.equal(body['code'], 'credential_unavailable')
      }
    }
    assert.equal(service.seen.length, arrived)
  })

  test('the tenant comes from the API key alone: no argument, header or query changes it', async () => {
    const key = service.keyOf('main')
    for (const name of ['x-tenant', 'x-tenant-id', 'x-workspace-id', 'x-publishable-key', 'x-access-key']) {
      const response = await fetch(`${service.url}/v1/tools/ductape_execute?tenant=other`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${key}`,
          'content-type': 'application/json',
          [name]: DEMO.other.publishableKey,
        },
        body: JSON.stringify(EXECUTE),
      })
      assert.match(await response.text(), /demo-value-of-STRIPE_KEY/)
      assert.equal(service.seen.at(-1)?.headers['x-publishable-key'], DEMO.main.publishableKey)
    }
    const argument = await rest(service, 'main', 'ductape_execute', { ...EXECUTE, tenant: 'other' })
    assert.equal(argument.body['code'], 'argument_unknown')
  })
})

describe('a tenant that is bound to its keys', () => {
  test('may present those and no other; records name them', async () => {
    const service = await startTenants({
      credentials: { tenants: { main: { credentialIds: [credentialId(FLEET, DEMO.main.publishableKey)] } } },
      callers: ['main', 'other'],
    })
    try {
      const call = (tenant: string, key: string) =>
        rest(service, tenant, 'ductape_execute', { ...EXECUTE, publishable_key: key })
      assert.equal((await call('main', DEMO.main.publishableKey)).status, 200)
      const refused = await call('main', DEMO.other.publishableKey)
      assert.equal(refused.status, 403)
      assert.equal(refused.body['code'], 'credential_not_allowed')
      assert.equal(service.seen.length, 1)
      assert.equal((await call('other', DEMO.other.publishableKey)).status, 200)
      assert.deepEqual(
        decisions(service).map(({ what, decision }) => [what?.['credentialId'], decision?.allowed]),
        [
          [credentialId(FLEET, DEMO.main.publishableKey), true],
          [credentialId(FLEET, DEMO.other.publishableKey), false],
          [credentialId(FLEET, DEMO.other.publishableKey), true],
        ],
      )
    } finally {
      await service.close()
    }
  })
})

describe('held keys as canaries', () => {
  const KEYS = {
    publishable: 'pk_held_0123_publishable_89ab',
    public: 'pk_held_0123_public_cdef4567',
    before: 'pk_held_0123_before_89abcdef',
    other: 'pk_held_0123_other_fedcba98',
  }
  const OWN = 'pk_own_of_visitor_76543210'
  const planted = Object.entries(KEYS).map(([place, key]) => ({ place, key }))

  test('whatever the backend answers, no held key comes out: answers, records, log, lists', async (t) => {
    const backend = await startScriptedBackend()
    const files = memoryFiles()
    files.write('/keys/main/publishable', KEYS.before)
    files.write('/keys/main/public', KEYS.public)
    files.write('/keys/other/publishable', '')
    files.write('/keys/other/public', KEYS.other)
    const service = await startTenants({
      credentials: { ...heldBoth, tenants: { ...heldBoth.tenants, visitor: { mode: 'passthrough' } } },
      callers: ['main', 'other', 'visitor'],
      files,
      backend: backend.url,
    })
    const searched: string[] = []
    try {
      files.write('/keys/main/publishable', KEYS.publishable)
      files.write('/keys/main/public', `${KEYS.public}\n${KEYS.public}`)
      await service.app.reload()
      for (const reply of LEAKY_REPLIES) {
        // Any of the keys that the service knows, in the answer to a call with any of them, or with one that the caller brought.
        for (const leaked of Object.values(KEYS)) {
          for (const [tenant, key, tool, args] of [
            ['main', KEYS.publishable, 'ductape_execute', EXECUTE],
            ['main', KEYS.public, 'ductape_generate_payload', GENERATE],
            ['other', KEYS.other, 'ductape_generate_payload', GENERATE],
            ['visitor', OWN, 'ductape_execute', { ...EXECUTE, publishable_key: OWN }],
          ] as const) {
            // One key of `main` is enough for the two that are not of it.
            if (tenant !== 'main' && leaked !== KEYS.before) continue
            backend.script.set(key, reply.make(leaked, 'sk_live_foreign_0123456789'))
            const { text } = await rest(service, tenant, tool, args)
            searched.push(text)
            const found = findKeys(text, planted)
            assert.deepEqual(found, [], `${reply.name}, ${tenant}, ${tool}: ${text.slice(0, 300)}`)
          }
        }
      }
      for (const { body } of [
        await rpc(service, 'main', 'tools/list', {}),
        await rpc(service, 'main', 'initialize', {
          protocolVersion: '2025-11-25',
          capabilities: {},
          clientInfo: { name: 'test', version: '0' },
        }),
        await rpc(service, 'main', 'resources/list', {}),
        await ask(service.url, service.keyOf('main'), '/openapi.json', undefined, 'GET'),
      ])
        searched.push(JSON.stringify(body))
      const written = [JSON.stringify(service.records()), service.log().join('\n')]
      for (const text of [...searched, ...written]) assert.deepEqual(findKeys(text, planted), [])
      assert.ok(backend.requests() > 2000, `${backend.requests()} requests`)
      assert.ok(searched.some((text) => text.includes('[REDACTED]')))
      assert.match(service.log().join('\n'), /credential_replaced/)
      assert.match(service.log().join('\n'), /credential_refused/)
      t.diagnostic(`${backend.requests()} requests, ${searched.join().length} characters of answers searched`)
    } finally {
      await service.close()
      await backend.close()
    }
  })
})
