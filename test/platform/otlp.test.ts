// What goes to an OpenTelemetry collector, decoded by the published schema; and one trace from an agent through nginx and the service to the backend.
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { request } from 'undici'
import { STAGE_NAMES } from '../../src/core/stages.ts'
import { type Emulator, type Observed, startEmulator } from '../../src/emulator/index.ts'
import { type OtlpSink, openOtlpSink } from '../lib/otlp.ts'
import { EXECUTE } from './lib/calls.ts'
import { type Certificates, makeCertificates, PUBLIC_URL } from './lib/certs.ts'
import { agent } from './lib/mtls.ts'
import { type Nginx, startNginx } from './lib/nginx.ts'
import { complete } from './lib/process.ts'
import { mtlsSection, startUnixService, type UnixService } from './lib/service.ts'
import { PYTHON, unless } from './lib/tools.ts'

const DECODER = fileURLToPath(new URL('./otlp-decode.py', import.meta.url))

interface Decoded {
  service: Record<string, string>
  name: string
  kind: string
  traceId: string
  spanId: string
  parentSpanId: string
  status: string
  nanoseconds: number
  attributes: Record<string, unknown>
  events: string[]
  links: string[]
}

/** All spans, as an independent reader of the schema understands them. */
async function decode(sink: OtlpSink): Promise<Decoded[]> {
  const input = sink.requests.map(({ text }) => `${text}\n`).join('')
  const { code, stdout, stderr } = await complete(PYTHON, ['-I', DECODER], { input })
  assert.equal(code, 0, stderr)
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Decoded)
}

describe('OTLP through nginx', { skip: unless('nginx', 'openssl', 'python packages') }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-otlp-'))
  const seen: Observed[] = []
  let emulator: Emulator
  let sink: OtlpSink
  let certs: Certificates
  let service: UnixService
  let nginx: Nginx

  before(async () => {
    chmodSync(folder, 0o755)
    certs = makeCertificates(folder, 'otlp')
    emulator = await startEmulator({ observe: (one) => seen.push(one) })
    sink = await openOtlpSink()
    service = await startUnixService(
      join(folder, 'service'),
      emulator.url,
      { mtls: mtlsSection(certs.caFile) },
      {
        OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
        OTEL_BSP_SCHEDULE_DELAY: '20',
        OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
      },
    )
    nginx = await startNginx(folder, certs, service.socket)
  })
  after(async () => {
    await nginx?.close()
    await service?.close()
    await emulator?.close()
    sink?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  /** A call of an agent that has this trace context in its message, in its headers, or nowhere. */
  async function call(meta: string | undefined, header: string | undefined): Promise<void> {
    const dispatcher = agent(certs, { port: nginx.port })
    try {
      const { statusCode, body } = await request(`${PUBLIC_URL}/mcp`, {
        method: 'POST',
        dispatcher,
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': '2025-11-25',
          ...(header !== undefined && { traceparent: header }),
        },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: 7,
          method: 'tools/call',
          params: {
            name: EXECUTE.name,
            arguments: EXECUTE.arguments,
            ...(meta !== undefined && { _meta: { traceparent: meta } }),
          },
        }),
      })
      assert.match(await body.text(), /My Product/)
      assert.equal(statusCode, 200)
    } finally {
      await dispatcher.close()
    }
  }

  test('an agent, nginx, the service and the backend are in one trace, whichever way its context comes', async () => {
    const trace = 'a'.repeat(32)
    const agentSpan = '1'.repeat(16)
    const httpSpan = '2'.repeat(16)
    await call(`00-${trace}-${agentSpan}-01`, `00-${trace}-${httpSpan}-01`)
    const other = 'b'.repeat(32)
    await call(undefined, `00-${other}-${httpSpan}-01`)
    for (const traceId of [trace, other])
      await sink.find((span) => span.traceId === traceId && span.kind === 3)
    const spans = await decode(sink)

    const inTrace = (traceId: string, kind: string): Decoded => {
      const found = spans.filter((span) => span.traceId === traceId && span.kind === kind)
      assert.equal(found.length, 1)
      return found[0] as Decoded
    }
    const server = inTrace(trace, 'SPAN_KIND_SERVER')
    assert.equal(server.parentSpanId, agentSpan, 'the message names the parent')
    assert.deepEqual(server.links, [`${trace}-${httpSpan}`], 'the HTTP request is a link')
    const client = inTrace(trace, 'SPAN_KIND_CLIENT')
    assert.equal(client.parentSpanId, server.spanId)
    assert.equal(seen[0]?.headers['traceparent'], `00-${trace}-${client.spanId}-01`)

    const plain = inTrace(other, 'SPAN_KIND_SERVER')
    assert.equal(plain.parentSpanId, httpSpan)
    assert.deepEqual(plain.links, [])
    const asked = inTrace(other, 'SPAN_KIND_CLIENT')
    assert.equal(seen[1]?.headers['traceparent'], `00-${other}-${asked.spanId}-01`)
  })

  test('the schema reads every member, and the attributes are those of the conventions and ours', async () => {
    await call(undefined, undefined)
    await sink.find(
      (span) => span.kind === 3 && span.traceId !== 'a'.repeat(32) && span.traceId !== 'b'.repeat(32),
    )
    const spans = await decode(sink)
    assert.ok(spans.length >= 2)
    const server = spans.filter(({ kind }) => kind === 'SPAN_KIND_SERVER').at(-1) as Decoded
    assert.equal(server.name, `tools/call ${EXECUTE.name}`)
    assert.equal(server.service['service.name'], 'ductape-mcp')
    assert.equal(server.service['deployment.environment.name'], 'test')
    assert.equal(server.status, 'STATUS_CODE_UNSET')
    assert.ok(server.nanoseconds > 0)
    assert.deepEqual(server.events, STAGE_NAMES)
    const { 'ductape_mcp.call.id': id, ...attributes } = server.attributes
    assert.match(String(id), /^[0-9a-f-]{36}$/)
    // The peer is a certificate: it has no address.
    assert.deepEqual(attributes, {
      'mcp.method.name': 'tools/call',
      'jsonrpc.request.id': '7',
      'mcp.protocol.version': '2025-11-25',
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': EXECUTE.name,
      'mcp.params.keys': 'publishable_key,module,method,params',
      'network.transport': 'tcp',
      'network.protocol.name': 'http',
      'network.protocol.version': '1.1',
      'ductape_mcp.module': 'product',
      'ductape_mcp.method': 'fetch',
      'ductape_mcp.effect': 'read',
    })
  })

  test('a body that the schema does not know is an error of the decoder', async () => {
    const input = '{"resourceSpans":[{"scopeSpans":[{"spans":[{"nonsense":1}]}]}]}\n'
    const { code, stderr } = await complete(PYTHON, ['-I', DECODER], { input })
    assert.notEqual(code, 0)
    assert.match(stderr, /nonsense/)
  })
})
