// What each part of ours costs: the whole against the same without it, in one run, on the same sockets, in units of the floor.
import type { Bound, Figures } from '../scripts/verify/report.ts'
import type { Issuer } from './harness/access.ts'
import { startCollector } from './harness/collector.ts'
import { type Bench, measure, type Running, start } from './harness/measure.ts'
import { say } from './harness/session.ts'
import { median, rotated } from './harness/stats.ts'
import { floor, ours, type Target } from './harness/targets.ts'

type Part = {
  readonly name: string
  /** Left out by bench/peers/parted.ts. */
  readonly without: string
  /** What it is compared with, where that is not the whole. */
  readonly beside?: string
  /** In floors. */
  readonly bound?: number
  readonly connections: number
}

const RECEIPTS = 'receipts'
const parts: readonly Part[] = [
  { name: 'receipts, 64 connections', without: RECEIPTS, bound: 0.2, connections: 64 },
  { name: 'receipts, 1 connection', without: RECEIPTS, connections: 1 },
  // The digests go with the records; a receipt would make them again.
  {
    name: 'two records with digests, chain and checkpoints',
    without: 'receipts,records',
    beside: RECEIPTS,
    bound: 0.4,
    connections: 64,
  },
  { name: 'guards, replay and approval', without: 'guards,replay,approval', bound: 0.15, connections: 64 },
  { name: 'scan of a clean 1 KB answer', without: 'scan', bound: 0.15, connections: 64 },
  { name: 'span and metrics, 1 % sampled', without: 'telemetry', bound: 0.2, connections: 64 },
]

/** The service as it was put together, each with everything before it: leaves out what came later. */
const built = [
  {
    name: 'identity, policy and limits',
    without: 'receipts,records,guards,replay,approval,scan,telemetry',
    bound: 1.75,
  },
  { name: 'with records and receipts', without: 'guards,replay,approval,scan,telemetry', bound: 1.9 },
  { name: 'with guards, replay and approval', without: 'scan,telemetry', bound: 2 },
  { name: 'with scan, spans and metrics: the whole', without: '', bound: 2.1 },
] as const

const PASSES = 8
const WHOLE = ''

/** Ours from its sources without these parts. */
const parted = (without: string, issuer: Issuer, collector: string): Target => {
  const whole = ours({
    name: without === WHOLE ? 'ours from its sources' : `without ${without}`,
    entry: 'bench/peers/parted.ts',
    access: { issuer, keys: 0, rules: 10 },
    env: {
      PARTS_WITHOUT: without,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector,
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.01',
    },
  })
  return {
    ...whole,
    start(...given) {
      const started = whole.start(...given)
      return { ...started, args: started.args.filter((arg) => arg !== 'serve') }
    },
  }
}

export async function layerCosts(
  bench: Bench,
  seconds: number,
  issuer: Issuer,
): Promise<{ figures: Figures[]; bounds: Bound[] }> {
  say('parts')
  const names = [...new Set([WHOLE, ...[...parts, ...built].map(({ without }) => without)])]
  const running = new Map<string, Running>()
  const collector = await startCollector()
  try {
    running.set('floor', await start(bench, floor))
    for (const name of names) running.set(name, await start(bench, parted(name, issuer, collector.url)))
    const all = [...running]
    for (const [, server] of all)
      await measure(bench, server, { connections: 64, calls: 'legacy', until: { calls: 20_000 } })
    /** CPU us per call, by server and number of connections. */
    const cpus = new Map<string, number[]>()
    for (const connections of [64, 1]) {
      const asked = all.filter(
        ([name]) => connections === 64 || ['floor', WHOLE].includes(name) || name === RECEIPTS,
      )
      for (let pass = 0; pass < PASSES; pass++) {
        for (const [name, server] of rotated(asked, pass)) {
          const { cpu } = await measure(bench, server, { connections, calls: 'legacy', until: { seconds } })
          const key = `${name} ${connections}`
          cpus.set(key, [...(cpus.get(key) ?? []), cpu])
          server.trim()
        }
      }
    }
    const of = (name: string, connections: number) => cpus.get(`${name} ${connections}`) ?? []
    const rows = parts.map((part) => {
      const whole = of(part.beside ?? WHOLE, part.connections)
      const less = of(part.without, part.connections)
      const floors = of('floor', part.connections)
      const costs = whole.map((value, pass) => value - (less[pass] ?? Number.NaN))
      return { part, costs, floors: median(costs.map((cost, pass) => cost / (floors[pass] ?? Number.NaN))) }
    })
    const ups = built.map(({ name, without, bound }) => {
      const cpu = of(without, 64)
      const ratios = cpu.map((value, pass) => value / (of('floor', 64)[pass] ?? Number.NaN))
      return { name, cpu: median(cpu), ratio: median(ratios), bound }
    })
    const partsFigures: Figures = {
      title: 'Parts',
      note: `CPU us per call that go away with the part, legacy era, a token, 10 rules, every kind of limit, from the sources: the median difference of ${PASSES} interleaved windows of ${seconds} s; where the range spans zero the noise was larger than the part. The whole: ${median(of(WHOLE, 64)).toFixed(1)}, the floor ${median(of('floor', 64)).toFixed(1)}, at 64 connections; ${median(of(WHOLE, 1)).toFixed(1)} and ${median(of('floor', 1)).toFixed(1)} at one.`,
      columns: ['part', 'it costs', 'range', 'in floors'],
      rows: rows.map(({ part, costs, floors }) => [
        part.name,
        median(costs),
        `${Math.min(...costs).toFixed(1)} to ${Math.max(...costs).toFixed(1)}`,
        floors.toFixed(3),
      ]),
    }
    const builtFigures: Figures = {
      title: 'Built up',
      note: 'The same servers, 64 connections: each has what the rows above it have; median, and the median ratio to the floor of the same pass.',
      columns: ['the core and', 'CPU us/call', 'x floor'],
      rows: ups.map(({ name, cpu, ratio }) => [name, cpu, ratio.toFixed(2)]),
    }
    return {
      figures: [partsFigures, builtFigures],
      bounds: [
        ...ups.map(({ name, ratio, bound }) => ({
          what: `CPU per call from the sources, ${name}, over the floor`,
          measured: ratio,
          bound,
          kind: 'ceiling' as const,
        })),
        ...rows.flatMap(({ part: { name, bound }, floors }) =>
          bound === undefined
            ? []
            : [{ what: `${name}, in floors`, measured: floors, bound, kind: 'ceiling' as const }],
        ),
      ],
    }
  } finally {
    for (const [, server] of running) await server.stop()
    await collector.close()
  }
}
