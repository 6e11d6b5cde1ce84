// `npm run verify mutation`: leaves out one check of identity and policy after another; each time a test has to fail.
import { parseArgs } from 'node:util'
import type { Mutant } from './lib/mutate.ts'
import { allMutants, runMutants } from './lib/mutation-run.ts'
import {
  idleReasons,
  ROOT,
  reasonFor,
  SOURCES,
  SUITES,
  sample,
  unnamedSources,
} from './lib/mutation-suites.ts'
import { publish } from './report.ts'

const { values } = parseArgs({
  options: {
    // The beginning of a path, as in `src/identity/oauth`.
    only: { type: 'string' },
    // A share, as in 0.02.
    sample: { type: 'string' },
    seed: { type: 'string' },
    jobs: { type: 'string', default: '2' },
    // Those with a reason as well, to see whether a test notices one after all.
    explained: { type: 'boolean', default: false },
  },
})
const { only, explained } = values
const share = values.sample === undefined ? 1 : Number(values.sample)
const seed = Number(values.seed ?? Date.now() % 2 ** 31)
const full = only === undefined && share === 1

const all = allMutants(ROOT, SUITES)
const here = all.filter(({ file }) => only === undefined || file.startsWith(only))
const reasoned = here.filter((mutant) => reasonFor(mutant) !== undefined)
const asked = explained ? here : here.filter((mutant) => reasonFor(mutant) === undefined)
const chosen = share === 1 ? asked : sample(asked, share, seed)
const place = ({ file, line, text }: Mutant): string => `${file}:${line}  ${text}`
const started = performance.now()
let done = 0
// Else the copies of the tree would stay behind.
process.once('SIGTERM', () => process.exit(1))
const { outcomes, broken } = await runMutants(chosen, {
  root: ROOT,
  suites: SUITES,
  jobs: Number(values.jobs),
  timeout: 60_000,
  onOutcome({ mutant, killer }) {
    done++
    const reason = reasonFor(mutant)
    if (killer === undefined && reason === undefined) process.stdout.write(`survived  ${place(mutant)}\n`)
    if (killer !== undefined && reason !== undefined)
      process.stdout.write(`needs no reason  ${place(mutant)}  ${killer}\n`)
    if (done % 50 === 0) process.stdout.write(`${done} of ${chosen.length}\n`)
  },
})

const survivors = outcomes
  .filter(({ mutant, killer }) => killer === undefined && reasonFor(mutant) === undefined)
  .map(({ mutant }) => mutant)
const idle = idleReasons(all)
for (const name of idle) process.stdout.write(`reason without a check  ${name}\n`)
const unnamed = unnamedSources()
for (const file of unnamed) process.stdout.write(`no suite names  ${file}\n`)
for (const file of broken) process.stdout.write(`fails without a mutant  ${file}\n`)

const options = [
  ...(only === undefined ? [] : ['--only', only]),
  ...(share === 1 ? [] : ['--sample', String(share)]),
]
const folderOf = ({ file }: Mutant): string => file.slice(0, file.lastIndexOf('/'))
const folders = [...new Set(here.map(folderOf))].sort()

process.exitCode = publish(
  {
    area: 'mutation',
    what: `Every check of ${SOURCES.map((source) => `\`${source}\``).join(', ')} is left out, one at a time, and the tests of its folder run until one fails: the condition of an \`if\` is false; an operand of \`&&\` or \`||\`, or one of two checks joined by \`??\`, is gone; a conditional expression keeps one branch; a list is not filtered; a schema lacks a rule.`,
    command: `npm run verify mutation${options.length === 0 ? '' : ` -- ${options.join(' ')}`}`,
    seed: share === 1 ? undefined : seed,
    notes: [
      `${outcomes.length} mutants in ${Math.round((performance.now() - started) / 60_000)} min; a test file that takes longer than a minute has noticed`,
      'A comparison with `undefined` inside a larger condition is left alone: it says when the rest has something to look at',
    ],
    figures: [
      {
        title: 'Mutants',
        columns: ['folder', 'mutants', 'a test failed', 'of them by time', 'no test can fail', 'survived'],
        rows: folders.map((folder) => {
          const ran = outcomes.filter(({ mutant }) => folderOf(mutant) === folder)
          const dead = ran.filter(({ killer }) => killer !== undefined)
          const excused = reasoned.filter((mutant) => folderOf(mutant) === folder).length
          const left = survivors.filter((mutant) => folderOf(mutant) === folder).length
          const late = dead.filter((one) => one.late).length
          return [folder, dead.length + excused + left, dead.length, late, excused, left]
        }),
      },
      {
        title: 'Checks that no test can notice',
        note: 'Left out with a reason in `scripts/verify/lib/mutation-equivalents.ts`, and not run; `-- --explained` runs them as well.',
        columns: ['place', 'check', 'reason'],
        rows: reasoned.map((mutant) => [
          `${mutant.file}:${mutant.line}`,
          `\`${mutant.text}\``,
          reasonFor(mutant) ?? '',
        ]),
      },
      ...(survivors.length === 0
        ? []
        : [
            {
              title: 'Survivors: a test is missing',
              columns: ['place', 'check'],
              rows: survivors.map((mutant) => [`${mutant.file}:${mutant.line}`, `\`${mutant.text}\``]),
            },
          ]),
    ],
    bounds: [
      { what: 'survivors without a reason', measured: survivors.length, bound: 0, kind: 'ceiling' },
      { what: 'sources without a suite', measured: unnamed.length, bound: 0, kind: 'ceiling' },
      { what: 'reasons without a check', measured: idle.length, bound: 0, kind: 'ceiling' },
      {
        what: 'test files that fail without a mutant',
        measured: broken.length,
        bound: 0,
        kind: 'ceiling',
      },
    ],
  },
  { write: full },
)
