// The one pass over a text: a finite automaton that knows the triggers of all rules, so its cost depends neither on them nor on the text.
// Its states are made when a text first comes to them: a start makes none, and most are never needed.
import type { Letters, Rule } from './rule.ts'

/** How many characters of which trigger have been seen: the trigger times STEP and their number. */
type Progress = number
const STEP = 128
/** What has been seen of all triggers: a state. */
export type Seen = readonly Progress[]

export interface Gate {
  /**
   * A state plus the character's code, to the next state; a state is the place of its row. Negative: UNKNOWN, or the complement of a state
   * where a trigger ends.
   */
  next: Int32Array
  /** Triggers that end in a state. */
  endsIn(state: number): readonly Ending[]
  seenIn(state: number): Seen
  /** The state of what has been seen; made where there is none yet. */
  stateOf(seen: Seen): number
  /** What `next` has to hold at this place; the row may move to another array. */
  step(state: number, code: number): number
}

/** Characters that a trigger can hold: ASCII. */
export const CODES = 128
export const UNKNOWN = -(2 ** 31)

export interface Ending {
  readonly rule: number
  /** Characters of the trigger. */
  readonly length: number
}

/** Rows of 512 bytes that are kept; a text that comes to more of them has the others made anew. */
const MAX_STATES = 8192
const FIRST_STATES = 128

const NOTHING: Seen = Object.freeze([])

/** `rules` holds undefined where a rule is off. */
export function compileGate(rules: readonly (Rule | undefined)[], maxStates = MAX_STATES): Gate {
  const triggers: { letters: string | readonly Letters[]; anyCase: boolean; ending: Ending }[] = []
  /** By the code of a character: triggers of which it is the first. */
  const begun: Progress[][] = Array.from({ length: CODES }, () => [])
  rules.forEach((rule, index) => {
    const anyCase = rule?.anyCase === true
    for (const letters of rule?.triggers ?? []) {
      const progress = triggers.length * STEP + 1
      for (const letter of letters[0] ?? '') {
        begun[letter.charCodeAt(0)]?.push(progress)
        if (anyCase && otherCase(letter) !== letter) begun[otherCase(letter).charCodeAt(0)]?.push(progress)
      }
      triggers.push({ letters, anyCase, ending: { rule: index, length: letters.length } })
    }
  })
  let known = new Map<string, number>()
  let seen: Seen[] = []
  let endings: (readonly Ending[])[] = []
  const gate: Gate = {
    next: new Int32Array(FIRST_STATES * CODES).fill(UNKNOWN),
    endsIn: (state) => endings[state / CODES] ?? [],
    seenIn: (state) => seen[state / CODES] ?? NOTHING,
    stateOf,
    step,
  }
  function stateOf(items: Seen): number {
    const key = items.join()
    const old = known.get(key)
    if (old !== undefined) return old
    const index = seen.push(items) - 1
    endings.push(endsOf(items))
    known.set(key, index * CODES)
    if (seen.length * CODES > gate.next.length) {
      const more = new Int32Array(gate.next.length * 2).fill(UNKNOWN)
      more.set(gate.next)
      gate.next = more
    }
    return index * CODES
  }
  const endsOf = (items: Seen): readonly Ending[] =>
    items.flatMap((item) => {
      const ending = triggers[Math.floor(item / STEP)]?.ending
      return ending?.length === item % STEP ? [ending] : []
    })
  function step(state: number, code: number): number {
    const letter = String.fromCharCode(code)
    const items: Progress[] = []
    for (const item of gate.seenIn(state)) {
      const trigger = triggers[Math.floor(item / STEP)]
      const letters = trigger?.letters[item % STEP] ?? ''
      if (letters.includes(letter) || (trigger?.anyCase && letters.includes(otherCase(letter))))
        items.push(item + 1)
    }
    items.push(...(begun[code] ?? []))
    const full = seen.length >= maxStates && !known.has(items.join())
    if (full) forget()
    const to = stateOf(items)
    const entry = endsOf(items).length > 0 ? ~to : to
    // The row that led here is gone with the others.
    if (!full) gate.next[state + code] = entry
    return entry
  }
  function forget(): void {
    known = new Map()
    seen = []
    endings = []
    gate.next = new Int32Array(FIRST_STATES * CODES).fill(UNKNOWN)
    stateOf(NOTHING)
  }
  stateOf(NOTHING)
  return gate
}

const otherCase = (letter: string): string =>
  letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()
