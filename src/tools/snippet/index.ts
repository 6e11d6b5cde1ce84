// Decides which operations have a snippet, and writes it: TypeScript or Python that calls the Ductape SDK with a generated payload.
import { SNIPPET_FAMILIES, snippetFamily } from '../../catalogue/index.ts'
import type { Json } from '../../core/json.ts'
import { looksLikeKey, REDACTED } from '../../core/text.ts'
import { flatten } from './flatten.ts'
import { writePython } from './python.ts'
import { writeTypeScript } from './typescript.ts'

export type SnippetLanguage = 'typescript' | 'python'

/** One entry of the fixed table; `path` is the call path in the SDK, e.g. notifications, email, send. */
export interface SnippetOperation {
  readonly path: readonly string[]
  readonly family: string
  readonly method: string
}

export type FoundOperation =
  | { readonly ok: true; readonly operation: SnippetOperation }
  | { readonly ok: false; readonly message: string }

/** The operation, or the sentence that refuses it and names what is allowed instead. */
export function findOperation(family: string, method: string): FoundOperation {
  const found = snippetFamily(family)
  if (found?.methods.includes(method) === true) {
    return { ok: true, operation: { path: [found.path, ...method.split('.')], family, method } }
  }
  const allowed =
    found === undefined
      ? `Allowed operation families: ${SNIPPET_FAMILIES.join(', ')}`
      : `Allowed methods for ${family}: ${found.methods.join(', ')}`
  return {
    ok: false,
    message: `Unsupported snippet operation "${echo(family)}.${echo(method)}". ${allowed}`,
  }
}

/** The source text of the snippet. Every name in it comes from the table, every value is an escaped literal. */
export function writeSnippet(language: SnippetLanguage, operation: SnippetOperation, payload: Json): string {
  const call = operation.path.join('.')
  const args = flatten(operation, payload)
  return language === 'python' ? writePython(call, payload, args) : writeTypeScript(call, payload, args)
}

const ECHO_LENGTH = 64
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu

// Cut first: the caller's word may be a megabyte.
function echo(word: string): string {
  if (looksLikeKey(word)) return REDACTED
  const printable = word.slice(0, 4 * ECHO_LENGTH).replace(UNPRINTABLE, '')
  // By code points, so that no surrogate pair is halved.
  return Array.from(printable).slice(0, ECHO_LENGTH).join('')
}
