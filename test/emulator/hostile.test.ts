// Hostile input: whatever is sent, the emulator answers in words, soon, below 500, and keeps its data.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { allowedMethods, MODULES, SNIPPET_FAMILIES } from '../../src/catalogue/index.ts'
import { DEMO } from '../../src/emulator/index.ts'
import { type Bench, DB, DEMO_KEY, open, PLACE, post } from './helper.ts'

let bench: Bench
before(async () => {
  bench = await open()
})
after(() => bench.emulator.close())

const SEED = 20_261_121
const LIMIT_MS = 5000

const NAMES = [
  'users; DROP TABLE users',
  'users" WHERE 1=1 --',
  "users' OR '1'='1",
  'users"; DELETE FROM users; --',
  'sqlite_master',
  'sqlite_sequence',
  'main.users',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'toString',
  'rowid',
  'a\u0000b',
  '\ud800',
  '"',
  '`',
  '[x]',
  '(select 1)',
  'x'.repeat(100_000),
]

async function answers(module: string, method: string, params: readonly unknown[]): Promise<boolean> {
  const started = performance.now()
  const { status, body } = await bench.send(module, method, [...params])
  assert.ok(status < 500, `${module}.${method} ${status}`)
  assert.equal(typeof body.status, 'boolean')
  assert.ok(
    !/\bat .*\.ts:\d+|node:|SQLITE_|no such (table|column)/.test(body.message ?? ''),
    body.message ?? '',
  )
  assert.ok(performance.now() - started < LIMIT_MS, `${module}.${method} took too long`)
  return body.status
}

test('names that are SQL or prototype members are never more than unknown names', async () => {
  for (const name of NAMES) {
    const own = Object.fromEntries([[name, 1]])
    const refused = [
      { ...DB, entity: name },
      { ...DB, entity: 'users', where: own },
      { ...DB, entity: 'users', where: { $or: [own] } },
      { ...DB, entity: 'users', select: [name] },
      { ...DB, entity: 'users', orderBy: { column: name } },
    ]
    for (const data of refused)
      assert.equal(await answers('databases', 'query', [data]), false, JSON.stringify(data).slice(0, 200))
    for (const [method, more] of [
      ['insert', { data: own }],
      ['update', { data: own, where: {} }],
      ['update', { data: { $inc: own }, where: {} }],
      ['delete', { where: own }],
      ['upsert', { data: { id: '1', name: 'x' }, conflictKeys: [name] }],
      ['sum', { field: name }],
      ['aggregate', { aggregations: [{ type: name, alias: 'a' }] }],
      ['aggregate', { aggregations: [{ type: 'count', alias: 'a' }], groupBy: [name] }],
      ['aggregate', { aggregations: [{ type: 'count', alias: 'a' }], groupBy: ['id'], having: own }],
    ] as const) {
      assert.equal(
        await answers('databases', method, [{ ...DB, entity: 'users', ...more }]),
        false,
        `${method} ${name}`,
      )
    }
    await bench.ok('databases', 'connect', DB)
    for (const [method, ...params] of [
      ['schema.create', name, { id: 'integer' }],
      ['schema.create', 'fine', own],
      ['schema.addField', 'users', name, 'string'],
      ['schema.renameField', 'users', 'age', name],
      ['schema.rename', 'users', name],
      ['schema.createIndex', 'users', [name]],
      ['schema.addConstraint', 'users', { name, type: 'unique', columns: ['age'] }],
    ] as const) {
      const done = await answers('databases', method, params)
      // Some of these are plain names, which a table or a field may well have.
      if (done) bench.emulator.workspaces.reset()
      if (done) assert.match(name, /^[A-Za-z_]\w{0,62}$/, method)
      await bench.ok('databases', 'connect', DB)
    }
  }
  assert.equal(await bench.ok('databases', 'count', { ...DB, entity: 'users' }), 14)
})

test('alias names of any kind are data, also those of prototype members', async () => {
  for (const alias of ['__proto__', 'constructor', '"; --', 'x y']) {
    const body = JSON.stringify({
      module: 'databases',
      method: 'aggregate',
      params: [{ ...DB, entity: 'users', aggregations: [{ type: 'count', alias }] }],
    })
    const response = await fetch(`${bench.emulator.url}/proxy/v1/sdk-proxy/execute`, {
      method: 'POST',
      headers: { 'x-publishable-key': DEMO_KEY },
      body,
    })
    assert.equal(response.status, 200)
    assert.ok((await response.text()).includes(`${JSON.stringify(alias)}:14`))
  }
})

test('deep, wide and long filters', async () => {
  let deep: unknown = { id: '123' }
  for (let i = 0; i < 40; i++) deep = { $and: [deep] }
  assert.equal(await answers('databases', 'query', [{ ...DB, entity: 'users', where: deep }]), false)
  const wide = { $or: Array.from({ length: 100_000 }, (_, index) => ({ id: String(index) })) }
  assert.equal(await answers('databases', 'query', [{ ...DB, entity: 'users', where: wide }]), false)
  const five = { $or: Array.from({ length: 450 }, (_, index) => ({ id: String(index) })) }
  assert.equal(await answers('databases', 'query', [{ ...DB, entity: 'users', where: five }]), true)
  const list = Array.from({ length: 100_000 }, (_, index) => String(index))
  const found = await bench.ok('databases', 'query', { ...DB, entity: 'users', where: { id: { $in: list } } })
  assert.equal(found.count, 14)
  assert.equal(await answers('databases', 'query', [{ ...DB, entity: 'users', where: { id: list } }]), false)
  const rows = list.map((id) => ({ id: `many-${id}`, name: 'x' }))
  assert.equal(await answers('databases', 'insert', [{ ...DB, entity: 'users', data: rows }]), false)
  assert.equal(
    await answers('vector', 'findSimilar', [
      { ...PLACE, vector: 'embeddings-index', values: list.map(Number) },
    ]),
    false,
  )
  const tags = { tags: { $contains: list } }
  assert.equal(await answers('databases', 'query', [{ ...DB, entity: 'users', where: tags }]), false)
  assert.equal(await answers('databases', 'query', list), false)
})

test('bodies that nest without end', async () => {
  const url = `${bench.emulator.url}/proxy/v1/sdk-proxy/execute`
  const depth = 200_000
  const nested = `${'['.repeat(depth)}${']'.repeat(depth)}`
  const body = `{"module":"secrets","method":"resolve","params":[${nested}]}`
  const { status } = await post(url, body, { 'x-publishable-key': DEMO_KEY })
  assert.equal(status, 422)
})

test('patterns that would make a backtracking engine stall', async () => {
  const long = 'a'.repeat(5000)
  await bench.ok('databases', 'insert', {
    ...DB,
    entity: 'support_tickets',
    data: { subject: 's', body: `${long}!` },
  })
  const ask = (filter: object) =>
    answers('databases', 'query', [{ ...DB, entity: 'support_tickets', where: { body: filter } }])
  await ask({ $regex: '(a+)+$' })
  await ask({ $regex: '(a|aa)+$' })
  await ask({ $regex: '((((a{100}){100}){100}){100})' })
  await ask({ $regex: `${'(a?)'.repeat(50)}${'a'.repeat(50)}` })
  await ask({ $regex: '(((a?){100}b?){18})c' })
  await ask({ $like: `${'%a'.repeat(2000)}%b` })
  for (const bad of ['(', '[', 'a{2,1}', '*', '\\1', '(?<x>a)', 'a\\', ')']) {
    assert.equal(await ask({ $regex: bad }), false, bad)
  }
})

test('caps are told in words', async () => {
  bench.emulator.workspaces.reset()
  const batch = (from: number, count: number) => ({
    ...DB,
    entity: 'users',
    data: Array.from({ length: count }, (_, index) => ({ id: `r${from + index}`, name: 'x' })),
  })
  await bench.ok('databases', 'insert', batch(0, 9986))
  await bench.fails('LIMIT_EXCEEDED', 'databases', 'insert', batch(9986, 1))
  const big = { ...DB, entity: 'support_tickets', data: { body: 'x'.repeat(1024 * 1024 + 1) } }
  await bench.fails('LIMIT_EXCEEDED', 'databases', 'insert', big)
  const full = { ...DB, entity: 'support_tickets', data: { body: 'x'.repeat(1024 * 1024) } }
  const codes: (string | undefined)[] = []
  for (let i = 0; i < 20; i++) codes.push((await bench.send('databases', 'insert', [full])).body.code)
  assert.equal(codes.at(-1), 'LIMIT_EXCEEDED', 'the database is full')
  assert.equal(await bench.ok('databases', 'count', { ...DB, entity: 'users' }), 10_000)
  bench.emulator.workspaces.reset()
})

const anyName = fc.constantFrom(
  ...MODULES.flatMap((module) => allowedMethods(module).map((m) => `${module}.${m}`)),
)
const value = fc.jsonValue({ maxDepth: 3 })
const known = fc.record(
  {
    product: fc.constant(PLACE.product),
    env: fc.constantFrom('prd', 'dev', 'x'),
    database: fc.constant('main-db'),
    entity: fc.constantFrom('users', 'orders', 'none'),
    vector: fc.oneof(fc.constant('embeddings-index'), fc.array(fc.double(), { maxLength: 4 })),
    tag: fc.constantFrom('embeddings-index', 'user-session', 'api-calls', 'none'),
    storage: fc.constant('main-storage'),
    cache: fc.constant('main-cache'),
    where: value,
    data: value,
    values: value,
    filter: value,
    input: value,
    key: fc.string(),
    fileName: fc.string(),
    schedule: value,
    orderBy: value,
    select: value,
    limit: fc.double(),
    aggregations: value,
    groupBy: value,
  },
  { requiredKeys: ['product', 'env', 'database', 'entity'] },
)

test('any method with any params answers well', async () => {
  const runs = 1500
  await bench.ok('databases', 'connect', DB)
  await bench.ok('graph', 'connect', { ...PLACE, graph: 'people-graph' })
  await fc.assert(
    fc.asyncProperty(
      anyName,
      fc.array(
        fc.oneof(
          { weight: 3, arbitrary: known },
          { weight: 2, arbitrary: fc.constantFrom(PLACE.product, 'stripe', 'users') },
          value,
        ),
        { maxLength: 3 },
      ),
      async (name, params) => {
        const dot = name.indexOf('.')
        await answers(name.slice(0, dot), name.slice(dot + 1), params)
      },
    ),
    { seed: SEED, numRuns: runs },
  )
  assert.equal(bench.emulator.stats.answers.crashed, 0)
})

test('any bytes are answered below 500', async () => {
  const url = `${bench.emulator.url}/proxy/v1/sdk-proxy/execute`
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (body) => {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'x-publishable-key': DEMO_KEY },
        body: Buffer.from(body),
      })
      assert.ok(response.status < 500)
      assert.equal(((await response.json()) as { status: boolean }).status, false)
    }),
    { seed: SEED, numRuns: 300 },
  )
})

test('any payload request is answered below 500', async () => {
  const url = `${bench.emulator.url}/integrations/v1/payloads/generate`
  const { workspaceId, userId, publicKey } = DEMO.main
  const credentials = { workspace_id: workspaceId, user_id: userId }
  const request = fc.record(
    {
      product_tag: fc.oneof(fc.constant(PLACE.product), value),
      env_slug: fc.oneof(fc.constant('prd'), value),
      operation_family: fc.oneof(fc.constantFrom(...SNIPPET_FAMILIES), fc.string()),
      method: fc.oneof(fc.constantFrom('query', 'run', 'find', 'dispatch'), fc.string()),
      targets: fc.oneof(fc.constant({ database: 'main-db', app: 'stripe', entity: '__proto__' }), value),
      input_hint: fc.oneof(
        fc.constantFrom({ entity: 'users' }, { entity: '__proto__' }, { entity: 5 }),
        value,
      ),
      schema_mode: fc.oneof(fc.constantFrom('strict', 'best_effort'), value),
      include_session: value,
    },
    { requiredKeys: ['product_tag', 'env_slug', 'operation_family', 'method'] },
  )
  await fc.assert(
    fc.asyncProperty(request, async (body) => {
      const { status, body: answer } = await post(
        url,
        { ...credentials, ...body },
        { 'x-access-key': publicKey },
      )
      assert.ok(status < 500)
      assert.equal(typeof answer.status, 'boolean')
    }),
    { seed: SEED, numRuns: 500 },
  )
  assert.equal(bench.emulator.stats.answers.crashed, 0)
})
