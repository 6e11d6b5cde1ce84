// The wire rules of tools/call, one row each: headers, envelope, versions, ids, methods, hints and refusals (mcp.md 1.1).
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  CAPABILITIES,
  CLIENT_INFO,
  EXECUTE,
  LOG_LEVEL,
  type Message,
  MODERN,
  modern,
  modernHeaders,
  PAYLOAD,
  request,
  VERSION,
  without,
} from './lib/messages.ts'
import { only, useService } from './lib/session.ts'

const session = useService()
const { post } = session

const CALL_HEADERS = modernHeaders('tools/call', EXECUTE.name)
const base64 = (text: string): string => `=?base64?${Buffer.from(text).toString('base64')}?=`

interface Row {
  name: string
  body?: unknown
  headers?: Record<string, string | null>
  status: number
  /** undefined = a result. */
  code?: number
  data?: Message
  id?: unknown
}

async function check(row: Row): Promise<void> {
  const received = await post(row.body ?? request('tools/call', modern(EXECUTE)), row.headers ?? CALL_HEADERS)
  const answer = only(received)
  assert.equal(received.status, row.status, received.text)
  assert.equal(answer.error?.code, row.code, received.text)
  assert.deepEqual(answer.id, 'id' in row ? row.id : 1)
  for (const [name, value] of Object.entries(row.data ?? {}))
    assert.deepEqual(answer.error?.data?.[name], value)
  if (row.code === undefined) assert.notEqual(answer.result?.isError, true, received.text)
  // The refusal's stable code and the request id stand in every error of ours.
  else assert.equal(answer.error?.data?.['requestId'], received.headers['x-request-id'])
}

describe('2026-07-28: headers', () => {
  const rows: Row[] = [
    { name: 'all three', status: 200 },
    {
      name: 'names in capitals',
      status: 200,
      headers: Object.fromEntries(Object.entries(CALL_HEADERS).map(([n, v]) => [n.toUpperCase(), v])),
    },
    {
      name: 'space and tab around the values',
      status: 200,
      headers: Object.fromEntries(Object.entries(CALL_HEADERS).map(([n, v]) => [n, ` \t${v}\t `])),
    },
    {
      name: 'version missing',
      status: 400,
      code: -32020,
      headers: without(CALL_HEADERS, 'mcp-protocol-version') as never,
    },
    {
      name: 'version other than the body',
      status: 400,
      code: -32020,
      headers: { ...CALL_HEADERS, 'mcp-protocol-version': '2025-11-25' },
    },
    {
      name: 'method missing',
      status: 400,
      code: -32020,
      headers: without(CALL_HEADERS, 'mcp-method') as never,
    },
    {
      name: 'method of another message',
      status: 400,
      code: -32020,
      headers: { ...CALL_HEADERS, 'mcp-method': 'tools/list' },
    },
    {
      name: 'method in other case',
      status: 400,
      code: -32020,
      headers: { ...CALL_HEADERS, 'mcp-method': 'Tools/Call' },
    },
    { name: 'name missing', status: 400, code: -32020, headers: without(CALL_HEADERS, 'mcp-name') as never },
    {
      name: 'name of another tool',
      status: 400,
      code: -32020,
      headers: { ...CALL_HEADERS, 'mcp-name': PAYLOAD.name },
    },
    { name: 'name in Base64', status: 200, headers: { ...CALL_HEADERS, 'mcp-name': base64(EXECUTE.name) } },
    {
      name: 'name in Base64 of another tool',
      status: 400,
      code: -32020,
      headers: { ...CALL_HEADERS, 'mcp-name': base64(PAYLOAD.name) },
    },
    {
      name: 'name in broken Base64',
      status: 400,
      code: -32020,
      headers: { ...CALL_HEADERS, 'mcp-name': '=?base64?ZHVjdGFwZQ?=' },
    },
    {
      name: 'name in Base64 of no UTF-8',
      status: 400,
      code: -32020,
      headers: { ...CALL_HEADERS, 'mcp-name': '=?base64?//79?=' },
    },
    {
      name: 'a session id is ignored',
      status: 200,
      headers: { ...CALL_HEADERS, 'mcp-session-id': 'abc', 'last-event-id': '7' },
    },
  ]
  for (const row of rows) test(row.name, () => check(row))

  for (const name of [
    'mcp-protocol-version',
    'mcp-method',
    'mcp-name',
    'content-type',
    'accept',
    'authorization',
    'host',
  ]) {
    test(`${name} twice`, async () => {
      const single: [string, string][] = [
        ['content-type', 'application/json'],
        ['accept', 'application/json'],
        ['authorization', 'Bearer x'],
        ...Object.entries(CALL_HEADERS),
        ['host', new URL(session.service().url).host],
      ]
      const twice = single.filter(([header]) => header === name)
      const received = await session.wire().send({
        body: JSON.stringify(request('tools/call', modern(EXECUTE))),
        headers: [...single, ...twice],
      })
      assert.equal(received.status, 400)
      assert.equal(only(received).error?.code, -32600)
    })
  }
})

describe('2026-07-28: envelope and version', () => {
  const meta = (entries: Message, ...left: string[]): Message => ({
    ...EXECUTE,
    _meta: { ...without({ [VERSION]: MODERN, [CAPABILITIES]: {} }, ...left), ...entries },
  })
  const call = (params: unknown): Message => request('tools/call', params)
  const rows: Row[] = [
    { name: 'capabilities missing', status: 400, code: -32602, body: call(meta({}, CAPABILITIES)) },
    {
      name: 'capabilities not an object',
      status: 400,
      code: -32602,
      body: call(meta({ [CAPABILITIES]: [] })),
    },
    {
      name: 'version missing, named in the header',
      status: 400,
      code: -32602,
      body: call(meta({}, VERSION)),
    },
    { name: 'no _meta, version named in the header', status: 400, code: -32602, body: call(EXECUTE) },
    { name: 'version not a string', status: 400, code: -32602, body: call(meta({ [VERSION]: 20260728 })) },
    {
      name: 'client info whole',
      status: 200,
      body: call(meta({ [CLIENT_INFO]: { name: 'c', version: '1' } })),
    },
    {
      name: 'client info without version',
      status: 400,
      code: -32602,
      body: call(meta({ [CLIENT_INFO]: { name: 'c' } })),
    },
    { name: 'log level known', status: 200, body: call(meta({ [LOG_LEVEL]: 'debug' })) },
    { name: 'log level unknown', status: 400, code: -32602, body: call(meta({ [LOG_LEVEL]: 'loud' })) },
    {
      name: 'other members of _meta pass',
      status: 200,
      body: call(meta({ 'example.org/x': [1], traceparent: 'junk' })),
    },
    {
      name: 'a version that does not exist',
      status: 400,
      code: -32022,
      data: { supported: [MODERN], requested: '2031-01-01' },
      body: call(meta({ [VERSION]: '2031-01-01' })),
      headers: { ...CALL_HEADERS, 'mcp-protocol-version': '2031-01-01' },
    },
    {
      name: 'a legacy version in the envelope',
      status: 400,
      code: -32022,
      data: { supported: [MODERN], requested: '2025-11-25' },
      body: call(meta({ [VERSION]: '2025-11-25' })),
      headers: { ...CALL_HEADERS, 'mcp-protocol-version': '2025-11-25' },
    },
    { name: 'arguments left out', status: 200, body: call(modern({ name: 'ductape_execute' })) },
    {
      name: 'arguments not an object',
      status: 200,
      code: -32602,
      body: call(modern({ ...EXECUTE, arguments: [] })),
    },
    { name: 'name not a string', status: 200, code: -32602, body: call(modern({ ...EXECUTE, name: 7 })) },
    {
      name: 'inputResponses not an object',
      status: 200,
      code: -32602,
      body: call(modern({ ...EXECUTE, inputResponses: null })),
    },
    {
      name: 'requestState not a string',
      status: 200,
      code: -32602,
      body: call(modern({ ...EXECUTE, requestState: {} })),
    },
    {
      name: 'answers to nothing asked are ignored',
      status: 200,
      body: call(modern({ ...EXECUTE, inputResponses: { a: {} }, requestState: 's' })),
    },
    {
      name: 'unknown tool',
      status: 200,
      code: -32602,
      body: call(modern({ name: 'nothing' })),
      headers: modernHeaders('tools/call', 'nothing'),
    },
    { name: 'id a string', status: 200, id: 'a-1', body: request('tools/call', modern(EXECUTE), 'a-1') },
    { name: 'id 0', status: 200, id: 0, body: request('tools/call', modern(EXECUTE), 0) },
  ]
  for (const row of rows) {
    test(row.name, async () => {
      if (row.name !== 'arguments left out') return check(row)
      const answer = only(await post(row.body, CALL_HEADERS))
      assert.match(answer.result?.content?.[0]?.text ?? '', /^Not authenticated\./)
    })
  }

  test('a complete result names its type and the server', async () => {
    const { result } = only(await post(request('tools/call', modern(EXECUTE)), CALL_HEADERS))
    assert.equal(result?.['resultType'], 'complete')
    assert.deepEqual(result?._meta?.['io.modelcontextprotocol/serverInfo'], {
      name: 'ductape-mcp',
      version: '0.0.0-test',
    })
  })
})

describe('the initialize era', () => {
  const rows: Row[] = [
    { name: 'without a version header', status: 200, headers: {} },
    ...['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05', '2024-10-07'].map((version) => ({
      name: version,
      status: 200,
      headers: { 'mcp-protocol-version': version },
    })),
    {
      name: 'an unknown version',
      status: 400,
      code: -32000,
      headers: { 'mcp-protocol-version': '1999-01-01' },
    },
    {
      name: 'Mcp-Method and Mcp-Name mean nothing',
      status: 200,
      headers: { 'mcp-method': 'x', 'mcp-name': 'y' },
    },
    {
      name: 'unknown tool',
      status: 200,
      code: -32602,
      headers: {},
      body: request('tools/call', { name: 'nothing' }),
    },
    { name: 'no params', status: 200, code: -32602, headers: {}, body: request('tools/call') },
    {
      name: 'inputResponses is no member of this era',
      status: 200,
      headers: {},
      body: request('tools/call', { ...EXECUTE, inputResponses: 7 }),
    },
  ]
  for (const row of rows) test(row.name, () => check({ body: request('tools/call', EXECUTE), ...row }))

  test('a call without a version header is one of 2025-03-26', async () => {
    await post(request('tools/call', EXECUTE))
    assert.equal(
      session
        .service()
        .records()
        .findLast((line) => line.type === 'decision')?.what?.['revision'],
      '2025-03-26',
    )
  })

  test('a result has no member of the later era', async () => {
    const { result } = only(await post(request('tools/call', EXECUTE)))
    // `_meta` is of all eras; what it holds of this service is where the content is from, and its receipt.
    assert.deepEqual(Object.keys(result ?? {}), ['content', '_meta'])
    assert.deepEqual(Object.keys(result?._meta ?? {}), [
      'app.ductape/provenance',
      'app.ductape/receipt',
      'app.ductape/receipt-salts',
    ])
  })
})

test('a refused result carries code and retryable in _meta, in both eras', async () => {
  const refused = { ...EXECUTE, arguments: { ...EXECUTE.arguments, method: 'fetsch' } }
  for (const [body, headers] of [
    [request('tools/call', refused), {}],
    [request('tools/call', modern(refused)), CALL_HEADERS],
  ] as const) {
    const { result } = only(await post(body, headers))
    assert.equal(result?.isError, true)
    assert.match(result?.content?.[0]?.text ?? '', /^\[method_unknown\] /)
    assert.deepEqual(result?._meta?.['app.ductape/refusal'], { code: 'method_unknown', retryable: false })
    assert.equal(result?.['structuredContent'], undefined)
  }
})

test('a busy backend is retryable, with the time it named', async () => {
  session.service().emulator?.faults.next({ kind: 'status', status: 429, headers: { 'retry-after': '3' } })
  const { result } = only(await post(request('tools/call', EXECUTE)))
  assert.deepEqual(result?._meta?.['app.ductape/refusal'], {
    code: 'backend_busy',
    retryable: true,
    retryAfterMs: 3000,
  })
})
