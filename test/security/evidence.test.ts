// Secrets and personal data of calls turn up in no record, receipt, OCSF event or evidence bundle.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PLANTED, runEvidenceCanary } from './lib/canary-evidence.ts'

test(`${PLANTED.length} planted texts`, async (t) => {
  const report = await runEvidenceCanary()
  t.diagnostic(JSON.stringify(report.searched))
  assert.deepEqual(report.problems.slice(0, 20), [])
  // Each of them was really there, and each kind of evidence too.
  assert.equal(new Set(PLANTED.map(({ key }) => key)).size, PLANTED.length)
  assert.equal(report.sent, PLANTED.length)
  assert.equal(report.answered, PLANTED.length)
  assert.ok((report.searched['records'] ?? 0) > 1_000_000)
  assert.ok((report.searched['receipts'] ?? 0) > 500_000)
  assert.ok((report.searched['ocsf'] ?? 0) > 1_000_000)
  assert.ok((report.searched['bundle'] ?? 0) > 1000)
})
