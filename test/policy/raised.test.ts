// What a deny rule holds for when arguments make a call worse, and what explain says of a path.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { explain } from '../../src/admission/policy/index.ts'
import { policyOf, question } from './lib/policy.ts'

const allowed = (rules: object): boolean =>
  policyOf({ roles: { r: rules } }).decide(question(['r'], { effect: 'destructive', base: 'write' })).allowed

describe('a call whose arguments raise write to destructive', () => {
  for (const [effect, passes] of [
    ['read', true],
    ['write', false],
    ['destructive', false],
    ['admin', true],
  ] as const)
    test(`${passes ? 'passes' : 'is refused by'} a rule that denies ${effect}`, () =>
      assert.equal(allowed({ allow: [{ tool: '*' }], deny: [{ module: 'databases', effect }] }), passes))

  for (const effect of ['read', 'write', 'admin'] as const)
    test(`is not allowed by a rule for ${effect}`, () =>
      assert.equal(allowed({ allow: [{ tool: '*', effect }] }), false))
})

test('explain says that a path keeps a rule from matching', () => {
  const policy = policyOf({ roles: { r: { allow: [{ tool: '*', path: 'reports/' }] } } })
  const [rule] = explain(policy, question(['r'], { path: ['invoices/1'] })).rules
  assert.equal(rule?.matches, false)
  assert.match(String(rule?.because), /path is/)
})
