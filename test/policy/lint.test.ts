// `policy check` finds what a valid policy most likely does not mean, and says nothing where it means it.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import * as fc from 'fast-check'
import { type GivenRoles, lintPolicy } from '../../src/admission/policy/index.ts'
import { asked, OPERATIONS, policyFile, principalOf, RUNS, SEED } from './lib/arbitrary.ts'
import { policyOf } from './lib/policy.ts'

const lint = (file: unknown, given?: GivenRoles): string[] =>
  lintPolicy(policyOf(file), { operations: OPERATIONS, given }).map(
    ({ path, message }) => `${path} ${message}`,
  )

test('rules that never decide', () => {
  const rows: [string, string[]][] = [
    // Another deny rule, a wider allow rule, the same rule again.
    [
      '{ allow: [{ tool: execute, effect: write }], deny: [{ tool: "exec*" }] }',
      ['roles.r.allow[0] never decides: roles.r.deny[0] covers it'],
    ],
    [
      '{ allow: [{ tool: "*" }, { tool: execute, env: dev }] }',
      ['roles.r.allow[1] never decides: roles.r.allow[0] covers it'],
    ],
    [
      '{ allow: [{ tool: execute }, { tool: [execute] }] }',
      ['roles.r.allow[1] never decides: roles.r.allow[0] covers it'],
    ],
    [
      '{ allow: [{ tool: "*" }], deny: [{ env: [dev, prd] }, { env: dev, path: a/ }] }',
      ['roles.r.deny[1] never decides: roles.r.deny[0] covers it'],
    ],
    [
      '{ allow: [{ path: [a, b] }, { path: b/c }] }',
      ['roles.r.allow[1] never decides: roles.r.allow[0] covers it'],
    ],
    [
      '{ allow: [{ when: "call.tool == \'x\'" }, { when: "call.tool == \'x\'", env: dev }] }',
      ['roles.r.allow[1] never decides: roles.r.allow[0] covers it'],
    ],
    // What asks for less approval where more is asked anyway.
    [
      '{ allow: [{ tool: "*", approval: confirm }, { tool: execute }] }',
      ['roles.r.allow[1] never decides: roles.r.allow[0] covers it'],
    ],
    [
      '{ allow: [{ tool: "*" }, { tool: execute, record: redacted }] }',
      ['roles.r.allow[1] never decides: roles.r.allow[0] covers it'],
    ],
    [
      '{ allow: [{ tool: "*", approval: none }, { tool: execute, effect: read }] }',
      ['roles.r.allow[1] never decides: roles.r.allow[0] covers it'],
    ],
    // These all have something of their own.
    ['{ allow: [{ tool: "*", approval: notify }, { tool: execute }] }', []],
    ['{ allow: [{ tool: execute, record: redacted }, { tool: "*" }] }', []],
    ['{ allow: [{ tool: "*" }], deny: [{ env: prd, record: digest }, { env: [prd, dev] }] }', []],
    ['{ allow: [{ tool: "*" }, { tool: execute, approval: confirm }] }', []],
    ['{ allow: [{ tool: execute }], deny: [{ tool: execute, env: prd }] }', []],
    ['{ allow: [{ tool: execute }], deny: [{ tool: execute, when: "call.effect == \'read\'" }] }', []],
    ['{ allow: [{ env: dev, effect: read }, { env: prd, effect: read }, { effect: write }] }', []],
  ]
  for (const [rules, expected] of rows) assert.deepEqual(lint(`roles: { r: ${rules} }`), expected, rules)
})

test('a rule of another role covers nothing: callers may have one without the other', () => {
  assert.deepEqual(lint('roles: { a: { allow: [{ tool: "*" }] }, b: { allow: [{ tool: execute }] } }'), [])
})

test('the form of seed 004: "*" allowed and denied, a denied tool among the allowed', () => {
  assert.deepEqual(lint('policies: [{ role: r, allowed_tools: ["*"], denied_tools: ["*"] }]'), [
    'policies[0].allowed_tools[0] never decides: policies[0].denied_tools[0] covers it',
  ])
  assert.deepEqual(
    lint('policies: [{ role: r, allowed_tools: [execute, "execute:READ"], denied_tools: [] }]'),
    ['policies[0].allowed_tools[1] never decides: policies[0].allowed_tools[0] covers it'],
  )
  assert.deepEqual(lint('policies: [{ role: r, allowed_tools: ["execute:READ"], denied_tools: ["*"] }]'), [])
})

test('names that no operation has', () => {
  assert.deepEqual(lint('roles: { r: { allow: [{ tool: "*" }, { tool: y }] } }'), [
    'roles.r.allow[1] concerns no operation of this build',
    'roles.r.allow[1] never decides: roles.r.allow[0] covers it',
  ])
  assert.deepEqual(lint('roles: { r: { allow: [{ module: dta }] } }'), [
    'roles.r.allow[0] concerns no operation of this build',
  ])
})

test('deny conditions that fail where they should ask first', () => {
  const deny = (when: string): string[] =>
    lint(`roles: { r: { allow: [{ tool: "*" }], deny: [{ when: "${when}" }] } }`)
  assert.match(deny('args.x == 1')[0] ?? '', /^roles\.r\.deny\[0\]\.when args\.x may be absent/)
  assert.deepEqual(deny('has(args.x) && args.x == 1'), [])
  // An allow rule that fails allows nothing, which is what it should do.
  assert.deepEqual(lint('roles: { r: { allow: [{ when: "args.x == 1" }] } }'), [])
})

test('roles: empty ones, ones that nobody has, ones that nobody has defined', () => {
  const file =
    'roles: { a: { allow: [{ tool: execute }] }, b: { deny: [{ tool: execute }] }, local: { allow: [{ tool: "*" }] } }'
  assert.deepEqual(lint(file), ['role "b" allows nothing'])
  assert.deepEqual(lint(file, { names: new Set(['a', 'c']), open: false }), [
    'role "b" allows nothing',
    'role "b" is a role that nobody can have',
    'role "c" is given to callers, but no policy says what it may do',
  ])
  // With tokens that bring names of their own, nobody can know.
  assert.deepEqual(lint(file, { names: new Set(['a']), open: true }), ['role "b" allows nothing'])
})

test('what is called superfluous can be removed, and nothing changes', (t: TestContext) => {
  const runs = Math.ceil(RUNS / 4)
  t.diagnostic(`seed ${SEED}, ${runs} runs`)
  fc.assert(
    fc.property(policyFile('all'), fc.array(asked, { minLength: 4, maxLength: 8 }), (file, questions) => {
      const policy = policyOf(structuredClone(file), { operations: OPERATIONS })
      const useless = lintPolicy(policy, { operations: OPERATIONS })
        .filter(({ message }) => message.startsWith('never decides'))
        .map(({ path }) => /^roles\.(\w+)\.(allow|deny)\[(\d+)\]$/.exec(path))
      fc.pre(useless.length > 0)
      for (const found of useless) {
        const [, role, list, index] = found!
        const changed = structuredClone(file)
        changed.roles[role!]![list as 'allow' | 'deny'].splice(Number(index), 1)
        const without = policyOf(changed, { operations: OPERATIONS })
        for (const question of questions) {
          const caller = principalOf([role!])
          const [before, after] = [policy, without].map((one) => {
            const { allowed, approval } = one.decide({ ...question, principal: caller })
            return { allowed, approval: allowed ? approval : 'none' }
          })
          assert.deepEqual(after, before)
        }
      }
    }),
    { seed: SEED, numRuns: runs, maxSkipsPerRun: 1000 },
  )
})
