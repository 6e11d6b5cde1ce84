// Cuts a JSON text to a size and closes what is open, so that what is left is JSON and everything in it was there before.
import { isObject, type Json, member } from '../../core/json.ts'
import { closingQuote } from './replace.ts'

/** A prefix of the text's values that has at most so many UTF-16 units; the text itself where it fits, undefined where nothing does. */
export function truncateJson(source: string, max: number): string | undefined {
  if (source.length <= max) return source
  /** Closing brackets of what is open. */
  let closers = ''
  /** The longest prefix so far that is whole but for its closers. */
  let good: { end: number; closers: string } | undefined
  let at = 0
  const keep = (end: number): boolean => {
    if (end + closers.length > max) return false
    good = { end, closers }
    return true
  }
  while (at < source.length) {
    const letter = source.charAt(at)
    if (letter === '{' || letter === '[') {
      closers = (letter === '{' ? '}' : ']') + closers
      at++
      if (!keep(at)) break
    } else if (letter === '}' || letter === ']') {
      closers = closers.slice(1)
      at++
      if (!keep(at)) break
    } else if (letter === '"') {
      const end = closingQuote(source, at + 1) + 1
      if (isName(source, end)) {
        at = end
        continue
      }
      if (!keep(end)) return cutString(source, at, max, closers) ?? close(source, good)
      at = end
    } else if (/[-\dtfn]/.test(letter)) {
      WORD.lastIndex = at
      at += WORD.exec(source)?.[0].length ?? 1
      if (!keep(at)) break
    } else at++
    // Only white space, commas, colons and names are passed without a look at the size.
    if (at > max) break
  }
  return close(source, good)
}

/**
 * The same for a value of a declared form (JSON Schema): members that the schema names stay, each cut to the same size where it is longer, and
 * all values keep their type. What does not fit even then is empty.
 */
export function truncateDeclared(value: Json, schema: Json | undefined, max: number): string {
  const source = JSON.stringify(value)
  if (source.length <= max) return source
  if (!isObject(value)) return truncateJson(source, max) ?? (typeof value === 'string' ? '""' : '[]')
  const named = member(schema, 'properties')
  if (named === undefined) return truncateJson(source, max) ?? '{}'
  const members = Object.entries(value)
    .filter(([name]) => member(named, name) !== undefined)
    .map(([name, inner]) => ({ name, head: `${JSON.stringify(name)}:`, inner }))
  // The braces, and a comma behind each but the last.
  const room = max - 1 - members.reduce((sum, { head }) => sum + head.length + 1, 0)
  const each = shareOf(
    members.map(({ inner }) => JSON.stringify(inner).length),
    room,
  )
  return `{${members.map(({ name, head, inner }) => head + truncateDeclared(inner, member(named, name), each)).join()}}`
}

/** The size to which all have to be cut so that they fit; smaller ones leave what they do not need to the others. */
function shareOf(sizes: readonly number[], room: number): number {
  let left = room
  const ascending = sizes.toSorted((a, b) => a - b)
  for (const [index, size] of ascending.entries()) {
    const share = Math.floor(left / (ascending.length - index))
    if (size > share) return share
    left -= size
  }
  return room
}

const WORD = /[-+.\w]+/y
const COLON = /\s*:/y
function isName(source: string, end: number): boolean {
  COLON.lastIndex = end
  return COLON.test(source)
}

const close = (source: string, good: { end: number; closers: string } | undefined): string | undefined =>
  good === undefined ? undefined : source.slice(0, good.end) + good.closers

/** A string that does not fit is cut where no escape and no character is cut in two. */
function cutString(source: string, open: number, max: number, closers: string): string | undefined {
  let end = max - closers.length - CUT.length - 1
  if (end <= open + MIN_PIECE) return undefined
  const slash = source.lastIndexOf('\\', end)
  if (slash >= end - MAX_ESCAPE) end = safeEnd(source, open, end)
  if (/[\ud800-\udbff]/.test(source.charAt(end - 1))) end--
  return `${source.slice(0, end)}${CUT}"${closers}`
}

/** Stands at the end of a string that was cut. */
const CUT = '…'
/** Less than that of a string says nothing. */
const MIN_PIECE = 16
/** Two escaped halves of one character. */
const MAX_ESCAPE = 12

/** The last place up to `end` that is between two characters. */
function safeEnd(source: string, open: number, end: number): number {
  // Backslashes come in pairs or begin an escape: a run of them tells from its beginning.
  let at = Math.max(open + 1, end - MAX_ESCAPE * 2)
  while (at > open + 1 && source.charCodeAt(at - 1) === 0x5c) at--
  // The place may be inside of an escape that began before it: its letters are plain then, and do no harm.
  let good = at
  while (at <= end) {
    good = at
    if (source.charCodeAt(at) !== 0x5c) at++
    else if (source.charAt(at + 1) !== 'u') at += 2
    else at += /^\\ud[89ab][\da-f]{2}\\ud[c-f]/i.test(source.slice(at, at + 9)) ? 12 : 6
  }
  return good
}
