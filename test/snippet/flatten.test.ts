// The arguments of a snippet: input is spread for methods with a flat argument and kept for those with an input member.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from '../../src/core/json.ts'
import { flatten } from '../../src/tools/snippet/flatten.ts'
import { findOperation } from '../../src/tools/snippet/index.ts'
import { difference } from './lib/same.ts'

function args(operation: string, payload: Json): Json {
  const [family = '', ...method] = operation.split('.')
  const found = findOperation(family, method.join('.'))
  assert.ok(found.ok)
  return flatten(found.operation, payload)
}

const SPREAD = [
  ...['find', 'insert', 'update', 'delete', 'query', 'upsert', 'count', 'aggregate'].map(
    (m) => `database.${m}`,
  ),
  ...['find', 'insert', 'update', 'delete', 'query'].map((m) => `graph.${m}`),
  ...['query', 'find', 'findSimilar', 'upsert', 'insert', 'delete'].map((m) => `vector.${m}`),
  ...['upload', 'download', 'remove', 'listFiles', 'getSignedUrl', 'stats'].map((m) => `storage.${m}`),
  ...['start', 'verify', 'refresh', 'revoke', 'listActive'].map((m) => `session.${m}`),
  ...['get', 'set', 'clear', 'clearAll', 'fetchValues'].map((m) => `cache.${m}`),
  ...['run', 'check', 'status'].flatMap((m) => [`health.${m}`, `healthcheck.${m}`]),
  ...['publish', 'produce', 'consume'].flatMap((m) => [`broker.${m}`, `messaging.${m}`]),
  'quota.check',
]

const KEPT = [
  ...['action', 'workflow', 'feature'].flatMap((family) =>
    ['run', 'dispatch', 'execute'].map((m) => `${family}.${m}`),
  ),
  ...['dispatch', 'send', 'email.send', 'push.send', 'sms.send', 'callback.send'].map(
    (m) => `notification.${m}`,
  ),
  ...['database', 'graph', 'vector', 'storage', 'messaging', 'broker', 'cache'].map(
    (family) => `${family}.dispatch`,
  ),
  ...['run', 'dispatch', 'consume'].map((m) => `quota.${m}`),
  ...['messaging.send', 'broker.send', 'fallback.run', 'fallback.dispatch', 'graph.execute'],
]

test('every operation spreads or keeps the input of its payload', () => {
  const own = { product: 'ductape:my-product', env: 'prd', target: 'tag', session: 'user:jwt', cache: 'c' }
  const payload = { ...own, input: { a: 1, b: [2] }, meta: { warnings: [] } }
  assert.equal(new Set([...SPREAD, ...KEPT]).size, SPREAD.length + KEPT.length)
  assert.equal(SPREAD.length + KEPT.length, 78)
  for (const operation of SPREAD)
    assert.deepEqual(args(operation, payload), { ...own, a: 1, b: [2] }, operation)
  for (const operation of KEPT)
    assert.deepEqual(args(operation, payload), { ...own, input: { a: 1, b: [2] } }, operation)
})

test('the examples of the backend reference', () => {
  assert.deepEqual(
    args('database.query', {
      product: 'ductape:my-product',
      env: 'prd',
      database: 'main-db',
      input: { entity: 'orders', limit: 10 },
    }),
    { product: 'ductape:my-product', env: 'prd', database: 'main-db', entity: 'orders', limit: 10 },
  )
  const action = {
    product: 'ductape:my-product',
    env: 'prd',
    app: 'stripe',
    action: 'create-customer',
    input: { 'body:email': 'user@example.com' },
  }
  assert.deepEqual(args('action.run', action), action)
})

test('an input that says otherwise than the payload stays whole; one that repeats it does not', () => {
  const store = { env: 'prd', vector: 'embeddings-index', input: { vector: [0.1, 0.2], topK: 5 } }
  assert.deepEqual(args('vector.query', store), store)
  assert.deepEqual(args('database.query', { env: 'prd', input: { env: 'prd', limit: 1 } }), {
    env: 'prd',
    limit: 1,
  })
  assert.deepEqual(args('database.query', { env: 'prd', input: { env: 'dev' }, meta: 1 }), {
    env: 'prd',
    input: { env: 'dev' },
  })
})

test('what is not an object of members is left as it is', () => {
  const values: Json[] = [
    null,
    1,
    'text',
    [],
    [{ input: {} }],
    { input: null },
    { input: [1] },
    { input: 'x' },
    {},
  ]
  for (const value of values) assert.equal(difference(value, args('database.query', value)), undefined)
  const sparse = { a: undefined, input: { b: undefined, c: 1 } } as unknown as Json
  assert.equal(difference({ c: 1 }, args('database.query', sparse)), undefined)
})

test('members named __proto__ are members, in payload and input', () => {
  const payload = JSON.parse('{"__proto__":{"a":1},"input":{"constructor":2,"b":3}}') as Json
  const expected = JSON.parse('{"__proto__":{"a":1},"constructor":2,"b":3}') as Json
  assert.equal(difference(expected, args('database.query', payload)), undefined)
  const inner = JSON.parse('{"x":1,"input":{"__proto__":{"polluted":true}}}') as Json
  const spread = args('database.query', inner)
  assert.equal(difference(JSON.parse('{"x":1,"__proto__":{"polluted":true}}'), spread), undefined)
  assert.equal((spread as { polluted?: unknown }).polluted, undefined)
})
