// Databases in the emulator: filters, writes, aggregates and schema changes do what the contract says.

import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { type Bench, DB, open, PLACE } from './helper.ts'

let bench: Bench
before(async () => {
  bench = await open()
})
beforeEach(() => bench.emulator.workspaces.reset())
after(() => bench.emulator.close())

const users = (more: object = {}) => bench.ok('databases', 'query', { ...DB, entity: 'users', ...more })
const ids = async (where: unknown): Promise<string[]> =>
  (await users({ where, select: ['id'] })).data.map((row: { id: string }) => row.id)

test('query: rows, total count without limit, select, order, offset', async () => {
  const found = await users({ where: { status: { $eq: 'active' } }, limit: 10 })
  assert.equal(found.data.length, 10)
  assert.equal(found.count, 12)
  assert.deepEqual(found.data[0], {
    id: '123',
    name: 'Ada Moreno',
    email: 'ada@example.com',
    status: 'active',
    age: 34,
    verified: true,
    tags: ['beta', 'newsletter'],
    created_at: '2026-01-01T08:00:00.000Z',
  })
  const page = await users({
    select: ['name'],
    orderBy: { column: 'age', order: 'DESC' },
    limit: 2,
    offset: 1,
  })
  assert.deepEqual(page.data, [{ name: 'Jonas Weber' }, { name: 'Farid Haddad' }])
  assert.equal(page.count, 14)
  for (const orderBy of ['age', { field: 'age', direction: 'asc' }, [{ age: 1 }], { age: 'ASC' }]) {
    const first = await users({ select: ['age'], orderBy, limit: 1 })
    assert.deepEqual(first.data, [{ age: 26 }])
  }
})

test('query keeps the scale of decimals in its digits', async () => {
  const response = await fetch(`${bench.emulator.url}/proxy/v1/sdk-proxy/execute`, {
    method: 'POST',
    headers: { 'x-publishable-key': 'pk_demo_0123456789ab' },
    body: JSON.stringify({
      module: 'databases',
      method: 'query',
      params: [{ ...DB, entity: 'orders', where: { id: 'ord_1001' }, select: ['total'] }],
    }),
  })
  assert.match(await response.text(), /"total":19\.90\}/)
})

const FILTERS: [name: string, where: unknown, expected: string[]][] = [
  ['equality', { id: '123' }, ['123']],
  ['a number for a text', { id: 123 }, ['123']],
  ['no filter', {}, Array.from({ length: 14 }, (_, index) => String(123 + index))],
  ['two fields are ANDed', { status: 'active', age: { $lt: 30 } }, ['135']],
  ['two operators are ANDed', { age: { $gte: 28, $lt: 30 } }, ['125', '135']],
  ['$ne', { status: { $ne: 'active' } }, ['125', '130']],
  ['$in', { id: { $in: ['124', '999'] } }, ['124']],
  ['$nin', { status: { $nin: ['active', 'pending'] } }, ['125']],
  ['$between', { age: { $between: [26, 28] } }, ['130', '135']],
  ['$like is exact in case', { name: { $like: 'a%' } }, []],
  ['$like', { name: { $like: 'A%o' } }, ['123']],
  ['$like with _', { name: { $like: 'B_ L%' } }, ['124']],
  ['$ilike', { name: { $ilike: 'ada%' } }, ['123']],
  ['$startsWith', { name: { $startsWith: 'Dana' } }, ['126']],
  ['$regex', { email: { $regex: '^(ada|bo)@example\\.com$' } }, ['123', '124']],
  ['$contains on text', { name: { $contains: 'Kaya' } }, ['127']],
  ['$contains on an array', { tags: { $contains: 'beta' }, age: { $gt: 40 } }, []],
  ['$overlaps', { tags: { $overlaps: ['beta', 'x'] }, age: { $lt: 30 } }, ['125', '135']],
  ['$containedBy', { tags: { $containedBy: ['newsletter'] }, status: 'pending' }, ['130']],
  ['$isNull', { email: { $isNull: true } }, []],
  ['$isNotNull', { email: { $isNotNull: true }, id: '123' }, ['123']],
  ['$exists', { email: { $exists: true }, id: '123' }, ['123']],
  ['boolean', { verified: false }, ['125', '130']],
  ['$or', { $or: [{ id: '123' }, { id: '124' }] }, ['123', '124']],
  ['$OR in upper case, as an object', { $OR: { id: '123', age: 41 } }, ['123', '124']],
  ['$and', { $and: [{ status: 'active' }, { age: { $GT: 47 } }] }, ['126', '132']],
  ['$nor', { $nor: [{ status: 'active' }, { age: 29 }] }, ['130']],
  ['$not', { age: { $not: { $gt: 26 } } }, ['130']],
  [
    'nested',
    { $or: [{ $and: [{ age: 34 }, { id: '123' }] }, { $nor: [{ age: { $lt: 52 } }] }] },
    ['123', '126'],
  ],
]
for (const [name, where, expected] of FILTERS) {
  test(`filter: ${name}`, async () => assert.deepEqual(await ids(where), expected))
}

test('filters that cannot be are refused in words', async () => {
  const query = { ...DB, entity: 'users' }
  await bench.fails('QUERY_ERROR', 'databases', 'query', { ...query, where: { nope: 1 } })
  await bench.fails('QUERY_ERROR', 'databases', 'query', { ...query, where: { age: { $wat: 1 } } })
  await bench.fails('QUERY_ERROR', 'databases', 'query', { ...query, where: { age: 'abc' } })
  await bench.fails('QUERY_ERROR', 'databases', 'query', { ...query, where: { age: { $between: [1] } } })
  await bench.fails('QUERY_ERROR', 'databases', 'query', { ...query, where: { name: { $regex: '(?=a)' } } })
  await bench.fails('QUERY_ERROR', 'databases', 'query', { ...query, where: { $xor: [] } })
  await bench.fails('SCHEMA_ERROR', 'databases', 'query', { ...DB, entity: 'nope' })
  await bench.fails('NOT_FOUND', 'databases', 'query', { ...DB, database: 'nope', entity: 'users' })
  await bench.fails('NOT_SUPPORTED', 'databases', 'query', { ...DB, entity: 'users', query: 'select 1' })
  await bench.fails('NOT_EMULATED', 'databases', 'query', { ...query, include: { orders: true } })
})

test('insert: one row, several, returning, defaults, uniqueness', async () => {
  const one = await bench.ok('databases', 'insert', {
    ...DB,
    entity: 'users',
    data: { id: '900', name: 'New', email: 'new@example.com' },
    returning: true,
  })
  assert.deepEqual(one.insertedIds, ['900'])
  assert.equal(one.data[0].status, 'pending')
  assert.equal(one.data[0].verified, false)
  assert.equal(one.data[0].created_at, '2026-02-01T12:00:00.000Z')
  const two = await bench.ok('databases', 'insert', {
    ...DB,
    entity: 'support_tickets',
    data: [{ subject: 'a' }, { subject: 'b' }],
  })
  assert.deepEqual(two, { count: 2, insertedIds: [5, 6] })
  const twice = {
    ...DB,
    entity: 'users',
    data: [
      { id: '901', name: 'x' },
      { id: '900', name: 'y' },
    ],
  }
  await bench.fails('UNIQUE_VIOLATION', 'databases', 'insert', twice)
  assert.deepEqual(await ids({ id: '901' }), [], 'a refused call leaves nothing')
  await bench.fails('CONSTRAINT_ERROR', 'databases', 'insert', {
    ...DB,
    entity: 'users',
    data: { id: '902' },
  })
  const wrong = { ...DB, entity: 'users', data: { id: '903', name: 'x', status: 'odd' } }
  await bench.fails('CONSTRAINT_ERROR', 'databases', 'insert', wrong)
  const again = { ...DB, entity: 'users', data: { id: '900', name: 'Changed' } }
  const ignored = await bench.ok('databases', 'insert', {
    ...again,
    onConflict: { columns: ['id'], action: 'ignore' },
  })
  assert.equal(ignored.count, 0)
  await bench.ok('databases', 'insert', {
    ...again,
    onConflict: { columns: ['id'], action: 'update', update: { name: 'By conflict' } },
  })
  assert.equal((await users({ where: { id: '900' } })).data[0].name, 'By conflict')
})

test('update: the documented example, operators in both nestings, every row with an empty where', async () => {
  const where = { id: { $eq: '123' } }
  const plain = await bench.ok('databases', 'update', {
    ...DB,
    entity: 'users',
    data: { name: 'Updated' },
    where,
  })
  assert.deepEqual(plain, { count: 1 })
  const changed = await bench.ok('databases', 'updateRecords', {
    ...DB,
    entity: 'users',
    data: {
      $inc: { age: 2 },
      tags: { $push: 'vip' },
      $currentDate: { created_at: true },
      $unset: { email: true },
    },
    where,
    returning: true,
  })
  const [row] = changed.data
  assert.equal(row.age, 36)
  assert.deepEqual(row.tags, ['beta', 'newsletter', 'vip'])
  assert.equal(row.created_at, '2026-02-01T12:00:00.000Z')
  assert.equal(row.email, null)
  const steps: [data: object, field: string, value: unknown][] = [
    [{ age: { $dec: 6 } }, 'age', 30],
    [{ age: { $mul: 2 } }, 'age', 60],
    [{ age: { $min: 50 } }, 'age', 50],
    [{ age: { $max: 55 } }, 'age', 55],
    [{ $set: { age: 1 } }, 'age', 1],
    [{ tags: { $pull: 'beta' } }, 'tags', ['newsletter', 'vip']],
    [{ tags: { $addToSet: 'vip' } }, 'tags', ['newsletter', 'vip']],
    [{ tags: { $pop: 1 } }, 'tags', ['newsletter']],
    [{ $rename: { name: 'email' } }, 'email', 'Updated'],
  ]
  for (const [data, field, value] of steps.slice(0, -1)) {
    const { data: rows } = await bench.ok('databases', 'update', {
      ...DB,
      entity: 'users',
      data,
      where,
      returning: true,
    })
    assert.deepEqual(rows[0][field], value, JSON.stringify(data))
  }
  // "name" is required, so moving its value away is refused.
  await bench.fails('CONSTRAINT_ERROR', 'databases', 'update', {
    ...DB,
    entity: 'users',
    data: steps.at(-1)?.[0],
    where,
  })
  const all = await bench.ok('databases', 'update', { ...DB, entity: 'users', data: { age: 1 }, where: {} })
  assert.equal(all.count, 14)
  await bench.fails('VALIDATION_ERROR', 'databases', 'update', { ...DB, entity: 'users', data: { age: 1 } })
  await bench.fails('QUERY_ERROR', 'databases', 'update', {
    ...DB,
    entity: 'users',
    data: { age: { $wat: 1 } },
    where,
  })
})

test('update and delete with strings mean the definition', async () => {
  const record = await bench.ok('databases', 'update', DB.product, 'main-db', { description: 'changed' })
  assert.equal(record.description, 'changed')
  assert.equal(record.tag, 'main-db')
  await bench.ok('databases', 'delete', DB.product, 'main-db')
  await bench.fails('NOT_FOUND', 'databases', 'query', { ...DB, entity: 'users' })
})

test('delete and upsert', async () => {
  const gone = await bench.ok('databases', 'delete', {
    ...DB,
    entity: 'users',
    where: { status: 'inactive' },
  })
  assert.deepEqual(gone, { count: 1 })
  const upsert = (data: unknown, more = {}) =>
    bench.ok('databases', 'upsert', { ...DB, entity: 'users', data, conflictKeys: ['email'], ...more })
  const fresh = await upsert({ id: '950', name: 'Zed', email: 'zed@example.com' })
  assert.equal(fresh.operation, 'inserted')
  const known = await upsert(
    { id: '951', name: 'Zed 2', email: 'zed@example.com' },
    { updateColumns: ['name'] },
  )
  assert.equal(known.operation, 'updated')
  assert.equal(known.data[0].id, '950')
  assert.equal(known.data[0].name, 'Zed 2')
})

test('count, single aggregates and groups', async () => {
  assert.equal(
    await bench.ok('databases', 'count', { ...DB, entity: 'users', where: { status: 'active' } }),
    12,
  )
  const distinct = { ...DB, entity: 'users', column: 'status', distinct: true }
  assert.equal(await bench.ok('databases', 'count', distinct), 3)
  assert.equal(await bench.ok('databases', 'sum', { ...DB, entity: 'users', field: 'age' }), 523)
  assert.equal(await bench.ok('databases', 'min', { ...DB, entity: 'users', column: 'age' }), 26)
  assert.equal(await bench.ok('databases', 'max', { ...DB, entity: 'users', field: 'name' }), 'Nora Eide')
  assert.equal(
    await bench.ok('databases', 'avg', { ...DB, entity: 'users', field: 'age', where: { id: '123' } }),
    34,
  )
  assert.equal(
    await bench.ok('databases', 'sum', { ...DB, entity: 'users', field: 'age', where: { id: 'x' } }),
    null,
  )
  await bench.fails('QUERY_ERROR', 'databases', 'sum', { ...DB, entity: 'users', field: 'name' })
  const groups = await bench.ok('databases', 'aggregate', {
    ...DB,
    entity: 'users',
    aggregations: [
      { type: 'count', alias: 'n' },
      { type: 'avg', field: 'age', alias: 'mean' },
    ],
    groupBy: ['status'],
    having: { n: { $lt: 5 } },
    orderBy: { column: 'mean', order: 'DESC' },
  })
  assert.deepEqual(groups, [
    { status: 'inactive', n: 1, mean: 29 },
    { status: 'pending', n: 1, mean: 26 },
  ])
  const flat = await bench.ok('databases', 'aggregate', {
    ...DB,
    table: 'users',
    operations: { total: { $count: '*' }, oldest: { $MAX: 'age' }, names: { $stringAgg: 'name' } },
    where: { age: { $lt: 29 } },
  })
  assert.deepEqual(flat, { total: 2, oldest: 28, names: 'Hugo Silva,Mika Sato' })
})

test('schema needs a connection and changes the connected database only', async () => {
  await bench.fails('CONNECTION_ERROR', 'databases', 'schema.list')
  const connected = await bench.ok('databases', 'connect', DB)
  assert.equal(connected.connected, true)
  const context = await bench.ok('databases', 'getCurrentContext')
  assert.deepEqual(context, DB)
  const before = ['integrations', 'orders', 'support_tickets', 'users']
  assert.deepEqual(await bench.ok('databases', 'schema.list'), before)

  const definition = {
    id: { type: 'uuid', primaryKey: true },
    title: 'string',
    price: { type: 'decimal', scale: 2 },
  }
  const made = await bench.ok('databases', 'schema.create', 'books', definition, { timestamps: true })
  assert.equal(made.created, true)
  assert.equal(typeof made.migration.tag, 'string')
  await bench.fails('TABLE_EXISTS', 'databases', 'schema.create', 'Books', definition)
  const { data } = await bench.ok('databases', 'insert', {
    ...DB,
    entity: 'books',
    data: { title: 'One', price: 1.5 },
    returning: true,
  })
  assert.match(data[0].id, /^[0-9a-f-]{36}$/)
  assert.equal(data[0].updated_at, '2026-02-01T12:00:00.000Z')
  assert.deepEqual(await bench.ok('databases', 'schema.exists', 'books'), true)

  await bench.ok('databases', 'schema.addField', 'books', 'pages', {
    type: 'integer',
    default: 10,
    required: true,
  })
  await bench.ok('databases', 'schema.renameField', 'books', 'title', 'name')
  await bench.ok('databases', 'schema.createIndex', 'books', ['name'], { unique: true, name: 'by_name' })
  await bench.ok('databases', 'schema.modifyField', 'books', 'pages', { type: 'string' })
  const [row] = (await bench.ok('databases', 'query', { ...DB, entity: 'books' })).data
  assert.equal(row.pages, '10')
  assert.equal(row.name, 'One')
  const twin = { ...DB, entity: 'books', data: { name: 'One', pages: '1' } }
  await bench.fails('UNIQUE_VIOLATION', 'databases', 'insert', twin)
  const indexes = await bench.ok('databases', 'schema.indexes', 'books')
  assert.deepEqual(indexes, [
    { name: 'books_pkey', columns: ['id'], unique: true, primaryKey: true },
    { name: 'by_name', columns: ['name'], unique: true, primaryKey: false },
  ])
  await bench.ok('databases', 'schema.dropIndex', 'books', 'by_name')
  await bench.ok('databases', 'insert', twin)

  const key = {
    name: 'owner',
    type: 'foreignKey',
    columns: ['owner'],
    references: { table: 'users', column: 'id' },
  }
  await bench.ok('databases', 'schema.addField', 'books', 'owner', 'string')
  await bench.ok('databases', 'schema.addConstraint', 'books', key)
  const orphan = { ...DB, entity: 'books', data: { name: 'Orphan', pages: '1', owner: 'nobody' } }
  await bench.fails('FOREIGN_KEY_VIOLATION', 'databases', 'insert', orphan)
  await bench.ok('databases', 'schema.rename', 'users', 'people')
  await bench.fails('FOREIGN_KEY_VIOLATION', 'databases', 'insert', orphan)
  await bench.ok('databases', 'schema.dropConstraint', 'books', 'owner')
  await bench.ok('databases', 'insert', orphan)
  await bench.ok('databases', 'schema.dropField', 'books', 'owner')
  const described = await bench.ok('databases', 'schema.describe', 'books')
  const names = described.columns.map((column: { name: string }) => column.name)
  assert.deepEqual(names, ['id', 'name', 'price', 'created_at', 'updated_at', 'pages'])
  assert.equal(described.columns[0].isPrimaryKey, true)

  await bench.ok('databases', 'schema.drop', 'books')
  await bench.fails('SCHEMA_ERROR', 'databases', 'schema.drop', 'books')
  assert.equal((await bench.ok('databases', 'schema.drop', 'books', { ifExists: true })).dropped, false)
  const elsewhere = { ...DB, env: 'stg', entity: 'users' }
  assert.equal(
    (await bench.ok('databases', 'query', elsewhere)).count,
    0,
    'another environment kept its table',
  )
  assert.ok((await bench.ok('databases', 'migration.history')).length >= 10)
  await bench.ok('databases', 'disconnect')
  await bench.fails('CONNECTION_ERROR', 'databases', 'schema.list')
})

test('raw SQL is never run: check constraints, partial indexes', async () => {
  await bench.ok('databases', 'connect', DB)
  const check = { name: 'c', type: 'check', columns: ['age'], expression: '1); drop table users; --' }
  await bench.fails('NOT_SUPPORTED', 'databases', 'schema.addConstraint', 'users', check)
  await bench.fails('NOT_SUPPORTED', 'databases', 'schema.createIndex', 'users', ['age'], { where: '1=1' })
  assert.equal(await bench.ok('databases', 'count', { ...DB, entity: 'users' }), 14)
})

test('definitions: create, list, fetch; a new database starts empty', async () => {
  const definition = { product: PLACE.product, tag: 'second', name: 'Second', type: 'mysql', envs: [] }
  const made = await bench.ok('databases', 'create', definition)
  assert.equal(made.tag, 'second')
  await bench.fails('ALREADY_EXISTS', 'databases', 'create', definition)
  await bench.fails('VALIDATION_ERROR', 'databases', 'create', {
    ...definition,
    tag: 'third',
    type: 'oracle',
  })
  assert.equal((await bench.ok('databases', 'list', PLACE.product)).length, 2)
  await bench.ok('databases', 'connect', { ...PLACE, database: 'second' })
  assert.deepEqual(await bench.ok('databases', 'schema.list'), [])
})
