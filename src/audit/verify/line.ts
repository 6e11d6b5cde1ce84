// Reads one line as a record: JSON, canonical, what its hash says, of the form of its type.
import { isUtf8 } from 'node:buffer'
import { hash } from 'node:crypto'
import { canonical } from '../../core/canonical.ts'
import { isObject, type Json, type JsonObject, MAX_DEPTH, parseExact } from '../../core/json.ts'
import type { Code } from './codes.ts'
import { isDigest, isRecord } from './form.ts'
import { MAX_LINE } from './lines.ts'

export type ReadLine =
  | { readonly ok: true; readonly record: JsonObject }
  | { readonly ok: false; readonly code: Code }

const fail = (code: Code): ReadLine => ({ ok: false, code })

export function readLine(bytes: Buffer): ReadLine {
  if (bytes.length > MAX_LINE || !isUtf8(bytes)) return fail('line_malformed')
  const text = bytes.toString()
  let record: Json | undefined = readPlain(text)
  if (record === undefined) {
    const parsed = parseExact(text)
    if (!parsed.ok) return fail(parsed.fault.kind === 'syntax' ? 'line_malformed' : 'line_not_canonical')
    record = parsed.value
    if (!isObject(record)) return fail('line_malformed')
    if (canonical(record) !== text) return fail('line_not_canonical')
  }
  const named = record['hash']
  if (named === undefined || !isDigest(named)) return fail('record_schema')
  if (hashWithout(text, named as string) !== named) return fail('hash_mismatch')
  return isRecord(record) ? { ok: true, record } : fail('record_schema')
}

/**
 * Nearly every record, in a third of the time: JSON.stringify spells strings and numbers as RFC 8785 does, so a text that it gives back is
 * canonical where the members are in order. Undefined where that cannot be said; a text with an escape is not tried, because half of a
 * surrogate pair would come back too, and V8 14.6 can mix up escaped names (nodejs/node 63785).
 */
function readPlain(text: string): JsonObject | undefined {
  if (text.includes('\\')) return undefined
  try {
    const value = JSON.parse(text) as Json
    return isObject(value) && JSON.stringify(value) === text && isInOrder(value, 1) ? value : undefined
  } catch {
    return undefined
  }
}

/** Members by UTF-16 units at every depth that the exact parser takes, and no integer about which it has the last word. */
function isInOrder(value: Json, depth: number): boolean {
  if (typeof value === 'number') return !Number.isInteger(value) || Number.isSafeInteger(value)
  if (typeof value !== 'object' || value === null) return true
  if (depth > MAX_DEPTH) return false
  if (Array.isArray(value)) return value.every((item) => isInOrder(item, depth + 1))
  let before = ''
  for (const name in value) {
    if (name < before || !isInOrder(value[name] as Json, depth + 1)) return false
    before = name
  }
  return true
}

// In a canonical line the member stands as these very characters. Where another object inside has the same one before it, that one is cut
// out and the hash cannot be right; no record has such an object.
function hashWithout(text: string, named: string): string {
  const member = `"hash":"${named}"`
  const start = text.indexOf(member)
  const end = start + member.length
  const rest =
    text.charCodeAt(end) === 0x2c
      ? text.slice(0, start) + text.slice(end + 1)
      : `${text.slice(0, start - 1)}${text.slice(end)}`
  return hash('sha256', rest, 'base64url')
}
