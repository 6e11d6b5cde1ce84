// Saved database actions and migrations: definitions, and migrations run on the connected database (contract 10.5).

import { created, found, updated } from '../collection.ts'
import { failed, malformed, notFound } from '../refusal.ts'
import * as schema from '../sql/schema.ts'
import { type Database, tableOf } from '../sql/store.ts'
import { CAPS, type Call, type Collection, components, type Handlers, productOf, putNew } from '../state.ts'
import {
  asObject,
  asText,
  isObject,
  iso,
  type Json,
  type JsonObject,
  list,
  optionalList,
  optionalObject,
  pick,
  text,
} from '../values.ts'
import { dispatch } from './dispatch.ts'

type Connected = (call: Call) => { database: Database }

const of = (call: Call, data: JsonObject, kind: string): Collection =>
  components(productOf(call.workspace, text(data, 'product')), kind)

function create(call: Call, [first]: Json[], kind: string, what: string): JsonObject {
  const data = asObject(first, 'data')
  const fields = asObject(data['data'] ?? data, 'data.data')
  const product = productOf(call.workspace, text(data, 'product'))
  const database = text(data, 'database')
  found(components(product, 'databases'), database, 'database')
  const tag = text(fields, 'tag')
  const record: JsonObject = { ...created(call, tag, fields), database, product: product.tag }
  return putNew(components(product, kind), tag, record, CAPS.items, what)
}

function update(call: Call, [first]: Json[], kind: string, what: string): JsonObject {
  const data = asObject(first, 'data')
  const all = of(call, data, kind)
  const tag = text(data, 'tag')
  const record = updated(call, found(all, tag, what), optionalObject(data, 'data') ?? {})
  all.set(tag, record)
  return record
}

// Saved actions are fetched by tag alone, so every product of the workspace is asked.
function ownerOf(call: Call, tag: string): Collection {
  for (const product of call.workspace.products.values()) {
    const all = components(product, 'database-actions')
    if (all.has(tag)) return all
  }
  throw notFound('action')
}

const OPERATIONS: Record<string, (database: Database, name: string, operation: JsonObject) => void> = {
  createCollection(database, name, operation) {
    const definition = optionalObject(operation, 'definition', 'fields', 'schema')
    if (definition === undefined) throw malformed('createCollection needs a definition')
    schema.createTable(database, name, definition, optionalObject(operation, 'options') ?? {})
  },
  dropCollection: (database, name) => void schema.dropTable(database, name, {}),
  addField(database, name, operation) {
    const definition = pick(operation, ['definition', 'fieldType'])
    if (definition === undefined) throw malformed('addField needs a definition')
    schema.addField(database, tableOf(database, name), text(operation, 'field', 'fieldName'), definition)
  },
  dropField: (database, name, operation) =>
    schema.dropField(database, tableOf(database, name), text(operation, 'field', 'fieldName')),
  createIndex(database, name, operation) {
    const table = tableOf(database, name)
    const index = schema.indexFrom(
      table,
      list(operation, 'fields'),
      optionalObject(operation, 'options') ?? {},
    )
    schema.addIndex(database, table, index)
  },
}

function apply(database: Database, operations: Json[]): void {
  if (operations.length > CAPS.items) throw malformed(`a migration has at most ${CAPS.items} operations`)
  for (const item of operations) {
    const operation = asObject(item, 'every operation')
    const type = text(operation, 'type')
    if (type === 'raw') throw failed('NOT_SUPPORTED', 'the emulator runs no raw SQL')
    const action = Object.hasOwn(OPERATIONS, type) ? OPERATIONS[type] : undefined
    if (action === undefined) throw malformed(`an operation is one of ${Object.keys(OPERATIONS).join(', ')}`)
    action(database, text(operation, 'collection', 'name', 'table'), operation)
  }
}

function given(value: Json | undefined) {
  const items = Array.isArray(value) ? value : []
  return items.map((item) => {
    const migration = asObject(item, 'every migration')
    const steps = optionalObject(migration, 'value') ?? migration
    const of = (name: string) => optionalList(steps, name) ?? []
    return {
      tag: text(migration, 'tag'),
      name: String(migration['name'] ?? migration['tag']),
      up: of('up'),
      down: of('down'),
    }
  })
}

export function savedHandlers(connected: Connected): Handlers {
  return {
    'migration.create': (call, args) => create(call, args, 'migrations', 'migration'),
    'migration.update': (call, args) => update(call, args, 'migrations', 'migration'),
    'migration.fetch'(call, [first]) {
      const data = asObject(first, 'data')
      return found(of(call, data, 'migrations'), text(data, 'tag'), 'migration')
    },
    'migration.list'(call, [first]) {
      const data = asObject(first, 'data')
      return [...of(call, data, 'migrations').values()].filter(
        (item) => item['database'] === text(data, 'database'),
      )
    },
    'migration.delete'(call, [first]) {
      const data = asObject(first, 'data')
      const all = of(call, data, 'migrations')
      found(all, text(data, 'tag'), 'migration')
      all.delete(text(data, 'tag'))
      return { deleted: true }
    },
    'migration.run'(call, [migrations]) {
      const { database } = connected(call)
      const done = new Set(database.migrations.map(({ tag }) => tag))
      const pending = given(migrations).filter(({ tag }) => !done.has(tag))
      for (const { tag, name, up } of pending) {
        apply(database, up)
        const checksum = Buffer.from(JSON.stringify(up)).toString('base64url').slice(0, 32)
        database.migrations.push({ tag, name, appliedAt: iso(call.now()), checksum })
      }
      return { applied: pending.map(({ tag }) => tag), count: pending.length }
    },
    'migration.rollback'(call, [migrations, count]) {
      const { database } = connected(call)
      const known = given(migrations)
      const wanted = typeof count === 'number' && count >= 1 ? Math.floor(count) : 1
      const undone: string[] = []
      for (const { tag } of database.migrations.toReversed()) {
        const migration = known.find((item) => item.tag === tag)
        if (migration === undefined || undone.length >= wanted) continue
        apply(database, migration.down)
        database.migrations = database.migrations.filter((item) => item.tag !== tag)
        undone.push(tag)
      }
      return { rolledBack: undone, count: undone.length }
    },
    'migration.history': (call) => connected(call).database.migrations,
    'migration.status'(call, [migrations]) {
      const { database } = connected(call)
      const known = given(migrations)
      const pending = known.filter(({ tag }) => !database.migrations.some((item) => item.tag === tag))
      return {
        total: known.length,
        completed: known.length - pending.length,
        pending: pending.length,
        lastApplied: database.migrations.at(-1)?.tag ?? null,
        pendingMigrations: pending.map(({ tag }) => tag),
      }
    },
    'action.create': (call, args) => create(call, args, 'database-actions', 'action'),
    'action.update': (call, args) => update(call, args, 'database-actions', 'action'),
    'action.fetch': (call, [tag]) =>
      found(ownerOf(call, asText(tag, 'action_tag')), asText(tag, 'action_tag'), 'action'),
    'action.list'(call, [database]) {
      const tag = asText(database, 'database_tag')
      const all = [...call.workspace.products.values()].flatMap((product) => [
        ...components(product, 'database-actions').values(),
      ])
      return all.filter((item) => isObject(item) && item['database'] === tag)
    },
    'action.delete'(call, [tag]) {
      ownerOf(call, asText(tag, 'action_tag')).delete(asText(tag, 'action_tag'))
      return { deleted: true }
    },
    'action.dispatch': dispatch('databases', 'database', 'database'),
  }
}
