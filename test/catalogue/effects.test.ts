// What the arguments of a call raise: a case for every row of the table, and that nothing is ever lowered.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  allowedMethods,
  EFFECT_ROWS,
  effectOf,
  findMethod,
  type MethodEntry,
  MODULES,
} from '../../src/catalogue/index.ts'
import type { Json } from '../../src/core/json.ts'
import type { Effect } from '../../src/core/tool.ts'

const RANK: Record<Effect, number> = { read: 0, write: 1, destructive: 2, admin: 3 }
const ID = { product: 'acme:shop', env: 'dev', database: 'main' }
const ROW = { ...ID, entity: 'orders' }

const entryOf = (name: string): MethodEntry => {
  const dot = name.indexOf('.')
  const entry = findMethod(name.slice(0, dot), name.slice(dot + 1))
  assert.ok(entry, name)
  return entry
}

// By row: method, arguments, effect. The first case of a row is one that it raises or holds.
const CASES: Record<string, [string, Json[], Effect][]> = {
  'database-raw-query': [
    ['databases.query', [{ ...ID, query: 'DROP TABLE orders' }], 'destructive'],
    ['databases.query', [{ ...ID, sql: 'SELECT 1', params: [] }], 'destructive'],
    ['databases.query', [{ ...ROW, query: null }], 'destructive'],
    ['databases.query', ['SELECT 1'], 'destructive'],
    ['databases.query', ['SELECT 1', []], 'destructive'],
    ['databases.query', [null, { sql: 'SELECT 1' }], 'destructive'],
    ['databases.query', [ROW, { sql: 'SELECT 1' }], 'destructive'],
    ['databases.query', [], 'destructive'],
    ['databases.query', [[]], 'destructive'],
    ['databases.query', [{ ...ROW, where: { query: 'x' }, limit: 5 }], 'read'],
    ['databases.query', [{ ...ID, table: 'orders' }], 'read'],
  ],
  'database-definition-update': [
    ['databases.update', ['acme:shop', 'main', { name: 'x' }], 'admin'],
    ['databases.update', ['acme:shop'], 'admin'],
    ['databases.update', [{ ...ROW, data: {}, where: { id: 1 } }, 'main'], 'admin'],
    ['databases.update', [null], 'admin'],
    ['databases.update', [[ROW]], 'admin'],
    ['databases.update', [], 'admin'],
    ['databases.update', [{ ...ROW, data: { a: 1 }, where: { id: 1 } }], 'write'],
  ],
  'rows-without-where': [
    ['databases.update', [{ ...ROW, data: { a: 1 } }], 'destructive'],
    ['databases.updateRecords', [{ ...ROW, data: { a: 1 } }], 'destructive'],
    ['databases.updateRecords', [], 'destructive'],
    ['databases.updateRecords', [{ ...ROW, where: { id: 1 } }], 'write'],
  ],
  'database-delete': [
    ['databases.delete', [{ ...ROW, where: { id: 1 } }], 'destructive'],
    ['databases.delete', ['acme:shop', 'main'], 'destructive'],
  ],
  'graph-bulk-update': [
    ['graph.updateNode', [{ labels: ['User'], properties: { a: 1 } }], 'destructive'],
    ['graph.updateNode', [{ labels: ['User'], where: {}, properties: {} }], 'destructive'],
    ['graph.updateRelationship', [{ type: 'KNOWS', properties: {} }], 'destructive'],
    ['graph.updateNode', [{ labels: ['User'], where: { name: 'a' }, properties: {} }], 'write'],
    ['graph.updateNode', [{ id: '4', properties: {} }], 'write'],
  ],
  'graph-raw-query': [
    ['graph.query', ['MATCH (n) RETURN n'], 'destructive'],
    ['graph.query', [{ query: 'MATCH (n) DETACH DELETE n' }], 'destructive'],
    ['graph.query', [{ cypher: 'MATCH (n) RETURN n' }], 'destructive'],
  ],
  'graph-transaction': [
    ['graph.executeTransaction', [[]], 'destructive'],
    ['graph.executeTransaction', [['CREATE (n)']], 'destructive'],
  ],
  'definition-update': [
    ['graph.update', ['acme:shop', 'social', {}], 'admin'],
    ['vector.update', [{ product: 'acme:shop', tag: 'docs', data: {} }], 'admin'],
  ],
  'definition-delete': [
    ['graph.delete', ['social'], 'destructive'],
    ['vector.delete', [{ product: 'acme:shop', tag: 'docs' }], 'destructive'],
  ],
  'dispatch-operation': [
    ['databases.dispatch', [{ ...ID, operation: 'delete', input: { table: 'orders' } }], 'destructive'],
    ['databases.dispatch', [{ ...ID, operation: 'DELETE' }], 'destructive'],
    ['databases.dispatch', [{ ...ID, operation: 'insert', input: { table: 'orders', data: {} } }], 'write'],
    ['databases.dispatch', [{ ...ID, operation: 'query', input: { table: 'orders' } }], 'write'],
    ['databases.dispatch', [{ ...ID, operation: 'query', input: { sql: 'DROP TABLE a' } }], 'destructive'],
    ['databases.dispatch', [{ ...ID, operation: 'RAW_SQL', input: {} }], 'destructive'],
    ['databases.dispatch', [{ ...ID, operation: 'update', input: { table: 'a', data: {} } }], 'destructive'],
    ['databases.dispatch', [{ ...ID, operation: 'update', input: { where: { id: 1 } } }], 'write'],
    ['databases.dispatch', [{ ...ID, operation: 'dropTable' }], 'admin'],
    ['databases.dispatch', [{ ...ID, operation: 7 }], 'admin'],
    ['databases.dispatch', [{ ...ID, action: 'main:report', input: {} }], 'write'],
    ['databases.action.dispatch', [{ ...ID, action: 'main:report', operation: 'delete' }], 'destructive'],
    ['graph.dispatch', [{ operation: 'query', input: {} }], 'destructive'],
    ['graph.action.dispatch', [{ action: 'a' }], 'write'],
    ['graph.execute', [{ operation: 'delete' }], 'destructive'],
    ['vector.actions.execute', [{ operation: 'delete' }], 'destructive'],
    [
      'storage.dispatch',
      [{ ...ID, storage: 's', operation: 'remove', input: { fileName: 'a' } }],
      'destructive',
    ],
    ['storage.dispatch', [{ ...ID, storage: 's', operation: 'upload', input: { fileName: 'a' } }], 'write'],
    ['caches.dispatch', [{ operation: 'clear' }], 'destructive'],
    ['actions.dispatch', [{ product: 'p', env: 'dev', app: 'a', action: 'b', input: {} }], 'write'],
    [
      'features.dispatch',
      [{ product: 'p', env: 'dev', feature: 'f', input: { operation: 'delete' } }],
      'write',
    ],
    ['databases.dispatch', [], 'write'],
  ],
  'saved-action': [
    ['databases.action.create', [{ data: { type: 'sql', query: 'DELETE FROM a' } }], 'destructive'],
    ['databases.action.create', [{ name: 'a', operation: 'DELETE', template: {} }], 'destructive'],
    ['databases.action.create', [{ name: 'a', operation: 'QUERY', template: {} }], 'write'],
    ['databases.action.update', [{ template: { query: 'DELETE FROM a' } }], 'destructive'],
    ['databases.action.update', [{ template: 'DELETE FROM a' }], 'destructive'],
    [
      'graph.action.create',
      [{ graphTag: 'g', tag: 't', name: 'n', query: 'MATCH (n) DELETE n' }],
      'destructive',
    ],
    ['graph.action.update', ['t', { query: 'MATCH (n) DELETE n' }], 'destructive'],
    ['graph.action.update', ['t', { name: 'n' }], 'write'],
    ['vector.actions.create', [{ operation: 'delete', template: {} }], 'destructive'],
    ['vector.actions.create', [{ operation: 'upsert', template: {} }], 'write'],
    ['vector.actions.update', [{ operation: 'zap' }], 'admin'],
  ],
  'feature-steps': [
    ['features.create', ['p', { steps: [{ type: 'database', operation: 'delete' }] }], 'destructive'],
    ['features.update', ['p', 'f', { steps: [{ type: 'storage', operation: 'remove' }] }], 'destructive'],
    ['features.create', ['p', { steps: [{ type: 'database', input: { sql: 'x' } }] }], 'destructive'],
    ['features.create', ['p', { steps: [{ type: 'graph', operation: 'query' }] }], 'destructive'],
    ['features.create', ['p', { steps: [{ type: 'sleep' }, 3, null] }], 'write'],
  ],
  'cache-clear': [
    ['caches.clear', [{ key: 'a' }], 'destructive'],
    ['caches.clear', [{ product: 'p', env: 'dev', cache: 'c' }], 'destructive'],
  ],
  'quota-check-amount': [
    ['quotas.check', [{ tag: 'q', amount: 1 }], 'write'],
    ['resilience.quotas.check', [{ tag: 'q', amount: 1 }], 'write'],
    ['quotas.check', [{ tag: 'q' }], 'read'],
  ],
  'expiring-index': [
    ['databases.schema.createIndex', ['a', ['b'], { expireAfterSeconds: 60 }], 'destructive'],
    ['databases.schema.createIndex', ['a', ['b'], { unique: true }], 'write'],
  ],
  'raw-predicate': [
    ['databases.schema.createIndex', ['a', ['b'], { where: 'x > 1' }], 'destructive'],
    ['databases.schema.addConstraint', ['a', { type: 'check', expression: 'x > 1' }], 'destructive'],
    ['databases.schema.addConstraint', ['a', { type: 'unique', columns: ['x'] }], 'write'],
  ],
  'migration-text': [
    ['databases.migration.create', [{ data: { value: { up: ['DROP TABLE a'] } } }], 'write'],
    ['databases.migration.run', [[{ up: [{ type: 'raw', sql: 'DROP TABLE a' }] }]], 'destructive'],
  ],
  'runs-something-saved': [
    ['actions.run', [{ product: 'p', env: 'dev', app: 'a', action: 'b', input: {} }], 'write'],
    ['fallback.run', [{}], 'write'],
    ['features.run', [{}], 'write'],
    ['quotas.run', [{}], 'write'],
  ],
}

// Filters that leave no row out, and filters that do.
const EVERY_ROW: Json[] = [
  null,
  [],
  {},
  '',
  'id = 1',
  7,
  true,
  { $and: [] },
  { $and: [{}, {}] },
  { $AND: {} },
  { $or: [] },
  { $or: [{ id: 1 }, {}] },
  { $OR: { id: 1, name: {} } },
  { $nor: [] },
  { id: {} },
  { id: [] },
  { id: { $exists: true } },
  { id: { $isNotNull: true } },
  { id: { $ISNOTNULL: true } },
  { id: { $isNull: false } },
  { id: { $ne: null } },
  { id: { $nin: [] } },
  { name: { $like: '%' } },
  { name: { $ilike: '%%' } },
  { name: { $regex: '' } },
  { name: { $regex: '^.*$' } },
  { name: { $startsWith: '' } },
  { name: { $contains: '' } },
  { $where: 'true' },
  { id: { $unheardOf: 1 } },
  { $and: [{ $or: [{}] }, { $and: [] }] },
]
const SOME_ROWS: Json[] = [
  { id: 1 },
  { id: null },
  { id: { $eq: 1 } },
  { id: { $gt: 5, $unheardOf: 1 } },
  { id: { $in: [] } },
  { id: { $ne: 1 } },
  { id: { $exists: false } },
  { id: { $isNull: true } },
  { name: { $like: 'a%' } },
  { name: { $regex: '^a' } },
  { name: { $startsWith: 'a' } },
  { $and: [{}, { id: 1 }] },
  { $or: [{ id: 1 }, { id: 2 }] },
  { $OR: { id: 1, name: 'a' } },
  { $nor: [{ id: 1 }] },
  { a: {}, id: 1 },
]

describe('effects', () => {
  for (const row of EFFECT_ROWS) {
    it(`row ${row.id}`, () => {
      const cases = CASES[row.id]
      assert.ok(cases, 'a row without a case')
      for (const [name, params, effect] of cases)
        assert.equal(effectOf(entryOf(name), params), effect, `${name} ${JSON.stringify(params)}`)
    })
  }

  it('every row has a case that it raises or holds by itself, and no case is for a row that is gone', () => {
    assert.deepEqual(
      Object.keys(CASES),
      EFFECT_ROWS.map((row) => row.id),
    )
    for (const row of EFFECT_ROWS) {
      const [name, params, effect] = CASES[row.id]?.[0] ?? []
      assert.ok(name !== undefined && params !== undefined)
      const entry = entryOf(name)
      const texts = row.texts?.(params, entry.module) ?? []
      if (row.id === 'migration-text') assert.notDeepEqual(texts, [])
      else assert.equal(texts.length > 0 ? 'destructive' : row.raise?.(params, entry), effect, row.id)
    }
  })

  it('every method of a row is in the catalogue', () => {
    for (const row of EFFECT_ROWS)
      for (const method of row.methods) if (!method.startsWith('*.')) assert.ok(entryOf(method), method)
  })

  it('every dispatch of the catalogue is looked into', () => {
    for (const module of MODULES) {
      for (const method of allowedMethods(module).filter((name) => /(^|\.)dispatch$/.test(name)))
        assert.equal(
          effectOf(entryOf(`${module}.${method}`), [{ operation: 'delete' }]),
          'destructive',
          module,
        )
    }
  })

  it('a filter that leaves no row out is one that is absent', () => {
    for (const where of EVERY_ROW)
      assert.equal(
        effectOf(entryOf('databases.update'), [{ ...ROW, where }]),
        'destructive',
        JSON.stringify(where),
      )
    for (const where of SOME_ROWS)
      assert.equal(effectOf(entryOf('databases.update'), [{ ...ROW, where }]), 'write', JSON.stringify(where))
  })

  it('members named like those of Object.prototype are no arguments', () => {
    const params = JSON.parse('[{"__proto__":{"query":"x"},"constructor":1}]') as Json[]
    assert.equal(effectOf(entryOf('databases.query'), params), 'read')
  })

  it('is never below the catalogue, and answers any arguments (seed 11)', () => {
    const entries = MODULES.flatMap((module) =>
      allowedMethods(module).map((method) => entryOf(`${module}.${method}`)),
    )
    const word = fc.constantFrom(
      ...[
        'where',
        'query',
        'sql',
        'operation',
        'input',
        'data',
        'template',
        'steps',
        'type',
        'amount',
        'envs',
      ],
      ...['$and', '$or', '$like', '__proto__', 'delete', 'database'],
    )
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom<Json>(null, true, 0, 'delete', 'database', '', -1.5),
        fc.array(tie('value')),
        fc.dictionary(word, tie('value')),
      ),
    }))
    const params = fc.array(value as fc.Arbitrary<Json>, { maxLength: 4 })
    fc.assert(
      fc.property(fc.constantFrom(...entries), params, (entry, given) => {
        assert.ok(RANK[effectOf(entry, given)] >= RANK[entry.effect])
        assert.equal(effectOf(entry, given), effectOf(entry, given))
        for (const { id, gives, raise } of EFFECT_ROWS) {
          const raised = raise?.(given, entry)
          assert.ok(raised === undefined || gives.includes(raised), `${id} gives ${raised}`)
        }
      }),
      { seed: 11, numRuns: 1000 },
    )
  })

  it('an argument more never lowers what a dispatch does', () => {
    const entry = entryOf('databases.dispatch')
    const first: Json = { operation: 'delete' }
    for (const more of [{ operation: 'query' }, { operation: 'find' }, null, 'x'] as Json[]) {
      assert.equal(effectOf(entry, [first, more]), 'destructive')
      assert.equal(effectOf(entry, [more, first]), 'destructive')
    }
  })
})
