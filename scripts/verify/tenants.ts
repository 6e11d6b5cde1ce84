// `npm run verify tenants`: 10,000 overlapping calls of two tenants on one service, every answer and record judged.
import { parseArgs } from 'node:util'
import { runTenants } from '../../test/security/lib/tenants.ts'
import { publish } from './report.ts'

const { values } = parseArgs({
  options: { seed: { type: 'string' }, count: { type: 'string', default: '10000' } },
})
const seed = Number(values.seed ?? Date.now() % 2 ** 31)
const count = Number(values.count)
const full = count >= 10_000

const report = await runTenants({ seed, count, inFlight: 32 })
for (const problem of report.problems.slice(0, 20)) process.stdout.write(`${problem}\n`)

process.exitCode = publish(
  {
    area: 'tenants',
    what: 'Calls of two tenants in turn over the same connections, successes, failures, slow and broken answers among them; every answer, log line and record is searched for what belongs to the other.',
    command: `npm run verify tenants${full ? '' : ` -- --count ${count}`}`,
    seed,
    notes: [
      `${report.count} calls, up to ${report.overlap} of each tenant open at one time`,
      'Repeat a run with `-- --seed N`',
    ],
    figures: [{ title: 'Calls', columns: ['kind', 'calls'], rows: [...report.kinds].sort() }],
    bounds: [
      {
        what: 'answers, records and log lines that hold what is not theirs, or are not the planned ones',
        measured: report.problems.length,
        bound: 0,
        kind: 'ceiling',
      },
      { what: 'calls of both tenants open at one time', measured: report.overlap, bound: 4, kind: 'floor' },
    ],
  },
  { write: full },
)
