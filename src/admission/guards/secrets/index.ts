// The guard of secret references: finds `$Secret{...}`, which the backend would replace by a secret of the workspace, in any spelling that it might take for one.
import { isObject, type Json } from '../../../core/json.ts'

/** Dollar signs and what a reader that folds characters takes for one. */
const DOLLAR = /[$\uff04\ufe69]/
const REFERENCE = /\$\s*secret\s*\{/i
const INVISIBLE = /\p{Default_Ignorable_Code_Point}|\p{Cf}/gu

/** In ASCII alone the word is written as it is; letters outside it may fold to it. */
const WORD = /secret|[^\0-\x7f]/i

/** True where the JSON text could hold one; nearly every call ends here. */
export const mayHoldSecret = (text: string): boolean =>
  (text.includes('$') || text.includes('\uff04') || text.includes('\ufe69')) && WORD.test(text)

/** True where a text or the name of a member anywhere in the value is one. */
export function holdsSecret(value: Json | undefined): boolean {
  if (typeof value === 'string') return isReference(value)
  if (Array.isArray(value)) return value.some(holdsSecret)
  return (
    isObject(value) && Object.entries(value).some(([name, item]) => isReference(name) || holdsSecret(item))
  )
}

function isReference(text: string): boolean {
  if (!DOLLAR.test(text)) return false
  return REFERENCE.test(text) || REFERENCE.test(text.replace(INVISIBLE, '').normalize('NFKC'))
}

/** A value that is one reference and nothing else: what stands there cannot be seen. */
export const isWholeReference = (text: string): boolean => /^\$Secret\{[\w.-]+\}$/.test(text)
/** References in the middle of a text, as plain characters. */
export const withoutReferences = (text: string): string => text.replace(/\$Secret\{[\w.-]+\}/g, 'x')
