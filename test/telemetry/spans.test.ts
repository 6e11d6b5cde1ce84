// One span per call, sent to an OTLP endpoint where one is configured: attributes by the semantic conventions, parent from the message first.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { STAGE_NAMES } from '../../src/core/stages.ts'
import { type Emulator, type Observed, startEmulator } from '../../src/emulator/index.ts'
import { createTracing, traceTarget } from '../../src/telemetry/spans.ts'
import { EXECUTE, GENERATE, KEY, toolCall } from '../lib/calls.ts'
import { type OtlpSink, openOtlpSink, type Span } from '../lib/otlp.ts'
import { type Served, serve } from '../lib/serve.ts'

const MAIN = resolve(import.meta.dirname, '../../src/main.ts')

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

const SERVER = 2
const CLIENT = 3

describe('spans', () => {
  let emulator: Emulator
  let sink: OtlpSink
  let service: Served
  const seen: Observed[] = []
  before(async () => {
    emulator = await startEmulator({ observe: (request) => seen.push(request) })
    sink = await openOtlpSink()
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

  /** The span of the one call that `send` makes. */
  const span = async (send: () => Promise<void>): Promise<Span> => {
    const known = new Set(sink.spans)
    await send()
    const found = await sink.find((one) => one.kind === SERVER && !known.has(one))
    assert.equal(sink.spans.filter((one) => one.kind === SERVER && !known.has(one)).length, 1)
    return found
  }
  const backendOf = ({ spanId }: Span): Promise<Span> => sink.find((one) => one.parentSpanId === spanId)

  test('a tools/call: name, kind and exactly these attributes', async () => {
    const found = await span(() => post(`${service.url}/mcp`, toolCall('ductape_execute', EXECUTE, 5)))
    assert.equal(found.name, 'tools/call ductape_execute')
    assert.equal(found.parentSpanId ?? '', '')
    assert.equal(found.status.code ?? 0, 0)
    assert.deepEqual(found.links, [])
    const { 'ductape_mcp.call.id': id, 'client.port': port, ...attributes } = found.attributes
    assert.match(id ?? '', /^[0-9a-f-]{36}$/)
    assert.match(port ?? '', /^\d{4,5}$/)
    assert.deepEqual(attributes, {
      'mcp.method.name': 'tools/call',
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'ductape_execute',
      'jsonrpc.request.id': '5',
      'mcp.protocol.version': '2025-03-26',
      'mcp.params.keys': Object.keys(EXECUTE).join(),
      'network.transport': 'tcp',
      'network.protocol.name': 'http',
      'network.protocol.version': '1.1',
      'client.address': '127.0.0.1',
      'ductape_mcp.module': 'product',
      'ductape_mcp.method': 'environments.list',
      'ductape_mcp.effect': 'read',
    })
  })

  test('an event for each stage, in their order and within the call', async () => {
    const found = await span(() => post(`${service.url}/mcp`, toolCall('ductape_execute', EXECUTE)))
    assert.deepEqual(
      found.events.map(({ name }) => name),
      STAGE_NAMES,
    )
    const times = found.events.map(({ timeUnixNano }) => BigInt(timeUnixNano))
    const sorted = [...times].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    assert.deepEqual(times, sorted)
    assert.ok((times[0] as bigint) >= BigInt(found.startTimeUnixNano))
    assert.ok((times.at(-1) as bigint) <= BigInt(found.endTimeUnixNano))
    const refused = await span(() => post(`${service.url}/mcp`, toolCall('ductape_execute', {})))
    assert.deepEqual(
      refused.events.map(({ name }) => name),
      ['transport', 'identity', 'protocol', 'resolve', 'validate'],
    )
  })

  test('the backend call is a span of its own, which the backend continues', async () => {
    const found = await span(() => post(`${service.url}/mcp`, toolCall('ductape_execute', EXECUTE)))
    const asked = await backendOf(found)
    assert.equal(asked.kind, CLIENT)
    assert.equal(asked.name, 'POST')
    assert.equal(asked.traceId, found.traceId)
    const { port, hostname } = new URL(emulator.url)
    assert.deepEqual(asked.attributes, {
      'http.request.method': 'POST',
      'server.address': hostname,
      'server.port': port,
      'url.full': `${emulator.url}/proxy/v1/sdk-proxy/execute`,
      'http.response.status_code': '200',
    })
    assert.ok(BigInt(asked.startTimeUnixNano) >= BigInt(found.startTimeUnixNano))
    assert.ok(BigInt(asked.endTimeUnixNano) <= BigInt(found.endTimeUnixNano))
    assert.ok(BigInt(asked.endTimeUnixNano) > BigInt(asked.startTimeUnixNano))
    assert.equal(seen.at(-1)?.headers['traceparent'], `00-${asked.traceId}-${asked.spanId}-01`)

    emulator.faults.next({ kind: 'status', status: 503 })
    const failed = await backendOf(
      await span(() => post(`${service.url}/mcp`, toolCall('ductape_execute', EXECUTE))),
    )
    assert.equal(failed.attributes['http.response.status_code'], '503')
    assert.equal(failed.attributes['error.type'], '503')
    assert.equal(failed.status.code, 2)
    emulator.faults.next({ kind: 'reset' })
    const cut = await backendOf(
      await span(() => post(`${service.url}/mcp`, toolCall('ductape_execute', EXECUTE))),
    )
    assert.equal(cut.attributes['error.type'], 'backend_interrupted')
    assert.equal(cut.attributes['http.response.status_code'], undefined)
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
      const links = found.links.map((link) => `00-${link.traceId}-${link.spanId}-01`)
      const both = parent === '1' && meta !== undefined
      assert.deepEqual(links, both ? [header] : [], 'the HTTP request, where the message has another parent')
      assert.equal(seen.at(-1)?.headers['traceparent']?.slice(0, 35), `00-${found.traceId}`)
    }
    const same = await span(() =>
      post(`${service.url}/mcp`, message({ traceparent: context('7') }), { traceparent: context('7') }),
    )
    assert.deepEqual(same.links, [])
    const list = await span(() =>
      post(
        `${service.url}/mcp`,
        JSON.stringify({
          jsonrpc: '2.0',
          id: 'b2',
          method: 'tools/list',
          params: { _meta: { traceparent: context('8') } },
        }),
      ),
    )
    assert.equal(list.name, 'tools/list')
    assert.equal(list.parentSpanId, '8'.repeat(16))
    assert.equal(list.attributes['jsonrpc.request.id'], 'b2')
  })

  test('what a caller makes up is neither a name of an argument nor an id', async () => {
    const found = await span(() =>
      post(
        `${service.url}/mcp`,
        toolCall('ductape_execute', { ...EXECUTE, secretword: 1 }, 'the secretword of the caller'),
      ),
    )
    assert.equal(found.attributes['mcp.params.keys'], Object.keys(EXECUTE).join())
    assert.equal(found.attributes['jsonrpc.request.id'], undefined)
  })

  test('a caller that does not sample is followed: no span, and the flag goes on', async () => {
    const unsampled = `00-${'5'.repeat(32)}-${'6'.repeat(16)}-00`
    await post(`${service.url}/mcp`, toolCall('ductape_execute', EXECUTE), { traceparent: unsampled })
    assert.match(String(seen.at(-1)?.headers['traceparent']), /^00-5{32}-[0-9a-f]{16}-00$/)
    await span(() => post(`${service.url}/mcp`, toolCall('ductape_execute', EXECUTE)))
    assert.ok(sink.spans.every(({ traceId }) => traceId !== '5'.repeat(32)))
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
      assert.deepEqual(await createTracing({ env, service, backend: 'http://127.0.0.1:9' }), {
        ok: true,
        tracing: undefined,
      })
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
})
