// Two tenants on one service: no answer, record or error of one reaches the other, however their calls overlap.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runTenants } from './lib/tenants.ts'

// 5 % of the 10,000 of `npm run verify tenants`.
const COUNT = 500
const SEED = Number(process.env['TENANTS_SEED'] ?? 20260728)

test(`${COUNT} calls of two tenants (seed ${SEED})`, async (t) => {
  const report = await runTenants({ seed: SEED, count: COUNT })
  t.diagnostic(`seed ${SEED}, ${report.count} calls, up to ${report.overlap} of each tenant open at one time`)
  assert.deepEqual(report.problems.slice(0, 10), [])
  assert.equal(report.count, COUNT)
  assert.ok(report.overlap >= 2, 'the calls of the tenants do not overlap')
  assert.equal(report.kinds.size, 10)
})
