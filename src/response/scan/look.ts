// Looks through one text with compiled rules: one pass, a look at each trigger, and no text is found twice by one detector.
import { type Gate, type Seen, UNKNOWN } from './gate.ts'
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
  /** What the gate has seen so far: between slices it may forget its states. */
  seen: Seen
  /** Undefined as long as nothing was found, as in most texts. */
  findings: Finding[] | undefined
  /** How far each of the operator's rules has looked, by its number. */
  searched: number[] | undefined
}

/** Units of work after which others get their turn; a character is one. */
const SLICE = 64 * 1024
/** What a look at a trigger costs beside a character. */
const LOOK = 64

/** What a new state of the gate costs. */
const STEP = 256

export const openLook = (plan: Plan, text: string): Look => ({
  plan,
  text,
  at: 0,
  state: 0,
  seen: [],
  findings: undefined,
  searched: undefined,
})

/** Goes on for one slice; true where the end has been reached. */
export function lookOn(look: Look): boolean {
  const { text } = look
  const { gate } = look.plan
  const { length } = text
  look.state = look.at === 0 ? 0 : gate.stateOf(look.seen)
  let work = SLICE
  while (work > 0) {
    const from = look.at
    glide(look, gate.next, Math.min(length, from + work))
    const { at } = look
    work -= at - from + 1
    if (at >= length) return true
    if (work <= 0) break
    look.at = at + 1
    const code = text.charCodeAt(at)
    if (code > 0x7f) {
      look.state = 0
      work -= LOOK
      look.at = unseen(look, at) + 1
      continue
    }
    let entry = gate.next[look.state + code] as number
    if (entry === UNKNOWN) {
      entry = gate.step(look.state, code)
      work -= STEP
    }
    look.state = entry < 0 ? ~entry : entry
    if (entry < 0) work -= ended(look, look.state, at)
  }
  look.seen = gate.seenIn(look.state)
  return false
}

/** Goes on to what calls for a look; small, because most of the time of a scan is spent here. */
function glide(look: Look, next: Int32Array, end: number): void {
  const { text } = look
  let { at, state } = look
  for (; at < end; at++) {
    const code = text.charCodeAt(at)
    if (code > 0x7f) {
      if (UNSEEN[code] !== 0) break
      state = 0
      continue
    }
    const to = next[state + code] as number
    if (to < 0) break
    state = to
  }
  look.at = at
  look.state = state
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
  for (const { rule: number, length } of gate.endsIn(state)) {
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
  look.searched ??= []
  if (start < (look.searched[number] ?? 0) - BEFORE) return 0
  const from = Math.max(0, start - BEFORE)
  const to = Math.min(look.text.length, start + AFTER)
  for (const range of find(look.text.slice(from, to)))
    report(look, number, { from: from + range.from, to: from + range.to })
  look.searched[number] = to
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
