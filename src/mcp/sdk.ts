// Everything of MCP but tools/call, in both eras, on the official SDK; it has no tools/call handler here, so no call can go around the pipeline.
import {
  createMcpHandler,
  isLegacyRequest,
  ResourceNotFoundError,
  Server,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server'
import { type HttpAnswer, type HttpRequest, header } from '../core/http.ts'
import { type Json, member, parseLossless } from '../core/json.ts'
import { shownName, visibleText } from '../core/text.ts'
import type { ToolDeclaration } from '../core/tool.ts'
import { VERSION_KEY } from './decode.ts'
import type { ServerIdentity } from './encode.ts'
import { instructionsFor } from './instructions.ts'

/** The MCP resources of this service: text that never depends on who asks. */
export interface ResourceTexts {
  /** Names of the modules. */
  modules: readonly string[]
  catalogue(): string
  module(name: string): string | undefined
}

export interface SdkOptions {
  server: ServerIdentity
  resources: ResourceTexts
  onError(error: Error): void
}

export interface SdkHandler {
  /** Answers one parsed message for a caller who may use these tools; the SDK never sees bytes, and never the caller's credential. */
  answer(request: HttpRequest, body: Json, listing: ToolListing): Promise<HttpAnswer>
  close(): Promise<void>
}

/** The tools that tools/list shows; `shared` = every caller would be shown the same. */
export interface ToolListing {
  readonly tools: readonly ToolDeclaration[]
  readonly shared: boolean
}

/** What is the same for everyone changes with a new build only. */
const PUBLIC_HINT = { ttlMs: 300_000, cacheScope: 'public' } as const
/** A list that depends on the caller ends with the policy that made it: a minute is the longest that a verified token is kept, too. */
const PRIVATE_HINT = { ttlMs: 60_000, cacheScope: 'private' } as const

const CATALOGUE_URI = 'ductape://catalogue'

export function createSdkHandler(options: SdkOptions): SdkHandler {
  const modern = createMcpHandler(
    ({ authInfo }) => createServer(options, authInfo?.extra?.['listing'] as ToolListing),
    { legacy: 'reject', onerror: options.onError },
  )

  return {
    async answer(request, body, listing) {
      const message = new Request('http://service.invalid/mcp', {
        method: 'POST',
        headers: headersFor(request, body),
      })
      const legacy = await isLegacyRequest(message, body)
      return toAnswer(
        legacy
          ? await answerLegacy(() => createServer(options, listing), message, body)
          : await modern.fetch(message, {
              parsedBody: body,
              // The SDK's way to hand something to the factory; it holds no token, because the SDK has no need of one.
              authInfo: { token: '', clientId: '', scopes: [], extra: { listing } },
            }),
      )
    },
    close: () => modern.close(),
  }
}

// Accept and Content-Type were judged by `transport`; what is negotiated here is always JSON.
function headersFor(request: HttpRequest, body: Json): Record<string, string> {
  const headers: Record<string, string> = {
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
  }
  for (const name of ['mcp-protocol-version', 'mcp-method', 'mcp-name']) {
    const value = header(request, name)
    if (value !== undefined) headers[name] = value
  }
  // The handshake negotiates in its body: a client that names the newest revision here as well still gets 2025-11-25 (parts.md, rmcp).
  if (isHandshake(body)) delete headers['mcp-protocol-version']
  return headers
}

function isHandshake(body: Json): boolean {
  return (
    member(body, 'method') === 'initialize' &&
    member(member(member(body, 'params'), '_meta'), VERSION_KEY) === undefined
  )
}

async function answerLegacy(factory: () => Server, message: Request, body: Json): Promise<Response> {
  const server = factory()
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
  try {
    await server.connect(transport)
    return await transport.handleRequest(message, { parsedBody: body })
  } finally {
    await server.close()
  }
}

export function createServer(
  { server: identity, resources, onError }: SdkOptions,
  { tools, shared }: ToolListing,
): Server {
  const hint = shared ? PUBLIC_HINT : PRIVATE_HINT
  const server = new Server(identity, {
    // listChanged false: a subscription closes at once instead of holding a stream open for a list that never changes (mcp.md 2.3).
    capabilities: { tools: { listChanged: false }, resources: { listChanged: false, subscribe: false } },
    instructions: instructionsFor(tools),
    cacheHints: {
      'tools/list': hint,
      'resources/list': PUBLIC_HINT,
      'resources/templates/list': PUBLIC_HINT,
      'resources/read': PUBLIC_HINT,
      // It holds the instructions, which differ with the tools.
      'server/discover': hint,
    },
  })
  server.onerror = onError
  server.setRequestHandler('tools/list', () => ({ tools: tools as never }))
  server.setRequestHandler('resources/list', () => ({
    resources: [
      {
        uri: CATALOGUE_URI,
        name: 'Ductape catalogue',
        description: 'The modules of ductape_execute and how to read them',
        mimeType: 'application/json',
      },
      ...resources.modules.map((module) => ({
        uri: `${CATALOGUE_URI}/${module}`,
        name: `Ductape module ${module}`,
        description: `Methods of ${module} with signatures and effects`,
        mimeType: 'application/json',
      })),
    ],
  }))
  server.setRequestHandler('resources/templates/list', () => ({
    resourceTemplates: [
      {
        uriTemplate: `${CATALOGUE_URI}/{module}`,
        name: 'Ductape module',
        description: 'Methods of one module with signatures and effects',
        mimeType: 'application/json',
      },
    ],
  }))
  server.setRequestHandler('resources/read', ({ params: { uri } }) => {
    const text = uri === CATALOGUE_URI ? resources.catalogue() : moduleText(resources, uri)
    if (text === undefined) throw new ResourceNotFoundError(uri)
    return { contents: [{ uri, mimeType: 'application/json', text }] }
  })
  return server
}

function moduleText(resources: ResourceTexts, uri: string): string | undefined {
  const prefix = `${CATALOGUE_URI}/`
  return uri.startsWith(prefix) ? resources.module(uri.slice(prefix.length)) : undefined
}

/** Sentences for the SDK's errors: its own repeat what the caller sent, or what was thrown. */
const SENTENCES: Readonly<Record<number, string>> = {
  [-32700]: 'The message is not valid.',
  [-32600]: 'The message is not a JSON-RPC 2.0 request or notification.',
  [-32601]: 'Method not found.',
  [-32602]: 'The parameters of the request are not valid.',
  [-32603]: 'The service failed on this request.',
  [-32020]: 'The HTTP headers and the body do not say the same.',
  [-32021]: 'The request needs a client capability that was not declared.',
  [-32022]: 'Unsupported protocol version.',
  [-32000]: 'The request was refused.',
}

async function toAnswer(response: Response): Promise<HttpAnswer> {
  const text = await response.text()
  const type = response.headers.get('content-type') ?? undefined
  if (type === undefined || text === '') return { status: response.status, headers: {}, body: undefined }
  if (!type.startsWith('application/json'))
    return { status: response.status, headers: { 'content-type': type }, body: text }
  const message = parseLossless(text) as { error?: { code: number; message: string; data?: unknown } }
  if (message.error === undefined) return { status: response.status, headers: {}, body: text }
  const { code, data } = message.error
  const notFound = code === -32602 && typeof data === 'object' && data !== null && 'uri' in data
  message.error = {
    code,
    message: notFound ? 'Resource not found.' : (SENTENCES[code] ?? 'The request was refused.'),
    ...(data !== undefined && { data: shownData(data) }),
  }
  return { status: response.status, headers: {}, body: JSON.stringify(message), refused: true }
}

/** `data` of an SDK error with every string made safe to show. */
function shownData(data: unknown): unknown {
  return JSON.parse(JSON.stringify(data), (_key, value: unknown) => {
    if (typeof value !== 'string') return value
    const shown = shownName(value)
    return shown.startsWith('"') ? visibleText(value, 64) : shown
  })
}
