// What goes to the backend: two paths of one origin, the key in its one place, pooled connections, own authorities and proxy (ductape-backend.md 3, 5).
import assert from 'node:assert/strict'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { type DialOptions, dial } from '../../src/outbound.ts'
import { startApp, type TestApp, type TestAppOptions } from '../lib/app.ts'
import { callRest, callTool, EXECUTE, GENERATE, KEY, textOf, toolCall } from '../lib/calls.ts'
import { createAuthority } from '../lib/certificate.ts'
import { type Kept, SUCCESS, startKeeping, startProxy } from './lib/servers.ts'

const UNREACHABLE = 'Error: [backend_unreachable] The Ductape backend could not be reached; nothing was sent.'
const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const ID = '018f1111-2222-7333-8444-555566667777'

const headersOf = ({ rawHeaders }: Kept): [string, string][] =>
  rawHeaders.flatMap((name, index) =>
    index % 2 === 0 ? [[name.toLowerCase(), rawHeaders[index + 1] ?? ''] as [string, string]] : [],
  )

async function withApp(
  t: { after(run: () => Promise<void>): void },
  options: TestAppOptions,
): Promise<TestApp> {
  const app = await startApp(options)
  t.after(() => app.close())
  return app
}

test('the request of an execute call, byte for byte', async (t) => {
  const server = await startKeeping()
  t.after(() => server.close())
  const app = await withApp(t, { backend: server.url })
  await fetch(app.mcp, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-request-id': ID,
      traceparent: TRACEPARENT,
      tracestate: 'vendor=1',
      // Nothing of these is the backend's business.
      authorization: 'Bearer not-for-the-backend',
      cookie: 'a=b',
      baggage: 'c=d',
      'x-publishable-key': 'pk_from_a_header_1234',
      'x-forwarded-for': '10.0.0.1',
    },
    body: toolCall('ductape_execute', {
      ...EXECUTE,
      params: ['ductape:my-product', { a: [1.5, null, 'ü'] }],
    }),
  })
  const body =
    '{"module":"product","method":"environments.list","params":["ductape:my-product",{"a":[1.5,null,"ü"]}]}'
  const [request, ...more] = server.requests
  assert.ok(request)
  assert.deepEqual(more, [])
  assert.deepEqual([request.method, request.path], ['POST', '/proxy/v1/sdk-proxy/execute'])
  assert.equal(request.body, body)
  assert.deepEqual(headersOf(request), [
    ['host', new URL(server.url).host],
    ['connection', 'keep-alive'],
    ['content-type', 'application/json'],
    ['accept', 'application/json'],
    ['user-agent', 'ductape-mcp/0.0.0-test'],
    ['x-request-id', ID],
    ['x-publishable-key', KEY],
    ['traceparent', TRACEPARENT],
    ['tracestate', 'vendor=1'],
    ['content-length', String(Buffer.byteLength(body))],
  ])
})

test('keyPlacement body: the key stands in the body and in no header', async (t) => {
  const server = await startKeeping()
  t.after(() => server.close())
  const app = await withApp(t, { backend: server.url, config: { backend: { keyPlacement: 'body' } } })
  await callTool(app.url, 'ductape_execute', EXECUTE)
  const [request] = server.requests
  assert.ok(request)
  assert.deepEqual(JSON.parse(request.body), {
    publishable_key: KEY,
    module: EXECUTE.module,
    method: EXECUTE.method,
    params: EXECUTE.params,
  })
  assert.ok(!request.rawHeaders.join('\n').includes(KEY))
})

test('the request of the generate tools: x-access-key, the defaults sent, absent arguments and language not', async (t) => {
  const server = await startKeeping()
  t.after(() => server.close())
  const app = await withApp(t, { backend: server.url, config: { backend: { keyPlacement: 'body' } } })
  await callTool(app.url, 'ductape_generate_payload', GENERATE)
  await callTool(app.url, 'ductape_generate_snippet', {
    ...GENERATE,
    targets: { database: 'main-db' },
    schema_mode: 'strict',
    include_session: false,
    input_hint: { limit: 10 },
    language: 'python',
  })
  assert.deepEqual(
    server.requests.map(({ path }) => path),
    ['/integrations/v1/payloads/generate', '/integrations/v1/payloads/generate'],
  )
  assert.deepEqual(
    server.requests.map(({ body }) => JSON.parse(body)),
    [
      { ...GENERATE, schema_mode: 'best_effort', include_session: true, include_cache: true },
      {
        ...GENERATE,
        targets: { database: 'main-db' },
        schema_mode: 'strict',
        include_session: false,
        include_cache: true,
        input_hint: { limit: 10 },
      },
    ],
  )
  for (const request of server.requests) {
    const held = headersOf(request).filter(([, value]) => value.includes(GENERATE.public_key))
    assert.deepEqual(held, [['x-access-key', GENERATE.public_key]])
  }
})

test('a key never stands in the path or the query', async (t) => {
  const server = await startKeeping()
  t.after(() => server.close())
  const app = await withApp(t, { backend: server.url })
  await callRest(app.url, 'ductape_execute', EXECUTE)
  await callTool(app.url, 'ductape_execute', {
    ...EXECUTE,
    module: 'databases',
    method: 'query',
    params: ['/../x?y#z'],
  })
  assert.deepEqual([...new Set(server.requests.map(({ path }) => path))], ['/proxy/v1/sdk-proxy/execute'])
})

test('without a request id and a trace the call has an id of its own and no trace', async (t) => {
  const server = await startKeeping()
  t.after(() => server.close())
  const app = await withApp(t, { backend: server.url })
  const { headers } = await callRest(app.url, 'ductape_execute', EXECUTE)
  const sent = new Map(headersOf(server.requests[0] as Kept))
  assert.equal(sent.get('x-request-id'), headers.get('x-request-id'))
  assert.equal(sent.has('traceparent'), false)
  assert.equal(sent.has('tracestate'), false)
})

test('connections are used again, and no more are opened than configured', async (t) => {
  const server = await startKeeping((_kept, response) => {
    setImmediate(() => response.writeHead(200, { 'content-type': 'application/json' }).end(SUCCESS))
  })
  t.after(() => server.close())
  const app = await withApp(t, { backend: server.url, config: { backend: { connections: 3 } } })
  for (let call = 0; call < 20; call++) await callTool(app.url, 'ductape_execute', EXECUTE)
  assert.equal(server.connections(), 1)
  await Promise.all(Array.from({ length: 30 }, () => callTool(app.url, 'ductape_execute', EXECUTE)))
  assert.equal(server.requests.length, 50)
  assert.ok(server.connections() <= 3, `${server.connections()} connections`)
})

for (const status of [301, 302, 303, 307, 308]) {
  test(`a redirect is not followed: ${status}`, async (t) => {
    const elsewhere = await startKeeping()
    t.after(() => elsewhere.close())
    const server = await startKeeping((_kept, response) =>
      response.writeHead(status, { location: `${elsewhere.url}/proxy/v1/sdk-proxy/execute` }).end(),
    )
    t.after(() => server.close())
    const app = await withApp(t, { backend: server.url })
    assert.equal(
      textOf(await callTool(app.url, 'ductape_execute', EXECUTE)),
      `Error: Proxy request failed: ${status}`,
    )
    assert.equal(elsewhere.connections(), 0)
    assert.equal(server.requests.length, 1)
  })
}

async function callOver(
  t: { after(run: () => Promise<void>): void },
  origin: string,
  options: Partial<DialOptions>,
): Promise<string> {
  const backend = await dial('backend', {
    origin,
    connections: 2,
    ca: undefined,
    proxy: undefined,
    connectTimeout: 5000,
    ...options,
  })
  const app = await withApp(t, { backend, config: { backend: { url: origin, timeout: 10_000 } } })
  return textOf(await callTool(app.url, 'ductape_execute', EXECUTE))
}

test('https: own authorities take the place of the built-in ones, and the name has to be the certificate’s', async (t) => {
  const authority = createAuthority()
  const server = await startKeeping(undefined, authority.issue(['127.0.0.1']))
  t.after(() => server.close())
  assert.match(await callOver(t, server.url, { ca: authority.certificate }), /"ok": true/)
  assert.equal(await callOver(t, server.url, {}), UNREACHABLE)
  assert.equal(await callOver(t, server.url, { ca: createAuthority().certificate }), UNREACHABLE)
  const other = await startKeeping(undefined, authority.issue(['backend.example', '192.0.2.1']))
  t.after(() => other.close())
  assert.equal(await callOver(t, other.url, { ca: authority.certificate }), UNREACHABLE)
  assert.equal(other.requests.length, 0)
  assert.equal(server.requests.length, 1)
})

test('an egress proxy gets CONNECT and sees neither key nor content of an https backend', async (t) => {
  const authority = createAuthority()
  const server = await startKeeping(undefined, authority.issue(['127.0.0.1']))
  const proxy = await startProxy()
  t.after(() => Promise.all([server.close(), proxy.close()]).then(() => undefined))
  assert.match(await callOver(t, server.url, { ca: authority.certificate, proxy: proxy.url }), /"ok": true/)
  assert.deepEqual(proxy.targets, [new URL(server.url).host])
  assert.ok(proxy.seen().length > 500)
  for (const secret of [KEY, 'sdk-proxy', 'environments.list', 'x-request-id'])
    assert.ok(!proxy.seen().includes(secret), secret)
  assert.equal(await callOver(t, server.url, { proxy: proxy.url }), UNREACHABLE)
  assert.equal(server.requests.length, 1)
})

for (const [what, refuse] of [
  ['refuses the tunnel', 403],
  ['wants credentials', 407],
  ['hangs up', 0],
] as const) {
  test(`a proxy that ${what}: nothing was sent`, async (t) => {
    const server = await startKeeping()
    const proxy = await startProxy(refuse)
    t.after(() => Promise.all([server.close(), proxy.close()]).then(() => undefined))
    assert.equal(await callOver(t, server.url, { proxy: proxy.url }), UNREACHABLE)
    assert.equal(server.connections(), 0)
  })
}

test('a proxy that is not there: nothing was sent', async (t) => {
  const proxy = await startProxy()
  await proxy.close()
  assert.equal(await callOver(t, 'https://backend.example', { proxy: proxy.url }), UNREACHABLE)
})

for (const proxied of [false, true]) {
  test(`HTTP/1.1 is spoken to a backend that could do HTTP/2${proxied ? ', through a proxy too' : ''}`, async (t) => {
    const authority = createAuthority()
    const { certificate, key } = authority.issue(['127.0.0.1'])
    const versions: string[] = []
    const server = http2.createSecureServer(
      { cert: certificate, key, allowHTTP1: true },
      (request, response) => {
        versions.push(request.httpVersion)
        request.resume()
        request.on('end', () => response.end(SUCCESS))
      },
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.after(() => new Promise<void>((resolve) => server.close(() => resolve())))
    const proxy = proxied ? await startProxy() : undefined
    t.after(async () => proxy?.close())
    const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
    assert.match(await callOver(t, origin, { ca: authority.certificate, proxy: proxy?.url }), /"ok": true/)
    assert.deepEqual(versions, ['1.1'])
  })
}
