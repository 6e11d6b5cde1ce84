// What `ductape-mcp top` shows: one look at /metrics, or two and what has happened between them, as figures and as lines.
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
  approvals: { pending: number | null }
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
  kill: number | null
  findings: number | null
  store: boolean | null
  backend: { calls: number; failed: number; inFlight: number | null }
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
  const backend = grown('mcp_client_operation_duration_seconds_count', ({ error_type: type = '' }) => type)
  let dialled = 0
  for (const count of backend.values()) dialled += count

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
    approvals: { pending: of('ductape_mcp_approvals_pending') },
    evidence: {
      failing: flag(total(metrics, 'ductape_mcp_audit_sink_failing')),
      queueBytes: of('ductape_mcp_audit_queue_bytes'),
      lost: of('ductape_mcp_audit_lines_lost'),
      uncoveredSeconds: of('ductape_mcp_audit_uncovered_seconds'),
      checkpoints: of('ductape_mcp_audit_checkpoints'),
      witnessFailures: of('ductape_mcp_audit_witness_failures'),
      receiptFailures: of('ductape_mcp_receipt_failures'),
    },
    live: samplesOf(metrics, 'ductape_mcp_live_config_age_seconds')
      .filter(({ value }) => value > 0)
      .map(({ labels, value }) => ({ file: labels['file'] ?? '', seconds: value })),
    kill: of('ductape_mcp_kill_switches'),
    findings: of('ductape_mcp_scan_findings_total'),
    store: flag(total(metrics, 'ductape_mcp_store_available')),
    backend: { calls: dialled, failed: dialled - (backend.get('') ?? 0), inFlight: null },
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
