// Writes a JSON value as a literal of the snippet's language: it evaluates to the value, and it reads in the order in which it runs.
import type { Json, JsonObject } from '../../core/json.ts'

/** What the two languages write differently. */
export interface Dialect {
  readonly indent: number
  readonly words: { readonly null: string; readonly true: string; readonly false: string }
  /** A member name as it stands before the colon. */
  name(name: string): string
  /** A number from its decimal digits. */
  number(digits: string): string
  /** A string literal. */
  string(text: string): string
  /** An expression that parses a JSON text at run time. */
  parsed(json: string): string
}

// Python's parser allows 200 open brackets; past this level a value is a JSON text that the snippet parses.
const DEEPEST_LITERAL = 64
// A list of short scalars stays on one line up to here, longer lists of numbers are filled up to WIDTH.
const SHORT = 60
const WIDTH = 100
// Spaces that indentation may cost; past it the rest is written without line breaks, so no nesting multiplies the size.
const INDENT_BUDGET = 1_000_000

/** The literal of `value` for a line that is already indented by `level` steps. */
export function writeLiteral(value: Json, dialect: Dialect, level: number): string {
  const pads: string[] = []
  let spent = 0

  function line(at: number): string {
    if (spent > INDENT_BUDGET) return ' '
    const pad = pads[at] ?? `\n${' '.repeat(at * dialect.indent)}`
    pads[at] = pad
    spent += pad.length
    return pad
  }

  function write(item: Json, at: number): string {
    const scalar = writeScalar(item, dialect)
    if (scalar !== undefined) return scalar
    const container = item as Json[] | JsonObject
    if (at - level >= DEEPEST_LITERAL) return dialect.parsed(JSON.stringify(container))
    return Array.isArray(container) ? writeArray(container, at) : writeObject(container, at)
  }

  function writeArray(items: readonly Json[], at: number): string {
    if (items.length === 0) return '[]'
    const short = writeShort(items, dialect)
    if (short !== undefined) return short
    // Only numbers share a line: two strings of a right-to-left script would be shown in the other order.
    const filled = items.every(isNumber)
    let out = '['
    let column = Number.POSITIVE_INFINITY
    for (const item of items) {
      const text = `${write(item, at + 1)},`
      const fits = filled && column + 1 + text.length <= WIDTH
      out += fits ? ` ${text}` : line(at + 1) + text
      column = (fits ? column + 1 : (at + 1) * dialect.indent) + text.length
    }
    return `${out}${line(at)}]`
  }

  function writeObject(object: JsonObject, at: number): string {
    let out = '{'
    for (const name of Object.keys(object)) {
      out += `${line(at + 1)}${dialect.name(name)}: ${write(object[name] as Json, at + 1)},`
    }
    return out === '{' ? '{}' : `${out}${line(at)}}`
  }

  return write(value, level)
}

function writeScalar(value: Json, dialect: Dialect): string | undefined {
  if (value === null) return dialect.words.null
  if (typeof value === 'boolean') return value ? dialect.words.true : dialect.words.false
  if (typeof value === 'string') return dialect.string(value)
  if (typeof value === 'number') return dialect.number(digitsOf(value))
  if (typeof value !== 'object') throw new TypeError('a snippet can only hold JSON values')
  const raw = rawText(value)
  if (raw === undefined) return undefined
  return RAW_NUMBER.test(raw) ? dialect.number(raw) : writeScalar(JSON.parse(raw) as Json, dialect)
}

const RAW_NUMBER = /^-?\d/

// TypeScript's library does not declare this member of JSON yet.
const { isRawJSON } = JSON as unknown as { isRawJSON(value: unknown): value is { rawJSON: string } }

/** The text of a value made by JSON.rawJSON, which carries a scalar as it was spelt; undefined for every other value. */
function rawText(value: Json): string | undefined {
  return isRawJSON(value) ? value.rawJSON : undefined
}

function isNumber(value: Json): boolean {
  return typeof value === 'number' || RAW_NUMBER.test(rawText(value) ?? '')
}

// JSON has no infinity, but JSON.parse makes one of 1e999; both languages read 1e400 as theirs.
function digitsOf(value: number): string {
  if (Object.is(value, -0)) return '-0'
  if (Number.isNaN(value)) throw new TypeError('a snippet can only hold JSON values')
  if (!Number.isFinite(value)) return value > 0 ? '1e400' : '-1e400'
  return String(value)
}

function writeShort(items: readonly Json[], dialect: Dialect): string | undefined {
  if (items.length > SHORT / 3) return undefined
  const texts: string[] = []
  let length = 0
  for (const item of items) {
    if (typeof item === 'string' && (item.length > SHORT || RIGHT_TO_LEFT.test(item))) return undefined
    const text = writeScalar(item, dialect)
    if (text === undefined) return undefined
    length += text.length + 2
    if (length > SHORT) return undefined
    texts.push(text)
  }
  return `[${texts.join(', ')}]`
}

// The blocks whose characters run from right to left by default (UAX 9, DerivedBidiClass).
const RTL = '\\u0590-\\u08ff\\ufb1d-\\ufdff\\ufe70-\\ufeff\\u{10800}-\\u{10fff}\\u{1e800}-\\u{1efff}'
const RIGHT_TO_LEFT = new RegExp(`[${RTL}]`, 'u')

// Controls, bidi and other format characters, lone surrogates, private and unassigned code points, every space but the plain one, and what
// Unicode lets a display ignore: none of it may stand in code that a person reads before running it.
const HIDDEN =
  '"\\\\\\p{C}\\p{Zl}\\p{Zp}\\p{Default_Ignorable_Code_Point}\\u2800\\u00a0\\u1680\\u2000-\\u200a\\u202f\\u205f\\u3000'
const ESCAPED = new RegExp(`[${HIDDEN}]`, 'gu')
const ESCAPED_IN_NAME = new RegExp(`[${HIDDEN}${RTL}]`, 'gu')

const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '\\"'],
  ['\\', '\\\\'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
])

/** A double-quoted string; `astral` writes a code point above U+FFFF. */
export function quote(text: string, astral: (hex: string) => string): string {
  return `"${escapeWith(ESCAPED, text, astral)}"`
}

/** A double-quoted member name: right-to-left letters are escaped too, since a name and its value share a line. */
export function quoteName(name: string, astral: (hex: string) => string): string {
  return `"${escapeWith(ESCAPED_IN_NAME, name, astral)}"`
}

function escapeWith(pattern: RegExp, text: string, astral: (hex: string) => string): string {
  return text.replace(pattern, (character) => {
    const short = SHORT_ESCAPES.get(character)
    if (short !== undefined) return short
    const hex = (character.codePointAt(0) ?? 0).toString(16)
    return hex.length > 4 ? astral(hex) : `\\u${hex.padStart(4, '0')}`
  })
}
