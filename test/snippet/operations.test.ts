// Which operations have a snippet: every family and method of the public table, and the sentence that refuses the rest.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findOperation } from '../../src/tools/snippet/index.ts'

const BROKER = 'dispatch send publish produce consume'
const HEALTH = 'run check status'

// family, SDK path, methods: written out again here, so that a slip in the catalogue does not hide itself.
const TABLE: [string, string, string][] = [
  ['action', 'actions', 'run dispatch execute'],
  ['workflow', 'workflow', 'run dispatch execute'],
  ['feature', 'feature', 'run dispatch execute'],
  ['database', 'databases', 'dispatch find insert update delete query upsert count aggregate'],
  ['graph', 'graph', 'dispatch find insert update delete query execute'],
  ['vector', 'vector', 'query find findSimilar upsert insert delete dispatch'],
  ['storage', 'storage', 'dispatch upload download remove listFiles getSignedUrl stats'],
  ['notification', 'notifications', 'dispatch send email.send push.send sms.send callback.send'],
  ['messaging', 'messageBrokers', BROKER],
  ['broker', 'messageBrokers', BROKER],
  ['quota', 'quotas', 'run dispatch check consume'],
  ['fallback', 'fallback', 'run dispatch'],
  ['healthcheck', 'health', HEALTH],
  ['health', 'health', HEALTH],
  ['session', 'sessions', 'start verify refresh revoke listActive'],
  ['cache', 'caches', 'get set clear clearAll dispatch fetchValues'],
]

test('every family and method of the table is an operation with its call path', () => {
  for (const [family, path, methods] of TABLE) {
    for (const method of methods.split(' ')) {
      const found = findOperation(family, method)
      assert.deepEqual(found, {
        ok: true,
        operation: { path: `${path}.${method}`.split('.'), family, method },
      })
    }
  }
})

test('another method is refused with the methods of the family', () => {
  for (const [family, , methods] of TABLE) {
    const list = methods.split(' ').join(', ')
    for (const method of ['drop', 'Run', '', 'send.', 'constructor', '__proto__', 'toString', 'length']) {
      assert.deepEqual(findOperation(family, method), {
        ok: false,
        message: `Unsupported snippet operation "${family}.${method}". Allowed methods for ${family}: ${list}`,
      })
    }
  }
})

test('another family is refused with the families', () => {
  const families = TABLE.map(([family]) => family).join(', ')
  for (const family of ['product', 'secrets', 'Database', 'databases', '', 'constructor', '__proto__']) {
    assert.deepEqual(findOperation(family, 'run'), {
      ok: false,
      message: `Unsupported snippet operation "${family}.run". Allowed operation families: ${families}`,
    })
  }
})

test('what the caller sent is echoed without controls, and short', () => {
  const message = (family: string, method: string) => {
    const found = findOperation(family, method)
    assert.ok(!found.ok)
    assert.doesNotMatch(found.message, /[\p{C}\p{Zl}\p{Zp}]/u)
    assert.ok(found.message.isWellFormed())
    return found.message.slice(0, found.message.indexOf('. Allowed'))
  }
  assert.equal(
    message('data\u202ebase\n\0\x1b[2J\u2028', '\ud800run\u{e0041}\u200b\r\n'),
    'Unsupported snippet operation "database[2J.run"',
  )
  const long = `Unsupported snippet operation "${'a'.repeat(64)}.${'\u{1f600}'.repeat(64)}"`
  assert.equal(message('a'.repeat(1_000_000), '\u{1f600}'.repeat(500_000)), long)
  assert.equal(message('\u202e'.repeat(1_000_000), 'run'), 'Unsupported snippet operation ".run"')
  assert.equal(
    message('database', 'x'.repeat(65)),
    `Unsupported snippet operation "database.${'x'.repeat(64)}"`,
  )
})
