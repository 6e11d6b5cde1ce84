// `npm run verify guards`: the corpora of all guards, the slowest texts that the caps let through, and fuzzing.
import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { judgeCypher } from '../../src/admission/guards/cypher/index.ts'
import { judgePath } from '../../src/admission/guards/path/index.ts'
import { judgeSql, loadSqlParser } from '../../src/admission/guards/sql/index.ts'
import { judgeUrl } from '../../src/admission/guards/url/index.ts'
import { BENIGN as CYPHER_BENIGN } from '../../test/guards/cypher/benign.ts'
import { FAMILIES as CYPHER_FAMILIES } from '../../test/guards/cypher/families.ts'
import { anyText as anyCypher, WORST as CYPHER_WORST } from '../../test/guards/cypher/made.ts'
import { settingsOf } from '../../test/guards/lib/defaults.ts'
import { ATTACKS as PATH_ATTACKS } from '../../test/guards/path/attacks.ts'
import { BENIGN as PATH_BENIGN } from '../../test/guards/path/benign.ts'
import { anyText as anyPath, WORST as PATH_WORST } from '../../test/guards/path/made.ts'
import { BENIGN as SQL_BENIGN } from '../../test/guards/sql/benign.ts'
import { FAMILIES as SQL_FAMILIES } from '../../test/guards/sql/families.ts'
import { anyText as anySql, WORST as SQL_WORST } from '../../test/guards/sql/made.ts'
import { ATTACKS as URL_ATTACKS } from '../../test/guards/url/attacks.ts'
import { BENIGN as URL_BENIGN } from '../../test/guards/url/benign.ts'
import { anyText as anyUrl, WORST as URL_WORST } from '../../test/guards/url/made.ts'
import { publish } from './report.ts'

interface Guard {
  readonly name: string
  /** `passed` = shown to be harmless. */
  judge(text: string): 'passed' | 'unproven' | 'refused'
  readonly families: Readonly<Record<string, readonly string[]>>
  readonly benign: readonly string[]
  /** By what makes them slow. */
  readonly worst: Readonly<Record<string, string>>
  readonly any: () => fc.Arbitrary<string>
}

const { values } = parseArgs({
  options: { seed: { type: 'string' }, fuzz: { type: 'string', default: '200000' } },
})
const seed = Number(values.seed ?? Date.now() % 2 ** 31)
const fuzz = Number(values.fuzz)
const full = fuzz >= 200_000

await loadSqlParser()
/** What holds without a rule. */
const PLAIN = settingsOf()
const byName = (
  families: readonly { readonly name: string; readonly texts: readonly string[] }[],
): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(families.map(({ name, texts }) => [name, texts]))
const ended = (kind: 'read' | 'unproven' | 'refused'): 'passed' | 'unproven' | 'refused' =>
  kind === 'read' ? 'passed' : kind

// One line per guard.
const GUARDS: readonly Guard[] = [
  {
    name: 'sql',
    judge: (text) => {
      const verdict = judgeSql(text, { union: false, form: 'statement' })
      if (verdict instanceof Promise) throw new Error('the parser is there')
      return ended(verdict.kind)
    },
    families: byName(SQL_FAMILIES),
    benign: SQL_BENIGN,
    worst: SQL_WORST,
    any: anySql,
  },
  {
    name: 'cypher',
    judge: (text) => ended(judgeCypher(text, { allow: 'reads' }).kind),
    families: byName(CYPHER_FAMILIES),
    benign: CYPHER_BENIGN,
    worst: CYPHER_WORST,
    any: anyCypher,
  },
  {
    name: 'path',
    judge: (text) => (judgePath(text, PLAIN.path) === undefined ? 'passed' : 'refused'),
    families: PATH_ATTACKS,
    benign: PATH_BENIGN,
    worst: PATH_WORST,
    any: anyPath,
  },
  {
    name: 'url',
    judge: (text) => (judgeUrl(text, PLAIN.url, { resource: false }) === undefined ? 'passed' : 'refused'),
    families: URL_ATTACKS,
    benign: URL_BENIGN,
    worst: URL_WORST,
    any: anyUrl,
  },
]

/** The best of several runs: what the text costs, not what else the machine does. */
function cost(judge: Guard['judge'], text: string): number {
  let best = Number.POSITIVE_INFINITY
  for (let run = 0; run < 15; run++) {
    const start = performance.now()
    judge(text)
    best = Math.min(best, performance.now() - start)
  }
  return best
}

const results = GUARDS.map(({ name, judge, families, benign, worst, any }) => {
  const attacks = Object.values(families).flat()
  const count = (kind: string): number => attacks.filter((text) => judge(text) === kind).length
  let crashes = 0
  let passed = 0
  fc.assert(
    fc.property(any(), (text) => {
      try {
        if (judge(text) === 'passed') passed++
      } catch (error) {
        if (crashes++ < 5) process.stdout.write(`${name}: ${JSON.stringify(text)} ${String(error)}\n`)
      }
    }),
    { seed, numRuns: fuzz },
  )
  const start = performance.now()
  for (const text of benign) judge(text)
  const mean = ((performance.now() - start) / benign.length) * 1000
  const slow = Object.entries(worst)
    .map(([what, text]) => ({ what, milliseconds: cost(judge, text) }))
    .sort((a, b) => b.milliseconds - a.milliseconds)
  return {
    name,
    families: Object.keys(families).length,
    smallest: Math.min(...Object.values(families).map((texts) => texts.length)),
    attacks: attacks.length,
    refused: count('refused'),
    unproven: count('unproven'),
    through: count('passed'),
    benign: benign.length,
    stopped: benign.filter((text) => judge(text) !== 'passed').length,
    mean,
    slow,
    crashes,
    passed,
  }
})

process.exitCode = publish(
  {
    area: 'guards',
    what: 'The guards on raw texts, paths and URLs: what they make of the corpora in test/guards, how long the worst text within the caps takes, and whether made texts crash them.',
    command: `npm run verify guards${full ? '' : ` -- --fuzz ${fuzz}`}`,
    seed,
    notes: [
      `${fuzz} made texts for each guard; repeat a run with \`-- --seed N\``,
      'Unproven: refused for whoever may only read, and asked of an approver unless a rule says otherwise',
    ],
    figures: [
      {
        title: 'Attacks',
        columns: ['guard', 'families', 'smallest', 'attacks', 'refused', 'unproven', 'passed'],
        rows: results.map((one) => [
          one.name,
          one.families,
          one.smallest,
          one.attacks,
          one.refused,
          one.unproven,
          one.through,
        ]),
      },
      {
        title: 'Honest texts',
        columns: ['guard', 'texts', 'not passed', 'mean, microseconds'],
        rows: results.map((one) => [one.name, one.benign, one.stopped, one.mean]),
      },
      {
        title: 'Slowest texts within the caps',
        note: 'Each the best of 15 runs.',
        columns: ['guard', 'text', 'ms'],
        rows: results.flatMap(({ name, slow }) =>
          slow.slice(0, 5).map(({ what, milliseconds }) => [name, what, milliseconds]),
        ),
      },
      {
        title: 'Made texts',
        columns: ['guard', 'texts', 'passed', 'crashes'],
        rows: results.map((one) => [one.name, fuzz, one.passed, one.crashes]),
      },
    ],
    bounds: results.flatMap(
      ({ name, families, smallest, through, benign, stopped, slow, crashes }) =>
        [
          { what: `${name}: families`, measured: families, bound: 12, kind: 'floor' },
          { what: `${name}: attacks in the smallest family`, measured: smallest, bound: 15, kind: 'floor' },
          { what: `${name}: attacks that passed`, measured: through, bound: 0, kind: 'ceiling' },
          { what: `${name}: honest texts`, measured: benign, bound: 300, kind: 'floor' },
          { what: `${name}: honest texts that did not pass`, measured: stopped, bound: 0, kind: 'ceiling' },
          {
            what: `${name}: slowest text`,
            measured: slow[0]?.milliseconds ?? Number.NaN,
            bound: 20,
            kind: 'ceiling',
            unit: 'ms',
          },
          { what: `${name}: crashes`, measured: crashes, bound: 0, kind: 'ceiling' },
        ] as const,
    ),
  },
  { write: full },
)
