// The Cypher guard: says of one text whether it only reads; docs/operate/guards.md has the tables.
import { MAX_OPERATORS, TOO_LARGE } from '../caps.ts'
import type { TextVerdict } from '../verdict.ts'
import { scanCypher, type Token } from './lexer.ts'
import {
  BEFORE_BRACKET,
  LOADED,
  OPENINGS,
  OPERATOR_WORDS,
  PREFIXES,
  PROCEDURES,
  PURE_FUNCTIONS,
  WRITING_WORDS,
} from './words.ts'

export interface CypherSettings {
  /** `reads`: what is not shown to read is refused. `any`: it is `unproven`; only texts that are broken or hide something stay refused. */
  readonly allow: 'reads' | 'any'
}

const READ: TextVerdict = { kind: 'read' }
const PUNCTUATION: ReadonlySet<string> = new Set(['(', ')', '[', ']', '{', '}', ',', '.', ':', '|', '$'])
const SHOWN = /^[\w.]{1,64}$/

/** No parser stands behind this lexer: a text reads only if each of its words is known to be harmless where it stands. */
export function judgeCypher(text: string, settings: CypherSettings): TextVerdict {
  const scan = scanCypher(text)
  if ('refused' in scan) return { kind: 'refused', reason: scan.refused }
  const { tokens } = scan
  const operators = tokens.filter(({ kind, value }) =>
    kind === 'sign' ? !PUNCTUATION.has(value) : kind === 'word' && OPERATOR_WORDS.has(value),
  )
  if (operators.length > MAX_OPERATORS) return { kind: 'refused', reason: TOO_LARGE.operators }
  const doubt = scan.doubt ?? doubtOf(tokens)
  if (doubt === undefined) return READ
  return { kind: settings.allow === 'any' ? 'unproven' : 'refused', reason: doubt }
}

function doubtOf(tokens: readonly Token[]): string | undefined {
  const first = tokens[0]?.kind === 'word' && PREFIXES.has(tokens[0].value) ? 1 : 0
  const opening = tokens[first]
  if (opening?.kind !== 'word' || !OPENINGS.has(opening.value))
    return 'it does not begin with MATCH, OPTIONAL MATCH, UNWIND, WITH, RETURN or CALL'
  for (const [n, token] of tokens.entries()) {
    const found = token.kind === 'word' ? wordDoubt(tokens, n) : nameDoubt(tokens, n)
    if (found !== undefined) return found
  }
  return undefined
}

function wordDoubt(tokens: readonly Token[], n: number): string | undefined {
  const { value } = tokens[n] as Token
  const next = tokens[n + 1]
  if (value === 'call' && !isName(tokens, n)) return callDoubt(tokens, n)
  if (value === 'load' && next?.kind === 'word' && LOADED.has(next.value)) return 'it loads a file, with LOAD'
  if (value === 'or' && isConstant(tokens, n + 1))
    return 'an OR holds a condition that does not depend on any node'
  if (WRITING_WORDS.has(value) && !isName(tokens, n)) return `it holds the word ${value.toUpperCase()}`
  // A string function to Cypher, a statement to ArangoDB.
  if (value === 'replace' && next?.value !== '(' && !isName(tokens, n)) return 'it holds the word REPLACE'
  return next?.value === '(' ? functionDoubt(tokens, n) : undefined
}

const nameDoubt = (tokens: readonly Token[], n: number): string | undefined =>
  tokens[n]?.kind === 'name' && tokens[n + 1]?.value === '(' && tokens[n - 1]?.value !== ':'
    ? 'it calls a function by a name in backquotes'
    : undefined

/** A literal alone, or two that are compared: how an injected condition makes everything match. */
function isConstant(tokens: readonly Token[], start: number): boolean {
  let n = start
  while (tokens[n]?.value === '(' || tokens[n]?.value === 'not') n++
  if (!isLiteral(tokens[n])) return false
  n++
  if (!COMPARISON.test(tokens[n]?.value ?? '')) return ENDS_CONDITION.test(tokens[n]?.value ?? ')')
  while (COMPARISON.test(tokens[n]?.value ?? '')) n++
  return isLiteral(tokens[n])
}

const COMPARISON = /^(?:[=<>~]+|starts|ends|with|contains|is|not)$/
const ENDS_CONDITION = /^(?:[)}]|and|or|xor|return|with|order|skip|limit|match|optional|union|unwind|call)$/

const isLiteral = (token: Token | undefined): boolean =>
  token?.kind === 'string' ||
  token?.kind === 'number' ||
  (token?.kind === 'word' && /^(?:true|false|null)$/.test(token.value))

/** A property, a label or type, or the key of a map: no clause can stand there. */
function isName(tokens: readonly Token[], n: number): boolean {
  const before = tokens[n - 1]
  if (before?.kind !== 'sign') return false
  // What stands behind `1.` may be a clause.
  if (before.value === '.') return tokens[n - 2]?.kind !== 'number'
  if (before.value === ':') return true
  if (before.value === '|') return before.inside === '['
  return (before.value === '{' || before.value === ',') && tokens[n + 1]?.value === ':'
}

/** The words of a dotted name around the word at `n`, and where it begins. */
function dotted(tokens: readonly Token[], n: number): { name: string; start: number } {
  let start = n
  while (tokens[start - 1]?.value === '.' && tokens[start - 2] !== undefined) start -= 2
  const parts = tokens.slice(start, n + 1)
  const plain = parts.every(({ kind, value }) => kind === 'word' || value === '.')
  return { name: plain ? parts.map(({ value }) => value).join('') : '', start }
}

function functionDoubt(tokens: readonly Token[], n: number): string | undefined {
  const { name, start } = dotted(tokens, n)
  const before = tokens[start - 1]
  // A label in a hint: USING INDEX n:Person(name). And a procedure, which has been looked at with its CALL.
  if (start === n && before?.value === ':') return undefined
  if (before?.value === 'call' && before.kind === 'word' && PROCEDURES.has(name)) return undefined
  if (PURE_FUNCTIONS.has(name) || (start === n && BEFORE_BRACKET.has(name))) return undefined
  return SHOWN.test(name)
    ? `it calls ${name}(), which is not in the list of functions that only compute`
    : 'it calls a function that is not in the list of those that only compute'
}

function callDoubt(tokens: readonly Token[], n: number): string | undefined {
  const next = tokens[n + 1]
  if (next?.value === '{' || next?.value === '(') return undefined
  let end = n + 1
  while (tokens[end + 1]?.value === '.' && tokens[end + 2] !== undefined) end += 2
  const { name } = dotted(tokens, end)
  if (PROCEDURES.has(name)) return undefined
  return SHOWN.test(name)
    ? `it calls the procedure ${name}, which is not in the list`
    : 'it calls a procedure that is not in the list'
}
