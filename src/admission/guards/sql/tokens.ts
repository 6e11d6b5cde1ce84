// What the words of an SQL text give away without a grammar: refusals that hold in every dialect, even where no parser takes the text.
import { MAX_OPERATORS, TOO_LARGE } from '../caps.ts'
import { endsOperand, type Token } from './lexer.ts'
import type { SqlSettings } from './settings.ts'
import {
  MAIN_WORDS,
  OPERATOR_WORDS,
  QUERY_WORDS,
  REFUSED_FUNCTIONS,
  REFUSED_PACKAGES,
  REFUSED_PROCEDURES,
  RESERVED,
  SERVER_OPENINGS,
  STACKED_WORDS,
} from './words.ts'

const PUNCTUATION: ReadonlySet<string> = new Set(['(', ')', '[', ']', ',', '.', ':'])
const LOCKS: ReadonlySet<string> = new Set(['update', 'share', 'no', 'key'])
const SET_OPERATIONS: ReadonlySet<string> = new Set([
  'union',
  'except',
  'intersect',
  'minus',
  'all',
  'distinct',
])

/** Why the text is refused, or nothing. */
export function refusalOf(tokens: readonly Token[], { union, form }: SqlSettings): string | undefined {
  const opening = tokens.find(({ value }) => value !== '(')
  let query = opening?.kind === 'word' && QUERY_WORDS.has(opening.value)
  const second = tokens[tokens.indexOf(opening as Token) + 1]
  if (opening?.kind === 'word' && SERVER_OPENINGS.has(opening.value)) {
    const seconds = SERVER_OPENINGS.get(opening.value)
    if (seconds === undefined || seconds.has(second?.value ?? ''))
      return 'it reaches files, plugins or the server itself'
  }
  if (form === 'statement' && opening?.kind !== 'word') return 'it does not begin as a statement does'
  let operators = 0
  // A statement behind WITH ... is the main one, until it has been seen.
  let main = opening?.value !== 'with' && opening?.value !== 'explain'
  for (const [n, token] of tokens.entries()) {
    const { kind, value, depth } = token
    const before = tokens[n - 1]
    const after = tokens[n + 1]
    if (kind === 'sign' ? !PUNCTUATION.has(value) : kind === 'word' && OPERATOR_WORDS.has(value)) operators++
    if (operators > MAX_OPERATORS) return TOO_LARGE.operators
    if (kind !== 'word' && kind !== 'name') continue
    const isCalled = after?.value === '.' && tokens[n + 3]?.value === '('
    if (REFUSED_PROCEDURES.test(value) || (isCalled && REFUSED_PACKAGES.test(value)))
      return 'it names a procedure that reaches the system or the network'
    if (after?.value === '(' && REFUSED_FUNCTIONS.has(value))
      return 'it calls a function that reaches files, programs or the network, or only waits'
    // A column `t.union`, a name in quotes.
    if (kind === 'name' || before?.value === '.') continue
    if (value === 'union' && !union) return 'it holds UNION, which no rule allows'
    if (value === 'waitfor' && /^(?:delay|time)$/.test(after?.value ?? '')) return 'it only waits'
    if (value === 'into' && /^(?:outfile|dumpfile)$/.test(after?.value ?? '')) return 'it writes to a file'
    if (!query) continue
    if (value === 'into') return 'a query writes its rows somewhere, with INTO'
    if (value === 'for' && LOCKS.has(after?.value ?? '')) return 'it locks what it reads'
    if (value === 'lock' && after?.value === 'in') return 'it locks what it reads'
    if (depth > 0 || before === undefined) continue
    if (!main && MAIN_WORDS.has(value)) {
      main = true
      // WITH or EXPLAIN of an INSERT: that holds INTO and SELECT as it should.
      query = QUERY_WORDS.has(value)
      continue
    }
    if (STACKED_WORDS.has(value) && endsOperand(before, RESERVED) && !SET_OPERATIONS.has(before.value))
      return 'a second statement follows without a semicolon'
  }
  return undefined
}

/** The words that stand right behind an operand. */
export const trailingWords = (tokens: readonly Token[]): ReadonlySet<string> =>
  new Set(
    tokens
      .filter(
        ({ kind }, n) =>
          (kind === 'word' || kind === 'name') && n > 0 && endsOperand(tokens[n - 1] as Token, RESERVED),
      )
      .map(({ value }) => value),
  )
