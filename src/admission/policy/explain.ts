// Says of every rule whether it holds for a call and why, and which one decides: what `policy explain` prints.
import type { PolicyDecision, PolicyQuestion, Target } from '../../core/policy.ts'
import { NARROWED } from './cell.ts'
import type { CompiledPolicy } from './compile.ts'
import { matchesPaths, matchesPattern, matchesTarget, type Patterns } from './pattern.ts'
import { approvalRank, operationMismatch, type Rule, type ToolEntry } from './rule.ts'

export interface ExplainedRule {
  readonly rule: string
  /** Where it stands in the file. */
  readonly place: string
  /** Undefined = it holds for every caller. */
  readonly role: string | undefined
  readonly sense: 'allow' | 'deny'
  /** `error`: its condition could not be evaluated. */
  readonly matches: boolean | 'error'
  readonly because: string
  readonly decides: boolean
}

export interface Explanation {
  readonly decision: PolicyDecision
  /** Why the call needs the approval that the decision names, in words; undefined where it is refused. */
  readonly approvalBecause: string | undefined
  /** The credential itself is for other tools or operations, so no rule is asked. */
  readonly narrowed: boolean
  /** Roles of the caller that the policy does not define. */
  readonly unknownRoles: readonly string[]
  readonly rules: readonly ExplainedRule[]
}

/** In the order in which the rules are looked at. */
export function explain(policy: CompiledPolicy, question: PolicyQuestion): Explanation {
  const decision = policy.decide(question)
  return {
    decision,
    approvalBecause: decision.allowed ? approvalWords(policy, question, decision) : undefined,
    narrowed: decision === NARROWED,
    unknownRoles: question.principal.roles.filter((role) => !policy.roles.includes(role)),
    rules: policy.rulesOf(question.principal).map((rule) => ({
      rule: rule.id,
      place: rule.place,
      role: rule.role,
      sense: rule.sense,
      ...outcome(rule, question),
      decides: rule.id === decision.rule,
    })),
  }
}

/** The stronger of what the tool asks for and what the rule does; the rule that asks is not the one named where the policy observes. */
function approvalWords(
  { demands, rules }: CompiledPolicy,
  { tool, effect }: PolicyQuestion,
  { approval, rule: id, wouldDeny }: PolicyDecision,
): string {
  const demand = demands.get(tool)
  const rule = rules.find((one) => one.id === id)
  if (demand !== undefined && approvalRank(approval) === demand.always && rule?.approval !== approval)
    return `dangerous_tools says requires_approval: ${demand.always > 0} for ${tool}`
  if (wouldDeny)
    return approval === 'none'
      ? 'no rule that asks for one allows the call'
      : 'a rule that allows the call asks for it'
  if (rule?.approval !== undefined) return `${id} says so`
  return `${id} says nothing of approval, and the effect is ${effect}`
}

function outcome(rule: Rule, question: PolicyQuestion): Pick<ExplainedRule, 'matches' | 'because'> {
  const no = (because: string) => ({ matches: false, because })
  const operation = operationMismatch(rule, question)
  if (operation !== undefined) return no(OPERATION_WORDS[operation](rule, question))
  const { env, product, paths, credentialId, when, sense } = rule
  if (env !== undefined && !matchesTarget(env, question.env, sense))
    return no(targetWords('env', question.env, env.sources))
  if (product !== undefined && !matchesTarget(product, question.product, sense))
    return no(targetWords('product', question.product, product.sources))
  if (credentialId !== undefined && !matchesId(credentialId, question.credentialId))
    return no(`credentialId is ${shown(question.credentialId)}, not ${oneOf(credentialId.sources)}`)
  if (paths !== undefined && !matchesPaths(paths, question.path, sense))
    return no(targetWords('path', question.path, paths))
  if (when === undefined) return { matches: true, because: 'everything that it names matches' }
  const held = when.condition.evaluate(question)
  if (held === 'error')
    return {
      matches: held,
      because: 'its condition could not be evaluated: something in it is absent or too large',
    }
  return { matches: held, because: held ? 'its condition is true' : 'its condition is false' }
}

const matchesId = (patterns: Patterns, id: string | undefined): boolean =>
  id !== undefined && matchesPattern(patterns, id)

const OPERATION_WORDS: Readonly<
  Record<NonNullable<ReturnType<typeof operationMismatch>>, (rule: Rule, question: PolicyQuestion) => string>
> = {
  entry: (rule) => `it is for ${rule.entry?.source}`,
  except: (rule) => `it spares ${entries(rule.except)}`,
  tool: (rule, { tool }) => `tool is ${shown(tool)}, not ${oneOf(rule.tool?.sources)}`,
  module: (rule, { module }) => `module is ${shown(module)}, not ${oneOf(rule.module?.sources)}`,
  method: (rule, { method }) => `method is ${shown(method)}, not ${oneOf(rule.method?.sources)}`,
  effect: (rule, { effect }) => `effect is ${effect}, not ${oneOf(rule.effects)}`,
}

function targetWords(name: string, target: Target, wanted: readonly string[]): string {
  if (target === 'unknown') return `${name} cannot be seen in this call, and an allow rule needs to know it`
  if (target.length === 0) return `the call has no ${name}`
  return `${name} is ${oneOf(target)}, not ${oneOf(wanted)}`
}

const shown = (value: string | undefined): string => (value === undefined ? 'none' : JSON.stringify(value))
const oneOf = (values: readonly string[] = []): string => values.map(shown).join(' or ')
const entries = (given: readonly ToolEntry[] = []): string => given.map((entry) => entry.source).join(', ')
