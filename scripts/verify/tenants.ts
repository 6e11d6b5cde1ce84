// `npm run verify tenants`: 10,000 overlapping calls of two tenants on one service, once with keys of their own and once with held keys that are replaced half way.
import { parseArgs } from 'node:util'
import { runRotation } from '../../test/credentials/lib/rotation.ts'
import { runTenants } from '../../test/security/lib/tenants.ts'
import { publish } from './report.ts'

const { values } = parseArgs({
  options: { seed: { type: 'string' }, count: { type: 'string', default: '10000' } },
})
const seed = Number(values.seed ?? Date.now() % 2 ** 31)
const count = Number(values.count)
const full = count >= 10_000

const own = await runTenants({ seed, count, inFlight: 32 })
const held = await runRotation({ seed, count, inFlight: 32 })
for (const problem of [...own.problems, ...held.problems].slice(0, 20)) process.stdout.write(`${problem}\n`)

process.exitCode = publish(
  {
    area: 'tenants',
    what: "Calls of two tenants in turn over the same connections. First with their own keys, successes, failures, slow and broken answers among them: every answer, log line and record is searched for what belongs to the other. Then with keys that the service holds, both tenants' files replaced half way: every request at the backend has to carry the key of its caller and of the record.",
    command: `npm run verify tenants${full ? '' : ` -- --count ${count}`}`,
    seed,
    notes: [
      `${own.count} calls with their own keys, up to ${own.overlap} of each tenant open at one time`,
      `${held.count} calls with held keys, ${held.asked} of them reached the backend, ${held.across} after the change with the key that they were judged by`,
      'Repeat a run with `-- --seed N`',
    ],
    figures: [
      { title: 'Calls with their own keys', columns: ['kind', 'calls'], rows: [...own.kinds].sort() },
      { title: 'Calls with held keys', columns: ['kind', 'calls'], rows: [...held.kinds].sort() },
      {
        title: 'Held keys at the backend',
        note: 'Key 1 is the one of before the change, key 2 the one of after it.',
        columns: ['tenant and key', 'requests'],
        rows: [...held.generations].sort(),
      },
    ],
    bounds: [
      {
        what: 'answers, records and log lines that hold what is not theirs, or are not the planned ones',
        measured: own.problems.length,
        bound: 0,
        kind: 'ceiling',
      },
      { what: 'calls of both tenants open at one time', measured: own.overlap, bound: 4, kind: 'floor' },
      {
        what: 'held keys: requests with a crossed, early or late key, wrong records, answers with a key',
        measured: held.problems.length,
        bound: 0,
        kind: 'ceiling',
      },
      {
        what: 'held keys: tenant and key pairs that the backend has seen',
        measured: held.generations.size,
        bound: 4,
        kind: 'floor',
      },
    ],
  },
  { write: full },
)
