// Keys of two tenants replaced in the middle of their calls: the backend sees each tenant's own, the old before and the new after.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runRotation } from './lib/rotation.ts'

// 5 % of the 10,000 of `npm run verify tenants`.
const COUNT = 500
const SEED = Number(process.env['TENANTS_SEED'] ?? 20260728)

test(`${COUNT} calls of two tenants whose keys are replaced half way (seed ${SEED})`, async (t) => {
  const report = await runRotation({ seed: SEED, count: COUNT })
  t.diagnostic(
    `${report.count} calls, ${report.asked} reached the backend: ${JSON.stringify([...report.generations])}`,
  )
  assert.deepEqual(report.problems.slice(0, 10), [])
  assert.equal(report.count, COUNT)
  assert.equal(report.kinds.size, 5)
  assert.deepEqual([...report.generations.keys()].sort(), [
    'main, key 1',
    'main, key 2',
    'other, key 1',
    'other, key 2',
  ])
})
