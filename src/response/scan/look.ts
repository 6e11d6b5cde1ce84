// Looks through one text with compiled rules: one pass, a look at each trigger, and no text is found twice by one detector.
import { CODES, type Gate } from './gate.ts'
import type { Action, Range, Rule } from './rule.ts'
import { findUnseen, UNSEEN, UNSEEN_RULES } from './unseen.ts'

export interface Finding extends Range {
  readonly rule: Rule
  readonly action: Action
}

/** What holds for the calls of one effect. */
export interface Plan {
  readonly gate: Gate
  /** By the rule's number in the gate. */
  readonly rules: readonly Rule[]
  /** What is done where a rule finds something; undefined = it is off. */
  readonly actions: readonly (Action | undefined)[]
  /** Number of the first of UNSEEN_RULES; the others follow. */
  readonly unseen: number
}

/** How far a text has been looked through. */
export interface Look {
  readonly plan: Plan
  readonly text: string
  at: number
  state: number
  /** Undefined as long as nothing was found, as in most texts. */
  findings: Finding[] | undefined
  /** How far each of the operator's rules has looked, by its number. */
  seen: number[] | undefined
}

/** Units of work after which others get their turn; a character is one. */
const SLICE = 64 * 1024
/** What a look at a trigger costs beside a character. */
const LOOK = 64

export const openLook = (plan: Plan, text: string): Look => ({
  plan,
  text,
  at: 0,
  state: 0,
  findings: undefined,
  seen: undefined,
})

/** Goes on for one slice; true where the end has been reached. */
export function lookOn(look: Look): boolean {
  const { text } = look
  const { next, accepting } = look.plan.gate
  const { length } = text
  let { at, state } = look
  let work = SLICE
  for (; at < length && work > 0; at++, work--) {
    const code = text.charCodeAt(at)
    if (code > 0x7f) {
      state = 0
      if (UNSEEN[code] !== 0) {
        work -= LOOK
        at = unseen(look, at)
      }
      continue
    }
    state = next[state * CODES + code] as number
    if (state >= accepting) work -= ended(look, state, at)
  }
  look.at = at
  look.state = state
  return at >= length
}

/** Gives the place of the last unit that was looked at. */
function unseen(look: Look, at: number): number {
  const found = findUnseen(look.text, at)
  if (found === undefined) return at
  report(look, look.plan.unseen + UNSEEN_RULES.indexOf(found.rule), found.range)
  return found.range.to - 1
}

/** Triggers that end here; gives what the looks at them cost. */
function ended(look: Look, state: number, at: number): number {
  const { gate, rules, actions } = look.plan
  let work = 0
  for (const { rule: number, length } of gate.ends[state - gate.accepting] ?? []) {
    if (actions[number] === undefined) continue
    const rule = rules[number] as Rule
    const start = at - length + 1
    work += LOOK
    if (rule.search !== undefined) work += search(look, rule.search, number, start)
    else {
      const range = rule.find(look.text, start)
      if (range === undefined) continue
      work += range.to - range.from
      report(look, number, range)
    }
  }
  return work
}

/** Characters that a rule of the operator sees after its trigger, and before it. */
const AFTER = 1024
const BEFORE = 256
/** A character costs the engine of these rules so many. */
const SEARCH_COST = 24

/** A rule of the operator looks around its trigger, and only at what it has not seen: else many triggers would cost as many looks. */
function search(look: Look, find: NonNullable<Rule['search']>, number: number, start: number): number {
  look.seen ??= []
  const seen = look.seen[number] ?? 0
  if (start < seen - BEFORE) return 0
  const from = Math.max(0, start - BEFORE)
  const to = Math.min(look.text.length, start + AFTER)
  for (const range of find(look.text.slice(from, to)))
    report(look, number, { from: from + range.from, to: from + range.to })
  look.seen[number] = to
  return (to - from) * SEARCH_COST
}

const STRENGTH: readonly Action[] = ['flag', 'redact', 'block']
const stronger = (one: Action, other: Action): Action =>
  STRENGTH.indexOf(one) > STRENGTH.indexOf(other) ? one : other

/** How many findings back an overlapping one can stand. */
const NEAR = 4

function report(look: Look, number: number, range: Range): void {
  const rule = look.plan.rules[number]
  const action = look.plan.actions[number]
  if (rule === undefined || action === undefined) return
  look.findings ??= []
  const { findings } = look
  for (let i = findings.length - 1; i >= 0 && i >= findings.length - NEAR; i--) {
    const other = findings[i] as Finding
    if (other.to <= range.from || other.from >= range.to || other.rule.detector !== rule.detector) continue
    // The rule that knows the text best is named; everything that either has found is dealt with.
    findings[i] = {
      from: Math.min(other.from, range.from),
      to: Math.max(other.to, range.to),
      rule: other.rule.generic && !rule.generic ? rule : other.rule,
      action: stronger(other.action, action),
    }
    return
  }
  findings.push({ ...range, rule, action })
}
