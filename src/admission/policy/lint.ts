// Finds what a valid policy most likely does not mean: rules that never decide, roles that nobody has, conditions that fail.
import type { GuardRule } from '../../core/guards.ts'
import { LOCAL_ROLE } from '../../core/principal.ts'
import type { CompiledPolicy, Finding } from './compile.ts'
import { coversPatterns, isUnder, type Patterns } from './pattern.ts'
import { approvalRank, concerns, type OperationRow, type Rule } from './rule.ts'

/** The roles that this installation can give to a caller. */
export interface GivenRoles {
  readonly names: ReadonlySet<string>
  /** A token can bring role names that no file lists. */
  readonly open: boolean
}

export interface LintOptions {
  readonly operations: readonly OperationRow[]
  /** Undefined = nothing is known of callers. */
  readonly given?: GivenRoles | undefined
}

export function lintPolicy(policy: CompiledPolicy, { operations, given }: LintOptions): readonly Finding[] {
  return [
    ...policy.rules.flatMap((rule) => lintRule(rule, policy.rules, operations)),
    ...policy.roles.flatMap((role) => lintRole(role, policy, given)),
    ...GUARDS.flatMap((guard) => lintGuard(guard, policy.guards[guard], operations)),
    ...(given === undefined ? [] : undefinedRoles(policy, given)),
  ]
}

function lintRule(rule: Rule, rules: readonly Rule[], operations: readonly OperationRow[]): Finding[] {
  const found: Finding[] = []
  const warn = (path: string, message: string, fix: string): void => void found.push({ path, message, fix })
  if (!operations.some((operation) => concerns(rule, operation)))
    warn(
      rule.place,
      'concerns no operation of this build',
      'Look for a slip in tool, module, method or effect.',
    )
  const cover = rules.find((other) => makesUseless(other, rule, rules))
  if (cover !== undefined)
    warn(rule.place, `never decides: ${cover.place} covers it`, 'Remove it, or narrow the other rule.')
  // A deny rule that fails refuses every call that it is looked at for; an allow rule that fails allows nothing.
  if (rule.sense === 'deny') {
    for (const warning of rule.when?.condition.warnings ?? [])
      warn(
        `${rule.place}.when`,
        warning,
        'Write that into the condition, unless the refusal is what you want.',
      )
  }
  return found
}

const GUARDS = ['sql', 'cypher', 'path', 'url', 'secrets'] as const

/** Names of modules and methods are all that can be looked up; the last rule of each guard is the built-in one. */
const lintGuard = (
  guard: string,
  rules: readonly GuardRule<unknown>[],
  operations: readonly OperationRow[],
): Finding[] =>
  rules.slice(0, -1).flatMap(({ holds }, index) =>
    operations.some(({ module, method, effect }) => holds({ module, method, effect, ...ANYWHERE }) !== 'no')
      ? []
      : [
          {
            path: `guards.${guard}[${index}]`,
            message: 'concerns no operation of this build',
            fix: 'Look for a slip in module or method.',
          },
        ],
  )

const ANYWHERE = { env: 'unknown', product: 'unknown', path: 'unknown' } as const

function makesUseless(other: Rule, rule: Rule, rules: readonly Rule[]): boolean {
  if (other === rule || (other.role !== undefined && other.role !== rule.role)) return false
  if (!covers(other, rule)) return false
  if (other.sense === 'deny' && rule.sense === 'allow') return true
  if (other.sense !== rule.sense) return false
  // The one that is looked at first decides what is recorded.
  if (rule.record !== other.record && rules.indexOf(rule) < rules.indexOf(other)) return false
  // Of two that say the same the later one is superfluous.
  if (covers(rule, other) && rule.approval === other.approval && rule.role === other.role)
    return rules.indexOf(other) < rules.indexOf(rule)
  return rule.approval === other.approval || approvalRank(other.approval ?? 'none') >= mostRank(rule)
}

// A rule that says nothing of approval asks for what the effect asks for, or for nothing where the tool says so.
const mostRank = ({ approval, effects }: Rule): number =>
  approval !== undefined
    ? approvalRank(approval)
    : effects?.every((effect) => effect === 'read') === true
      ? approvalRank('none')
      : approvalRank('confirm')

/** True where every call that `inner` holds for is one that `outer` holds for; may be false where a human sees it is true. */
function covers(outer: Rule, inner: Rule): boolean {
  return (
    coversTools(outer.tool, inner.tool) &&
    coversList(outer.module, inner.module) &&
    coversList(outer.method, inner.method) &&
    coversList(outer.env, inner.env) &&
    coversList(outer.product, inner.product) &&
    coversList(outer.credentialId, inner.credentialId) &&
    (outer.effects === undefined ||
      (inner.effects?.every((effect) => outer.effects?.includes(effect)) ?? false)) &&
    (outer.paths === undefined ||
      (inner.paths?.every((path) => outer.paths?.some((prefix) => isUnder(prefix, path))) ?? false)) &&
    (outer.when === undefined || outer.when.source === inner.when?.source) &&
    coversEntry(outer, inner)
  )
}

/** Every call has a tool, so a star covers them all; a module or an environment it may lack. */
const coversTools = (outer: Patterns | undefined, inner: Patterns | undefined): boolean =>
  outer?.sources.includes('*') === true || coversList(outer, inner)

const coversList = (outer: Patterns | undefined, inner: Patterns | undefined): boolean =>
  outer === undefined || (inner !== undefined && coversPatterns(outer, inner))

function coversEntry(outer: Rule, inner: Rule): boolean {
  // What the outer rule spares, the inner one has to spare as well.
  const spared = outer.except?.every(({ source }) => inner.except?.some((entry) => entry.source === source))
  if (spared === false) return false
  if (outer.entry === undefined) return true
  const { tool, operation } = outer.entry
  if (inner.entry === undefined) return operation === undefined && coversTools(tool, inner.tool)
  return coversPatterns(tool, inner.entry.tool) && coversList(operation, inner.entry.operation)
}

function lintRole(role: string, policy: CompiledPolicy, given: GivenRoles | undefined): Finding[] {
  const path = `role ${JSON.stringify(role)}`
  const found: Finding[] = []
  if (!policy.rules.some((rule) => rule.role === role && rule.sense === 'allow')) {
    found.push({
      path,
      message: 'allows nothing',
      fix: 'Add a rule below allow, or remove the role.',
    })
  }
  // Callers over standard input have the local role, whatever else is configured.
  if (given !== undefined && !given.names.has(role) && !given.open && role !== LOCAL_ROLE) {
    found.push({
      path,
      message: 'is a role that nobody can have',
      fix: 'Give it in keys.yaml, auth.mtls.map or auth.oauth, or remove it.',
    })
  }
  return found
}

const undefinedRoles = (policy: CompiledPolicy, given: GivenRoles): Finding[] =>
  [...given.names]
    .filter((role) => !policy.roles.includes(role))
    .map((role) => ({
      path: `role ${JSON.stringify(role)}`,
      message: 'is given to callers, but no policy says what it may do',
      fix: 'Define it below roles, or stop giving it.',
    }))
