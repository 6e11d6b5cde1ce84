// Limits that three replicas share through one store: never too much, nearly all of it usable, nothing lost.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Limiter } from '../../src/admission/limits/index.ts'
import { giveBackWindow, leaseWindow } from '../../src/admission/limits/shared-window.ts'
import type { Call } from '../../src/core/call.ts'
import { any, assertBounded, fleet, flood, HOUR, rate, SECOND } from './lib/fleet.ts'
import { caller, callOf, OFF, replicas, runtimeOf } from './lib/limits.ts'

describe('a shared rate', () => {
  test('a burst of 10 passes at one replica or spread over three, the 11th is refused', async () => {
    for (const spread of [(_: number) => 1, (i: number) => i % 3]) {
      const { call, limiters } = fleet()
      for (let i = 0; i < 10; i++) assert.equal(await call(spread(i), runtimeOf({})), undefined)
      const verdict = await limiters[0]?.reserve(callOf(runtimeOf({})))
      assert.equal(verdict?.code, 'rate_limited')
      assert.equal(verdict?.retryAfterMs, 1000)
    }
  })

  test('ten calls at once share their requests to the store', async () => {
    const { call, store } = fleet()
    const codes = await Promise.all(Array.from({ length: 11 }, () => call(0, rate(60, 10))))
    assert.deepEqual(
      codes.filter((code) => code !== undefined),
      ['rate_limited'],
    )
    assert.ok((store.asked.get('lease') ?? 0) <= 3, `${store.asked.get('lease')} requests`)
  })

  for (const [perMinute, burst] of [
    [60, 10],
    [600, 100],
    [6000, 1000],
  ] as const) {
    test(`${perMinute} a minute, burst ${burst}: at most a twentieth too much, at least nine tenths usable`, async () => {
      const all = fleet()
      const seconds = 60
      const passed = await flood(all, rate(perMinute, burst), seconds, Math.ceil(perMinute / 300), any)
      assertBounded(passed, perMinute, burst)
      const allowed = burst + (perMinute * seconds) / 60
      assert.ok(passed.length >= 0.9 * allowed, `${passed.length} of ${allowed}`)
    })
  }

  test('is usable at one replica although the others have held permits', async () => {
    const all = fleet()
    const runtime = rate(600, 100)
    for (let i = 0; i < 30; i++) assert.equal(await all.call(i % 3, runtime), undefined)
    await all.maintain()
    all.clock.pass(60 * SECOND)
    await all.maintain()
    let passed = 0
    while ((await all.call(2, runtime)) === undefined) passed++
    assert.ok(passed >= 95 && passed <= 100, `${passed} of 100`)
  })

  test('is asked for in blocks', async () => {
    const all = fleet(3)
    for (let i = 0; i < 3000; i++) assert.equal(await all.call(0, rate(100_000, 20_000)), undefined)
    assert.ok((all.store.asked.get('lease') ?? 0) <= 10, `${all.store.asked.get('lease')} for 3,000 calls`)
  })

  test('is not used up by calls that another limit refuses', async () => {
    const all = fleet()
    const both = runtimeOf({
      principal: { ...OFF, rate: { perMinute: 1, burst: 5 }, executions: { count: 1 } },
    })
    assert.equal(await all.call(0, both), undefined)
    // Refused by the store, when both had been asked for; the permit of the rate is kept for the next call.
    assert.equal(await all.call(0, both), 'executions_exhausted')
    assert.equal(await all.call(0, rate(1, 5)), undefined)
    // Refused at once, while the rate is still being asked for.
    assert.equal(await all.call(0, both), 'executions_exhausted')
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    const codes = []
    for (let i = 0; i < 4; i++) codes.push(await all.call(0, rate(1, 5)))
    assert.deepEqual(codes, [undefined, undefined, undefined, 'rate_limited'])
    all.clock.pass(25 * HOUR)
    await all.maintain()
    await all.maintain()
    assert.equal(all.limiters[0]?.stats().principals, 0, 'no call is thought to be under way')
  })

  test('that is used up is asked for again at most once a second', async () => {
    const all = fleet()
    const runtime = runtimeOf({ principal: { ...OFF, executions: { count: 3 } } })
    for (let i = 0; i < 500; i++) {
      await all.call(0, runtime)
      all.clock.pass(10)
    }
    assert.ok((all.store.asked.get('get') ?? 0) <= 12, `${all.store.asked.get('get')} in five seconds`)
  })
})

describe('a shared window', () => {
  test('holds its count over all replicas, opens with the first use and closes after its length', async () => {
    const all = fleet()
    const runtime = runtimeOf({ principal: { ...OFF, executions: { count: 100, window: '1h' } } })
    for (let round = 0; round < 2; round++) {
      const passed = await flood(all, runtime, 60, 1, any)
      assert.equal(passed.length, 100)
      const verdict = await all.limiters[1]?.reserve(callOf(runtime))
      assert.equal(verdict?.code, 'executions_exhausted')
      assert.equal(verdict?.retryAfterMs, HOUR - 60 * SECOND)
      all.clock.pass(HOUR - 60 * SECOND)
      await all.maintain()
    }
  })

  test('gets back what did not reach the backend', async () => {
    const all = fleet()
    const runtime = runtimeOf({ principal: { ...OFF, executions: { count: 5 } } })
    for (let i = 0; i < 60; i++) assert.equal(await all.call(i % 3, runtime, 0, false), undefined)
    all.clock.pass(61 * SECOND)
    await all.maintain()
    for (let i = 0; i < 5; i++) assert.equal(await all.call(i % 3, runtime), undefined)
    assert.equal(await all.call(0, runtime), 'executions_exhausted')
  })

  test('that is shorter after a reload closes earlier', async () => {
    const all = fleet()
    const window = (length: string) =>
      runtimeOf({ principal: { ...OFF, executions: { count: 1, window: length } } })
    assert.equal(await all.call(0, window('24h')), undefined)
    all.clock.pass(2 * HOUR)
    assert.equal(await all.call(0, window('24h')), 'executions_exhausted')
    all.clock.pass(2 * SECOND)
    assert.equal(await all.call(0, window('1h')), undefined)
  })

  test('takes nothing back that was taken from the one before', async () => {
    const { clock, store } = fleet()
    const budget = { count: 10, window: HOUR }
    const old = await leaseWindow(store, 'k', budget, 8, clock.now())
    clock.pass(HOUR)
    assert.equal((await leaseWindow(store, 'k', budget, 10, clock.now())).granted, 10)
    await giveBackWindow(store, 'k', budget, { start: old.start, permits: 8 }, clock.now())
    assert.equal((await leaseWindow(store, 'k', budget, 1, clock.now())).granted, 0)
  })

  test('an answer that comes after its end counts once in the next', async () => {
    const all = fleet()
    const runtime = runtimeOf({ principal: { ...OFF, outputTokens: { count: 1000 } } })
    assert.equal(await all.call(0, runtime), undefined)
    const long = callOf(runtime)
    assert.equal(await all.limiters[0]?.reserve(long), undefined)
    all.clock.pass(24 * HOUR)
    all.limiters[0]?.settle(long, 600, true)
    assert.equal(await all.call(0, runtime, 399), undefined)
    assert.equal(await all.call(0, runtime, 1), undefined)
    assert.equal(await all.call(0, runtime), 'tokens_exhausted')
  })

  test('answers that went beyond the budget are known to all replicas', async () => {
    const all = fleet()
    const runtime = runtimeOf({ principal: { ...OFF, outputTokens: { count: 1000 } } })
    assert.equal(await all.call(0, runtime, 5000), undefined)
    await all.maintain()
    for (const replica of [0, 1, 2]) assert.equal(await all.call(replica, runtime), 'tokens_exhausted')
    all.clock.pass(24 * HOUR)
    for (const replica of [0, 1, 2]) assert.equal(await all.call(replica, runtime, 1), undefined)
  })
})

describe('shared places', () => {
  const runtime = runtimeOf({ principal: { ...OFF, concurrency: 4 } })
  const enter = async (limiter: Limiter | undefined): Promise<{ call: Call; code: string | undefined }> => {
    const call = callOf(runtime)
    return { call, code: (await limiter?.reserve(call))?.code }
  }

  test('are as many as there are, over all replicas, and come back', async () => {
    const { limiters, clock } = fleet()
    for (let round = 0; round < 20; round++) {
      const entered = await Promise.all(Array.from({ length: 9 }, (_, i) => enter(limiters[i % 3])))
      assert.equal(entered.filter(({ code }) => code === undefined).length, 4)
      for (const [i, { call }] of entered.entries()) limiters[i % 3]?.settle(call, 0, true)
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
      clock.pass(10)
    }
  })

  test('of a long call are renewed, those of a dead replica end', async () => {
    const { limiters, clock } = fleet()
    const [alive, dead, other] = limiters
    for (let i = 0; i < 3; i++) assert.equal((await enter(dead)).code, undefined)
    assert.equal((await enter(alive)).code, undefined)
    for (let second = 0; second < 59; second += 5) {
      await alive?.maintain()
      assert.equal((await enter(other)).code, 'concurrency_limited')
      clock.pass(5 * SECOND)
    }
    for (let i = 0; i < 3; i++) assert.equal((await enter(other)).code, undefined)
    assert.equal((await enter(other)).code, 'concurrency_limited', 'the long call still has its place')
  })

  test('are all renewed, however many callers have one', async () => {
    const { limiters, clock, store } = fleet(1)
    const ids = Array.from({ length: 1100 }, (_, i) => `p${i}`)
    const one = runtimeOf({ principal: { ...OFF, concurrency: 1 } })
    const code = async (limiter: Limiter | undefined, id: string): Promise<string | undefined> =>
      (await limiter?.reserve(callOf(one, { principal: caller(id) })))?.code
    await Promise.all(ids.map((id) => code(limiters[0], id)))
    const [other] = replicas(1, store, clock, { instance: 'other' })
    for (let second = 0; second < 70; second++) {
      clock.pass(SECOND)
      await limiters[0]?.maintain()
    }
    const codes = await Promise.all(ids.map((id) => code(other, id)))
    assert.ok(codes.every((one) => one === 'concurrency_limited'))
  })

  test('are given back when a replica closes', async () => {
    const { limiters } = fleet()
    for (let i = 0; i < 4; i++) assert.equal((await enter(limiters[0])).code, undefined)
    await limiters[0]?.close()
    assert.equal((await enter(limiters[1])).code, undefined)
  })
})

test('a caller is a hash in the store, whatever its id', async () => {
  const { limiters, store } = fleet()
  const keys: string[] = []
  const lease = store.lease
  store.lease = (key, budget, want) => {
    keys.push(key)
    return lease(key, budget, want)
  }
  const principal = caller(`https://issuer.example.com|${'x'.repeat(1000)}`)
  await limiters[0]?.reserve(callOf(rate(60, 10), { principal }))
  assert.equal(keys.length, 1)
  assert.match(keys[0] as string, /^limits:p:[\w-]{22}:rate$/)
})
