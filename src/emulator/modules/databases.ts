// Databases: definitions, connection context, rows and schema on embedded SQLite (contract 10.5).

import { definitions } from '../collection.ts'
import { failed, malformed, notSupported, overLimit } from '../refusal.ts'
import { aggregate, count, query, single } from '../sql/read.ts'
import { insert, remove, update, upsert } from '../sql/rows.ts'
import * as schema from '../sql/schema.ts'
import { type Database, entityName, openDatabase, type Table, tableOf } from '../sql/store.ts'
import { CAPS, type Call, type Handler, type Handlers, locate, newUuid, type Target } from '../state.ts'
import { asObject, asText, isObject, iso, type Json, type JsonObject, optionalText, pick } from '../values.ts'
import { dispatch } from './dispatch.ts'
import { savedHandlers } from './saved.ts'

const TYPES = ['postgresql', 'mysql', 'mariadb', 'sqlite', 'mongodb', 'dynamodb', 'cassandra']

const own = definitions({
  kind: 'databases',
  what: 'database',
  check(data) {
    const type = optionalText(data, 'type')
    if (type !== undefined && !TYPES.includes(type))
      throw malformed(`type must be one of ${TYPES.join(', ')}`)
  },
})

// The database behind product, env and tag; opened, and in the demo workspace filled, at first use.
export function databaseAt(call: Call, data: JsonObject): { database: Database; target: Target } {
  const { product, env, tag, key } = locate(call, data, 'databases', 'database', 'database')
  const target = { product: product.tag, env, tag }
  const { databases } = call.workspace
  let database = databases.get(key)
  if (database === undefined) {
    if (databases.size >= CAPS.databases)
      throw overLimit(`a workspace opens at most ${CAPS.databases} databases`)
    database = openDatabase()
    call.workspace.seed(database, target)
    databases.set(key, database)
  }
  return { database, target }
}

const clock = (call: Call) => ({ now: call.now, uuid: () => newUuid(call) })

// A call on the rows of one entity.
function onTable(
  action: (call: Call, database: Database, table: Table, data: JsonObject) => unknown,
): Handler {
  return (call, [first]) => {
    const data = asObject(first, 'params[0]')
    if (data['query'] !== undefined || data['sql'] !== undefined) throw rawSql()
    const { database } = databaseAt(call, data)
    return action(
      call,
      database,
      tableOf(database, entityName(pick(data, ['entity', 'table', 'collection']))),
      data,
    )
  }
}

const rawSql = () =>
  notSupported('the emulator runs no raw SQL; use the structured form with entity and where')

// connect keeps its target for the key's later schema calls, which name no database themselves.
function connect(call: Call, [first]: Json[]) {
  const { target } = databaseAt(call, asObject(first, 'config'))
  call.workspace.connection.set('databases', target)
  return { connected: true, version: 'emulator', latency: 0 }
}

function connected(call: Call): { database: Database; target: Target } {
  const target = call.workspace.connection.get('databases')
  if (target === undefined) throw failed('CONNECTION_ERROR', 'not connected: call databases.connect first')
  return databaseAt(call, { product: target.product, env: target.env, database: target.tag })
}

const context = (call: Call) => {
  const target = call.workspace.connection.get('databases')
  return target ? { product: target.product, env: target.env, database: target.tag } : null
}

// Every schema change makes and applies a migration; the answer carries it.
function migrated(call: Call, database: Database, name: string, result: JsonObject) {
  if (database.migrations.length >= 10_000) throw overLimit('the migration history is full')
  const tag = `${name}_${database.migrations.length + 1}`
  const checksum = Buffer.from(`${tag}:${name}`).toString('base64url')
  database.migrations.push({ tag, name, appliedAt: iso(call.now()), checksum })
  return { ...result, migration: { tag, name, status: 'completed' } }
}

type SchemaAction = (database: Database, table: Table, args: Json[]) => JsonObject

const onSchema =
  (name: string, action: SchemaAction): Handler =>
  (call, args) => {
    const { database } = connected(call)
    const table = tableOf(database, asText(args[0], 'collection'))
    return migrated(call, database, name, action(database, table, args))
  }

const options = (value: Json | undefined): JsonObject => (isObject(value) ? value : {})

const schemaHandlers: Handlers = {
  'schema.create'(call, [name, definition, more]) {
    const { database } = connected(call)
    const table = schema.createTable(
      database,
      asText(name, 'collection_name'),
      asObject(definition, 'definition'),
      options(more),
    )
    return migrated(call, database, 'create', { name: table.name, created: true })
  },
  'schema.drop'(call, [name, more]) {
    const { database } = connected(call)
    const dropped = schema.dropTable(database, asText(name, 'collection_name'), options(more))
    return migrated(call, database, 'drop', { name: asText(name, 'collection_name'), dropped })
  },
  'schema.addField': onSchema('addField', (database, table, [, name, definition]) => {
    if (definition === undefined) throw malformed('definition is required')
    return {
      field: schema.addField(database, table, asText(name, 'fieldName'), definition).name,
      added: true,
    }
  }),
  'schema.dropField': onSchema('dropField', (database, table, [, name]) => {
    schema.dropField(database, table, asText(name, 'fieldName'))
    return { field: asText(name, 'fieldName'), dropped: true }
  }),
  'schema.renameField': onSchema('renameField', (database, table, [, from, to]) => {
    schema.renameField(database, table, asText(from, 'oldName'), asText(to, 'newName'))
    return { field: asText(to, 'newName'), renamed: true }
  }),
  'schema.modifyField': onSchema('modifyField', (database, table, [, name, changes]) => {
    schema.modifyField(database, table, asText(name, 'fieldName'), asObject(changes, 'changes'))
    return { field: asText(name, 'fieldName'), modified: true }
  }),
  'schema.createIndex': onSchema('createIndex', (database, table, [, fields, more]) => {
    const index = schema.indexFrom(table, Array.isArray(fields) ? fields : [], options(more))
    schema.addIndex(database, table, index)
    return { name: index.name, created: true }
  }),
  'schema.dropIndex': onSchema('dropIndex', (database, table, [, name]) => {
    schema.dropIndex(database, table, asText(name, 'indexName'))
    return { name: asText(name, 'indexName'), dropped: true }
  }),
  'schema.addConstraint': onSchema('addConstraint', (database, table, [, constraint]) => {
    return {
      name: schema.addConstraint(database, table, asObject(constraint, 'constraint')).name,
      created: true,
    }
  }),
  'schema.dropConstraint': onSchema('dropConstraint', (database, table, [, name]) => {
    schema.dropConstraint(database, table, asText(name, 'constraintName'))
    return { name: asText(name, 'constraintName'), dropped: true }
  }),
  'schema.rename'(call, [from, to]) {
    const { database } = connected(call)
    schema.renameTable(database, asText(from, 'oldName'), asText(to, 'newName'))
    return migrated(call, database, 'rename', { name: asText(to, 'newName'), renamed: true })
  },
  'schema.exists': (call, [name]) => connected(call).database.tables.has(asText(name, 'name')),
  'schema.list': (call) => [...connected(call).database.tables.keys()].sort(),
  'schema.describe': (call, [name]) =>
    schema.describe(tableOf(connected(call).database, asText(name, 'collection_name'))),
  'schema.indexes': (call, [name]) =>
    schema.indexesOf(tableOf(connected(call).database, asText(name, 'collection_name'))),
}

function testConnection(call: Call, [first]: Json[]) {
  databaseAt(call, asObject(first, 'config'))
  return { connected: true, version: 'emulator', latency: 0 }
}

export const handlers: Handlers = {
  ...own,
  register: (call, [product, data]) => own.create(call, [product ?? null, data ?? null]),
  connect,
  testConnection,
  disconnect(call) {
    call.workspace.connection.delete('databases')
  },
  closeAll(call) {
    call.workspace.connection.delete('databases')
  },
  getCurrentContext: (call) => context(call),
  query(call, args) {
    if (typeof args[0] === 'string') throw rawSql()
    return onTable((_call, database, table, data) => query(database, table, data))(call, args)
  },
  insert: onTable((call, database, table, data) => insert(database, table, data, clock(call))),
  update(call, args) {
    if (typeof args[0] === 'string') return own.update(call, args)
    return handlers['updateRecords']?.(call, args)
  },
  updateRecords: onTable((call, database, table, data) => update(database, table, data, clock(call))),
  delete(call, args) {
    if (typeof args[0] === 'string') return own.delete(call, args)
    return onTable((_call, database, table, data) => remove(database, table, data))(call, args)
  },
  upsert: onTable((call, database, table, data) => upsert(database, table, data, clock(call))),
  count: onTable((_call, database, table, data) => count(database, table, data)),
  sum: onTable((_call, database, table, data) => single(database, table, 'sum', data)),
  avg: onTable((_call, database, table, data) => single(database, table, 'avg', data)),
  min: onTable((_call, database, table, data) => single(database, table, 'min', data)),
  max: onTable((_call, database, table, data) => single(database, table, 'max', data)),
  aggregate: onTable((_call, database, table, data) => aggregate(database, table, data)),
  ...schemaHandlers,
  ...savedHandlers(connected),
  dispatch: dispatch('databases', 'database', 'database'),
}
