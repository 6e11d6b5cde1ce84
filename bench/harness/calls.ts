// The calls that the runs send, as bytes of HTTP/1.1, and what a right answer to each holds.

export type Era = 'legacy' | 'modern'

/** Stands at the end of every good answer of the fake backend, so that a truncated answer is seen. */
export const marker = 'end-of-the-answer'
/** An `entity` that makes the fake backend fail in one of the contract's two forms. */
export const faults = { statusFalse: 'fault-status-false', serverError: 'fault-server-error' } as const

export const firstId = 1_000_000
const key = 'pk_bench_51c0a7d2e94f'
const modernVersion = '2026-07-28'
const legacyVersion = '2025-11-25'

export type Answer = { readonly status: number; readonly body: Buffer }
export type Kind = {
  readonly name: string
  /** Share in the mixed load. */
  readonly weight: number
  /** The client hangs up without waiting for the answer. */
  readonly hangUp?: true
  readonly body: (era: Era) => string
  /** The `Mcp-Name` header of the modern era. */
  readonly tool: string
  readonly right: (answer: Answer) => boolean
}

/** An encoded call; the seven digits of its id begin at `idAt`, or there is none to write (-1). */
export type Encoded = { readonly bytes: Buffer; readonly idAt: number }

const good = (a: Answer) => a.status === 200 && a.body.includes(marker) && !a.body.includes('"isError":true')
const toolError = (sentence: string) => (a: Answer) =>
  a.status === 200 && a.body.includes('"isError":true') && a.body.includes(sentence)
const rpcError = (code: number) => (a: Answer) => a.body.includes(`"code":${code}`)

type Change = { tool?: string; key?: string | undefined; method?: string; entity?: string; progress?: true }

function body(era: Era, change: Change = {}): string {
  const meta = {
    ...(change.progress ? { progressToken: 'p1' } : {}),
    ...(era === 'modern'
      ? {
          'io.modelcontextprotocol/protocolVersion': modernVersion,
          'io.modelcontextprotocol/clientCapabilities': {},
        }
      : {}),
  }
  const query = {
    product: 'ductape:my-product',
    env: 'prd',
    database: 'main-db',
    entity: change.entity ?? 'users',
    where: { status: { $eq: 'active' }, created: { $gt: '2026-01-01' } },
    select: ['id', 'name', 'email', 'status', 'created'],
    limit: 10,
  }
  return JSON.stringify({
    jsonrpc: '2.0',
    id: firstId,
    method: 'tools/call',
    params: {
      name: change.tool ?? 'ductape_execute',
      arguments: {
        publishable_key: 'key' in change ? change.key : key,
        module: 'databases',
        method: change.method ?? 'query',
        params: [query],
      },
      ...(Object.keys(meta).length > 0 ? { _meta: meta } : {}),
    },
  })
}

const execute = 'ductape_execute'
export const reference: Kind = {
  name: 'good',
  weight: 68,
  tool: execute,
  body: (era) => body(era),
  right: good,
}

/** The mixed load of the soak: good calls, refusals before the backend, both failure forms of the backend, rudeness. */
export const mixed: readonly Kind[] = [
  reference,
  {
    name: 'progress asked',
    weight: 4,
    tool: execute,
    body: (era) => body(era, { progress: true }),
    right: good,
  },
  {
    name: 'method not in the catalogue',
    weight: 6,
    tool: execute,
    body: (era) => body(era, { method: 'qeury' }),
    // The refusal names the near match.
    right: toolError('query'),
  },
  {
    name: 'key missing',
    weight: 5,
    tool: execute,
    body: (era) => body(era, { key: undefined }),
    right: toolError('Not authenticated.'),
  },
  {
    name: 'backend says status false',
    weight: 5,
    tool: execute,
    body: (era) => body(era, { entity: faults.statusFalse }),
    right: toolError('Error: the entity is locked'),
  },
  {
    name: 'backend answers 500',
    weight: 4,
    tool: execute,
    body: (era) => body(era, { entity: faults.serverError }),
    right: toolError('Proxy request failed: 500'),
  },
  {
    name: 'tool unknown',
    weight: 3,
    tool: 'ductape_nothing',
    body: (era) => body(era, { tool: 'ductape_nothing' }),
    right: rpcError(-32602),
  },
  {
    name: 'JSON cut off',
    weight: 3,
    tool: execute,
    body: (era) => body(era).slice(0, -9),
    right: rpcError(-32700),
  },
  {
    name: 'caller hangs up',
    weight: 2,
    hangUp: true,
    tool: execute,
    body: (era) => body(era),
    right: () => true,
  },
]

/** One POST /mcp with exactly the headers that the era asks for. */
export function encode(kind: Kind, era: Era, port: number, authorization?: string): Encoded {
  const text = kind.body(era)
  const modern = era === 'modern' ? `Mcp-Method: tools/call\r\nMcp-Name: ${kind.tool}\r\n` : ''
  const head =
    `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${authorization === undefined ? '' : `Authorization: ${authorization}\r\n`}Accept: application/json, text/event-stream\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n` +
    `MCP-Protocol-Version: ${era === 'modern' ? modernVersion : legacyVersion}\r\n${modern}\r\n`
  const bytes = Buffer.from(head + text)
  return { bytes, idAt: bytes.indexOf(`"id":${firstId}`) + '"id":'.length }
}

/** A direct call of the fake backend, for the run that shows what load generator and backend manage alone. */
export function encodeDirect(port: number): Encoded {
  const call = JSON.parse(body('legacy')).params.arguments
  const text = JSON.stringify({ module: call.module, method: call.method, params: call.params })
  const head =
    `POST /proxy/v1/sdk-proxy/execute HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${Buffer.byteLength(text)}\r\nX-Publishable-Key: ${key}\r\n\r\n`
  return { bytes: Buffer.from(head + text), idAt: -1 }
}

/** The backend's good answer in its envelope, `bytes` long to the byte (512 at least). */
export function envelope(bytes: number): string {
  const rows: unknown[] = []
  const text = (pad: string) =>
    JSON.stringify({
      status: true,
      data: {
        data: { rows, total: 1041, pad, last: marker },
        execution_time_ms: 1,
        request_id: 'req_0190c6f2a7d84b1e',
      },
    })
  const row = (i: number) => ({
    id: 40_000 + i,
    name: `Person ${i}`,
    email: `person${i}@example.com`,
    status: 'active',
    score: i / 8,
  })
  // About 110 bytes a row; the rest is padding, so the row count need not be exact.
  for (let i = 0; i < Math.floor((bytes - 250) / 130); i++) rows.push(row(i))
  return text('x'.repeat(Math.max(0, bytes - text('').length)))
}
