// The Prometheus registry behind metrics.ts, in a chunk of its own: it is loaded after the start or at the first scrape.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry as PrometheusRegistry } from 'prom-client'
import type { MetricDescription, MetricSources, Series } from './metrics.ts'

export interface Registry {
  /** Gives the waiting durations of a series to the histogram. */
  take(series: Series): void
  render(): Promise<{ contentType: string; body: string }>
  list(): Promise<readonly MetricDescription[]>
}

const BUCKETS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300]

const LABELS: Record<string, readonly string[]> = {
  mcp_server_operation_duration_seconds: [
    'mcp_method_name',
    'gen_ai_tool_name',
    'error_type',
    'mcp_protocol_version',
    'network_transport',
  ],
  ductape_mcp_decisions_total: ['code', 'stage', 'would_deny'],
  ductape_mcp_live_config_age_seconds: ['file'],
  ductape_mcp_build_info: ['version', 'node'],
}
const labelsOf = (name: string): string[] => [...(LABELS[name] ?? [])]

export function createRegistry(sources: MetricSources, series: () => Iterable<Series>): Registry {
  const registry = new PrometheusRegistry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]

  const operationName = 'mcp_server_operation_duration_seconds'
  const operations = new Histogram({
    name: operationName,
    help: 'Duration of one MCP or REST request as the service saw it, by method, tool and error.',
    labelNames: labelsOf(operationName),
    buckets: BUCKETS,
    registers,
  })
  const decisionName = 'ductape_mcp_decisions_total'
  const decisions = new Counter({
    name: decisionName,
    help: 'Requests by how they ended: code "ok", or the code of the refusal or failure and its stage; would_deny where the policy observes and would refuse. Lists and other messages that are no call count too, and leave no record.',
    labelNames: labelsOf(decisionName),
    registers,
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
    'Audit records lost since start, because the queue of a failing sink was full.',
    () => sources.audit().chain?.lost ?? 0,
  )
  gauge(
    'ductape_mcp_audit_records',
    'Records in the chain of this start, checkpoints included.',
    () => sources.audit().chain?.records ?? 0,
  )
  gauge('ductape_mcp_audit_sink_failing', '1 while the sink of the audit records takes nothing.', () =>
    sources.audit().failing ? 1 : 0,
  )
  gauge(
    'ductape_mcp_audit_checkpoints',
    'Checkpoints signed since start.',
    () => sources.audit().chain?.checkpoints ?? 0,
  )
  gauge(
    'ductape_mcp_audit_uncovered_seconds',
    'Age of the oldest audit record that no checkpoint covers; 0 where all are covered.',
    () => (sources.audit().chain?.uncoveredFor ?? 0) / 1000,
  )
  gauge(
    'ductape_mcp_audit_witness_failures',
    'Attempts to hand a checkpoint to the witness that failed, since start.',
    () => sources.audit().witnessFailures,
  )
  gauge(
    'ductape_mcp_receipt_failures',
    'Answers that went without a receipt since start, because it could not be signed.',
    sources.receiptFailures,
  )
  const ageName = 'ductape_mcp_live_config_age_seconds'
  new Gauge({
    name: ageName,
    help: 'Seconds for which the newest state of a file of live/ has not been in force, because it is not valid; 0 where it is.',
    labelNames: labelsOf(ageName),
    registers,
    collect() {
      for (const { file, seconds } of sources.liveAges()) this.labels({ file }).set(seconds)
    },
  })
  gauge('ductape_mcp_store_available', '1 while the shared store can be reached.', () =>
    sources.storeAvailable() ? 1 : 0,
  )
  const buildName = 'ductape_mcp_build_info'
  new Gauge({
    name: buildName,
    help: 'Constant 1; version and Node version as labels.',
    labelNames: labelsOf(buildName),
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

  const take = ({ operation, waiting }: Series): void => {
    const histogram = operations.labels(operation)
    for (const seconds of waiting) histogram.observe(seconds)
    waiting.length = 0
  }

  return {
    take,
    async render() {
      decisions.reset()
      for (const item of series()) {
        take(item)
        decisions.inc(item.decision, item.count)
      }
      return { contentType: registry.contentType, body: await registry.metrics() }
    },
    list: async () =>
      (await registry.getMetricsAsJSON()).map(({ name, type, help }) => ({
        name,
        type: String(type),
        help,
        labels: LABELS[name] ?? [],
      })),
  }
}
