// Single checks of decisions, listing, memory and the file that only rows of their own can tell from their absence.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { makeCell, refine } from '../../src/admission/policy/cell.ts'
import { policySchema } from '../../src/admission/policy/config.ts'
import { createGrants } from '../../src/admission/policy/grant.ts'
import { explain } from '../../src/admission/policy/index.ts'
import { defaultDemand } from '../../src/admission/policy/rule.ts'
import { preparePolicy } from '../../src/admission/policy/stage.ts'
import { translate } from '../../src/admission/policy/translate.ts'
import type { Call } from '../../src/core/call.ts'
import { policyOf, principal, question } from './lib/policy.ts'

type Given = Parameters<typeof question>[1]
const OBSERVE = { mode: 'observe', until: '2026-12-01' }

function outcome(file: object, given: Given = {}, roles = ['r']): string | undefined {
  const { allowed, refusal } = policyOf(file).decide(question(roles, given))
  return allowed ? 'yes' : refusal
}

describe('while the policy observes', () => {
  it('a deny rule that holds is no rule that allows: a condition that fails is refused', () => {
    const roles = { r: { allow: [{ when: 'args.x == 1' }], deny: [{ when: '!has(args.y)' }] } }
    assert.equal(outcome({ ...OBSERVE, roles }), 'error')
  })

  it('approval: block beats a deny rule that is relaxed, whichever comes first', () => {
    const soft = { deny: [{ when: '!has(args.x)' }] }
    const hard = { allow: [{ when: '!has(args.x)', approval: 'block' }] }
    const file = { ...OBSERVE, roles: { soft, hard } }
    for (const roles of [
      ['soft', 'hard'],
      ['hard', 'soft'],
    ]) {
      const decision = policyOf(file).decide(question(roles))
      assert.deepEqual([decision.allowed, decision.rule], [false, 'hard/allow/0'])
    }
  })
})

it('of several deny rules that hold the first is named', () => {
  const deny = ['x', 'y'].map((name) => ({ when: `!has(args.${name})` }))
  const decision = policyOf({ roles: { r: { allow: [{ tool: '*' }], deny } } }).decide(question(['r']))
  assert.deepEqual([decision.refusal, decision.rule], ['rule', 'r/deny/0'])
})

describe('many rules with targets', () => {
  const products = [...Array.from({ length: 20 }, (_, index) => `p${index}`), 'u']
  const file = { roles: { r: { allow: products.map((product) => ({ product })) } } }

  it('a product that cannot be seen is none that is named as its first letter', () => {
    const policy = policyOf(file)
    assert.equal(policy.decide(question(['r'], { product: ['u'] })).allowed, true)
    assert.equal(policy.decide(question(['r'], { product: 'unknown' })).allowed, false)
    assert.equal(policy.decide(question(['r'], { product: [] })).allowed, false)
  })

  it('keeps what it has found out, but not for a text that is longer than any pattern', () => {
    const { rules } = policyOf(file)
    const cell = makeCell(
      rules,
      { tool: 'ductape_execute', module: 'm', method: 'n', effect: 'read' },
      defaultDemand('read'),
    )
    const kept = (given: Given): boolean => {
      let made = 0
      const found = refine(cell, question(['r'], given), () => made++)
      assert.equal(found === cell, made === 0)
      return made === 1
    }
    const long = 'x'.repeat(10_000)
    assert.equal(kept({ product: ['p1'] }), true)
    assert.equal(kept({ product: [long] }), false)
    assert.equal(kept({ product: ['p2'], env: [long] }), false)
  })
})

describe('paths', () => {
  const denied = (path: string): string | undefined =>
    outcome(
      { roles: { r: { allow: [{ tool: '*' }], deny: [{ path: 'reports/secret' }] } } },
      { path: [path] },
    )
  it('a name without a slash is a file, not the folder above', () => assert.equal(denied('reports'), 'yes'))
  it('a folder elsewhere includes nothing that is denied', () => assert.equal(denied('other/'), 'yes'))
  it('a folder above does', () => assert.equal(denied('reports/'), 'rule'))
})

describe('the form of a list of tools', () => {
  it('an operation of a tool without operations denies nothing', () => {
    const policies = [{ role: 'r', allowed_tools: ['*'], denied_tools: ['ductape_generate_payload:data.*'] }]
    const given = { tool: 'ductape_generate_payload', module: undefined, method: undefined }
    assert.equal(outcome({ policies }, given), 'yes')
  })

  it('only a tool that requires approval asks for one', () => {
    const dangerous = (requires_approval: boolean) =>
      policyOf({
        policies: [{ role: 'r', allowed_tools: ['*'], denied_tools: [] }],
        dangerous_tools: [{ name: 'ductape_execute', risk: 'high', requires_approval }],
      }).decide(question(['r'])).approval
    assert.deepEqual([dangerous(true), dangerous(false)], ['confirm', 'none'])
  })
})

describe('listing', () => {
  const operation = (effect: 'read' | 'destructive') =>
    ({ tool: 'ductape_execute', module: 'm', method: 'n', effect }) as const
  const lists = (role: object, effect: 'read' | 'destructive', more: object = {}): boolean =>
    policyOf({ ...more, roles: { r: role } }, { operations: [operation(effect)] }).mayUse(
      principal(['r']),
      'ductape_execute',
    )

  it('a deny rule allows nothing', () => {
    assert.equal(lists({ deny: [{ env: 'prd' }] }, 'read'), false)
    assert.equal(lists({ allow: [{ tool: '*' }], deny: [{ env: 'prd' }] }, 'read'), true)
  })
  it('observing shows no tool that only destroys', () => {
    assert.equal(lists({}, 'destructive', OBSERVE), false)
    assert.equal(lists({}, 'read', OBSERVE), true)
  })
  it('observing shows a tool that is blocked for some arguments only', () => {
    assert.equal(lists({ allow: [{ env: 'prd', approval: 'block' }] }, 'read', OBSERVE), true)
    assert.equal(lists({ allow: [{ module: 'm', approval: 'block' }] }, 'read', OBSERVE), false)
  })
})

describe('what is kept of callers and calls', () => {
  const grantsOf = (count: number) => {
    const allow = Array.from({ length: count }, (_, index) => ({ env: `e${index}` }))
    const { roles, rules, demands } = translate(policySchema.parse({ roles: { r: { allow } } }))
    return createGrants({ roles, rules, demands, operations: [] })
  }
  const first = principal(['r'], { tools: ['first'] })

  it('is bounded by the number of narrowings', () => {
    const grants = grantsOf(1)
    const before = grants.of(first)
    for (let i = 0; i < 1000; i++) grants.of(principal(['r'], { tools: [`tool-${i}`] }))
    assert.equal(grants.of(first), before)
    for (let i = 0; i < 3000; i++) grants.of(principal(['r'], { tools: [`other-${i}`] }))
    assert.notEqual(grants.of(first), before)
  })

  it('is bounded by the weight of the operations, with their rules', () => {
    const grants = grantsOf(1000)
    const caller = principal(['r'], { tools: ['*'] })
    const before = grants.of(caller)
    const ask = (method: string) => grants.cell(grants.of(caller), question(caller, { method }))
    for (let i = 0; i < 1000; i++) ask(`method-${i}`)
    assert.equal(grants.of(caller), before)
    for (let i = 0; i < 4000; i++) ask(`other-${i}`)
    assert.notEqual(grants.of(caller), before)
  })

  it('is the same for callers who differ in roles that no policy knows', () => {
    const grants = grantsOf(1)
    assert.equal(grants.of(principal(['r', 'x1'])), grants.of(principal(['r', 'x2'])))
  })
})

describe('the file', () => {
  const problems = (role: object): number => {
    const parsed = policySchema.safeParse({ roles: { r: role } })
    return parsed.success ? 0 : parsed.error.issues.length
  }
  it('a rule that names nothing but itself is refused, as allow and as deny', () => {
    for (const rule of [{ name: 'x' }, { approval: 'notify' }, { name: 'x', approval: 'notify' }])
      assert.equal(problems({ allow: [rule] }), 1, JSON.stringify(rule))
    assert.equal(problems({ deny: [{ name: 'x' }] }), 1)
    assert.equal(problems({ deny: [{ name: 'x', tool: '*' }] }), 0)
  })
  it('a pattern has 1 to 256 characters, a list 1 to 1,000 patterns', () => {
    assert.equal(problems({ deny: [{ env: 'x'.repeat(256) }] }), 0)
    assert.equal(problems({ deny: [{ env: Array(1000).fill('x') }] }), 0)
    for (const env of ['', [], 'x'.repeat(257), Array(1001).fill('x')])
      assert.notEqual(problems({ deny: [{ env }] }), 0, JSON.stringify(env).slice(0, 20))
  })
  it('has at most 1,000 roles and 10,000 rules', () => {
    const roles = (count: number, rules: number) =>
      policySchema.safeParse({
        roles: Object.fromEntries(
          Array.from({ length: count }, (_, index) => [
            `r${index}`,
            { allow: Array(rules).fill({ env: 'x' }) },
          ]),
        ),
      }).success
    assert.equal(roles(1000, 1), true)
    assert.equal(roles(1001, 0), false)
    assert.equal(roles(2, 5000), true)
    assert.equal(roles(2, 5001), false)
  })
})

describe('explain says what keeps a rule from holding', () => {
  const because = (rule: object, given: Given = {}): string => {
    const asked = question(['r'], given)
    return explain(policyOf({ roles: { r: { allow: [rule] } } }), asked).rules[0]?.because ?? ''
  }
  const rows: [object, Given, string][] = [
    [{ module: 'x' }, {}, 'module is "databases", not "x"'],
    [{ effect: 'write' }, {}, 'effect is read, not "write"'],
    [{ env: 'prd' }, {}, 'env is "dev", not "prd"'],
    [{ env: 'prd' }, { env: [] }, 'the call has no env'],
    [
      { env: 'prd' },
      { env: 'unknown' },
      'env cannot be seen in this call, and an allow rule needs to know it',
    ],
    [{ product: 'x' }, {}, 'product is "acme:shop", not "x"'],
    [{ credentialId: 'k1.two' }, {}, 'credentialId is "k1.one", not "k1.two"'],
    [{ credentialId: 'k1.two' }, { credentialId: undefined }, 'credentialId is none, not "k1.two"'],
    [{ path: 'a' }, { path: ['b'] }, 'path is "b", not "a"'],
    [{ when: 'call.effect == "write"' }, {}, 'its condition is false'],
    [{ when: 'call.effect == "read"' }, {}, 'its condition is true'],
    [
      { when: 'args.x == 1' },
      {},
      'its condition could not be evaluated: something in it is absent or too large',
    ],
    [
      { env: 'dev', product: 'acme:*', credentialId: 'k1.*', path: 'a' },
      { path: ['a/b'] },
      'everything that it names matches',
    ],
  ]
  for (const [rule, given, expected] of rows) it(expected, () => assert.equal(because(rule, given), expected))
})

it('the stage is not asked before the arguments are checked', () => {
  const stage = preparePolicy({
    challenge: () => ({}),
    credentialAllowed: () => true,
    killed: () => undefined,
  })
  assert.throws(() => stage({ prepared: undefined } as Call), /after validate/)
})
