// Turns a generated payload into the one argument of the SDK method: `input` is spread where that argument is flat, else kept.
import { findMethod, snippetFamily } from '../../catalogue/index.ts'
import { isObject, type Json } from '../../core/json.ts'
import type { SnippetOperation } from './index.ts'

// For methods whose members no source documents; a dispatch always carries its operation's arguments as `input`.
const FLAT_FAMILIES: ReadonlySet<string> = new Set([
  'database',
  'graph',
  'vector',
  'storage',
  'session',
  'cache',
  'health',
  'healthcheck',
])

/** Product, environment, target tags, session and cache of the payload with its input, without `meta`. */
export function flatten(operation: SnippetOperation, payload: Json): Json {
  if (!isObject(payload)) return payload
  const { input } = payload
  // Entries and fromEntries, because an assignment to a member named __proto__ would not make a member.
  const own = Object.entries(payload).filter(([name, value]) => name !== 'meta' && value !== undefined)
  if (!isObject(input) || !takesFlatInput(operation)) return Object.fromEntries(own)
  const rest = own.filter(([name]) => name !== 'input')
  const named = new Map(rest)
  // An input that says otherwise than the payload (vector.query: a store and an embedding of one name) must not hide it, nor be lost.
  const hides = ([name, value]: [string, Json]): boolean => named.has(name) && named.get(name) !== value
  const spread = Object.entries(input).filter(([, value]) => value !== undefined)
  return spread.some(hides) ? Object.fromEntries(own) : Object.fromEntries([...rest, ...spread])
}

function takesFlatInput({ family, method }: SnippetOperation): boolean {
  const entry = findMethod(snippetFamily(family)?.module ?? '', method)
  const members = Object.keys(entry?.positional[0]?.fields ?? {})
  if (members.length > 0) return !members.includes('input') && !members.includes('input?')
  return method !== 'dispatch' && FLAT_FAMILIES.has(family)
}
