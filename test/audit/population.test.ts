// Every call is in the records once, as its caller saw it and as the counters say, over a crash and a drain: a slice of `npm run verify population`.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { temporary } from '../lib/process.ts'
import { runPopulation } from './population/run.ts'

const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
const CALLS = 600

const EXPECTED = [
  ...['approval_required', 'approval_denied', 'approval_decided', 'approver_refused', 'approval_too_large'],
  ...['idempotency_key_reused', 'idempotency_key_required', 'idempotency_key_invalid'],
  ...['sql_refused', 'sql_unparsable', 'cypher_refused', 'path_refused', 'url_refused'],
  ...['secret_reference_refused', 'killed', 'rate_limited'],
]

test(`${CALLS} mixed calls, seed ${SEED}`, async (t) => {
  const folder = temporary()
  t.after(() => folder.remove())
  const report = await runPopulation({ calls: CALLS, seed: SEED, folder: folder.path })
  t.diagnostic(`${report.codes.length} codes, ${report.effects} effects`)
  assert.deepEqual(report.problems, [])
  assert.deepEqual(report.unrecorded, [])
  // Nothing was compared in vain.
  assert.ok(report.effects > CALLS / 10)
  assert.ok(report.codes.length > 45, report.codes.join())
  // What people, keys that come again and the kill switch make of calls is among it.
  for (const code of EXPECTED) assert.ok(report.codes.includes(code), `${code} did not turn up`)
  const { approvals, population } = report.verification
  assert.deepEqual([approvals.used > 0, approvals.notShown], [true, 0])
  assert.ok((population.outcomes['replayed'] ?? 0) > 0)
  const [killed] = report.instances
  assert.ok(killed !== undefined && killed.unanswered > 0)
})
