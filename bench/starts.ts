// Time from spawn to the first good call of each target, interleaved with the start of a Node that does nothing.
import { cpSync, existsSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import type { Figures } from '../scripts/verify/report.ts'
import { type Bench, bareStart, start } from './harness/measure.ts'
import { root } from './harness/process.ts'
import { median, medianRatio, rotated } from './harness/stats.ts'
import { peers, type Start, type Target } from './harness/targets.ts'

export type Starts = { readonly bare: number[]; readonly ready: Map<string, number[]> }

const BUNDLE = 'dist/ductape-mcp.mjs'

/** The bundle without what only a debugger reads, and without code of V8. */
export function copyBundle(folder: string): void {
  const code = path.join(root, 'dist/cache')
  cpSync(path.join(root, 'dist'), folder, {
    recursive: true,
    filter: (from) => from !== code && !from.endsWith('.map'),
  })
}

/** A target that starts the bundle, as the image starts it: from the code that V8 made at a start before. */
async function asShipped(bench: Bench, target: Target): Promise<Target> {
  if (peers.includes(target) || !existsSync(path.join(root, BUNDLE))) return target
  const folder = path.join(bench.dir, `shipped-${target.name.replace(/\W+/g, '-')}`)
  const cache = path.join(folder, 'cache')
  const moved =
    (change: (start: Start) => Start): Target['start'] =>
    (...where) => {
      const given = target.start(...where)
      if (!given.args.includes(BUNDLE)) return given
      const args = given.args.map((arg) => (arg === BUNDLE ? path.join(folder, path.basename(BUNDLE)) : arg))
      return change({ ...given, args })
    }
  copyBundle(folder)
  mkdirSync(cache)
  const record = path.join(root, 'scripts/image/record.ts')
  const first = moved((given) => ({
    ...given,
    args: ['--import', record, ...given.args],
    env: { ...given.env, CODE_CACHE: cache },
  }))
  const running = await start(bench, { ...target, start: first })
  await running.stop()
  return { ...target, start: moved((given) => given) }
}

/** `rounds` starts of everything, one after the other, each round beginning with another target. */
export async function sampleStarts(bench: Bench, given: readonly Target[], rounds: number): Promise<Starts> {
  const targets: Target[] = []
  for (const target of given) targets.push(await asShipped(bench, target))
  const bare: number[] = []
  const ready = new Map<string, number[]>(targets.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    const around = [await bareStart(bench.cores)]
    for (const target of rotated(targets, round)) {
      const running = await start(bench, target)
      ready.get(target.name)?.push(running.readyMs)
      await running.stop()
      around.push(await bareStart(bench.cores))
    }
    bare.push(median(around))
  }
  return { bare, ready }
}

export function startRatio({ bare, ready }: Starts, name: string): number {
  return medianRatio(ready.get(name) ?? [], bare)
}

export function startFigures(starts: Starts, targets: readonly Target[]): Figures {
  const { bare, ready } = starts
  const ms = (values: readonly number[]) =>
    `${median(values).toFixed(0)} (${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)})`
  return {
    title: 'Start',
    note: `Milliseconds from spawn to the first good tools/call through the backend, the server pinned as ever; median of ${bare.length} (range). Bare Node is \`node -e 0\` from spawn to its end, started between any two servers. Ours starts as in the image: with its flags, and from the code that V8 made of the bundle at a start before.`,
    columns: ['server', 'ready ms', 'x bare Node'],
    rows: [
      ['bare Node', ms(bare), '1'],
      ...targets.map(({ name }) => [name, ms(ready.get(name) ?? []), startRatio(starts, name)]),
    ],
  }
}
