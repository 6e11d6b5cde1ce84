// What the number of API keys and rules costs a call: ours with few of both beside ours with as many as a company has.
import type { Bound, Figures } from '../scripts/verify/report.ts'
import { type Bench, measure, type Running, start } from './harness/measure.ts'
import { say } from './harness/session.ts'
import { median, medianRatio, rotated } from './harness/stats.ts'
import { ours } from './harness/targets.ts'

const sizes = [
  { name: '10 keys, 10 rules', keys: 10, rules: 10 },
  { name: '1,000 keys, 100 rules', keys: 1000, rules: 100 },
  { name: '100,000 keys, 1,000 rules', keys: 100_000, rules: 1000 },
]
const passes = 8
const ceiling = 1.2

export async function accessScale(
  bench: Bench,
  seconds: number,
): Promise<{ figures: Figures; bound: Bound }> {
  say('keys and rules')
  const running: Running[] = []
  try {
    for (const { name, keys, rules } of sizes)
      running.push(await start(bench, ours({ name, access: { keys, rules } })))
    const cpus = running.map((): number[] => [])
    const load = { connections: 64, calls: 'modern' as const }
    for (const server of running) await measure(bench, server, { ...load, until: { calls: 30_000 } })
    for (let pass = 0; pass < passes; pass++) {
      for (const server of rotated(running, pass)) {
        const window = await measure(bench, server, { ...load, until: { seconds } })
        cpus[running.indexOf(server)]?.push(window.cpu)
      }
    }
    const base = cpus[0] ?? []
    const ratios = cpus.map((list) => medianRatio(list, base))
    return {
      figures: {
        title: 'API keys and rules',
        note: `CPU us per call, modern era, 64 connections, API key, the rule that allows the call is the last one: medians of ${passes} interleaved windows.`,
        columns: ['keys and rules', 'CPU us/call', 'x the first'],
        rows: sizes.map(({ name }, i) => [name, median(cpus[i] ?? []), (ratios[i] ?? Number.NaN).toFixed(2)]),
      },
      bound: {
        what: `${sizes.at(-1)?.name} over ${sizes[0]?.name}`,
        measured: ratios.at(-1) ?? Number.NaN,
        bound: ceiling,
        kind: 'ceiling',
      },
    }
  } finally {
    for (const server of running) await server.stop()
  }
}
