// The OpenTelemetry side of spans.ts, in a chunk of its own: the SDK costs start-up time and memory that only tracing should pay.
import {
  type Context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { NodeSDK } from '@opentelemetry/sdk-node'
import type { Call } from '../core/call.ts'
import { BACKEND, STAGE_NAMES } from '../core/stages.ts'
import { endSpan, spanName } from './attributes.ts'
import type { SpanFigures } from './metrics.ts'
import type { Tracing, TracingOptions } from './spans.ts'

/** What `call.span` holds. */
interface Spans {
  readonly server: Span
  backend: Span | undefined
}

export function startTracing({ service, backend }: Omit<TracingOptions, 'env'>): Tracing {
  // The detectors for host and process would publish command lines; OTEL_RESOURCE_ATTRIBUTES ("env") keeps its meaning.
  process.env['OTEL_NODE_RESOURCE_DETECTORS'] ??= 'env'
  const exporter = countedExporter()
  const sdk = new NodeSDK({
    serviceName: process.env['OTEL_SERVICE_NAME'] || service.name,
    traceExporter: exporter,
    instrumentations: [],
    metricReaders: [],
    logRecordProcessors: [],
  })
  sdk.start()
  const tracer = trace.getTracer(service.name, service.version)
  const { hostname, port, protocol } = new URL(backend)
  const backendAttributes = {
    'http.request.method': 'POST',
    'server.address': hostname.replace(/^\[|\]$/g, ''),
    'server.port': port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
  }

  const open = (call: Call): Spans => {
    if (call.span !== undefined) return call.span as Spans
    const links = linksOf(call)
    const server = tracer.startSpan(
      spanName(call),
      { kind: SpanKind.SERVER, startTime: call.startedAt, ...(links !== undefined && { links }) },
      parentOf(call),
    )
    const spans: Spans = { server, backend: undefined }
    call.span = spans
    return spans
  }

  return {
    start(call) {
      call.traceparent = textOf(open(call).server.spanContext())
    },
    asking(call, { path }) {
      const spans = open(call)
      if (!spans.server.isRecording()) return
      spans.backend = tracer.startSpan(
        'POST',
        {
          kind: SpanKind.CLIENT,
          startTime: timeOf(call, call.marks?.at(-1)),
          attributes: { ...backendAttributes, 'url.full': backend + path },
        },
        trace.setSpanContext(ROOT_CONTEXT, spans.server.spanContext()),
      )
      call.traceparent = textOf(spans.backend.spanContext())
    },
    end(call, status, seconds) {
      const { server, backend: client } = open(call)
      if (!server.isRecording()) return undefined
      const end = call.startedAt + seconds * 1000
      if (client !== undefined) endBackend(call, client, end, exporter)
      endSpan(call, server, status)
      addStages(call, server)
      exporter.end(server, end)
      return server.spanContext().traceId
    },
    stats: exporter.stats,
    close: () => within(FLUSH_LIMIT, sdk.shutdown()),
  }
}

/** Less than the service has for its own flush: a collector that is silent or away is no fault of the service. */
const FLUSH_LIMIT = 1000

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([work.catch(() => undefined), late])
  clearTimeout(timer)
}

interface CountedExporter extends Pick<OTLPTraceExporter, 'export' | 'shutdown'> {
  /** Ends a span, or drops it where too many wait. */
  end(span: Span, at: number): void
  stats(): SpanFigures
}

/** As many as the batches of the SDK hold (OpenTelemetry, environment variables of the batch span processor). */
const MAX_WAITING = 2048

/** The exporter of the SDK, which says nothing of what it has lost. */
function countedExporter(): CountedExporter {
  const exporter = new OTLPTraceExporter()
  const limit = Number(process.env['OTEL_BSP_MAX_QUEUE_SIZE']) || MAX_WAITING
  const stats = { sent: 0, failed: 0, dropped: 0 }
  let waiting = 0
  return {
    export(spans, report) {
      exporter.export(spans, (result) => {
        waiting -= spans.length
        if (result.code === 0) stats.sent += spans.length
        else stats.failed += spans.length
        report(result)
      })
    },
    shutdown: () => exporter.shutdown(),
    end(span, at) {
      if (waiting < limit) {
        waiting++
        span.end(at)
      } else stats.dropped++
    },
    stats: () => ({ ...stats }),
  }
}

/** Time since the epoch of a monotonic time within the call. */
const timeOf = (call: Call, tick: number | undefined): number =>
  tick === undefined ? call.startedAt : call.startedAt + tick - call.startedTick

/** An event for each stage at its end, with the stage's name. */
function addStages(call: Call, span: Span): void {
  const { marks = [] } = call
  for (let i = 0; i < marks.length; i += 2)
    span.addEvent(STAGE_NAMES[marks[i] as number] as string, timeOf(call, marks[i + 1]))
}

function endBackend(call: Call, span: Span, end: number, exporter: CountedExporter): void {
  const { backendStatus: status, denial, marks = [] } = call
  if (status !== undefined) span.setAttribute('http.response.status_code', status)
  if (status === undefined || status >= 400) {
    span.setAttribute('error.type', status === undefined ? (denial?.code ?? '_OTHER') : String(status))
    span.setStatus({ code: SpanStatusCode.ERROR })
  }
  let at = end
  for (let i = 0; i < marks.length; i += 2) if (marks[i] === BACKEND) at = timeOf(call, marks[i + 1])
  exporter.end(span, at)
}

const textOf = ({ traceId, spanId, traceFlags }: SpanContext): string =>
  `00-${traceId}-${spanId}-0${traceFlags & 1}`

// takeTrace has checked the form already. The caller's tracestate goes on to the backend as it is, never into a span: its values are free text.
function contextOf(traceparent: string): SpanContext {
  const [, traceId = '', spanId = '', flags = ''] = traceparent.split('-')
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true }
}

const parentOf = ({ traceparent }: Call): Context =>
  traceparent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, contextOf(traceparent))

/** The HTTP request that brought the message, where the message has another parent (mcp.md 7). */
const linksOf = ({ ambientTrace }: Call): Link[] | undefined =>
  ambientTrace === undefined ? undefined : [{ context: contextOf(ambientTrace) }]
