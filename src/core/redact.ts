// Replaces the credentials of a call wherever they turn up: on parsed strings and member names, never on JSON bytes (design.md 6).
import { prepareNeedles } from './needles.ts'
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

/** Prepares the forms of a few credentials. */
export function createRedactor(credentials: readonly string[]): Redactor {
  const { plain, forms } = formsOf(credentials)
  return redactorOf(forms, fewIn(plain), fewIn(forms))
}

interface Redacted {
  readonly credentials: readonly string[]
  /** Kept with the call, because several stages need it and the forms cost more than to look for them. */
  ownRedactor: Redactor | undefined
  readonly held: Redactor | undefined
}

/** Of the credentials that came with a call. */
export const ownRedactor = (call: Omit<Redacted, 'held'>): Redactor => {
  call.ownRedactor ??= createRedactor(call.credentials)
  return call.ownRedactor
}

/** Of these and the keys of the service, which go first: there are more of them, so that none that begins with one of the caller's is left in part. */
export function redactorFor(call: Redacted): Redactor {
  const own = ownRedactor(call)
  const { held } = call
  if (held === undefined) return own
  return {
    cleanPlain: (source) => held.cleanPlain(source) && own.cleanPlain(source),
    cleanJson: (source) => held.cleanJson(source) && own.cleanJson(source),
    text: (value) => own.text(held.text(value)),
    value: (value) => own.value(held.value(value)),
  }
}

/** The same for any number of credentials, prepared once for the answers of many calls. */
export function createHeldRedactor(credentials: readonly string[]): Redactor {
  const { plain, forms } = formsOf(credentials)
  const formsIn = prepareNeedles(forms)
  const isPlain = new Set(plain)
  return redactorOf(forms, (text) => formsIn(text).filter((one) => isPlain.has(one)), formsIn)
}

/** Those of the texts that stand in this one, in their order. */
type Finder = (text: string) => readonly string[]

const fewIn =
  (few: readonly string[]): Finder =>
  (text) => {
    let found: string[] | undefined
    for (const one of few) {
      if (!text.includes(one)) continue
      found ??= []
      found.push(one)
    }
    return found ?? NONE
  }

const NONE: readonly string[] = Object.freeze([])

function redactorOf(forms: readonly string[], plainIn: Finder, formsIn: Finder): Redactor {
  const isEmpty = forms.length === 0
  const shortest = Math.min(...forms.map(({ length }) => length))
  const isClean = (text: string): boolean =>
    formsIn(text).length === 0 && (!text.includes('%') || plainIn(decodePercent(text)).length === 0)
  const replace = (text: string): string => {
    // Names and slugs for the most part.
    if (text.length < shortest) return text
    let out = text
    for (const form of formsIn(text)) out = out.replaceAll(form, REDACTED)
    if (out.includes('%'))
      for (const credential of plainIn(decodePercent(out))) out = replaceEncoded(out, credential)
    return out
  }
  return {
    cleanPlain: isClean,
    cleanJson: (source) => !HIDING_ESCAPE.test(source) && isClean(source),
    text: replace,
    value: (value) => (isEmpty ? value : (walk(value, replace) as typeof value)),
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

/** The credentials that are long enough to look for, and what they look like: as they are, and the three base64 alignments in both alphabets. Percent-encoding is decoded instead. */
function formsOf(credentials: readonly string[]): { plain: readonly string[]; forms: readonly string[] } {
  // The longest first: where one credential begins with another, none of it may be left standing.
  const plain = credentials.filter((one) => one.length >= MIN_CREDENTIAL).sort((a, b) => b.length - a.length)
  const forms: string[] = []
  for (const credential of plain) addForms(forms, credential)
  return { plain, forms }
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
