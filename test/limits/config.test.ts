// live/limits.yaml: the defaults of seed 004, what single callers, tools and tenants may change, and what is refused.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { limitsSchema } from '../../src/admission/limits/config.ts'
import { compileLimits, defaultLimits } from '../../src/admission/limits/index.ts'
import { parseLive } from '../../src/config/live.ts'
import { rulesOf } from './lib/limits.ts'

const HOUR = 3_600_000

describe('limits.yaml', () => {
  test('without a file the defaults of seed 004 hold', () => {
    const expected = {
      rate: { perMinute: 60, burst: 10 },
      concurrency: undefined,
      executions: undefined,
      inputTokens: { count: 500_000, window: 24 * HOUR },
      outputTokens: { count: 100_000, window: 24 * HOUR },
      deadline: undefined,
    }
    assert.deepEqual(defaultLimits().principal, expected)
    assert.deepEqual(rulesOf({}).principal, expected)
    assert.deepEqual(
      Object.values(defaultLimits().tenant).filter((value) => value !== undefined),
      [],
    )
  })

  test('each key can be set and switched off by itself', () => {
    for (const key of [
      'rate',
      'concurrency',
      'executions',
      'inputTokens',
      'outputTokens',
      'deadline',
    ] as const) {
      const base = defaultLimits().principal
      assert.deepEqual(rulesOf({ principal: { [key]: 'off' } }).principal, { ...base, [key]: undefined })
    }
    assert.deepEqual(rulesOf({ principal: { executions: { count: 9 } } }).principal.executions, {
      count: 9,
      window: HOUR,
    })
  })

  test('without a burst it is ten seconds of the rate, at least one', () => {
    const burst = (perMinute: number) => rulesOf({ tenant: { rate: { perMinute } } }).tenant.rate?.burst
    assert.deepEqual([1, 6, 60, 6000].map(burst), [1, 1, 10, 1000])
  })

  test('a single caller or tenant keeps what its entry does not say', () => {
    const rules = rulesOf({
      principal: { concurrency: 4 },
      principals: { bot: { rate: { perMinute: 600 }, outputTokens: 'off' } },
      tenant: { rate: { perMinute: 1000 } },
      tenants: { acme: { concurrency: 7 } },
    })
    assert.deepEqual(rules.principals.get('bot'), {
      ...rules.principal,
      rate: { perMinute: 600, burst: 100 },
      outputTokens: undefined,
    })
    assert.deepEqual(rules.tenants.get('acme'), { ...rules.tenant, concurrency: 7 })
  })

  test('a dangerous tool has 5 executions an hour unless it says otherwise', () => {
    const { tools } = rulesOf({
      tools: {
        ductape_execute: { dangerous: true },
        'ductape_execute:databases.migration.run': {
          dangerous: true,
          executions: { count: 1, window: '24h' },
        },
        ductape_generate_payload: { dangerous: false },
      },
    })
    assert.deepEqual(tools.get('ductape_execute')?.executions, { count: 5, window: HOUR })
    assert.deepEqual(tools.get('ductape_execute:databases.migration.run')?.executions, {
      count: 1,
      window: 24 * HOUR,
    })
    assert.equal(tools.get('ductape_generate_payload')?.executions, undefined)
  })

  for (const [what, file] of [
    ['an unknown key', { principal: { rates: 'off' } }],
    ['a rate of nothing', { principal: { rate: { perMinute: 0 } } }],
    ['a burst of nothing', { principal: { rate: { perMinute: 60, burst: 0 } } }],
    ['a rate without its number', { tenant: { rate: { burst: 10 } } }],
    ['a count in quotes', { principal: { concurrency: '10' } }],
    ['a window without a unit', { principal: { executions: { count: 5, window: 3600 } } }],
    ['a deadline beyond half an hour', { principal: { deadline: '31m' } }],
    ['a tool whose name is a pattern', { tools: { 'ductape_*': { concurrency: 1 } } }],
    ['an operation without its module', { tools: { 'ductape_execute:run': { concurrency: 1 } } }],
    ['a caller without a name', { principals: { '': { concurrency: 1 } } }],
    ['dangerous for a caller', { principals: { bot: { dangerous: true } } }],
    ['another version', { version: 2 }],
  ] as const) {
    test(`refuses ${what}`, () => {
      assert.equal(limitsSchema.safeParse(file).success, false)
    })
  }

  test('the example of docs/operate/limits.md is valid, and its first part says the defaults', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/operate/limits.md'), 'utf8')
    const text = /```yaml\n(.*?)```/s.exec(page)?.[1] ?? assert.fail('no example')
    const parsed = parseLive('limits.yaml', text, 'limits.md')
    assert.ok(parsed.ok, JSON.stringify(parsed))
    const rules = compileLimits(parsed.value, 'example')
    assert.deepEqual(rules.principal, defaultLimits().principal)
    assert.equal(rules.tools.get('ductape_execute:databases.migration.run')?.executions?.count, 5)
  })

  test('a wrong file gets sentences with their place', () => {
    const text =
      'principal:\n  rate: { perMinute: many }\n  deadline: soon\ntools:\n  "ductape_*": { concurrency: 1 }\n'
    const parsed = parseLive('limits.yaml', text, 'limits.yaml')
    assert.ok(!parsed.ok)
    assert.deepEqual(
      parsed.problems.map(({ line, path }) => [line, path]),
      [
        [2, 'principal.rate.perMinute'],
        [3, 'principal.deadline'],
        [5, 'tools["ductape_*"]'],
      ],
    )
    for (const { message, fix } of parsed.problems) assert.ok(message.length > 5 && fix.length > 5)
  })

  test('says at which name a map is wrong, and takes 10,000 entries and no more', () => {
    const wrong = limitsSchema.safeParse({ tools: { 'ductape_*': {} } })
    assert.deepEqual(wrong.error?.issues[0]?.path, ['tools', 'ductape_*'])
    const many = (count: number) =>
      limitsSchema.safeParse({
        principals: Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, {}])),
      })
    assert.equal(many(10_000).success, true)
    assert.deepEqual(many(10_001).error?.issues[0]?.path, ['principals'])
  })
})
