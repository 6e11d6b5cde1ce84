// The Prometheus metrics; names and buckets follow the MCP semantic conventions (mcp.md 7), labels come from closed sets only.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Call } from '../core/call.ts'
import { type DenialCode, denialRow } from '../core/denials.ts'
import { shownMethod } from '../core/methods.ts'

export interface MetricSources {
  inFlight(): number
  audit(): { written: number; lost: number; pendingBytes: number }
  ready(): boolean
  build: { version: string; node: string }
}

export interface Metrics {
  /** Counts one finished request; `seconds` since its first byte. */
  observe(call: Call, seconds: number): void
  /** The exposition of all metrics in the Prometheus text format. */
  render(): Promise<{ contentType: string; body: string }>
  /** Names, types and help, for the published list. */
  list(): Promise<{ name: string; type: string; help: string; labels: string[] }[]>
}

/** One combination of labels that has occurred. */
interface Series {
  labels: { code: string; stage: string }
  count: number
  observe(seconds: number): void
}

const BUCKETS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300]
const OPERATION_LABELS = [
  'mcp_method_name',
  'gen_ai_tool_name',
  'error_type',
  'mcp_protocol_version',
  'network_transport',
]
const DECISION_LABELS = ['code', 'stage']

export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  // Looking up a child by labels builds a key string each time; the few combinations that occur are kept.
  const bound = new Map<string, Series>()

  const operations = new Histogram({
    name: 'mcp_server_operation_duration_seconds',
    help: 'Duration of one MCP or REST request as the service saw it, by method, tool and error.',
    labelNames: OPERATION_LABELS,
    buckets: BUCKETS,
    registers,
  })
  new Counter({
    name: 'ductape_mcp_decisions_total',
    help: 'Requests by how they ended: code "ok", or the code of the refusal or failure and its stage.',
    labelNames: DECISION_LABELS,
    registers,
    // Counted in plain numbers on the way and handed over when somebody looks.
    collect() {
      this.reset()
      for (const series of bound.values()) this.inc(series.labels, series.count)
    },
  })
  gauge('ductape_mcp_calls_in_flight', 'Requests being worked on.', sources.inFlight)
  gauge('ductape_mcp_ready', '1 while /readyz answers 200.', () => (sources.ready() ? 1 : 0))
  gauge(
    'ductape_mcp_audit_queue_bytes',
    'Bytes of audit records that wait for their sink.',
    () => sources.audit().pendingBytes,
  )
  gauge(
    'ductape_mcp_audit_lines_written',
    'Audit records that the kernel has taken since start.',
    () => sources.audit().written,
  )
  gauge(
    'ductape_mcp_audit_lines_lost',
    'Audit records lost since start: queue full or sink broken.',
    () => sources.audit().lost,
  )
  new Gauge({
    name: 'ductape_mcp_build_info',
    help: 'Constant 1; version and Node version as labels.',
    labelNames: ['version', 'node'],
    registers,
  })
    .labels(sources.build)
    .set(1)

  function gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read())
      },
    })
  }

  const bind = (call: Call): Series => {
    const method = call.surface === 'rest' ? 'rest' : (shownMethod(call) ?? 'none')
    const tool = call.tool?.declaration.name ?? ''
    const code: DenialCode | 'ok' = call.denial?.code ?? 'ok'
    const revision = call.message?.revision ?? ''
    const key = `${method} ${tool} ${code} ${revision} ${call.channel}`
    const known = bound.get(key)
    if (known !== undefined) return known
    const labels = {
      mcp_method_name: method,
      gen_ai_tool_name: tool,
      error_type: code === 'ok' ? '' : code,
      mcp_protocol_version: revision,
      network_transport: call.channel === 'http' ? 'tcp' : 'pipe',
    }
    const histogram = operations.labels(labels)
    const made: Series = {
      labels: { code, stage: call.denial === undefined ? '' : denialRow(call.denial).stage },
      count: 0,
      observe: (value) => histogram.observe(value),
    }
    bound.set(key, made)
    return made
  }

  return {
    observe(call, seconds) {
      const series = bind(call)
      series.observe(seconds)
      series.count++
    },
    render: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
    list: async () =>
      (await registry.getMetricsAsJSON()).map(({ name, type, help }) => ({
        name,
        type: String(type),
        help,
        labels:
          name === 'mcp_server_operation_duration_seconds'
            ? OPERATION_LABELS
            : name === 'ductape_mcp_decisions_total'
              ? DECISION_LABELS
              : [],
      })),
  }
}
