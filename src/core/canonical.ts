// Canonical JSON (RFC 8785): one text for equal values, over which digests are made.
import type { Json } from './json.ts'

/**
 * The canonical text of a value of JSON. Members that are undefined are left out, as JSON.stringify does. Depth is bounded by the parser
 * that made the value; a lone surrogate, which RFC 8785 refuses, does not pass that parser either.
 */
export function canonical(value: Json): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) {
    let text = '['
    for (let i = 0; i < value.length; i++) {
      if (i > 0) text += ','
      text += canonical(value[i] as Json)
    }
    return `${text}]`
  }
  // Without a comparator, names are compared by UTF-16 units, which is the order of RFC 8785 3.2.3.
  const names = Object.keys(value)
  if (!isSorted(names)) names.sort()
  let text = '{'
  for (const name of names) {
    const member = value[name]
    if (member === undefined) continue
    if (text.length > 1) text += ','
    text += `${JSON.stringify(name)}:${canonical(member)}`
  }
  return `${text}}`
}

function isSorted(names: readonly string[]): boolean {
  for (let i = 1; i < names.length; i++) if ((names[i - 1] as string) > (names[i] as string)) return false
  return true
}
