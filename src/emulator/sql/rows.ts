// Changing rows: insert, update with its operators, delete and upsert, each call all or nothing (contract 10.5).

import type { SQLInputValue } from 'node:sqlite'
import { failed, malformed, overLimit } from '../refusal.ts'
import { CAPS } from '../state.ts'
import {
  asObject,
  asText,
  flag,
  isObject,
  iso,
  type Json,
  type JsonObject,
  list,
  optionalObject,
  pick,
} from '../values.ts'
import { changeRow } from './changes.ts'
import { compileWhere } from './filter.ts'
import { rowOf } from './read.ts'
import {
  type Column,
  columnOf,
  type Database,
  execute,
  queryError,
  quote,
  rows,
  type Table,
  toParameter,
  toPlain,
  transaction,
} from './store.ts'

export interface Clock {
  now: () => number
  uuid: () => string
}

const rowList = (data: JsonObject): JsonObject[] => {
  const value = pick(data, ['data', 'records', 'values'])
  const items = Array.isArray(value) ? value : [value]
  if (items.length === 0) throw malformed('data is empty')
  if (items.length > CAPS.rows) throw overLimit(`a call writes at most ${CAPS.rows} rows`)
  return items.map((entry) => asObject(entry, Array.isArray(value) ? 'every item of data' : 'data'))
}

function checkValue(column: Column, value: Json): SQLInputValue {
  const parameter = toParameter(column, value)
  const broken = (rule: string) => failed('CONSTRAINT_ERROR', `field ${column.name} ${rule}`)
  if (value === null) {
    if (!column.nullable && !column.autoIncrement) throw broken('must have a value')
    return null
  }
  const length = typeof value === 'string' ? value.length : undefined
  if (length !== undefined && column.minLength !== undefined && length < column.minLength) {
    throw broken(`has at least ${column.minLength} characters`)
  }
  if (length !== undefined && column.maxLength !== undefined && length > column.maxLength) {
    throw broken(`has at most ${column.maxLength} characters`)
  }
  if (column.values && !column.values.includes(String(value)))
    throw broken(`is one of ${column.values.join(', ')}`)
  return parameter
}

function initial(column: Column, table: Table, clock: Clock): Json | undefined {
  if (table.timestamps && (column.name === 'created_at' || column.name === 'updated_at'))
    return iso(clock.now())
  if (column.default !== undefined) {
    const token = typeof column.default === 'string' ? column.default.toUpperCase() : ''
    if (token === 'NOW()' || token === 'CURRENT_TIMESTAMP') return iso(clock.now())
    return column.default
  }
  if (column.primaryKey && column.type.toLowerCase() === 'uuid') return clock.uuid()
  return undefined
}

const names = (columns: readonly Column[]): string => columns.map(({ name }) => quote(name)).join(', ')

function checkRoom(database: Database, table: Table, extra: number): void {
  const [row] = rows(database, `SELECT count(*) AS n FROM ${quote(table.name)}`, [])
  if (Number(row?.['n'] ?? 0) + extra > CAPS.rows) throw overLimit(`a table has at most ${CAPS.rows} rows`)
}

function insertRow(database: Database, table: Table, row: JsonObject, clock: Clock): Record<string, unknown> {
  for (const name of Object.keys(row)) columnOf(table, name)
  const given = table.columns.flatMap((column): [Column, SQLInputValue][] => {
    const value = Object.hasOwn(row, column.name) ? row[column.name] : initial(column, table, clock)
    if (value === undefined) {
      if (!column.nullable && !column.autoIncrement) checkValue(column, null)
      return []
    }
    return [[column, checkValue(column, value)]]
  })
  const into = given.length
    ? `(${names(given.map(([c]) => c))}) VALUES (${given.map(() => '?').join(', ')})`
    : 'DEFAULT VALUES'
  const [saved] = rows(
    database,
    `INSERT INTO ${quote(table.name)} ${into} RETURNING rowid AS "rowid#", ${names(table.columns)}`,
    given.map(([, value]) => value),
  )
  return saved ?? {}
}

function idOf(table: Table, row: Record<string, unknown>): unknown {
  const keys = table.columns.filter(({ primaryKey }) => primaryKey)
  const values = rowOf(keys, row)
  if (keys.length === 1) return values[keys[0]?.name ?? '']
  return keys.length === 0 ? Number(row['rowid#']) : values
}

type Stored = Record<string, unknown>

function answer(table: Table, saved: Stored[], data: JsonObject) {
  return flag(data, 'returning') ? { data: saved.map((row) => rowOf(table.columns, row)) } : {}
}

export function insert(database: Database, table: Table, data: JsonObject, clock: Clock) {
  const given = rowList(data)
  const conflict = optionalObject(data, 'onConflict')
  checkRoom(database, table, given.length)
  const saved = transaction(database, () =>
    given.flatMap((row) => {
      const before = conflict ? existing(database, table, row, keysOf(table, conflict, 'columns')) : undefined
      if (before === undefined) return [insertRow(database, table, row, clock)]
      const action = asText(conflict?.['action'], 'onConflict.action').toLowerCase()
      if (action === 'ignore') return []
      if (action !== 'update') throw queryError('onConflict.action is update or ignore')
      const changes = isObject(conflict?.['update']) ? conflict['update'] : row
      return [writeRow(database, table, before, changes, clock)]
    }),
  )
  return {
    ...answer(table, saved, data),
    count: saved.length,
    insertedIds: saved.map((row) => idOf(table, row)),
  }
}

function keysOf(table: Table, data: JsonObject, member: string): Column[] {
  const keys = list(data, member)
  if (keys.length === 0 || keys.length > CAPS.columns) throw malformed(`${member} needs at least one field`)
  return keys.map((name) => columnOf(table, asText(name, `every item of ${member}`)))
}

function existing(database: Database, table: Table, row: JsonObject, keys: Column[]): Stored | undefined {
  const parameters: SQLInputValue[] = []
  const terms = keys.map((column) => {
    const value = Object.hasOwn(row, column.name) ? row[column.name] : null
    parameters.push(toParameter(column, value ?? null))
    return `${quote(column.name)} IS ?`
  })
  const sql = `SELECT rowid AS "rowid#", ${names(table.columns)} FROM ${quote(table.name)} WHERE ${terms.join(' AND ')} LIMIT 1`
  return rows(database, sql, parameters)[0]
}

function writeRow(
  database: Database,
  table: Table,
  before: Stored,
  changes: JsonObject,
  clock: Clock,
): Stored {
  const stamp =
    table.timestamps && !Object.hasOwn(changes, 'updated_at') ? { updated_at: iso(clock.now()) } : {}
  const plain = Object.fromEntries(
    table.columns.map((column) => [column.name, toPlain(column, before[column.name])]),
  )
  const next = [...changeRow(table, plain, changes, clock.now), ...Object.entries(stamp)]
  if (next.length === 0) return before
  const columns = next.map(([name]) => columnOf(table, name))
  const parameters = next.map(([, value], index) => checkValue(columns[index] as Column, value))
  const sets = columns.map(({ name }) => `${quote(name)} = ?`).join(', ')
  const [saved] = rows(
    database,
    `UPDATE ${quote(table.name)} SET ${sets} WHERE rowid = ? RETURNING rowid AS "rowid#", ${names(table.columns)}`,
    [...parameters, before['rowid#'] as bigint],
  )
  return saved ?? before
}

function matching(database: Database, table: Table, data: JsonObject): Stored[] {
  const filter = pick(data, ['where', 'filter'])
  if (filter === undefined) throw malformed('where is required')
  const where = compileWhere(table, filter)
  return rows(
    database,
    `SELECT rowid AS "rowid#", ${names(table.columns)} FROM ${quote(table.name)} WHERE ${where.sql} ORDER BY rowid`,
    where.parameters,
  )
}

export function update(database: Database, table: Table, data: JsonObject, clock: Clock) {
  const changes = asObject(pick(data, ['data', 'set']), 'data')
  const found = matching(database, table, data)
  const saved = transaction(database, () =>
    found.map((row) => writeRow(database, table, row, changes, clock)),
  )
  return { ...answer(table, saved, data), count: saved.length }
}

export function remove(database: Database, table: Table, data: JsonObject) {
  const found = matching(database, table, data)
  transaction(database, () => {
    for (const row of found) {
      execute(database, `DELETE FROM ${quote(table.name)} WHERE rowid = ?`, [row['rowid#'] as bigint])
    }
  })
  return { ...answer(table, found, data), count: found.length }
}

export function upsert(database: Database, table: Table, data: JsonObject, clock: Clock) {
  const given = rowList(data)
  const keys = keysOf(table, data, 'conflictKeys')
  const only = pick(data, ['updateColumns'])
  checkRoom(database, table, given.length)
  let inserted = 0
  const saved = transaction(database, () =>
    given.map((row) => {
      const before = existing(database, table, row, keys)
      if (before === undefined) {
        inserted += 1
        return insertRow(database, table, row, clock)
      }
      const changed = Object.entries(row).filter(([name]) => !Array.isArray(only) || only.includes(name))
      return writeRow(database, table, before, Object.fromEntries(changed), clock)
    }),
  )
  return {
    data: flag(data, 'returning', true) ? saved.map((row) => rowOf(table.columns, row)) : [],
    count: saved.length,
    operation: inserted === saved.length ? 'inserted' : 'updated',
  }
}
