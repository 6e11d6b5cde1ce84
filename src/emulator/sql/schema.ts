// Tables as data, made into SQLite and changed by rebuilding: create, alter, describe (contract 10.5, Schema).

import { failed, malformed, overLimit } from '../refusal.ts'
import { CAPS } from '../state.ts'
import {
  asObject,
  asText,
  flag,
  isObject,
  type Json,
  type JsonObject,
  list,
  optionalList,
  optionalNumber,
  optionalObject,
  optionalText,
  text,
  textList,
} from '../values.ts'
import {
  affinity,
  type Column,
  type Constraint,
  columnOf,
  type Database,
  execute,
  guarded,
  type Index,
  identifier,
  kindOf,
  printable,
  quote,
  schemaError,
  type Table,
  tableOf,
  toParameter,
  transaction,
} from './store.ts'

function columnFrom(name: string, definition: Json): Column {
  identifier(name, 'a field name')
  const given: JsonObject = typeof definition === 'string' ? { type: definition } : asObject(definition, name)
  const type = asText(given['type'], `${name}.type`)
  const primaryKey = flag(given, 'primaryKey')
  const values = optionalList(given, 'enum', 'values')
  const bounds = Object.fromEntries(
    ['minLength', 'maxLength', 'scale'].flatMap((key) => {
      const value = optionalNumber(given, key)
      return value === undefined ? [] : [[key, value]]
    }),
  )
  const column: Column = {
    name,
    type,
    kind: kindOf(type),
    nullable: !(flag(given, 'required') || primaryKey || given['nullable'] === false),
    primaryKey,
    unique: flag(given, 'unique'),
    autoIncrement: flag(given, 'autoIncrement') || type.toLowerCase() === 'serial',
    ...(given['default'] === undefined || given['default'] === null ? {} : { default: given['default'] }),
    ...bounds,
    ...(values ? { values: values.map(String) } : {}),
    ...(typeof given['comment'] === 'string' ? { comment: given['comment'] } : {}),
  }
  if (column.autoIncrement && column.kind !== 'integer')
    throw schemaError(`${name}: only an integer can count up`)
  if (column.default !== undefined && typeof column.default !== 'string') toParameter(column, column.default)
  return column
}

const foreignKey = ({ name, columns, references }: Constraint): string => {
  const action = references?.onDelete ? ` ON DELETE ${references.onDelete}` : ''
  const target = `${quote(references?.table ?? '')} (${(references?.columns ?? []).map(quote).join(', ')})`
  return `CONSTRAINT ${quote(name)} FOREIGN KEY (${columns.map(quote).join(', ')}) REFERENCES ${target}${action}`
}

function createSql(table: Table, name: string): string {
  const keys = table.columns.filter(({ primaryKey }) => primaryKey)
  const counter = keys.length === 1 && keys[0]?.autoIncrement ? keys[0] : undefined
  const columns = table.columns.map((column) => {
    const rule = column === counter ? ' PRIMARY KEY AUTOINCREMENT' : column.nullable ? '' : ' NOT NULL'
    return `${quote(column.name)} ${affinity(column)}${rule}${column.unique && !column.primaryKey ? ' UNIQUE' : ''}`
  })
  if (!counter && keys.length > 0)
    columns.push(`PRIMARY KEY (${keys.map((key) => quote(key.name)).join(', ')})`)
  for (const constraint of table.constraints) {
    if (constraint.type === 'foreignKey') columns.push(foreignKey(constraint))
    else
      columns.push(
        `CONSTRAINT ${quote(constraint.name)} UNIQUE (${constraint.columns.map(quote).join(', ')})`,
      )
  }
  return `CREATE TABLE ${quote(name)} (${columns.join(', ')}) STRICT`
}

// "#" cannot be in an identifier of a caller, so the names of indexes of two tables never meet.
const indexName = (table: Table, index: Index): string => quote(`${table.name}#${index.name}`)

function createIndexSql(table: Table, index: Index): string {
  const columns = index.columns.map(quote).join(', ')
  return `CREATE ${index.unique ? 'UNIQUE ' : ''}INDEX ${indexName(table, index)} ON ${quote(table.name)} (${columns})`
}

function findTable(database: Database, name: string): Table | undefined {
  const folded = name.toLowerCase()
  return [...database.tables.values()].find((table) => table.name.toLowerCase() === folded)
}

export function indexFrom(table: Table, fields: Json[], options: JsonObject): Index {
  if (options['where'] !== undefined) throw failed('NOT_SUPPORTED', 'a partial index (where) is raw SQL')
  if (options['expireAfterSeconds'] !== undefined)
    throw failed('NOT_SUPPORTED', 'a TTL index needs a document database')
  const columns = fields.map((field) => {
    const name = isObject(field) ? (field['name'] ?? field['field'] ?? field['column']) : field
    return columnOf(table, asText(name, 'every item of fields')).name
  })
  if (columns.length === 0 || columns.length > 16) throw malformed('fields needs 1 to 16 members')
  const name = identifier(
    optionalText(options, 'name') ?? `${table.name}_${columns.join('_')}_idx`.slice(0, 63),
    'an index name',
  )
  if (table.indexes.some((index) => index.name === name)) throw schemaError(`index ${name} already exists`)
  if (table.indexes.length >= 30) throw overLimit('a table has at most 30 indexes')
  return { name, columns, unique: flag(options, 'unique') }
}

export function createTable(
  database: Database,
  name: string,
  definition: JsonObject,
  options: JsonObject,
): Table {
  identifier(name, 'an entity name')
  if (findTable(database, name)) {
    throw failed('TABLE_EXISTS', `entity ${printable(name)} already exists`)
  }
  if (database.tables.size >= CAPS.tables) throw overLimit(`a database has at most ${CAPS.tables} tables`)
  const entries = Object.entries(definition)
  if (entries.length === 0) throw schemaError('a definition needs at least one field')
  const columns = entries.map(([field, value]) => columnFrom(field, value))
  const timestamps = flag(options, 'timestamps')
  if (timestamps) {
    for (const field of ['created_at', 'updated_at']) {
      if (!columns.some((column) => column.name === field)) columns.push(columnFrom(field, 'timestamp'))
    }
  }
  checkColumns(columns)
  const table: Table = { name, columns, indexes: [], constraints: [], timestamps }
  for (const entry of optionalList(options, 'indexes') ?? []) {
    const index = asObject(entry, 'every item of indexes')
    table.indexes.push(indexFrom(table, list(index, 'fields', 'columns'), index))
  }
  transaction(database, () => {
    execute(database, createSql(table, name))
    for (const index of table.indexes) execute(database, createIndexSql(table, index))
  })
  database.tables.set(name, table)
  return table
}

function checkColumns(columns: Column[]): void {
  if (columns.length > CAPS.columns) throw overLimit(`a table has at most ${CAPS.columns} columns`)
  if (columns.length === 0) throw schemaError('a table needs at least one field')
  const folded = new Set(columns.map(({ name }) => name.toLowerCase()))
  if (folded.size !== columns.length) throw schemaError('two fields have the same name')
}

export function dropTable(database: Database, name: string, options: JsonObject): boolean {
  const table = database.tables.get(name)
  if (table === undefined) {
    if (flag(options, 'ifExists')) return false
    throw schemaError(`entity ${printable(name)} does not exist`)
  }
  transaction(database, () => execute(database, `DROP TABLE ${quote(table.name)}`))
  database.tables.delete(name)
  return true
}

// SQLite cannot alter most of a table in place, so the new form is filled from the old one and takes its name.
function rebuild(database: Database, old: Table, next: Table, fill: Map<string, Json> = new Map()): void {
  checkColumns(next.columns)
  const kept = next.columns.filter((column) => old.columns.some(({ name }) => name === column.name))
  const fills = next.columns.filter((column) => fill.has(column.name) && !kept.includes(column))
  const into = [...kept, ...fills].map(({ name }) => quote(name)).join(', ')
  const from = [...kept.map((column) => convert(column)), ...fills.map(() => '?')].join(', ')
  const values = fills.map((column) => toParameter(column, fill.get(column.name) ?? null))
  database.sqlite.exec('PRAGMA foreign_keys = OFF')
  try {
    transaction(database, () => {
      execute(database, createSql(next, 'emulator#new'))
      execute(database, `INSERT INTO "emulator#new" (${into}) SELECT ${from} FROM ${quote(old.name)}`, values)
      execute(database, `DROP TABLE ${quote(old.name)}`)
      execute(database, `ALTER TABLE "emulator#new" RENAME TO ${quote(next.name)}`)
      for (const index of next.indexes) execute(database, createIndexSql(next, index))
      if (guarded(() => database.sqlite.prepare('PRAGMA foreign_key_check').get())) {
        throw failed('FOREIGN_KEY_VIOLATION', 'existing rows break the foreign key')
      }
    })
  } finally {
    database.sqlite.exec('PRAGMA foreign_keys = ON')
  }
  database.tables.set(next.name, next)
}

const convert = (column: Column): string =>
  column.kind === 'blob' ? quote(column.name) : `CAST(${quote(column.name)} AS ${affinity(column)})`

export function addField(database: Database, table: Table, name: string, definition: Json): Column {
  const column = columnFrom(name, definition)
  if (column.primaryKey) throw schemaError('a primary key cannot be added later')
  const next = { ...table, columns: [...table.columns, column] }
  rebuild(database, table, next, new Map(column.default === undefined ? [] : [[name, column.default]]))
  return column
}

export function dropField(database: Database, table: Table, name: string): void {
  columnOf(table, name)
  for (const other of database.tables.values()) {
    const used = other.constraints.some(
      ({ references }) => references?.table === table.name && references.columns.includes(name),
    )
    if (used) throw failed('CONSTRAINT_ERROR', `a foreign key of ${other.name} points at this field`)
  }
  rebuild(database, table, {
    ...table,
    columns: table.columns.filter((column) => column.name !== name),
    indexes: table.indexes.filter((index) => !index.columns.includes(name)),
    constraints: table.constraints.filter((constraint) => !constraint.columns.includes(name)),
  })
}

export function modifyField(database: Database, table: Table, name: string, changes: JsonObject): Column {
  const { nullable, values, kind: _kind, ...before } = columnOf(table, name)
  const base = { ...before, required: !nullable, ...(values ? { enum: values } : {}) } as JsonObject
  const column = columnFrom(name, { ...base, ...changes })
  const columns = table.columns.map((item) => (item.name === name ? column : item))
  rebuild(database, table, { ...table, columns })
  return column
}

export function renameField(database: Database, table: Table, from: string, to: string): void {
  columnOf(table, from)
  identifier(to, 'a field name')
  const change = (name: string): string => (name === from ? to : name)
  const columns = table.columns.map((column) => ({ ...column, name: change(column.name) }))
  checkColumns(columns)
  transaction(database, () =>
    execute(database, `ALTER TABLE ${quote(table.name)} RENAME COLUMN ${quote(from)} TO ${quote(to)}`),
  )
  for (const other of database.tables.values()) {
    for (const { references } of other.constraints) {
      if (references?.table === table.name) references.columns = references.columns.map(change)
    }
  }
  const indexes = table.indexes.map((index) => ({ ...index, columns: index.columns.map(change) }))
  const constraints = table.constraints.map((item) => ({ ...item, columns: item.columns.map(change) }))
  database.tables.set(table.name, { ...table, columns, indexes, constraints })
}

export function renameTable(database: Database, from: string, to: string): void {
  const table = tableOf(database, from)
  identifier(to, 'an entity name')
  if (findTable(database, to)) throw failed('TABLE_EXISTS', `entity ${printable(to)} already exists`)
  const next = { ...table, name: to }
  transaction(database, () => {
    for (const index of table.indexes) execute(database, `DROP INDEX ${indexName(table, index)}`)
    execute(database, `ALTER TABLE ${quote(from)} RENAME TO ${quote(to)}`)
    for (const index of next.indexes) execute(database, createIndexSql(next, index))
  })
  for (const other of database.tables.values()) {
    for (const { references } of other.constraints) if (references?.table === from) references.table = to
  }
  database.tables.delete(from)
  database.tables.set(to, next)
}

export function addIndex(database: Database, table: Table, index: Index): void {
  transaction(database, () => execute(database, createIndexSql(table, index)))
  table.indexes.push(index)
}

export function dropIndex(database: Database, table: Table, name: string): void {
  const index = table.indexes.find((item) => item.name === name)
  if (index === undefined) throw schemaError(`index ${printable(name)} does not exist`)
  transaction(database, () => execute(database, `DROP INDEX ${indexName(table, index)}`))
  table.indexes = table.indexes.filter((item) => item !== index)
}

const ACTIONS = ['CASCADE', 'SET NULL', 'RESTRICT', 'NO ACTION']

export function addConstraint(database: Database, table: Table, data: JsonObject): Constraint {
  const name = identifier(text(data, 'name'), 'a constraint name')
  const type = text(data, 'type')
  if (type === 'check') throw failed('NOT_SUPPORTED', 'a check constraint is raw SQL; the emulator runs none')
  if (type !== 'foreignKey' && type !== 'unique') throw schemaError('the type is foreignKey, unique or check')
  if (table.constraints.some((item) => item.name === name))
    throw schemaError(`constraint ${name} already exists`)
  const columns = textList(list(data, 'columns'), 'columns').map((column) => columnOf(table, column).name)
  const constraint: Constraint = { name, type, columns }
  if (type === 'foreignKey') {
    const target = optionalObject(data, 'references')
    if (target === undefined) throw malformed('references is required')
    const other = tableOf(database, text(target, 'table', 'entity'))
    const named = optionalList(target, 'columns') ?? [text(target, 'column', 'field')]
    const action = optionalText(target, 'onDelete')?.toUpperCase()
    if (action !== undefined && !ACTIONS.includes(action))
      throw schemaError(`onDelete is one of ${ACTIONS.join(', ')}`)
    const references = {
      table: other.name,
      columns: textList(named, 'columns').map((c) => columnOf(other, c).name),
    }
    constraint.references = action === undefined ? references : { ...references, onDelete: action }
  }
  rebuild(database, table, { ...table, constraints: [...table.constraints, constraint] })
  return constraint
}

export function dropConstraint(database: Database, table: Table, name: string): void {
  const constraints = table.constraints.filter((item) => item.name !== name)
  if (constraints.length === table.constraints.length)
    throw schemaError(`constraint ${printable(name)} does not exist`)
  rebuild(database, table, { ...table, constraints })
}

export function indexesOf(table: Table): JsonObject[] {
  const keys = table.columns.filter(({ primaryKey }) => primaryKey).map(({ name }) => name)
  const primary = keys.length
    ? [{ name: `${table.name}_pkey`, columns: keys, unique: true, primaryKey: true }]
    : []
  const own = table.indexes.map(({ name, columns, unique }) => ({ name, columns, unique, primaryKey: false }))
  return [...primary, ...own]
}

export function describe(table: Table): Record<string, unknown> {
  return {
    name: table.name,
    columns: table.columns.map(({ name, type, nullable, primaryKey, unique, default: preset }) => ({
      name,
      type,
      nullable,
      isPrimaryKey: primaryKey,
      ...(unique ? { unique } : {}),
      ...(preset === undefined ? {} : { default: preset }),
    })),
    indexes: indexesOf(table),
    constraints: table.constraints,
  }
}
