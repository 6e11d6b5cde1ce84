// Counts finished requests on the hot path; names and labels follow the MCP semantic conventions (mcp.md 7). What is read when somebody looks stands in table.ts.
import type { Call } from '../core/call.ts'
import { type DenialCode, denialRow } from '../core/denials.ts'
import { shownMethod } from '../core/methods.ts'
import { BACKEND, STAGE_NAMES } from '../core/stages.ts'
import { count, createDistribution, type Distribution } from './distribution.ts'
import { errorType, foundOf, rpcStatus } from './labels.ts'
import type { Registry } from './registry.ts'

/** Where the figures come from that others keep; each is asked when somebody looks. */
export interface MetricSources {
  inFlight(): number
  ready(): boolean
  audit(): AuditFigures
  /** Answers that went without a receipt, because it could not be signed. */
  receiptFailures(): number
  /** Seconds for which each file of live/ has not been what is in force. */
  liveAges(): readonly { file: string; seconds: number }[]
  store: { available(): boolean; stats(): { operations: number; failures: number } }
  limiter(): { principals: number; tenants: number; tools: number }
  approvals(): Record<ApprovalEvent, number> & {
    notifications: Record<NotificationResult, number>
    pending(): Promise<number | undefined>
  }
  replay(): Record<ReplayEvent, number>
  killSwitch(): { off: number; forged: number }
  revocations(): { live: number; shared: number; forged: number }
  /** How many tenants; and files of their keys that were taken or refused since start. */
  credentials(): { lacking: number; stale: number; loaded: number; refused: number }
  backend: {
    limit: number
    /** Undefined where the connections are an egress proxy's. */
    stats(): { connected: number; running: number; pending: number } | undefined
  }
  spans(): SpanFigures
  /** True for a rule of the scan that comes with the service: the names of others are no labels. */
  isOwnRule(rule: string): boolean
  build: { version: string; node: string }
}

export type ApprovalEvent = 'asked' | 'approved' | 'denied' | 'used' | 'forged'
export type NotificationResult = 'sent' | 'failed' | 'dropped'
export type ReplayEvent =
  | 'claimed'
  | 'kept'
  | 'unkept'
  | 'released'
  | 'repeated'
  | 'running'
  | 'executed'
  | 'reused'
  | 'unreadable'
  | 'unsettled'

/** What became of recorded spans. */
export interface SpanFigures {
  sent: number
  failed: number
  dropped: number
}

/** How the records fare: the lines of their writer, and the chain once it has begun. */
export interface AuditFigures {
  written: number
  pendingBytes: number
  /** Bytes that may wait. */
  limit: number
  failing: boolean
  chain: { records: number; lost: number; checkpoints: number; uncoveredFor: number } | undefined
  witnessFailures: number
  /** Records that did not become an event of OCSF. */
  ocsfLost: number
}

export interface MetricDescription {
  name: string
  type: string
  help: string
  labels: readonly string[]
}

export interface Metrics {
  /** Counts one finished request; `seconds` since its first byte, `traceId` where its span was recorded. */
  observe(call: Call, seconds: number, traceId: string | undefined): void
  /** The exposition of all metrics: OpenMetrics where `accept` asks for it, else the Prometheus text format. */
  render(accept: string | undefined): Promise<{ contentType: string; body: string }>
  /** Names, types, help and labels, for the published list. */
  list(): Promise<readonly MetricDescription[]>
  /** Loads the Prometheus library, which the first call does not need. */
  load(): Promise<void>
}

/** All that is counted here; the registry reads it. */
export interface Counts {
  readonly series: ReadonlyMap<string, Series>
  readonly operations: ReadonlyMap<string, Operation>
  /** By the numbers of core/stages.ts. */
  readonly stages: readonly Distribution[]
  readonly backend: Readonly<Record<BackendStatus, Distribution>>
  readonly guards: ReadonlyMap<string, Finding<'guard' | 'found'>>
  readonly scans: ReadonlyMap<string, Finding<'detector' | 'rule' | 'action'>>
}

/** `none`: no answer came. */
export type BackendStatus = '2xx' | '3xx' | '4xx' | '5xx' | 'none'

export interface Finding<Label extends string> {
  readonly labels: Readonly<Record<Label, string>>
  count: number
}

/** One combination of the labels of the MCP conventions. */
export interface Operation {
  readonly labels: Readonly<Record<string, string>>
  readonly durations: Distribution
}

/** One way in which calls have come and ended; all labels come from closed sets, so there are few. */
export interface Series {
  /** Shared by the codes that the conventions do not tell apart. */
  operation: Operation
  decision: { code: string; stage: string; would_deny: string }
  /** What a call of this series has, as it stands in the call. */
  of: {
    tool: Call['tool']
    code: DenialCode | undefined
    revision: string | undefined
    method: string | undefined
    surface: Call['surface']
    channel: Call['channel']
    wouldDeny: boolean
  }
  count: number
}

/** Of the MCP conventions. */
const OPERATION_BOUNDS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300]
/** Most stages take microseconds, the backend seconds. */
const STAGE_BOUNDS = [0.00001, 0.00005, 0.0002, 0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60]

export function createMetrics(sources: MetricSources): Metrics {
  const series = new Map<string, Series>()
  const operations = new Map<string, Operation>()
  const stages = STAGE_NAMES.map(() => createDistribution(STAGE_BOUNDS))
  const backend = {
    '2xx': createDistribution(OPERATION_BOUNDS),
    '3xx': createDistribution(OPERATION_BOUNDS),
    '4xx': createDistribution(OPERATION_BOUNDS),
    '5xx': createDistribution(OPERATION_BOUNDS),
    none: createDistribution(OPERATION_BOUNDS),
  }
  const guards: Map<string, Finding<'guard' | 'found'>> = new Map()
  const scans: Map<string, Finding<'detector' | 'rule' | 'action'>> = new Map()

  let loading: Promise<Registry> | undefined
  const load = (): Promise<Registry> => {
    loading ??= import('./registry.ts').then(
      ({ createRegistry }) => createRegistry(sources, { series, operations, stages, backend, guards, scans }),
      (error: unknown) => {
        // A failure is not kept: the next look tries again.
        loading = undefined
        throw error
      },
    )
    return loading
  }

  const operationOf = (call: Call): Operation => {
    const labels = operationLabels(call)
    const key = Object.values(labels).join()
    let found = operations.get(key)
    if (found === undefined) {
      found = { labels, durations: createDistribution(OPERATION_BOUNDS) }
      operations.set(key, found)
    }
    return found
  }

  // Most calls are like the one before.
  let last: Series | undefined
  const find = (call: Call): Series => {
    const key = keyOf(call)
    let found = series.get(key)
    if (found === undefined) {
      found = describe(call, operationOf(call))
      series.set(key, found)
    }
    return found
  }

  const observeStages = (call: Call, marks: readonly number[]): void => {
    let before = call.startedTick
    for (let i = 0; i < marks.length; i += 2) {
      const stage = marks[i] as number
      const at = marks[i + 1] as number
      const seconds = (at - before) / 1000
      before = at
      count(stages[stage] as Distribution, seconds)
      if (stage === BACKEND) count(backend[statusOf(call.backendStatus)], seconds)
    }
  }

  const observeFindings = ({ guarded, scanned }: Call): void => {
    if (guarded !== undefined)
      for (const note of guarded) add(guards, { guard: note.guard, found: foundOf(note) }, 1)
    if (scanned !== undefined)
      for (const { detector, rule, count: times, action } of scanned)
        add(scans, { detector, rule: sources.isOwnRule(rule) ? rule : 'custom', action }, times)
  }

  return {
    observe(call, seconds, traceId) {
      const found = last !== undefined && isOf(last, call) ? last : find(call)
      last = found
      found.count++
      const { durations } = found.operation
      const bucket = count(durations, seconds)
      if (traceId !== undefined) {
        const timestamp = call.startedAt / 1000 + seconds
        durations.exemplars[bucket] = { labelSet: { trace_id: traceId }, value: seconds, timestamp }
      }
      if (call.marks !== undefined) observeStages(call, call.marks)
      observeFindings(call)
    },
    render: async (accept) => (await load()).render(accept),
    list: async () => (await load()).list(),
    load: async () => {
      await load()
    },
  }
}

function statusOf(status: number | undefined): BackendStatus {
  if (status === undefined) return 'none'
  return status < 300 ? '2xx' : status < 400 ? '3xx' : status < 500 ? '4xx' : '5xx'
}

function add<Label extends string>(
  findings: Map<string, Finding<Label>>,
  labels: Record<Label, string>,
  times: number,
): void {
  const key = Object.values(labels).join(' ')
  const found = findings.get(key)
  if (found === undefined) findings.set(key, { labels, count: times })
  else found.count += times
}

// Of closed sets only: a key of the caller's text would let the map grow without bound.
const keyOf = (call: Call): string =>
  `${call.surface} ${shownMethod(call)} ${call.tool?.declaration.name} ${call.denial?.code} ${call.message?.revision} ${call.channel} ${call.policy?.wouldDeny}`

const isOf = ({ of }: Series, call: Call): boolean =>
  of.tool === call.tool &&
  of.code === call.denial?.code &&
  of.revision === call.message?.revision &&
  of.method === call.mcpMethod &&
  of.surface === call.surface &&
  of.channel === call.channel &&
  of.wouldDeny === (call.policy?.wouldDeny === true)

function operationLabels(call: Call): Record<string, string> {
  const tool = call.tool?.declaration.name
  return {
    mcp_method_name: call.surface === 'rest' ? 'rest' : (shownMethod(call) ?? 'none'),
    gen_ai_operation_name: tool === undefined ? '' : 'execute_tool',
    gen_ai_tool_name: tool ?? '',
    error_type: errorType(call) ?? '',
    rpc_response_status_code: rpcStatus(call) ?? '',
    mcp_protocol_version: call.message?.revision ?? '',
    network_transport: call.channel === 'http' ? 'tcp' : 'pipe',
    network_protocol_name: call.channel === 'http' ? 'http' : '',
  }
}

function describe(call: Call, operation: Operation): Series {
  return {
    operation,
    decision: {
      code: call.denial?.code ?? 'ok',
      stage: call.denial === undefined ? '' : denialRow(call.denial).stage,
      would_deny: call.policy?.wouldDeny === true ? 'true' : '',
    },
    of: {
      tool: call.tool,
      code: call.denial?.code,
      revision: call.message?.revision,
      method: shownMethod(call),
      surface: call.surface,
      channel: call.channel,
      wouldDeny: call.policy?.wouldDeny === true,
    },
    count: 0,
  }
}
