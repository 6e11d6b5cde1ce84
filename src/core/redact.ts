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

/** Prepares the forms of the credentials: as they are, percent-encoded in whole or in part, and the three base64 alignments in both alphabets. */
export function createRedactor(credentials: readonly string[]): Redactor {
  const held = credentials.filter((credential) => credential.length >= MIN_CREDENTIAL)
  const needles: string[] = []
  for (const credential of held) addForms(needles, credential)
  // Made for the rare text that has a percent sign at all.
  let encoded: RegExp[] | undefined
  const percentForms = (text: string): RegExp[] => {
    if (!text.includes('%')) return []
    encoded ??= held.filter((credential) => credential.length <= MAX_ENCODED).map(percentForm)
    return encoded
  }
  const found = (text: string): boolean => {
    for (const needle of needles) if (text.includes(needle)) return true
    return percentForms(text).some((form) => text.search(form) >= 0)
  }
  const replace = (text: string): string => {
    let out = text
    for (const needle of needles) if (out.includes(needle)) out = out.replaceAll(needle, REDACTED)
    for (const form of percentForms(out)) out = out.replace(form, REDACTED)
    return out
  }
  return {
    cleanJson: (source) => !HIDING_ESCAPE.test(source) && !found(source),
    text: replace,
    value: (value) => (held.length === 0 ? value : (walk(value, replace) as typeof value)),
  }
}

/** Longest credential that is looked for percent-encoded: over what a tool takes, and still a small pattern. */
const MAX_ENCODED = 1024

// Encoders differ in what they leave as it is and in the case of the digits, so each character may stand in either form (RFC 3986 2.1).
function percentForm(credential: string): RegExp {
  let pattern = ''
  for (const character of credential.toWellFormed()) {
    let bytes = ''
    for (const byte of Buffer.from(character)) bytes += `%${hexPattern(byte)}`
    pattern += `(?:${RegExp.escape(character)}|${bytes})`
  }
  return new RegExp(pattern, 'g')
}

const hexPattern = (byte: number): string =>
  byte
    .toString(16)
    .padStart(2, '0')
    .replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`)

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
