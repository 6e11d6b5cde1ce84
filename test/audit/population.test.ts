// Every call is in the records once, as its caller saw it and as the counters say, over a crash and a drain: a slice of `npm run verify population`.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { temporary } from '../lib/process.ts'
import { runPopulation } from './population/run.ts'

const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
const CALLS = 600

test(`${CALLS} mixed calls, seed ${SEED}`, async (t) => {
  const folder = temporary()
  t.after(() => folder.remove())
  const report = await runPopulation({ calls: CALLS, seed: SEED, folder: folder.path })
  t.diagnostic(`${report.codes.length} codes, ${report.effects} effects`)
  assert.deepEqual(report.problems, [])
  assert.deepEqual(report.unrecorded, [])
  // Nothing was compared in vain.
  assert.ok(report.effects > CALLS / 10)
  assert.ok(report.codes.length > 30, report.codes.join())
  const [killed] = report.instances
  assert.ok(killed !== undefined && killed.unanswered > 0)
})
