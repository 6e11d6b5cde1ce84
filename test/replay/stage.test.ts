// What a repetition gets: the answer, the refusal, or that it has to wait; and what gives a key back.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Denial } from '../../src/core/denials.ts'
import { makePrincipal } from '../../src/core/principal.ts'
import type { ToolResult } from '../../src/core/tool.ts'
import { createFleet } from '../../src/keys/fleet.ts'
import { FLEET, FLEET_KEYS } from '../credentials/lib/service.ts'
import { ALICE, type Bench, bench, callOf, DEADLINE, type Ended, HOUR, resultOf, run } from './lib/stage.ts'

const entriesOf = async ({ store }: Bench): Promise<(string | undefined)[]> => {
  const names = new Set(store.operations.map(({ key }) => key))
  return Promise.all([...names].map((name) => store.get(name)))
}

/** A second call like the first; what it gets. */
async function again(on: Bench, options: Parameters<typeof callOf>[0] = {}) {
  const call = callOf(options)
  const verdict = await on.replay.stage(call)
  return { call, code: verdict?.code ?? (call.result === undefined ? 'executed' : 'answered'), verdict }
}

describe('a repetition', () => {
  test('gets the stored answer, and says whose it is', async () => {
    const on = bench()
    const first = callOf()
    await run(on, first, { result: { ...resultOf('42'), value: { a: 1 }, structuredContent: { a: 1 } } })
    const { call, code } = await again(on)
    assert.equal(code, 'answered')
    assert.equal(call.replayOf, first.id)
    assert.equal(call.result?.written?.content, '[{"type":"text","text":"42"}]')
    assert.equal(call.result.written.value(), '{"a":1}')
    assert.deepEqual(call.result.structuredContent, { a: 1 })
    assert.equal(call.replay, undefined, 'it has nothing to settle')
    assert.deepEqual([on.replay.stats().kept, on.replay.stats().repeated], [1, 1])
  })

  test('gets the digits of the backend', async () => {
    const on = bench()
    const written = { content: '[{"type":"text","text":"1.0"}]', value: () => '1.0' }
    await run(on, callOf(), { result: { written, content: [], value: undefined } })
    const { call } = await again(on)
    assert.equal(call.result?.written?.content, written.content)
    assert.equal(call.result.written.value(), '1.0')
  })

  const REFUSED: readonly Denial[] = [
    { code: 'backend_timeout', detail: '30 s' },
    { code: 'backend_interrupted' },
    { code: 'backend_malformed' },
    { code: 'backend_too_large', detail: '10 bytes' },
    { code: 'backend_failed', backendMessage: 'no such table' },
    { code: 'backend_refused', detail: '422', backendStatus: 422, backendMessage: 'bad row' },
    { code: 'backend_refused', detail: '500', backendStatus: 500 },
    { code: 'result_too_large', detail: '10 bytes' },
  ]
  for (const denial of REFUSED)
    test(`gets ${denial.code} ${denial.backendStatus ?? ''} again, as it was`, async () => {
      const on = bench()
      const first = callOf()
      await run(on, first, { stage: 'backend', denial })
      const { call, verdict } = await again(on)
      assert.deepEqual(verdict, denial)
      assert.equal(call.replayOf, first.id)
      assert.equal(on.replay.stats().repeated, 1)
    })

  const UNKEPT: readonly (readonly [string, Ended])[] = [
    ['an answer of more than 64 KiB', { result: resultOf('x'.repeat(65_536)) }],
    ['an answer in several parts', { result: { ...resultOf('a'), content: [{ type: 'a' }, { type: 'b' }] } }],
    ['an answer with an image', { result: { ...resultOf('a'), content: [{ type: 'image', data: 'a' }] } }],
    ['an answer that is an error', { result: { ...resultOf('a'), isError: true } }],
    ['a fault of ours after sending', { stage: 'shape', denial: { code: 'internal_error' } }],
    [
      'a 503, which may come from a proxy',
      { stage: 'backend', denial: { code: 'backend_busy', detail: '503', backendStatus: 503 } },
    ],
  ]
  for (const [what, ended] of UNKEPT)
    test(`is told that it has been executed: ${what}`, async () => {
      const on = bench()
      await run(on, callOf(), ended)
      assert.equal((await again(on)).code, 'already_executed')
      assert.deepEqual([on.replay.stats().unkept, on.replay.stats().executed], [1, 1])
    })

  test('gets an answer of just 64 KiB', async () => {
    const on = bench()
    const text = 'x'.repeat(65_536 - '[{"type":"text","text":""}]'.length)
    const result: ToolResult = { content: [{ type: 'text', text }], value: 1 }
    await run(on, callOf(), { result })
    assert.equal((await again(on)).code, 'answered')
  })

  test('is told that it has been executed where the key was made at the start', async () => {
    for (const ended of [{}, { stage: 'backend', denial: { code: 'backend_timeout' } }] as const) {
      const on = bench({ fleet: createFleet(FLEET_KEYS, false) })
      await run(on, callOf(), ended)
      assert.equal((await again(on)).code, 'already_executed')
    }
  })

  test('waits while the first one is under way, and is told so for as long as that can be', async () => {
    const on = bench()
    await on.replay.stage(callOf())
    const { verdict } = await again(on)
    assert.deepEqual(verdict, { code: 'in_progress', retryAfterMs: 1000 })
    on.clock.time += DEADLINE + 59_999
    assert.equal((await again(on)).code, 'in_progress')
    // Whoever ran it is gone, and may have sent it.
    on.clock.time += 1
    assert.equal((await again(on)).code, 'already_executed')
    on.clock.time += HOUR - DEADLINE - 60_000
    assert.equal((await again(on)).code, 'executed')
  })

  test('finds the marker of a call whose deadline is longer than the retention', async () => {
    const on = bench({ settings: { retention: 60_000, require: 'none' }, deadline: () => 30 * 60_000 })
    await on.replay.stage(callOf())
    on.clock.time += 30 * 60_000
    assert.equal((await again(on)).code, 'in_progress')
  })

  test('is executed again when the retention is over, and not before', async () => {
    const on = bench()
    await run(on, callOf())
    on.clock.time += HOUR - 1
    assert.equal((await again(on)).code, 'answered')
    on.clock.time += 1
    assert.equal((await again(on)).code, 'executed')
  })

  test('with other arguments is refused, while the first one runs and after it', async () => {
    const on = bench()
    const first = callOf()
    await on.replay.stage(first)
    assert.equal((await again(on, { args: { row: 2 } })).code, 'idempotency_key_reused')
    Object.assign(first, { stage: 'shape', result: resultOf('done') })
    await on.replay.settle(first)
    const { call, code } = await again(on, { args: { row: 2 } })
    assert.equal(code, 'idempotency_key_reused')
    assert.equal(call.replayOf, undefined)
    assert.equal((await again(on, { args: { row: 1 } })).code, 'answered')
    assert.equal(on.replay.stats().reused, 2)
  })

  test('is the same whatever the order of its members', async () => {
    const on = bench()
    await run(on, callOf({ args: { a: 1, b: { c: 2, d: 3 } } }))
    assert.equal((await again(on, { args: { b: { d: 3, c: 2 }, a: 1 } })).code, 'answered')
  })

  const OTHERS: readonly (readonly [string, Parameters<typeof callOf>[0]])[] = [
    ['another caller', { principal: makePrincipal({ ...ALICE, id: 'oauth:i|bob' }) }],
    ['another tenant', { principal: makePrincipal({ ...ALICE, tenant: 'umbrella' }) }],
    ['no tenant', { principal: makePrincipal({ ...ALICE, tenant: undefined }) }],
    ['another Ductape key', { ductapeKey: 'pk_other_0123456789ab' }],
    ['another tool', { tool: 'ductape_generate_payload' }],
    ['another key', { key: 'order-2' }],
    ['a key in other letters', { key: 'ORDER-1' }],
  ]
  for (const [what, options] of OTHERS)
    test(`by ${what} is none: the same operations on other entries as for a key that nobody has used`, async () => {
      const on = bench()
      await run(on, callOf())
      const operations = async (key: string) => {
        on.store.operations.length = 0
        await run(on, callOf({ ...options, ...(options?.key === undefined && { key }) }))
        return on.store.operations.map(({ name }) => name)
      }
      const known = await operations('order-1')
      assert.deepEqual(known, ['setIfAbsent', 'compareAndSwap'])
      if (options?.key === undefined) assert.deepEqual(await operations('never-used'), known)
      assert.equal(on.replay.stats().repeated, 0)
    })
})

describe('a key is given back', () => {
  const RELEASED: readonly (readonly [string, Ended])[] = [
    ['limits', { stage: 'limits', denial: { code: 'rate_limited' } }],
    ['an approval that is asked for', { stage: 'approval', denial: { code: 'approval_required' } }],
    [
      'an approval that is asked for in the protocol',
      { stage: 'approval', result: { ...resultOf(''), inputRequired: {} } },
    ],
    ['a call that could not be recorded', { stage: 'approval', denial: { code: 'audit_unavailable' } }],
    ['a caller who was revoked meanwhile', { stage: 'approval', denial: { code: 'token_revoked' } }],
    ['a fault before sending', { stage: 'approval', denial: { code: 'internal_error' } }],
    ['a key that is not there', { stage: 'credentials', denial: { code: 'credential_unavailable' } }],
    ['a backend that cannot be reached', { stage: 'backend', denial: { code: 'backend_unreachable' } }],
    ['a caller who went away before', { stage: 'backend', denial: { code: 'cancelled' } }],
    [
      'a backend that took nothing',
      { stage: 'shape', denial: { code: 'backend_busy', detail: '429', backendStatus: 429 } },
    ],
  ]
  for (const [what, ended] of RELEASED)
    test(`after ${what}`, async () => {
      const on = bench()
      await run(on, callOf(), ended)
      assert.deepEqual(await entriesOf(on), [undefined])
      assert.equal(on.replay.stats().released, 1)
      assert.equal((await again(on)).code, 'executed')
    })

  test('and nobody else is touched by it', async () => {
    const on = bench()
    const late = callOf()
    await on.replay.stage(late)
    on.clock.time += HOUR
    const next = callOf()
    await on.replay.stage(next)
    Object.assign(late, { stage: 'limits', denial: { code: 'rate_limited' } })
    await on.replay.settle(late)
    assert.equal((await again(on)).code, 'in_progress')
    // Nor by an answer that comes too late.
    const slow = callOf({ key: 'slow' })
    await on.replay.stage(slow)
    on.clock.time += HOUR
    await on.replay.stage(callOf({ key: 'slow' }))
    Object.assign(slow, { stage: 'shape', result: resultOf('late') })
    await on.replay.settle(slow)
    assert.equal((await again(on, { key: 'slow' })).code, 'in_progress')
    assert.deepEqual(on.events, [`replay_unsettled ${slow.id} the entry is gone`])
  })
})

describe('a key', () => {
  test('that is not 1 to 128 visible ASCII characters is refused, without a look at the store', async () => {
    const on = bench()
    for (const key of ['', ' ', 'a b', 'a\n', 'ä', 'a\u0000', 'x'.repeat(129)])
      assert.equal((await again(on, { key })).code, 'idempotency_key_invalid', JSON.stringify(key))
    assert.deepEqual(on.store.operations, [])
    for (const key of ['!', '"8e03978e-40d5-43dd-bc93-6894a57f9324"', '~'.repeat(128)])
      assert.equal((await again(on, { key })).code, 'executed', key)
  })

  test('that is not there costs nothing, where none is demanded', async () => {
    const on = bench()
    for (const effect of ['read', 'write', 'destructive', 'admin'] as const) {
      const call = callOf({ key: undefined, effect })
      assert.equal(on.replay.stage(call), undefined)
      assert.equal(on.replay.settle(call), undefined)
    }
    assert.deepEqual(on.store.operations, [])
  })

  const DEMANDED: Readonly<Record<string, readonly string[]>> = {
    none: [],
    destructive: ['destructive', 'admin'],
    write: ['write', 'destructive', 'admin'],
  }
  for (const [require, effects] of Object.entries(DEMANDED))
    test(`is demanded with require: ${require}`, async () => {
      const on = bench({ settings: { retention: HOUR, require: require as 'none' } })
      for (const effect of ['read', 'write', 'destructive', 'admin'] as const) {
        const { code } = await again(on, { key: undefined, effect })
        assert.equal(code, effects.includes(effect) ? 'idempotency_key_required' : 'executed', effect)
        assert.equal((await again(on, { key: effect, effect })).code, 'executed')
      }
    })

  test('goes to the backend under another name: the same for a repetition, never the same for two callers', async () => {
    const on = bench()
    const names = new Set<string | undefined>()
    for (const options of [{}, { key: 'order-2' }, { principal: makePrincipal({ ...ALICE, id: 'x' }) }]) {
      const call = callOf(options)
      await run(on, call, { stage: 'limits', denial: { code: 'rate_limited' } })
      assert.match(call.backendKey ?? '', /^k1\.[\w-]{43}$/)
      names.add(call.backendKey)
      const repeated = callOf(options)
      await on.replay.stage(repeated)
      assert.equal(repeated.backendKey, call.backendKey)
    }
    assert.equal(names.size, 3)
  })

  test('leaves nothing in the store that could be read', async () => {
    const on = bench()
    await run(on, callOf({ args: { secret: 'needle-args' } }), { result: resultOf('needle-answer') })
    const [entry] = await entriesOf(on)
    assert.match(entry ?? '', /^k1\.[\w-]+$/)
    assert.ok(!(entry ?? '').includes('needle'))
    const name = on.store.operations[0]?.key ?? ''
    assert.match(name, /^replay:k1\.[\w-]{43}$/)
    // The positive control: with the fleet key, and only under its own name, it is all there.
    assert.match(FLEET.open(entry ?? '', name) ?? '', /needle-answer/)
    assert.equal(FLEET.open(entry ?? '', `${name}x`), undefined)
  })
})
