// Nothing is executed twice, however often it is repeated while the backend loses answers and replicas die; without the stage much is.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runRandom } from './lib/random.ts'

// 2 % of the 100,000 of `npm run verify replay`.
const CALLS = 2000
const SEED = Number(process.env['REPLAY_SEED'] ?? 20261122)

test(`${CALLS} calls with lost answers (seed ${SEED})`, async (t) => {
  const report = await runRandom({ calls: CALLS, seed: SEED })
  const counts = [...report.codes].map(([code, count]) => `${code} ${count}`).join(', ')
  t.diagnostic(
    `seed ${SEED}, ${report.calls} calls of ${report.operations} operations, ${report.effects} effects, ${report.replayed} replayed: ${counts}`,
  )
  assert.equal(report.duplicates, 0)
  assert.deepEqual(report.problems, [])
  assert.ok(report.calls >= CALLS)
  assert.ok(report.effects > report.operations / 4 && report.effects <= report.operations)
  assert.ok(report.replayed > 0)
  assert.equal(report.killed, 3)
  const wanted = [
    'ok',
    'already_executed',
    'backend_interrupted',
    'backend_timeout',
    'backend_malformed',
    'backend_too_large',
    'backend_busy',
    'backend_refused',
    'backend_unreachable',
    'in_progress',
  ]
  for (const code of wanted) assert.ok(report.codes.has(code), code)
  assert.ok(!report.codes.has('internal_error'))
})

test(`the same calls without the stage are executed twice (seed ${SEED})`, async () => {
  const report = await runRandom({ calls: 500, seed: SEED, replay: false })
  assert.ok(report.duplicates > 10, `${report.duplicates}`)
})
