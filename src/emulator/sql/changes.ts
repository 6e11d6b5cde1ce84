// What an update does to one row: plain values and the documented update operators, in either nesting.

import { isObject, iso, type Json, type JsonObject } from '../values.ts'
import { type Column, columnOf, printable, queryError, type Table } from './store.ts'

const numeric = (value: Json | undefined, name: string): number => {
  if (value === null || value === undefined) return 0
  if (typeof value === 'object') throw queryError(`${name} takes a number`)
  const number = Number(value)
  if (!Number.isFinite(number)) throw queryError(`${name} takes a number`)
  return number
}

function array(column: Column, value: Json | undefined): Json[] {
  if (column.kind !== 'json') throw queryError(`field ${column.name} is not an array`)
  if (value === null || value === undefined) return []
  if (!Array.isArray(value)) throw queryError(`field ${column.name} is not an array`)
  return value
}

const same = (a: Json, b: Json): boolean => JSON.stringify(a) === JSON.stringify(b)
const several = (value: Json): Json[] =>
  isObject(value) && Array.isArray(value['$each']) ? value['$each'] : [value]

// min and max keep the type: numbers are compared as numbers, texts (dates among them) as texts.
function extreme(current: Json | undefined, operand: Json, sign: 1 | -1): Json {
  if (current === null || current === undefined) return operand
  const [a, b] = [current, operand].map((v) => (typeof v === 'number' ? v : Number(v)))
  const less =
    typeof current === 'string' && typeof operand === 'string'
      ? current < operand
      : (a as number) < (b as number)
  return less === (sign === 1) ? operand : current
}

type Operator = (column: Column, current: Json | undefined, operand: Json, now: () => number) => Json

const OPERATORS: Record<string, Operator> = {
  $set: (_column, _current, operand) => operand,
  $unset: () => null,
  $inc: (_column, current, operand) => numeric(current, '$inc') + numeric(operand, '$inc'),
  $increment: (_column, current, operand) => numeric(current, '$inc') + numeric(operand, '$inc'),
  $dec: (_column, current, operand) => numeric(current, '$dec') - numeric(operand, '$dec'),
  $mul: (_column, current, operand) => numeric(current, '$mul') * numeric(operand, '$mul'),
  $min: (_column, current, operand) => extreme(current, operand, -1),
  $max: (_column, current, operand) => extreme(current, operand, 1),
  $push: (column, current, operand) => [...array(column, current), ...several(operand)],
  $pull: (column, current, operand) => array(column, current).filter((item) => !same(item, operand)),
  $addtoset(column, current, operand) {
    const have = array(column, current)
    return [...have, ...several(operand).filter((item) => !have.some((other) => same(item, other)))]
  },
  $pop: (column, current, operand) =>
    operand === -1 ? array(column, current).slice(1) : array(column, current).slice(0, -1),
  $currentdate(column, _current, _operand, now) {
    const at = iso(now())
    return column.type.toLowerCase() === 'date' ? at.slice(0, 10) : column.kind === 'integer' ? now() : at
  },
}

const isOperation = (value: Json): value is JsonObject =>
  isObject(value) && Object.keys(value).length > 0 && Object.keys(value).every((key) => key.startsWith('$'))

export function changeRow(
  table: Table,
  row: JsonObject,
  changes: JsonObject,
  now: () => number,
): [string, Json][] {
  const next = new Map<string, Json>()
  const current = (name: string): Json | undefined =>
    next.has(name) ? next.get(name) : Object.hasOwn(row, name) ? row[name] : undefined
  const apply = (given: string, name: string, operand: Json): void => {
    const operator = given.toLowerCase()
    const column = columnOf(table, name)
    if (operator === '$rename') {
      if (typeof operand !== 'string') throw queryError('$rename takes a field name')
      next.set(columnOf(table, operand).name, current(name) ?? null)
      next.set(name, null)
      return
    }
    const action = Object.hasOwn(OPERATORS, operator) ? OPERATORS[operator] : undefined
    if (action === undefined) throw queryError(`unknown operator ${printable(given)}`)
    next.set(name, action(column, current(name), operand, now))
  }
  for (const [key, value] of Object.entries(changes)) {
    if (key.startsWith('$')) {
      // {$inc: {field: 1}}; $unset may also list its fields.
      const operands = Array.isArray(value) ? value.map((name) => [String(name), true] as const) : undefined
      if (operands === undefined && !isObject(value))
        throw queryError(`${printable(key)} takes an object of fields`)
      for (const [name, operand] of operands ?? Object.entries(value as JsonObject)) apply(key, name, operand)
    } else if (isOperation(value)) {
      for (const [operator, operand] of Object.entries(value)) apply(operator, key, operand)
    } else next.set(columnOf(table, key).name, value)
  }
  return [...next]
}
