// The documented filters on values in memory: vector metadata, nodes and relationships (contract 10.6, 10.11).

import { failed, malformed } from './refusal.ts'
import { type Budget, likeMatch, pattern } from './text-match.ts'
import { isObject, type Json, type JsonObject } from './values.ts'

export type Match = (record: JsonObject) => boolean

const MAX_DEPTH = 20
const MAX_TERMS = 500

const bad = (message: string) => failed('QUERY_ERROR', message)
const same = (a: Json | undefined, b: Json): boolean => JSON.stringify(a ?? null) === JSON.stringify(b)

function ordered(a: Json | undefined, b: Json): number | undefined {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0
  return undefined
}

const members = (value: Json, name: string): Set<string> => {
  if (!Array.isArray(value)) throw bad(`${name} takes a list`)
  return new Set(value.map((item) => JSON.stringify(item)))
}
const word = (value: Json, name: string): string => {
  if (typeof value !== 'string') throw bad(`${name} takes a string`)
  return value
}

type Test = (value: Json | undefined) => boolean

function comparison(operand: Json, accept: (order: number) => boolean): Test {
  return (value) => {
    const order = ordered(value, operand)
    return order !== undefined && accept(order)
  }
}

function test(given: string, operand: Json, budget: Budget): Test {
  const name = given.toLowerCase()
  const has = (value: Json | undefined) => value !== undefined && value !== null
  switch (name) {
    case '$eq':
      return (value) => same(value, operand)
    case '$ne':
      return (value) => !same(value, operand)
    case '$gt':
      return comparison(operand, (order) => order > 0)
    case '$gte':
      return comparison(operand, (order) => order >= 0)
    case '$lt':
      return comparison(operand, (order) => order < 0)
    case '$lte':
      return comparison(operand, (order) => order <= 0)
    case '$in':
    case '$nin': {
      const set = members(operand, name)
      return (value) => set.has(JSON.stringify(value ?? null)) === (name === '$in')
    }
    case '$between': {
      const [low, high] = Array.isArray(operand) ? operand : []
      if (low === undefined || high === undefined) throw bad('$between takes [low, high]')
      const [above, below] = [test('$gte', low, budget), test('$lte', high, budget)]
      return (value) => above(value) && below(value)
    }
    case '$exists':
    case '$isnotnull':
      return (value) => has(value) === (operand !== false)
    case '$isnull':
      return (value) => has(value) !== (operand !== false)
    case '$contains': {
      return (value) => {
        if (typeof value === 'string') return value.includes(word(operand, name))
        const wanted = Array.isArray(operand) ? operand : [operand]
        return Array.isArray(value) && wanted.every((item) => value.some((other) => same(other, item)))
      }
    }
    case '$startswith':
      return (value) => typeof value === 'string' && value.startsWith(word(operand, name))
    case '$endswith':
      return (value) => typeof value === 'string' && value.endsWith(word(operand, name))
    case '$like':
    case '$ilike': {
      const fold = (text: string) => (name === '$ilike' ? text.toLowerCase() : text)
      const mask = fold(word(operand, name))
      return (value) => typeof value === 'string' && likeMatch(mask, fold(value), budget)
    }
    case '$regex': {
      const compiled = pattern(word(operand, name))
      return (value) => typeof value === 'string' && compiled.test(value, budget)
    }
    default:
      throw bad(`unknown operator ${JSON.stringify(given.slice(0, 40))}`)
  }
}

const isOperators = (value: Json): value is JsonObject =>
  isObject(value) && Object.keys(value).length > 0 && Object.keys(value).every((key) => key.startsWith('$'))

// Compiled once per call: an invalid filter is refused even where nothing is there to be matched.
export function compileMatch(filter: Json | undefined): Match {
  const budget: Budget = { steps: 0 }
  let terms = 0

  function field(name: string, tests: Test[]): Match {
    return (record) => {
      const value = Object.hasOwn(record, name) ? record[name] : undefined
      return tests.every((accept) => accept(value))
    }
  }

  function list(value: Json, depth: number): Match[] {
    const items = Array.isArray(value)
      ? value
      : Object.entries(value as JsonObject).map(([k, v]) => Object.fromEntries([[k, v]]))
    if (items.length === 0) throw bad('a list of filters needs at least one member')
    return items.map((item) => group(item, depth + 1))
  }

  function logical(given: string, value: Json, depth: number): Match {
    const name = given.toLowerCase()
    if (name === '$not') {
      const inner = group(value, depth + 1)
      return (record) => !inner(record)
    }
    if (
      (name !== '$and' && name !== '$or' && name !== '$nor') ||
      typeof value !== 'object' ||
      value === null
    ) {
      throw bad(`unknown operator ${JSON.stringify(given.slice(0, 40))}`)
    }
    const parts = list(value, depth)
    if (name === '$and') return (record) => parts.every((part) => part(record))
    return (record) => parts.some((part) => part(record)) === (name === '$or')
  }

  function group(value: Json, depth: number): Match {
    if (!isObject(value)) throw malformed('a filter must be an object')
    if (depth > MAX_DEPTH) throw bad(`a filter nests at most ${MAX_DEPTH} deep`)
    // The second spelling: {operator: "$and", filters: []} and {field, operator, value}.
    const { operator, filters, field: name, value: operand } = value
    if (typeof operator === 'string' && Array.isArray(filters)) return logical(operator, filters, depth)
    if (typeof operator === 'string' && typeof name === 'string') {
      return field(name, [test(operator, operand ?? null, budget)])
    }
    const parts = Object.entries(value).map(([key, item]) => {
      if (++terms > MAX_TERMS) throw bad(`a filter has at most ${MAX_TERMS} terms`)
      if (key.startsWith('$')) return logical(key, item, depth)
      if (!isOperators(item)) return field(key, [(found) => same(found, item)])
      const tests = Object.entries(item).map(([given, wanted]) => test(given, wanted, budget))
      return field(key, tests)
    })
    return (record) => parts.every((part) => part(record))
  }

  return filter === undefined || filter === null ? () => true : group(filter, 0)
}
