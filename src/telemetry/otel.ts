// The OpenTelemetry side of spans.ts, in a chunk of its own: the SDK costs start-up time and memory that only tracing should pay.
import { type Context, context, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { NodeSDK } from '@opentelemetry/sdk-node'
import type { Call } from '../core/call.ts'
import { denialRow } from '../core/denials.ts'
import { shownMethod } from '../core/methods.ts'
import type { Tracing } from './spans.ts'

export function startTracing(service: { name: string; version: string }): Tracing {
  // The detectors for host and process would publish command lines; OTEL_RESOURCE_ATTRIBUTES ("env") keeps its meaning.
  process.env['OTEL_NODE_RESOURCE_DETECTORS'] ??= 'env'
  const sdk = new NodeSDK({
    serviceName: process.env['OTEL_SERVICE_NAME'] || service.name,
    traceExporter: new OTLPTraceExporter(),
    instrumentations: [],
    metricReaders: [],
    logRecordProcessors: [],
  })
  sdk.start()
  const tracer = trace.getTracer(service.name, service.version)
  const spans = new WeakMap<Call, Span>()

  const open = (call: Call): Span => {
    const known = spans.get(call)
    if (known !== undefined) return known
    const parent = parentOf(call)
    const span = tracer.startSpan(
      spanName(call),
      { kind: SpanKind.SERVER, startTime: call.startedAt, attributes: attributesOf(call) },
      parent,
    )
    spans.set(call, span)
    return span
  }

  return {
    start(call) {
      const own = open(call).spanContext()
      call.traceparent = `00-${own.traceId}-${own.spanId}-0${own.traceFlags & 1}`
    },
    end(call, status) {
      const span = open(call)
      const { denial } = call
      if (denial !== undefined) {
        const row = denialRow(denial)
        span.setAttribute('error.type', row.form === 'result' ? 'tool_error' : String(row.rpc))
        span.setAttribute('ductape_mcp.code', denial.code)
        span.setAttribute('ductape_mcp.stage', row.stage)
        if (row.form !== 'result') span.setAttribute('rpc.response.status_code', String(row.rpc))
        span.setStatus({ code: SpanStatusCode.ERROR })
      }
      span.setAttribute('http.response.status_code', status)
      span.end()
    },
    close: () => sdk.shutdown(),
  }
}

// takeTrace has checked the form already.
function parentOf(call: Call): Context {
  const [, traceId, spanId, flags] = call.traceparent?.split('-') ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return context.active()
  // The caller's tracestate goes on to the backend as it is, never into a span: its values are free text.
  return trace.setSpanContext(context.active(), {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16),
    isRemote: true,
  })
}

function spanName(call: Call): string {
  const tool = call.tool?.declaration.name
  const method = call.surface === 'rest' ? 'tools/call' : (shownMethod(call) ?? 'http')
  return tool === undefined ? method : `${method} ${tool}`
}

function attributesOf(call: Call): Record<string, string | number> {
  const attributes: Record<string, string | number> = {
    'mcp.method.name': call.surface === 'rest' ? 'tools/call' : (shownMethod(call) ?? 'none'),
    'network.transport': call.channel === 'http' ? 'tcp' : 'pipe',
    'ductape_mcp.call.id': call.id,
  }
  if (call.channel === 'http') {
    attributes['network.protocol.name'] = 'http'
    attributes['client.address'] = call.peer
  }
  if (call.tool !== undefined) {
    attributes['gen_ai.operation.name'] = 'execute_tool'
    attributes['gen_ai.tool.name'] = call.tool.declaration.name
  }
  if (call.message !== undefined) attributes['mcp.protocol.version'] = call.message.revision
  if (typeof call.message?.id === 'number') attributes['jsonrpc.request.id'] = String(call.message.id)
  if (call.module !== undefined) attributes['ductape_mcp.module'] = call.module
  if (call.method !== undefined) attributes['ductape_mcp.method'] = call.method
  return attributes
}
