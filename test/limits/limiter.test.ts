// The limits of one replica: every kind, what a refusal says and what is given back.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { estimateTokens } from '../../src/admission/limits/index.ts'
import type { Call } from '../../src/core/call.ts'
import { type CallOf, caller, OFF, setUp, times } from './lib/limits.ts'

const SEED = 20_260_404
console.log(`# seed ${SEED}`)
const HOUR = 3_600_000

// Seed 004 section 11.4, by its names, over the defaults.
describe('Rate Limiting', () => {
  test('should allow requests within the burst limit', () => {
    const { code } = setUp({})
    assert.deepEqual(
      times(10, () => code()),
      times(10, () => undefined),
    )
  })

  test('should deny requests exceeding the burst limit', () => {
    const { code, enter } = setUp({})
    for (let i = 0; i < 10; i++) code()
    const { verdict } = enter()
    assert.equal(verdict?.code, 'rate_limited')
    assert.ok((verdict?.retryAfterMs ?? 0) > 0)
  })
})

describe('a rate', () => {
  test('refills, and the refusal says honestly when', () => {
    const { clock, code, enter } = setUp({})
    for (let i = 0; i < 10; i++) code()
    clock.pass(400)
    const { verdict } = enter()
    assert.deepEqual(verdict, {
      code: 'rate_limited',
      detail: 'this caller',
      retryAfterMs: 600,
      headers: { 'retry-after': '1' },
    })
    clock.pass(599)
    assert.equal(code(), 'rate_limited')
    clock.pass(1)
    assert.equal(code(), undefined)
    assert.equal(code(), 'rate_limited')
  })

  test('is one for each caller, tenant and tool', () => {
    const { code } = setUp({
      principal: OFF,
      tenants: { acme: { rate: { perMinute: 60, burst: 3 } } },
      tools: { ductape_generate_payload: { rate: { perMinute: 60, burst: 2 } } },
    })
    const acme = (id: string) => ({ principal: caller(id, { tenant: 'acme' }) })
    assert.deepEqual(
      ['a', 'b', 'c', 'd'].map((id) => code(acme(id))),
      [undefined, undefined, undefined, 'rate_limited'],
    )
    assert.equal(code({ principal: caller('e', { tenant: 'other' }) }), undefined)
    const tool = { tool: 'ductape_generate_payload' }
    assert.deepEqual(
      ['f', 'g', 'h'].map((id) => code({ ...tool, principal: caller(id) })),
      [undefined, undefined, 'rate_limited'],
    )
  })

  test('a refusal names what is used up', () => {
    const burst = { rate: { perMinute: 60, burst: 1 } }
    const detail = (file: object, given: CallOf = {}): string | undefined => {
      const { code, enter } = setUp({ principal: OFF, ...file })
      code(given)
      return enter(given).verdict?.detail
    }
    assert.equal(detail({ principal: { ...OFF, ...burst } }), 'this caller')
    assert.equal(detail({ tools: { ductape_execute: burst } }), 'the tool ductape_execute')
    assert.equal(
      detail(
        { tools: { 'ductape_execute:databases.query': burst } },
        { module: 'databases', method: 'query' },
      ),
      'the operation databases.query',
    )
    assert.equal(detail({ tenant: burst }, { principal: caller('a', { tenant: 'acme' }) }), 'this tenant')
  })

  test('never gives more than the burst and what refills; what it says to wait is enough', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.integer({ min: 1, max: 40 }),
        fc.array(fc.nat({ max: 3000 }), { minLength: 1, maxLength: 150 }),
        (perMinute, burst, pauses) => {
          const { clock, code, enter } = setUp({ principal: { ...OFF, rate: { perMinute, burst } } })
          let passed = 0
          for (const pause of pauses) {
            clock.pass(pause)
            const { verdict } = enter()
            if (verdict === undefined) passed++
            else if (pause % 5 === 0) {
              clock.pass(verdict.retryAfterMs ?? assert.fail('no time to wait'))
              assert.equal(code(), undefined)
              passed++
            }
            assert.ok(passed <= burst + (clock.time * perMinute) / 60_000 + 1e-6)
          }
          // Left alone for as long as the burst takes, all of it is there again.
          clock.pass(Math.ceil((burst * 60_000) / perMinute))
          assert.deepEqual(
            times(burst, () => code()),
            times(burst, () => undefined),
          )
          assert.equal(code(), 'rate_limited')
        },
      ),
      { seed: SEED, numRuns: 200 },
    )
  })

  test('of a credential narrows that of its caller and never widens it', () => {
    fc.assert(
      fc.property(
        fc.record({ perMinute: fc.integer({ min: 1, max: 600 }), burst: fc.integer({ min: 1, max: 30 }) }),
        fc.record({ perMinute: fc.integer({ min: 1, max: 600 }), burst: fc.integer({ min: 1, max: 30 }) }),
        fc.array(fc.tuple(fc.nat({ max: 2000 }), fc.boolean()), { minLength: 1, maxLength: 120 }),
        (own, narrow, steps) => {
          const { clock, enter } = setUp({ principal: { ...OFF, rate: own } })
          let all = 0
          let narrowed = 0
          for (const [pause, isNarrow] of steps) {
            clock.pass(pause)
            const principal = caller('alice', isNarrow ? { rate: { ...narrow } } : {})
            if (enter({ principal }).verdict === undefined) {
              all++
              if (isNarrow) narrowed++
            }
            assert.ok(all <= own.burst + (clock.time * own.perMinute) / 60_000 + 1e-6)
            assert.ok(narrowed <= narrow.burst + (clock.time * narrow.perMinute) / 60_000 + 1e-6)
          }
        },
      ),
      { seed: SEED, numRuns: 200 },
    )
  })

  test('of a call that another limit refuses is not used up', () => {
    const { enter, limiter, code } = setUp({
      principal: { ...OFF, rate: { perMinute: 60, burst: 2 }, concurrency: 1 },
    })
    const first = enter()
    for (let i = 0; i < 20; i++) assert.equal(enter().verdict?.code, 'concurrency_limited')
    limiter.settle(first.call, 0, true)
    assert.equal(code(), undefined)
    assert.equal(code(), 'rate_limited')
  })
})

describe('calls at the same time', () => {
  test('are limited for a caller, a tool and a tenant, and a place is free when its call has ended', () => {
    const { enter, limiter } = setUp({
      principal: { ...OFF, concurrency: 2 },
      tools: { ductape_execute: { concurrency: 4 } },
      tenant: { concurrency: 3 },
    })
    const alice = { principal: caller('alice', { tenant: 'acme' }) }
    const bob = { principal: caller('bob', { tenant: 'acme' }) }
    const carol = { principal: caller('carol', { tenant: 'other' }) }
    const open = [alice, alice, bob, carol].map((given) => enter(given))
    assert.ok(open.every(({ verdict }) => verdict === undefined))
    assert.deepEqual(enter(alice).verdict, {
      code: 'concurrency_limited',
      detail: 'this caller',
      retryAfterMs: 1000,
      headers: { 'retry-after': '1' },
    })
    assert.equal(enter(carol).verdict?.detail, 'the tool ductape_execute')
    limiter.settle(open[3]?.call as Call, 0, true)
    assert.equal(enter(bob).verdict?.detail, 'this tenant')
    limiter.settle(open[0]?.call as Call, 0, false)
    assert.equal(enter(bob).verdict, undefined)
  })

  test('a call that is settled twice frees one place', () => {
    const { enter, limiter, code } = setUp({ principal: { ...OFF, concurrency: 1 } })
    const { call } = enter()
    limiter.settle(call, 0, true)
    const second = enter()
    limiter.settle(call, 0, true)
    assert.equal(code(), 'concurrency_limited')
    limiter.settle(second.call, 0, true)
    assert.equal(code(), undefined)
  })

  test('every place comes back, whatever became of the calls', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.record({ who: fc.nat({ max: 2 }), end: fc.nat({ max: 9 }), executed: fc.boolean() }), {
          maxLength: 80,
        }),
        (concurrency, steps) => {
          const { enter, limiter, clock } = setUp({
            principal: { ...OFF, concurrency, executions: { count: 1000 } },
            tenant: { concurrency: concurrency * 2 },
          })
          const open: Call[] = []
          let executed = 0
          const end = (call: Call | undefined, wasExecuted: boolean): void => {
            if (call === undefined) return
            if (wasExecuted) executed++
            limiter.settle(call, 0, wasExecuted)
          }
          for (const step of steps) {
            clock.pass(10)
            const { call, verdict } = enter({ principal: caller(`p${step.who}`, { tenant: 'acme' }) })
            if (verdict === undefined) open.push(call)
            else assert.equal(call.reservation, undefined)
            assert.ok(open.length <= concurrency * 2)
            if (step.end < 5) end(open.splice(step.end, 1)[0], step.executed)
          }
          for (const call of open) end(call, false)
          for (let i = 0; i < concurrency; i++)
            for (const who of ['p0', 'p1'])
              assert.equal(enter({ principal: caller(who, { tenant: 'acme' }) }).verdict, undefined)
          assert.ok(executed <= 1000)
        },
      ),
      { seed: SEED, numRuns: 200 },
    )
  })
})

describe('executions', () => {
  const file = {
    principal: OFF,
    tools: {
      ductape_execute: { dangerous: true },
      'ductape_execute:databases.migration.run': { executions: { count: 1, window: '24h' } },
    },
  }

  test('of a dangerous tool: five in an hour for each caller, counted from the first', () => {
    const { clock, code, enter } = setUp(file)
    clock.pass(1234)
    assert.deepEqual(
      times(6, () => code()),
      [...times(5, () => undefined), 'executions_exhausted'],
    )
    assert.equal(code({ principal: caller('bob') }), undefined, 'another caller has its own')
    clock.pass(HOUR - 1000)
    assert.deepEqual(enter().verdict, {
      code: 'executions_exhausted',
      detail: 'the tool ductape_execute',
      retryAfterMs: 1000,
      headers: { 'retry-after': '1' },
    })
    clock.pass(1000)
    assert.equal(code(), undefined)
  })

  test('of one operation, which count for its tool as well', () => {
    const { code, enter } = setUp(file)
    const run = { module: 'databases', method: 'migration.run' }
    assert.equal(code(run), undefined)
    assert.equal(enter(run).verdict?.detail, 'the operation databases.migration.run')
    assert.deepEqual(
      times(5, () => code()),
      [...times(4, () => undefined), 'executions_exhausted'],
    )
  })

  test('that did not reach the backend are given back, but not into a later window', () => {
    const { clock, code, enter, limiter } = setUp(file)
    for (let i = 0; i < 50; i++) assert.equal(code({}, 0, false), undefined)
    const old = enter()
    clock.pass(HOUR)
    for (let i = 0; i < 5; i++) assert.equal(code(), undefined)
    limiter.settle(old.call, 0, false)
    assert.equal(code(), 'executions_exhausted')
  })

  test('are capped by the policy too, whichever is lower', () => {
    const caps = new Map([['ductape_execute', 3]])
    const { code } = setUp(file, { caps: () => caps })
    assert.deepEqual(
      times(4, () => code()),
      [...times(3, () => undefined), 'executions_exhausted'],
    )
    const without = setUp({ principal: OFF }, { caps: () => caps })
    assert.deepEqual(
      times(4, () => without.code()),
      [...times(3, () => undefined), 'executions_exhausted'],
    )
    assert.equal(without.code({ tool: 'ductape_generate_payload' }), undefined)
  })
})

describe('token budgets', () => {
  const args = { note: 'a question of some length about orders and customers' }
  const cost = estimateTokens(JSON.stringify(args))

  test('the arguments are counted, and given back unless the call reached the backend', () => {
    const { clock, code, enter } = setUp({ principal: { ...OFF, inputTokens: { count: cost * 3 } } })
    for (let i = 0; i < 20; i++) assert.equal(code({ args }, 0, false), undefined)
    assert.deepEqual(
      times(3, () => code({ args })),
      times(3, () => undefined),
    )
    clock.pass(HOUR)
    assert.deepEqual(enter({ args }).verdict, {
      code: 'tokens_exhausted',
      detail: 'this caller',
      retryAfterMs: 23 * HOUR,
      headers: { 'retry-after': String((23 * HOUR) / 1000) },
    })
    clock.pass(23 * HOUR)
    assert.equal(code({ args }), undefined)
  })

  test('arguments that no window could hold are refused without a time to wait', () => {
    const { enter } = setUp({ principal: { ...OFF, inputTokens: { count: cost - 1 } } })
    assert.deepEqual(enter({ args }).verdict, { code: 'tokens_exhausted', detail: 'this caller' })
  })

  test('answers are charged when they are known: the one that uses the budget up is the last', () => {
    const { clock, code, enter, limiter } = setUp({ principal: { ...OFF, outputTokens: { count: 100 } } })
    assert.equal(code({}, 99), undefined)
    const [first, second] = [enter(), enter()]
    limiter.settle(first.call, 400, true)
    limiter.settle(second.call, 400, true)
    assert.equal(code(), 'tokens_exhausted')
    clock.pass(24 * HOUR)
    assert.equal(code({}, 1), undefined)
  })

  test('the defaults hold 500,000 and 100,000', () => {
    const { code, clock } = setUp({ principal: { rate: 'off' } })
    const many = { text: 'word '.repeat(50_000) }
    const each = estimateTokens(JSON.stringify(many))
    for (let used = each; used <= 500_000; used += each) assert.equal(code({ args: many }), undefined)
    assert.equal(code({ args: many }), 'tokens_exhausted')
    clock.pass(24 * HOUR)
    assert.equal(code({}, 100_000), undefined)
    assert.equal(code(), 'tokens_exhausted')
  })
})
