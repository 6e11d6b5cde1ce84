// What limits do without the store: bounded by each replica's share, healing by themselves.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { any, assertBounded, fleet, flood, HOUR, rate, SECOND } from './lib/fleet.ts'
import { callOf, OFF, runtimeOf } from './lib/limits.ts'

describe('without the store', () => {
  for (const quietly of [false, true]) {
    test(`each replica has its share, never more, and it heals by itself${quietly ? '; unnoticed' : ''}`, async () => {
      const all = fleet()
      const runtime = rate(600, 90)
      await flood(all, runtime, 30, 2, any)
      all.store.lose(quietly)
      const during = await flood(all, runtime, 60, 2, any)
      assert.ok(during.length <= (90 + 600) * 1.05, `${during.length} passed`)
      assert.ok(during.length >= 600 * 0.9, `${during.length} passed`)
      all.store.heal()
      all.clock.pass(2 * SECOND)
      const after = await flood(all, runtime, 60, 2, any)
      assertBounded(after, 600, 90)
      assert.ok(after.length >= 600 * 0.9, `${after.length} passed`)
      for (const { events } of all.limiters)
        assert.deepEqual(events, ['limits_store_lost', 'limits_store_back'])
    })
  }

  test('a store that comes and goes each second gives nobody more', async () => {
    const all = fleet()
    const runtime = rate(600, 90)
    let passed = 0
    for (let i = 0; i < 60; i++) {
      if (i % 2 === 0) all.store.lose(i % 4 === 0)
      else all.store.heal()
      passed += (await flood(all, runtime, 1, 5, any)).length
    }
    console.log('FLAP', passed)
    assert.ok(passed <= 1.3 * (90 + 600), `${passed} passed`)
  })

  test('one replica has a third, and at least one call in a window', async () => {
    const all = fleet()
    all.store.lose()
    const third = runtimeOf({ principal: { ...OFF, executions: { count: 30 } } })
    const codes = []
    for (let i = 0; i < 11; i++) codes.push(await all.call(0, third))
    assert.deepEqual(codes.slice(9), [undefined, 'executions_exhausted'])
    const one = runtimeOf({ principal: { ...OFF, outputTokens: { count: 1 } } })
    assert.equal(await all.call(1, one, 1), undefined)
    assert.equal(await all.call(1, one), 'tokens_exhausted')
    assert.equal(await all.call(2, rate(1, 1)), undefined)
    assert.equal(await all.call(2, rate(1, 1)), 'rate_limited')
  })

  test('what was used meanwhile is counted in the store afterwards', async () => {
    const all = fleet()
    const runtime = runtimeOf({ principal: { ...OFF, executions: { count: 30 } } })
    for (let i = 0; i < 6; i++) assert.equal(await all.call(i % 3, runtime), undefined)
    await all.maintain()
    all.store.lose()
    let during = 0
    for (let i = 0; i < 90; i++) if ((await all.call(i % 3, runtime)) === undefined) during++
    assert.equal(during, 24, 'three shares of ten, less what was used')
    all.store.heal()
    all.clock.pass(2 * SECOND)
    await all.maintain()
    for (let i = 0; i < 9; i++) assert.equal(await all.call(i % 3, runtime), 'executions_exhausted')
  })

  test('a store that comes back empty is told again what the replicas have used', async () => {
    const all = fleet()
    const runtime = runtimeOf({ principal: { ...OFF, executions: { count: 300 } } })
    for (let i = 0; i < 240; i++) assert.equal(await all.call(i % 3, runtime), undefined)
    all.store.lose()
    await all.call(0, runtime)
    all.store.heal()
    all.store.forget()
    all.clock.pass(2 * SECOND)
    let passed = 0
    for (let i = 0; i < 300; i++) if ((await all.call(i % 3, runtime)) === undefined) passed++
    assert.ok(passed <= 75, `${passed} passed, and 240 before`)
    all.clock.pass(HOUR)
    await all.maintain()
    assert.equal((await flood(all, runtime, 60, 2, any)).length, 300, 'the next window is a new one')
  })

  test('in a new window each share is whole again', async () => {
    const all = fleet()
    const runtime = runtimeOf({ principal: { ...OFF, executions: { count: 30 } } })
    assert.equal(await all.call(0, runtime), undefined)
    all.clock.pass(HOUR - 10 * SECOND)
    for (let i = 0; i < 10; i++) assert.equal(await all.call(1, runtime), undefined)
    all.clock.pass(10 * SECOND)
    all.store.lose()
    for (let i = 0; i < 10; i++) assert.equal(await all.call(1, runtime), undefined)
    assert.equal(await all.call(1, runtime), 'executions_exhausted')
  })

  test('who owes the store is told how long it takes to refill', async () => {
    const all = fleet()
    all.store.lose()
    for (let i = 0; i < 10; i++) assert.equal(await all.call(0, rate(60, 30)), undefined)
    all.store.heal()
    all.clock.pass(2 * SECOND)
    while ((await all.call(1, rate(60, 30))) === undefined);
    const verdict = await all.limiters[0]?.reserve(callOf(rate(60, 30)))
    assert.equal(verdict?.retryAfterMs, 11_000)
  })

  test('it is tried at most once a second', async () => {
    const all = fleet()
    all.store.lose(true)
    for (let i = 0; i < 100; i++) {
      await all.call(0, rate(60_000, 1000))
      all.clock.pass(10)
    }
    assert.ok((all.store.asked.get('lease') ?? 0) <= 2)
  })

  test('places are shared out too', async () => {
    const { limiters, store } = fleet()
    const runtime = runtimeOf({ principal: { ...OFF, concurrency: 6 } })
    store.lose()
    for (const limiter of limiters) {
      const codes = []
      for (let i = 0; i < 3; i++) codes.push((await limiter.reserve(callOf(runtime)))?.code)
      assert.deepEqual(codes, [undefined, undefined, 'concurrency_limited'])
    }
  })

  test('calls that wait for it when it is lost are decided', async () => {
    const all = fleet()
    all.store.lose(true)
    const codes = await Promise.all(Array.from({ length: 50 }, () => all.call(0, rate(60, 9))))
    assert.equal(codes.filter((code) => code === undefined).length, 3)
    assert.equal(await all.limiters[0]?.close(), undefined)
  })

  test('what somebody else wrote into a counter opens nothing', async () => {
    const all = fleet()
    const runtime = runtimeOf({ principal: { ...OFF, executions: { count: 30 } } })
    const get = all.store.get
    all.store.get = async (key) => {
      await all.store.setIfAbsent(key, 'open 0', HOUR)
      return get(key)
    }
    assert.equal(await all.call(0, runtime), 'executions_exhausted')
  })
})
