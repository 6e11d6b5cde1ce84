// What a rule says, and whether it concerns an operation at all: the part of the decision that does not depend on a call's arguments.
import type { Approval, Capture } from '../../core/policy.ts'
import type { Effect } from '../../core/tool.ts'
import type { When } from './config.ts'
import { matchesPattern, type Patterns } from './pattern.ts'

/** What can be asked of this build. */
export interface OperationRow {
  readonly tool: string
  readonly module: string | undefined
  readonly method: string | undefined
  readonly effect: Effect
  /** Before the arguments raised it; absent = as it is. */
  readonly base?: Effect | undefined
}

/** `tool` or `tool:operation`, in the seed's form and in what a credential is narrowed to. */
export interface ToolEntry {
  readonly source: string
  readonly tool: Patterns
  readonly operation: Patterns | undefined
}

/** Every member that is defined has to match. */
export interface Rule {
  /** The rule's name, or `role/allow/0`. */
  readonly id: string
  /** Where it stands in the file, as `policy check` prints it. */
  readonly place: string
  /** Undefined = it holds for every caller. */
  readonly role: string | undefined
  readonly sense: 'allow' | 'deny'
  readonly entry: ToolEntry | undefined
  /** The rule does not concern what one of these names. */
  readonly except: readonly ToolEntry[] | undefined
  readonly tool: Patterns | undefined
  readonly module: Patterns | undefined
  readonly method: Patterns | undefined
  readonly effects: readonly Effect[] | undefined
  readonly env: Patterns | undefined
  readonly product: Patterns | undefined
  readonly credentialId: Patterns | undefined
  readonly paths: readonly string[] | undefined
  readonly when: When | undefined
  /** Undefined on an allow rule that says nothing; `block` on a deny rule that stays in force while the policy observes. */
  readonly approval: Approval | undefined
  /** What the records of the calls that it decides show of their arguments. */
  readonly record: Capture
  /** SHA-256 of the rule as the file has it, lower-case hex. */
  readonly digest: string
}

/** The approval that a call needs whichever rule allows it, and the one where that rule says nothing. */
export interface Demand {
  /** Ranks. */
  readonly always: number
  readonly otherwise: number
  /** Digest of the row of `dangerous_tools` that says it; undefined = none does. */
  readonly digest: string | undefined
}

/** Weakest first. */
export const APPROVALS = ['none', 'notify', 'confirm', 'block'] as const satisfies readonly Approval[]

export const approvalRank = (approval: Approval): number => APPROVALS.indexOf(approval)

/** Where the file says nothing: what only reads passes, for everything else a person is asked. */
const OF_READ: Demand = { always: 0, otherwise: 0, digest: undefined }
const OF_OTHERS: Demand = { always: 0, otherwise: approvalRank('confirm'), digest: undefined }
export const defaultDemand = (effect: Effect): Demand => (effect === 'read' ? OF_READ : OF_OTHERS)

/** What a row of `dangerous_tools` with `requires_approval` makes of it. */
export function toolDemand(isRequired: boolean, digest: string): Demand {
  const rank = approvalRank(isRequired ? 'confirm' : 'none')
  return { always: rank, otherwise: rank, digest }
}

/** A method outside the catalogue has no name here, only the effect admin: the caller's own text decides nothing. */
const isUnnamed = (operation: OperationRow): boolean =>
  operation.module === undefined && operation.method === undefined && operation.effect === 'admin'

/** The selectors of a rule that an operation alone decides, in the order in which `explain` names them. */
export const OPERATION_SELECTORS = ['entry', 'except', 'tool', 'module', 'method', 'effect'] as const

/** The first selector that keeps the rule from concerning this operation; undefined = it concerns it. */
export function operationMismatch(
  rule: Rule,
  operation: OperationRow,
): (typeof OPERATION_SELECTORS)[number] | undefined {
  if (rule.entry !== undefined && !namesOperation(rule.entry, operation, rule.sense)) return 'entry'
  if (rule.except?.some((entry) => namesOperation(entry, operation, opposite(rule.sense)))) return 'except'
  if (rule.tool !== undefined && !matchesPattern(rule.tool, operation.tool)) return 'tool'
  if (rule.module !== undefined && !matchesName(rule, rule.module, operation.module, operation))
    return 'module'
  if (rule.method !== undefined && !matchesName(rule, rule.method, operation.method, operation))
    return 'method'
  if (rule.effects !== undefined && !rule.effects.some((effect) => hasEffect(operation, effect, rule.sense)))
    return 'effect'
  return undefined
}

const RISING: readonly Effect[] = ['read', 'write', 'destructive', 'admin']

/**
 * An allow rule has to name what the call does. A deny rule also holds for what the operation does at least: else an argument that makes the
 * call worse would be the way around it.
 */
function hasEffect(operation: OperationRow, effect: Effect, sense: Rule['sense']): boolean {
  if (sense === 'allow' || operation.base === undefined) return effect === operation.effect
  const rank = RISING.indexOf(effect)
  return RISING.indexOf(operation.base) <= rank && rank <= RISING.indexOf(operation.effect)
}

export const concerns = (rule: Rule, operation: OperationRow): boolean =>
  operationMismatch(rule, operation) === undefined

// What a rule spares must be as certain as what the contrary rule would claim.
const opposite = (sense: Rule['sense']): Rule['sense'] => (sense === 'allow' ? 'deny' : 'allow')

function matchesName(
  rule: Rule,
  patterns: Patterns,
  name: string | undefined,
  operation: OperationRow,
): boolean {
  if (name !== undefined) return matchesPattern(patterns, name)
  return rule.sense === 'deny' && isUnnamed(operation)
}

/** An operation is named `module.method`, or by its effect in capitals (`READ`). */
export function namesOperation(entry: ToolEntry, operation: OperationRow, sense: Rule['sense']): boolean {
  if (!matchesPattern(entry.tool, operation.tool)) return false
  if (entry.operation === undefined) return true
  const named = entry.operation
  if (RISING.some((one) => hasEffect(operation, one, sense) && matchesPattern(named, one.toUpperCase())))
    return true
  const { module, method } = operation
  if (method !== undefined)
    return matchesPattern(entry.operation, module === undefined ? method : `${module}.${method}`)
  return sense === 'deny' && isUnnamed(operation) && !entry.operation.sources.every(isEffectWord)
}

const isEffectWord = (word: string): boolean => /^(?:READ|WRITE|DESTRUCTIVE|ADMIN)$/.test(word)

/** True where arguments decide as well. */
export const dependsOnCall = (rule: Rule): boolean =>
  rule.env !== undefined ||
  rule.product !== undefined ||
  rule.credentialId !== undefined ||
  rule.paths !== undefined ||
  rule.when !== undefined
