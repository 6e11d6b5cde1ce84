// One span per call by the MCP semantic conventions (mcp.md 7); OpenTelemetry is loaded only where an endpoint is configured.
import type { Call } from '../core/call.ts'
import type { BackendRequest } from '../core/tool.ts'
import type { SpanFigures } from './metrics.ts'

export interface Tracing {
  /** Opens the span of a call and puts its context in place of the caller's. */
  start(call: Call): void
  /** Opens the span of the backend call and puts its context in place of the call's, for the backend to continue. */
  asking(call: Call, request: Pick<BackendRequest, 'path'>): void
  /** Ends both; a call that was refused before it was decided gets its span here. The id of the trace where it is recorded. */
  end(call: Call, status: number, seconds: number): string | undefined
  /** What became of the recorded ones. */
  stats(): SpanFigures
  /** Sends what is left. */
  close(): Promise<void>
}

export interface TracingOptions {
  env: Readonly<Record<string, string | undefined>>
  service: { name: string; version: string }
  /** Origin of the backend. */
  backend: string
}

export type TracingResult = { ok: true; tracing: Tracing | undefined } | { ok: false; problem: string }

const PROTOCOL = 'http/json'

/** Where spans go by the OTEL_* variables, which keep their standard meaning; undefined where they are off. */
export function traceTarget(
  env: TracingOptions['env'],
): { ok: true; endpoint: string | undefined } | { ok: false; problem: string } {
  const endpoint = env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] || env['OTEL_EXPORTER_OTLP_ENDPOINT']
  if (!endpoint || env['OTEL_SDK_DISABLED'] === 'true' || env['OTEL_TRACES_EXPORTER'] === 'none')
    return { ok: true, endpoint: undefined }
  const protocol = env['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] || env['OTEL_EXPORTER_OTLP_PROTOCOL'] || PROTOCOL
  if (protocol !== PROTOCOL) {
    return {
      ok: false,
      problem: `OTEL_EXPORTER_OTLP_PROTOCOL is ${JSON.stringify(protocol.slice(0, 32))}; this build sends ${PROTOCOL} only`,
    }
  }
  return { ok: true, endpoint }
}

/** Without an endpoint there are no spans and nothing is loaded. */
export async function createTracing({ env, ...options }: TracingOptions): Promise<TracingResult> {
  const target = traceTarget(env)
  if (!target.ok) return target
  if (target.endpoint === undefined) return { ok: true, tracing: undefined }
  const { startTracing } = await import('./otel.ts')
  return { ok: true, tracing: startTracing(options) }
}
