// Canonical JSON (RFC 8785): one text for equal values, over which digests are made.
import type { Json, JsonObject } from './json.ts'
import type { PreparedCall } from './tool.ts'

/** Set where an object cannot be copied in order. */
let stuck = false

/**
 * The canonical text of a value of JSON. Members that are undefined are left out, as JSON.stringify does. Depth is bounded by the parser
 * that made the value; a lone surrogate, which RFC 8785 refuses, does not pass that parser either.
 */
export function canonical(value: Json): string {
  return canonicalFrom(value, undefined)
}

/** The same where JSON.stringify has made `text` of the value: most values have their members in order, and are not written again. */
export function canonicalFrom(value: Json, text: string | undefined): string {
  stuck = false
  // JSON.stringify writes strings and numbers as RFC 8785 wants them, and a value whose members are in order in half the time of any loop.
  const ordered = inOrder(value)
  if (stuck) return written(value)
  return ordered === value && text !== undefined ? text : JSON.stringify(ordered)
}

/** The canonical text of the arguments of a call, which three stages make digests of. */
export const canonicalArguments = (prepared: Pick<PreparedCall, 'arguments' | 'canonical'>): string =>
  prepared.canonical?.() ?? canonical(prepared.arguments)

/** The value with all members in order; what is in order already is not copied. */
function inOrder(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    let copy: Json[] | undefined
    for (let i = 0; i < value.length; i++) {
      const item = inOrder(value[i] as Json)
      if (item === value[i]) continue
      copy ??= value.slice()
      copy[i] = item
    }
    return copy ?? value
  }
  const names = Object.keys(value)
  let copy = sort(names) ? {} : undefined
  for (let i = 0; i < names.length; i++) {
    const name = names[i] as string
    const member = inOrder(value[name] as Json)
    if (copy === undefined && member !== value[name]) copy = firstOf(value, names, i)
    if (copy !== undefined) put(copy, name, member)
  }
  return copy ?? value
}

function firstOf(value: JsonObject, names: readonly string[], count: number): JsonObject {
  const copy: JsonObject = {}
  for (let i = 0; i < count; i++) put(copy, names[i] as string, value[names[i] as string] as Json)
  return copy
}

function put(copy: JsonObject, name: string, member: Json): void {
  // An object always has names that are numbers first, and __proto__ would not become a member.
  const first = name.charCodeAt(0)
  if ((first >= 0x30 && first <= 0x39) || name === '__proto__') stuck = true
  else copy[name] = member
}

function written(value: Json): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(written).join()}]`
  const names = Object.keys(value)
  sort(names)
  const members = names.filter((name) => value[name] !== undefined)
  return `{${members.map((name) => `${JSON.stringify(name)}:${written(value[name] as Json)}`).join()}}`
}

/** True where the names were not in order. Without a comparator they are compared by UTF-16 units, which is the order of RFC 8785 3.2.3. */
function sort(names: string[]): boolean {
  for (let i = 1; i < names.length; i++) {
    if ((names[i - 1] as string) <= (names[i] as string)) continue
    names.sort()
    return true
  }
  return false
}
