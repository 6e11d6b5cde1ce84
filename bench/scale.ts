// How the cost of a call grows with connections and with the answer's size: ours beside the floor.
import type { Figures } from '../scripts/verify/report.ts'
import { type Bench, measure, type Running, start } from './harness/measure.ts'
import { say } from './harness/session.ts'
import { median, medianRatio } from './harness/stats.ts'
import type { Target } from './harness/targets.ts'

const connectionCounts = [1, 8, 64, 512]
const sizes = [
  { name: '1 KB', bytes: 1024 },
  { name: '100 KB', bytes: 102_400 },
  { name: '1 MB', bytes: 1_048_576 },
]
/** For the sizes: few enough that the answers in flight fit in memory many times. */
const sizeConnections = 8
const rounds = 2

export async function scale(bench: Bench, targets: readonly Target[], seconds: number): Promise<Figures[]> {
  const running: Running[] = []
  try {
    for (const target of targets) running.push(await start(bench, target))
    for (const server of running) {
      await measure(bench, server, { connections: 64, calls: 'legacy', until: { calls: 30_000 } })
    }
    const series = async (connections: number) => {
      const cpus = running.map((): number[] => [])
      const rates = running.map((): number[] => [])
      for (let round = 0; round < rounds; round++) {
        for (const [i, server] of running.entries()) {
          const window = await measure(bench, server, { connections, calls: 'legacy', until: { seconds } })
          cpus[i]?.push(window.cpu)
          rates[i]?.push(window.rate)
        }
      }
      const cells = running.flatMap((_, i) => [median(cpus[i] ?? []), Math.round(median(rates[i] ?? []))])
      const ratios = running.slice(1).map((_, i) => medianRatio(cpus[i + 1] ?? [], cpus[0] ?? []).toFixed(2))
      return [...cells, ...ratios]
    }
    const columns = [
      ...targets.flatMap(({ name }) => [`${name} us/call`, `${name} calls/s`]),
      ...targets.slice(1).map(({ name }) => `${name} x ${targets[0]?.name}`),
    ]

    const byConnections: (string | number)[][] = []
    for (const count of connectionCounts) {
      say(`scale: ${count} connections`)
      byConnections.push([count, ...(await series(count))])
    }
    const bySize: (string | number)[][] = []
    for (const { name, bytes } of sizes) {
      say(`scale: answers of ${name}`)
      await bench.backend.answerBytes(bytes)
      bySize.push([name, ...(await series(sizeConnections))])
    }
    await bench.backend.answerBytes(1024)
    const note = `CPU of the server per call, legacy era, ${rounds} interleaved windows of ${seconds} s.`
    return [
      {
        title: 'Scale: connections',
        note: `${note} Answers of 1 KB.`,
        columns: ['connections', ...columns],
        rows: byConnections,
      },
      {
        title: 'Scale: size of the answer',
        note: `${note} ${sizeConnections} connections. The floor hands the backend's bytes through as text; ours reads the envelope and writes the inner value anew.`,
        columns: ['answer', ...columns],
        rows: bySize,
      },
    ]
  } finally {
    for (const server of running) await server.stop()
  }
}
