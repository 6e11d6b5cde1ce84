// The compiler of conditions is loaded with the first policy that may have one. A file of its own: nothing here may have loaded it before.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileCondition, loadConditionsFor } from '../../src/admission/policy/conditions.ts'

test('the compiler is loaded by a policy that may have a condition, also where an escape hides the word', async () => {
  const compile = () => compileCondition('call.effect == "read"')
  const unloaded = /loadConditionsFor comes before the first condition/
  assert.throws(compile, unloaded)
  await loadConditionsFor('roles: { r: { allow: [{ tool: "*" }] } }')
  assert.throws(compile, unloaded)
  await loadConditionsFor(String.raw`roles: { r: { allow: [{ "wh\u0065n": "true" }] } }`)
  assert.doesNotThrow(compile)
})
