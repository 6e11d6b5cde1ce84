// Reading rows: query, count, the single aggregates and aggregate with groups (contract 10.5).

import type { SQLInputValue } from 'node:sqlite'
import { malformed, notEmulated } from '../refusal.ts'
import { CAPS } from '../state.ts'
import { isObject, type Json, type JsonObject, optionalList, pick, text, wholeNumber } from '../values.ts'
import { compileWhere, type Where } from './filter.ts'
import {
  type Column,
  columnOf,
  type Database,
  fromStored,
  printable,
  queryError,
  quote,
  rows,
  type Table,
} from './store.ts'

export function rowOf(columns: readonly Column[], row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(columns.map((column) => [column.name, fromStored(column, row[column.name])]))
}

interface Order {
  name: string
  descending: boolean
}

function direction(value: Json | undefined): boolean {
  if (value === undefined || value === 1) return false
  if (value === -1) return true
  const word = typeof value === 'string' ? value.toLowerCase() : ''
  if (word !== 'asc' && word !== 'desc') throw queryError('the order is ASC or DESC')
  return word === 'desc'
}

// "name", {column, order} with its aliases, {name: "DESC"}, or a list of these.
function orders(value: Json | undefined): Order[] {
  if (value === undefined || value === null) return []
  if (typeof value === 'string') return [{ name: value, descending: false }]
  if (Array.isArray(value)) {
    if (value.length > CAPS.columns) throw queryError('too many members in orderBy')
    return value.flatMap((item) => (Array.isArray(item) ? [] : orders(item)))
  }
  if (!isObject(value)) throw malformed('orderBy must be a string, an object or an array')
  const named = pick(value, ['column', 'field'])
  if (typeof named === 'string') {
    return [{ name: named, descending: direction(pick(value, ['order', 'direction'])) }]
  }
  return Object.entries(value).map(([name, order]) => ({ name, descending: direction(order) }))
}

const orderSql = (list: Order[], sqlOf: (name: string) => string, last: string): string =>
  ` ORDER BY ${[...list.map(({ name, descending }) => `${sqlOf(name)} ${descending ? 'DESC' : 'ASC'}`), last].join(', ')}`

function selected(table: Table, data: JsonObject): Column[] {
  const names = optionalList(data, 'select')
  if (names === undefined || names.length === 0 || names.includes('*')) return table.columns
  if (names.length > CAPS.columns) throw queryError('too many members in select')
  return [...new Set(names)].map((name) => {
    if (typeof name !== 'string') throw malformed('every item of select must be a string')
    return columnOf(table, name)
  })
}

function total(database: Database, table: Table, where: Where): number {
  const [row] = rows(
    database,
    `SELECT count(*) AS n FROM ${quote(table.name)} WHERE ${where.sql}`,
    where.parameters,
  )
  return Number(row?.['n'] ?? 0)
}

export function query(database: Database, table: Table, data: JsonObject) {
  if (pick(data, ['include']) !== undefined)
    throw notEmulated('include (relations) is not emulated; query each entity')
  const columns = selected(table, data)
  const where = compileWhere(table, pick(data, ['where', 'filter']))
  const limit = wholeNumber(data, 'limit', CAPS.rows, CAPS.rows)
  const offset = wholeNumber(data, 'offset', 0, CAPS.rows)
  const order = orderSql(
    orders(pick(data, ['orderBy', 'sort'])),
    (n) => quote(columnOf(table, n).name),
    'rowid',
  )
  const names = columns.map(({ name }) => quote(name)).join(', ')
  const found = rows(
    database,
    `SELECT ${names} FROM ${quote(table.name)} WHERE ${where.sql}${order} LIMIT ? OFFSET ?`,
    [...where.parameters, limit, offset],
  )
  return {
    data: found.map((row) => rowOf(columns, row)),
    count: total(database, table, where),
    fields: columns.map(({ name, type }) => ({ name, type })),
  }
}

export function count(database: Database, table: Table, data: JsonObject): number {
  const where = compileWhere(table, pick(data, ['where', 'filter']))
  const name = pick(data, ['column', 'field'])
  if (name === undefined || name === '*') return total(database, table, where)
  const column = quote(columnOf(table, text(data, 'column', 'field')).name)
  const what = data['distinct'] === true ? `DISTINCT ${column}` : column
  const [row] = rows(
    database,
    `SELECT count(${what}) AS n FROM ${quote(table.name)} WHERE ${where.sql}`,
    where.parameters,
  )
  return Number(row?.['n'] ?? 0)
}

const NUMERIC = new Set(['integer', 'real', 'decimal'])
const FUNCTIONS: Record<string, (sql: string) => string> = {
  count: (sql) => `count(${sql})`,
  sum: (sql) => `sum(${sql})`,
  avg: (sql) => `avg(${sql})`,
  min: (sql) => `min(${sql})`,
  max: (sql) => `max(${sql})`,
  stringagg: (sql) => `group_concat(${sql}, ',')`,
  groupconcat: (sql) => `group_concat(${sql}, ',')`,
  arrayagg: (sql) => `json_group_array(${sql})`,
}

interface Item {
  alias: string
  sql: string
  column: Column
}

const computed = (name: string, kind: Column['kind'], like?: Column): Column => ({
  name,
  type: like?.type ?? kind,
  kind,
  nullable: true,
  primaryKey: false,
  unique: false,
  autoIncrement: false,
  ...(like?.scale === undefined ? {} : { scale: like.scale }),
})

function item(table: Table, alias: string, givenType: string, field: Json | undefined): Item {
  const type = givenType.replace(/^\$/, '').replaceAll('_', '').toLowerCase()
  const build = Object.hasOwn(FUNCTIONS, type) ? FUNCTIONS[type] : undefined
  if (build === undefined) throw queryError(`unknown aggregation ${printable(givenType)}`)
  if (alias === '' || alias.length > 63) throw queryError('an alias has 1 to 63 characters')
  if (type === 'count' && (field === undefined || field === null || field === '*')) {
    return { alias, sql: 'count(*)', column: computed(alias, 'integer') }
  }
  if (typeof field !== 'string') throw malformed(`aggregation ${printable(alias)} needs a field`)
  const column = columnOf(table, field)
  if ((type === 'sum' || type === 'avg') && !NUMERIC.has(column.kind)) {
    throw queryError(`${type} needs a numeric field, ${field} is ${column.type}`)
  }
  const sql = build(quote(column.name))
  if (type === 'count') return { alias, sql, column: computed(alias, 'integer') }
  if (type === 'avg') return { alias, sql, column: computed(alias, 'real') }
  if (type === 'arrayagg') return { alias, sql, column: computed(alias, 'json') }
  if (type === 'stringagg' || type === 'groupconcat') return { alias, sql, column: computed(alias, 'text') }
  return { alias, sql, column: computed(alias, column.kind, column) }
}

// The reference: [{type, field?, alias}]. The SDK docs: {alias: {$sum: field}}.
function items(table: Table, value: Json | undefined): Item[] {
  if (Array.isArray(value)) {
    return value.map((entry) => {
      if (!isObject(entry)) throw malformed('every item of aggregations must be an object')
      const type = text(entry, 'type', 'function')
      const field = pick(entry, ['field', 'column'])
      const alias = entry['alias'] ?? (typeof field === 'string' && field !== '*' ? `${type}_${field}` : type)
      if (typeof alias !== 'string') throw malformed('alias must be a string')
      return item(table, alias, type, field)
    })
  }
  if (!isObject(value)) throw malformed('aggregations is required')
  return Object.entries(value).map(([alias, operation]) => {
    const [entry, ...rest] = isObject(operation) ? Object.entries(operation) : []
    if (entry === undefined || rest.length > 0)
      throw malformed(`operation ${printable(alias)} needs one function`)
    return item(table, alias, entry[0], entry[1])
  })
}

export function aggregate(database: Database, table: Table, data: JsonObject): unknown {
  const list = items(table, pick(data, ['aggregations', 'operations']))
  if (list.length === 0 || list.length > 50) throw malformed('aggregations needs 1 to 50 members')
  if (list.filter(({ sql }) => /^(group_concat|json_group_array)/.test(sql)).length > 3) {
    throw queryError('at most 3 aggregations may collect values')
  }
  const groups = (optionalList(data, 'groupBy') ?? []).map((name) => {
    if (typeof name !== 'string') throw malformed('every item of groupBy must be a string')
    return columnOf(table, name)
  })
  if (groups.length > 20) throw queryError('groupBy has at most 20 members')
  const where = compileWhere(table, pick(data, ['where', 'filter']))
  const resolve = (name: string) => {
    const aggregated = list.find(({ alias }) => alias === name)
    if (aggregated) return { sql: aggregated.sql, column: aggregated.column }
    const column = groups.find((group) => group.name === name)
    if (column === undefined) throw queryError(`${printable(name)} is neither an alias nor a group`)
    return { sql: quote(column.name), column }
  }
  const having = compileWhere(table, pick(data, ['having']), resolve)
  const by = groups.map(({ name }) => quote(name)).join(', ')
  const columns = [...groups.map(({ name }) => quote(name)), ...list.map(({ sql }) => sql)]
  const order = groups.length
    ? orderSql(orders(pick(data, ['orderBy'])), (name) => resolve(name).sql, by)
    : ''
  const sql =
    `SELECT ${columns.map((column, index) => `${column} AS c${index}`).join(', ')} FROM ${quote(table.name)}` +
    ` WHERE ${where.sql}${by ? ` GROUP BY ${by}` : ''}${having.sql === '1' ? '' : ` HAVING ${having.sql}`}${order} LIMIT ? OFFSET ?`
  const limit = wholeNumber(data, 'limit', CAPS.rows, CAPS.rows)
  const found = rows(database, sql, [
    ...where.parameters,
    ...having.parameters,
    limit,
    wholeNumber(data, 'offset', 0, CAPS.rows),
  ] as SQLInputValue[])
  const outputs = [
    ...groups.map((column) => [column.name, column] as const),
    ...list.map((i) => [i.alias, i.column] as const),
  ]
  const answers = found.map((row) =>
    Object.fromEntries(outputs.map(([name, column], index) => [name, fromStored(column, row[`c${index}`])])),
  )
  return groups.length > 0 ? answers : (answers[0] ?? {})
}

export function single(database: Database, table: Table, type: string, data: JsonObject): unknown {
  const name = text(data, 'field', 'column')
  const where = pick(data, ['where', 'filter'])
  const request: JsonObject = {
    aggregations: [{ type, field: name, alias: 'value' }],
    ...(where ? { where } : {}),
  }
  const answer = aggregate(database, table, request) as Record<string, unknown>
  return answer['value'] ?? null
}
