// REST: a result is its JSON value, every refusal is problem+json as the denials table has it, and the records are those of MCP.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { DENIALS, type DenialCode } from '../../src/core/denials.ts'
import type { HttpRequest } from '../../src/core/http.ts'
import type { ToolDefinition } from '../../src/core/tool.ts'
import type { Fault } from '../../src/emulator/index.ts'
import { type RecordLine, startApp, type TestApp } from '../lib/app.ts'
import { EXECUTE, GENERATE, toolCall } from '../lib/calls.ts'
import { createClient, type Received, type SentRequest } from '../lib/http-client.ts'
import { open, request as rawRequest } from '../lib/raw.ts'
import { SCENARIOS as SECURED } from './secured-scenarios.ts'

const TOOLS = '/v1/tools/'
const JSON_TYPE = ['content-type', 'application/json'] as const

let service: TestApp
/** Small limits, so that a test need not send much nor wait long. */
let narrow: TestApp
/** A tool whose code throws. */
let broken: TestApp

const FAILING: ToolDefinition = {
  declaration: {
    name: 'ductape_execute',
    title: 'fails',
    description: 'fails',
    inputSchema: { type: 'object' },
    annotations: {
      title: 'fails',
      readOnlyHint: true,
      destructiveHint: false,
      idempotentHint: true,
      openWorldHint: false,
    },
  },
  credentialArguments: [],
  validate: () => {
    throw new Error('secret-of-a-fault')
  },
  failure: () => 'fails',
}

before(async () => {
  service = await startApp()
  narrow = await startApp({
    config: {
      http: { maxBody: 1024, bodyTimeout: 200, headersTimeout: 200 },
      backend: { timeout: 150, maxAnswer: 20_000 },
      response: { maxResult: 2000 },
    },
  })
  broken = await startApp({ tools: [FAILING] })
})
after(async () => {
  await service.close()
  await narrow.close()
  await broken.close()
})

async function send(app: TestApp, request: Partial<SentRequest> & { path: string }): Promise<Received> {
  const client = createClient(app.url, 1)
  try {
    return await client.send({ headers: [JSON_TYPE], body: JSON.stringify(EXECUTE), ...request })
  } finally {
    client.close()
  }
}

const post = (app: TestApp, tool: string, args: unknown): Promise<Received> =>
  send(app, { path: TOOLS + tool, body: typeof args === 'string' ? args : JSON.stringify(args) })

const VALUES: [name: string, value: unknown][] = [
  ['an object', { a: [1, { b: null }] }],
  ['an array', [1, 'two']],
  ['a text', 'text'],
  ['a number', 42],
  ['false', false],
  ['null', null],
]
describe('a result', () => {
  for (const [name, value] of VALUES) {
    test(`that is ${name} is the body`, async () => {
      service.emulator?.faults.next({ kind: 'result', value })
      const answer = await post(service, 'ductape_execute', EXECUTE)
      assert.equal(answer.status, 200)
      assert.equal(answer.headers['content-type'], 'application/json')
      assert.deepEqual(JSON.parse(answer.body), value)
    })
  }

  test('keeps the digits of the backend', async () => {
    const body =
      '{"status":true,"data":{"data":{"n":12345678901234567890,"m":1.0},"execution_time_ms":1,"request_id":"r"}}'
    service.emulator?.faults.next({ kind: 'body', body })
    const answer = await post(service, 'ductape_execute', EXECUTE)
    assert.equal(answer.body, '{"n":12345678901234567890,"m":1.0}')
  })

  test('of the generate tools has the members that the description names', async () => {
    const payload = JSON.parse((await post(service, 'ductape_generate_payload', GENERATE)).body) as object
    assert.deepEqual(Object.keys(payload).sort(), ['meta', 'payload'])
    const snippet = JSON.parse((await post(service, 'ductape_generate_snippet', GENERATE)).body) as object
    assert.deepEqual(Object.keys(snippet).sort(), ['payload', 'snippet'])
  })
})

const execute = (app: TestApp, args: object): Promise<Received> =>
  post(app, 'ductape_execute', { ...EXECUTE, ...args })

const faulty =
  (fault: Fault, app = (): TestApp => service) =>
  (): Promise<Received> => {
    app().emulator?.faults.next(fault)
    return execute(app(), {})
  }

/** A service with its backend gone. */
async function withoutBackend(): Promise<Received> {
  const lonely = await startApp()
  await lonely.emulator?.close()
  try {
    return await execute(lonely, {})
  } finally {
    await lonely.close()
  }
}

/** A request to a service that is shutting down, on no connection, because it takes none then. */
async function whileDraining(): Promise<Received> {
  const leaving = await startApp()
  await leaving.close()
  const request: HttpRequest = {
    method: 'POST',
    path: `${TOOLS}ductape_execute`,
    query: '',
    headers: { host: '127.0.0.1', 'content-type': 'application/json' },
    raw: ['host', '127.0.0.1', 'content-type', 'application/json'],
    read: async () => ({ ok: true, body: Buffer.from(JSON.stringify(EXECUTE)) }),
  }
  const { status, headers, body } = await leaving.app.handle(request, '127.0.0.1')
  return { status, headers, body: body ?? '', took: 0 }
}

/** A client that took the name of this service for another's. */
async function forAnotherHost(): Promise<Received> {
  const connection = await open(service.url)
  connection.send(rawRequest(`POST ${TOOLS}ductape_execute`, ['Host: evil.example'], JSON.stringify(EXECUTE)))
  const answer = await connection.answer()
  connection.end()
  return { ...answer, took: 0 }
}

/** A body that stops after its first bytes. */
async function withoutEnd(): Promise<Received> {
  const connection = await open(narrow.url)
  connection.send(
    rawRequest(`POST ${TOOLS}ductape_execute`, ['Content-Type: application/json', 'Content-Length: 100'], ''),
  )
  connection.send('{"module":')
  const answer = await connection.answer()
  connection.end()
  return { ...answer, took: 0 }
}

/** How each code comes about over REST. */
const SCENARIOS: Partial<Record<DenialCode, () => Promise<Received>>> = {
  request_timeout: withoutEnd,
  draining: whileDraining,
  path_unknown: () => send(service, { path: '/v2/tools/ductape_execute' }),
  method_not_allowed: () => send(service, { path: `${TOOLS}ductape_execute`, method: 'PUT' }),
  host_not_allowed: forAnotherHost,
  origin_not_allowed: () =>
    send(service, {
      path: `${TOOLS}ductape_execute`,
      headers: [JSON_TYPE, ['origin', 'https://evil.example']],
    }),
  header_repeated: () =>
    send(service, {
      path: `${TOOLS}ductape_execute`,
      headers: [JSON_TYPE, ['authorization', 'a'], ['authorization', 'b']],
    }),
  media_type_unsupported: () =>
    send(service, { path: `${TOOLS}ductape_execute`, headers: [['content-type', 'text/plain']] }),
  encoding_unsupported: () =>
    send(service, { path: `${TOOLS}ductape_execute`, headers: [JSON_TYPE, ['content-encoding', 'gzip']] }),
  not_acceptable: () =>
    send(service, { path: `${TOOLS}ductape_execute`, headers: [JSON_TYPE, ['accept', 'text/html']] }),
  body_too_large: () => post(narrow, 'ductape_execute', { ...EXECUTE, params: ['x'.repeat(2000)] }),
  json_malformed: () => post(service, 'ductape_execute', '{"module":'),
  json_not_exact: () => post(service, 'ductape_execute', '{"module":"product","module":"app"}'),
  arguments_not_object: () => post(service, 'ductape_execute', '[]'),
  tool_unknown: () => post(service, 'ductape_nothing', EXECUTE),
  not_authenticated: () => execute(service, { publishable_key: ' ' }),
  argument_unknown: () => execute(service, { dry_run: true }),
  argument_missing: () =>
    post(service, 'ductape_execute', { publishable_key: EXECUTE.publishable_key, module: 'product' }),
  argument_invalid: () => execute(service, { params: 'text' }),
  credential_malformed: () => execute(service, { publishable_key: 'short' }),
  module_unknown: () => execute(service, { module: 'products' }),
  method_unknown: () => execute(service, { method: 'environments.lst' }),
  operation_unsupported: () => post(service, 'ductape_generate_snippet', { ...GENERATE, method: 'explode' }),
  backend_refused: () => execute(service, { publishable_key: 'pk_wrong_0123456789' }),
  backend_failed: faulty({ kind: 'status-false', message: 'it went wrong' }),
  backend_busy: faulty({ kind: 'status', status: 503 }),
  backend_timeout: faulty({ kind: 'hang' }, () => narrow),
  backend_unreachable: withoutBackend,
  backend_interrupted: faulty({ kind: 'truncation' }),
  backend_malformed: faulty({ kind: 'not-json' }),
  backend_too_large: faulty({ kind: 'giant', bytes: 50_000 }, () => narrow),
  result_too_large: faulty({ kind: 'giant', bytes: 10_000 }, () => narrow),
  internal_error: () => execute(broken, {}),
}

/** Why a code of the table has no row above. */
const NOT_OVER_REST: Partial<Record<DenialCode, string>> = {
  http_malformed: 'such bytes have no path that would say REST or MCP',
  headers_too_large: 'such bytes have no path that would say REST or MCP',
  body_incomplete: 'the client has gone: it is recorded, and there is nobody to answer',
  cancelled: 'the client has gone, and REST names no revision in which that is a cancellation',
  batch_unsupported: 'a message of MCP; an array is arguments_not_object here',
  message_invalid: 'a message of MCP',
  header_mismatch: 'headers of MCP',
  envelope_invalid: 'metadata of MCP',
  capability_missing: 'capabilities of MCP',
  version_unsupported: 'revisions of MCP',
  mcp_refused: 'a message of MCP',
  params_invalid: 'a message of MCP',
  state_invalid: 'what a client of MCP carries between its calls',
}

/** Shown in secured.test.ts, because they need callers that are known, and `audit_unavailable` in test/audit/evidence.test.ts. */
const NOT_HERE = ['audit_unavailable', ...Object.keys(SECURED)]

describe('a refusal', () => {
  test('of every code has a row here, or a reason to have none', () => {
    const covered = [...Object.keys(SCENARIOS), ...Object.keys(NOT_OVER_REST), ...NOT_HERE]
    assert.deepEqual([...new Set(covered)].toSorted(), Object.keys(DENIALS).toSorted())
  })

  for (const [code, scenario] of Object.entries(SCENARIOS)) {
    test(`${code} is problem+json with the status of the table`, async () => {
      const answer = await scenario()
      const row = DENIALS[code as DenialCode]
      const problem = JSON.parse(answer.body) as Record<string, unknown>
      assert.equal(problem['code'], code, answer.body)
      assert.equal(answer.status, row.status)
      assert.equal(answer.headers['content-type'], 'application/problem+json')
      assert.equal(problem['status'], row.status)
      assert.equal(problem['type'], `urn:ductape-mcp:refusal:${code}`)
      assert.equal(problem['retryable'], row.retryable)
      assert.equal(problem['remedy'], row.remedy)
      const [fixed = ''] = row.text.split('{detail}')
      assert.ok(String(problem['title']).startsWith(fixed), String(problem['title']))
      assert.ok(String(problem['detail']).length > 0)
      const id = answer.headers['x-request-id']
      if (id !== undefined) assert.equal(problem['requestId'], id)
      assert.doesNotMatch(answer.body, /secret-of-a-fault|\n\s+at |node_modules/)
    })
  }

  test('names the methods that the path takes', async () => {
    const answer = await send(service, { path: `${TOOLS}ductape_execute`, method: 'DELETE' })
    assert.equal(answer.headers.allow, 'POST')
  })

  test('says in `detail` what an MCP caller reads', async () => {
    const wrong = { ...EXECUTE, publishable_key: 'pk_wrong_0123456789' }
    const rest = JSON.parse((await post(service, 'ductape_execute', wrong)).body) as { detail: string }
    const mcp = await send(service, { path: '/mcp', body: toolCall('ductape_execute', wrong) })
    const { result } = JSON.parse(mcp.body) as { result: { content: { text: string }[] } }
    assert.equal(rest.detail, result.content[0]?.text)
  })
})

/** What must not differ between the two ways; ids, times and sizes do. */
function essence(lines: RecordLine[]): unknown[] {
  return lines.map(({ type, decision, outcome, what }) => {
    const { effect, method, module, tool, transport } = what ?? {}
    const { status, code, backendStatus } = outcome ?? {}
    return { type, decision, effect, method, module, tool, transport, status, code, backendStatus }
  })
}

const RECORDED: [name: string, tool: string, args: object, fault?: Fault][] = [
  ['an executed call', 'ductape_execute', EXECUTE],
  ['a generated payload', 'ductape_generate_payload', GENERATE],
  ['a refused argument', 'ductape_execute', { ...EXECUTE, params: 1 }],
  ['a missing key', 'ductape_execute', {}],
  ['an unknown tool', 'ductape_nothing', {}],
  ['a failing backend', 'ductape_execute', EXECUTE, { kind: 'status', status: 500 }],
  ['a broken backend', 'ductape_execute', EXECUTE, { kind: 'reset' }],
]
describe('the records', () => {
  for (const [name, tool, args, fault] of RECORDED) {
    test(`of ${name} are those of MCP`, async () => {
      const seen: unknown[][] = []
      for (const way of ['rest', 'mcp']) {
        const before = service.records().length
        if (fault !== undefined) service.emulator?.faults.next(fault)
        if (way === 'rest') await post(service, tool, args)
        else await send(service, { path: '/mcp', body: toolCall(tool, args) })
        const lines = service.records().slice(before)
        assert.ok(lines.length > 0)
        assert.equal(lines[0]?.what?.['surface'], way)
        seen.push(essence(lines))
      }
      assert.deepEqual(seen[0], seen[1])
    })
  }
})

test('GET /v1/tools lists what tools/list lists', async () => {
  const listed = JSON.parse((await send(service, { path: '/v1/tools', method: 'GET', body: '' })).body) as {
    tools: unknown
  }
  const message = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
  const mcp = JSON.parse((await send(service, { path: '/mcp', body: JSON.stringify(message) })).body) as {
    result: { tools: unknown }
  }
  assert.deepEqual(listed.tools, mcp.result.tools)
})
