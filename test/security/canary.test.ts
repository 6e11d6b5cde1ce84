// A key planted anywhere turns up nowhere but with the backend: no log line, record, span, metric or error, and no heap.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findKeys, findSecrets, runCanary } from './lib/canary.ts'
import { runIdentityCanary } from './lib/canary-identity.ts'
import { runHeap } from './lib/heap.ts'

test('keys in every field, header and backend answer stay out of everything that the service writes', async (t) => {
  const report = await runCanary()
  t.diagnostic(
    `${report.requests} requests, ${report.keys} keys, searched ${JSON.stringify(report.searched)} characters`,
  )
  assert.deepEqual(report.problems.slice(0, 20), [])
  assert.ok(report.requests > 3000)
  // Nothing was searched in vain: each output is there.
  assert.ok(report.searched.records > 100_000)
  assert.ok(report.searched.spans > 100_000)
  assert.ok(report.searched.metrics > 10_000)
  assert.ok(report.searched.log > 100)
  assert.ok(report.searched.readyz > 20)
})

test('tokens, API keys and client certificates stay out of everything that the service writes', async (t) => {
  const report = await runIdentityCanary()
  t.diagnostic(
    `${report.requests} requests, ${report.secrets} secrets, searched ${JSON.stringify(report.searched)} characters`,
  )
  assert.deepEqual(report.problems.slice(0, 20), [])
  // Each kind of credential was taken, and refused in every way that there is.
  assert.deepEqual([...report.admitted].sort(), ['api-key', 'mtls', 'oauth'])
  for (const code of [
    'token_missing',
    'authorization_malformed',
    'header_repeated',
    'token_in_query',
    'token_invalid',
    'key_invalid',
    'certificate_refused',
    'proof_invalid',
    'issuer_unavailable',
    'scope_insufficient',
    'policy_denied',
    'admin_invalid',
  ])
    assert.ok(report.codes.has(code), code)
  for (const [name, characters] of Object.entries(report.searched)) assert.ok(characters > 20, name)
})

test('a key that is there is found in each form', () => {
  const key = 'pk_live_canary0000_00112233445566778899'
  const planted = [{ place: 'here', key }]
  for (const text of [
    `a ${key} b`,
    encodeURIComponent(`&${key}`),
    [...key].map((character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`).join(''),
    [...Buffer.from(key)].map((byte) => `%${byte.toString(16)}`).join(''),
    ...['', 'a', 'ab', 'abc'].map((before) => Buffer.from(`${before}${key}`).toString('base64')),
  ]) {
    assert.equal(findKeys(text, planted).length, 1, text)
    assert.equal(findSecrets(text, planted).length, 1, text)
  }
  assert.equal(findKeys('pk_live_other', planted).length, 0)
})

test('after 1,000 calls with a key each and a forced collection the heap holds none of the first 900', async (t) => {
  const report = await runHeap({ calls: 1000 })
  t.diagnostic(
    `${report.calls} calls, ${report.kept.length} keys left, snapshot of ${report.snapshotBytes} bytes`,
  )
  assert.ok(report.sighted, 'the snapshot was not read')
  assert.deepEqual(
    report.kept.filter((call) => call < 900),
    [],
  )
})
