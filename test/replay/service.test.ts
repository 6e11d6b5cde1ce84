// The whole service: both surfaces give each other's answers, records and receipts say so, and nobody learns what others have asked.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { credentialsSection } from '../../src/credentials/config.ts'
import { DEMO } from '../../src/emulator/index.ts'
import { bootKeys } from '../../src/keys/index.ts'
import { createMemoryStore } from '../../src/store/index.ts'
import { memoryFiles } from '../credentials/lib/service.ts'
import { EXECUTE, GENERATE } from '../lib/calls.ts'
import { type HeldBackend, startHeldBackend } from '../lib/held-backend.ts'
import {
  ALLOW_ALL,
  type Answer,
  codeOf,
  type Secured,
  startSecured,
  WAYS,
  type Way,
} from '../live/lib/secured.ts'
import { ask, claimsOf, contentsOf, setArgs } from './lib/ask.ts'
import { watched } from './lib/stage.ts'

const FULL = { scopes: ['ductape:configure'] }
const CALLERS = { agent: FULL, other: FULL }

let service: Secured
let keys = 0
const newKey = (): string => `key-${++keys}`
const effects = (of = service): number => of.emulator?.stats.effects.write ?? Number.NaN

describe('a repetition', () => {
  before(async () => {
    service = await startSecured({ callers: CALLERS })
  })
  after(() => service.close())

  for (const tool of ['ductape_execute', 'ductape_generate_payload', 'ductape_generate_snippet'])
    for (const first of WAYS)
      for (const second of WAYS)
        test(`of ${tool} over ${second} gets what ${first} was given, in its own form`, async () => {
          const args =
            tool === 'ductape_execute'
              ? setArgs(first + second)
              : { ...GENERATE, ...(tool === 'ductape_generate_snippet' && { language: 'python' }) }
          const key = newKey()
          const plain = await ask(service, undefined, { way: second, tool, args })
          assert.equal(codeOf(plain), 'ok', plain.text)
          const original = await ask(service, key, { way: first, tool, args })
          const before = service.emulator?.stats.requests
          const sent = { ...before }
          const again = await ask(service, key, { way: second, tool, args })
          assert.deepEqual(service.emulator?.stats.requests, sent, 'nothing was sent')
          assert.deepEqual(givenBy(again), givenBy(original))
          if (second === first) assert.deepEqual(contentsOf(again), contentsOf(original))
          assert.deepEqual(shapeOf(contentsOf(again)), shapeOf(contentsOf(plain)))
        })

  test('takes the key of the header and of _meta for the same', async () => {
    const key = newKey()
    await ask(service, key, { way: 'rest' })
    const count = effects()
    for (const way of ['legacy', 'modern'] as const)
      for (const at of ['header', 'meta'] as const)
        assert.equal(codeOf(await ask(service, key, { way, at })), 'ok')
    assert.equal(effects(), count)
    assert.equal(codeOf(await ask(service, newKey())), 'ok')
    assert.equal(effects(), count + 1)
  })

  test('has a record and a receipt of its own, which name the first call', async () => {
    for (const way of WAYS) {
      const key = newKey()
      const first = await ask(service, key, { way })
      const from = service.records().length
      const again = await ask(service, key, { way })
      const [decision, outcome, ...rest] = service.records().slice(from)
      assert.deepEqual(rest, [])
      const { jti, record } = claimsOf(first)
      const claims = claimsOf(again)
      assert.deepEqual([claims['status'], claims['replay_of']], ['replayed', jti])
      assert.notEqual(claims['jti'], jti)
      assert.notEqual(claims['record'], record)
      assert.equal(claims['jti'], decision?.callId)
      assert.deepEqual(decision?.decision, { ...decision?.decision, allowed: true, replayOf: jti })
      assert.deepEqual([outcome?.callId, outcome?.outcome?.status], [decision?.callId, 'replayed'])
      // What the caller was given is the same, and each receipt proves it with a salt of its own.
      assert.ok(claims['result_digest'])
    }
  })

  test('of a refusal is recorded with its code and the first call', async () => {
    const place = { product: DEMO.main.product, env: 'prd', cache: 'no-such-cache', key: 'k', value: 'v' }
    const args = { ...setArgs('x'), params: [place] }
    for (const way of WAYS) {
      const key = newKey()
      const first = await ask(service, key, { way, args })
      assert.equal(codeOf(first), 'backend_failed')
      const from = service.records().length
      service.nextWindow()
      const again = await ask(service, key, { way, args })
      assert.deepEqual(contentsOf(again), contentsOf(first))
      const [decision, ...rest] = service.records().slice(from)
      assert.deepEqual(rest, [])
      const expected = { allowed: false, code: 'backend_failed', replayOf: claimsOf(first)['jti'] }
      assert.deepEqual(decision?.decision, { ...decision?.decision, ...expected })
      assert.equal(claimsOf(again)['replay_of'], claimsOf(first)['jti'])
    }
  })

  test('is allowed anew: whoever may not any more gets nothing', async () => {
    const key = newKey()
    await ask(service, key)
    const allow = [{ tool: 'ductape_generate_payload', approval: 'none' }]
    await service.put('policy.yaml', { roles: { all: { allow } } })
    assert.equal(codeOf(await ask(service, key)), 'policy_denied')
    await service.put('policy.yaml', ALLOW_ALL)
    assert.equal(codeOf(await ask(service, key)), 'ok')
  })

  test('the backend gets a key that is the same again and not the caller’s', async () => {
    const seen: (string | undefined)[] = []
    const own = await startSecured({
      callers: CALLERS,
      app: { emulator: { observe: ({ headers }) => seen.push(headers['idempotency-key'] as string) } },
    })
    try {
      own.emulator?.faults.next({ kind: 'status', status: 429 })
      await ask(own, 'same')
      await ask(own, 'same')
      await ask(own, 'same', { caller: 'other' })
      await ask(own, undefined)
    } finally {
      await own.close()
    }
    const [first, second, other, none, ...rest] = seen
    assert.deepEqual(rest, [])
    assert.match(first ?? '', /^k1\.[\w-]{43}$/)
    assert.equal(second, first)
    assert.match(other ?? '', /^k1\.[\w-]{43}$/)
    assert.notEqual(other, first)
    assert.equal(none, undefined)
    assert.deepEqual(
      [...(own.emulator?.stats.keys ?? [])],
      [
        [first, 1],
        [other, 1],
      ],
    )
  })
})

/** What the tool gave, by the text of the answer and by its structured form. */
const givenBy = ({ text, body }: Answer): unknown => {
  const { result } = body as { result?: { content: { text: string }[]; structuredContent?: unknown } }
  const value: unknown = JSON.parse(result === undefined ? text : (result.content[0]?.text ?? ''))
  if (result?.structuredContent !== undefined) assert.deepEqual(result.structuredContent, value)
  return value
}

/** The structure of an answer, without its values. */
const shapeOf = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(shapeOf)
    : typeof value === 'object' && value !== null
      ? Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shapeOf(inner)]))
      : typeof value

describe('while the first one runs', () => {
  let backend: HeldBackend
  before(async () => {
    backend = await startHeldBackend()
    service = await startSecured({ callers: CALLERS, app: { backend: backend.url } })
  })
  after(async () => {
    await service.close()
    await backend.close()
  })

  test('others wait, and one request reaches the backend', async () => {
    for (const way of WAYS) {
      const key = newKey()
      const first = ask(service, key, { way })
      const held = await backend.next()
      const from = backend.count()
      const others = await Promise.all(WAYS.map((other) => ask(service, key, { way: other })))
      assert.deepEqual(
        others.map(codeOf),
        WAYS.map(() => 'in_progress'),
      )
      held.release({ data: [1], execution_time_ms: 1, request_id: 'r' })
      assert.equal(codeOf(await first), 'ok')
      assert.equal(codeOf(await ask(service, key, { way })), 'ok')
      assert.equal(backend.count(), from)
    }
  })
})

describe('without a fleet key of the operator', () => {
  test('nothing is kept but that it was executed', async () => {
    const own = await startSecured({
      callers: CALLERS,
      app: { ports: { fleet: [bootKeys((size) => Buffer.alloc(size, 7)), false] } },
    })
    try {
      assert.equal(codeOf(await ask(own, 'k')), 'ok')
      assert.equal(codeOf(await ask(own, 'k')), 'already_executed')
      assert.equal(codeOf(await ask(own, 'k', { args: setArgs('2') })), 'idempotency_key_reused')
      assert.equal(effects(own), 1)
    } finally {
      await own.close()
    }
  })
})

describe('without the store', () => {
  test('a call with a key is refused in the form of its surface, one without goes on', async () => {
    const store = watched(createMemoryStore({ now: Date.now }))
    const own = await startSecured({ callers: CALLERS, app: { ports: { store } } })
    try {
      store.fails = { name: 'setIfAbsent' }
      for (const way of WAYS) {
        const refused = await ask(own, newKey(), { way })
        assert.deepEqual([codeOf(refused), refused.status], ['store_unavailable', way === 'rest' ? 503 : 200])
        assert.equal((refused.body as { error?: unknown }).error, undefined)
        assert.equal(codeOf(await ask(own, undefined, { way })), 'ok')
      }
      assert.equal(effects(own), WAYS.length)
    } finally {
      await own.close()
    }
  })
})

describe('with replay.require', () => {
  test('a call that changes something has to have a key, whatever way it comes', async () => {
    const config = { replay: { require: 'write' as const } }
    const own = await startSecured({ callers: CALLERS, app: { config } })
    try {
      for (const way of WAYS) {
        assert.equal(codeOf(await ask(own, undefined, { way })), 'idempotency_key_required')
        assert.equal(codeOf(await ask(own, undefined, { way, args: EXECUTE })), 'ok')
        assert.equal(codeOf(await ask(own, newKey(), { way })), 'ok')
      }
      assert.equal(effects(own), WAYS.length)
    } finally {
      await own.close()
    }
  })
})

describe('a replica that starts anew, and a second one', () => {
  test('find what the first one did in the store that they share', async () => {
    const store = createMemoryStore({ now: Date.now })
    const shared = { ...store, close: async () => undefined }
    const start = () => startSecured({ callers: CALLERS, app: { ports: { store: shared } } })
    const one = await start()
    assert.equal(codeOf(await ask(one, 'k')), 'ok')
    const two = await start()
    try {
      assert.equal(codeOf(await ask(two, 'k')), 'ok')
      await one.close()
      const three = await start()
      assert.equal(codeOf(await ask(three, 'k', { way: 'modern' })), 'ok')
      assert.equal(codeOf(await ask(three, 'k', { args: setArgs('2') })), 'idempotency_key_reused')
      await three.close()
      assert.equal(effects(two) + effects(three), 0)
    } finally {
      await two.close()
      await store.close()
    }
  })
})

describe("one caller's key sent by another reveals nothing", () => {
  const held = { publishableKey: { file: '/keys/main' } }
  const MODES: Readonly<
    Record<string, { callers: object; credentials?: unknown; keys: readonly [string, string] }>
  > = {
    'passthrough, the same Ductape key': {
      callers: CALLERS,
      keys: [DEMO.main.publishableKey, DEMO.main.publishableKey],
    },
    'passthrough, a key of their own': {
      callers: CALLERS,
      keys: [DEMO.main.publishableKey, DEMO.other.publishableKey],
    },
    'passthrough, two tenants': {
      callers: { agent: { ...FULL, tenant: 'one' }, other: { ...FULL, tenant: 'two' } },
      keys: [DEMO.main.publishableKey, DEMO.main.publishableKey],
    },
    'injected, one tenant': {
      callers: { agent: { ...FULL, tenant: 'one' }, other: { ...FULL, tenant: 'one' } },
      credentials: { mode: 'injected', tenants: { one: held } },
      keys: ['', ''],
    },
    'injected, two tenants with the same key': {
      callers: { agent: { ...FULL, tenant: 'one' }, other: { ...FULL, tenant: 'two' } },
      credentials: { mode: 'injected', tenants: { one: held, two: held } },
      keys: ['', ''],
    },
    'injected and passthrough': {
      callers: { agent: { ...FULL, tenant: 'one' }, other: { ...FULL, tenant: 'two' } },
      credentials: { tenants: { one: { mode: 'injected', ...held } } },
      keys: ['', DEMO.main.publishableKey],
    },
  }
  for (const [
    mode,
    {
      callers,
      credentials,
      keys: [mine, theirs],
    },
  ] of Object.entries(MODES))
    test(mode, async () => {
      const store = watched(createMemoryStore({ now: Date.now }))
      const files = memoryFiles()
      files.write('/keys/main', DEMO.main.publishableKey)
      const own = await startSecured({
        callers: callers as Record<string, object>,
        files,
        app: {
          ports: { store },
          ...(credentials !== undefined && {
            config: { credentials: credentialsSection.parse(credentials) },
          }),
        },
      })
      try {
        const operations = async (key: string, way: Way, caller: string, ductapeKey: string) => {
          store.operations.length = 0
          const answer = await ask(own, key, { way, caller, args: setArgs('1', ductapeKey) })
          const names = store.operations
            .filter((one) => one.key.startsWith('replay:'))
            .map(({ name }) => name)
          return { names, contents: contentsOf(answer), code: codeOf(answer), claims: claimsOf(answer) }
        }
        for (const way of WAYS) {
          const key = newKey()
          const first = await operations(key, way, 'agent', mine)
          assert.equal(first.code, 'ok')
          const count = effects(own)
          const foreign = await operations(key, way, 'other', theirs)
          const unknown = await operations(newKey(), way, 'other', theirs)
          assert.deepEqual(foreign.names, unknown.names)
          assert.deepEqual(foreign.contents, unknown.contents)
          assert.deepEqual([foreign.claims['replay_of'], foreign.claims['status']], [undefined, 'executed'])
          assert.equal(effects(own), count + 2, 'both are calls of their own')
          // The positive control: the first caller's own repetition looks different at the port.
          const again = await operations(key, way, 'agent', mine)
          assert.deepEqual(again.names, ['setIfAbsent', 'get'])
          assert.equal(again.claims['replay_of'], first.claims['jti'])
          assert.notDeepEqual(again.names, foreign.names)
        }
      } finally {
        await own.close()
      }
    })
})
