// Each way in which the backend can fail has its documented answer, word for word, on all three ways in; and the next call works.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ToolDefinition } from '../../src/core/tool.ts'
import { type Fault, startEmulator } from '../../src/emulator/index.ts'
import { callTool, EXECUTE, textOf, toolCall } from '../lib/calls.ts'
import {
  busy,
  type Expected,
  expectAll,
  failed,
  INTERRUPTED,
  json,
  late,
  MALFORMED,
  refused,
  TOO_LARGE,
  UNREACHABLE,
  withApp,
} from './lib/expected.ts'
import { startKeeping } from './lib/servers.ts'

const ANNOTATIONS = {
  title: 'x',
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false,
}

const FAULTS: readonly (readonly [what: string, fault: Fault, expected: Expected])[] = [
  [
    '400, upstream_error as text',
    json(400, { upstream_error: 'no such table', error: 'x', message: 'y' }),
    refused(400, 'no such table'),
  ],
  [
    '401, upstream_error.message',
    json(401, { upstream_error: { message: 'who are you', error: 'x' } }),
    refused(401, 'who are you'),
  ],
  [
    '403, upstream_error.error',
    json(403, { upstream_error: { error: 'not yours' }, error: 'x' }),
    refused(403, 'not yours'),
  ],
  [
    '404, upstream_error.errors as text',
    json(404, { upstream_error: { errors: 'not found', message: 'x' } }),
    refused(404, 'not found'),
  ],
  [
    '422, upstream_error.errors as a list',
    json(422, { upstream_error: { errors: ['"a" is required', 7, 'b is not'] } }),
    refused(422, '"a" is required; b is not'),
  ],
  [
    '400, an empty upstream_error leaves the word to error',
    json(400, { upstream_error: {}, error: 'plain' }),
    refused(400, 'plain'),
  ],
  ['400, error', json(400, { error: 'bad request', message: 'x' }), refused(400, 'bad request')],
  ['400, message', json(400, { message: 'bad request', errors: 'x' }), refused(400, 'bad request')],
  [
    '422, errors',
    json(422, { status: false, meta: {}, errors: 'validation failed' }),
    refused(422, 'validation failed'),
  ],
  ['400, errors as a list', json(400, { errors: ['a', 'b'] }), refused(400, 'a; b')],
  [
    '400, messages that are not text',
    json(400, { upstream_error: 7, error: { a: 1 }, message: null, errors: [1] }),
    refused(400),
  ],
  ['400, a blank message', json(400, { message: ' \u200b\n ' }), refused(400)],
  ['400, a list', json(400, ['x']), refused(400)],
  ['400, no body', { kind: 'empty', status: 400 }, refused(400)],
  ['404, not JSON', { kind: 'status', status: 404, body: '<html>not found</html>' }, refused(404)],
  ['413', json(413, { message: 'request entity too large' }), refused(413, 'request entity too large')],
  [
    '500',
    json(500, { message: 'unable to process request at this time' }),
    refused(500, 'unable to process request at this time'),
  ],
  ['502, not JSON', { kind: 'status', status: 502, body: '<html>bad gateway</html>' }, refused(502)],
  ['504, no body', { kind: 'empty', status: 504 }, refused(504)],
  ['200 inside, 400 outside', json(400, { status: true, data: { data: 1 } }), refused(400)],
  ['307', { kind: 'redirect', location: '/elsewhere' }, refused(307)],
  ['304', { kind: 'empty', status: 304 }, refused(304)],
  [
    '429 with Retry-After',
    json(429, { message: 'too many requests' }, { 'retry-after': '7' }),
    busy(429, 'too many requests', 7000),
  ],
  ['429 without', json(429, { message: 'too many requests' }), busy(429, 'too many requests')],
  [
    '429 with a date',
    json(429, {}, { 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' }),
    busy(429, undefined),
  ],
  ['429 with nonsense', json(429, {}, { 'retry-after': '99999999999999999999' }), busy(429, undefined)],
  [
    '503 with Retry-After',
    json(503, { error: 'maintenance' }, { 'retry-after': '120' }),
    busy(503, 'maintenance', 120_000),
  ],
  ['503, not JSON', { kind: 'status', status: 503, body: 'busy' }, busy(503, undefined)],
  ['500 with Retry-After, which means nothing here', json(500, {}, { 'retry-after': '7' }), refused(500)],
  [
    '200, status false',
    { kind: 'status-false', message: 'Product not found', code: 'NOT_FOUND' },
    failed('Product not found'),
  ],
  ['200, status false and no message', json(200, { status: false, code: 'X' }), failed()],
  [
    '200, status false, message elsewhere',
    json(200, { status: false, errors: 'over there' }),
    failed('over there'),
  ],
  [
    '200, status false beside data',
    json(200, { status: false, message: 'no', data: { data: 1, payload: {}, meta: {} } }),
    failed('no'),
  ],
  ['a reset before the head', { kind: 'reset', when: 'before-headers' }, INTERRUPTED],
  ['a reset after the head', { kind: 'reset', when: 'after-headers' }, INTERRUPTED],
  ['an answer cut off', { kind: 'truncation' }, INTERRUPTED],
  ['an answer cut off before its first byte', { kind: 'truncation', sent: 0 }, INTERRUPTED],
  ['20 MB', { kind: 'giant', bytes: 20 * 1024 * 1024 }, TOO_LARGE],
  ['not JSON', { kind: 'not-json' }, MALFORMED],
  ['broken JSON', { kind: 'body', body: '{"status":true,"data":{"data":' }, MALFORMED],
  ['an empty body', { kind: 'empty' }, MALFORMED],
  ['204', { kind: 'empty', status: 204 }, MALFORMED],
  ['no envelope', { kind: 'body', body: '[1]' }, MALFORMED],
  ['a bare value', { kind: 'body', body: '7' }, MALFORMED],
  ['no data', { kind: 'body', body: '{"status":true}' }, MALFORMED],
  ['data that is no object', { kind: 'body', body: '{"status":true,"data":[1]}' }, MALFORMED],
  ['data that is null', { kind: 'body', body: '{"status":true,"data":null}' }, MALFORMED],
  [
    'nested too deep',
    { kind: 'body', body: `{"status":true,"data":${'{"data":'.repeat(40_000)}1${'}'.repeat(40_001)}` },
    MALFORMED,
  ],
  [
    'nested too deep, with an escape',
    { kind: 'body', body: `{"status":true,"data":{"data":${'['.repeat(1001)}"\\u0061"${']'.repeat(1001)}}}` },
    MALFORMED,
  ],
]

for (const [what, fault, expected] of FAULTS) {
  test(`the backend answers: ${what}`, async (t) => {
    const app = await withApp(t, {})
    app.emulator?.faults.always(fault)
    await expectAll(app, expected)
    app.emulator?.faults.clear()
    assert.match(textOf(await callTool(app.url, 'ductape_execute', EXECUTE)), /"prd"/)
  })
}

for (const [what, fault] of [
  ['no answer at all', { kind: 'hang' }],
  ['a head, then drops that never end', { kind: 'drip', bytes: 1, ms: 60 }],
] as const) {
  test(`the deadline runs to the last byte: ${what}`, async (t) => {
    const app = await withApp(t, { config: { backend: { timeout: 300 } } })
    app.emulator?.faults.always(fault)
    await expectAll(app, late(0.3))
  })
}

test('a method with a deadline of its own', async (t) => {
  const app = await withApp(t, {
    config: { backend: { timeout: 60_000, methodTimeouts: { 'product.environments.list': 300 } } },
  })
  app.emulator?.faults.always({ kind: 'hang' })
  assert.equal(textOf(await callTool(app.url, 'ductape_execute', EXECUTE)), late(0.3).text)
})

test('nobody listens', async (t) => {
  const server = await startKeeping()
  await server.close()
  const app = await withApp(t, { backend: server.url })
  await expectAll(app, UNREACHABLE)
})

test('a call that never gets a connection has sent nothing', async (t) => {
  const app = await withApp(t, {
    config: {
      http: { drainTimeout: 0 },
      backend: { timeout: 300, connections: 1, methodTimeouts: { 'product.environments.list': 60_000 } },
    },
  })
  app.emulator?.faults.always({ kind: 'hang' })
  // Holds the only connection longer than the others wait; it ends with the service.
  const holder = callTool(app.url, 'ductape_execute', EXECUTE).catch(() => undefined)
  while (app.emulator?.stats.requests.execute !== 1) await new Promise((resolve) => setImmediate(resolve))
  const fetched = { ...EXECUTE, method: 'fetch' }
  const texts = await Promise.all([0, 1].map(() => callTool(app.url, 'ductape_execute', fetched)))
  assert.deepEqual(texts.map(textOf), [UNREACHABLE.text, UNREACHABLE.text])
  assert.equal(app.emulator?.stats.requests.execute, 1)
  await app.close()
  await holder
})

test('the backend is restarted: calls fail while it is away and work again', async (t) => {
  const first = await startEmulator()
  const app = await withApp(t, { backend: first.url })
  const call = async (): Promise<string> => textOf(await callTool(app.url, 'ductape_execute', EXECUTE))
  assert.match(await call(), /"prd"/)
  await first.close()
  const away = await call()
  assert.ok([UNREACHABLE.text, INTERRUPTED.text].includes(away), away)
  assert.equal(await call(), UNREACHABLE.text)
  const second = await startEmulator({ port: Number(new URL(first.url).port) })
  t.after(() => second.close())
  assert.match(await call(), /"prd"/)
  assert.match(await call(), /"prd"/)
})

test('a result larger than configured is refused by its bytes, and says that the operation took effect', async (t) => {
  const app = await withApp(t, { config: { response: { maxResult: 1000 } } })
  app.emulator?.faults.next({ kind: 'result', value: 'ü'.repeat(450) })
  assert.equal(textOf(await callTool(app.url, 'ductape_execute', EXECUTE)), `"${'ü'.repeat(450)}"`)
  app.emulator?.faults.next({ kind: 'result', value: 'ü'.repeat(600) })
  assert.equal(
    textOf(await callTool(app.url, 'ductape_execute', EXECUTE)),
    'Error: [result_too_large] The result is larger than 1000 bytes. The operation took effect.',
  )
  assert.deepEqual(app.records().at(-1)?.outcome?.status, 'executed')
})

test('twenty answers of 20 MB at once leave the memory bounded', async (t) => {
  const app = await withApp(t, {})
  app.emulator?.faults.always({ kind: 'giant', bytes: 20 * 1024 * 1024 })
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => callTool(app.url, 'ductape_execute', EXECUTE)),
  )
  assert.deepEqual([...new Set(answers.map(textOf))], [TOO_LARGE.text])
})

test('a result that cannot be written is an internal error with both records, and nothing of it is shown', async (t) => {
  const cycle: Record<string, unknown> = { secret: 'pk_live_inside_the_cycle_1' }
  cycle['self'] = cycle
  const name = 'ductape_execute'
  const tool: ToolDefinition = {
    declaration: { name, title: name, description: name, inputSchema: {}, annotations: ANNOTATIONS },
    credentialArguments: [],
    validate: () => ({
      operation: { module: undefined, method: undefined, effect: 'read', env: [], product: [], path: [] },
      credentials: [],
      arguments: {},
      text: '{}',
      request: () => ({
        path: '/proxy/v1/sdk-proxy/execute',
        keyHeader: 'x-publishable-key',
        credential: EXECUTE.publishable_key,
        credentialInBody: false,
        body: JSON.stringify(EXECUTE),
        timeout: 5000,
        abandonable: false,
      }),
      answer: () => ({ content: [{ type: 'text', text: 'x', annotations: cycle }], value: cycle }),
    }),
    failure: () => 'failed',
  }
  const app = await withApp(t, { tools: [tool] })
  for (const path of ['/mcp', `/v1/tools/${name}`]) {
    const response = await fetch(`${app.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: path === '/mcp' ? toolCall(name, {}) : '{}',
    })
    const body = await response.text()
    assert.equal(response.status, 500)
    assert.match(body, /internal_error/)
    for (const text of [body, app.log().join('\n')])
      assert.doesNotMatch(text, /pk_live_inside|circular|TypeError/i)
    assert.deepEqual(app.records().at(-1)?.outcome?.status, 'fault')
  }
  assert.equal(app.records().length, 4)
})
