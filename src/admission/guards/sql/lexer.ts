// Cuts an SQL text into tokens, and refuses what two databases would cut differently: what is left means the same to all of them, or to one alone.
import { MAX_CHARACTERS, MAX_NESTING, MAX_TOKENS, TOO_LARGE } from '../caps.ts'
import { BEFORE_OPERAND } from './words.ts'

/** `name` is a quoted identifier, `place` a placeholder; the value of words and names is in lower case, that of strings is left out. */
export interface Token {
  readonly kind: 'word' | 'name' | 'string' | 'number' | 'place' | 'sign'
  readonly value: string
  /** How many brackets are open around it. */
  readonly depth: number
}

export interface Scan {
  readonly tokens: readonly Token[]
  /** The text with placeholders as `$1` and quoted identifiers in double quotes, for the grammar of PostgreSQL. */
  readonly normal: string
  /** Why it cannot be said to mean the same to all databases. */
  readonly doubt: string | undefined
}

export interface Refusal {
  readonly refused: string
}

const SPACE = /[ \t\n]+|\r\n/y
const WORD = /[A-Za-z_][\w$]*/y
const NUMBER = /\.?\d[\w.]*/y
const PLACE = /\$\d+(?![\w$])|[$:@][A-Za-z_]\w*/y
const DOLLAR_QUOTE = /\$(?:[A-Za-z_]\w*)?\$/y
/** Operators of PostgreSQL that hold what is a placeholder elsewhere; only behind an operand. */
const MIXED_SIGN = /@>|<@|@@|@\?|\?\||\?&|\?/y
/** `-` and `/` alone, because a comment may begin with them. */
const SIGN = /[+*<>=~!%^&|#]+|[-/@?]/y
const ARROW = /->>?|-\|-/y
// Letters of Unicode that a conversion between character sets turns into a quote or a backslash.
const LIKE_QUOTE = /[\u02b9\u02ba\u02bb\u02bc\u02c8\u2032\u2033\uff02\uff07\uff3c\uff40]/
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)/
const HIDDEN = /[\p{Z}\p{C}]/u

const CLOSING: Readonly<Record<string, string>> = { ')': '(', ']': '[' }

/** Balanced, within the caps, one statement. Linear in the length of the text. */
export function scanSql(text: string): Scan | Refusal {
  if (text.length > MAX_CHARACTERS) return refuse(TOO_LARGE.characters)
  if (CONTROL.test(text)) return refuse('it holds a control character')
  const tokens: Token[] = []
  const open: string[] = []
  let doubt: string | undefined
  let normal = ''
  let copied = 0
  let at = 0
  let ended = false

  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    return pattern.exec(text)?.[0]
  }
  const replace = (length: number, by: string): void => {
    normal += `${text.slice(copied, at)} ${by} `
    copied = at + length
  }
  const push = (kind: Token['kind'], value: string, length: number): void => {
    tokens.push({ kind, value, depth: open.length })
    at += length
  }

  while (at < text.length) {
    const space = take(SPACE)
    if (space !== undefined) {
      at += space.length
      continue
    }
    if (ended) return refuse('something follows the semicolon')
    if (tokens.length === MAX_TOKENS) return refuse(TOO_LARGE.tokens)
    const char = text.charAt(at)
    const next = text.charAt(at + 1)

    if ((char === '-' && next === '-') || (char === '/' && next === '*')) {
      const comment = readComment(text, at)
      if ('refused' in comment) return comment
      doubt ??= comment.doubt
      if (open.includes('[')) doubt ??= 'a comment stands in square brackets'
      at = comment.end
      continue
    }
    if (char === "'" || char === '"' || char === '`') {
      const quoted = readQuoted(text, at, char)
      if ('refused' in quoted) return quoted
      const { inner, length } = quoted
      if (LIKE_QUOTE.test(inner)) doubt ??= 'a character in quotes becomes a quote in some character sets'
      // SQL Server and SQLite read what stands between square brackets as a name.
      if (inner.includes(']') && open.includes('[')) doubt ??= 'quotes in square brackets hold a bracket'
      if (char === '`') replace(length, `"${inner}"`)
      push(char === "'" ? 'string' : 'name', char === "'" ? '' : inner.toLowerCase(), length)
      continue
    }
    const last = tokens.at(-1)
    const word = take(WORD)
    if (word !== undefined) {
      const quote = text.charAt(at + word.length)
      if (/^u$/i.test(word) && /^&['"]/.test(text.slice(at + 1, at + 3)))
        return refuse('it holds a string with Unicode escapes')
      if (quote === "'" && !/^[enbx]$/i.test(word)) doubt ??= 'a word stands right before a quote'
      push('word', word.toLowerCase(), word.length)
      continue
    }
    const number = take(NUMBER)
    if (number !== undefined) {
      // INTERVAL 7 DAY, as MySQL has it, is INTERVAL '7' DAY elsewhere.
      if (last?.value === 'interval' && last.kind === 'word') replace(number.length, `'${number}'`)
      push('number', number, number.length)
      continue
    }
    if (take(DOLLAR_QUOTE) !== undefined) return refuse('it holds a dollar-quoted string')
    const behindOperand = last !== undefined && endsOperand(last, BEFORE_OPERAND)
    const place = take(PLACE) ?? (char === '?' ? '?' : undefined)
    if (place !== undefined && !(behindOperand && /[?@:]/.test(char))) {
      if (!/^\$\d/.test(place)) replace(place.length, '$1')
      push('place', place, place.length)
      continue
    }
    if (char === ':') {
      if (next === '=') return refuse('it assigns to a variable')
      push('sign', next === ':' ? '::' : ':', next === ':' ? 2 : 1)
      continue
    }
    const sign = (behindOperand ? take(MIXED_SIGN) : undefined) ?? take(ARROW) ?? take(SIGN)
    if (sign !== undefined) {
      if (sign === '=' && last?.kind === 'place' && last.value.startsWith('@'))
        return refuse('it assigns to a variable')
      // MySQL reads the rest of the line as a comment; without another line, that only leaves out the end of a query.
      if (sign.includes('#') && text.includes('\n', at)) doubt ??= 'a # stands before the last line'
      push('sign', sign, sign.length)
      continue
    }
    if (char === '(' || char === '[') {
      if (open.length === MAX_NESTING) return refuse(TOO_LARGE.nesting)
      if (char === '[' && open.includes('[')) doubt ??= 'square brackets stand in square brackets'
      push('sign', char, 1)
      open.push(char)
      continue
    }
    if (char === ')' || char === ']') {
      if (open.pop() !== CLOSING[char]) return refuse('its brackets are not balanced')
      if (char === ']' && next === ']') doubt ??= 'square brackets are doubled'
      push('sign', char, 1)
      continue
    }
    if (char === ',' || char === '.') {
      push('sign', char, 1)
      continue
    }
    if (char === ';') {
      if (tokens.length === 0) return refuse('it begins with a semicolon')
      ended = true
      // The grammar gets the statement alone.
      replace(1, '')
      at += 1
      continue
    }
    if (char === '\\') return refuse('it holds a backslash')
    if (HIDDEN.test(String.fromCodePoint(text.codePointAt(at) ?? 0)))
      return refuse('it holds a character that cannot be seen')
    doubt ??= 'it holds a character that most databases do not take'
    at += 1
  }
  if (open.length > 0) return refuse('its brackets are not balanced')
  return { tokens, normal: normal + text.slice(copied), doubt }
}

const refuse = (refused: string): Refusal => ({ refused })

/** Something that has a value stands there; `opening` are the words that only come before one. */
export const endsOperand = ({ kind, value }: Token, opening: ReadonlySet<string>): boolean =>
  kind === 'word' ? !opening.has(value) : kind !== 'sign' || value === ')' || value === ']'

function readComment(text: string, at: number): { end: number; doubt: string | undefined } | Refusal {
  const line = text.charAt(at) === '-'
  const start = at + 2
  if (line) {
    if (!/^(?:\s|$)/.test(text.charAt(start))) return refuse('-- has no space behind it')
  } else if (/^[A-Z]?!/i.test(text.slice(start, start + 2))) {
    return refuse('it holds a comment that some databases execute')
  }
  const found = text.indexOf(line ? '\n' : '*/', start)
  if (found < 0 && !line) return refuse('it holds a comment without an end')
  const inner = text.slice(start, found < 0 ? text.length : found)
  const end = found < 0 ? text.length : found + (line ? 1 : 2)
  if (!line && inner.includes('/*')) return refuse('it holds a comment in a comment')
  if (!line && /\w/.test(text.charAt(at - 1)) && /\w/.test(text.charAt(end)))
    return refuse('a comment stands between two letters')
  if (/['"`]/.test(inner) || LIKE_QUOTE.test(inner)) return { end, doubt: 'a comment holds a quote' }
  if (!line && /^\+/.test(inner)) return { end, doubt: 'it holds a hint to the optimizer' }
  return { end, doubt: undefined }
}

function readQuoted(text: string, at: number, quote: string): { inner: string; length: number } | Refusal {
  let end = at + 1
  for (;;) {
    end = text.indexOf(quote, end)
    if (end < 0) return refuse('it holds a quote without an end')
    if (text.charAt(end + 1) !== quote) break
    end += 2
  }
  const inner = text.slice(at + 1, end)
  if (inner.includes('\\')) return refuse('it holds a backslash in quotes')
  // PostgreSQL does not know this quote, so what is in it has to be a plain name to it.
  if (quote === '`' && !/^\w[\w$ ]*$/.test(inner)) return refuse('backquotes hold more than a name')
  return { inner, length: end + 1 - at }
}
