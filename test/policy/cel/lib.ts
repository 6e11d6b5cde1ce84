// Questions and conditions for the tests of CEL.
import assert from 'node:assert/strict'
import { type Condition, compileCondition } from '../../../src/admission/policy/cel.ts'
import type { Json } from '../../../src/core/json.ts'
import type { PolicyQuestion } from '../../../src/core/policy.ts'
import { makePrincipal } from '../../../src/core/principal.ts'

const PRINCIPAL = makePrincipal({
  method: 'oauth',
  id: 'https://issuer.example|agent-7',
  subject: 'agent-7',
  issuer: 'https://issuer.example',
  tenant: 'acme',
  roles: ['reader', 'analyst'],
  scopes: ['ductape:read'],
})

export function question(args: Json, more: Partial<PolicyQuestion> = {}): PolicyQuestion {
  return {
    principal: PRINCIPAL,
    tool: 'ductape_execute',
    module: 'databases',
    method: 'query',
    effect: 'read',
    env: ['dev'],
    product: ['acme:shop'],
    path: [],
    credentialId: undefined,
    args,
    size: Buffer.byteLength(JSON.stringify(args)),
    ...more,
  }
}

export function compiled(source: string): Condition {
  const result = compileCondition(source)
  assert.ok(result.ok, `${source}: ${result.ok ? '' : result.message}`)
  return result.condition
}

export const decide = (source: string, args: Json = {}, more: Partial<PolicyQuestion> = {}) =>
  compiled(source).evaluate(question(args, more))

/** The sentence of a condition that is refused when it is compiled. */
export function refusal(source: string): string {
  const result = compileCondition(source)
  assert.ok(!result.ok, `compiles: ${source.slice(0, 200)}`)
  return result.message
}
