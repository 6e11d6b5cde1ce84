// What `ductape-mcp top` shows: one look at /metrics, or two and what has happened between them, as figures and as lines.
import { table } from '../cli/table.ts'
import { terminalPhrase } from '../core/terminal.ts'
import { type Exposition, growth, quantile, samplesOf, total } from './exposition.ts'

export interface Look {
  /** Unix time in milliseconds. */
  at: number
  metrics: Exposition
}

export interface Percentiles {
  p50: number
  p95: number
  p99: number
}

/** Figures that this service does not have (no store, no approvals) are null; seconds and bytes unless a name says otherwise. */
export interface Figures {
  version: string | null
  ready: boolean | null
  uptimeSeconds: number | null
  /** What the rates are over: the time between two looks, or the life of the process. */
  overSeconds: number
  since: 'start' | 'last look'
  perSecond: { all: number; ok: number; refused: number; failed: number }
  inFlight: number | null
  refusals: { code: string; stage: string; count: number }[]
  latency: Percentiles | null
  tools: ({ tool: string; calls: number } & Percentiles)[]
  /** `waiting` as the store has it, of all replicas that share it; the others at this replica, since its start. */
  approvals: {
    waiting: number | null
    asked: number | null
    approved: number | null
    denied: number | null
  }
  evidence: {
    failing: boolean | null
    queueBytes: number | null
    lost: number | null
    uncoveredSeconds: number | null
    checkpoints: number | null
    witnessFailures: number | null
    receiptFailures: number | null
  }
  live: { file: string; seconds: number }[]
  switchedOff: number | null
  findings: number | null
  store: boolean | null
  backend: {
    byStatus: Record<string, number>
    latency: Percentiles | null
    connections: number | null
    waiting: number | null
  }
  process: { residentBytes: number | null; heapBytes: number | null; lagSeconds: number | null }
}

const DECISIONS = 'ductape_mcp_decisions_total'
const DURATION = 'mcp_server_operation_duration_seconds'
const STARTED = 'process_start_time_seconds'
/** Stages after the policy has let a call pass: what goes wrong there is a failure, and no refusal. */
const FAILURES: ReadonlySet<string> = new Set(['record', 'credentials', 'backend', 'shape'])

const MAX_ROWS = 8
const known = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? value : null
const flag = (value: number | undefined): boolean | null => (value === undefined ? null : value > 0)

/** Whether the text was that of a ductape-mcp. */
export const isOurs = (metrics: Exposition): boolean => metrics.has('ductape_mcp_build_info')

export function figuresOf(now: Look, last: Look | undefined): Figures {
  const { metrics } = now
  const of = (name: string, wanted?: Readonly<Record<string, string>>): number | null =>
    known(total(metrics, name, wanted))
  const started = of(STARTED)
  // Another process than at the last look has counted from nothing.
  const before = last !== undefined && total(last.metrics, STARTED) === started ? last : undefined
  const uptime = started === null ? null : Math.max(0, now.at / 1000 - started)
  const over = Math.max(0.001, before === undefined ? (uptime ?? 1) : (now.at - before.at) / 1000)
  const grown = (name: string, keyOf: (labels: Readonly<Record<string, string>>) => string | undefined) =>
    growth(metrics, before?.metrics, name, keyOf)

  let ok = 0
  let refused = 0
  let failed = 0
  const refusals: Figures['refusals'] = []
  for (const [key, count] of grown(DECISIONS, ({ code, stage }) => `${stage ?? ''} ${code ?? ''}`)) {
    const [stage = '', code = ''] = key.split(' ')
    if (code === 'ok') ok += count
    else {
      if (FAILURES.has(stage)) failed += count
      else refused += count
      refusals.push({ code, stage, count })
    }
  }
  refusals.sort((one, other) => other.count - one.count || (one.code < other.code ? -1 : 1))

  const buckets = (wanted: (tool: string) => boolean): Map<string, number> =>
    grown(`${DURATION}_bucket`, ({ le, gen_ai_tool_name: tool = '' }) => (wanted(tool) ? le : undefined))
  const calls = grown(`${DURATION}_count`, ({ gen_ai_tool_name: tool }) => (tool === '' ? undefined : tool))
  const tools = [...calls]
    .sort(([, one], [, other]) => other - one)
    .slice(0, MAX_ROWS)
    .flatMap(([tool, count]) => {
      const figures = percentiles(buckets((name) => name === tool))
      return figures === null ? [] : [{ tool, calls: count, ...figures }]
    })
  const backend = grown('ductape_mcp_backend_duration_seconds_count', ({ status = '' }) => status)

  const build = samplesOf(metrics, 'ductape_mcp_build_info')[0]
  return {
    version: build?.labels['version'] ?? null,
    ready: flag(total(metrics, 'ductape_mcp_ready')),
    uptimeSeconds: uptime,
    overSeconds: over,
    since: before === undefined ? 'start' : 'last look',
    perSecond: {
      all: (ok + refused + failed) / over,
      ok: ok / over,
      refused: refused / over,
      failed: failed / over,
    },
    inFlight: of('ductape_mcp_calls_in_flight'),
    refusals: refusals.slice(0, MAX_ROWS),
    latency: percentiles(buckets((tool) => tool !== '')),
    tools,
    approvals: {
      waiting: of('ductape_mcp_approvals_pending'),
      asked: of('ductape_mcp_approvals_total', { event: 'asked' }),
      approved: of('ductape_mcp_approvals_total', { event: 'approved' }),
      denied: of('ductape_mcp_approvals_total', { event: 'denied' }),
    },
    evidence: {
      failing: flag(total(metrics, 'ductape_mcp_audit_sink_failing')),
      queueBytes: of('ductape_mcp_audit_queue_bytes'),
      lost: of('ductape_mcp_audit_lines_lost_total'),
      uncoveredSeconds: of('ductape_mcp_audit_uncovered_seconds'),
      checkpoints: of('ductape_mcp_audit_checkpoints_total'),
      witnessFailures: of('ductape_mcp_audit_witness_failures_total'),
      receiptFailures: of('ductape_mcp_receipt_failures_total'),
    },
    live: samplesOf(metrics, 'ductape_mcp_live_config_age_seconds')
      .filter(({ value }) => value > 0)
      .map(({ labels, value }) => ({ file: labels['file'] ?? '', seconds: value })),
    switchedOff: of('ductape_mcp_kill_entries'),
    findings: of('ductape_mcp_scan_findings_total'),
    store: flag(total(metrics, 'ductape_mcp_store_available')),
    backend: {
      byStatus: Object.fromEntries([...backend].sort()),
      latency: percentiles(grown('ductape_mcp_backend_duration_seconds_bucket', ({ le }) => le)),
      connections: of('ductape_mcp_backend_connections'),
      waiting: of('ductape_mcp_backend_requests', { state: 'pending' }),
    },
    process: {
      residentBytes: of('process_resident_memory_bytes'),
      heapBytes: of('nodejs_heap_size_used_bytes'),
      lagSeconds: of('nodejs_eventloop_lag_p99_seconds'),
    },
  }
}

function percentiles(buckets: ReadonlyMap<string, number>): Percentiles | null {
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((q) => quantile(buckets, q))
  return p50 === undefined || p95 === undefined || p99 === undefined ? null : { p50, p95, p99 }
}

const NONE = '-'
const figure = (value: number | null): string => (value === null ? NONE : short(value))

function short(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)}M`
  if (value >= 1e4) return `${(value / 1e3).toFixed(1)}k`
  return Number.isInteger(value) || value >= 100
    ? String(Math.round(value))
    : value.toFixed(value < 1 ? 2 : 1)
}

const bytes = (value: number | null): string =>
  value === null
    ? NONE
    : value < 2 ** 20
      ? `${Math.round(value / 1024)} KiB`
      : `${Math.round(value / 2 ** 20)} MiB`

const seconds = (value: number): string =>
  value < 1
    ? `${Math.round(value * 1000)} ms`
    : value < 100
      ? `${value.toFixed(1)} s`
      : `${Math.round(value)} s`

const latencyOf = (value: Percentiles | null): string[] =>
  value === null ? [NONE, NONE, NONE] : [value.p50, value.p95, value.p99].map(seconds)

const word = (value: boolean | null, yes: string, no: string): string =>
  value === null ? NONE : value ? yes : no

/** Lines for a terminal; what the service said stands in them as one harmless word each. */
export function linesOf(figures: Figures): string[] {
  const { perSecond, evidence, approvals, backend, process: self } = figures
  const name = (text: string): string => terminalPhrase(text).slice(0, 64)
  const period = `over ${seconds(figures.overSeconds)}${figures.since === 'start' ? ', since its start' : ''}`
  const status = Object.entries(backend.byStatus).map(([code, count]) => `${name(code)}: ${short(count)}`)
  const rows: (readonly string[])[] = [
    [
      'service',
      `${word(figures.ready, 'ready', 'NOT READY')}, version ${name(figures.version ?? NONE)}, up ${figures.uptimeSeconds === null ? NONE : seconds(figures.uptimeSeconds)}`,
    ],
    [
      'calls',
      `${short(perSecond.all)}/s: ${short(perSecond.ok)} ok, ${short(perSecond.refused)} refused, ${short(perSecond.failed)} failed; ${figure(figures.inFlight)} in flight`,
    ],
    [
      'approvals',
      `${figure(approvals.waiting)} waiting; here ${figure(approvals.asked)} asked, ${figure(approvals.approved)} approved, ${figure(approvals.denied)} denied since its start`,
    ],
    [
      'evidence',
      `sink ${word(evidence.failing, 'FAILING', 'ok')}, ${bytes(evidence.queueBytes)} waiting, ${figure(evidence.lost)} lost, oldest without checkpoint ${evidence.uncoveredSeconds === null ? NONE : seconds(evidence.uncoveredSeconds)}`,
    ],
    [
      '',
      `${figure(evidence.checkpoints)} checkpoints, ${figure(evidence.witnessFailures)} refused by the witness, ${figure(evidence.receiptFailures)} receipts not signed`,
    ],
    ['store', word(figures.store, 'ok', 'UNAVAILABLE')],
    [
      'backend',
      `${status.length === 0 ? 'no calls' : status.join(', ')}; ${figure(backend.connections)} connections, ${figure(backend.waiting)} calls waiting for one`,
    ],
    [
      'kill switch',
      figures.switchedOff === null
        ? NONE
        : figures.switchedOff === 0
          ? 'nothing is off'
          : `${short(figures.switchedOff)} OFF`,
    ],
    ['scan', `${figure(figures.findings ?? 0)} findings since the start`],
    [
      'process',
      `${bytes(self.residentBytes)} memory, ${bytes(self.heapBytes)} heap, loop ${self.lagSeconds === null ? NONE : seconds(self.lagSeconds)} late (p99)`,
    ],
    ...figures.live
      .slice(0, MAX_ROWS)
      .map(({ file, seconds: age }) => ['live', `${name(file)} NOT IN FORCE for ${seconds(age)}`]),
  ]
  const latency = [
    ['latency', 'calls', 'p50', 'p95', 'p99'],
    [
      'all tools',
      short(figures.tools.reduce((sum, { calls }) => sum + calls, 0)),
      ...latencyOf(figures.latency),
    ],
    ...figures.tools.map((tool) => [name(tool.tool), short(tool.calls), ...latencyOf(tool)]),
    [
      'backend',
      short(Object.values(backend.byStatus).reduce((sum, count) => sum + count, 0)),
      ...latencyOf(backend.latency),
    ],
  ]
  const refusals = figures.refusals.map(({ code, stage, count }) => [
    name(code),
    name(stage),
    short(count),
    `${short(count / figures.overSeconds)}/s`,
  ])
  const block = (all: readonly (readonly string[])[]): string[] => table(all).trimEnd().split('\n')
  return [
    ...block(rows),
    '',
    ...block(latency),
    '',
    ...(refusals.length === 0
      ? [`no refusals and failures ${period}`]
      : block([['refused or failed', 'stage', 'calls', 'rate'], ...refusals])),
    '',
    `rates, latency and refusals ${period}`,
  ]
}
