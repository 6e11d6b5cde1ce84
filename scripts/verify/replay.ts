// `npm run verify replay`: 100,000 calls with an idempotency key, each repeated, against a backend that loses answers; nothing may be executed twice.
import { parseArgs } from 'node:util'
import { type RandomReport, runRandom } from '../../test/replay/lib/random.ts'
import { publish } from './report.ts'

const { values } = parseArgs({
  options: { calls: { type: 'string', default: '100000' }, seed: { type: 'string' } },
})
const calls = Number(values.calls)
const seed = Number(values.seed ?? Date.now() % 2 ** 31)
const full = calls >= 100_000

// The emulator answers over real connections: with more callers than the machine serves in 20 ms, everything would be a timeout.
const report = await runRandom({ calls, seed, emulator: true, concurrency: 6 })
// A tenth is enough to show what the stage is for.
const without = await runRandom({ calls: calls / 10, seed, emulator: true, concurrency: 6, replay: false })

for (const problem of report.problems.slice(0, 20)) process.stdout.write(`${problem}\n`)
const rowsOf = ({ codes }: RandomReport): (string | number)[][] =>
  [...codes].toSorted(([, a], [, b]) => b - a).map(([code, count]) => [code, count])

process.exitCode = publish(
  {
    area: 'replay',
    what: 'Calls with an idempotency key, each sent several times and some at once, over REST and MCP of both eras, to two replicas on one store with a backend deadline of 20 ms; the emulator loses answers before and after the effect, connections fail, and three replicas die with calls under way.',
    command: `npm run verify replay${full ? '' : ` -- --calls ${calls}`}`,
    seed,
    notes: [
      'Lost answers: cut off, late, silent, reset before and after the headers, 429, 500, 503, not JSON, slow, too large; with and without the effect',
      `${report.operations} operations, of which ${report.effects} had their effect; the others met only failures before it`,
      `${report.replayed} answers repeated an earlier one`,
      `The same calls without the stage, a tenth of them: ${without.duplicates} of ${without.operations} operations were executed more than once`,
    ],
    figures: [{ title: 'Answers', columns: ['ended as', 'calls'], rows: rowsOf(report) }],
    bounds: [
      { what: 'calls', measured: report.calls, bound: 100_000, kind: 'floor' },
      { what: 'operations executed more than once', measured: report.duplicates, bound: 0, kind: 'ceiling' },
      { what: 'repeated answers that differ', measured: report.problems.length, bound: 0, kind: 'ceiling' },
      { what: 'answers repeated', measured: report.replayed, bound: calls / 10, kind: 'floor' },
      {
        what: 'executed more than once without the stage',
        measured: without.duplicates,
        bound: 1,
        kind: 'floor',
      },
    ],
  },
  { write: full },
)
