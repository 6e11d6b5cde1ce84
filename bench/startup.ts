// `npm run verify startup`: how long until the first good call, of ours in the ways it can be started and of the peers.
import { existsSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { publish } from '../scripts/verify/report.ts'
import { root } from './harness/process.ts'
import { loadAverage, say, session } from './harness/session.ts'
import { entry, ours, peers, sources, type Target } from './harness/targets.ts'
import { copyBundle, sampleStarts, startFigures, startRatio } from './starts.ts'

const bareCeiling = 7
const { quick = false } = parseArgs({ options: { quick: { type: 'boolean' } } }).values
const rounds = quick ? 4 : 12

async function main(): Promise<number> {
  const load = loadAverage()
  return await session(async (bench) => {
    const variants: Target[] = [...peers]
    const file = entry()
    if (file !== undefined) {
      variants.push(ours())
      if (file !== sources && existsSync(path.join(root, sources))) {
        const folder = path.join(bench.dir, 'compiled')
        copyBundle(folder)
        variants.push(
          ours({
            name: 'ours, compiled',
            what: 'the same without code of V8, as npm run build leaves the bundle',
            entry: path.join(folder, path.basename(file)),
          }),
        )
        const what = `serve from ${sources}, types stripped`
        variants.push(ours({ name: 'ours, sources', what, entry: sources }))
      }
    }
    say(`${rounds} rounds of ${variants.length} servers`)
    const starts = await sampleStarts(bench, variants, rounds)
    return publish(
      {
        area: 'startup',
        what: 'Time from the start of the process to its first good call.',
        command: `npm run verify startup${quick ? ' -- --quick' : ''}`,
        notes: [bench.cores.words, load, ...variants.map(({ name, what }) => `${name}: ${what}`)],
        figures: [startFigures(starts, variants)],
        bounds: [
          {
            what: 'ours, ready over bare Node',
            measured: file === undefined ? Number.NaN : startRatio(starts, 'ours'),
            bound: bareCeiling,
            kind: 'ceiling',
          },
        ],
      },
      { write: !quick },
    )
  })
}

process.exitCode = await main()
