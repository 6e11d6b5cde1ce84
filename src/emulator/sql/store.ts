// One embedded SQLite database: its tables as data, identifiers, values in and out, and errors in plain words.

import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { failed, malformed, overLimit, Refusal } from '../refusal.ts'
import { CAPS } from '../state.ts'
import type { Json } from '../values.ts'
import { budget, installFunctions } from './functions.ts'

export type Affinity = 'INTEGER' | 'REAL' | 'TEXT' | 'BLOB'
export type Kind = 'integer' | 'real' | 'decimal' | 'text' | 'boolean' | 'json' | 'blob'

export interface Column {
  name: string
  type: string // as declared
  kind: Kind
  nullable: boolean
  primaryKey: boolean
  unique: boolean
  autoIncrement: boolean
  default?: Json
  minLength?: number
  maxLength?: number
  scale?: number
  values?: string[]
  comment?: string
}

export interface Index {
  name: string
  columns: string[]
  unique: boolean
}

export interface Constraint {
  name: string
  type: 'foreignKey' | 'unique'
  columns: string[]
  references?: { table: string; columns: string[]; onDelete?: string }
}

export interface Table {
  name: string
  columns: Column[]
  indexes: Index[]
  constraints: Constraint[]
  timestamps: boolean
}

export interface Database {
  sqlite: DatabaseSync
  tables: Map<string, Table>
  migrations: { tag: string; name: string; appliedAt: string; checksum: string }[]
}

const KINDS: Record<string, Kind> = {
  integer: 'integer',
  int: 'integer',
  bigint: 'integer',
  smallint: 'integer',
  serial: 'integer',
  float: 'real',
  double: 'real',
  number: 'real',
  decimal: 'decimal',
  numeric: 'decimal',
  string: 'text',
  varchar: 'text',
  text: 'text',
  boolean: 'boolean',
  bool: 'boolean',
  date: 'text',
  time: 'text',
  datetime: 'text',
  timestamp: 'text',
  uuid: 'text',
  enum: 'text',
  objectid: 'text',
  json: 'json',
  jsonb: 'json',
  object: 'json',
  mixed: 'json',
  array: 'json',
  binary: 'blob',
  blob: 'blob',
  buffer: 'blob',
}
const AFFINITY: Record<Kind, Affinity> = {
  integer: 'INTEGER',
  real: 'REAL',
  decimal: 'REAL',
  text: 'TEXT',
  boolean: 'INTEGER',
  json: 'TEXT',
  blob: 'BLOB',
}

export const affinity = (column: Column): Affinity => AFFINITY[column.kind]

export function kindOf(type: string): Kind {
  const name = type.toLowerCase().replace(/\s*\(.*\)$/, '')
  const kind = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined
  if (kind === undefined) throw failed('SCHEMA_ERROR', `unknown field type: ${type.slice(0, 60)}`)
  return kind
}

export const schemaError = (message: string): Refusal => failed('SCHEMA_ERROR', message)
export const queryError = (message: string): Refusal => failed('QUERY_ERROR', message)

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/

export function identifier(name: string, what: string): string {
  if (!IDENTIFIER.test(name) || /^(sqlite_.*|rowid|oid|_rowid_)$/i.test(name)) {
    throw schemaError(
      `${what} must be letters, digits and underscores, at most 63, not starting with a digit`,
    )
  }
  return name
}

// Only names that passed identifier() come here; the quoting still does not rely on that.
export const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`

export function openDatabase(): Database {
  const sqlite = new DatabaseSync(':memory:', { enableDoubleQuotedStringLiterals: false })
  sqlite.exec(`PRAGMA foreign_keys = ON; PRAGMA max_page_count = ${CAPS.databaseBytes / 4096}`)
  installFunctions(sqlite)
  return { sqlite, tables: new Map(), migrations: [] }
}

export function tableOf(database: Database, name: string): Table {
  const table = database.tables.get(name)
  if (table === undefined) throw failed('SCHEMA_ERROR', `entity ${printable(name)} does not exist`)
  return table
}

export function columnOf(table: Table, name: string): Column {
  const column = table.columns.find((item) => item.name === name)
  if (column === undefined) throw queryError(`field ${printable(name)} does not exist in ${table.name}`)
  return column
}

export const printable = (name: string): string =>
  JSON.stringify(name.length > 63 ? `${name.slice(0, 63)}…` : name)

function tooLong(value: string, column: Column): string {
  if (Buffer.byteLength(value) > CAPS.textBytes) {
    throw overLimit(`a value of ${column.name} is larger than ${CAPS.textBytes} bytes`)
  }
  return value
}

// JSON to a bound parameter, by the column's type; a value of another type is an error, not a guess.
export function toParameter(column: Column, value: Json): SQLInputValue {
  if (value === null) return null
  const wrong = () => queryError(`field ${column.name} takes ${column.type}`)
  switch (column.kind) {
    case 'integer': {
      const number = typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value
      if (typeof number !== 'number' || !Number.isInteger(number)) throw wrong()
      return Math.abs(number) < 2 ** 63 ? BigInt(number) : number
    }
    case 'real':
    case 'decimal': {
      const number =
        typeof value === 'string' && /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(value) ? Number(value) : value
      if (typeof number !== 'number') throw wrong()
      return number
    }
    case 'boolean':
      if (typeof value !== 'boolean') throw wrong()
      return value ? 1 : 0
    case 'text':
      if (typeof value === 'object') throw wrong()
      return tooLong(String(value), column)
    case 'json':
      return tooLong(JSON.stringify(value), column)
    case 'blob':
      if (typeof value !== 'string') throw wrong()
      return Buffer.from(tooLong(value, column), 'base64')
  }
}

// A stored value to JSON. Integers beyond 2^53 and decimals keep their digits as raw JSON.
export function fromStored(column: Column | undefined, value: unknown): unknown {
  if (value === null || value === undefined) return null
  if (column?.kind === 'boolean') return Number(value) !== 0
  if (column?.kind === 'json' && typeof value === 'string') return JSON.parse(value)
  if (column?.kind === 'decimal' && column.scale !== undefined && Number.isFinite(Number(value))) {
    return JSON.rawJSON(Number(value).toFixed(Math.min(column.scale, 20)))
  }
  if (typeof value === 'bigint') {
    return Number.isSafeInteger(Number(value)) ? Number(value) : JSON.rawJSON(String(value))
  }
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  return value
}

// The same without raw JSON, for arithmetic on a row that will be written back.
export function toPlain(column: Column, value: unknown): Json {
  if (typeof value === 'bigint' && column.kind !== 'boolean') return Number(value)
  if (column.kind === 'decimal') return value === null || value === undefined ? null : Number(value)
  return fromStored(column, value) as Json
}

const CODES: Record<number, [code: string, message: string]> = {
  787: ['FOREIGN_KEY_VIOLATION', 'a foreign key constraint failed'],
  1555: ['UNIQUE_VIOLATION', 'a value that must be unique is already there'],
  2067: ['UNIQUE_VIOLATION', 'a value that must be unique is already there'],
  1299: ['CONSTRAINT_ERROR', 'a required field has no value'],
  275: ['CONSTRAINT_ERROR', 'a check constraint failed'],
  3091: ['CONSTRAINT_ERROR', 'a value has the wrong type'],
}

// SQLite's own words can hold names and SQL of ours; only the kind of failure goes out.
export function guarded<T>(action: () => T): T {
  try {
    return action()
  } catch (error) {
    if (error instanceof Refusal) throw error
    const { code, errcode, message } = error as { code?: string; errcode?: number; message?: string }
    if (code !== 'ERR_SQLITE_ERROR' || errcode === undefined) throw error
    const known = CODES[errcode]
    if (known) {
      const columns = /: ([\w., ]+)$/.exec(message ?? '')?.[1]
      throw failed(known[0], columns ? `${known[1]}: ${columns}` : known[1])
    }
    if ((errcode & 0xff) === 13) throw overLimit('the database is full')
    if ((errcode & 0xff) === 18) throw overLimit('the statement or a value is too large')
    throw queryError('the database refused the statement')
  }
}

export function rows(
  database: Database,
  sql: string,
  parameters: SQLInputValue[],
): Record<string, unknown>[] {
  budget.steps = 0
  return guarded(() => {
    const statement = database.sqlite.prepare(sql)
    statement.setReadBigInts(true)
    return statement.all(...parameters) as Record<string, unknown>[]
  })
}

export function execute(database: Database, sql: string, parameters: SQLInputValue[] = []): void {
  guarded(() => database.sqlite.prepare(sql).run(...parameters))
}

// All or nothing; the in-memory description of tables must be changed only after this returns.
export function transaction<T>(database: Database, action: () => T): T {
  guarded(() => database.sqlite.exec('SAVEPOINT work'))
  try {
    const result = action()
    guarded(() => database.sqlite.exec('RELEASE work'))
    return result
  } catch (error) {
    // A full database may already have rolled everything back by itself.
    if (database.sqlite.isTransaction) database.sqlite.exec('ROLLBACK TO work; RELEASE work')
    throw error
  }
}

export function entityName(value: Json | undefined): string {
  if (value === undefined || value === null) throw malformed('entity is required')
  if (typeof value !== 'string' || value === '') throw malformed('entity must be a non-empty string')
  return value
}
