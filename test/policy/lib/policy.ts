// Policies and questions for tests: a policy from YAML or from an object, a question with everything ordinary filled in.
import assert from 'node:assert/strict'
import { parse } from 'yaml'
import { policySchema } from '../../../src/admission/policy/config.ts'
import {
  type CompiledPolicy,
  compilePolicy,
  loadConditionsFor,
  type OperationRow,
} from '../../../src/admission/policy/index.ts'
import type { PolicyQuestion } from '../../../src/core/policy.ts'
import { makePrincipal, type Principal } from '../../../src/core/principal.ts'

// As a service does it before it parses a policy that has conditions.
await loadConditionsFor('when')

export const NOW = Date.UTC(2026, 10, 21)
export const DIGEST = '0'.repeat(64)

export interface PolicyOptions {
  operations?: readonly OperationRow[]
  now?: () => number
}

/** The policy of a YAML text or of its value; fails where it does not hold. */
export function policyOf(
  file: unknown,
  { operations = [], now = () => NOW }: PolicyOptions = {},
): CompiledPolicy {
  const parsed = policySchema.parse(typeof file === 'string' ? parse(file) : file)
  const compiled = compilePolicy(parsed, { digest: DIGEST, now, operations })
  assert.ok(compiled.ok, JSON.stringify(compiled))
  return compiled.policy
}

export const principal = (
  roles: readonly string[],
  given: Partial<Omit<Principal, 'roles'>> = {},
): Principal => makePrincipal({ method: 'oauth', id: 'oauth:test|agent', subject: 'agent', ...given, roles })

export function question(
  roles: readonly string[] | Principal,
  given: Partial<Omit<PolicyQuestion, 'principal'>> = {},
): PolicyQuestion {
  return {
    principal: 'id' in roles ? roles : principal(roles),
    tool: 'ductape_execute',
    module: 'databases',
    method: 'query',
    effect: 'read',
    env: ['dev'],
    product: ['acme:shop'],
    path: [],
    credentialId: 'k1.one',
    args: {},
    size: 2,
    ...given,
  }
}
