// What a caller is shown is what it can call: the policy filters every listing, by all ways in, and observing shows in record, metric and banner.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { listOperations } from '../../src/catalogue/operations.ts'
import { startApp, type TestApp } from '../lib/app.ts'
import { EXECUTE, GENERATE, KEY } from '../lib/calls.ts'
import { temporary } from '../lib/process.ts'
import { serve } from '../lib/serve.ts'
import { modern, modernHeaders, request } from '../mcp/lib/messages.ts'
import {
  bearer,
  call,
  codeOf,
  keysFile,
  PUBLIC_URL,
  type Secured,
  send,
  startSecured,
  WAYS,
} from './lib/secured.ts'

const SEED = Number(process.env['SEED'] ?? 20261121)
const RUNS = Number(process.env['RUNS'] ?? 400) / 16
const DAY = 86_400_000

interface Listing {
  tools: string[]
  cacheScope: unknown
}
type Headers = Record<string, string>

async function list(service: TestApp, way: (typeof WAYS)[number], headers: Headers): Promise<Listing> {
  const answer =
    way === 'rest'
      ? await send(service, { method: 'GET', path: '/v1/tools', headers })
      : way === 'legacy'
        ? await send(service, { path: '/mcp', headers, body: JSON.stringify(request('tools/list')) })
        : await send(service, {
            path: '/mcp',
            headers: { ...headers, ...modernHeaders('tools/list') },
            body: JSON.stringify(request('tools/list', modern({}))),
          })
  assert.equal(answer.status, 200, answer.text)
  const { tools, cacheScope } = (way === 'rest' ? answer.body : answer.body['result']) as {
    tools: { name: string }[]
    cacheScope?: unknown
  }
  return { tools: tools.map(({ name }) => name), cacheScope }
}

const TOOLS = ['ductape_execute', 'ductape_generate_payload', 'ductape_generate_snippet'] as const
/** Modules in which no argument changes what a method does, and every effect occurs. */
const MODULES = ['health', 'secrets', 'sessions']
const OPERATIONS = listOperations(false).filter(({ module = '' }) => MODULES.includes(module))

describe('listed <=> callable, over HTTP', () => {
  let service: Secured
  before(async () => {
    service = await startSecured()
  })
  after(() => service.close())

  const some = (...values: string[]) =>
    fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 2 })
  const methods = some('*', 'list', 'fetch*', 'c*', 'nothing')
  const effects = some('read', 'write', 'destructive', 'admin')
  const allow = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record(
        { module: some(...MODULES), method: methods, effect: effects, approval: fc.constant('none') },
        { requiredKeys: ['module', 'approval'] },
      ),
    },
    {
      weight: 1,
      arbitrary: fc.record({ tool: some('ductape_generate_*', 'ductape_generate_snippet', 'nothing') }),
    },
  )
  const deny = fc
    .record(
      {
        tool: some(...TOOLS, 'ductape_gen*'),
        module: some(...MODULES, '*'),
        method: methods,
        effect: effects,
      },
      { requiredKeys: [] },
    )
    .filter((rule) => Object.keys(rule).length > 0)
  const role = fc.record({
    allow: fc.array(allow, { minLength: 1, maxLength: 3 }),
    deny: fc.array(deny, { maxLength: 1 }),
  })
  const policy = fc.record({ one: role, two: role })
  const narrowing = fc.option(
    some(
      'ductape_execute',
      'ductape_execute:READ',
      'ductape_execute:secrets.*',
      'ductape_generate_*',
      'nothing',
    ),
    { nil: undefined, freq: 2 },
  )
  const roles = fc.subarray(['one', 'two', 'unknown'], { minLength: 1 })

  /** Every tool that some call of these reaches past the policy. */
  async function callable(): Promise<string[]> {
    const found = new Set<string>()
    const calls = [
      ...OPERATIONS.map(({ module, method }) => ({
        tool: 'ductape_execute',
        args: { publishable_key: KEY, module, method, params: [] },
      })),
      ...TOOLS.slice(1).map((tool) => ({ tool, args: GENERATE })),
    ]
    for (const { tool, args } of calls) {
      if (found.has(tool)) continue
      const code = codeOf(await call(service, 'rest', { tool, args, headers: bearer('caller') }))
      if (code !== 'policy_denied') {
        assert.ok(code === 'ok' || code.startsWith('backend_'), `${JSON.stringify(args)}: ${code}`)
        found.add(tool)
      }
    }
    return TOOLS.filter((tool) => found.has(tool))
  }

  test(`for random policies, roles and narrowings (seed ${SEED}, ${RUNS} runs)`, async (t) => {
    const lengths = new Map<number, number>()
    await fc.assert(
      fc.asyncProperty(policy, roles, narrowing, async (file, held, tools) => {
        await service.put(
          'keys.yaml',
          keysFile({ caller: { roles: held, scopes: ['ductape:configure'], ...(tools && { tools }) } }),
        )
        await service.put('policy.yaml', { roles: file })
        assert.deepEqual((await service.ready()).warnings, [])
        const expected = await callable()
        lengths.set(expected.length, (lengths.get(expected.length) ?? 0) + 1)
        for (const way of WAYS)
          assert.deepEqual((await list(service, way, bearer('caller'))).tools, expected, way)
      }),
      { seed: SEED, numRuns: RUNS },
    )
    t.diagnostic(`callers by number of tools: ${JSON.stringify([...lengths].sort())}`)
    assert.ok(lengths.size > 1, 'all policies were alike')
  })
})

test('a listing that depends on the caller is private; one that does not is public', async () => {
  const secured = await startSecured()
  const open = await startApp()
  try {
    for (const [service, headers, scope] of [
      [secured, bearer('reader'), 'private'],
      [open, { host: '127.0.0.1' }, 'public'],
    ] as const) {
      const listing = await list(service, 'modern', headers)
      assert.deepEqual(listing, { tools: [...TOOLS], cacheScope: scope })
    }
  } finally {
    await secured.close()
    await open.close()
  }
})

test('without a policy nothing is listed and nothing can be called', async () => {
  const service = await startSecured({ live: { 'policy.yaml': undefined } })
  try {
    for (const way of WAYS) {
      assert.deepEqual((await list(service, way, bearer('reader'))).tools, [], way)
      assert.equal(codeOf(await call(service, way, { headers: bearer('reader') })), 'policy_missing')
    }
    const { status, reasons } = await service.ready()
    assert.deepEqual([status, reasons], [503, ['there is no policy: live/policy.yaml']])
    await service.put('policy.yaml', { roles: { all: { allow: [{ tool: '*', approval: 'none' }] } } })
    assert.deepEqual((await list(service, 'modern', bearer('reader'))).tools, [...TOOLS])
    assert.equal((await service.ready()).status, 200)
  } finally {
    await service.close()
  }
})

describe('a policy that observes', () => {
  const until = new Date(Date.now() + 5 * DAY).toISOString().slice(0, 10)
  const OBSERVE = { mode: 'observe', until, roles: { other: { allow: [{ tool: '*', approval: 'none' }] } } }

  test('lists and lets through what it would refuse, and marks record and metric', async () => {
    const service = await startSecured({ live: { 'policy.yaml': OBSERVE } })
    const series = (would: string): string =>
      `ductape_mcp_decisions_total{code="ok",stage="",would_deny="${would}"}`
    try {
      for (const way of WAYS) {
        assert.deepEqual((await list(service, way, bearer('reader'))).tools, [...TOOLS])
        assert.equal(codeOf(await call(service, way, { headers: bearer('reader') })), 'ok')
        const { decision } = service.records().findLast(({ type }) => type === 'decision') ?? {}
        assert.deepEqual(decision, { allowed: true, wouldDeny: true })
      }
      assert.equal(await service.metric(series('true')), String(WAYS.length))
      const migration = { ...EXECUTE, module: 'databases', method: 'migration.run', params: [] }
      const refused = await call(service, 'rest', { args: migration, headers: bearer('reader') })
      assert.equal(codeOf(refused), 'policy_denied')
      await service.put('policy.yaml', { roles: OBSERVE.roles })
      assert.equal(codeOf(await call(service, 'rest', { headers: bearer('reader') })), 'policy_denied')
      assert.deepEqual((await list(service, 'rest', bearer('reader'))).tools, [])
    } finally {
      await service.close()
    }
  })

  test('says so when the service starts', async () => {
    const folder = temporary()
    folder.file('policy.yaml', JSON.stringify(OBSERVE))
    const served = await serve({
      config: { publicUrl: PUBLIC_URL, live: folder.path, auth: { apiKeys: {} } },
    })
    try {
      assert.match(
        served.stderr(),
        /^ {2}policy {2}OBSERVES: reads and writes that it would refuse are let through/m,
      )
    } finally {
      served.child.kill()
      await served.exit
      folder.remove()
    }
  })
})
