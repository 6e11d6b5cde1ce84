// `npm run verify population`: 20,000 mixed calls over a crash, a restart and a drain; records, counters, the caller's own count and the effects have to agree.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { DENIALS, type DenialCode } from '../../src/core/denials.ts'
import { type Instance, runPopulation } from '../../test/audit/population/run.ts'
import { publish } from './report.ts'

const { values } = parseArgs({
  options: { calls: { type: 'string', default: '20000' }, seed: { type: 'string' } },
})
const calls = Number(values.calls)
const seed = Number(values.seed ?? Date.now() % 2 ** 31)
const full = calls >= 20_000

const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-population-'))
const report = await runPopulation({ calls, seed, folder }).finally(() =>
  rmSync(folder, { recursive: true, force: true }),
)
for (const problem of [...report.problems, ...report.unrecorded].slice(0, 20))
  process.stdout.write(`${problem}\n`)

const rowsOf = ({ answered, counted, recorded }: Instance): (string | number)[][] =>
  [...new Set([...answered.keys(), ...recorded.keys(), ...counted.keys()])]
    .sort()
    .map((code) => [code, ...[answered, recorded, counted].map((counts) => counts.get(code) ?? 0)])
const [killed, drained] = report.instances
const { approvals, population } = report.verification
// A refusal is recorded before its answer; an outcome after it, and where that is not there the call stands as unknown.
const AFTER: ReadonlySet<string> = new Set(['credentials', 'backend', 'shape', 'scan'])
const isRefusal = (code: string): boolean => code in DENIALS && !AFTER.has(DENIALS[code as DenialCode].stage)
const unwritten = [...(killed?.answered ?? [])]
  .filter(([code]) => isRefusal(code))
  .reduce((all, [code, count]) => all + Math.max(0, count - (killed?.recorded.get(code) ?? 0)), 0)

process.exitCode = publish(
  {
    area: 'population',
    what: 'Mixed calls of known and unknown callers, good, refused, malformed and in floods, with people who approve and deny, keys that come again, guards and the kill switch, against a real `serve` in strict mode with the emulator; it is killed with calls under way, started again, and drained.',
    command: `npm run verify population${full ? '' : ` -- --calls ${calls}`}`,
    seed,
    notes: [
      `${report.codes.length} codes turned up: ${report.codes.join(', ')}`,
      `${report.verification.chains.length} chains verify together with the witness: ${report.verification.chains.map(({ closed, records }) => `${records} records, ${closed ? 'closed' : 'open'}`).join('; ')}`,
      `${approvals.used} approvals were asked for, given by a person and used; ${population.decisions['replayed'] ?? 0} calls repeated an earlier one, and ${population.outcomes['replayed'] ?? 0} of them got its answer`,
      'The other codes need another configuration (authorization servers, certificates, no store, no policy); test/http/secured.test.ts has each of them with its record',
    ],
    figures: [
      {
        title: 'The instance that was killed',
        note: `Counters are those of its last scrape, taken before the last ${killed === undefined ? 0 : killed.unanswered} requests without an answer and those that were answered in between; so records are at least as many.`,
        columns: ['ended as', 'answers', 'records', 'counter'],
        rows: killed === undefined ? [] : rowsOf(killed),
      },
      {
        title: 'The instance that drained',
        columns: ['ended as', 'answers', 'records', 'counter'],
        rows: drained === undefined ? [] : rowsOf(drained),
      },
    ],
    bounds: [
      { what: 'calls', measured: calls, bound: 20_000, kind: 'floor' },
      {
        what: 'executions that the emulator saw',
        measured: report.effects,
        bound: calls / 10,
        kind: 'floor',
      },
      {
        what: 'of these without an allowed decision in the records',
        measured: report.unrecorded.length,
        bound: 0,
        kind: 'ceiling',
      },
      { what: 'approvals that calls used', measured: approvals.used, bound: calls / 100, kind: 'floor' },
      {
        what: 'of these not given before, by somebody else, in the records',
        measured: approvals.notShown,
        bound: 0,
        kind: 'ceiling',
      },
      {
        what: 'refusals that the killed instance answered and did not record',
        measured: unwritten,
        bound: 0,
        kind: 'goal',
      },
      {
        what: 'numbers that do not agree, findings of audit verify',
        measured: report.problems.length,
        bound: 0,
        kind: 'ceiling',
      },
    ],
  },
  { write: full },
)
