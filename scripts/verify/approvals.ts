// `npm run verify approvals`: 100,000 interleavings of asking, approving, using and losing at the store port, then 2,000 rounds over three processes and a real Redis that is killed half way.
import { parseArgs } from 'node:util'
import { MUTANTS } from '../../test/approval/lib/mutants.ts'
import { runReplicas } from '../../test/approval/lib/replicas.ts'
import { runWorlds } from '../../test/approval/lib/world.ts'
import { startServer } from '../../test/store/lib/server.ts'
import { publish } from './report.ts'

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '2000' },
    seed: { type: 'string' },
  },
})
const seed = Number(values.seed ?? Date.now() % 2 ** 31)
const count = Number(values.count)
const rounds = Number(values.rounds)
const full = count >= 100_000 && rounds >= 2000

const worlds = await runWorlds(seed, count)
let missed = 0
for (const [what, { mutant, finds }] of Object.entries(MUTANTS)) {
  const isFound = (problems: readonly string[]): boolean => problems.some((one) => finds.test(one))
  const { problems } = await runWorlds(seed, Math.min(count, 2000), mutant, isFound)
  if (isFound(problems)) continue
  missed++
  process.stdout.write(`not found out: ${what}\n`)
}
const server = await startServer('redis-server')
const replicas = await runReplicas({ server, seed, rounds }).finally(() => server.stop())
for (const problem of [...worlds.problems, ...replicas.problems].slice(0, 20))
  process.stdout.write(`${problem}\n`)

const rowsOf = (ended: ReadonlyMap<string, number>): [string, number][] =>
  [...ended].sort(([one], [other]) => (one < other ? -1 : 1))

process.exitCode = publish(
  {
    area: 'approvals',
    what: 'Calls under approval on three replicas: asked for, approved and refused by people who may and who may not, used, expired, while operations of the store fail before or after they took effect, the store is emptied and tampered with, and replicas die. An approval may be used once, in time, by who asked, for the arguments that the approver was shown, with the same workspace key, and only after somebody else of the tenant has given it.',
    command: `npm run verify approvals${full ? '' : ` -- --count ${count} --rounds ${rounds}`}`,
    seed,
    notes: [
      `${worlds.steps} steps in ${worlds.worlds} interleavings, each from a seed of its own`,
      `${Object.keys(MUTANTS).length} mutants, each with one check missing, are put to the same runs`,
      `${replicas.undisturbed} of ${rounds} rounds over processes were approved and undisturbed; in each of them exactly one call has to pass`,
      'Repeat a run with `-- --seed N`',
    ],
    figures: [
      {
        title: 'Interleavings: how calls and decisions ended',
        columns: ['ended as', 'times'],
        rows: rowsOf(worlds.ended),
      },
      {
        title: 'Processes: how calls and decisions ended',
        columns: ['ended as', 'times'],
        rows: rowsOf(replicas.ended),
      },
    ],
    bounds: [
      { what: 'interleavings', measured: worlds.worlds, bound: 100_000, kind: 'floor' },
      { what: 'of them with a broken rule', measured: worlds.problems.length, bound: 0, kind: 'ceiling' },
      {
        what: 'calls that passed in them',
        measured: worlds.ended.get('used') ?? 0,
        bound: count / 10,
        kind: 'floor',
      },
      { what: 'mutants that were not found out', measured: missed, bound: 0, kind: 'ceiling' },
      { what: 'rounds over processes', measured: rounds, bound: 2000, kind: 'floor' },
      { what: 'of them with a broken rule', measured: replicas.problems.length, bound: 0, kind: 'ceiling' },
      {
        what: 'of them approved and undisturbed',
        measured: replicas.undisturbed,
        bound: rounds / 2,
        kind: 'floor',
      },
    ],
  },
  { write: full },
)
