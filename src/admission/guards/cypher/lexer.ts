// Cuts a Cypher text into tokens, and refuses what is broken or hides something; Nebula's and ArangoDB's readings of quotes and comments have to agree.
import { MAX_CHARACTERS, MAX_NESTING, MAX_TOKENS, TOO_LARGE } from '../caps.ts'

/** `name` stands in backquotes; words are in lower case, strings are left out. */
export interface Token {
  readonly kind: 'word' | 'name' | 'string' | 'number' | 'place' | 'sign'
  readonly value: string
  /** The innermost bracket around it. */
  readonly inside: string | undefined
}

export interface Scan {
  readonly tokens: readonly Token[]
  /** Why it cannot be said what it means. */
  readonly doubt: string | undefined
}

export interface Refusal {
  readonly refused: string
}

const SPACE = /[ \t\n]+|\r\n/y
const WORD = /[A-Za-z_]\w*/y
const NUMBER = /0[xo][\da-f_]+|(?:\d[\d_]*(?:\.\d[\d_]*)?|\.\d[\d_]*)(?:e[+-]?\d+)?/iy
const PLACE = /\$(?:\d+|[A-Za-z_]\w*)/y
const STRING = /'(?:[^'\\\n]|\\[\\'"nrtbf])*'|"(?:[^"\\\n]|\\[\\'"nrtbf])*"/y
const NAME = /`(?:[^`\\\n]|``)*`/y
const SIGN = /=~|\.\.|[+*%^=<>!&|~$.,:-]|\//y
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)/
const HIDDEN = /[\p{Z}\p{C}]/u
const CLOSING: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{' }

const refuse = (refused: string): Refusal => ({ refused })

/** Balanced, within the caps, one statement. Linear in the length of the text. */
export function scanCypher(text: string): Scan | Refusal {
  if (text.length > MAX_CHARACTERS) return refuse(TOO_LARGE.characters)
  if (CONTROL.test(text)) return refuse('it holds a control character')
  // Neo4j up to 4 reads these before anything else, even in strings: an escaped quote ends one.
  if (/\\u/i.test(text)) return refuse('it holds a Unicode escape')
  const tokens: Token[] = []
  const open: string[] = []
  let doubt: string | undefined
  let dashes = false
  let longComment = false
  let ended = false
  let at = 0

  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    return pattern.exec(text)?.[0]
  }
  const push = (kind: Token['kind'], value: string, length: number): void => {
    tokens.push({ kind, value, inside: open.at(-1) })
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
    const two = text.slice(at, at + 2)
    if (two === '//' || two === '/*') {
      const line = two === '//'
      const found = text.indexOf(line ? '\n' : '*/', at + 2)
      if (found < 0 && !line) return refuse('it holds a comment without an end')
      const end = found < 0 ? text.length : found + (line ? 1 : 2)
      const inner = text.slice(at + 2, end)
      if (!line && inner.includes('/*')) return refuse('it holds a comment in a comment')
      if (!line && /\w/.test(text.charAt(at - 1)) && /\w/.test(text.charAt(end)))
        return refuse('a comment stands between two letters')
      if (/['"`]/.test(inner)) doubt ??= 'a comment holds a quote'
      longComment ||= !line && inner.includes('\n')
      at = end
      continue
    }
    if (char === "'" || char === '"' || char === '`') {
      const quoted = take(char === '`' ? NAME : STRING)
      if (quoted === undefined)
        return refuse('quotes have no end on their line, or hold an escape that databases read differently')
      push(char === '`' ? 'name' : 'string', char === '`' ? quoted.toLowerCase() : '', quoted.length)
      continue
    }
    const word = take(WORD)
    if (word !== undefined) {
      push('word', word.toLowerCase(), word.length)
      continue
    }
    const number = take(NUMBER)
    if (number !== undefined) {
      push('number', number, number.length)
      // Some databases read 1DELETE as two words.
      if (/\w/.test(text.charAt(at))) doubt ??= 'a number runs into a word'
      continue
    }
    const place = take(PLACE)
    if (place !== undefined) {
      push('place', place, place.length)
      if (/\w/.test(text.charAt(at))) doubt ??= 'a number runs into a word'
      continue
    }
    if (char === '(' || char === '[' || char === '{') {
      if (open.length === MAX_NESTING) return refuse(TOO_LARGE.nesting)
      push('sign', char, 1)
      open.push(char)
      continue
    }
    if (char === ')' || char === ']' || char === '}') {
      if (open.pop() !== CLOSING[char]) return refuse('its brackets are not balanced')
      push('sign', char, 1)
      continue
    }
    if (char === ';') {
      if (tokens.length === 0) return refuse('it begins with a semicolon')
      ended = true
      at += 1
      continue
    }
    const sign = take(SIGN)
    if (sign !== undefined) {
      dashes ||= two === '--'
      push('sign', sign, sign.length)
      continue
    }
    if (HIDDEN.test(String.fromCodePoint(text.codePointAt(at) ?? 0)))
      return refuse('it holds a character that cannot be seen')
    doubt ??= 'it holds a character that stands in Cypher only between quotes'
    at += 1
  }
  if (open.length > 0) return refuse('its brackets are not balanced')
  // Nebula reads `--` as a comment up to the end of the line; a comment that begins behind it would then be none.
  if (dashes && longComment) return refuse('a comment over several lines stands beside --')
  return { tokens, doubt }
}
