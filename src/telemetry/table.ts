// The metrics of the service: name, labels, meaning, and where each figure is read (docs/reference/metrics.md is made of this).
import { STAGE_NAMES } from '../core/stages.ts'
import type { Distribution } from './distribution.ts'
import type { Counts, MetricSources } from './metrics.ts'
import type { Definer, Row } from './registry.ts'

export function defineMetrics(define: Definer, sources: MetricSources, counts: Counts): void {
  calls(define, sources, counts)
  admission(define, sources, counts)
  evidence(define, sources)
  surroundings(define, sources)
}

/** One row for each member of an object, under a label that has its name. */
const rowsOf = <Name extends string>(label: string, figures: Readonly<Record<Name, number>>): Row[] =>
  Object.entries<number>(figures).map(([name, value]) => [{ [label]: name }, value])

const hasSome = ([, { counts }]: readonly [unknown, Distribution]): boolean => counts.some((n) => n > 0)

function calls(define: Definer, sources: MetricSources, counts: Counts): void {
  define.histogram(
    'mcp_server_operation_duration_seconds',
    [
      'mcp_method_name',
      'gen_ai_operation_name',
      'gen_ai_tool_name',
      'error_type',
      'rpc_response_status_code',
      'mcp_protocol_version',
      'network_transport',
      'network_protocol_name',
    ],
    'Duration of one MCP or REST request as the service saw it, by method, tool and error.',
    () => [...counts.operations.values()].map(({ labels, durations }) => [labels, durations] as const),
  )
  define.counters(
    'ductape_mcp_decisions_total',
    ['code', 'stage', 'would_deny'],
    'Requests by how they ended: code "ok", or the code of the refusal or failure and its stage; would_deny where the policy observes and would refuse. Lists and other messages that are no call count too, and leave no record.',
    () => [...counts.series.values()].map(({ decision, count }) => [decision, count] as const),
  )
  define.histogram(
    'ductape_mcp_stage_duration_seconds',
    ['stage'],
    'Time that a request spent in each stage that it reached; what it waited for in a stage is part of it.',
    () =>
      counts.stages
        .map((durations, index) => [{ stage: STAGE_NAMES[index] as string }, durations] as const)
        .filter(hasSome),
  )
  define.histogram(
    'ductape_mcp_backend_duration_seconds',
    ['status'],
    'Duration of the backend calls, by class of the HTTP status; "none" where no answer came.',
    () =>
      Object.entries(counts.backend)
        .map(([status, durations]) => [{ status }, durations] as const)
        .filter(hasSome),
  )
  define.gauge('ductape_mcp_calls_in_flight', 'Requests being worked on.', sources.inFlight)
  define.gauge('ductape_mcp_ready', '1 while /readyz answers 200.', () => Number(sources.ready()))
}

function admission(define: Definer, sources: MetricSources, counts: Counts): void {
  define.counters(
    'ductape_mcp_guard_findings_total',
    ['guard', 'found'],
    'What the guards have found in arguments: "read-only" and "allowed", or why not.',
    () => [...counts.guards.values()].map(({ labels, count }) => [labels, count] as const),
  )
  define.counters(
    'ductape_mcp_scan_findings_total',
    ['detector', 'rule', 'action'],
    'What the scan has found in answers, and what it did; rule "custom" is one of live/scan.yaml.',
    () => [...counts.scans.values()].map(({ labels, count }) => [labels, count] as const),
  )
  define.counters(
    'ductape_mcp_approvals_total',
    ['event'],
    'Approvals asked for, decided and used at this replica; "forged" are entries of the store that this fleet has not written.',
    () => {
      const { asked, approved, denied, used, forged } = sources.approvals()
      return rowsOf('event', { asked, approved, denied, used, forged })
    },
  )
  define.gauges(
    'ductape_mcp_approvals_pending',
    [],
    'Calls that wait for a person now, those of all callers, as the store counts them: replicas that share one all say the same, so take the maximum and not the sum; without one each knows its own. Absent while the store cannot be reached.',
    async () => {
      const pending = await sources.approvals().pending()
      return pending === undefined ? [] : [[{}, pending]]
    },
  )
  define.counters(
    'ductape_mcp_notifications_total',
    ['result'],
    'Notifications of waiting calls: sent, failed after all tries, or dropped because too many were under way.',
    () => rowsOf('result', sources.approvals().notifications),
  )
  define.counters(
    'ductape_mcp_replay_total',
    ['event'],
    'What became of idempotency keys: claimed by a first call, its answer kept or not, released unused; repetitions that got the answer, met a call under way or one whose answer is not kept; keys reused for another request; entries that cannot be read; ends that could not be stored.',
    () => rowsOf('event', sources.replay()),
  )
  define.gauge(
    'ductape_mcp_kill_entries',
    'Tools, modules, callers and tenants that are switched off.',
    () => sources.killSwitch().off,
  )
  define.counter(
    'ductape_mcp_kill_forged_total',
    'Entries of the kill switch in the store that this fleet has not written.',
    () => sources.killSwitch().forged,
  )
  define.gauges(
    'ductape_mcp_revocations',
    ['source'],
    'Revocations in force: of live/revocations.yaml, and shared through the store.',
    () => {
      const { live, shared } = sources.revocations()
      return rowsOf('source', { live, shared })
    },
  )
  define.counter(
    'ductape_mcp_revocations_forged_total',
    'Revocations in the store that this fleet has not written.',
    () => sources.revocations().forged,
  )
  define.gauges(
    'ductape_mcp_limiter_accounts',
    ['kind'],
    'Callers, tenants and tools whose limits are remembered.',
    () => {
      const { principals, tenants, tools } = sources.limiter()
      return rowsOf('kind', { principal: principals, tenant: tenants, tool: tools })
    },
  )
}

function evidence(define: Definer, sources: MetricSources): void {
  define.gauge(
    'ductape_mcp_audit_queue_bytes',
    'Bytes of audit records that wait for their sink.',
    () => sources.audit().pendingBytes,
  )
  define.gauge(
    'ductape_mcp_audit_queue_limit_bytes',
    'Bytes of audit records that may wait (audit.maxQueue).',
    () => sources.audit().limit,
  )
  define.counter(
    'ductape_mcp_audit_lines_written_total',
    'Audit records that the kernel has taken since start.',
    () => sources.audit().written,
  )
  define.counter(
    'ductape_mcp_audit_lines_lost_total',
    'Audit records lost since start, because the queue of a failing sink was full.',
    () => sources.audit().chain?.lost ?? 0,
  )
  define.counter(
    'ductape_mcp_audit_records_total',
    'Records in the chain of this start, checkpoints included.',
    () => sources.audit().chain?.records ?? 0,
  )
  define.gauge('ductape_mcp_audit_sink_failing', '1 while the sink of the audit records takes nothing.', () =>
    Number(sources.audit().failing),
  )
  define.counter(
    'ductape_mcp_audit_checkpoints_total',
    'Checkpoints signed since start.',
    () => sources.audit().chain?.checkpoints ?? 0,
  )
  define.gauge(
    'ductape_mcp_audit_uncovered_seconds',
    'Age of the oldest audit record that no checkpoint covers; 0 where all are covered.',
    () => (sources.audit().chain?.uncoveredFor ?? 0) / 1000,
  )
  define.counter(
    'ductape_mcp_audit_witness_failures_total',
    'Attempts to hand a checkpoint to the witness that failed, since start.',
    () => sources.audit().witnessFailures,
  )
  define.counter(
    'ductape_mcp_audit_ocsf_lost_total',
    'Records since start whose event of OCSF (audit.ocsf) could not be written.',
    () => sources.audit().ocsfLost,
  )
  define.counter(
    'ductape_mcp_receipt_failures_total',
    'Answers that went without a receipt since start, because it could not be signed.',
    sources.receiptFailures,
  )
  define.counters(
    'ductape_mcp_spans_total',
    ['outcome'],
    'Recorded spans: sent to the collector, failed because it did not take them, or dropped because too many waited. All 0 where traces are off.',
    () => rowsOf('outcome', sources.spans()),
  )
}

function surroundings(define: Definer, sources: MetricSources): void {
  define.gauges(
    'ductape_mcp_live_config_age_seconds',
    ['file'],
    'Seconds for which the newest state of a file of live/ has not been in force, because it is not valid; 0 where it is.',
    () => sources.liveAges().map(({ file, seconds }) => [{ file }, seconds] as const),
  )
  define.counters(
    'ductape_mcp_credential_reloads_total',
    ['result'],
    'Files of Ductape keys that were read since start, and whether they were taken.',
    () => {
      const { loaded, refused } = sources.credentials()
      return rowsOf('result', { loaded, refused })
    },
  )
  define.gauge(
    'ductape_mcp_credentials_lacking',
    'Tenants without a Ductape key.',
    () => sources.credentials().lacking,
  )
  define.gauge(
    'ductape_mcp_credentials_stale',
    'Tenants with a key file that is not valid; their last good key holds.',
    () => sources.credentials().stale,
  )
  define.gauge(
    'ductape_mcp_backend_connections',
    'Open connections to the backend; 0 behind an egress proxy, where they are not counted.',
    () => sources.backend.stats()?.connected ?? 0,
  )
  define.gauge(
    'ductape_mcp_backend_connections_limit',
    'Connections to the backend that may be open (backend.connections).',
    () => sources.backend.limit,
  )
  define.gauges(
    'ductape_mcp_backend_requests',
    ['state'],
    'Backend calls that have a connection, and those that wait for one; absent behind an egress proxy.',
    () => {
      const stats = sources.backend.stats()
      return stats === undefined ? [] : rowsOf('state', { running: stats.running, pending: stats.pending })
    },
  )
  define.gauge('ductape_mcp_store_available', '1 while the shared store can be reached.', () =>
    Number(sources.store.available()),
  )
  define.counter(
    'ductape_mcp_store_operations_total',
    'Operations of the shared store since start.',
    () => sources.store.stats().operations,
  )
  define.counter(
    'ductape_mcp_store_failures_total',
    'Operations of the shared store that failed or took too long.',
    () => sources.store.stats().failures,
  )
  define.gauges(
    'ductape_mcp_build_info',
    ['version', 'node'],
    'Constant 1; version and Node version as labels.',
    () => [[sources.build, 1]],
  )
}
