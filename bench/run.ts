// `npm run verify bench`: our service beside the floor and the stock SDK examples in one run; CPU per call comes first.
// --quick: under a minute, prints only. --peers: without ours, to try the harness.
import { parseArgs } from 'node:util'
import { type Figures, publish } from '../scripts/verify/report.ts'
import { accessScale } from './access.ts'
import { CORE, compare, compareBounds, compareFigures, type Plan } from './compare.ts'
import { startIssuer } from './harness/access.ts'
import { envelope, reference } from './harness/calls.ts'
import { loadAverage, session } from './harness/session.ts'
import { entry, floor, imageFlags, ours, peers } from './harness/targets.ts'
import { layerCosts } from './layers.ts'
import { scale } from './scale.ts'
import { sampleStarts, startFigures, startRatio } from './starts.ts'

const full: Plan = { generations: 3, passes: 4, warmCalls: 20_000, windowSeconds: 1, pacedSeconds: 2 }
const short: Plan = { generations: 1, passes: 4, warmCalls: 10_000, windowSeconds: 0.6, pacedSeconds: 1 }
const bareCeiling = 7

const { quick = false, peers: peersOnly = false } = parseArgs({
  options: { quick: { type: 'boolean' }, peers: { type: 'boolean' } },
}).values

const bytes = (era: 'legacy' | 'modern') => Buffer.byteLength(reference.body(era))

async function main(): Promise<number> {
  const load = loadAverage()
  const plan = quick ? short : full
  const withOurs = !peersOnly && entry() !== undefined
  const issuer = withOurs ? await startIssuer() : undefined
  const guarded =
    issuer === undefined
      ? []
      : [
          ours({
            what: 'ductape-mcp serve from the bundle with everything built so far: an access token, 10 rules, every kind of limit, two records a call to a file',
            access: { issuer, keys: 0, rules: 10 },
          }),
          ours({ name: CORE, what: 'the same without authenticator, policy file and limits' }),
        ]
  const targets = [...peers, ...guarded]
  const result = session(async (bench) => {
    const comparison = await compare(bench, targets, plan)
    const starts = await sampleStarts(bench, targets, quick ? 3 : 5)
    const figures: Figures[] = [...compareFigures(comparison, plan), startFigures(starts, targets)]
    if (!quick) {
      figures.push(...(await scale(bench, withOurs ? [floor, ours()] : [floor], 1.2)))
    }
    const parts = issuer !== undefined && !quick ? await layerCosts(bench, 0.8, issuer) : undefined
    if (parts !== undefined) figures.push(...parts.figures)
    const keysAndRules = withOurs && !quick ? await accessScale(bench, 1) : undefined
    if (keysAndRules !== undefined) figures.push(keysAndRules.figures)
    return publish(
      {
        area: 'bench',
        what: 'What a call costs: ours beside a floor that only forwards and beside the stock examples of both SDKs, in one run.',
        command: `npm run verify bench${quick ? ' -- --quick' : ''}${peersOnly ? ' -- --peers' : ''}`,
        notes: [
          `Call: ${bytes('legacy')} B in (legacy), ${bytes('modern')} B (modern); the backend answers ${Buffer.byteLength(envelope(1024))} B`,
          bench.cores.words,
          load,
          `Ours runs with the flags of the image (${imageFlags.filter((flag) => !/^--(?:allow|permission)/.test(flag)).join(' ')}) and --permission; the floor has those of V8 too, the SDKs run as Node comes`,
          'CPU is what the kernel counted for all threads of the server process; every answer was checked, one wrong answer ends the run',
          ...targets.map(({ name, what }) => `${name}: ${what}`),
        ],
        figures,
        bounds: peersOnly
          ? []
          : [
              ...compareBounds(comparison),
              ...(keysAndRules === undefined ? [] : [keysAndRules.bound]),
              ...(parts === undefined ? [] : parts.bounds),
              {
                what: 'ready: ours over the start of bare Node',
                measured: withOurs ? startRatio(starts, 'ours') : Number.NaN,
                bound: bareCeiling,
                kind: 'ceiling',
              },
            ],
      },
      { write: !quick && !peersOnly },
    )
  })
  return result.finally(() => issuer?.close())
}

process.exitCode = await main()
