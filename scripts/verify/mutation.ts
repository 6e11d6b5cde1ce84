// `npm run verify mutation`: leaves out one check of identity and policy after another; each time a test has to fail.
import { parseArgs } from 'node:util'
import { EQUIVALENTS } from './lib/mutation-equivalents.ts'
import { allMutants, type Outcome, runMutants } from './lib/mutation-run.ts'
import { ROOT, reasonFor, SOURCES, SUITES, sample, unexplained } from './lib/mutation-suites.ts'
import { publish } from './report.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    sample: { type: 'string' },
    seed: { type: 'string' },
    jobs: { type: 'string', default: '2' },
  },
})
const { only } = values
const share = values.sample === undefined ? 1 : Number(values.sample)
const seed = Number(values.seed ?? Date.now() % 2 ** 31)
const full = only === undefined && share === 1

const all = allMutants(ROOT, SUITES).filter(({ file }) => only === undefined || file.startsWith(only))
const chosen = share === 1 ? all : sample(all, share, seed)
const started = performance.now()
const place = ({ mutant: { file, line, text } }: Outcome) => `${file}:${line}  ${text}`
let done = 0
const { outcomes, broken } = await runMutants(chosen, {
  root: ROOT,
  suites: SUITES,
  jobs: Number(values.jobs),
  timeout: 60_000,
  onOutcome(outcome) {
    done++
    if (outcome.killer === undefined)
      process.stdout.write(`survived  ${place(outcome)}  ${reasonFor(outcome.mutant) ?? ''}\n`)
    if (done % 50 === 0) process.stdout.write(`${done} of ${chosen.length}\n`)
  },
})

const survivors = outcomes.filter(({ killer }) => killer === undefined)
const left = unexplained(outcomes)
// A reason for a check that a test notices after all, or that is not there any more.
const idle = full
  ? EQUIVALENTS.filter(
      ({ file, text }) => !survivors.some(({ mutant }) => mutant.file === file && mutant.text === text),
    )
  : []
for (const { file, text } of idle) process.stdout.write(`needs no reason  ${file}  ${text}\n`)
for (const file of broken) process.stdout.write(`fails without a mutant  ${file}\n`)

const options = [
  ...(only === undefined ? [] : ['--only', only]),
  ...(share === 1 ? [] : ['--sample', String(share), '--seed', String(seed)]),
]
const folderOf = (file: string) => file.slice(0, file.lastIndexOf('/'))
const folders = [...new Set(chosen.map(({ file }) => folderOf(file)))].sort()

process.exitCode = publish(
  {
    area: 'mutation',
    what: `Every check of ${SOURCES.map((source) => `\`${source}\``).join(' and ')} is left out, one at a time, and the tests of its folder run until one fails: the condition of an \`if\` is false; an operand of \`&&\` or \`||\`, or one of two checks joined by \`??\`, is gone; a conditional expression keeps one branch; a list is not filtered; a schema lacks a rule.`,
    command: `npm run verify mutation${options.length === 0 ? '' : ` -- ${options.join(' ')}`}`,
    seed: share === 1 ? undefined : seed,
    notes: [
      `${outcomes.length} mutants in ${Math.round((performance.now() - started) / 60_000)} min; a test file that takes longer than a minute has noticed`,
      'A comparison with `undefined` inside a larger condition is left alone: it says when the rest has something to look at',
    ],
    figures: [
      {
        title: 'Mutants',
        columns: [
          'folder',
          'mutants',
          'a test failed',
          'of them by time',
          'survived with a reason',
          'survived',
        ],
        rows: folders.map((folder) => {
          const here = outcomes.filter(({ mutant }) => folderOf(mutant.file) === folder)
          const dead = here.filter(({ killer }) => killer !== undefined)
          const open = left.filter(({ file }) => folderOf(file) === folder).length
          const late = dead.filter((one) => one.late).length
          return [folder, here.length, dead.length, late, here.length - dead.length - open, open]
        }),
      },
      {
        title: 'Survivors',
        note: 'What is left out changes nothing that a caller, an operator or a record could show, for the reason given.',
        columns: ['place', 'left out', 'why no test can fail'],
        rows: survivors
          .map(({ mutant }) => mutant)
          .sort((one, other) => one.file.localeCompare(other.file) || one.line - other.line)
          .map((mutant) => [
            `${mutant.file}:${mutant.line}`,
            `\`${mutant.text}\``,
            reasonFor(mutant) ?? 'none: a test is missing',
          ]),
      },
    ],
    bounds: [
      { what: 'survivors without a reason', measured: left.length, bound: 0, kind: 'ceiling' },
      { what: 'reasons that no survivor needs', measured: idle.length, bound: 0, kind: 'ceiling' },
      { what: 'test files that fail without a mutant', measured: broken.length, bound: 0, kind: 'ceiling' },
    ],
  },
  { write: full },
)
