// One span per call, sent to an OTLP endpoint where one is configured: attributes by the semantic conventions, parent from the message first.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Emulator, type Observed, startEmulator } from '../../src/emulator/index.ts'
import { createTracing, traceTarget } from '../../src/telemetry/spans.ts'
import { EXECUTE, GENERATE, KEY, toolCall } from '../lib/calls.ts'
import { type Served, serve } from '../lib/serve.ts'

const MAIN = resolve(import.meta.dirname, '../../src/main.ts')

interface Span {
  name: string
  kind: number
  traceId: string
  spanId: string
  parentSpanId?: string
  status: { code?: number; message?: string }
  attributes: Record<string, string>
  events: unknown[]
}

interface OtlpSpan extends Omit<Span, 'attributes'> {
  attributes: { key: string; value: Record<string, unknown> }[]
}

interface Sink {
  url: string
  requests: { path: string; text: string }[]
  spans: Span[]
  /** Resolves when this many spans are there. */
  has(count: number): Promise<void>
  close(): void
}

async function openSink(): Promise<Sink> {
  const requests: Sink['requests'] = []
  const spans: Span[] = []
  let wake: () => void = () => undefined
  const server = createServer(async (message, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of message) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    requests.push({ path: message.url ?? '', text })
    const { resourceSpans } = JSON.parse(text) as {
      resourceSpans: { scopeSpans: { spans: OtlpSpan[] }[] }[]
    }
    for (const span of resourceSpans.flatMap((item) => item.scopeSpans.flatMap((scope) => scope.spans))) {
      const attributes = span.attributes.map(({ key, value }) => [key, String(Object.values(value)[0])])
      spans.push({ ...span, attributes: Object.fromEntries(attributes) as Record<string, string> })
    }
    response.end('{}')
    wake()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    spans,
    async has(count) {
      while (spans.length < count)
        await new Promise<void>((done) => {
          wake = done
        })
    },
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

const post = async (url: string, body: string, headers: Record<string, string> = {}): Promise<void> => {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    body,
  })
  await response.arrayBuffer()
}

describe('spans', () => {
  let emulator: Emulator
  let sink: Sink
  let service: Served
  const seen: Observed[] = []
  before(async () => {
    emulator = await startEmulator({ observe: (request) => seen.push(request) })
    sink = await openSink()
    service = await serve({
      config: { backend: { url: emulator.url } },
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
        OTEL_BSP_SCHEDULE_DELAY: '20',
        OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
      },
    })
  })
  after(async () => {
    service.child.kill('SIGTERM')
    assert.deepEqual(await service.exit, { code: 0, signal: null })
    sink.close()
    await emulator.close()
  })

  const span = async (send: () => Promise<void>): Promise<Span> => {
    const count = sink.spans.length
    await send()
    await sink.has(count + 1)
    assert.equal(sink.spans.length, count + 1)
    return sink.spans[count] as Span
  }

  test('a tools/call: name, kind and attributes', async () => {
    const found = await span(() => post(`${service.url}/mcp`, toolCall('ductape_execute', EXECUTE, 5)))
    assert.equal(found.name, 'tools/call ductape_execute')
    assert.equal(found.kind, 2, 'SERVER')
    assert.equal(found.parentSpanId ?? '', '')
    assert.equal(found.status.code ?? 0, 0)
    assert.deepEqual(found.events, [])
    const { 'ductape_mcp.call.id': id, ...attributes } = found.attributes
    assert.match(id ?? '', /^[0-9a-f-]{36}$/)
    assert.deepEqual(attributes, {
      'mcp.method.name': 'tools/call',
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'ductape_execute',
      'jsonrpc.request.id': '5',
      'mcp.protocol.version': '2025-03-26',
      'network.transport': 'tcp',
      'network.protocol.name': 'http',
      'client.address': '127.0.0.1',
      'http.response.status_code': '200',
      'ductape_mcp.module': 'product',
      'ductape_mcp.method': 'environments.list',
    })
    const sent = seen.at(-1)?.headers['traceparent']
    assert.equal(sent, `00-${found.traceId}-${found.spanId}-01`, 'the backend continues this span')
  })

  const context = (digit: string): string => `00-${digit.repeat(32)}-${digit.repeat(16)}-01`

  test('the parent is that of params._meta, else that of the HTTP headers, else there is none', async () => {
    const message = (meta: Record<string, unknown> | undefined): string =>
      JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: 'ductape_execute', arguments: EXECUTE, ...(meta && { _meta: meta }) },
      })
    for (const [meta, header, parent] of [
      [context('1'), context('2'), '1'],
      [undefined, context('2'), '2'],
      [context('3'), undefined, '3'],
      ['nonsense', context('4'), '4'],
      [context('0'), undefined, undefined],
      [undefined, undefined, undefined],
    ] as const) {
      const found = await span(() =>
        post(
          `${service.url}/mcp`,
          message(meta === undefined ? undefined : { traceparent: meta, tracestate: 'vendor=secretword' }),
          header === undefined ? {} : { traceparent: header },
        ),
      )
      assert.equal(found.parentSpanId ?? '', parent === undefined ? '' : parent.repeat(16))
      if (parent !== undefined) assert.equal(found.traceId, parent.repeat(32))
      assert.equal(seen.at(-1)?.headers['traceparent'], `00-${found.traceId}-${found.spanId}-01`)
    }
  })

  test('a caller that does not sample is followed: no span, and the flag goes on', async () => {
    const count = sink.spans.length
    const unsampled = `00-${'5'.repeat(32)}-${'6'.repeat(16)}-00`
    await post(`${service.url}/mcp`, toolCall('ductape_execute', EXECUTE), { traceparent: unsampled })
    assert.match(String(seen.at(-1)?.headers['traceparent']), /^00-5{32}-[0-9a-f]{16}-00$/)
    await span(() => post(`${service.url}/mcp`, toolCall('ductape_execute', EXECUTE)))
    assert.equal(sink.spans.length, count + 1)
  })

  test('a 2026-07-28 call has its revision', async () => {
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id: 'a-b-c',
      method: 'tools/call',
      params: {
        name: 'ductape_generate_payload',
        arguments: GENERATE,
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientCapabilities': {},
        },
      },
    })
    const found = await span(() =>
      post(`${service.url}/mcp`, body, {
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': 'ductape_generate_payload',
      }),
    )
    assert.equal(found.attributes['mcp.protocol.version'], '2026-07-28')
    assert.equal(found.name, 'tools/call ductape_generate_payload')
  })

  test('failures: error.type, status, code and stage', async () => {
    emulator.faults.next({ kind: 'status-false', message: 'secretword' })
    const failed = await span(() => post(`${service.url}/mcp`, toolCall('ductape_execute', EXECUTE)))
    assert.equal(failed.attributes['error.type'], 'tool_error')
    assert.equal(failed.attributes['ductape_mcp.code'], 'backend_failed')
    assert.equal(failed.attributes['ductape_mcp.stage'], 'backend')
    assert.equal(failed.status.code, 2)
    assert.equal(failed.status.message ?? '', '')
    const unknown = await span(() => post(`${service.url}/mcp`, toolCall('secretword', {})))
    assert.equal(unknown.name, 'tools/call')
    assert.equal(unknown.attributes['error.type'], '-32602')
    assert.equal(unknown.attributes['rpc.response.status_code'], '-32602')
    const refused = await span(() => post(`${service.url}/secretword`, '{}'))
    assert.equal(refused.name, 'http')
    assert.equal(refused.attributes['http.response.status_code'], '404')
    assert.equal(refused.attributes['ductape_mcp.stage'], 'transport')
    const rest = await span(() => post(`${service.url}/v1/tools/ductape_execute`, JSON.stringify(EXECUTE)))
    assert.equal(rest.name, 'tools/call ductape_execute')
  })

  test('nothing that the caller wrote is in what was sent', () => {
    assert.ok(sink.requests.length > 0)
    for (const { path, text } of sink.requests) {
      assert.equal(path, '/v1/traces')
      for (const word of [
        KEY,
        GENERATE.public_key,
        GENERATE.workspace_id,
        'secretword',
        'ductape:my-product',
      ])
        assert.ok(!text.includes(word), word)
      assert.match(text, /"deployment.environment.name"/)
      assert.doesNotMatch(text, /process\.command|process\.owner|host\.name|argv/)
    }
  })
})

describe('without spans', () => {
  test('no endpoint, a disabled SDK or no exporter: nothing is loaded', async () => {
    const service = { name: 'a', version: '0' }
    for (const env of [
      {},
      { OTEL_EXPORTER_OTLP_ENDPOINT: '' },
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_SDK_DISABLED: 'true' },
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_TRACES_EXPORTER: 'none' },
    ]) {
      assert.deepEqual(traceTarget(env), { ok: true, endpoint: undefined })
      assert.deepEqual(await createTracing({ env, service }), { ok: true, tracing: undefined })
    }
    assert.equal(process.env['OTEL_NODE_RESOURCE_DETECTORS'], undefined, 'the tracing module was not loaded')
  })

  for (const name of ['OTEL_EXPORTER_OTLP_PROTOCOL', 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL']) {
    test(`another ${name} ends with exit 2 and says why`, () => {
      const { status, stderr, stdout } = spawnSync(process.execPath, [MAIN, 'serve'], {
        env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', [name]: 'grpc' },
        encoding: 'utf8',
      })
      assert.equal(status, 2, stderr)
      assert.match(stderr, /OTEL_EXPORTER_OTLP_PROTOCOL is "grpc"; this build sends http\/json only/)
      assert.equal(stdout, '')
    })
  }

  test('an endpoint that is away costs no call and does not hold the exit', async () => {
    const emulator = await startEmulator()
    // A server that accepts and says nothing.
    const silent = createServer(() => undefined).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const service = await serve({
      config: { backend: { url: emulator.url } },
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`,
        OTEL_BSP_SCHEDULE_DELAY: '20',
      },
    })
    try {
      await post(`${service.url}/mcp`, toolCall('ductape_execute', EXECUTE))
      await post(`${service.url}/mcp`, toolCall('ductape_execute', EXECUTE))
      const started = performance.now()
      service.child.kill('SIGTERM')
      await service.exit
      assert.ok(performance.now() - started < 5000)
      assert.equal(service.stdout().match(/"type":"(decision|outcome)"/g)?.length, 4)
    } finally {
      silent.close()
      silent.closeAllConnections()
      await emulator.close()
    }
  })
})
