// Puts one raw text to the guard of its language, and says what follows: it reads, it stays unproven, or the call is refused.
import type { Language } from '../../catalogue/index.ts'
import type { GuardNote } from '../../core/call.ts'
import { type Denial, deny } from '../../core/denials.ts'
import type { CypherGuard, SqlGuard } from '../../core/guards.ts'
import type { Json } from '../../core/json.ts'
import type { Effect } from '../../core/tool.ts'
import { judgeCypher } from './cypher/index.ts'
import { judgeSql } from './sql/index.ts'
import type { TextVerdict } from './verdict.ts'

export interface TextArgument {
  /** JSON Pointer into the arguments of the tool. */
  readonly at: string
  readonly text: Json
  readonly language: Language | undefined
  /** What the call does where this is not shown to only read; undefined = no more than without it. */
  readonly raisesTo: Effect | undefined
}

/** All of them have to be met. */
export interface TextSettings {
  readonly sql: readonly SqlGuard[]
  readonly cypher: readonly CypherGuard[]
}

export interface JudgedText {
  /** Undefined where no guard looks at the text. */
  readonly note: GuardNote | undefined
  readonly denial: Denial | undefined
  readonly isRead: boolean
}

const UNSEEN: JudgedText = { note: undefined, denial: undefined, isRead: false }
const NO_TEXT: TextVerdict = { kind: 'unproven', reason: 'it is no text' }

export function judgeText(argument: TextArgument, settings: TextSettings): JudgedText | Promise<JudgedText> {
  const { at, text, language } = argument
  if (language === undefined) return UNSEEN
  if (language === 'cypher') {
    const allow = settings.cypher.every((one) => one.allow === 'any') ? 'any' : 'reads'
    const verdict = typeof text === 'string' ? judgeCypher(text, { allow }) : NO_TEXT
    // Where only reads are allowed, what is no text is not shown to read either.
    return judged('cypher', at, verdict, allow === 'any' ? undefined : 'cypher_refused', 'cypher_refused')
  }
  const strict = settings.sql.some(({ unproven }) => unproven === 'refuse') ? 'sql_unparsable' : undefined
  if (typeof text !== 'string') return judged('sql', at, NO_TEXT, strict, 'sql_refused')
  const form = language === 'sql' ? 'statement' : 'expression'
  const verdict = judgeSql(text, { union: settings.sql.every(({ union }) => union), form })
  return verdict instanceof Promise
    ? verdict.then((found) => judged('sql', at, found, strict, 'sql_refused'))
    : judged('sql', at, verdict, strict, 'sql_refused')
}

/** `unproven`: the code of a refusal where a text has to be shown to read. */
function judged(
  guard: 'sql' | 'cypher',
  at: string,
  verdict: TextVerdict,
  unproven: 'sql_unparsable' | 'cypher_refused' | undefined,
  refused: 'sql_refused' | 'cypher_refused',
): JudgedText {
  const isRead = verdict.kind === 'read'
  const note = { guard, at, found: isRead ? 'read-only' : verdict.kind }
  const code = verdict.kind === 'refused' ? refused : verdict.kind === 'unproven' ? unproven : undefined
  const denial = isRead || code === undefined ? undefined : deny(code, `${at}: ${verdict.reason}`)
  return { note, denial, isRead }
}
