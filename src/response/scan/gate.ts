// The one pass over a text: a finite automaton that knows the triggers of all rules, so its cost depends neither on them nor on the text.
import type { Rule } from './rule.ts'

export interface Gate {
  /** State times CODES plus the character's code, to the next state. */
  readonly next: Uint16Array
  /** From this state on a trigger ends. */
  readonly accepting: number
  /** What ends there, from that state on. */
  readonly ends: readonly (readonly Ending[])[]
}

/** Characters that a trigger can hold: ASCII. */
export const CODES = 128

export interface Ending {
  readonly rule: number
  /** Characters of the trigger. */
  readonly length: number
}

/** How many characters of which trigger have been seen: the trigger times STEP and their number. A state is a list of them. */
type Progress = number
const STEP = 128

/** More than any set of texts that the configuration may hold comes to. */
const MAX_STATES = 40_000

/** `rules` holds undefined where a rule is off. */
export function compileGate(rules: readonly (Rule | undefined)[]): Gate {
  const triggers: { sets: readonly ReadonlySet<number>[]; ending: Ending }[] = []
  rules.forEach((rule, index) => {
    for (const trigger of rule?.triggers ?? [])
      triggers.push({
        sets: [...trigger].map((letters) => setOf(letters, rule?.anyCase === true)),
        ending: { rule: index, length: trigger.length },
      })
  })
  const { classOf, sample } = classify(triggers.flatMap(({ sets }) => sets))
  const known = new Map<string | number, number>([['', 0]])
  const states: (readonly Progress[])[] = [[]]
  const stateOf = (items: readonly Progress[]): number => {
    // Most states are one item, and numbers are found faster than texts.
    const key = items.length === 1 ? (items[0] as number) : items.join()
    let state = known.get(key)
    if (state === undefined) {
      state = states.push(items) - 1
      known.set(key, state)
      if (state > MAX_STATES) throw new RangeError('too many texts to look for')
    }
    return state
  }
  /** Classes of each place of each trigger. */
  const classesOf = triggers.map(({ sets }) =>
    sets.map((set) => sample.flatMap((code, one) => (set.has(code) ? [one] : []))),
  )
  const begun: Progress[][] = sample.map(() => [])
  classesOf.forEach(([first], trigger) => {
    for (const one of first ?? []) begun[one]?.push(trigger * STEP + 1)
  })
  const fresh = Uint32Array.from(begun, stateOf)
  const steps: Uint32Array[] = []
  for (let state = 0; state < states.length; state++) {
    const row = fresh.slice()
    const further = new Map<number, Progress[]>()
    for (const item of states[state] ?? []) {
      for (const one of classesOf[Math.floor(item / STEP)]?.[item % STEP] ?? []) {
        const items = further.get(one)
        if (items === undefined) further.set(one, [item + 1])
        else items.push(item + 1)
      }
    }
    for (const [one, items] of further) row[one] = stateOf([...items, ...(begun[one] ?? [])])
    steps.push(row)
  }

  const endsOf = states.map((items) =>
    items
      .map((item) => ({ ending: triggers[Math.floor(item / STEP)]?.ending, seen: item % STEP }))
      .flatMap(({ ending, seen }) => (ending?.length === seen ? [ending] : [])),
  )
  const order = [...states.keys()].sort(
    (a, b) => Number((endsOf[a]?.length ?? 0) > 0) - Number((endsOf[b]?.length ?? 0) > 0),
  )
  const place = new Uint32Array(states.length)
  order.forEach((state, index) => {
    place[state] = index
  })
  // One load for each character: the classes serve the making only.
  const next = new Uint16Array(states.length * CODES)
  order.forEach((state, index) => {
    const row = steps[state] as Uint32Array
    for (let code = 0; code < CODES; code++)
      next[index * CODES + code] = place[row[classOf[code] as number] as number] as number
  })
  const ends = order.map((state) => endsOf[state] ?? []).filter((list) => list.length > 0)
  return { next, accepting: states.length - ends.length, ends }
}

function setOf(letters: string, anyCase: boolean): ReadonlySet<number> {
  const all = anyCase ? letters.toLowerCase() + letters.toUpperCase() : letters
  return new Set([...all].map((letter) => letter.charCodeAt(0)))
}

/** Characters that no trigger tells apart are one class; `sample` holds one of each. */
function classify(sets: readonly ReadonlySet<number>[]): { classOf: Uint8Array; sample: number[] } {
  const signatures: number[][] = Array.from({ length: 128 }, () => [])
  const unique = new Map([...sets].map((set) => [[...set].join(), set]))
  let index = 0
  for (const set of unique.values()) {
    for (const code of set) signatures[code]?.push(index)
    index++
  }
  const known = new Map<string, number>()
  const sample: number[] = []
  const classOf = new Uint8Array(128)
  for (let code = 0; code < 128; code++) {
    const key = signatures[code]?.join() ?? ''
    let one = known.get(key)
    if (one === undefined) {
      one = sample.push(code) - 1
      known.set(key, one)
    }
    classOf[code] = one
  }
  return { classOf, sample }
}
