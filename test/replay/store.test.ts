// What holds when the store fails, lies or fills up, and while the fleet key is being rotated.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { createRoom } from '../../src/admission/replay/room.ts'
import type { Fleet } from '../../src/core/fleet.ts'
import { createFleet, type FleetKey } from '../../src/keys/fleet.ts'
import { FLEET } from '../credentials/lib/service.ts'
import { seeded } from '../store/lib/random.ts'
import { ALICE, type Bench, bench, type CallOptions, callOf, HOUR, resultOf, run } from './lib/stage.ts'

const codeOf = async ({ replay }: Bench, options?: CallOptions, fleet?: Fleet): Promise<string> => {
  const call = callOf(options, fleet)
  const verdict = await replay.stage(call)
  return verdict?.code ?? (call.result === undefined ? 'executed' : 'answered')
}

describe('a lost store', () => {
  for (const after of [false, true])
    test(`refuses a call that has a key${after ? ', and gives back what was done without an answer' : ''}`, async () => {
      const on = bench()
      on.store.fails = { name: 'setIfAbsent', after }
      assert.equal(await codeOf(on), 'store_unavailable')
      on.store.fails = undefined
      assert.equal(await codeOf(on), 'executed')
    })

  test('refuses a repetition that cannot be looked up', async () => {
    const on = bench()
    await run(on, callOf())
    on.store.fails = { name: 'get' }
    assert.equal(await codeOf(on), 'store_unavailable')
    on.store.fails = undefined
    assert.equal(await codeOf(on), 'answered')
  })

  test('does not hold up a call without a key', async () => {
    const on = bench()
    on.store.fails = { name: 'setIfAbsent' }
    assert.equal(await codeOf(on, { key: undefined }), 'executed')
  })

  test('keeps a key that was to be given back until it can be', async () => {
    const on = bench()
    const call = callOf()
    await on.replay.stage(call)
    Object.assign(call, { stage: 'limits', denial: { code: 'rate_limited' } })
    on.store.fails = { name: 'compareAndSwap' }
    await on.replay.settle(call)
    assert.equal(await codeOf(on), 'in_progress')
    await on.replay.maintain()
    assert.equal(await codeOf(on), 'in_progress')
    on.store.fails = undefined
    await on.replay.maintain()
    assert.equal(await codeOf(on), 'executed')
    // What is owed is given back once: the entry is somebody else's now.
    await on.replay.maintain()
    assert.equal(await codeOf(on), 'in_progress')
  })

  test('after the effect leaves the marker: nothing is executed again', async () => {
    const on = bench()
    const call = callOf()
    await on.replay.stage(call)
    Object.assign(call, { stage: 'shape', result: resultOf('done') })
    on.store.fails = { name: 'compareAndSwap' }
    await on.replay.settle(call)
    on.store.fails = undefined
    await on.replay.maintain()
    assert.deepEqual(on.events, [`replay_unsettled ${call.id} the store cannot be reached`])
    assert.equal(on.replay.stats().unsettled, 1)
    assert.equal(await codeOf(on), 'in_progress')
    on.clock.time += 90_000
    assert.equal(await codeOf(on), 'already_executed')
    on.clock.time += HOUR - 90_001
    assert.equal(await codeOf(on), 'already_executed')
  })

  test('a fault while the end is written down leaves the marker too, and the answer goes out', async () => {
    const on = bench()
    const call = callOf()
    await on.replay.stage(call)
    const value = (): string => {
      throw new Error('a fault')
    }
    Object.assign(call, { stage: 'shape', result: { written: { content: '[]', value }, content: [] } })
    await on.replay.settle(call)
    assert.deepEqual(on.events, [`replay_unsettled ${call.id} a fault`])
    assert.equal(await codeOf(on), 'in_progress')
  })
})

describe('an entry that this fleet has not written', () => {
  const SPOILED: Readonly<Record<string, (value: string, name: string) => string>> = {
    empty: () => '',
    text: () => 'x',
    'another key id': (value) => value.replace('k1.', 'k9.'),
    'one character changed': (value) =>
      `${value.slice(0, 40)}${value[40] === 'A' ? 'B' : 'A'}${value.slice(41)}`,
    'cut off': (value) => value.slice(0, -4),
    longer: (value) => `${value}AAAA`,
    'sealed for another entry': () =>
      FLEET.seal('{"v":1,"request":"x","callId":"y","end":"unkept"}', 'replay:other'),
    'sealed, but no JSON': (_, name) => FLEET.seal('{', name),
    'of a later version': (_, name) => FLEET.seal('{"v":2,"request":"x","callId":"y","until":1}', name),
    'without its request': (_, name) => FLEET.seal('{"v":1,"callId":"y","until":1}', name),
    'without its call': (_, name) => FLEET.seal('{"v":1,"request":"x","until":1}', name),
    'without an end': (_, name) => FLEET.seal('{"v":1,"request":"x","callId":"y"}', name),
    'answered without an answer': (_, name) =>
      FLEET.seal('{"v":1,"request":"x","callId":"y","end":"answered"}\n[]', name),
    'refused without a refusal': (_, name) =>
      FLEET.seal('{"v":1,"request":"x","callId":"y","end":"refused"}', name),
    'refused without a code': (_, name) =>
      FLEET.seal('{"v":1,"request":"x","callId":"y","end":"refused","denial":{}}', name),
    'refused with an unknown code': (_, name) =>
      FLEET.seal('{"v":1,"request":"x","callId":"y","end":"refused","denial":{"code":"toString"}}', name),
  }
  for (const [what, spoil] of Object.entries(SPOILED))
    test(`is no leave to execute: ${what}`, async () => {
      const on = bench()
      await run(on, callOf())
      const name = on.store.operations[0]?.key ?? ''
      const value = (await on.store.get(name)) ?? ''
      assert.ok(await on.store.compareAndSwap(name, value, spoil(value, name), HOUR))
      const call = callOf()
      assert.equal((await on.replay.stage(call))?.code, 'already_executed')
      assert.deepEqual([call.result, call.replayOf, call.replay], [undefined, undefined, undefined])
      assert.deepEqual(on.events, ['replay_unreadable'])
      assert.equal(on.replay.stats().unreadable, 1)
    })

  test('one of another caller, put in its place, opens for nobody else', async () => {
    const on = bench()
    await run(on, callOf({ key: 'a' }), { result: resultOf('of a') })
    const from = on.store.operations[0]?.key ?? ''
    await run(on, callOf({ key: 'b' }), { result: resultOf('of b') })
    const to = on.store.operations.at(-1)?.key ?? ''
    assert.notEqual(from, to)
    const stolen = await on.store.get(from)
    assert.ok(await on.store.compareAndSwap(to, await on.store.get(to), stolen, HOUR))
    assert.equal(await codeOf(on, { key: 'b' }), 'already_executed')
    assert.equal(await codeOf(on, { key: 'a' }), 'answered')
  })
})

describe('several at once', () => {
  test('of 50 equal calls on two replicas one is executed, the others wait and then get its answer', async () => {
    const one = bench()
    const two = bench({ shared: one.store, clock: one.clock })
    const calls = Array.from({ length: 50 }, () => callOf())
    const verdicts = await Promise.all(calls.map((call, i) => (i % 2 ? one : two).replay.stage(call)))
    const winners = calls.filter((_, i) => verdicts[i] === undefined)
    assert.equal(winners.length, 1)
    assert.equal(verdicts.filter((verdict) => verdict?.code === 'in_progress').length, 49)
    const [winner] = winners
    assert.ok(winner)
    Object.assign(winner, { stage: 'shape', result: resultOf('done') })
    await (calls.indexOf(winner) % 2 ? one : two).replay.settle(winner)
    assert.deepEqual(await Promise.all([codeOf(one), codeOf(two)]), ['answered', 'answered'])
  })
})

describe('rotation of the fleet key', () => {
  const keyOf = (id: string): FleetKey => ({
    id,
    secret: createHash('sha256').update(`fleet ${id}`).digest(),
  })
  const fleetOf = (first: string, ...rest: readonly string[]): Fleet =>
    createFleet([keyOf(first), ...rest.map(keyOf)], true)
  const LISTS: readonly (readonly [string, ...string[]])[] = [['k1'], ['k1', 'k2'], ['k2', 'k1'], ['k2']]

  test('a repetition finds the first call over each step of it, answered or under way', async () => {
    for (const [at, before] of LISTS.entries())
      for (const after of [LISTS[at - 1], LISTS[at], LISTS[at + 1]]) {
        if (after === undefined) continue
        const [old, now] = [fleetOf(...before), fleetOf(...after)]
        const one = bench({ fleet: old })
        const two = bench({ fleet: now, shared: one.store, clock: one.clock })
        const where = `${before} then ${after}`
        await one.replay.stage(callOf({ key: 'running' }, old))
        // Where the new key sealed it, a replica that does not have it yet only knows that there was a call.
        const readable = now.ids.includes(old.ids[0] ?? '')
        assert.equal(
          await codeOf(two, { key: 'running' }, now),
          readable ? 'in_progress' : 'already_executed',
          where,
        )
        await run(one, callOf({}, old))
        assert.equal(await codeOf(two, {}, now), readable ? 'answered' : 'already_executed', where)
        assert.equal(
          await codeOf(two, { args: { row: 2 } }, now),
          readable ? 'idempotency_key_reused' : 'already_executed',
          where,
        )
      }
  })

  test('two lists without a common key know nothing of each other: a key has to stay for an hour', async () => {
    const one = bench({ fleet: fleetOf('k1') })
    const two = bench({ fleet: fleetOf('k2'), shared: one.store, clock: one.clock })
    await run(one, callOf({}, fleetOf('k1')))
    assert.equal(await codeOf(two, {}, fleetOf('k2')), 'executed')
  })

  test('of calls on replicas with different lists one is executed, whatever the order of their operations', async () => {
    const random = seeded(20_261_122)
    for (let round = 0; round < 200; round++) {
      const first = bench()
      const lists = LISTS.slice(1, 3)
      const replicas = lists.map((ids) => ({ fleet: fleetOf(...ids) }))
      const benches = replicas.map(({ fleet }) =>
        bench({ fleet, shared: slow(first, random), clock: first.clock }),
      )
      const codes = await Promise.all(
        Array.from({ length: 4 }, (_, i) => codeOf(benches[i % 2] as Bench, {}, replicas[i % 2]?.fleet)),
      )
      assert.equal(codes.filter((code) => code === 'executed').length, 1, `${round} ${codes}`)
    }
  })

  test('a key is given back under every name', async () => {
    const fleet = fleetOf('k2', 'k1')
    const on = bench({ fleet })
    await run(on, callOf({}, fleet), { stage: 'limits', denial: { code: 'rate_limited' } })
    const names = new Set(on.store.operations.map(({ key }) => key))
    assert.equal(names.size, 2)
    for (const name of names) assert.equal(await on.store.get(name), undefined)
  })
})

/** A store that lets other calls go first as chance has it. */
const slow = ({ store }: Bench, random: (below: number) => number): Bench['store'] => {
  const later = async (): Promise<void> => {
    for (let turns = random(4); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve))
  }
  return {
    ...store,
    setIfAbsent: async (...given) => {
      await later()
      return store.setIfAbsent(...given)
    },
    compareAndSwap: async (...given) => {
      await later()
      return store.compareAndSwap(...given)
    },
  }
}

describe('room', () => {
  test('a tenant has so many bytes in a window, each its own', () => {
    let time = 0
    const room = createRoom(() => time, 1000, 100)
    assert.ok(room('a', 60))
    assert.ok(!room('a', 41))
    assert.ok(room('a', 40))
    assert.ok(!room('a', 1))
    assert.ok(room('b', 100))
    assert.ok(room(undefined, 100))
    time = 1000
    assert.ok(room('a', 100))
  })

  test('beyond it, what is known of a call is that it was executed', async () => {
    const on = bench()
    const result = resultOf('x'.repeat(60_000))
    const codes: string[] = []
    for (let i = 0; i < 300; i++) {
      await run(on, callOf({ key: `k${i}` }), { result })
      codes.push(await codeOf(on, { key: `k${i}` }))
    }
    const answered = codes.filter((code) => code === 'answered').length
    assert.equal(answered, codes.lastIndexOf('answered') + 1)
    assert.ok(answered * 120_000 <= 16 * 1024 * 1024 && answered > 100, `${answered}`)
    assert.deepEqual(new Set(codes), new Set(['answered', 'already_executed']))
    assert.equal(await codeOf(on, { key: 'x', principal: { ...ALICE, tenant: 'umbrella' } }), 'executed')
  })
})
