// Counts finished requests on the hot path and renders them when somebody looks; names and labels follow the MCP semantic conventions (mcp.md 7).
import type { Call } from '../core/call.ts'
import { type DenialCode, denialRow } from '../core/denials.ts'
import { shownMethod } from '../core/methods.ts'
import type { Registry } from './registry.ts'

export interface MetricSources {
  inFlight(): number
  audit(): AuditFigures
  /** Answers that went without a receipt, because it could not be signed. */
  receiptFailures(): number
  ready(): boolean
  /** Seconds for which each file of live/ has not been what is in force. */
  liveAges(): readonly { file: string; seconds: number }[]
  storeAvailable(): boolean
  build: { version: string; node: string }
}

/** How the records fare: the lines of their writer, and the chain once it has begun. */
export interface AuditFigures {
  written: number
  pendingBytes: number
  failing: boolean
  chain: { records: number; lost: number; checkpoints: number; uncoveredFor: number } | undefined
  witnessFailures: number
}

export interface MetricDescription {
  name: string
  type: string
  help: string
  labels: readonly string[]
}

export interface Metrics {
  /** Counts one finished request; `seconds` since its first byte. */
  observe(call: Call, seconds: number): void
  /** The exposition of all metrics in the Prometheus text format. */
  render(): Promise<{ contentType: string; body: string }>
  /** Names, types, help and labels, for the published list. */
  list(): Promise<readonly MetricDescription[]>
  /** Loads the Prometheus library, which the first call does not need. */
  load(): Promise<void>
}

/** One combination of labels that has occurred; all labels come from closed sets, so there are few. */
export interface Series {
  operation: Record<string, string>
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
  /** Durations that the histogram has not been given yet. */
  waiting: number[]
}

/** Durations of one series that are given to the histogram at once. */
const BATCH = 512

/** Durations that may wait where the library cannot be loaded; beyond it they are dropped, and the counts still stand. */
const MAX_WAITING = 16 * BATCH

export function createMetrics(sources: MetricSources): Metrics {
  const series = new Map<string, Series>()
  let loading: Promise<Registry> | undefined
  let registry: Registry | undefined
  const load = (): Promise<Registry> => {
    loading ??= import('./registry.ts').then(
      ({ createRegistry }) => {
        registry = createRegistry(sources, () => series.values())
        return registry
      },
      (error: unknown) => {
        // A failure is not kept: the next look tries again.
        loading = undefined
        throw error
      },
    )
    return loading
  }

  // Most calls are like the one before.
  let last: Series | undefined
  const find = (call: Call): Series => {
    const key = keyOf(call)
    let found = series.get(key)
    if (found === undefined) {
      found = describe(call)
      series.set(key, found)
    }
    return found
  }

  return {
    observe(call, seconds) {
      const found = last !== undefined && isOf(last, call) ? last : find(call)
      last = found
      found.count++
      found.waiting.push(seconds)
      if (found.waiting.length < BATCH) return
      if (registry !== undefined) return registry.take(found)
      if (found.waiting.length >= MAX_WAITING) found.waiting.length = 0
      if (loading === undefined) load().catch(() => undefined)
    },
    render: async () => (await load()).render(),
    list: async () => (await load()).list(),
    load: async () => {
      await load()
    },
  }
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

function describe(call: Call): Series {
  const code: DenialCode | 'ok' = call.denial?.code ?? 'ok'
  return {
    operation: {
      mcp_method_name: call.surface === 'rest' ? 'rest' : (shownMethod(call) ?? 'none'),
      gen_ai_tool_name: call.tool?.declaration.name ?? '',
      error_type: code === 'ok' ? '' : code,
      mcp_protocol_version: call.message?.revision ?? '',
      network_transport: call.channel === 'http' ? 'tcp' : 'pipe',
    },
    decision: {
      code,
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
    waiting: [],
  }
}
