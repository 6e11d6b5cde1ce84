// What a policy decides, row by row: default deny, targets, conditions, observe, narrowing, listing.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { localPolicy } from '../../src/admission/policy/index.ts'
import type { PolicyDecision } from '../../src/core/policy.ts'
import { NOW, policyOf, principal, question } from './lib/policy.ts'

type Given = Parameters<typeof question>[1]
type Expected = 'yes' | NonNullable<PolicyDecision['refusal']>
/** Name, rules of the role `r`, what is asked, what comes of it. */
type Row = readonly [string, { allow?: object[]; deny?: object[] }, Given, Expected]

const ROWS: readonly Row[] = [
  ['no rule', {}, {}, 'role'],
  ['a rule for another tool', { allow: [{ tool: 'ductape_generate_*' }] }, {}, 'role'],
  ['a rule for this tool', { allow: [{ tool: 'ductape_execute' }] }, {}, 'yes'],
  ['a pattern that covers it', { allow: [{ tool: '*_exec*e' }] }, {}, 'yes'],
  ['a pattern is no prefix', { allow: [{ tool: 'ductape_exec' }] }, {}, 'role'],
  ['a dot in a pattern is a dot', { allow: [{ method: 'a.b' }] }, { method: 'axb' }, 'role'],
  ['capitals differ', { allow: [{ tool: 'Ductape_Execute' }] }, {}, 'role'],
  ['module and method', { allow: [{ module: 'databases', method: 'query' }] }, {}, 'yes'],
  ['another method', { allow: [{ module: 'databases', method: 'insert' }] }, {}, 'role'],
  ['one of a list', { allow: [{ method: ['insert', 'query'] }] }, {}, 'yes'],
  ['a nested method', { allow: [{ method: 'schema.*' }] }, { method: 'schema.create' }, 'yes'],
  ['an effect', { allow: [{ effect: 'read' }] }, {}, 'yes'],
  ['another effect', { allow: [{ effect: ['read', 'write'] }] }, { effect: 'destructive' }, 'role'],

  ['a deny rule', { allow: [{ tool: '*' }], deny: [{ module: 'databases' }] }, {}, 'rule'],
  ['a deny rule of something else', { allow: [{ tool: '*' }], deny: [{ module: 'graph' }] }, {}, 'yes'],
  [
    'block is a deny rule',
    { allow: [{ tool: '*' }, { module: 'databases', approval: 'block' }] },
    {},
    'rule',
  ],

  ['env allowed', { allow: [{ env: 'dev' }] }, {}, 'yes'],
  ['all of several have to be allowed', { allow: [{ env: 'dev' }] }, { env: ['dev', 'prd'] }, 'role'],
  ['several that are allowed', { allow: [{ env: ['dev', 'p*'] }] }, { env: ['dev', 'prd'] }, 'yes'],
  ['an unknown env is not allowed', { allow: [{ env: '*' }] }, { env: 'unknown' }, 'role'],
  ['nor one that is not there', { allow: [{ env: '*' }] }, { env: [] }, 'role'],
  ['env denied', { allow: [{ tool: '*' }], deny: [{ env: 'prd' }] }, { env: ['prd'] }, 'rule'],
  [
    'one of several is denied',
    { allow: [{ tool: '*' }], deny: [{ env: 'prd' }] },
    { env: ['dev', 'prd'] },
    'rule',
  ],
  [
    'an unknown env may be the denied one',
    { allow: [{ tool: '*' }], deny: [{ env: 'prd' }] },
    { env: 'unknown' },
    'rule',
  ],
  ['without env there is none to deny', { allow: [{ tool: '*' }], deny: [{ env: '*' }] }, { env: [] }, 'yes'],
  ['product pattern', { allow: [{ product: 'acme:*' }] }, {}, 'yes'],
  ['another product', { allow: [{ product: 'acme:*' }] }, { product: ['other:shop'] }, 'role'],
  ['credential id', { allow: [{ credentialId: 'k1.one' }] }, {}, 'yes'],
  ['another credential', { allow: [{ credentialId: 'k1.one' }] }, { credentialId: 'k1.two' }, 'role'],
  ['no credential', { allow: [{ credentialId: '*' }] }, { credentialId: undefined }, 'role'],
  [
    'no credential to deny',
    { allow: [{ tool: '*' }], deny: [{ credentialId: '*' }] },
    { credentialId: undefined },
    'yes',
  ],

  ['below a path', { allow: [{ path: 'reports/' }] }, { path: ['reports/2026/a.csv'] }, 'yes'],
  ['the path itself', { allow: [{ path: 'reports/' }] }, { path: ['reports'] }, 'yes'],
  ['a name that only begins so', { allow: [{ path: 'reports' }] }, { path: ['reports-old/a'] }, 'role'],
  ['one path outside', { allow: [{ path: 'reports' }] }, { path: ['reports/a', 'secret/b'] }, 'role'],
  ['a path that cannot be seen', { allow: [{ path: '/' }] }, { path: 'unknown' }, 'role'],
  ['a root is another place for allow', { allow: [{ path: 'reports' }] }, { path: ['/reports/a'] }, 'role'],
  [
    'and the same for deny',
    { allow: [{ tool: '*' }], deny: [{ path: 'reports' }] },
    { path: ['/reports/a'] },
    'rule',
  ],
  ['a denied root denies all', { allow: [{ tool: '*' }], deny: [{ path: '/' }] }, { path: ['a/b'] }, 'rule'],
  [
    'a folder includes what is denied in it',
    { allow: [{ tool: '*' }], deny: [{ path: 'reports/secret' }] },
    { path: ['reports/'] },
    'rule',
  ],
  [
    'a file beside it does not',
    { allow: [{ tool: '*' }], deny: [{ path: 'reports/secret' }] },
    { path: ['reports/open'] },
    'yes',
  ],

  ['a method outside the catalogue by effect', { allow: [{ effect: 'admin' }] }, OUTSIDE(), 'yes'],
  ['never by a name', { allow: [{ module: '*' }] }, OUTSIDE(), 'role'],
  [
    'it may be what is denied',
    { allow: [{ effect: 'admin' }], deny: [{ module: 'secrets' }] },
    OUTSIDE(),
    'rule',
  ],
  ['a generate tool has no module', { allow: [{ tool: '*' }], deny: [{ module: '*' }] }, GENERATE(), 'yes'],

  ['a true condition', { allow: [{ when: "'dev' in call.env" }] }, {}, 'yes'],
  ['a false condition', { allow: [{ when: "'prd' in call.env" }] }, {}, 'role'],
  ['a condition that fails', { allow: [{ when: 'args.x == 1' }] }, {}, 'error'],
  ['beside a rule that holds', { allow: [{ when: 'args.x == 1' }, { tool: '*' }] }, {}, 'yes'],
  [
    'unless it would ask for more approval',
    { allow: [{ when: 'args.x == 1', approval: 'confirm' }, { tool: '*' }] },
    {},
    'error',
  ],
  ['a deny condition that fails', { allow: [{ tool: '*' }], deny: [{ when: 'args.x == 1' }] }, {}, 'error'],
  [
    'a deny condition that is true',
    { allow: [{ tool: '*' }], deny: [{ when: 'args.x == 1' }] },
    { args: { x: 1 } },
    'rule',
  ],
  [
    'a deny rule that holds says more than one that fails',
    { allow: [{ tool: '*' }], deny: [{ when: 'args.x == 1' }, { env: 'dev' }] },
    {},
    'rule',
  ],
  [
    'a condition is not asked where the rest does not match',
    { allow: [{ tool: '*' }], deny: [{ env: 'prd', when: 'args.x == 1' }] },
    {},
    'yes',
  ],
  [
    'arguments that are too large',
    { allow: [{ when: 'args.x == 1' }] },
    { args: { x: 1 }, size: 64 * 1024 + 1 },
    'error',
  ],
  [
    'do not matter to others',
    { allow: [{ when: "call.tool == 'ductape_execute'" }] },
    { size: 64 * 1024 + 1 },
    'yes',
  ],
]

function OUTSIDE(): Given {
  return {
    module: undefined,
    method: undefined,
    effect: 'admin',
    env: 'unknown',
    product: 'unknown',
    path: 'unknown',
  }
}
function GENERATE(): Given {
  return { tool: 'ductape_generate_payload', module: undefined, method: undefined }
}

describe('one role', () => {
  for (const [name, rules, given, expected] of ROWS) {
    it(name, () => {
      const { allowed, refusal } = policyOf({ roles: { r: rules } }).decide(question(['r'], given))
      assert.equal(allowed ? 'yes' : refusal, expected)
      assert.equal(allowed, expected === 'yes')
    })
  }
})

describe('roles of a caller', () => {
  const policy = policyOf(`
    roles:
      reader: { allow: [{ effect: read }] }
      writer: { allow: [{ effect: write }], deny: [{ env: prd }] }
  `)
  it('none: denied', () => assert.equal(policy.decide(question([])).refusal, 'role'))
  it('unknown ones: denied', () =>
    assert.equal(policy.decide(question(['x', 'constructor', '__proto__'])).refusal, 'role'))
  it('an unknown one beside a known one grants nothing and takes nothing', () =>
    assert.equal(policy.decide(question(['x', 'reader'])).allowed, true))
  it('what one allows another one can deny', () => {
    assert.equal(policy.decide(question(['reader'], { env: ['prd'] })).allowed, true)
    assert.equal(policy.decide(question(['reader', 'writer'], { env: ['prd'] })).rule, 'writer/deny/0')
  })
})

describe('observe', () => {
  const text = (until: string, more = '') => `
    mode: observe
    until: "${until}"
    roles: { r: { allow: [{ effect: destructive }, { effect: write, approval: confirm, env: prd }], deny: [{ env: prd }, { when: "has(args.fail) && args.fail > 1" }] ${more} } }
  `
  const policy = policyOf(text('2026-12-01'))

  it('lets reads and writes pass that no rule allows or a rule denies, and says so', () => {
    const decision = policy.decide(question(['r']))
    assert.deepEqual(decision, {
      allowed: true,
      refusal: 'role',
      rule: undefined,
      approval: 'none',
      ruleDigest: undefined,
      wouldDeny: true,
      record: 'safe-fields',
    })
    assert.equal(policy.decide(question([], { effect: 'write' })).wouldDeny, true)
    assert.equal(policy.decide(question(['r'], { env: ['prd'] })).rule, 'r/deny/0')
    assert.equal(policy.mode, 'observe')
  })
  it('also where nothing but the operation decides', () => {
    const fixed = policyOf(
      'mode: observe\nuntil: 2026-12-01\nroles: { r: { allow: [{ tool: "*" }], deny: [{ module: graph }] } }',
    )
    assert.equal(fixed.decide(question(['r'], { module: 'graph' })).wouldDeny, true)
    assert.equal(fixed.decide(question(['r'], { module: 'graph', effect: 'destructive' })).allowed, false)
    assert.equal(fixed.decide(question(['r'])).wouldDeny, false)
  })
  it('never what destroys or administers', () => {
    assert.equal(policy.decide(question(['r'], { effect: 'admin' })).allowed, false)
    assert.equal(policy.decide(question(['r'], { effect: 'destructive', env: ['prd'] })).allowed, false)
    assert.equal(policy.decide(question(['r'], { effect: 'destructive' })).wouldDeny, false)
  })
  it('never an error', () => {
    assert.equal(policy.decide(question(['r'], { args: { fail: 'x' } })).refusal, 'error')
    assert.equal(policy.decide(question(['r'], { env: ['prd'], args: { fail: 'x' } })).refusal, 'error')
  })
  it('never a block, nor what the credential is narrowed to', () => {
    const blocked = policyOf(
      'mode: observe\nuntil: 2026-12-01\nroles: { r: { allow: [{ tool: "*", approval: block }] } }',
    )
    const { ruleDigest, ...decision } = blocked.decide(question(['r']))
    assert.match(String(ruleDigest), /^[0-9a-f]{64}$/)
    assert.deepEqual(decision, {
      allowed: false,
      refusal: 'rule',
      rule: 'r/allow/0',
      approval: 'block',
      wouldDeny: false,
      record: 'safe-fields',
    })
    assert.equal(policy.decide(question(principal(['r'], { tools: ['other'] }))).allowed, false)
  })
  it('the approval that a rule asks for stays', () => {
    const decision = policy.decide(question(['r'], { effect: 'write', env: ['prd'] }))
    assert.equal(decision.wouldDeny, true)
    assert.equal(decision.approval, 'confirm')
  })
  it('ends by itself at its date, and a clock set back does not lengthen it', () => {
    let now = NOW
    const ending = policyOf(text('2026-12-01'), { now: () => now })
    const allowed = (): boolean => ending.decide(question(['r'])).allowed
    assert.equal(allowed(), true)
    now = Date.UTC(2026, 11, 1) - 1
    assert.equal(allowed(), true)
    now += 1
    assert.equal(allowed(), false)
    assert.equal(ending.mode, 'enforce')
    assert.equal(ending.mayUse(principal(['r']), 'ductape_execute'), false)
    now = Date.UTC(2026, 9, 1)
    assert.equal(allowed(), false)
  })
})

describe('a narrowed credential', () => {
  const policy = policyOf('roles: { r: { allow: [{ tool: "*" }] } }')
  const allowed = (tools: string[], given: Given = {}): boolean =>
    policy.decide(question(principal(['r'], { tools }), given)).allowed
  it('tool, tool:EFFECT, tool:module.method and patterns', () => {
    assert.equal(allowed(['ductape_execute']), true)
    assert.equal(allowed(['ductape_generate_payload']), false)
    assert.equal(allowed([]), false)
    assert.equal(allowed(['ductape_execute:READ']), true)
    assert.equal(allowed(['ductape_execute:READ'], { effect: 'write' }), false)
    assert.equal(allowed(['ductape_execute:databases.*']), true)
    assert.equal(allowed(['ductape_execute:databases.query'], { method: 'insert' }), false)
    assert.equal(allowed(['ductape_*:databases.query']), true)
    assert.equal(allowed(['ductape_execute:databases.*'], OUTSIDE()), false)
  })
  it('two credentials with one role are two', () => {
    assert.equal(allowed(['ductape_execute']), true)
    assert.equal(allowed(['other']), false)
    assert.equal(policy.decide(question(['r'])).allowed, true)
  })
  it('says that it is the credential', () =>
    assert.equal(policy.decide(question(principal(['r'], { tools: ['x'] }))).rule, 'credential/tools'))
})

describe('listing', () => {
  const operations = [
    { tool: 'ductape_execute', module: 'databases', method: 'query', effect: 'read' },
    { tool: 'ductape_execute', module: 'databases', method: 'query', effect: 'destructive' },
    { tool: 'ductape_generate_payload', module: undefined, method: undefined, effect: 'read' },
  ] as const
  const listed = (rules: object, tool = 'ductape_execute', tools?: string[]): boolean =>
    policyOf({ roles: { r: rules } }, { operations }).mayUse(principal(['r'], { tools }), tool)

  it('what some call could be allowed', () => {
    assert.equal(listed({ allow: [{ effect: 'destructive' }] }), true)
    assert.equal(listed({ allow: [{ effect: 'admin' }] }), false)
    assert.equal(listed({ allow: [{ module: 'graph' }] }), false)
    assert.equal(listed({ allow: [{ tool: '*' }], deny: [{ method: 'query' }] }), false)
    assert.equal(listed({ allow: [{ tool: '*' }], deny: [{ method: 'query', env: 'prd' }] }), true)
    assert.equal(listed({ allow: [{ env: 'dev', when: 'args.x == 1' }] }), true)
    assert.equal(listed({ allow: [{ tool: '*' }] }, 'ductape_execute', ['ductape_execute:WRITE']), false)
    assert.equal(listed({ allow: [{ tool: '*' }] }, 'no_such_tool'), false)
  })
  it('while the policy observes: what reads or writes and is not blocked', () => {
    const observed = (rules: object, tool: string): boolean =>
      policyOf(
        { mode: 'observe', until: '2026-12-01', roles: { r: rules } },
        { operations: [...operations, { ...operations[1], tool: 'destroyer' }] },
      ).mayUse(principal(['r']), tool)
    assert.equal(observed({}, 'ductape_execute'), true)
    assert.equal(observed({ deny: [{ tool: '*' }] }, 'ductape_execute'), true)
    assert.equal(observed({}, 'destroyer'), false)
    assert.equal(observed({ allow: [{ tool: 'destroyer' }] }, 'destroyer'), true)
    assert.equal(observed({ allow: [{ tool: '*', approval: 'block' }] }, 'ductape_execute'), false)
    assert.equal(observed({ allow: [{ env: 'prd', approval: 'block' }] }, 'ductape_execute'), true)
  })
  it('nothing for a caller without a role', () =>
    assert.equal(
      policyOf({ roles: { r: { allow: [{ tool: '*' }] } } }, { operations }).mayUse(
        principal([]),
        'ductape_execute',
      ),
      false,
    ))
})

describe('the built-in policy local', () => {
  const policy = localPolicy()
  const local = principal(['local'], { method: 'none' })
  it('lets the local role use every tool with every effect, and nobody else', () => {
    for (const tool of ['ductape_execute', 'ductape_generate_payload', 'ductape_generate_snippet']) {
      assert.equal(policy.mayUse(local, tool), true, tool)
      for (const effect of ['read', 'write', 'destructive', 'admin'] as const) {
        assert.equal(policy.decide(question(local, { tool, effect })).allowed, true)
        assert.equal(policy.decide(question(['admin'], { tool, effect })).allowed, false)
      }
    }
    assert.equal(policy.decide(question(local, OUTSIDE())).allowed, true)
    assert.equal(policy.decide(question(local, { tool: 'other' })).allowed, false)
    assert.deepEqual([policy.mode, policy.roles, policy.credentialIds.length], ['enforce', ['local'], 0])
    assert.match(policy.digest, /^[0-9a-f]{64}$/)
  })
})

describe('what is kept between calls', () => {
  it('stays right past every bound: many products, credentials and role sets', () => {
    const rules = Array.from({ length: 40 }, (_, index) => ({ product: `p${index}` }))
    const policy = policyOf({ roles: { r: { allow: rules }, s: {} } })
    for (let round = 0; round < 2; round++) {
      for (let index = 0; index < 70_000; index += 7) {
        const asked = question(['r'], { product: [`p${index}`], credentialId: `k1.${index}` })
        assert.equal(policy.decide(asked).allowed, index < 40)
      }
      for (let index = 0; index < 2100; index++) {
        const narrowed = principal(['r', 's'], { tools: [`tool_${index}`, 'ductape_execute'] })
        assert.equal(policy.decide(question(narrowed, { product: ['p1'] })).allowed, true)
        assert.equal(policy.decide(question(narrowed, { product: ['p41'] })).allowed, false)
      }
    }
  })
})
