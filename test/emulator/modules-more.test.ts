// The remaining modules of the emulator: quotas, fallbacks, notifications, brokers, graphs, saved actions, migrations.

import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { type Bench, open, PLACE, PRODUCT } from './helper.ts'

let bench: Bench
let start: number
before(async () => {
  bench = await open()
  start = bench.clock.now
})
beforeEach(() => {
  bench.emulator.workspaces.reset()
  bench.clock.now = start
})
after(() => bench.emulator.close())

const HOUR = 3_600_000

test('quotas are consumed up to the limit and start again; fallbacks take the first that works', async () => {
  const at = { ...PLACE, tag: 'api-calls', identifier: 'u1' }
  assert.equal((await bench.ok('quotas', 'check', { ...at, amount: 100 })).allowed, true)
  assert.equal((await bench.ok('quotas', 'consume', { ...at, amount: 99 })).remaining, 1)
  assert.equal((await bench.ok('resilience', 'quotas.consume', { ...at, amount: 2 })).allowed, false)
  assert.equal((await bench.ok('quotas', 'getUsage', at)).used, 99)
  assert.equal((await bench.ok('quotas', 'getUsage', { ...at, identifier: 'u2' })).used, 0)
  bench.clock.now = start + 24 * HOUR
  assert.equal((await bench.ok('quotas', 'getUsage', at)).used, 0)
  const ran = await bench.ok('fallback', 'run', {
    ...PLACE,
    tag: 'new-customer',
    input: { email: 'a@example.com' },
  })
  assert.deepEqual([ran.provider, ran.data.email], ['stripe', 'a@example.com'])
  const broken = { tag: 'b', input: {}, options: [{ type: 'action', app: 'nope', event: 'x' }] }
  await bench.ok('fallback', 'create', PRODUCT, broken)
  await bench.fails('SERVICE_UNAVAILABLE', 'fallback', 'run', { ...PLACE, tag: 'b', input: {} })
})

test('notifications, brokers, health, logs and features', async () => {
  const event = { ...PLACE, event: 'account:welcome' }
  const mail = { email: { recipients: ['a@example.com'], subject: {}, template: {} } }
  const sent = await bench.ok('notifications', 'send', { ...event, input: mail })
  assert.deepEqual([sent.success, sent.channel], [true, 'email'])
  const both = { ...mail, sms: { recipients: ['+100'], body: {} } }
  assert.equal(
    (await bench.ok('notifications', 'send', { ...event, input: both })).channels.sms.success,
    true,
  )
  assert.equal((await bench.ok('notifications', 'getMessages', { status: 'sent' })).total, 2)
  await bench.fails('TEMPLATE_NOT_FOUND', 'notifications', 'send', {
    ...event,
    event: 'account:x',
    input: mail,
  })

  const message = { ...PLACE, event: 'main-broker:orders', message: { id: 1 } }
  const published = await bench.ok('messageBrokers', 'publish', message)
  const broker = { ...PLACE, brokerTag: 'main-broker' }
  const found = await bench.ok('messageBrokers', 'messages.query', broker)
  assert.deepEqual([found.total, found.messages[0].message_id], [1, published.process_id])
  assert.equal((await bench.ok('messageBrokers', 'messages.getStats', broker)).success, 1)
  await bench.fails('TOPIC_NOT_FOUND', 'messageBrokers', 'publish', { ...message, event: 'main-broker:none' })

  const check = { ...PLACE, tag: 'stripe-health' }
  assert.equal((await bench.ok('health', 'run', check)).status, 'available')
  assert.equal((await bench.ok('health', 'status', check)).lastChecked, new Date(start).toISOString())

  const { logs } = await bench.ok('logs', 'query', { status: 'fail', limit: 1 })
  assert.equal(logs.data[0].name, 'messageBrokers.publish')
  assert.equal((await bench.ok('logs', 'fetch', logs.data[0]._id)).status, 'fail')

  const feature = { tag: 'f1', name: 'F1', input: {}, steps: [] }
  await bench.ok('features', 'create', PRODUCT, feature)
  assert.equal((await bench.ok('features', 'list', PRODUCT)).length, 2)
})

test('graph: nodes, relationships, walks on the connected graph', async () => {
  await bench.fails('CONNECTION_ERROR', 'graph', 'findNodes', {})
  await bench.ok('graph', 'connect', { ...PLACE, graph: 'people-graph' })
  const people = await bench.ok('graph', 'findNodes', {
    labels: ['Person'],
    where: { name: { $startsWith: 'A' } },
  })
  assert.deepEqual([people.count, people.nodes[0].properties.name], [1, 'Ada'])
  const { node } = await bench.ok('graph', 'createNode', {
    labels: ['Person'],
    properties: { name: 'Eve', age: 1 },
  })
  const tie = { fromId: 'n_dana', toId: node.id, type: 'KNOWS' }
  const { relationship } = await bench.ok('graph', 'createRelationship', tie)
  assert.equal(relationship.startNodeId, 'n_dana')
  const { path } = await bench.ok('graph', 'shortestPath', { fromId: 'n_ada', toId: node.id })
  assert.equal(path.length, 4)
  assert.deepEqual(
    path.nodes.map(({ id }: { id: string }) => id),
    ['n_ada', 'n_bo', 'n_chidi', 'n_dana', node.id],
  )
  assert.deepEqual(
    await bench.ok('graph', 'shortestPath', { fromId: node.id, toId: 'n_ada', directed: true }),
    { path: null },
  )
  assert.equal((await bench.ok('graph', 'traverse', { startId: 'n_ada', maxDepth: 2 })).paths.length, 2)
  assert.equal((await bench.ok('graph', 'allPaths', { fromId: 'n_ada', toId: 'n_bo' })).paths.length, 1)
  const near = await bench.ok('graph', 'getNeighborhood', { id: 'n_bo' })
  assert.deepEqual([near.nodes.length, near.nodes[0].distance], [2, 1])
  const updated = await bench.ok('graph', 'updateNode', {
    id: node.id,
    properties: { age: { $INCREMENT: 4 } },
  })
  assert.equal(updated.node.properties.age, 5)
  await bench.fails('CONSTRAINT_ERROR', 'graph', 'deleteNode', { id: node.id })
  assert.equal((await bench.ok('graph', 'deleteNode', { id: node.id, detach: true })).deletedCount, 1)
  const twice = { labels: ['Person'], matchProps: { name: 'Zoe' } }
  assert.equal((await bench.ok('graph', 'mergeNode', twice)).created, true)
  assert.equal((await bench.ok('graph', 'mergeNode', twice)).created, false)
  assert.deepEqual(await bench.ok('graph', 'countNodes', ['Person']), { count: 5 })
  assert.equal((await bench.ok('graph', 'findConnectedComponents', {})).components.length, 2)
  await bench.ok('graph', 'schema.createNodeIndex', { label: 'Person', field: 'name' })
  assert.equal((await bench.ok('graph', 'schema.listIndexes')).indexes[0].name, 'Person_name')
  assert.deepEqual(await bench.ok('graph', 'schema.dropIndex', 'Person_name'), { dropped: true })
  await bench.fails('NOT_SUPPORTED', 'graph', 'query', 'MATCH (n) DETACH DELETE n')
  assert.equal((await bench.ok('graph', 'getStatistics')).nodeCount, 5)
})

test('saved actions and migrations of a database', async () => {
  const database = { product: PRODUCT, database: 'main-db' }
  const action = { tag: 'main-db:active', name: 'Active', type: 'sql', query: 'select 1' }
  await bench.ok('databases', 'action.create', { ...database, data: action })
  assert.equal((await bench.ok('databases', 'action.fetch', 'main-db:active')).name, 'Active')
  assert.equal((await bench.ok('databases', 'action.list', 'main-db')).length, 1)
  await bench.ok('databases', 'action.delete', 'main-db:active')
  const up = [
    { type: 'createCollection', collection: 'notes', definition: { id: 'integer' } },
    { type: 'addField', collection: 'notes', field: 'text', definition: 'string' },
  ]
  const migration = {
    tag: 'm1',
    name: 'Notes',
    value: { up, down: [{ type: 'dropCollection', collection: 'notes' }] },
  }
  await bench.ok('databases', 'migration.create', { ...database, data: migration })
  assert.equal((await bench.ok('databases', 'migration.list', database)).length, 1)
  await bench.ok('databases', 'connect', { ...PLACE, database: 'main-db' })
  assert.equal((await bench.ok('databases', 'migration.run', [migration])).count, 1)
  assert.equal((await bench.ok('databases', 'migration.run', [migration])).count, 0)
  assert.equal(await bench.ok('databases', 'schema.exists', 'notes'), true)
  assert.equal((await bench.ok('databases', 'migration.status', [migration])).pending, 0)
  assert.equal((await bench.ok('databases', 'migration.rollback', [migration])).count, 1)
  assert.equal(await bench.ok('databases', 'schema.exists', 'notes'), false)
  const raw = { tag: 'm2', value: { up: [{ type: 'raw', name: 'x', sql: 'drop table users' }], down: [] } }
  await bench.fails('NOT_SUPPORTED', 'databases', 'migration.run', [raw])
})
