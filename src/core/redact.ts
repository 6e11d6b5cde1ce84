// Replaces the credentials of a call wherever they turn up: on parsed strings and member names, never on JSON bytes (design.md 6).
import { REDACTED } from './text.ts'

/** Credentials shorter than this are refused before they get here: else a caller could choose what is cut out of an answer. */
export const MIN_CREDENTIAL = 12

export interface Redactor {
  /** True where the JSON text cannot hold any of the credentials, so that it need not be walked. */
  cleanJson(source: string): boolean
  /** The same for a text without escapes, a plain envelope for one. */
  cleanPlain(source: string): boolean
  text(value: string): string
  /** The value with every string and member name replaced; the same value where nothing was found. Iterates no deeper than the stack allows. */
  value<T>(value: T): T
}

// Only an escape that can stand for a visible character could hide a credential from a search of the source.
const HIDING_ESCAPE = /\\[u/"\\]/

/** Prepares the forms of the credentials: as they are, percent-encoded in whole or in part, and the three base64 alignments in both alphabets. */
export function createRedactor(credentials: readonly string[]): Redactor {
  // The longest first: where one credential begins with another, none of it may be left standing.
  const held = credentials.filter((one) => one.length >= MIN_CREDENTIAL).sort((a, b) => b.length - a.length)
  const needles: string[] = []
  for (const credential of held) addForms(needles, credential)
  const found = (text: string): boolean => {
    for (const needle of needles) if (text.includes(needle)) return true
    if (!text.includes('%')) return false
    const plain = decodePercent(text)
    return held.some((credential) => plain.includes(credential))
  }
  const replace = (text: string): string => {
    let out = text
    for (const needle of needles) if (out.includes(needle)) out = out.replaceAll(needle, REDACTED)
    if (out.includes('%')) for (const credential of held) out = replaceEncoded(out, credential)
    return out
  }
  return {
    cleanPlain: (source) => !found(source),
    cleanJson: (source) => !HIDING_ESCAPE.test(source) && !found(source),
    text: replace,
    value: (value) => (held.length === 0 ? value : (walk(value, replace) as typeof value)),
  }
}

const ENCODED = /%[2-7][0-9a-fA-F]/g

// Visible ASCII is all that a credential has. Encoders differ in what they leave as it is, so the text is decoded instead of the credential encoded (RFC 3986 2.1);
// and a pattern of alternatives would be slow on hostile text.
const decodePercent = (text: string): string =>
  text.replace(ENCODED, (triplet) => String.fromCharCode(Number.parseInt(triplet.slice(1), 16)))

function replaceEncoded(text: string, credential: string): string {
  const plain = decodePercent(text)
  let hit = plain.indexOf(credential)
  if (hit < 0) return text
  const starts = offsets(text, plain.length)
  let out = ''
  let from = 0
  while (hit >= 0) {
    const end = hit + credential.length
    out += text.slice(from, starts[hit]) + REDACTED
    from = starts[end] as number
    hit = plain.indexOf(credential, end)
  }
  return out + text.slice(from)
}

/** Where each unit of the decoded text begins in the text, and the end. */
function offsets(text: string, units: number): Uint32Array {
  const starts = new Uint32Array(units + 1)
  let unit = 0
  let at = 0
  for (const { index } of text.matchAll(ENCODED)) {
    while (at < index) starts[unit++] = at++
    starts[unit++] = at
    at += 3
  }
  while (unit <= units) starts[unit++] = at++
  return starts
}

function addForms(needles: string[], credential: string): void {
  needles.push(credential)
  // In the middle of other bytes a text has one of three base64 forms; the characters it shares with its neighbours are left off.
  const bytes = Buffer.from(credential).toString('latin1')
  for (let lead = 0; lead < 3; lead++) {
    const length = lead + bytes.length
    const base64 = btoa('\0'.repeat(lead) + bytes).slice(
      lead === 0 ? 0 : lead + 1,
      Math.floor((length * 8) / 6),
    )
    needles.push(base64)
    if (base64.includes('+') || base64.includes('/'))
      needles.push(base64.replaceAll('+', '-').replaceAll('/', '_'))
  }
}

function walk(value: unknown, replace: (text: string) => string): unknown {
  if (typeof value === 'string') return replace(value)
  if (typeof value !== 'object' || value === null || JSON.isRawJSON(value)) return value
  if (Array.isArray(value)) {
    let copy: unknown[] | undefined
    for (let i = 0; i < value.length; i++) {
      const item = walk(value[i], replace)
      if (item !== value[i] && copy === undefined) copy = value.slice()
      if (copy !== undefined) copy[i] = item
    }
    return copy ?? value
  }
  let changed = false
  const entries = Object.entries(value)
  for (const entry of entries) {
    const name = replace(entry[0])
    const member = walk(entry[1], replace)
    if (name !== entry[0] || member !== entry[1]) changed = true
    entry[0] = name
    entry[1] = member
  }
  return changed ? Object.fromEntries(entries) : value
}
