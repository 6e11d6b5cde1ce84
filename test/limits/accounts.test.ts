// Which limits a call meets, and that no caller in use is forgotten.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Limiter } from '../../src/admission/limits/index.ts'
import { prepareLimits } from '../../src/admission/limits/stage.ts'
import type { Verdict } from '../../src/core/call.ts'
import type { Runtime } from '../../src/core/runtime.ts'
import {
  atOnce,
  type CallOf,
  Clock,
  caller,
  callOf,
  localLimiter,
  OFF,
  runtimeOf,
  setUp,
  times,
} from './lib/limits.ts'

const HOUR = 3_600_000

describe('a call', () => {
  test('gets the shortest deadline that applies', () => {
    const deadline = (file: object, given: CallOf = {}): number | undefined =>
      setUp(file).enter(given).call.deadline
    assert.equal(deadline({}), undefined, 'backend.timeout holds')
    assert.equal(deadline({ principal: { deadline: '30s' } }), 30_000)
    assert.equal(deadline({ principal: OFF }), undefined)
    assert.equal(deadline({ tools: { ductape_execute: { deadline: '5s' } } }), 5000)
    assert.equal(
      deadline({ principal: { deadline: '30s' }, tools: { ductape_execute: { deadline: '5m' } } }),
      30_000,
    )
    const acme = { principal: caller('a', { tenant: 'acme' }) }
    assert.equal(deadline({ tenants: { acme: { deadline: '2s' } } }, acme), 2000)
  })

  test('passes the stage limits, which keeps its reservation until it is settled', () => {
    const { limiter, runtime } = setUp({})
    const call = callOf(runtime)
    assert.equal(prepareLimits(limiter)(call), undefined)
    assert.notEqual(call.reservation, undefined)
    limiter.settle(call, 0, true)
    assert.equal(call.reservation, undefined)
  })

  test('of a local caller is limited like any other', () => {
    const { code } = setUp({})
    const principal = caller('local', { method: 'stdio' })
    assert.deepEqual(times(11, () => code({ principal })).slice(9), [undefined, 'rate_limited'])
  })

  test('keeps the rules that it began with', () => {
    const clock = new Clock()
    const limiter = localLimiter(clock)
    const enter = (runtime: Runtime): Verdict => atOnce(limiter.reserve(callOf(runtime)))
    const before = runtimeOf({ principal: { ...OFF, rate: { perMinute: 60, burst: 2 } } })
    const after = runtimeOf({ principal: { ...OFF, rate: { perMinute: 60, burst: 20 } } })
    assert.equal(enter(before), undefined)
    assert.equal(enter(after), undefined)
    assert.equal(enter(before)?.code, 'rate_limited', 'two are used, whichever rules they came under')
    assert.deepEqual(times(19, () => enter(after)?.code).slice(17), [undefined, 'rate_limited'])
  })

  test('counts on when a limit is switched off and on again', () => {
    const clock = new Clock()
    const limiter = localLimiter(clock)
    const on = runtimeOf({ principal: { ...OFF, executions: { count: 2 } } })
    const code = (runtime: Runtime): string | undefined => {
      const call = callOf(runtime)
      const verdict = atOnce(limiter.reserve(call))
      limiter.settle(call, 0, true)
      return verdict?.code
    }
    assert.deepEqual([code(on), code(on)], [undefined, undefined])
    assert.equal(code(runtimeOf({ principal: OFF })), undefined)
    assert.equal(code(on), 'executions_exhausted')
  })
})

describe('many callers', () => {
  const enter = (limiter: Limiter, runtime: Runtime, id: string): Verdict => {
    const call = callOf(runtime, { principal: caller(id) })
    const verdict = atOnce(limiter.reserve(call))
    limiter.settle(call, 0, true)
    return verdict
  }

  test('when all that are remembered are in use, a new one is refused and none is forgotten', () => {
    const clock = new Clock()
    const limiter = localLimiter(clock, { maxAccounts: 50 })
    const runtime = runtimeOf({ principal: { ...OFF, rate: { perMinute: 60, burst: 2 } } })
    for (let i = 0; i < 50; i++) assert.equal(enter(limiter, runtime, `a${i}`), undefined)
    for (let i = 0; i < 50; i++) assert.equal(enter(limiter, runtime, `a${i}`), undefined)
    for (let i = 0; i < 200; i++)
      assert.deepEqual(enter(limiter, runtime, `b${i}`), {
        code: 'rate_limited',
        detail: 'new callers',
        retryAfterMs: 60_000,
        headers: { 'retry-after': '60' },
      })
    assert.equal(enter(limiter, runtime, 'a0')?.detail, 'this caller')
    assert.deepEqual(limiter.events, ['limits_full'], 'said once')
    clock.pass(2000)
    for (let i = 0; i < 50; i++) assert.equal(enter(limiter, runtime, `b${i}`), undefined)
    assert.equal(limiter.stats().principals, 50)
  })

  test('one with a call under way is in use', () => {
    const clock = new Clock()
    const limiter = localLimiter(clock, { maxAccounts: 1 })
    const runtime = runtimeOf({ principal: { ...OFF, outputTokens: { count: 10 } } })
    const call = callOf(runtime, { principal: caller('a') })
    assert.equal(atOnce(limiter.reserve(call)), undefined)
    clock.pass(100 * HOUR)
    assert.equal(enter(limiter, runtime, 'b')?.detail, 'new callers')
    limiter.settle(call, 10, true)
    assert.equal(enter(limiter, runtime, 'a')?.code, 'tokens_exhausted')
  })

  test('one that has used up executions of a tool is in use', () => {
    const { clock, code, enter } = setUp(
      { principal: OFF, tools: { ductape_execute: { dangerous: true } } },
      { maxAccounts: 1 },
    )
    assert.equal(code(), undefined)
    assert.equal(enter({ principal: caller('bob') }).verdict?.detail, 'new callers')
    clock.pass(HOUR)
    assert.equal(code({ principal: caller('bob') }), undefined)
  })

  test('idle ones are forgotten in time', async () => {
    const clock = new Clock()
    const limiter = localLimiter(clock)
    const runtime = runtimeOf({})
    for (let i = 0; i < 3000; i++) enter(limiter, runtime, `a${i}`)
    await limiter.maintain()
    assert.equal(limiter.stats().principals, 3000, 'their windows are open')
    clock.pass(24 * HOUR)
    await limiter.maintain()
    await limiter.maintain()
    assert.equal(limiter.stats().principals, 0)
  })
})
