// Replaces the credentials of a call wherever they turn up: on parsed strings and member names, never on JSON bytes (design.md 6).
import { REDACTED } from './text.ts'

/** Credentials shorter than this are refused before they get here: else a caller could choose what is cut out of an answer. */
export const MIN_CREDENTIAL = 12

export interface Redactor {
  /** True where the JSON text cannot hold any of the credentials, so that it need not be walked. */
  cleanJson(source: string): boolean
  text(value: string): string
  /** The value with every string and member name replaced; the same value where nothing was found. Iterates no deeper than the stack allows. */
  value<T>(value: T): T
}

// Only an escape that can stand for a visible character could hide a credential from a search of the source.
const HIDING_ESCAPE = /\\[u/"\\]/

/** Prepares the forms of the credentials: as they are, percent-encoded, and the three base64 alignments in both alphabets. */
export function createRedactor(credentials: readonly string[]): Redactor {
  const needles: string[] = []
  for (const credential of credentials) if (credential.length >= MIN_CREDENTIAL) addForms(needles, credential)
  const found = (text: string): boolean => {
    for (const needle of needles) if (text.includes(needle)) return true
    return false
  }
  const replace = (text: string): string => {
    let out = text
    for (const needle of needles) if (out.includes(needle)) out = out.replaceAll(needle, REDACTED)
    return out
  }
  return {
    cleanJson: (source) => !HIDING_ESCAPE.test(source) && !found(source),
    text: replace,
    value: (value) => (needles.length === 0 ? value : (walk(value, replace) as typeof value)),
  }
}

function addForms(needles: string[], credential: string): void {
  needles.push(credential)
  const encoded = encodeURIComponent(credential.toWellFormed())
  if (encoded !== credential)
    needles.push(
      encoded,
      encoded.replace(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase()),
    )
  const bytes = Buffer.from(credential)
  // In the middle of other bytes a text has one of three base64 forms; the characters it shares with its neighbours are left off.
  for (let lead = 0; lead < 3; lead++) {
    const padded = Buffer.alloc(lead + bytes.length)
    bytes.copy(padded, lead)
    const start = lead === 0 ? 0 : lead + 1
    const end = Math.floor((padded.length * 8) / 6)
    const base64 = padded.toString('base64').slice(start, end)
    needles.push(base64)
    const urlSafe = base64.replaceAll('+', '-').replaceAll('/', '_')
    if (urlSafe !== base64) needles.push(urlSafe)
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
