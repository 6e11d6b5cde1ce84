// Secrets and personal data of calls that wait for a person, of reasons, of the kill switch and of kept answers turn up neither in the store nor in notifications, records, receipts and log.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PASTED, PLANTED, REASONS, runKeptCanary } from './lib/canary-kept.ts'

test(`${PLANTED.length} planted texts`, async (t) => {
  const report = await runKeptCanary()
  t.diagnostic(JSON.stringify(report))
  assert.deepEqual(report.problems.slice(0, 20), [])
  // Each of them was really there: before the approver, as a reason, and in the answer that was given again.
  const { length } = PLANTED
  assert.deepEqual([report.shown, report.reasons, report.repeated], [length, length / 2, length])
  assert.equal(report.orders, 2 * (REASONS.length + PASTED.length))
  assert.equal(report.logged, REASONS.length)
  for (const [name, least] of Object.entries({
    store: 200_000,
    records: 200_000,
    receipts: 100_000,
    notifications: 20_000,
  }))
    assert.ok((report.searched[name] ?? 0) > least, `${name}: ${report.searched[name]} characters`)
})
