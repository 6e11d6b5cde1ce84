// The SQL guard: says of one text whether it only reads, whatever the dialect; docs/operate/guards.md has the tables.
import type { TextVerdict } from '../verdict.ts'
import { scanSql } from './lexer.ts'
import { loadedParser, loadParser, type SqlParser } from './parser.ts'
import type { SqlSettings } from './settings.ts'
import { refusalOf, trailingWords } from './tokens.ts'
import { judgeTree } from './tree.ts'

export { loadParser as loadSqlParser } from './parser.ts'
export type { SqlSettings } from './settings.ts'

/**
 * Both have to say that the text only reads: our lexer, which refuses what databases understand differently, and the grammar of PostgreSQL. Waits
 * for that grammar at the first text that needs it; later answers, and refusals of the lexer, are there at once.
 */
export function judgeSql(text: string, settings: SqlSettings): TextVerdict | Promise<TextVerdict> {
  const scan = scanSql(text)
  if ('refused' in scan) return { kind: 'refused', reason: scan.refused }
  const refusal = refusalOf(scan.tokens, settings)
  if (refusal !== undefined) return { kind: 'refused', reason: refusal }
  const judge = (parse: SqlParser): TextVerdict => {
    const statements = parse(settings.form === 'statement' ? scan.normal : `SELECT (${scan.normal}\n)`)
    if (statements === undefined)
      return { kind: 'unproven', reason: scan.doubt ?? 'it is not in the common subset of the dialects' }
    const verdict = judgeTree(statements, trailingWords(scan.tokens))
    return verdict.kind === 'read' && scan.doubt !== undefined
      ? { kind: 'unproven', reason: scan.doubt }
      : verdict
  }
  const parser = loadedParser()
  return parser === undefined ? loadParser().then(judge) : judge(parser)
}
