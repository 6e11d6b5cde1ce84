// One fuzzed request of POST /mcp or /v1/tools/*: path, headers and body, built around valid calls so that every stage is reached.
import * as fc from 'fast-check'
import { dirty, PLANTED, text, toolArguments } from './fuzz-arguments.ts'
import { deep, mostly, object, rarely, rawString, rawValue } from './raw-json.ts'

export interface FuzzCase {
  kind: string
  path: string
  headers: readonly (readonly [name: string, value: string])[]
  body: Buffer
  /** Sent in chunks instead of with a length. */
  chunked: boolean
  /** What must not come back. */
  secrets: readonly string[]
}

const MAX_BODY = 1 << 20

const VERSION = 'io.modelcontextprotocol/protocolVersion'
const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities'
const MODERN = '2026-07-28'

// Both are given back to their own caller by protocol, so nothing is planted in them.
const id = fc.oneof(
  { weight: 10, arbitrary: fc.oneof(fc.integer().map(String), fc.uuid().map(text)) },
  rawValue(),
)
const progressToken = mostly(fc.constantFrom('1', '"t"'), rawValue(), 3)

const METHODS = [
  'initialize',
  'ping',
  'server/discover',
  'subscriptions/listen',
  'tools/list',
  'resources/list',
  'resources/read',
  'resources/templates/list',
  'prompts/list',
  'completion/complete',
  'logging/setLevel',
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  PLANTED,
] as const

interface Message {
  method: string
  name: string
  modern: boolean
  raw: string
  credential: string
}

const meta = (modern: boolean): fc.Arbitrary<string | undefined> =>
  fc
    .record({
      version: modern ? mostly(fc.constant(text(MODERN)), dirty, 12) : fc.constant(undefined),
      capabilities: modern ? mostly(fc.constant('{}'), dirty, 12) : fc.constant(undefined),
      token: rarely(progressToken, 5),
      trace: rarely(
        mostly(fc.constant('"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"'), dirty, 1),
        5,
      ),
      extra: rarely(dirty, 8),
    })
    .map(({ version, capabilities, token, trace, extra }) =>
      version === undefined && token === undefined && trace === undefined && extra === undefined
        ? undefined
        : object([
            [VERSION, version],
            [CAPABILITIES, capabilities],
            ['progressToken', token],
            ['traceparent', trace],
            ['tracestate', trace === undefined ? undefined : text(`vendor=${PLANTED}`)],
            ['extra', extra],
          ]),
    )

const otherParams = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  fc.constantFrom(
    '{"uri":"ductape://catalogue"}',
    '{"uri":"ductape://catalogue/databases"}',
    `{"uri":${text(`ductape://catalogue/${PLANTED}`)}}`,
    `{"protocolVersion":"${MODERN}","capabilities":{},"clientInfo":{"name":"fuzz","version":"1"}}`,
    `{"protocolVersion":${text(PLANTED)},"capabilities":{},"clientInfo":{"name":${text(PLANTED)},"version":"1"}}`,
  ),
  dirty,
)

const message: fc.Arbitrary<Message> = fc.boolean().chain((modern) =>
  fc
    .record({
      call: toolArguments,
      other: rarely(fc.constantFrom(...METHODS), 4),
      name: rarely(
        fc.oneof(fc.constantFrom(PLANTED, `run ${PLANTED}`, 'no_such_tool', '__proto__').map(text), dirty),
        15,
      ),
      arguments: rarely(dirty, 20),
      id,
      jsonrpc: mostly(fc.constant('"2.0"'), dirty, 25),
      meta: meta(modern),
      params: otherParams,
      stray: rarely(dirty, 40),
    })
    .map((parts): Message => {
      const { call, other } = parts
      const params =
        other === undefined
          ? object([
              ['name', parts.name ?? text(call.tool)],
              ['arguments', parts.arguments ?? call.raw],
              ['_meta', parts.meta],
            ])
          : parts.params?.endsWith('}') && parts.params.length > 2 && parts.meta !== undefined
            ? `${parts.params.slice(0, -1)},"_meta":${parts.meta}}`
            : (parts.params ?? object([['_meta', parts.meta]]))
      return {
        method: other ?? 'tools/call',
        name: call.tool,
        modern,
        credential: call.credential,
        raw: object([
          ['jsonrpc', parts.jsonrpc],
          ['id', other?.startsWith('notifications/') ? undefined : parts.id],
          ['method', text(other ?? 'tools/call')],
          ['params', params],
          ['stray', parts.stray],
        ]),
      }
    }),
)

type Headers = (readonly [string, string])[]

const mirrored = ({ method, name, modern }: Message): fc.Arbitrary<Headers> => {
  const right: Headers = modern
    ? [
        ['mcp-protocol-version', MODERN],
        ['mcp-method', method],
        ...(method === 'tools/call' ? [['mcp-name', name] as const] : []),
      ]
    : [['mcp-protocol-version', '2025-11-25']]
  const wrong = fc.tuple(
    fc.constantFrom('mcp-protocol-version', 'mcp-method', 'mcp-name', 'mcp-session-id', 'last-event-id'),
    fc.constantFrom(
      '',
      '2025-06-18',
      '2099-01-01',
      MODERN,
      'tools/list',
      'ductape_execute',
      '=?base64?ZHVjdGFwZV9leGVjdXRl?=',
      '=?base64?!?=',
      PLANTED,
      '\u00e9\u00ff',
      'x'.repeat(2000),
    ),
  )
  return fc.oneof(
    { weight: 8, arbitrary: fc.constant(right) },
    { weight: 2, arbitrary: fc.subarray(right) },
    {
      weight: 2,
      arbitrary: wrong.map(([field, value]) => [
        ...right.filter(([has]) => has !== field),
        [field, value] as const,
      ]),
    },
    { weight: 1, arbitrary: wrong.map((header) => [...right, header]) },
  )
}

const CONTENT_TYPES = [
  'application/json; charset=utf-8',
  'APPLICATION/JSON',
  'application/json;charset=utf-16',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/json-seq',
  `${PLANTED}/x`,
  ';',
  '',
] as const
const general: fc.Arbitrary<Headers> = fc
  .tuple(
    mostly(fc.constant('application/json'), fc.constantFrom(...CONTENT_TYPES), 25),
    mostly(
      fc.constantFrom('application/json, text/event-stream', '*/*', 'application/json'),
      fc.constantFrom('text/html', '', 'application/json;q=0'),
      25,
    ),
    rarely(fc.constantFrom('gzip', 'br', 'identity', 'deflate, gzip', PLANTED), 30),
    rarely(
      fc.array(
        fc.constantFrom(
          ['authorization', `Bearer ${PLANTED}`] as const,
          ['x-request-id', PLANTED] as const,
          ['x-publishable-key', PLANTED] as const,
          ['cookie', `k=${PLANTED}`] as const,
          ['traceparent', `00-${PLANTED}-b7ad6b7169203331-01`] as const,
          ['tracestate', `a=${PLANTED}`] as const,
          ['baggage', `a=${PLANTED}`] as const,
          ['origin', `https://${PLANTED}.example`] as const,
          ['x-forwarded-host', PLANTED] as const,
          ['idempotency-key', PLANTED] as const,
        ),
        { minLength: 1, maxLength: 2 },
      ),
      4,
    ),
  )
  .map(([type, accept, encoding, more]) => [
    ['content-type', type],
    ['accept', accept],
    ...(encoding === undefined ? [] : [['content-encoding', encoding] as const]),
    ...(more ?? []),
  ])

/** What happens to a body after it was written: mostly nothing. */
const damage: fc.Arbitrary<(body: Buffer) => Buffer> = fc.oneof(
  { weight: 14, arbitrary: fc.constant((body: Buffer) => body) },
  fc
    .double({ min: 0, max: 1, noNaN: true })
    .map((part) => (body: Buffer) => body.subarray(0, Math.floor(body.length * part))),
  fc
    .tuple(
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      fc.uint8Array({ minLength: 1, maxLength: 3 }),
      fc.boolean(),
    )
    .map(([part, bytes, replace]) => (body: Buffer) => {
      const place = Math.floor(body.length * part)
      return Buffer.concat([
        body.subarray(0, place),
        bytes,
        body.subarray(place + (replace ? bytes.length : 0)),
      ])
    }),
  fc.constantFrom(
    (body: Buffer) => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), body]),
    (body: Buffer) => Buffer.from(body.toString('utf8'), 'utf16le'),
    (body: Buffer) => Buffer.concat([body, body]),
    (body: Buffer) => Buffer.concat([Buffer.from('['), body, Buffer.from(']')]),
    (body: Buffer) => Buffer.concat([body, Buffer.from('\r\n \t')]),
    (body: Buffer) => Buffer.concat([body, Buffer.from([0xff])]),
  ),
)

const mcpCase = message.chain((one) =>
  fc.tuple(mirrored(one), general, damage, fc.boolean()).map(
    ([headers, more, harm, chunked]): FuzzCase => ({
      kind: one.method === 'tools/call' ? `call ${one.modern ? 'modern' : 'legacy'}` : 'other method',
      path: '/mcp',
      headers: [...more, ...headers],
      body: harm(Buffer.from(one.raw)),
      chunked,
      secrets: [PLANTED, one.credential],
    }),
  ),
)

const restCase = fc
  .tuple(
    toolArguments,
    mostly(
      fc.constant(''),
      fc.constantFrom('?key=', `/${PLANTED}`, encodeURIComponent(PLANTED), '%00', '..%2f'),
    ),
    general,
    damage,
    fc.boolean(),
  )
  .map(
    ([call, tail, headers, harm, chunked]): FuzzCase => ({
      kind: 'rest',
      path: `/v1/tools/${call.tool}${tail === '?key=' ? `?key=${PLANTED}` : tail}`,
      headers,
      body: harm(Buffer.from(call.raw)),
      chunked,
      secrets: [PLANTED, call.credential],
    }),
  )

const noise = fc
  .tuple(
    fc.oneof(
      dirty,
      deep,
      rawString([PLANTED]),
      fc.string({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
      fc.constantFrom('', ' ', '[]', '{}', 'null', '[{"jsonrpc":"2.0"}]'),
    ),
    fc.constantFrom('/mcp', '/v1/tools/ductape_execute', `/v1/tools/${PLANTED}`),
    general,
    fc.boolean(),
  )
  .map(
    ([raw, path, headers, chunked]): FuzzCase => ({
      kind: 'noise',
      path,
      headers,
      body: Buffer.from(raw, 'latin1'),
      chunked,
      secrets: [PLANTED],
    }),
  )

// Around the cap of 1 MiB, with and without a declared length.
const large = fc
  .tuple(
    fc.constantFrom(MAX_BODY - 600, MAX_BODY - 1, MAX_BODY, MAX_BODY + 1, MAX_BODY + 70_000),
    fc.constantFrom('a', '[', '9', '\\u0061', '{"a":'),
    fc.constantFrom('/mcp', '/v1/tools/ductape_execute'),
    fc.boolean(),
  )
  .map(([size, unit, path, chunked]): FuzzCase => {
    const head =
      path === '/mcp'
        ? '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ductape_execute","arguments":{"params":'
        : '{"params":'
    const open = unit === 'a' || unit === '\\u0061' ? `${head}["` : `${head}[`
    return {
      kind: 'large',
      path,
      headers: [['content-type', 'application/json']],
      body: Buffer.from((open + unit.repeat(Math.ceil((size - open.length) / unit.length))).slice(0, size)),
      chunked,
      secrets: [PLANTED],
    }
  })

export const fuzzCases: fc.Arbitrary<FuzzCase> = fc.oneof(
  { weight: 100, arbitrary: mcpCase },
  { weight: 45, arbitrary: restCase },
  { weight: 25, arbitrary: noise },
  { weight: 1, arbitrary: large },
)
