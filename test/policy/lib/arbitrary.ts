// Random policies and questions over a universe so small that they meet.
import * as fc from 'fast-check'
import type { OperationRow } from '../../../src/admission/policy/index.ts'
import type { PolicyQuestion, Target } from '../../../src/core/policy.ts'
import { makePrincipal, type Principal } from '../../../src/core/principal.ts'
import { CONDITIONS, type ReferenceFile, type ReferenceRule } from './reference.ts'

export const SEED = Number(process.env['SEED'] ?? 20261121)
export const RUNS = Number(process.env['RUNS'] ?? 200)

const some = <T>(...values: T[]): fc.Arbitrary<T | T[]> =>
  fc.oneof(
    fc.constantFrom(...values),
    fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 2 }),
  )

const operation = {
  tool: some('execute', 'generate', 'exec*', '*'),
  module: some('data', 'store', 'd*', '*'),
  method: some('get', 'put', 'schema.get', '*get', '*'),
  effect: some('read', 'write', 'destructive', 'admin'),
}
const target = {
  env: some('dev', 'prd', 'd*', '*'),
  product: some('a:shop', 'b:shop', 'a:*'),
  path: some('reports', '/reports/', 'reports/2026', '/'),
  credentialId: some('k1.one', 'k1.two', 'k1.*'),
}
const when = fc.constantFrom(...Object.keys(CONDITIONS))
const approval = fc.constantFrom('none', 'notify', 'confirm', 'block')
const record = fc.constantFrom('digest', 'shape', 'safe-fields', 'redacted')

/** `operations`: rules that an operation alone decides; `targets`: targets as well; `all`: conditions too. */
export type Kind = 'operations' | 'targets' | 'all'

function rule(kind: Kind, withApproval: boolean): fc.Arbitrary<ReferenceRule> {
  const members = {
    ...operation,
    ...(kind === 'operations' ? {} : target),
    ...(kind === 'all' ? { when } : {}),
    ...(withApproval ? { approval } : {}),
    record,
  }
  return fc
    .record(members as Record<string, fc.Arbitrary<unknown>>, { requiredKeys: [] })
    .filter((made) =>
      Object.keys(made).some((key) => key !== 'approval' && key !== 'record'),
    ) as fc.Arbitrary<ReferenceRule>
}

const ROLES = ['r1', 'r2', 'r3'] as const

/** A rule that concerns every operation. */
const targetRule = fc.record(
  { ...target, when, approval, record },
  { requiredKeys: ['env', 'product'] },
) as fc.Arbitrary<ReferenceRule>

/** Of `many` rules a role has so many that the targets are looked up instead of matched. */
export function policyFile(kind: Kind, { many = false, observe = false } = {}): fc.Arbitrary<ReferenceFile> {
  const allow = many
    ? fc.array(fc.oneof({ weight: 5, arbitrary: targetRule }, rule(kind, true)), {
        minLength: 24,
        maxLength: 30,
      })
    : fc.array(rule(kind, true), { maxLength: 4 })
  const deny = fc.array(rule(kind, false), { maxLength: 2 })
  return fc.record({
    ...(observe ? { mode: fc.constant('observe'), until: fc.constant('2026-12-01') } : {}),
    roles: fc.dictionary(fc.constantFrom(...ROLES), fc.record({ allow, deny }), {
      minKeys: 1,
      maxKeys: many ? 1 : 3,
      noNullPrototype: true,
    }),
    dangerous_tools: fc.constantFrom(
      [],
      [{ name: 'execute', requires_approval: true }],
      [{ name: 'execute', requires_approval: false }],
    ),
  }) as fc.Arbitrary<ReferenceFile>
}

const EFFECTS = ['read', 'write', 'destructive', 'admin'] as const

/** Every operation of the universe, also one that has no name. */
export const OPERATIONS: readonly OperationRow[] = [
  ...['data', 'store'].flatMap((module) =>
    ['get', 'put', 'schema.get'].flatMap((method) =>
      EFFECTS.map((effect): OperationRow => ({ tool: 'execute', module, method, effect })),
    ),
  ),
  { tool: 'execute', module: undefined, method: undefined, effect: 'admin' },
  { tool: 'generate', module: undefined, method: undefined, effect: 'read' },
]

const targetOf = (...values: string[]): fc.Arbitrary<Target> =>
  fc.oneof(
    { weight: 1, arbitrary: fc.constant('unknown' as const) },
    { weight: 4, arbitrary: fc.uniqueArray(fc.constantFrom(...values), { maxLength: 2 }) },
  )

export const narrowing = fc.uniqueArray(
  fc.constantFrom('execute', 'gen*', 'execute:READ', 'execute:data.*', 'execute:*.get', '*'),
  { maxLength: 3 },
)

export const principalOf = (roles: readonly string[], tools?: readonly string[]): Principal =>
  makePrincipal({ method: 'oauth', id: 'oauth:test|a', subject: 'a', roles, tools })

export const caller: fc.Arbitrary<Principal> = fc
  .tuple(
    fc.array(fc.constantFrom(...ROLES, 'unknown'), { maxLength: 3 }),
    fc.option(narrowing, { nil: undefined, freq: 2 }),
  )
  .map(([roles, tools]) => principalOf(roles, tools))

const numbered = fc.option(fc.constantFrom(0, 1), { nil: undefined })

export const asked: fc.Arbitrary<PolicyQuestion> = fc
  .record({
    principal: caller,
    operation: fc.constantFrom(...OPERATIONS),
    env: targetOf('dev', 'prd', 'tst'),
    product: targetOf('a:shop', 'b:shop', 'c:shop'),
    path: targetOf('reports', 'reports/', '/reports/2026', 'reports/2026/a', 'reportsx', '/x'),
    credentialId: fc.constantFrom('k1.one', 'k1.two', 'k2.one', undefined),
    args: fc.record({ x: numbered, y: numbered }),
  })
  .map(({ operation: row, args: { x, y }, ...rest }) => ({
    ...row,
    ...rest,
    args: { ...(x === undefined ? {} : { x }), ...(y === undefined ? {} : { y }) },
    size: 20,
  }))
