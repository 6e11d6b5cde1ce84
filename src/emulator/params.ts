// Checks positional params against the catalogue: how many, and which JSON types (422 on a mismatch).

import type { Positional } from '../catalogue/index.ts'
import { malformed } from './refusal.ts'
import { isObject, type Json } from './values.ts'

const ANY_SHAPE_CAP = 5

// Second call shapes that sources other than the method reference give, as argument types ("?" optional).
const OTHER_SHAPES: Record<string, string[][]> = {
  'databases.create': [['string', 'object']],
  'databases.disconnect': [['object']],
  'databases.update': [['string', 'string', 'object']],
  'databases.delete': [['string', 'string']],
  'databases.query': [['string', 'array?']],
  'graph.query': [['object', 'any?']],
  'messageBrokers.create': [['string', 'object']],
  'messageBrokers.topics.create': [['object']],
  'messageBrokers.topics.delete': [['string', 'string']],
  'storage.create': [['string', 'object']],
  'caches.create': [['string', 'object']],
  'features.list': [['string']],
  'logs.fetch': [['string']],
}

const typeOf = (value: Json | undefined): string =>
  value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value

function fits(value: Json | undefined, type: string): boolean {
  if (type.endsWith('?')) return value === undefined || value === null || fits(value, type.slice(0, -1))
  return value !== undefined && (type === 'any' || typeOf(value) === type)
}

const fitsShape = (params: Json[], shape: string[]): boolean =>
  params.length <= shape.length && shape.every((type, index) => fits(params[index], type))

const article = (type: string): string => (/^[aeio]/.test(type) ? `an ${type}` : `a ${type}`)

function checkFields(value: Json | undefined, fields: Record<string, string>, name: string): void {
  if (!isObject(value)) return
  for (const [key, type] of Object.entries(fields)) {
    const field = key.endsWith('?') ? key.slice(0, -1) : key
    if (!Object.hasOwn(value, field)) continue
    const found = value[field]
    if (found === undefined || found === null) continue
    if (!fits(found, type)) throw malformed(`${name}.${field} must be ${article(type)}`)
  }
}

export function checkParams(
  module: string,
  method: string,
  positional: readonly Positional[] | null | undefined,
  params: Json[],
): void {
  const shapes = OTHER_SHAPES[`${module}.${method}`] ?? []
  if (shapes.some((shape) => fitsShape(params, shape))) return
  if (!positional) {
    if (params.length > ANY_SHAPE_CAP) throw malformed(`params must have at most ${ANY_SHAPE_CAP} items`)
    return
  }
  if (params.length > positional.length) {
    throw malformed(
      `${module}.${method} takes at most ${positional.length} params, ${params.length} were given`,
    )
  }
  for (const [index, { name, type, required, fields }] of positional.entries()) {
    const value = params[index]
    if (value === undefined || (value === null && type !== 'any')) {
      if (required) throw malformed(`params[${index}] (${name}) is required`)
      continue
    }
    if (!fits(value, type)) throw malformed(`params[${index}] (${name}) must be ${article(type)}`)
    if (type === 'string' && value === '' && required) {
      throw malformed(`params[${index}] (${name}) is not allowed to be empty`)
    }
    if (fields) checkFields(value, fields, `params[${index}]`)
  }
}
