// Time from spawn to the first good call of each target, interleaved with the start of a Node that does nothing.
import type { Figures } from '../scripts/verify/report.ts'
import { type Bench, bareStart, start } from './harness/measure.ts'
import { median, medianRatio, rotated } from './harness/stats.ts'
import type { Target } from './harness/targets.ts'

export type Starts = { readonly bare: number[]; readonly ready: Map<string, number[]> }

/** `rounds` starts of everything, one after the other, each round beginning with another target. */
export async function sampleStarts(
  bench: Bench,
  targets: readonly Target[],
  rounds: number,
): Promise<Starts> {
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
    note: `Milliseconds from spawn to the first good tools/call through the backend, the server pinned as ever; median of ${bare.length} (range). Bare Node is \`node -e 0\` from spawn to its end, started between any two servers.`,
    columns: ['server', 'ready ms', 'x bare Node'],
    rows: [
      ['bare Node', ms(bare), '1'],
      ...targets.map(({ name }) => [name, ms(ready.get(name) ?? []), startRatio(starts, name)]),
    ],
  }
}
