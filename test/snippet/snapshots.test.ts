// The snippets that people copy, as committed files: the seed's example and one per family in both languages. UPDATE_SNAPSHOTS=1 rewrites them.
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { SNIPPET_FAMILIES } from '../../src/catalogue/index.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { findOperation, type SnippetLanguage, writeSnippet } from '../../src/tools/snippet/index.ts'

const FOLDER = new URL('snapshots/', import.meta.url)
const UPDATE = process.env['UPDATE_SNAPSHOTS'] === '1'

const LANGUAGES: [SnippetLanguage, string][] = [
  ['typescript', 'ts.txt'],
  ['python', 'py.txt'],
]

const WORKFLOW: JsonObject = { tag: 'onboard-user', input: { userId: 'u-1', plan: 'pro', trial: true } }
const TOPIC: JsonObject = {
  event: 'orders-broker:order-created',
  input: { message: { orderId: 42, total: 19.99 } },
}
const PROBE: JsonObject = { tag: 'stripe-health' }
const ACTION: JsonObject = {
  app: 'stripe',
  action: 'create-customer',
  input: { 'body:email': 'user@example.com', 'body:name': 'Jane Doe' },
}

// One example per family, what the backend's template may hold beside product and env.
const EXAMPLES: Record<string, [string, JsonObject]> = {
  'seed-example': ['action.run', ACTION],
  action: ['action.dispatch', { ...ACTION, schedule: { cron: '0 9 * * 1', tz: 'Europe/Berlin' } }],
  workflow: ['workflow.execute', WORKFLOW],
  feature: ['feature.execute', WORKFLOW],
  database: [
    'database.query',
    {
      database: 'main-db',
      input: { entity: 'orders', where: { status: { $eq: 'active' } }, select: ['id', 'total'], limit: 10 },
    },
  ],
  graph: [
    'graph.find',
    { graph: 'social', input: { labels: ['Person'], where: { name: 'Zo\u00eb' }, limit: 5 } },
  ],
  vector: [
    'vector.findSimilar',
    {
      vector: 'embeddings-index',
      input: { values: Array.from({ length: 24 }, (_, i) => (i + 1) / 32), topK: 5, filter: null },
    },
  ],
  storage: [
    'storage.upload',
    {
      storage: 'documents',
      input: { fileName: 'reports/2026 Q1.pdf', buffer: '', mimeType: 'application/pdf' },
    },
  ],
  notification: [
    'notification.email.send',
    {
      notification: 'welcome',
      session: 'user:<token>',
      input: { recipients: ['user@example.com'], subject: {}, template: { name: 'Jane "JD" Doe' } },
    },
  ],
  messaging: ['messaging.publish', TOPIC],
  broker: ['broker.produce', TOPIC],
  quota: [
    'quota.run',
    { tag: 'sms-quota', cache: 'quota-cache', input: { to: '+4915112345678', text: 'Line one\nline two' } },
  ],
  fallback: ['fallback.run', { tag: 'payments', input: { amount: 1999, currency: 'EUR', refund: false } }],
  healthcheck: ['healthcheck.status', PROBE],
  health: ['health.run', PROBE],
  session: [
    'session.start',
    { tag: 'user-session', input: { data: { userId: 'u-1', roles: ['admin', 'editor'] } } },
  ],
  cache: [
    'cache.set',
    { cache: 'profiles', input: { key: 'user:1', value: '{"name":"Jane"}', expiry: '2027-01-01T00:00:00Z' } },
  ],
}

test('each family has an example', () => {
  assert.deepEqual(Object.keys(EXAMPLES), ['seed-example', ...SNIPPET_FAMILIES])
})

if (UPDATE) {
  rmSync(FOLDER, { recursive: true, force: true })
  mkdirSync(FOLDER)
}

for (const [name, [operation, members]] of Object.entries(EXAMPLES)) {
  test(`the snippet of ${name} is the committed one`, () => {
    const [family = '', ...method] = operation.split('.')
    const found = findOperation(family, method.join('.'))
    assert.ok(found.ok)
    const payload = { product: 'ductape:my-product', env: 'prd', ...members }
    for (const [language, extension] of LANGUAGES) {
      const file = new URL(`${name}.${extension}`, FOLDER)
      const source = writeSnippet(language, found.operation, payload)
      if (UPDATE) writeFileSync(file, source)
      assert.equal(source, readFileSync(file, 'utf8'))
    }
  })
}

test('no committed snippet is left over', () => {
  const expected = Object.keys(EXAMPLES).flatMap((name) =>
    LANGUAGES.map(([, extension]) => `${name}.${extension}`),
  )
  assert.deepEqual(readdirSync(FOLDER).sort(), expected.sort())
})
