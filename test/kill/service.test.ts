// The kill switch on the running service: by the live file and by the administrative endpoint, over every way in, with listing, record and log.
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import { StoreUnavailable } from '../../src/core/store.ts'
import { STAGES } from '../../src/pipeline.ts'
import { createMemoryStore } from '../../src/store/index.ts'
import { EXECUTE, GENERATE } from '../lib/calls.ts'
import {
  type Answer,
  bearer,
  call,
  codeOf,
  type Secured,
  send,
  startSecured,
  WAYS,
} from '../live/lib/secured.ts'
import { modern, modernHeaders, request } from '../mcp/lib/messages.ts'

const PATH = '/v1/admin/kill'
const TOOLS = ['ductape_execute', 'ductape_generate_payload', 'ductape_generate_snippet'] as const
const HOUR = 3_600_000

let service: Secured
let storeLost = false
/** Calls that have passed policy wait for it. */
let gate: Promise<void> | undefined
let arrived: (() => void) | undefined

before(async () => {
  const memory = createMemoryStore({ now: Date.now })
  const orLost =
    <Args extends readonly unknown[], Result>(run: (...args: Args) => Promise<Result>) =>
    (...args: Args): Promise<Result> =>
      storeLost ? Promise.reject(new StoreUnavailable('lost')) : run(...args)
  service = await startSecured({
    callers: {
      reader: { tenant: 'acme' },
      other: { tenant: 'umbrella' },
      warden: { scopes: ['ductape:admin'] },
      chief: { scopes: ['ductape:configure', 'admin', 'ductape:*'] },
    },
    app: {
      ports: {
        store: { ...memory, indexAdd: orLost(memory.indexAdd), indexMembers: orLost(memory.indexMembers) },
      },
      stages: STAGES.map((row) =>
        row.name !== 'guards'
          ? row
          : {
              ...row,
              prepare: (parts) => {
                const run = row.prepare(parts)
                return async (one) => {
                  arrived?.()
                  await gate
                  return run(one)
                }
              },
            },
      ),
    },
  })
})
after(() => service?.close())
afterEach(async () => {
  storeLost = false
  await service.put('kill.yaml', { kill: [] })
  await kill({ action: 'on', kind: 'everything', reason: 'after a test' })
})

const kill = (body: unknown, caller = 'warden'): Promise<Answer> =>
  send(service, {
    path: PATH,
    headers: bearer(caller),
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
const off = (kind: string, value?: string) =>
  kill({ action: 'off', kind, ...(value !== undefined && { value }), reason: 'why' })
const on = (kind: string, value?: string) =>
  kill({ action: 'on', kind, ...(value !== undefined && { value }), reason: 'why' })
const said = async (
  caller: string,
  way: (typeof WAYS)[number] = 'rest',
  tool: string = TOOLS[0],
): Promise<string> =>
  codeOf(
    await call(service, way, {
      headers: bearer(caller),
      tool,
      args: tool === TOOLS[0] ? EXECUTE : GENERATE,
    }),
  )
const last = (type: 'decision' | 'outcome') => service.records().findLast((line) => line.type === type)

async function listed(caller: string, way: (typeof WAYS)[number]): Promise<string[]> {
  const headers = bearer(caller)
  const answer = await send(
    service,
    way === 'rest'
      ? { method: 'GET', path: '/v1/tools', headers }
      : way === 'legacy'
        ? { path: '/mcp', headers, body: JSON.stringify(request('tools/list')) }
        : {
            path: '/mcp',
            headers: { ...headers, ...modernHeaders('tools/list') },
            body: JSON.stringify(request('tools/list', modern({}))),
          },
  )
  assert.equal(answer.status, 200, answer.text)
  const { tools } = (way === 'rest' ? answer.body : answer.body['result']) as { tools: { name: string }[] }
  return tools.map(({ name }) => name)
}

/** What is off, what the reader is told, what it still sees, and whether the caller of another tenant is met as well. */
const ROWS: readonly (readonly [
  kind: string,
  value: string | undefined,
  words: string,
  left: readonly string[],
  others: boolean,
])[] = [
  ['tool', 'ductape_execute', 'the tool ductape_execute', TOOLS.slice(1), true],
  ['module', 'product', 'the module product', [...TOOLS], true],
  ['principal', 'api-key:reader', 'this caller', [], false],
  ['tenant', 'acme', 'this tenant', [], false],
  ['everything', undefined, 'all calls', [], true],
]

for (const [kind, value, words, left, others] of ROWS) {
  const check = async (isOff: boolean): Promise<void> => {
    for (const way of WAYS) {
      const answer = await call(service, way, { headers: bearer('reader') })
      assert.equal(codeOf(answer), isOff ? 'killed' : 'ok', `${way} ${answer.text}`)
      if (isOff) assert.ok(answer.text.includes(`An operator has switched off ${words}.`), answer.text)
      assert.equal(await said('other', way), isOff && others ? 'killed' : 'ok')
      assert.deepEqual(await listed('reader', way), isOff ? left : [...TOOLS])
      assert.deepEqual(await listed('other', way), isOff && others ? left : [...TOOLS])
      assert.equal(await said('reader', way, TOOLS[2]), !isOff || left.includes(TOOLS[2]) ? 'ok' : 'killed')
    }
  }

  test(`${kind}: off by the endpoint and on again, over every way in, in calls and listings`, async () => {
    await check(false)
    assert.equal((await off(kind, value)).status, 200)
    await check(true)
    const { status, warnings } = await service.ready()
    assert.equal(status, 200)
    assert.match(warnings.join(), /^switched off: /)
    assert.equal((await on(kind, value)).status, 200)
    await check(false)
    assert.deepEqual((await service.ready()).warnings, [])
  })

  test(`${kind}: off by live/kill.yaml and on again`, async () => {
    const entry = { kind, ...(value !== undefined && { value }), reason: 'why' }
    await service.put('kill.yaml', { kill: [entry] })
    await check(true)
    const answer = await on(kind, value)
    assert.deepEqual([answer.status, answer.body['off']], [200, true])
    await check(true)
    await service.put('kill.yaml', { kill: [] })
    await check(false)
  })
}

describe('live/kill.yaml', () => {
  const entry = { kind: 'tool', value: 'ductape_execute', reason: 'why' }

  test('with a tool or module that there is not is refused, says which, and its other entries count', async () => {
    await service.put('kill.yaml', {
      kill: [{ ...entry, value: 'ductape_exekute' }, entry, { ...entry, kind: 'module', value: 'databasez' }],
    })
    assert.equal(await said('reader'), 'killed')
    const line = service.log().findLast((text) => text.includes('live_file_refused')) ?? ''
    assert.match(
      line,
      /kill\[0\]\.value is no tool of this service.*kill\[2\]\.value is no module of this service/,
    )
    assert.deepEqual((await service.ready()).warnings, [
      'live/kill.yaml is not valid; the last good one holds',
      'switched off: the tool ductape_execute',
    ])
  })

  test('that is bad can add and never take away', async () => {
    await service.put('kill.yaml', { kill: [entry] })
    const more = '- { kind: principal, value: "api-key:other", reason: r }'
    for (const text of [
      `kill:\n  ${more}\n  - { kind: tools, value: x, reason: r }\n`,
      'kill: [',
      '',
      undefined,
      'kill: []\nkilled: []\n',
    ]) {
      await service.put('kill.yaml', text)
      assert.equal(await said('reader'), 'killed', String(text))
      assert.equal(await said('other', 'rest', TOOLS[2]), 'killed', String(text))
    }
    await service.put('kill.yaml', 'version: 1\nkill: []\n')
    assert.equal(await said('reader'), 'ok')
    assert.equal(await said('other', 'rest', TOOLS[2]), 'ok')
  })

  test('an end in it is kept to', async () => {
    for (const [until, code] of [
      [Date.now() - HOUR, 'ok'],
      [Date.now() + HOUR, 'killed'],
    ] as const) {
      await service.put('kill.yaml', { kill: [{ ...entry, until: new Date(until).toISOString() }] })
      assert.equal(await said('reader'), code)
    }
  })
})

describe(`POST ${PATH}`, () => {
  test('who has no scope for it is refused, whatever else it may do, and recorded', async () => {
    for (const caller of ['reader', 'chief']) {
      for (const [body, action] of [
        [{ action: 'off', kind: 'everything', reason: 'r' }, 'kill'],
        [{ action: 'on', kind: 'everything', reason: 'r' }, 'restore'],
        ['{}', 'kill'],
      ] as const) {
        const answer = await kill(body, caller)
        assert.deepEqual([answer.status, codeOf(answer)], [403, 'scope_insufficient'])
        const record = last('decision')
        assert.deepEqual(record?.decision, { allowed: false, code: 'scope_insufficient', stage: 'policy' })
        assert.equal(record.what?.['action'], action)
        assert.equal(record.what?.['target'], undefined)
      }
    }
    assert.equal((await send(service, { path: PATH, body: '{}' })).status, 401)
    assert.equal(await said('reader'), 'ok')
  })

  test('what is no such request is 400, says what is wrong, and changes nothing', async () => {
    const good = { action: 'off', kind: 'tool', value: 'ductape_execute', reason: 'r' }
    for (const [body, wrong] of [
      ['', 'json_malformed'],
      ['{"action":"off","action":"on"}', 'json_not_exact'],
      ['[]', 'admin_invalid'],
      [{ ...good, value: 'ductape_exekute' }, 'admin_invalid'],
      [{ ...good, kind: 'module', value: 'databasez' }, 'admin_invalid'],
      [{ ...good, reason: '' }, 'admin_invalid'],
      [{ ...good, until: 'tomorrow' }, 'admin_invalid'],
      [{ ...good, surprise: 1 }, 'admin_invalid'],
    ] as const) {
      const answer = await kill(body)
      assert.deepEqual([answer.status, codeOf(answer)], [400, wrong], answer.text)
    }
    for (const method of ['GET', 'DELETE', 'PUT'])
      assert.equal((await send(service, { method, path: PATH, headers: bearer('warden') })).status, 405)
    assert.equal(await said('reader'), 'ok')
  })

  test('is recorded before it takes effect, with who and what, and goes on while everything is off', async () => {
    for (const [send, action] of [
      [off, 'kill'],
      [off, 'kill'],
      [on, 'restore'],
    ] as const) {
      const answer = await send('everything')
      assert.equal(answer.status, 200, answer.text)
      const { decision, what, who, callId } = last('decision') ?? {}
      assert.deepEqual(decision, { allowed: true })
      assert.deepEqual([what?.['action'], what?.['target'], who?.['keyId']], [action, 'everything', 'warden'])
      const outcome = last('outcome')
      assert.deepEqual([outcome?.callId, outcome?.outcome?.status], [callId, 'executed'])
    }
    assert.equal(await said('reader'), 'ok')
  })

  test('a call that is refused by it is recorded as such', async () => {
    await off('everything')
    service.nextWindow()
    assert.equal(await said('reader'), 'killed')
    const record = last('decision')
    assert.deepEqual(record?.decision, { allowed: false, code: 'killed', stage: 'policy' })
    assert.equal(record.who?.['keyId'], 'reader')
  })

  test('without the store it is refused and the last state holds; the file goes on', async () => {
    await off('tool', 'ductape_execute')
    storeLost = true
    for (const answer of [await on('tool', 'ductape_execute'), await off('everything')])
      assert.deepEqual([answer.status, codeOf(answer)], [503, 'store_unavailable'])
    assert.equal(last('outcome')?.outcome?.code, 'store_unavailable')
    assert.equal(await said('reader'), 'killed')
    assert.equal(await said('reader', 'rest', TOOLS[2]), 'ok')
    await service.put('kill.yaml', { kill: [{ kind: 'everything', reason: 'why' }] })
    assert.equal(await said('reader', 'rest', TOOLS[2]), 'killed')
    storeLost = false
    await on('tool', 'ductape_execute')
  })

  test('everything else that is no call goes on while everything is off', async () => {
    await off('everything')
    for (const path of ['/openapi.json', '/v1/tools', '/.well-known/ductape-mcp/receipt-keys.json'])
      assert.equal(
        (await send(service, { method: 'GET', path, headers: bearer('reader') })).status,
        200,
        path,
      )
    const until = new Date(Date.now() + HOUR).toISOString()
    const revoked = await send(service, {
      path: '/v1/admin/revocations',
      headers: bearer('warden'),
      body: JSON.stringify({ kind: 'jti', value: 'some', until }),
    })
    assert.equal(revoked.status, 200, revoked.text)
  })
})

describe('a call in flight', () => {
  /** Starts a call, waits until it has passed policy, does this, and lets it go on. */
  async function whileWaiting(what: () => Promise<unknown>): Promise<string> {
    const open = Promise.withResolvers<void>()
    const there = Promise.withResolvers<void>()
    gate = open.promise
    arrived = there.resolve
    const answer = said('reader')
    await there.promise
    await what()
    open.resolve()
    gate = undefined
    return answer
  }

  test('is looked at once more before its effect where it has been under way for more than a second', async () => {
    const late = async (): Promise<void> => service.nextWindow()
    assert.equal(await whileWaiting(late), 'ok')
    const code = await whileWaiting(async () => {
      await late()
      await off('everything')
    })
    assert.equal(code, 'killed')
    assert.deepEqual(last('decision')?.decision?.code, 'killed')
  })
})
