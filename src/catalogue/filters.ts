// Decides whether a filter of rows or nodes leaves anything out (ductape-backend.md 10.5).
import { isObject, type Json } from '../core/json.ts'

/**
 * True where a filter leaves no row out whatever the rows are, or where that cannot be told: absent, empty, no object, an operator
 * that no source documents. A filter that happens to fit every row of one table (`id > 0`) cannot be seen.
 */
export function isEveryRow(where: Json | undefined): boolean {
  if (!isObject(where)) return true
  // Fields and operators of one object are ANDed: one that leaves something out is enough.
  for (const name of Object.keys(where)) if (!isEvery(name, where[name] as Json)) return false
  return true
}

function isEvery(name: string, value: Json): boolean {
  if (!name.startsWith('$')) return isObject(value) ? isEveryRow(value) : isEmptyList(value)
  // Upper-case spellings are accepted too (ductape-backend.md 10.5).
  switch (name.toLowerCase()) {
    case '$and':
      return branches(value).every(isEveryRow)
    case '$or': {
      const all = branches(value)
      return all.length === 0 || all.some(isEveryRow)
    }
    case '$nor':
    case '$nin':
      return !Array.isArray(value) || value.length === 0
    case '$like':
    case '$ilike':
      return typeof value !== 'string' || /^%*$/.test(value)
    case '$regex':
      return typeof value !== 'string' || /^\^?(\.\*)*\$?$/.test(value)
    case '$startswith':
    case '$endswith':
    case '$contains':
      return value === '' || isEmptyList(value)
    // Every row that has the field: of a key, all of them.
    case '$exists':
    case '$isnotnull':
      return value !== false
    case '$isnull':
      return value !== true
    case '$ne':
      return value === null
    default:
      return !NARROWING.has(name.toLowerCase())
  }
}

const NARROWING: ReadonlySet<string> = new Set([
  '$eq',
  '$gt',
  '$gte',
  '$lt',
  '$lte',
  '$in',
  '$between',
  '$containedby',
  '$overlaps',
])

const isEmptyList = (value: Json): boolean => Array.isArray(value) && value.length === 0

/** Members of $and and $or: a list, or an object whose entries are the members. */
function branches(value: Json): readonly Json[] {
  if (Array.isArray(value)) return value
  if (!isObject(value)) return []
  return Object.keys(value).map((name) => Object.fromEntries([[name, value[name] as Json]]))
}
