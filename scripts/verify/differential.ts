// `npm run verify differential`: many more pairs of changes than npm test sends, through the service and the stock SDK.
import { parseArgs } from 'node:util'
import { DIFFERENCES } from '../../test/mcp/differences.ts'
import { compare } from '../../test/mcp/lib/compare.ts'
import { corpus } from '../../test/mcp/lib/corpus.ts'
import { publish } from './report.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    pairs: { type: 'string', default: '50000' },
    quick: { type: 'boolean', default: false },
  },
})
const seed = Number(values.seed)
const wanted = values.quick ? 2000 : Number(values.pairs)
// In parts, so that the cases of one part are all that is held.
const PART = 10_000

const counts = new Map(DIFFERENCES.map((row) => [row.id, 0]))
const unexplained: string[] = []
const systematic = corpus(seed, 0).length
let requests = 0
let calls = 0
let different = 0

async function run(cases: ReturnType<typeof corpus>): Promise<void> {
  const compared = await compare(cases)
  requests += cases.length
  calls += compared.calls
  different += compared.differences.length
  for (const difference of compared.differences) {
    const row = DIFFERENCES.find((candidate) => candidate.matches(difference))
    if (row !== undefined) counts.set(row.id, (counts.get(row.id) ?? 0) + 1)
    else
      unexplained.push(
        `${difference.sent.label}: ${JSON.stringify(difference.ours)} / ${JSON.stringify(difference.theirs)}`,
      )
  }
}

await run(corpus(seed, 0))
for (let done = 0, part = 0; done < wanted; done += PART, part++)
  await run(corpus(seed + part, Math.min(PART, wanted - done)).slice(systematic))
for (const line of unexplained.slice(0, 50)) process.stdout.write(`no row: ${line.slice(0, 400)}\n`)

process.exitCode = publish(
  {
    area: 'differential',
    what: 'The tools/call codec and its rim against the stock SDK 2.x with a tools/call handler of its own: status, JSON-RPC code, id and result of the same requests.',
    command: `npm run verify differential -- --seed ${seed}${values.quick ? ' --quick' : ` --pairs ${wanted}`}`,
    seed,
    notes: [
      `${requests} requests: ${systematic} with one change each, ${requests - systematic} with two or three from the seed; both sides served ${calls} calls with a result`,
      `${different} answers differ`,
    ],
    figures: [
      {
        title: 'Intended differences',
        columns: ['id', 'requests', 'reason'],
        rows: DIFFERENCES.map(({ id, reason }) => [id, counts.get(id) ?? 0, reason]),
      },
    ],
    bounds: [
      { what: 'requests', measured: requests, bound: 2000, kind: 'floor' },
      { what: 'differences without a row', measured: unexplained.length, bound: 0, kind: 'ceiling' },
      {
        what: 'rows that never match',
        measured: [...counts.values()].filter((count) => count === 0).length,
        bound: 0,
        kind: 'ceiling',
      },
    ],
  },
  { write: !values.quick },
)
