// Reads JSON exactly: a request body is refused where a double or a member order could change its meaning (RFC 8259, I-JSON RFC 7493); a backend answer keeps its digits.

export type Json = null | boolean | number | string | Json[] | JsonObject
export interface JsonObject {
  [key: string]: Json
}

/** True for an object: no list, not null, and no number of a backend answer that kept its digits. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value)

/** A member of the object's own; undefined where there is none, or no object. */
export const member = (value: unknown, name: string): Json | undefined =>
  isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined

/** Deepest nesting of arrays and objects that a request may have. */
export const MAX_DEPTH = 64

/** Deepest nesting of a backend answer: far below where JSON.stringify runs out of stack. */
const MAX_ANSWER_DEPTH = 1000

export type JsonFault = {
  /** `syntax` is not JSON at all; `inexact` is JSON that this service refuses to guess about. */
  kind: 'syntax' | 'inexact'
  /** What is wrong, in our own words: never text of the input. */
  reason: string
  /** Index into the text, in UTF-16 units. */
  at: number
}

export type Parsed = { ok: true; value: Json } | { ok: false; fault: JsonFault }

// The parser is synchronous, so one set of cursor variables serves every call and nothing is allocated but the value.
let text = ''
let at = 0
let depth = 0
let maxDepth = MAX_DEPTH
let lossless = false

/** Parses a request body; refuses duplicate names, inexact numbers, lone surrogates and depth over 64. */
export function parseExact(source: string): Parsed {
  return parse(source, MAX_DEPTH, false)
}

/** The object that a text is; undefined where it is anything else, or not exact. */
export function parseObject(source: string): JsonObject | undefined {
  const parsed = parseExact(source)
  return parsed.ok && isObject(parsed.value) ? parsed.value : undefined
}

// A number that JSON.parse plus JSON.stringify would not give back digit by digit: 16 or more digits in all, an exponent, a trailing zero in a
// fraction, a small fraction, -0. It can match inside a string too; that only costs the slower way.
const INEXACT_DIGITS =
  /(?:^|[:,[\s])-?(?:\d{16}|(?=[\d.]{17})\d|\d+[eE]|0\.0000|\d+\.\d*(?:[eE]|0(?!\d))|(?<=-)0(?![.\d]))/

/**
 * Parses a backend answer; numbers that a double would re-spell come back as JSON.rawJSON of their own digits.
 * Throws SyntaxError, or RangeError where the nesting exhausts the stack.
 */
export function parseLossless(source: string): Json {
  // V8 14.6 can mix up escaped member names across calls of JSON.parse (nodejs/node 63785): a text with an escape takes the own parser.
  if (!source.includes('\\') && !INEXACT_DIGITS.test(source)) return JSON.parse(source) as Json
  const parsed = parse(source, MAX_ANSWER_DEPTH, true)
  if (!parsed.ok) throw new SyntaxError(parsed.fault.reason)
  return parsed.value
}

class Refusal extends Error {
  readonly fault: JsonFault
  constructor(fault: JsonFault) {
    super(fault.reason)
    this.fault = fault
  }
}

function parse(source: string, limit: number, keepDigits: boolean): Parsed {
  text = source
  at = 0
  depth = 0
  maxDepth = limit
  lossless = keepDigits
  try {
    skipSpace()
    const value = readValue()
    skipSpace()
    if (at < text.length) fail('there is text after the JSON value')
    return { ok: true, value }
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, fault: error.fault }
    throw error
  } finally {
    text = ''
  }
}

function fail(reason: string): never {
  throw new Refusal({ kind: 'syntax', reason, at })
}

function inexact(reason: string): never {
  throw new Refusal({ kind: 'inexact', reason, at })
}

function skipSpace(): void {
  for (;;) {
    const c = text.charCodeAt(at)
    if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return
    at++
  }
}

function readValue(): Json {
  const c = text.charCodeAt(at)
  if (c === 0x22) return readString()
  if (c === 0x7b) return readObject()
  if (c === 0x5b) return readArray()
  if (c === 0x2d || (c >= 0x30 && c <= 0x39)) return readNumber()
  if (c === 0x74) return readWord('true', true)
  if (c === 0x66) return readWord('false', false)
  if (c === 0x6e) return readWord('null', null)
  return at >= text.length ? fail('the JSON text ends too early') : fail('a JSON value is expected')
}

function readWord(word: string, value: Json): Json {
  if (!text.startsWith(word, at)) fail('a JSON value is expected')
  at += word.length
  return value
}

function enter(): void {
  if (++depth > maxDepth) inexact(`it is nested deeper than ${maxDepth} levels`)
  at++
  skipSpace()
}

function readObject(): JsonObject {
  enter()
  const object: JsonObject = {}
  if (text.charCodeAt(at) === 0x7d) return leave(object)
  for (;;) {
    if (text.charCodeAt(at) !== 0x22) fail('a member name in quotes is expected')
    const name = lossless ? readString() : readName()
    if (!lossless && Object.hasOwn(object, name)) inexact('an object names the same member twice')
    skipSpace()
    if (text.charCodeAt(at) !== 0x3a) fail('a colon is expected after a member name')
    at++
    skipSpace()
    const value = readValue()
    // An assignment to "__proto__" would set the prototype instead of a member.
    if (name === '__proto__') {
      Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true })
    } else object[name] = value
    skipSpace()
    const c = text.charCodeAt(at)
    if (c === 0x7d) return leave(object)
    if (c !== 0x2c) fail('a comma or a closing brace is expected')
    at++
    skipSpace()
  }
}

function readArray(): Json[] {
  enter()
  const array: Json[] = []
  if (text.charCodeAt(at) === 0x5d) return leave(array)
  for (;;) {
    array.push(readValue())
    skipSpace()
    const c = text.charCodeAt(at)
    if (c === 0x5d) return leave(array)
    if (c !== 0x2c) fail('a comma or a closing bracket is expected')
    at++
    skipSpace()
  }
}

function leave<T>(container: T): T {
  at++
  depth--
  return container
}

// Local variables in the loops over characters: the module's own would be read and stored once a character.
function readString(): string {
  const source = text
  const start = at + 1
  let i = start
  for (;;) {
    const c = source.charCodeAt(i)
    if (c === 0x22) {
      at = i + 1
      return source.slice(start, i)
    }
    if (c === 0x5c) {
      at = i
      return readEscaped(start)
    }
    // NaN (the end of the text) fails this comparison too.
    if (!(c >= 0x20)) {
      at = i
      fail(i >= source.length ? 'a string is not closed' : 'a control character stands inside a string')
    }
    i++
  }
}

// A name cut out of the text is a new string each time, which V8 looks up among all names, once to ask for it and once to set it: a quarter of
// the whole parse. Short names that were seen before are taken from here, each slot by the last name that fell into it.
const NAME_SLOTS = 256
const MAX_NAME = 32
const names: (string | undefined)[] = new Array(NAME_SLOTS).fill(undefined)

function readName(): string {
  const source = text
  const start = at + 1
  let slot = 0
  let i = start
  let c = source.charCodeAt(i)
  while (c !== 0x22) {
    // An escape, a control character, the end of the text (NaN) or a long name.
    if (!(c >= 0x20) || c === 0x5c || i - start === MAX_NAME) return readString()
    slot = (slot * 31 + c) & (NAME_SLOTS - 1)
    c = source.charCodeAt(++i)
  }
  at = i + 1
  const known = names[slot]
  if (known !== undefined && isAt(known, start, i)) return known
  const name = interned(source.slice(start, i))
  names[slot] = name
  return name
}

function isAt(name: string, start: number, end: number): boolean {
  if (name.length !== end - start) return false
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) !== text.charCodeAt(start + i)) return false
  return true
}

/** The same name as V8 keeps it, of its own memory and not a piece of the text. */
const interned = (name: string): string => Object.keys({ [name]: 0 })[0] ?? name

const ESCAPES: Record<string, string> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}
const HEX4 = /^[0-9a-fA-F]{4}$/

function readEscaped(start: number): string {
  let out = text.slice(start, at)
  let from = at
  for (;;) {
    const c = text.charCodeAt(at)
    if (c === 0x22) {
      out += text.slice(from, at++)
      if (!lossless && !out.isWellFormed()) inexact('a string holds half of a surrogate pair')
      return out
    }
    if (c === 0x5c) {
      out += text.slice(from, at)
      out += readEscape()
      from = at
      continue
    }
    if (!(c >= 0x20))
      fail(at >= text.length ? 'a string is not closed' : 'a control character stands inside a string')
    at++
  }
}

function readEscape(): string {
  const letter = text.charAt(at + 1)
  if (letter === 'u') {
    const hex = text.slice(at + 2, at + 6)
    if (!HEX4.test(hex)) fail('an escape in a string is not valid')
    at += 6
    return String.fromCharCode(Number.parseInt(hex, 16))
  }
  const plain = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined
  if (plain === undefined) fail('an escape in a string is not valid')
  at += 2
  return plain
}

const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y

/** A whole number of at most 15 digits, as most are; undefined (and nothing is read) for every other. */
function readSmallInteger(): number | undefined {
  let value = 0
  let i = at
  let c = text.charCodeAt(i)
  if (c === 0x30) c = text.charCodeAt(++i)
  else {
    for (; c >= 0x30 && c <= 0x39; c = text.charCodeAt(++i)) value = value * 10 + c - 0x30
  }
  if (i === at || i - at > 15 || (c >= 0x30 && c <= 0x39) || c === 0x2e || c === 0x65 || c === 0x45)
    return undefined
  at = i
  return value
}

function readNumber(): Json {
  const small = readSmallInteger()
  if (small !== undefined) return small
  NUMBER.lastIndex = at
  const match = NUMBER.exec(text)
  if (match === null) fail('a number is malformed')
  const literal = match[0]
  const next = text.charCodeAt(at + literal.length)
  if ((next >= 0x30 && next <= 0x39) || next === 0x2e || next === 0x65 || next === 0x45)
    fail('a number is malformed')
  const value = Number(literal)
  if (lossless) {
    at += literal.length
    return String(value) === literal && !Object.is(value, -0)
      ? value
      : (JSON.rawJSON(literal) as unknown as Json)
  }
  if (literal.length > 15 || match[2] !== undefined)
    checkNumber(literal, value, match[1] === undefined && match[2] === undefined)
  at += literal.length
  return value
}

function checkNumber(literal: string, value: number, integer: boolean): void {
  if (!Number.isFinite(value)) inexact('a number is too large for a double')
  const mantissa = literal.split(/[eE]/, 1)[0] ?? ''
  const digits = mantissa.replace(/[-.]/g, '').replace(/^0+/, '').replace(/0+$/, '')
  if (value === 0 && digits !== '') inexact('a number is too small for a double')
  if (integer) {
    // Past some 400 digits the double is infinite already, so BigInt stays small.
    if (BigInt(literal) !== BigInt(value))
      inexact('an integer has more digits than a double holds; send it as a string')
  } else if (digits.length > 17) inexact('a number has more than 17 significant digits; send it as a string')
}
