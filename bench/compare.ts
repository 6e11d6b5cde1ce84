// The heart of the bench: ours beside floor and stock SDKs, in generations of fresh processes, windows interleaved A B A B.
import type { Bound, Figures } from '../scripts/verify/report.ts'
import {
  type Bench,
  measure,
  type Running,
  start,
  type Variant,
  variants,
  type Window,
} from './harness/measure.ts'
import { say } from './harness/session.ts'
import { median, medianRatio, rotated } from './harness/stats.ts'
import type { Target } from './harness/targets.ts'

export type Plan = {
  /** How often all servers are started anew: one process may be luckier with its memory or its compiler than the next. */
  readonly generations: number
  /** Windows of each server in a generation. */
  readonly passes: number
  /** Calls of each era before the first window: a service runs for days, so what V8 compiles at the start is no part of a call. */
  readonly warmCalls: number
  readonly windowSeconds: number
  readonly pacedSeconds: number
}

export const connections = 64
export const rate = 1000

type Row = {
  readonly variant: Variant
  readonly windows: Window[]
  readonly paced: Window[]
  readonly rss: number[]
}
export type Comparison = {
  readonly rows: readonly Row[]
  readonly direct: readonly Window['loaded'][]
  readonly alone: Window['loaded']
}

export async function compare(bench: Bench, targets: readonly Target[], plan: Plan): Promise<Comparison> {
  const rows: Row[] = variants(targets).map((variant) => ({ variant, windows: [], paced: [], rss: [] }))
  const direct: Window['loaded'][] = []
  const { port } = bench.backend
  const alone = await bench.generator.run({ port, connections, calls: 'direct', until: { seconds: 1 } })

  for (let generation = 0; generation < plan.generations; generation++) {
    say(`generation ${generation + 1} of ${plan.generations}`)
    const servers = new Map<Target, Running>()
    const at = (variant: Variant) => {
      const running = servers.get(variant.target)
      if (running === undefined) throw new Error(`${variant.target.name} is not running`)
      return running
    }
    try {
      for (const target of rotated(targets, generation)) servers.set(target, await start(bench, target))
      for (const { variant } of rows) {
        const until = { calls: plan.warmCalls }
        await measure(bench, at(variant), { connections, calls: variant.era, until })
      }
      for (let pass = 0; pass < plan.passes; pass++) {
        for (const row of rotated(rows, generation * plan.passes + pass)) {
          const until = { seconds: plan.windowSeconds }
          row.windows.push(
            await measure(bench, at(row.variant), { connections, calls: row.variant.era, until }),
          )
        }
      }
      for (const row of rotated(rows, generation)) {
        const until = { seconds: plan.pacedSeconds }
        row.paced.push(
          await measure(bench, at(row.variant), { connections, calls: row.variant.era, until, rate }),
        )
      }
      direct.push(
        await bench.generator.run({
          port,
          connections,
          calls: 'direct',
          until: { seconds: plan.pacedSeconds },
          rate,
        }),
      )
      for (const row of rows) row.rss.push(row.windows[row.windows.length - 1]?.resident.peak ?? Number.NaN)
    } finally {
      for (const running of servers.values()) await running.stop()
    }
  }
  return { rows, direct, alone }
}

const of = (windows: readonly Window[], pick: (window: Window) => number) => windows.map(pick)
const mid = (windows: readonly Window[], pick: (window: Window) => number) => median(of(windows, pick))
const percent = (share: number) => `${(share * 100).toFixed(0)} %`

function find({ rows }: Comparison, name: string, era: string): Row | undefined {
  return rows.find(({ variant }) => variant.target.name === name && variant.era === era)
}

/** CPU per call of one server and era over another's; NaN when one of them did not run. */
export function cpuRatio(comparison: Comparison, above: [string, string], below: [string, string]): number {
  const [a, b] = [find(comparison, ...above), find(comparison, ...below)]
  if (a === undefined || b === undefined) return Number.NaN
  return medianRatio(
    of(a.windows, ({ cpu }) => cpu),
    of(b.windows, ({ cpu }) => cpu),
  )
}

export function compareFigures(comparison: Comparison, plan: Plan): Figures[] {
  const { rows, direct, alone } = comparison
  const label = ({ variant }: Row) => [variant.target.name, variant.era]
  const count = plan.generations * plan.passes
  const baseP99 = median(direct.map(({ latency }) => latency?.p99 ?? Number.NaN))
  const p50 = ({ loaded }: Window) => loaded.latency?.p50 ?? Number.NaN
  const p99 = ({ loaded }: Window) => loaded.latency?.p99 ?? Number.NaN
  const most = ({ loaded }: Window) => loaded.latency?.max ?? Number.NaN
  const late = (all: readonly Window['loaded'][]) => Math.max(...all.map(({ lateness = 0 }) => lateness))
  return [
    {
      title: 'CPU per call',
      note: `tools/call ductape_execute, 64 keep-alive connections, closed loop: the median of ${count} windows of ${plan.windowSeconds} s (${plan.generations} generations of fresh processes, ${plan.passes} interleaved windows each, after ${plan.warmCalls.toLocaleString('en')} calls of each era). Ratios are medians of the pairwise ratios of windows of one pass; the modern era is set against the legacy figure of SDK 1.x, which knows no other. "waited" is the time that the server's main thread was ready without a core: its own helper threads and what else ran here.`,
      columns: [
        'server',
        'era',
        'CPU us/call',
        'range',
        'x floor',
        'x SDK 1.x',
        'calls/s',
        'core busy',
        'waited',
      ],
      rows: rows.map((row) => {
        const cpus = of(row.windows, ({ cpu }) => cpu)
        const me: [string, string] = [row.variant.target.name, row.variant.era]
        return [
          ...label(row),
          median(cpus),
          `${Math.min(...cpus).toFixed(0)} to ${Math.max(...cpus).toFixed(0)}`,
          cpuRatio(comparison, me, ['floor', row.variant.era]).toFixed(2),
          cpuRatio(comparison, me, ['sdk1', 'legacy']).toFixed(3),
          Math.round(mid(row.windows, (w) => w.rate)),
          percent(mid(row.windows, ({ busy }) => busy)),
          percent(mid(row.windows, ({ waited }) => waited)),
        ]
      }),
    },
    {
      title: 'Latency at 1,000 calls/s',
      note: `Milliseconds from the moment that a call is due to its answer, an open loop of ${plan.pacedSeconds} s; median over ${plan.generations} generations. A call that finds all 64 connections taken waits, and the wait counts. "added" is against the same load straight to the backend. "timer late" is the load generator's own worst wake-up, which no server caused.`,
      columns: ['server', 'era', 'p50', 'p99', 'added p99', 'worst', 'timer late', 'CPU us/call'],
      rows: [
        [
          'backend alone',
          '',
          median(direct.map(({ latency }) => latency?.p50 ?? Number.NaN)),
          baseP99,
          0,
          Math.max(...direct.map(({ latency }) => latency?.max ?? Number.NaN)),
          late(direct),
          '',
        ],
        ...rows.map((row) => [
          ...label(row),
          mid(row.paced, p50),
          mid(row.paced, p99),
          mid(row.paced, p99) - baseP99,
          Math.max(...of(row.paced, most)),
          late(row.paced.map(({ loaded }) => loaded)),
          mid(row.paced, ({ cpu }) => cpu),
        ]),
      ],
    },
    {
      title: 'Memory',
      note: 'Highest resident memory of the process over the closed-loop windows of a generation, MiB; a server with two eras served both.',
      columns: ['server', 'RSS MiB'],
      rows: rows
        .filter(({ variant }) => variant.era === variant.target.eras.at(-1))
        .map((row) => [row.variant.target.name, median(row.rss)]),
    },
    {
      title: 'Is the load generator the bottleneck?',
      note: `It is not where "core busy" of the server above is near 100 % while the core of backend and generator has room. Straight to the backend, the two manage ${Math.round(alone.calls / alone.seconds)} calls/s on that one core.`,
      columns: ['server', 'era', 'generator us/call', 'backend us/call', 'their core busy'],
      rows: rows.map((row) => [
        ...label(row),
        mid(row.windows, ({ generatorCpu }) => generatorCpu),
        mid(row.windows, ({ backendCpu }) => backendCpu),
        percent(mid(row.windows, ({ othersBusy }) => othersBusy)),
      ]),
    },
  ]
}

/** Ours without identity, policy and limits. */
export const CORE = 'ours, core only'

/** With scan, spans and metrics; with guards, replay and approval it was 2.0, with records and receipts 1.9, before them 1.75. */
const floorCeiling = 2.1
const sdkCeiling = 0.4
const accessCeiling = 0.3

/** What identity (cached), policy and limits add to a call, in floors: the median over the windows that belong together. */
function accessCost(comparison: Comparison, era: string): number {
  const [all, core, floor] = ['ours', CORE, 'floor'].map((name) => find(comparison, name, era)?.windows)
  if (all === undefined || core === undefined || floor === undefined) return Number.NaN
  return median(all.map(({ cpu }, i) => (cpu - (core[i]?.cpu ?? Number.NaN)) / (floor[i]?.cpu ?? Number.NaN)))
}

export function compareBounds(comparison: Comparison): Bound[] {
  const ours = (era: string): [string, string] => ['ours', era]
  const row = find(comparison, 'ours', 'modern')
  const bounds = ['legacy', 'modern'].flatMap((era): Bound[] => [
    {
      what: `CPU per call, ${era}: ours over the floor`,
      measured: cpuRatio(comparison, ours(era), ['floor', era]),
      bound: floorCeiling,
      kind: 'ceiling',
    },
    {
      what: `CPU per call, ${era}: ours over SDK 1.x`,
      measured: cpuRatio(comparison, ours(era), ['sdk1', 'legacy']),
      bound: sdkCeiling,
      kind: 'ceiling',
    },
    {
      what: `CPU per call, ${era}: identity (cached), policy and limits, in floors`,
      measured: accessCost(comparison, era),
      bound: accessCeiling,
      kind: 'ceiling',
    },
  ])
  const base = median(comparison.direct.map(({ latency }) => latency?.p99 ?? Number.NaN))
  const added =
    row === undefined ? Number.NaN : mid(row.paced, ({ loaded }) => loaded.latency?.p99 ?? Number.NaN) - base
  return [
    ...bounds,
    { what: 'added p99 at 1,000/s, modern', measured: added, bound: 2, kind: 'goal', unit: 'ms' },
    {
      what: 'RSS under load',
      measured: row === undefined ? Number.NaN : median(row.rss),
      bound: 128,
      kind: 'goal',
      unit: 'MiB',
    },
  ]
}
