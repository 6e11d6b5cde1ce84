// A documented filter object to a WHERE expression: names checked and quoted, values only as parameters (10.5).

import type { SQLInputValue } from 'node:sqlite'
import { malformed } from '../refusal.ts'
import { isObject, type Json, type JsonObject } from '../values.ts'
import {
  affinity,
  type Column,
  columnOf,
  printable,
  queryError,
  quote,
  type Table,
  toParameter,
} from './store.ts'

const MAX_DEPTH = 20
const MAX_TERMS = 500
const MAX_LIST = 200_000
const MAX_OPERAND = 16_384

interface Writer {
  table: Table
  parameters: SQLInputValue[]
  terms: number
  // Groups of an aggregate are filtered by alias, so the name does not always mean a column.
  resolve: (name: string) => { sql: string; column: Column }
}

export interface Where {
  sql: string
  parameters: SQLInputValue[]
}

const isOperators = (value: Json | undefined): value is JsonObject =>
  isObject(value) && Object.keys(value).length > 0 && Object.keys(value).every((key) => key.startsWith('$'))

export function compileWhere(table: Table, where: Json | undefined, resolve?: Writer['resolve']): Where {
  const writer: Writer = {
    table,
    parameters: [],
    terms: 0,
    resolve:
      resolve ?? ((name) => ({ sql: quote(columnOf(table, name).name), column: columnOf(table, name) })),
  }
  if (where === undefined || where === null) return { sql: '1', parameters: [] }
  const sql = group(writer, where, 0)
  return { sql, parameters: writer.parameters }
}

function group(writer: Writer, filter: Json, depth: number): string {
  if (!isObject(filter)) throw malformed('a filter must be an object')
  if (depth > MAX_DEPTH) throw queryError(`a filter nests at most ${MAX_DEPTH} deep`)
  const terms = Object.entries(filter).map(([key, value]) => term(writer, key, value, depth))
  return terms.length === 0 ? '1' : join(terms, ' AND ')
}

const join = (terms: string[], by: string): string => `(${terms.join(by)})`

function term(writer: Writer, key: string, value: Json, depth: number): string {
  if (++writer.terms > MAX_TERMS) throw queryError(`a filter has at most ${MAX_TERMS} terms`)
  if (key.startsWith('$')) return logical(writer, key.toLowerCase(), value, depth)
  const { sql, column } = writer.resolve(key)
  if (!isOperators(value)) return value === null ? `${sql} IS NULL` : compare(writer, sql, column, '=', value)
  const terms = Object.entries(value).map(([name, operand]) => {
    if (++writer.terms > MAX_TERMS) throw queryError(`a filter has at most ${MAX_TERMS} terms`)
    return operator(writer, sql, column, name, operand, depth)
  })
  return join(terms, ' AND ')
}

// Each member of the list is one filter; an object stands for the list of its entries.
function logical(writer: Writer, key: string, value: Json, depth: number): string {
  if (key === '$not') return `NOT ${group(writer, value, depth + 1)}`
  if (key !== '$and' && key !== '$or' && key !== '$nor')
    throw queryError(`unknown operator ${printable(key)}`)
  const members: Json[] = Array.isArray(value)
    ? value
    : isObject(value)
      ? Object.entries(value).map(([name, item]) => Object.fromEntries([[name, item]]))
      : []
  if (members.length === 0) throw queryError(`${key} takes a list of at least one filter`)
  if (members.length > MAX_TERMS) throw queryError(`a filter has at most ${MAX_TERMS} terms`)
  const terms = members.map((member) => group(writer, member, depth + 1))
  // A balanced tree keeps a list of 500 members far below SQLite's limit on depth of expressions.
  const joined = balanced(terms, key === '$and' ? ' AND ' : ' OR ')
  return key === '$nor' ? `NOT ${joined}` : joined
}

function balanced(terms: string[], by: string): string {
  if (terms.length <= 2) return join(terms, by)
  const middle = Math.floor(terms.length / 2)
  return join([balanced(terms.slice(0, middle), by), balanced(terms.slice(middle), by)], by)
}

function bind(writer: Writer, value: SQLInputValue): string {
  writer.parameters.push(value)
  return '?'
}

const compare = (writer: Writer, sql: string, column: Column, sign: string, value: Json): string =>
  `${sql} ${sign} ${bind(writer, toParameter(column, value))}`

// Read again for every row, so it is kept short.
function operandList(value: Json): string {
  const text = JSON.stringify(value)
  if (text.length > MAX_OPERAND)
    throw queryError(`a list to compare with has at most ${MAX_OPERAND} characters`)
  return text
}

function textOf(value: Json, name: string): string {
  if (typeof value !== 'string') throw queryError(`${name} takes a string`)
  if (value.length > MAX_OPERAND) throw queryError(`${name} takes at most ${MAX_OPERAND} characters`)
  return value
}

const truth = (value: Json, name: string): boolean => {
  if (typeof value !== 'boolean') throw queryError(`${name} takes true or false`)
  return value
}

// One parameter however long the list is: SQLite reads the members from JSON and the column's type is kept.
function inList(writer: Writer, sql: string, column: Column, value: Json, name: string): string {
  if (!Array.isArray(value)) throw queryError(`${name} takes a list`)
  if (value.length > MAX_LIST) throw queryError(`a list has at most ${MAX_LIST} members`)
  const members = value
    .filter((item) => item !== null)
    .map((item) => toParameter(column, item))
    .map((item) => (typeof item === 'bigint' ? JSON.rawJSON(String(item)) : item))
  const listed = bind(writer, JSON.stringify(members))
  return `${sql} ${name === '$nin' ? 'NOT IN' : 'IN'} (SELECT CAST(value AS ${affinity(column)}) FROM json_each(${listed}))`
}

const SIGNS: Record<string, string> = { $gt: '>', $gte: '>=', $lt: '<', $lte: '<=' }

function operator(w: Writer, sql: string, column: Column, given: string, value: Json, depth: number): string {
  const name = given.toLowerCase()
  const sign = Object.hasOwn(SIGNS, name) ? SIGNS[name] : undefined
  if (sign) return compare(w, sql, column, sign, value)
  switch (name) {
    case '$eq':
      return value === null ? `${sql} IS NULL` : compare(w, sql, column, '=', value)
    case '$ne':
      return value === null ? `${sql} IS NOT NULL` : compare(w, sql, column, '<>', value)
    case '$in':
    case '$nin':
      return inList(w, sql, column, value, name)
    case '$like':
    case '$ilike':
      return `emu_like(${bind(w, textOf(value, name))}, ${sql}, ${name === '$ilike' ? 1 : 0})`
    case '$startswith':
      return `substr(${sql}, 1, length(${bind(w, textOf(value, name))})) = ${bind(w, textOf(value, name))}`
    case '$endswith': {
      const end = textOf(value, name)
      return end === '' ? '1' : `substr(${sql}, -length(${bind(w, end)})) = ${bind(w, end)}`
    }
    case '$regex':
      return `emu_regex(${bind(w, textOf(value, name))}, ${sql})`
    case '$between': {
      const [low, high, ...rest] = Array.isArray(value) ? value : []
      if (low === undefined || high === undefined || rest.length > 0)
        throw queryError('$between takes [low, high]')
      return join([compare(w, sql, column, '>=', low), compare(w, sql, column, '<=', high)], ' AND ')
    }
    case '$isnull':
      return `${sql} IS ${truth(value, name) ? '' : 'NOT '}NULL`
    case '$isnotnull':
    case '$exists':
      return `${sql} IS ${truth(value, name) ? 'NOT ' : ''}NULL`
    case '$contains':
      if (column.kind === 'json') return `emu_contains(${sql}, ${bind(w, operandList(value))})`
      return `instr(${sql}, ${bind(w, textOf(value, name))}) > 0`
    case '$containedby':
      return `emu_contains(${bind(w, operandList(value))}, ${sql})`
    case '$overlaps':
      return `emu_overlaps(${sql}, ${bind(w, operandList(value))})`
    case '$not':
      if (!isOperators(value)) throw queryError('$not takes operators')
      if (depth > MAX_DEPTH) throw queryError(`a filter nests at most ${MAX_DEPTH} deep`)
      return `NOT ${join(
        Object.entries(value).map(([key, operand]) => operator(w, sql, column, key, operand, depth + 1)),
        ' AND ',
      )}`
    default:
      throw queryError(`unknown operator ${printable(given)}`)
  }
}
