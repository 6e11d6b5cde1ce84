// What a decision record says of what the guards have found: each kind of finding once, with the first place and how many there are.
import type { GuardNote } from '../core/call.ts'

/** Kinds of findings in one record; there are fewer words than that for any one call to be guarded with. */
const MAX_KINDS = 8
const MAX_PLACE = 64

// A place is a JSON Pointer of names that the catalogue or a rule has; whatever else stands there is not shown.
const PLACE = /^(?:\/[\w$:.~-]+)+$/
const WORD = /^[a-z][a-z0-9-]{0,31}$/

/** A list as JSON text, in the order in which they were found. */
export function guardsText(notes: readonly GuardNote[]): string {
  const kinds = new Map<string, { note: GuardNote; count: number }>()
  for (const note of notes) {
    const name = `${note.guard} ${note.found}`
    const known = kinds.get(name)
    if (known !== undefined) known.count++
    else if (kinds.size < MAX_KINDS) kinds.set(name, { note, count: 1 })
  }
  return `[${[...kinds.values()].map(kindText).join()}]`
}

const kindText = ({ note: { at, found, guard }, count }: { note: GuardNote; count: number }): string =>
  `{${at.length <= MAX_PLACE && PLACE.test(at) ? `"at":"${at}",` : ''}` +
  `${count === 1 ? '' : `"count":${count},`}"found":"${WORD.test(found) ? found : 'other'}","guard":"${guard}"}`
