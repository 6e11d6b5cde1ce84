// The corpus of the differential test: every base message under every single change, then pairs of changes from a seed.
import { BASES, type Draft, draftOf } from './bases.ts'
import { CHANGES } from './changes.ts'

export interface Case {
  /** How it was made: base and changes. */
  label: string
  method: string
  headers: readonly (readonly [name: string, value: string])[]
  body: Buffer | undefined
}

/** mulberry32: 32 bits of state are enough to choose from lists. */
function random(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

function finish(label: string, draft: Draft): Case {
  const bytes = draft.raw ?? Buffer.from(JSON.stringify(draft.message) ?? '')
  return {
    label,
    method: draft.http,
    headers: draft.headers,
    body: draft.http === 'POST' ? bytes : undefined,
  }
}

/** `pairs` cases with two or three changes follow the systematic part, which does not depend on the seed. */
export function corpus(seed: number, pairs: number): readonly Case[] {
  const cases: Case[] = []
  for (const base of BASES) {
    cases.push(finish(base.name, draftOf(base)))
    for (const change of CHANGES) {
      if (change.only !== undefined && !change.only(base)) continue
      const draft = draftOf(base)
      change.apply(draft)
      cases.push(finish(`${base.name}, ${change.name}`, draft))
    }
  }
  const next = random(seed)
  for (let i = 0; i < pairs; i++) {
    const base = BASES[next(BASES.length)]
    if (base === undefined) continue
    const draft = draftOf(base)
    const names: string[] = []
    for (let left = 2 + next(2); left > 0; left--) {
      const change = CHANGES[next(CHANGES.length)]
      if (change === undefined) continue
      change.apply(draft)
      names.push(change.name)
    }
    cases.push(finish(`${base.name}, ${names.join(', ')}`, draft))
  }
  return cases
}
