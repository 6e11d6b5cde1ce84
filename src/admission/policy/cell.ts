// Decides a call by the rules that concern its operation: those are found once, and what is left to look at are targets and conditions.
import { hash } from 'node:crypto'
import {
  type Capture,
  DEFAULT_CAPTURE,
  type PolicyDecision,
  type PolicyQuestion,
  type PolicyRefusal,
  type Target,
} from '../../core/policy.ts'
import type { Effect } from '../../core/tool.ts'
import { matchesPaths, matchesPattern, matchesTarget } from './pattern.ts'
import { APPROVALS, approvalRank, concerns, type Demand, type OperationRow, type Rule } from './rule.ts'

/** A rule with everything it can decide made beforehand; shared by all cells. */
interface Candidate {
  readonly rule: Rule
  /** Rank of the approval that an allow rule leads to: its own, or the one for rules that say nothing; never less than the tool's. */
  readonly rank: number
  /** It names targets of which there are few values. */
  readonly hasTargets: boolean
  /** It names paths or has a condition. */
  readonly hasRest: boolean
  readonly allowed: PolicyDecision
  readonly refused: PolicyDecision
  readonly failed: PolicyDecision
}

/** All that the rules of some roles say about one operation. */
export interface Cell {
  readonly denies: readonly Candidate[]
  /** The strongest approval first; what stands behind a rule that always holds is left out, since it could not change anything. */
  readonly allows: readonly Candidate[]
  /** The targets have been looked at. */
  readonly settled: boolean
  /** The decision where it does not depend on the call. */
  readonly fixed: PolicyDecision | undefined
  /** What a refusal `role` becomes while the policy observes; undefined where that is never relaxed. */
  readonly relaxed: PolicyDecision | undefined
  /** Cells for single values of the targets, where there are many rules. */
  readonly refined: Refined | undefined
}

type ByTarget<T> = Map<string | null | undefined, T>
type Refined = ByTarget<ByTarget<ByTarget<Cell>>>

/** From this many rules on, target patterns are looked at once for each value instead of once for each call. */
const MANY = 16
/** UTF-16 units of a value that a cell is kept for. */
const MAX_KEPT = 256

function decision(
  allowed: boolean,
  refusal: PolicyRefusal | undefined,
  rule: string | undefined,
  rank: number,
  record: Capture = DEFAULT_CAPTURE,
  ruleDigest?: string,
): PolicyDecision {
  const wouldDeny = allowed && refusal !== undefined
  return Object.freeze({
    allowed,
    refusal,
    rule,
    approval: APPROVALS[rank] ?? 'block',
    ruleDigest,
    wouldDeny,
    record,
  })
}

/** No rule allows it. */
export const NO_RULE = decision(false, 'role', undefined, 0)
/** The credential is narrowed to other tools; never relaxed, since that is not the policy's word. */
export const NARROWED = decision(false, 'role', 'credential/tools', 0)

/** Observing relaxes nothing that cannot be undone. */
export const isRelaxable = (effect: Effect): boolean => effect === 'read' || effect === 'write'

export function makeCell(rules: readonly Rule[], operation: OperationRow, demand: Demand): Cell {
  const candidates = rules
    .filter((rule) => concerns(rule, operation))
    .map((rule) => candidateOf(rule, demand))
  // What no rule allows has no rule to ask for more than the tool does: else observing would refuse every write.
  const relaxed = isRelaxable(operation.effect)
    ? decision(true, 'role', undefined, demand.always, DEFAULT_CAPTURE, demand.digest)
    : undefined
  return finishCell(candidates, relaxed, false)
}

function finishCell(
  candidates: readonly Candidate[],
  relaxed: PolicyDecision | undefined,
  settled: boolean,
): Cell {
  const isOpen = ({ hasTargets, hasRest }: Candidate): boolean => hasRest || (hasTargets && !settled)
  const denies = candidates.filter(({ rule }) => rule.sense === 'deny')
  const all = candidates
    .filter(({ rule }) => rule.sense === 'allow')
    .sort((one, other) => other.rank - one.rank)
  const certain = all.findIndex((candidate) => !isOpen(candidate))
  const allows = certain < 0 ? all : all.slice(0, certain + 1)
  // Without an open rule the question is never looked at; a relaxed refusal depends on the time.
  const fixed = [...denies, ...allows].some(isOpen) ? undefined : fixedDecision(denies, allows, relaxed)
  const targets = settled ? 0 : [...denies, ...allows].filter(({ hasTargets }) => hasTargets).length
  return { denies, allows, settled, fixed, relaxed, refined: targets > MANY ? new Map() : undefined }
}

function fixedDecision(
  denies: readonly Candidate[],
  allows: readonly Candidate[],
  relaxed: PolicyDecision | undefined,
): PolicyDecision | undefined {
  const deny = denies.find(isHard) ?? denies[0]
  if (deny !== undefined) return relaxed === undefined || isHard(deny) ? deny.refused : undefined
  return allows[0]?.allowed ?? (relaxed === undefined ? NO_RULE : undefined)
}

/** Where the tool asks for approval as well, the digest covers its row. */
const joined = (rule: string, tool: string | undefined): string =>
  tool === undefined ? rule : hash('sha256', `${rule} ${tool}`)

/** `approval: block` stays in force while the policy observes. */
const isHard = ({ rule }: Candidate): boolean => rule.approval === 'block'

const candidates = new WeakMap<Rule, Map<Demand, Candidate>>()

function candidateOf(rule: Rule, demand: Demand): Candidate {
  let made = candidates.get(rule)
  if (made === undefined) {
    made = new Map()
    candidates.set(rule, made)
  }
  let candidate = made.get(demand)
  if (candidate === undefined) {
    candidate = makeCandidate(rule, demand)
    made.set(demand, candidate)
  }
  return candidate
}

function makeCandidate(rule: Rule, demand: Demand): Candidate {
  const own = rule.approval === undefined ? demand.otherwise : approvalRank(rule.approval)
  const rank = Math.max(demand.always, own)
  const { digest } = rule
  return {
    rule,
    rank,
    hasTargets: rule.env !== undefined || rule.product !== undefined || rule.credentialId !== undefined,
    hasRest: rule.paths !== undefined || rule.when !== undefined,
    allowed: decision(true, undefined, rule.id, rank, rule.record, joined(digest, demand.digest)),
    refused: decision(false, 'rule', rule.id, own, rule.record, digest),
    failed: decision(false, 'error', rule.id, 0, rule.record, digest),
  }
}

/**
 * Decides in this order, and the order of the rules changes nothing but which of several equal ones is named:
 * 1. a deny rule that holds refuses `rule`;
 * 2. a deny rule whose condition fails refuses `error`;
 * 3. of the allow rules that hold, the one with the strongest approval allows; one whose condition fails refuses `error` where its
 *    approval would have been stronger still, or where no other holds: nowhere else could it have changed anything;
 * 4. what no rule allows is refused `role`.
 * Observing turns 1 and 4 into allowed for reads and writes, so errors come first there; the approval that allow rules ask for stays.
 */
export function judge(cell: Cell, question: PolicyQuestion, observing: () => boolean): PolicyDecision {
  let deny: Candidate | undefined
  let failedDeny: Candidate | undefined
  for (const candidate of cell.denies) {
    const held = holds(candidate, question, cell.settled)
    if (held === 'error') failedDeny ??= candidate
    else if (held && (deny === undefined || (isHard(candidate) && !isHard(deny)))) deny = candidate
  }
  if (deny !== undefined && (cell.relaxed === undefined || isHard(deny) || !observing())) return deny.refused
  if (failedDeny !== undefined) return failedDeny.failed

  let failed: Candidate | undefined
  let allow: Candidate | undefined
  for (const candidate of cell.allows) {
    const held = holds(candidate, question, cell.settled)
    if (held === true) {
      allow = candidate
      break
    }
    if (held === 'error') failed ??= candidate
  }
  if (failed !== undefined && (allow === undefined || failed.rank > allow.rank)) return failed.failed
  if (deny !== undefined) return relax(deny, allow?.allowed ?? cell.relaxed ?? NO_RULE)
  if (allow !== undefined) return allow.allowed
  return cell.relaxed !== undefined && observing() ? cell.relaxed : NO_RULE
}

/** What a deny rule becomes while the policy observes; the approval that is asked for stays, and is bound to the rule that asks. */
const relax = ({ rule }: Candidate, { approval, ruleDigest }: PolicyDecision): PolicyDecision =>
  decision(true, 'rule', rule.id, approvalRank(approval), rule.record, ruleDigest)

function holds(
  { rule, hasTargets, hasRest }: Candidate,
  question: PolicyQuestion,
  settled: boolean,
): boolean | 'error' {
  if (hasTargets && !settled && !matchesTargets(rule, question)) return false
  if (!hasRest) return true
  if (rule.paths !== undefined && !matchesPaths(rule.paths, question.path, rule.sense)) return false
  return rule.when === undefined ? true : rule.when.condition.evaluate(question)
}

/** The targets of which there are few values. */
function matchesTargets({ env, product, credentialId, sense }: Rule, question: PolicyQuestion): boolean {
  if (env !== undefined && !matchesTarget(env, question.env, sense)) return false
  if (product !== undefined && !matchesTarget(product, question.product, sense)) return false
  return (
    credentialId === undefined ||
    (question.credentialId !== undefined && matchesPattern(credentialId, question.credentialId))
  )
}

/** The cell for the single values of a call; `made` is told of each new one, so that they can be bounded. */
export function refine(cell: Cell, question: PolicyQuestion, made: (cell: Cell) => void): Cell {
  if (cell.refined === undefined) return cell
  const { product, env } = question
  if (isSeveral(product) || isSeveral(env)) return cell
  // They are the caller's text, and a cell would keep them: one that no pattern is as long as is looked at and forgotten.
  if (isLong(product) || isLong(env)) return cell
  const byCredential = inner(inner(cell.refined, keyOf(product)), keyOf(env))
  let found = byCredential.get(question.credentialId)
  if (found === undefined) {
    const left = [...cell.denies, ...cell.allows].filter(
      ({ rule, hasTargets }) => !hasTargets || matchesTargets(rule, question),
    )
    found = finishCell(left, cell.relaxed, true)
    byCredential.set(question.credentialId, found)
    made(found)
  }
  return found
}

const isSeveral = (target: Target): boolean => target !== 'unknown' && target.length > 1
const isLong = (target: Target): boolean => target !== 'unknown' && (target[0]?.length ?? 0) > MAX_KEPT
/** The only value; null = it cannot be seen, undefined = there is none. */
const keyOf = (target: Target): string | null | undefined => (target === 'unknown' ? null : target[0])

/** The map at a key, made where there is none. */
export function inner<Key, InnerKey, Value>(
  outer: Map<Key, Map<InnerKey, Value>>,
  key: Key,
): Map<InnerKey, Value> {
  let found = outer.get(key)
  if (found === undefined) {
    found = new Map()
    outer.set(key, found)
  }
  return found
}
