// What each control of ours costs: the reference configuration against the same with one layer off or cheaper.
import type { Figures } from '../scripts/verify/report.ts'
import { type Bench, measure, type Running, start } from './harness/measure.ts'
import { say } from './harness/session.ts'
import { median, rotated } from './harness/stats.ts'
import { ours, type Variant } from './harness/targets.ts'

// One line per layer that configuration can take away.
const layers: readonly (Variant & { readonly name: string })[] = [
  { name: 'catalogue check', config: ['catalogue: off'] },
  { name: 'records into a file', records: 'null' },
]

const passes = 6

export async function layerCosts(bench: Bench, windowSeconds: number): Promise<Figures> {
  say('layers')
  const running: Running[] = []
  try {
    running.push(await start(bench, ours()))
    for (const layer of layers)
      running.push(await start(bench, ours({ ...layer, name: `without ${layer.name}` })))
    const cpus = new Map<Running, number[]>(running.map((server) => [server, []]))
    const load = { connections: 64, calls: 'modern' as const }
    for (const server of running) await measure(bench, server, { ...load, until: { calls: 30_000 } })
    for (let pass = 0; pass < passes; pass++) {
      for (const server of rotated(running, pass)) {
        const window = await measure(bench, server, { ...load, until: { seconds: windowSeconds } })
        cpus.get(server)?.push(window.cpu)
      }
    }
    const [whole, ...reduced] = running.map((server) => cpus.get(server) ?? [])
    const base = whole ?? []
    return {
      title: 'Layers',
      note: `CPU us per call that go away with the layer, modern era, 64 connections: the median difference of ${passes} interleaved windows; where the range spans zero the noise was larger than the layer. All on: ${median(base).toFixed(1)}.`,
      columns: ['layer', 'CPU us/call without it', 'it costs', 'range'],
      rows: layers.map(({ name }, i) => {
        const without = reduced[i] ?? []
        const costs = base.map((value, pass) => value - (without[pass] ?? Number.NaN))
        const range = `${Math.min(...costs).toFixed(1)} to ${Math.max(...costs).toFixed(1)}`
        return [name, median(without), median(costs), range]
      }),
    }
  } finally {
    for (const server of running) await server.stop()
  }
}
