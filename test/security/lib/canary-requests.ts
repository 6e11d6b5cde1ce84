// Requests with a key of its own in every place that a caller can fill: arguments, names, headers, query, id, metadata.
import { randomBytes } from 'node:crypto'
import type { SentRequest } from '../../lib/http-client.ts'

export interface Planted {
  /** Where it stands. */
  place: string
  key: string
}

export interface CanaryRequest {
  name: string
  request: SentRequest
  /** Keys in this request; none may be in its answer. */
  planted: readonly Planted[]
  /** The one key that its own caller gets back: the JSON-RPC id. */
  exempt?: string
  /** What the scripted backend has to give away to this call; see canary-backend.ts. */
  credential?: string
}

let count = 0

/** A key that no other place has: greppable, and of the form of a publishable key. */
export const makeKey = (): string =>
  `pk_live_canary${String(++count).padStart(4, '0')}_${randomBytes(9).toString('hex')}`

const MODERN = '2026-07-28'
const VERSION = 'io.modelcontextprotocol/protocolVersion'
const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities'
const CLIENT_INFO = 'io.modelcontextprotocol/clientInfo'

const JSON_HEADERS: readonly (readonly [string, string])[] = [
  ['content-type', 'application/json'],
  ['accept', 'application/json'],
]

type Era = 'legacy' | 'modern' | 'rest'
export const ERAS: readonly Era[] = ['legacy', 'modern', 'rest']

interface CallParts {
  tool?: string
  arguments: Record<string, unknown>
  id?: string | number
  meta?: Record<string, unknown>
  headers?: readonly (readonly [string, string])[]
  query?: string
}

export function callRequest(era: Era, parts: CallParts): SentRequest {
  const tool = parts.tool ?? 'ductape_execute'
  const query = parts.query === undefined ? '' : `?${parts.query}`
  const headers = [...JSON_HEADERS, ...(parts.headers ?? [])]
  if (era === 'rest') {
    return {
      path: `/v1/tools/${encodeURIComponent(tool)}${query}`,
      headers,
      body: JSON.stringify(parts.arguments),
    }
  }
  const meta = { ...(era === 'modern' && { [VERSION]: MODERN, [CAPABILITIES]: {} }), ...parts.meta }
  if (era === 'modern') {
    for (const [name, value] of [
      ['mcp-protocol-version', MODERN],
      ['mcp-method', 'tools/call'],
      ['mcp-name', tool],
    ] as const) {
      if (!headers.some(([has]) => has === name)) headers.push([name, value])
    }
  }
  const params = { name: tool, arguments: parts.arguments, _meta: meta }
  return {
    path: `/mcp${query}`,
    headers,
    body: JSON.stringify({ jsonrpc: '2.0', id: parts.id ?? 1, method: 'tools/call', params }),
  }
}

export const executeArguments = (key: string): Record<string, unknown> => ({
  publishable_key: key,
  module: 'product',
  method: 'fetch',
  params: ['ductape:my-product'],
})

export const generateArguments = (key: string): Record<string, unknown> => ({
  workspace_id: 'ws_1',
  user_id: 'usr_1',
  public_key: key,
  product_tag: 'ductape:my-product',
  env_slug: 'prd',
  operation_family: 'database',
  method: 'query',
})

const HEADERS = [
  'authorization',
  'cookie',
  'x-request-id',
  'traceparent',
  'tracestate',
  'baggage',
  'idempotency-key',
  'dpop',
  'mcp-protocol-version',
  'mcp-method',
  'mcp-name',
  'mcp-session-id',
  'mcp-param-key',
  'last-event-id',
  'user-agent',
  'origin',
  'referer',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-publishable-key',
  'x-access-key',
  'x-access-token',
  'content-encoding',
  'if-none-match',
] as const

/** The planted texts around a key: alone, inside words, encoded. */
const FORMS: readonly ((key: string) => string)[] = [
  (key) => key,
  (key) => `run ${key}, please`,
  (key) => encodeURIComponent(`${key}/+`),
  (key) => [...Buffer.from(key)].map((byte) => `%${byte.toString(16)}`).join(''),
  (key) => Buffer.from(`x${key}`).toString('base64'),
]

/** All of them; every key is a new one. */
export function canaryRequests(): CanaryRequest[] {
  return ERAS.flatMap((era) => [...inArguments(era), ...inHeaders(era), ...inNames(era)]).concat(
    inMetadata(),
    inOtherMessages(),
    inBrokenBodies(),
  )
}

function plant(name: string, make: (key: string) => SentRequest, exempt = false): CanaryRequest {
  const key = makeKey()
  return { name, request: make(key), planted: [{ place: name, key }], ...(exempt && { exempt: key }) }
}

function inArguments(era: Era): CanaryRequest[] {
  const requests: CanaryRequest[] = []
  for (const [tool, make] of [
    ['ductape_execute', executeArguments],
    ['ductape_generate_payload', generateArguments],
    ['ductape_generate_snippet', generateArguments],
  ] as const) {
    const names = [
      ...Object.keys(make('')),
      ...(tool === 'ductape_execute'
        ? []
        : ['targets', 'schema_mode', 'include_session', 'input_hint', 'language']),
    ]
    for (const name of names) {
      for (const form of FORMS) {
        const shapes = [
          (key: string): unknown => form(key),
          (key: string): unknown => [form(key), { [form(key)]: [form(key)] }],
          (key: string): unknown => ({ a: { [form(key)]: form(key) } }),
        ]
        for (const shape of shapes) {
          requests.push(
            plant(`${era} ${tool} argument ${name}`, (key) =>
              callRequest(era, {
                tool,
                arguments: { ...make('pk_held_0123456789abcdef'), [name]: shape(key) },
              }),
            ),
          )
        }
      }
    }
    requests.push(
      plant(`${era} ${tool} argument name is the key of the call`, (key) =>
        callRequest(era, { tool, arguments: { ...make(key), [key]: 1 } }),
      ),
      plant(`${era} ${tool} family is the key of the call`, (key) =>
        callRequest(era, { tool, arguments: { ...make(key), operation_family: `a ${key}`, module: key } }),
      ),
    )
  }
  return requests
}

function inHeaders(era: Era): CanaryRequest[] {
  const values = [
    (key: string) => key,
    (key: string) => `a=${key}; b="${key}"`,
    (key: string) => `Bearer ${key}`,
  ]
  const requests = HEADERS.flatMap((header) =>
    values.map((value) =>
      plant(`${era} header ${header}`, (key) =>
        callRequest(era, {
          arguments: executeArguments('pk_held_0123456789abcdef'),
          headers: [[header, value(key)]],
        }),
      ),
    ),
  )
  requests.push(
    plant(`${era} header name`, (key) =>
      callRequest(era, {
        arguments: executeArguments('pk_held_0123456789abcdef'),
        headers: [[`x-${key}`, key]],
      }),
    ),
    plant(`${era} tracestate beside a good traceparent`, (key) =>
      callRequest(era, {
        arguments: executeArguments('pk_held_0123456789abcdef'),
        headers: [
          ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
          ['tracestate', `vendor=${key}`],
        ],
      }),
    ),
  )
  return requests
}

function inNames(era: Era): CanaryRequest[] {
  const held = executeArguments('pk_held_0123456789abcdef')
  return [
    ...FORMS.map((form) =>
      plant(`${era} tool name`, (key) => callRequest(era, { tool: form(key), arguments: held })),
    ),
    plant(`${era} tool name is the key of the call`, (key) =>
      callRequest(era, { tool: `a${key}`, arguments: executeArguments(key) }),
    ),
    ...FORMS.map((form) =>
      plant(`${era} query`, (key) =>
        callRequest(era, { arguments: held, query: `key=${encodeURIComponent(form(key))}` }),
      ),
    ),
    plant(`${era} path`, (key) => ({ ...callRequest(era, { arguments: held }), path: `/${key}/x` })),
    plant(`${era} HTTP method and path`, (key) => ({
      ...callRequest(era, { arguments: held }),
      method: 'PUT',
      path: `/mcp/${key}`,
    })),
  ]
}

function inMetadata(): CanaryRequest[] {
  const held = executeArguments('pk_held_0123456789abcdef')
  const members: ((key: string) => Record<string, unknown>)[] = [
    (key) => ({ progressToken: key }),
    (key) => ({ progressToken: { key } }),
    (key) => ({ [key]: key }),
    (key) => ({ traceparent: key, tracestate: key }),
    (key) => ({
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: `v=${key}`,
      baggage: key,
    }),
    (key) => ({ 'app.ductape/idempotency-key': key, 'app.ductape/receipt': { key } }),
    (key) => ({ [VERSION]: key, [CAPABILITIES]: {} }),
    (key) => ({
      [VERSION]: MODERN,
      [CAPABILITIES]: { [key]: { key } },
      [CLIENT_INFO]: { name: key, version: key },
    }),
    (key) => ({ [VERSION]: MODERN, [CAPABILITIES]: {}, 'io.modelcontextprotocol/logLevel': key }),
    (key) => ({ [VERSION]: MODERN, [CAPABILITIES]: {}, [CLIENT_INFO]: key }),
  ]
  const requests: CanaryRequest[] = []
  for (const era of ['legacy', 'modern'] as const) {
    for (const member of members)
      requests.push(plant(`${era} _meta`, (key) => callRequest(era, { arguments: held, meta: member(key) })))
    requests.push(
      plant(`${era} version in header and _meta`, (key) =>
        callRequest(era, {
          arguments: held,
          meta: { [VERSION]: key, [CAPABILITIES]: {} },
          headers: [['mcp-protocol-version', key]],
        }),
      ),
      plant(`${era} JSON-RPC id`, (key) => callRequest(era, { arguments: held, id: key }), true),
      plant(
        `${era} JSON-RPC id of a refused call`,
        (key) => callRequest(era, { tool: 'no_such_tool', arguments: {}, id: key }),
        true,
      ),
    )
  }
  return requests
}

function inOtherMessages(): CanaryRequest[] {
  const send = (message: unknown, headers: readonly (readonly [string, string])[] = []): SentRequest => ({
    path: '/mcp',
    headers: [...JSON_HEADERS, ...headers],
    body: JSON.stringify(message),
  })
  const messages: ((key: string) => Record<string, unknown>)[] = [
    (key) => ({ id: 1, method: key }),
    (key) => ({ id: 1, method: `tools/${key}`, params: { key } }),
    (key) => ({ id: 1, method: 'resources/read', params: { uri: key } }),
    (key) => ({ id: 1, method: 'resources/read', params: { uri: `ductape://catalogue/${key}` } }),
    (key) => ({ id: 1, method: 'resources/read', params: { uri: { key } } }),
    (key) => ({ id: 1, method: 'prompts/get', params: { name: key, arguments: { key } } }),
    (key) => ({
      id: 1,
      method: 'completion/complete',
      params: { ref: { type: key }, argument: { name: key, value: key } },
    }),
    (key) => ({ id: 1, method: 'logging/setLevel', params: { level: key } }),
    (key) => ({ id: 1, method: 'tools/list', params: { cursor: key } }),
    (key) => ({ id: { key }, method: 'tools/list' }),
    (key) => ({ id: 1, method: 'tools/call', params: { name: 'ductape_execute', arguments: key } }),
    (key) => ({ id: 1, method: 'tools/call', params: key }),
    (key) => ({ id: 1, method: 'tools/call', params: { name: { key } } }),
    (key) => ({ id: 1, method: 'tools/call', [key]: key, params: {} }),
    (key) => ({
      method: 'notifications/progress',
      params: { progressToken: key, progress: 1, message: key },
    }),
    (key) => ({ method: 'notifications/cancelled', params: { requestId: key, reason: key } }),
    (key) => ({ method: `notifications/${key}` }),
    (key) => ({
      id: 1,
      method: 'initialize',
      params: { protocolVersion: key, capabilities: { [key]: {} }, clientInfo: { name: key, version: key } },
    }),
    (key) => ({ id: 1, method: 'initialize', params: key }),
    (key) => ({ id: 1, result: { key } }),
    (key) => ({ id: 1, error: { code: -1, message: key, data: key } }),
  ]
  const requests = messages.flatMap((message, index) => [
    plant(`message ${index}`, (key) => send({ jsonrpc: '2.0', ...message(key) })),
    plant(`message ${index} with the headers of 2026-07-28`, (key) => {
      const shaped: Record<string, unknown> = { jsonrpc: '2.0', ...message(key) }
      const params = shaped['params']
      if (typeof params === 'object' && params !== null)
        shaped['params'] = { ...params, _meta: { [VERSION]: MODERN, [CAPABILITIES]: {} } }
      return send(shaped, [
        ['mcp-protocol-version', MODERN],
        ['mcp-method', typeof shaped['method'] === 'string' ? shaped['method'] : 'x'],
      ])
    }),
  ])
  requests.push(
    plant('id of another method', (key) => send({ jsonrpc: '2.0', id: key, method: 'tools/list' }), true),
    plant('jsonrpc version', (key) => send({ jsonrpc: key, id: 1, method: 'tools/list' })),
    plant('batch', (key) => send([{ jsonrpc: '2.0', id: 1, method: key }])),
  )
  return requests
}

function inBrokenBodies(): CanaryRequest[] {
  const bodies: ((key: string) => string)[] = [
    (key) => key,
    (key) => `"${key}"`,
    (key) => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${key}`,
    (key) => `{"${key}":1,"${key}":2}`,
    (key) => `{"a":"${key}\\ud800"}`,
    (key) => `{"a":1e999,"b":"${key}"}`,
    (key) => `${'['.repeat(100)}"${key}"${']'.repeat(100)}`,
    (key) => `{"a":"${key}\u0000"}`,
    (key) => `--${key}\r\ncontent-disposition: form-data; name="${key}"\r\n\r\n${key}`,
  ]
  return ['/mcp', '/v1/tools/ductape_execute'].flatMap((path) =>
    bodies.flatMap((body, index) => [
      plant(`broken body ${index} at ${path}`, (key) => ({ path, headers: JSON_HEADERS, body: body(key) })),
      plant(`broken body ${index} at ${path}, other type`, (key) => ({
        path,
        headers: [['content-type', `text/x-${key}`]],
        body: body(key),
      })),
    ]),
  )
}
