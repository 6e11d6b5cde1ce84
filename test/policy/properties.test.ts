// What holds for every policy: it decides as the documentation says, a deny wins, nothing that takes away ever gives.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import * as fc from 'fast-check'
import { explain } from '../../src/admission/policy/index.ts'
import type { PolicyDecision, PolicyQuestion, Target } from '../../src/core/policy.ts'
import { asked, caller, narrowing, OPERATIONS, policyFile, principalOf, RUNS, SEED } from './lib/arbitrary.ts'
import { NOW, policyOf } from './lib/policy.ts'
import { type ReferenceFile, referenceDecision } from './lib/reference.ts'

const check = (t: TestContext, property: Parameters<typeof fc.assert>[0], share = 1): void => {
  const runs = Math.ceil(RUNS * share)
  t.diagnostic(`seed ${SEED}, ${runs} runs`)
  fc.assert(property as fc.IProperty<unknown>, { seed: SEED, numRuns: runs })
}

const compile = (file: ReferenceFile) => policyOf(structuredClone(file), { operations: OPERATIONS })
const decide = (file: ReferenceFile, question: PolicyQuestion): PolicyDecision =>
  compile(file).decide(question)
const anyFile = fc.oneof(policyFile('all'), policyFile('all', { observe: true }))

test('the compiled policy decides as the plain reading of the rules does', (t) => {
  check(
    t,
    fc.property(anyFile, fc.array(asked, { minLength: 1, maxLength: 6 }), (file, questions) => {
      const policy = compile(file)
      // Twice, since the second time comes from what the first one has found.
      for (const question of [...questions, ...questions])
        assert.deepEqual(policy.decide(question), referenceDecision(file, question, NOW))
    }),
  )
})

test('so it does with many rules, where targets are looked up: every combination of targets', (t) => {
  const targets = (one: string, other: string): Target[] => ['unknown', [], [one], [other], [one, other]]
  const questions = targets('dev', 'prd').flatMap((env) =>
    targets('a:shop', 'b:shop').flatMap((product) =>
      ['k1.one', 'k1.two', undefined].map((credentialId) => ({ env, product, credentialId })),
    ),
  )
  const file = fc.oneof(policyFile('all', { many: true }), policyFile('all', { many: true, observe: true }))
  check(
    t,
    fc.property(file, asked, (made, one) => {
      const policy = compile(made)
      // Twice, since the second time comes from what the first one has found.
      for (const given of [...questions, ...questions]) {
        const question = { ...one, ...given, principal: principalOf(Object.keys(made.roles)) }
        assert.deepEqual(policy.decide(question), referenceDecision(made, question, NOW))
      }
    }),
    1 / 8,
  )
})

/** A deny rule that holds for this very question, without condition or target. */
const denyFor = (question: PolicyQuestion) => ({
  tool: question.tool,
  ...(question.module === undefined ? {} : { module: question.module }),
  effect: [question.effect],
})

test('a deny rule of any role of the caller wins over every allow rule', (t) => {
  check(
    t,
    fc.property(policyFile('all'), asked, fc.nat(), (file, question, pick) => {
      const roles = question.principal.roles.filter((role) => Object.hasOwn(file.roles, role))
      fc.pre(roles.length > 0)
      const changed = structuredClone(file)
      changed.roles[roles[pick % roles.length]!]!.deny.push(denyFor(question))
      assert.equal(decide(changed, question).allowed, false)
    }),
  )
})

test('adding a deny rule never allows, removing one never denies', (t) => {
  check(
    t,
    fc.property(anyFile, policyFile('all'), asked, (file, other, question) => {
      const changed = structuredClone(file)
      for (const role of Object.keys(changed.roles))
        changed.roles[role]!.deny.push(...(other.roles[role]?.deny ?? []))
      if (decide(changed, question).allowed) assert.equal(decide(file, question).allowed, true)
    }),
  )
})

test('removing an allow rule never allows what was not allowed', (t) => {
  check(
    t,
    fc.property(anyFile, asked, fc.nat(), (file, question, pick) => {
      const changed = structuredClone(file)
      const role = Object.keys(changed.roles)[pick % Object.keys(changed.roles).length]!
      const rules = changed.roles[role]!.allow
      const at = rules.findIndex((rule) => rule.approval !== 'block')
      fc.pre(at >= 0)
      rules.splice(at, 1)
      const after = decide(changed, question)
      // What only the observing lets pass is not allowed by the policy.
      if (after.allowed && !after.wouldDeny) assert.equal(decide(file, question).allowed, true)
    }),
  )
})

test('narrowing a credential never widens it', (t) => {
  check(
    t,
    fc.property(anyFile, asked, narrowing, (file, question, tools) => {
      const { roles } = question.principal
      const wide = { ...question, principal: principalOf(roles) }
      const narrow = { ...question, principal: principalOf(roles, tools) }
      const decision = decide(file, narrow)
      if (decision.allowed) assert.deepEqual(decision, decide(file, wide))
      const policy = compile(file)
      if (policy.mayUse(narrow.principal, question.tool))
        assert.equal(policy.mayUse(wide.principal, question.tool), true)
    }),
  )
})

test('listed <=> callable, by asking for every operation', (t) => {
  const file = fc.oneof(policyFile('operations'), policyFile('operations', { observe: true }))
  check(
    t,
    fc.property(file, caller, (made, principal) => {
      const policy = compile(made)
      for (const tool of ['execute', 'generate', 'unknown']) {
        const callable = OPERATIONS.filter((row) => row.tool === tool).some(
          (row) =>
            policy.decide({
              ...row,
              principal,
              env: [],
              product: [],
              path: [],
              credentialId: undefined,
              args: {},
              size: 2,
            }).allowed,
        )
        assert.equal(policy.mayUse(principal, tool), callable, tool)
      }
    }),
  )
})

test('what is callable with some target or argument is listed', (t) => {
  check(
    t,
    fc.property(anyFile, asked, (file, question) => {
      const policy = compile(file)
      if (policy.decide(question).allowed)
        assert.equal(policy.mayUse(question.principal, question.tool), true)
    }),
  )
})

test('observing relaxes reads and writes only, and never an error, a block or a narrowing', (t) => {
  check(
    t,
    fc.property(policyFile('all', { observe: true }), asked, (file, question) => {
      const { mode: _, until: __, ...enforced } = file
      const observed = decide(file, question)
      const strict = decide(enforced, question)
      if (strict.allowed) assert.deepEqual(observed, strict)
      if (!observed.allowed || strict.allowed) return
      assert.equal(observed.wouldDeny, true)
      assert.ok(question.effect === 'read' || question.effect === 'write')
      assert.ok(strict.refusal === 'role' || strict.refusal === 'rule')
      assert.equal(observed.refusal, strict.refusal)
      assert.equal(observed.rule, strict.rule)
      assert.notEqual(strict.approval, 'block')
      assert.notEqual(strict.rule, 'credential/tools')
    }),
  )
})

test('an error never allows, nor asks for less approval, than any value that the condition could have had', (t) => {
  const ranks = ['none', 'notify', 'confirm', 'block']
  check(
    t,
    fc.property(anyFile, asked, (file, question) => {
      const policy = compile(file)
      const decision = policy.decide(question)
      if (!decision.allowed) return
      for (const x of [0, 1]) {
        for (const y of [0, 1]) {
          const args = { x, y, ...(question.args as object) }
          const known = policy.decide({ ...question, args })
          // "has(args.x)" is no error when x is absent: there the added value is another call.
          if (!Object.hasOwn(question.args as object, 'x') && usesHas(file)) continue
          assert.equal(known.allowed, true)
          assert.ok(ranks.indexOf(decision.approval) >= ranks.indexOf(known.approval))
        }
      }
    }),
  )
})

const usesHas = (file: ReferenceFile): boolean => JSON.stringify(file).includes('has(')

test('explain looks at every rule of the caller and names the one that decides', (t) => {
  check(
    t,
    fc.property(anyFile, asked, (file, question) => {
      const policy = compile(file)
      const { decision, rules, narrowed } = explain(policy, question)
      assert.deepEqual(decision, policy.decide(question))
      const deciding = rules.filter((rule) => rule.decides)
      assert.equal(deciding.length, decision.rule === undefined || narrowed ? 0 : 1)
      for (const rule of deciding) {
        assert.equal(rule.matches, decision.refusal === 'error' ? 'error' : true)
        const allows = decision.refusal === undefined
        assert.equal(rule.sense, allows || decision.refusal === 'error' ? rule.sense : 'deny')
        if (allows) assert.equal(rule.sense, 'allow')
      }
      if (decision.allowed && !decision.wouldDeny)
        assert.ok(!rules.some((rule) => rule.sense === 'deny' && rule.matches !== false))
    }),
  )
})
