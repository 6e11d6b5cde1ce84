// `npm run verify fuzz`: 10,000 fuzzed requests over both protocol eras and REST, every answer judged.
import { parseArgs } from 'node:util'
import { runFuzz } from '../../test/security/lib/fuzz.ts'
import { publish } from './report.ts'

const { values } = parseArgs({
  options: { seed: { type: 'string' }, count: { type: 'string', default: '10000' } },
})
const seed = Number(values.seed ?? Date.now() % 2 ** 31)
const count = Number(values.count)
const full = count >= 10_000

const report = await runFuzz({ seed, count })
for (const problem of report.problems.slice(0, 20)) process.stdout.write(`${problem}\n`)

process.exitCode = publish(
  {
    area: 'fuzz',
    what: 'Fuzzed requests to POST /mcp (both eras) and /v1/tools/*, against a healthy emulator; every answer is judged for status, form, time and what it gives away.',
    command: `npm run verify fuzz${full ? '' : ` -- --count ${count}`}`,
    seed,
    notes: [
      `${report.count} requests, ${report.backend.asked} of them reached the backend`,
      'Repeat a run with `-- --seed N`',
    ],
    figures: [
      {
        title: 'Answers',
        columns: ['kind of request', 'status', 'answers'],
        rows: [...report.statuses].sort().map(([key, answers]) => [key.slice(0, -4), key.slice(-3), answers]),
      },
    ],
    bounds: [
      {
        what: 'answers that are a 5xx, malformed, late (over 1 s) or give something away',
        measured: report.problems.length,
        bound: 0,
        kind: 'ceiling',
      },
      { what: 'slowest answer', measured: report.slowest, bound: 1000, kind: 'ceiling', unit: 'ms' },
      { what: 'calls and refusals without a record', measured: report.unrecorded, bound: 0, kind: 'ceiling' },
      { what: 'faults of the emulator itself', measured: report.backend.crashed, bound: 0, kind: 'ceiling' },
      {
        what: 'requests that reached the backend',
        measured: report.backend.asked,
        bound: count / 10,
        kind: 'floor',
      },
    ],
  },
  { write: full },
)
