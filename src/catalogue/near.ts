// Finds the known names that an unknown one may have meant: equal parts of a dotted name first, then a bounded edit distance.
import { editDistance } from '../core/edit-distance.ts'

// Longer than every name of the catalogue; what a caller sends beyond it cannot bring a name nearer.
const LONGEST = 64

// Verbs that other SDKs use for the same thing, so that get finds fetch and find finds query.
const SAME_VERBS: readonly (readonly string[])[] = [
  ['get', 'fetch', 'find', 'read', 'query', 'select'],
  ['create', 'add', 'insert', 'register'],
  ['update', 'set', 'edit', 'modify'],
  ['delete', 'remove', 'del', 'drop'],
  ['run', 'execute', 'invoke', 'call'],
]

/** At most `limit` of `known` that are near `name`, best first and in their own order among equals. */
export function nearest(name: string, known: readonly string[], limit: number): readonly string[] {
  const asked = fold(name)
  if (asked === '') return []
  return known
    .map((candidate) => ({ candidate, distance: distance(asked, fold(candidate)) }))
    .filter((match) => match.distance < Number.POSITIVE_INFINITY)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, limit)
    .map((match) => match.candidate)
}

// Case, underscores and hyphens are spelling, not meaning: find_similar is findSimilar.
function fold(name: string): string {
  return name
    .slice(0, LONGEST)
    .toLowerCase()
    .replace(/[^a-z0-9.]/g, '')
}

function distance(asked: string, known: string): number {
  if (asked === known) return 0
  const askedParts = asked.split('.')
  const knownParts = known.split('.')
  const askedLast = askedParts.at(-1) ?? ''
  const knownLast = knownParts.at(-1) ?? ''
  // databases.query for query, list for environments.list.
  if (asked === knownLast || askedLast === known) return 1
  if (askedLast === knownLast) return 2
  if (knownParts.includes(asked)) return 3
  // Part by part, so that a long first part does not excuse slips in a short verb.
  const slips =
    askedParts.length === knownParts.length
      ? askedParts.reduce((sum, part, i) => sum + edits(part, knownParts[i] ?? ''), 0)
      : 1 + edits(askedLast, knownLast)
  const contained = asked.length >= 3 && known.includes(asked) ? 2 : Number.POSITIVE_INFINITY
  return 3 + Math.min(slips, contained, sameVerb(askedParts, knownParts) ? 4 : Number.POSITIVE_INFINITY)
}

// environments.get for environments.fetch: everything but the verb is equal.
function sameVerb(asked: readonly string[], known: readonly string[]): boolean {
  if (asked.slice(0, -1).join('.') !== known.slice(0, -1).join('.')) return false
  const verb = asked.at(-1) ?? ''
  return SAME_VERBS.some((verbs) => verbs.includes(verb) && verbs.includes(known.at(-1) ?? ''))
}

/** Edit distance, infinite above a third of the length of `asked` (at least 1, at most 3). */
function edits(asked: string, known: string): number {
  const bound = Math.min(3, Math.max(1, Math.floor(asked.length / 3)))
  if (Math.abs(asked.length - known.length) > bound) return Number.POSITIVE_INFINITY
  const result = editDistance(asked, known)
  return result <= bound ? result : Number.POSITIVE_INFINITY
}
