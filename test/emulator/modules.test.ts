// The other modules of the emulator: products, apps, actions, caches, storage, sessions, secrets and vectors.

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

test('product: the record, environments, creation, connected apps', async () => {
  const product = await bench.ok('product', 'fetch', PRODUCT)
  assert.equal(product.tag, PRODUCT)
  assert.equal(typeof product.private_key, 'string')
  assert.deepEqual(
    product.databases.map((database: { tag: string }) => database.tag),
    ['main-db'],
  )
  const environments = await bench.ok('product', 'environments.list', PRODUCT)
  assert.deepEqual(
    environments.map((env: { slug: string }) => env.slug),
    ['dev', 'stg', 'prd'],
  )
  await bench.fails('NOT_FOUND', 'product', 'fetch', 'ductape:none')
  const made = await bench.ok('product', 'create', {
    name: 'Second Shop',
    description: 'x',
    envs: [{ slug: 'prd', env_name: 'Production' }],
  })
  assert.equal(made.tag, 'ductape:second-shop')
  assert.equal(made.envs.length, 1)
  await bench.fails('ALREADY_EXISTS', 'product', 'create', { name: 'Second Shop', description: 'x' })
  const env = { slug: 'snd', env_name: 'Sandbox', description: '' }
  await bench.ok('product', 'environments.create', made.tag, env)
  await bench.fails('ALREADY_EXISTS', 'product', 'environments.create', made.tag, env)
  await bench.fails('VALIDATION_ERROR', 'product', 'environments.create', made.tag, { ...env, slug: 'long' })
  const off = await bench.ok('product', 'environments.update', made.tag, 'snd', {
    active: false,
    slug: 'zzz',
  })
  assert.deepEqual([off.active, off.slug], [false, 'snd'])
  const { access_tag: access } = await bench.ok('product', 'apps.connect', made.tag, 'stripe')
  assert.equal((await bench.ok('product', 'apps.fetch', made.tag, access)).app_tag, 'stripe')
  const renamed = await bench.ok('product', 'update', made.tag, { name: 'Shop 2' })
  assert.deepEqual([renamed.name, renamed.tag], ['Shop 2', made.tag])
  const link = {
    product: PRODUCT,
    access_tag: 'ductape-my-product:stripe',
    webhook_tag: 'payments',
    env: 'prd',
  }
  const url = await bench.ok('webhooks', 'generateLink', {
    ...link,
    url: 'https://x.example',
    method: 'POST',
  })
  assert.match(url, /^https:\/\/webhooks\.ductape\.app\/webhooks\/v1\/process\/[0-9a-f-]{36}$/)
})

test('app: parts are created, listed, fetched and changed', async () => {
  const app = await bench.ok('app', 'create', { app_name: 'Mail Sender', description: 'x' })
  assert.equal(app.tag, 'mail-sender')
  await bench.ok('app', 'constants.create', app.tag, { key: 'limit', value: 5, type: 'number' })
  assert.equal((await bench.ok('app', 'constants.fetch', app.tag, 'limit')).value, 5)
  await bench.ok('app', 'constants.update', app.tag, 'limit', { value: 6 })
  assert.equal((await bench.ok('app', 'constants.list', app.tag))[0].value, 6)
  const action = { tag: 'send', name: 'Send', resource: '/send', method: 'POST', response: { ok: true } }
  await bench.ok('app', 'actions.create', app.tag, action)
  assert.equal((await bench.ok('actions', 'list', app.tag)).length, 1)
  const { access_tag: access } = await bench.ok('product', 'apps.connect', PRODUCT, app.tag)
  const answer = await bench.ok('actions', 'run', { ...PLACE, app: access, action: 'send', input: {} })
  assert.deepEqual(answer, { ok: true }, 'an own action answers with its sample')
  await bench.ok('app', 'actions.delete', app.tag, 'send')
  await bench.fails('NOT_FOUND', 'actions', 'fetch', app.tag, 'send')
  const webhook = { tag: 'mail', name: 'Mail', description: 'x' }
  const event = { tag: 'mail:sent', name: 'Sent', selector: '$Event{type}', description: 'x', sample: {} }
  await bench.ok('webhooks', 'createWithEvents', app.tag, { ...webhook, events: [event] })
  assert.equal((await bench.ok('webhooks', 'events.list', app.tag, 'mail')).length, 1)
})

test('actions.run: the documented example, input forms, secrets by reference', async () => {
  const run = (input: object, action = 'create-customer') =>
    bench.ok('actions', 'run', { ...PLACE, app: 'stripe', action, input })
  const customer = await run({ 'body:email': 'user@example.com', 'body:name': 'Jane Doe' })
  assert.equal(customer.object, 'customer')
  assert.equal(customer.email, 'user@example.com')
  assert.equal(customer.created, Math.floor(start / 1000))
  assert.equal((await run({ email: 'flat@example.com' })).email, 'flat@example.com')
  assert.equal((await run({ body: { email: 'deep@example.com' } })).email, 'deep@example.com')
  assert.deepEqual(await run({ 'params:id': customer.id }, 'retrieve-customer'), customer)
  assert.equal((await run({ limit: 2 }, 'list-customers')).data.length, 2)
  assert.equal((await run({ name: 'key $Secret{STRIPE_KEY}' })).name, 'key demo-value-of-STRIPE_KEY')
  const message = await bench.fails('NOT_FOUND', 'actions', 'run', {
    ...PLACE,
    app: 'stripe',
    action: 'create-customer',
    input: { name: '$Secret{NOPE}' },
  })
  assert.equal(message, "Secret 'NOPE' not found")
  await bench.fails('NOT_FOUND', 'actions', 'run', { ...PLACE, app: 'stripe', action: 'nope', input: {} })
  await bench.fails('NOT_FOUND', 'actions', 'run', { ...PLACE, app: 'nope', action: 'x', input: {} })
})

test('dispatch leaves a job that can be paused, resumed, cancelled and counted', async () => {
  const data = { ...PLACE, app: 'stripe', action: 'create-customer', input: {} }
  const now = await bench.ok('actions', 'dispatch', data)
  assert.deepEqual([now.status, now.recurring, now.scheduled_at], ['queued', false, start])
  const later = await bench.ok('actions', 'dispatch', { ...data, schedule: { every: 60_000 } })
  assert.deepEqual([later.status, later.recurring, later.next_run_at], ['scheduled', true, start + 60_000])
  await bench.fails('VALIDATION_ERROR', 'actions', 'dispatch', { ...data, schedule: { cron: 'often' } })
  assert.equal((await bench.ok('jobs', 'pause', later.job_id)).status, 'paused')
  assert.equal((await bench.ok('jobs', 'resume', later.job_id)).status, 'scheduled')
  assert.equal((await bench.ok('jobs', 'cancel', later.job_id, { reason: 'done' })).status, 'cancelled')
  await bench.fails('INVALID_STATE', 'jobs', 'pause', later.job_id)
  assert.deepEqual(await bench.ok('jobs', 'cancelMany', {}), { count: 1 })
  assert.equal((await bench.ok('jobs', 'listJobs', { status: 'cancelled' })).total, 2)
  assert.equal((await bench.ok('jobs', 'getStats')).total, 2)
  await bench.fails('NOT_FOUND', 'jobs', 'get', 'job_none')
  for (const [module, more] of [
    ['databases', { database: 'main-db', action: 'x', input: {} }],
    ['storage', { storage: 'main-storage', operation: 'upload', input: {} }],
    ['notifications', { notification: 'account', event: 'account:welcome', input: {} }],
    ['messageBrokers', { broker: 'main-broker', event: 'main-broker:orders', input: {} }],
    ['features', { feature: 'onboarding', input: {} }],
    ['fallback', { tag: 'new-customer', input: {} }],
    ['caches', { cache: 'main-cache' }],
  ] as const) {
    assert.equal((await bench.ok(module, 'dispatch', { ...PLACE, ...more })).status, 'queued', module)
  }
})

test('caches: values end at their expiry', async () => {
  const cache = { product: PRODUCT, cache: 'main-cache' }
  assert.equal(await bench.ok('caches', 'set', { ...cache, key: 'a', value: '1' }), true)
  const record = await bench.ok('caches', 'get', { key: 'a' })
  assert.equal(record.value, '1')
  assert.equal(record.expiry, new Date(start + HOUR).toISOString())
  assert.equal(await bench.ok('caches', 'ttl', { key: 'a' }), 3600)
  await bench.ok('caches', 'set', {
    ...cache,
    key: 'b',
    value: '2',
    expiry: new Date(start + 2 * HOUR).toISOString(),
  })
  bench.clock.now = start + HOUR
  assert.equal(await bench.ok('caches', 'get', { key: 'a' }), null)
  assert.equal(await bench.ok('caches', 'has', { key: 'b' }), true)
  assert.deepEqual(await bench.ok('caches', 'keys', { ...PLACE, cache: 'main-cache' }), ['b'])
  assert.equal((await bench.ok('caches', 'fetchValues', { ...cache, expiryFilter: 'expiring' })).total, 1)
  assert.equal(await bench.ok('caches', 'expire', { key: 'b', expiry: 0 }), true)
  assert.equal(await bench.ok('caches', 'has', { key: 'b' }), false)
  await bench.ok('caches', 'set', { ...cache, key: 'c', value: '3' })
  assert.equal(await bench.ok('caches', 'del', { key: 'c' }), true)
  assert.equal(await bench.ok('caches', 'clear', { key: 'c' }), false)
  await bench.fails('VALIDATION_ERROR', 'caches', 'set', { ...cache, key: 'd', value: 5 })
  await bench.fails('NOT_FOUND', 'caches', 'set', { ...cache, cache: 'nope', key: 'd', value: '5' })
})

test('storage: upload, download, pages, stats, signed links, remove', async () => {
  const at = { ...PLACE, storage: 'main-storage' }
  const buffer = Buffer.from('picture').toString('base64')
  const up = await bench.ok('storage', 'upload', {
    ...at,
    fileName: 'a/b c.png',
    buffer,
    mimeType: 'image/png',
  })
  assert.equal(up.url, 'https://storage.example/main-storage/prd/a/b%20c.png')
  const down = await bench.ok('storage', 'download', { ...at, fileName: 'a/b c.png' })
  assert.deepEqual([down.data, down.size, down.mimeType], [buffer, 7, 'image/png'])
  const first = await bench.ok('storage', 'listFiles', { ...at, limit: 3 })
  assert.equal(first.hasMore, true)
  const second = await bench.ok('storage', 'listFiles', {
    ...at,
    limit: 3,
    continuationToken: first.nextToken,
  })
  assert.deepEqual(
    [...first.files, ...second.files].map((file: { name: string }) => file.name),
    ['a/b c.png', 'reports/2025-12.csv', 'reports/2026-01.csv', 'welcome.txt'],
  )
  assert.equal(second.hasMore, false)
  await bench.fails('STORAGE_ERROR', 'storage', 'listFiles', { ...at, continuationToken: '!!' })
  const stats = await bench.ok('storage', 'stats', at)
  assert.deepEqual([stats.totalFiles, stats.byType.image], [4, { count: 1, size: 7 }])
  const link = await bench.ok('storage', 'getSignedUrl', { ...at, fileName: 'welcome.txt', expiresIn: 60 })
  assert.equal(link.expiresAt, new Date(start + 60_000).toISOString())
  await bench.ok('storage', 'remove', { ...at, fileName: 'welcome.txt' })
  await bench.fails('NOT_FOUND', 'storage', 'download', { ...at, fileName: 'welcome.txt' })
  assert.equal((await bench.ok('storage', 'listFiles', { ...at, env: 'stg' })).files.length, 0)
})

test('sessions: start, verify, refresh, revoke, expiry, users', async () => {
  const at = { ...PLACE, tag: 'user-session' }
  const granted = await bench.ok('sessions', 'start', { ...at, data: { user_id: '123', role: 'admin' } })
  assert.match(granted.token, /^user-session:[\w-]+\.[\w-]+\.[\w-]+$/)
  const verified = await bench.ok('sessions', 'verify', { ...at, token: granted.token })
  assert.deepEqual([verified.valid, verified.data], [true, { user_id: '123', role: 'admin' }])
  const forged = `${granted.token.slice(0, -4)}AAAA`
  assert.deepEqual(await bench.ok('sessions', 'verify', { ...at, token: forged }), { valid: false })
  assert.deepEqual(await bench.ok('sessions', 'verify', { ...at, env: 'dev', token: granted.token }), {
    valid: false,
  })
  const again = await bench.ok('sessions', 'refresh', { ...at, refreshToken: granted.refreshToken })
  assert.notEqual(again.refreshToken, granted.refreshToken)
  await bench.fails('SESSION_INVALID', 'sessions', 'refresh', { ...at, refreshToken: granted.refreshToken })
  assert.equal((await bench.ok('sessions', 'listActive', at)).total, 1)
  const users = { product: PRODUCT, session: 'user-session' }
  assert.equal((await bench.ok('sessions', 'fetchUsers', users)).users[0].identifier, '123')
  assert.equal(
    (await bench.ok('sessions', 'fetchUserDetails', { ...users, identifier: '123' })).totalSessions,
    1,
  )
  assert.equal((await bench.ok('sessions', 'fetchDashboard', users)).activeSessions, 1)
  const nothing = await bench.ok('sessions', 'revoke', { ...at, sessionId: granted.sessionId })
  assert.equal(nothing, undefined, 'a void method answers without data')
  assert.deepEqual(await bench.ok('sessions', 'verify', { ...at, token: again.token }), { valid: false })
  const other = await bench.ok('sessions', 'start', { ...at, data: { user_id: '124', role: 'x' } })
  bench.clock.now = start + HOUR
  assert.deepEqual(await bench.ok('sessions', 'verify', { ...at, token: other.token }), { valid: false })
  await bench.fails('VALIDATION_ERROR', 'sessions', 'start', { ...at, data: { role: 'x' } })
  const bare = { tag: 's2', name: 'S2', expiry: 1, period: 'days', selector: 'user_id', schema: {} }
  await bench.fails('VALIDATION_ERROR', 'sessions', 'create', PRODUCT, bare)
})

test('secrets: metadata, values, references, scope, expiry', async () => {
  const listed = await bench.ok('secrets', 'list')
  assert.ok(listed.every((secret: object) => !('value' in secret)))
  assert.equal((await bench.ok('secrets', 'fetch', 'STRIPE_KEY')).value, 'demo-value-of-STRIPE_KEY')
  await bench.ok('secrets', 'create', { key: 'K1', value: 'v1', envs: ['prd'] })
  const { status, body } = await bench.send('secrets', 'create', [{ key: 'K1', value: 'v1' }])
  assert.deepEqual([status, body.code], [200, 'ALREADY_EXISTS'])
  assert.equal(await bench.ok('secrets', 'exists', 'K1'), true)
  const resolved = await bench.ok('secrets', 'resolve', { a: ['x $Secret{K1} y'] }, { env: 'prd' })
  assert.deepEqual(resolved, { a: ['x v1 y'] })
  const message = await bench.fails('FORBIDDEN', 'secrets', 'resolve', '$Secret{K1}', { env: 'dev' })
  assert.equal(message, "Secret 'K1' is not available in environment 'dev'")
  await bench.fails('FORBIDDEN', 'secrets', 'resolve', '$Secret{STRIPE_KEY}', { app: 'slack' })
  await bench.ok('secrets', 'update', 'K1', { value: 'v2' })
  assert.equal(await bench.ok('secrets', 'resolve', '$Secret{K1}'), 'v2')
  await bench.ok('secrets', 'revoke', 'K1')
  assert.equal(await bench.fails('FORBIDDEN', 'secrets', 'resolve', '$Secret{K1}'), "Secret 'K1' has expired")
  await bench.ok('secrets', 'delete', 'K1')
  assert.equal(await bench.ok('secrets', 'exists', 'K1'), false)
  await bench.fails('VALIDATION_ERROR', 'secrets', 'create', { key: 'a b', value: 'x' })
})

test('vector: the documented search, filters, both field conventions, writes', async () => {
  const at = { ...PLACE, vector: 'embeddings-index' }
  const near = await bench.ok('vector', 'findSimilar', { ...at, values: [0.1, 0.2, 0.3], topK: 5 })
  assert.equal(near.matches.length, 5)
  assert.deepEqual(near.matches[0], { id: 'reset-password', score: 1 })
  const scores = near.matches.map((match: { score: number }) => match.score)
  assert.deepEqual(
    scores,
    [...scores].sort((a, b) => b - a),
  )
  const query = { ...PLACE, tag: 'embeddings-index', vector: [0.1, 0.2, 0.3], topK: 1, includeMetadata: true }
  const german = await bench.ok('vector', 'query', { ...query, filter: { lang: { $in: ['de'] } } })
  assert.deepEqual(german.matches[0].metadata, { title: 'Passwort zurücksetzen', lang: 'de' })
  const second = { operator: '$and', filters: [{ field: 'lang', operator: '$eq', value: 'de' }] }
  assert.equal((await bench.ok('vector', 'query', { ...query, filter: second })).matches.length, 1)
  await bench.fails('DIMENSION_MISMATCH', 'vector', 'findSimilar', { ...at, values: [1] })
  const store = { ...PLACE, tag: 'embeddings-index' }
  const vectors = [{ id: 'n1', values: [1, 0, 0], metadata: { a: 1 } }]
  assert.deepEqual(await bench.ok('vector', 'upsert', { ...store, vectors, namespace: 'n' }), {
    upsertedCount: 1,
  })
  await bench.ok('vector', 'updateMetadata', {
    ...at,
    id: 'n1',
    namespace: 'n',
    metadata: { b: 2 },
    merge: true,
  })
  const fetched = await bench.ok('vector', 'fetchVectors', { ...at, ids: ['n1', 'none'], namespace: 'n' })
  assert.deepEqual(fetched.vectors, { n1: { id: 'n1', values: [1, 0, 0], metadata: { a: 1, b: 2 } } })
  const stats = await bench.ok('vector', 'getStats', at)
  assert.deepEqual([stats.totalVectorCount, stats.namespaces.n], [9, { vectorCount: 1 }])
  assert.equal(await bench.ok('vector', 'count', { ...at, namespace: 'n' }), 1)
  const page = await bench.ok('vector', 'listVectors', { ...at, limit: 5 })
  assert.equal(page.vectors.length, 5)
  assert.equal((await bench.ok('vector', 'listVectors', { ...at, cursor: page.cursor })).vectors.length, 3)
  assert.deepEqual(await bench.ok('vector', 'deleteVectors', { ...store, ids: ['n1'], namespace: 'n' }), {
    deletedCount: 1,
  })
  assert.deepEqual(await bench.ok('vector', 'deleteVectors', { ...store, ids: [], deleteAll: true }), {
    deletedCount: 8,
  })
  for (const metric of ['euclidean', 'dotproduct', 'manhattan']) {
    const made = {
      product: PRODUCT,
      tag: metric,
      name: metric,
      provider: 'memory',
      dimensions: 2,
      metric,
      envs: [],
    }
    await bench.ok('vector', 'create', made)
    const place = { ...PLACE, tag: metric }
    const two = [
      { id: 'far', values: [0, 1] },
      { id: 'near', values: [3, 4] },
    ]
    await bench.ok('vector', 'upsert', { ...place, vectors: two })
    const { matches } = await bench.ok('vector', 'query', { ...place, vector: [3, 4] })
    assert.equal(matches[0].id, 'near', metric)
    assert.equal(matches[0].score, metric === 'dotproduct' ? 25 : 1)
  }
})
