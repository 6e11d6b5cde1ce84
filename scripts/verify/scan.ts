// `npm run verify scan`: benign pieces that are flagged, planted secrets that are found, how long a large answer holds the loop, and what a small one costs.
import { parseArgs } from 'node:util'
import { countBenign, countPlanted } from '../../test/scan/lib/counts.ts'
import { costOf, longestHold } from '../../test/scan/lib/hold.ts'
import { hostileTo } from '../../test/scan/lib/hostile.ts'
import { planOf, rulesFor, timeOf } from '../../test/scan/lib/look.ts'
import { PLANTED } from '../../test/scan/lib/planted.ts'
import { random } from '../../test/scan/lib/random.ts'
import { publish } from './report.ts'

const { values } = parseArgs({
  options: { pieces: { type: 'string', default: '10000' }, seed: { type: 'string' } },
})
const pieces = Number(values.pieces)
const seed = Number(values.seed ?? Date.now() % 2 ** 31)
const full = pieces >= 10_000

const defaults = await rulesFor({})
const everything = await rulesFor({
  ...Object.fromEntries(
    ['secret', 'personal', 'invisible', 'ansi', 'instruction', 'link'].map((name) => [name, 'redact']),
  ),
  rules: { email: 'redact', 'soft-hyphen': 'redact' },
})
const plan = planOf(defaults)
const benign = countBenign(plan, pieces, seed)
const planted = countPlanted(plan, pieces / 10, seed)

const MEGABYTE = 1 << 20
const large = (unit: string): string =>
  JSON.stringify([unit.repeat(Math.floor(MEGABYTE / JSON.stringify(unit).length))])
const hostile: Readonly<Record<string, string>> = {
  words: 'some plain words, with a comma; ',
  'line feeds': '\n',
  'quotes and backslashes': '"\\',
  'mail addresses': 'jane@shop.example ',
  secrets: `${PLANTED['github-token']?.(random(1)) ?? ''} `,
  'beginnings of tokens': 'eyJ glpat-a1b2c3d4.',
  'names of secrets': 'sessiontoken=',
  'beginnings of private keys': `-----BEGIN PRIVATE ${'KEY'}-----`,
  'invisible characters': 'a\u200b',
  'terminal escapes': '\u001b[0m',
  'card numbers': '4111111111111111 ',
  'Chinese text': '\u6f22\u5b57',
}
/** Milliseconds of one look through a text of this size; as many looks as take so long in all. */
function lookTime(unit: string, size: number, least: number): number {
  const text = unit.repeat(Math.floor(size / unit.length))
  let sum = 0
  let times = 0
  for (; times === 0 || sum < least; times++) sum += timeOf(planOf(everything), text)
  return sum / times
}

/** Collection of garbage falls anywhere: the least of a few is what the scan holds. */
async function hold(unit: string): Promise<number> {
  let best = Number.POSITIVE_INFINITY
  for (let run = 0; run < 5; run++) best = Math.min(best, await longestHold(large(unit), everything))
  return best
}
const holds: [string, number][] = []
for (const [what, unit] of Object.entries(hostile)) holds.push([what, await hold(unit)])
// Of all texts that could make a rule look again and again, those at which the scan works longest.
const SLOWEST = 20
const slow = planOf(everything)
  .rules.flatMap((rule) =>
    hostileTo(rule).map((unit) => ({ id: rule.id, unit, time: lookTime(unit, 1 << 16, 0) })),
  )
  .sort((a, b) => b.time - a.time)
const perRule: [string, number][] = []
for (const { id, unit } of slow.slice(0, SLOWEST)) perRule.push([id, await hold(unit)])
const [slowest, longest] = perRule.reduce((most, one) => (one[1] > most[1] ? one : most))
holds.push([`whatever a rule is slow on: ${slowest}, the worst of ${slow.length} texts`, longest])

/** Four times the text, how many times the cost. */
const growth = Math.max(
  ...Object.values(hostile).map((unit) => lookTime(unit, MEGABYTE, 120) / lookTime(unit, MEGABYTE / 4, 120)),
)

const rows = Array.from({ length: 8 }, (_, id) => ({
  id,
  name: `customer ${id}`,
  created: '2026-10-01T12:00:00Z',
  active: true,
  score: id * 1.25,
  note: 'a plain note of some words',
}))
const kilobyte = JSON.stringify(rows)
  .slice(0, 1022)
  .replace(/,\{[^}]*$/, ']')
const cost = costOf(kilobyte, defaults)

process.exitCode = publish(
  {
    area: 'scan',
    what: 'The response scanner with its defaults: pieces of 10 KB of real text and JSON of installed packages, secrets planted in such pieces, answers of 1 MB of whatever is slow, and a clean answer of 1 KB.',
    command: `npm run verify scan${full ? '' : ` -- --pieces ${pieces}`}`,
    seed,
    notes: [
      `${planted.kinds} kinds of secrets were planted in turn`,
      `flagged were: ${[...benign.rules].map(([rule, count]) => `${rule} ${count}`).join(', ') || 'none'}; in ${[...benign.files.keys()].slice(0, 8).join(', ')}`,
      `missed were: ${planted.missed.join(', ') || 'none'}`,
    ],
    figures: [
      {
        title: 'Longest hold of the event loop, answers of 1 MB',
        note: 'CPU of the thread, which the system counts in ticks of 4 ms. Every detector on redact, so that everything that is found is also replaced; the least of five runs.',
        columns: ['answer of', 'ms'],
        rows: holds,
      },
    ],
    bounds: [
      { what: 'benign pieces', measured: pieces, bound: 10_000, kind: 'floor' },
      {
        what: 'of these flagged',
        measured: (benign.flagged / pieces) * 100,
        bound: 0.5,
        kind: 'ceiling',
        unit: '%',
      },
      { what: 'of these blocked', measured: benign.blocked, bound: 0, kind: 'ceiling' },
      { what: 'planted secrets', measured: planted.planted, bound: 1000, kind: 'floor' },
      {
        what: 'of these found',
        measured: (planted.found / planted.planted) * 100,
        bound: 99,
        kind: 'floor',
        unit: '%',
      },
      {
        what: 'longest hold of the loop',
        measured: Math.max(...holds.map(([, ms]) => ms)),
        bound: 20,
        kind: 'ceiling',
        unit: 'ms',
      },
      { what: 'cost of 4 times the text, in times', measured: growth, bound: 6, kind: 'ceiling' },
      {
        what: 'a clean answer of 1 KB (0.15 of the floor)',
        measured: cost,
        bound: 9,
        kind: 'ceiling',
        unit: 'us',
      },
    ],
  },
  { write: full },
)
