// The reference of the differential test: the SDK 2.x as src/mcp/sdk.ts composes it, reading bytes itself and with a tools/call handler of its own.
import http from 'node:http'
import { toNodeHandler } from '@modelcontextprotocol/node'
import {
  createMcpHandler,
  isLegacyRequest,
  ProtocolError,
  ProtocolErrorCode,
  type Server,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server'
import type { Dispatcher } from 'undici'
import { describeCatalogue, describeModule, MODULES } from '../../../src/catalogue/index.ts'
import { denialText } from '../../../src/core/denials.ts'
import type { JsonObject } from '../../../src/core/json.ts'
import type { BackendRequest, ToolDefinition } from '../../../src/core/tool.ts'
import { presentedCredential } from '../../../src/credentials/key.ts'
import { createServer } from '../../../src/mcp/sdk.ts'
import { listenLocal } from '../../lib/ports.ts'

/** What the backend of both sides answers: fixed, and a failure for one method. */
function reply({ path, body }: Pick<BackendRequest, 'path' | 'body'>): JsonObject {
  if (path.endsWith('/generate'))
    return { status: true, data: { payload: { query: { limit: 10 } }, meta: { warnings: [] } } }
  const { module, method } = JSON.parse(body) as { module: string; method: string }
  if (`${module}.${method}` === 'databases.query')
    return { status: false, message: 'The table does not exist' }
  return { status: true, data: { data: { name: method, list: [1, 'two', null] }, request_id: 'req_1' } }
}

/** The same answers for the service. */
export function fixedBackend(): Dispatcher {
  const dispatch: Dispatcher['dispatch'] = ({ path, body }, handler) => {
    const controller = { abort: () => undefined } as unknown as Dispatcher.DispatchController
    queueMicrotask(() => {
      const answer = JSON.stringify(
        reply({ path: path as BackendRequest['path'], body: typeof body === 'string' ? body : '' }),
      )
      handler.onRequestStart?.(controller, undefined)
      handler.onResponseStart?.(controller, 200, {}, 'OK')
      handler.onResponseData?.(controller, Buffer.from(answer))
      handler.onResponseEnd?.(controller, {})
    })
    return true
  }
  return { dispatch, destroy: async () => undefined } as unknown as Dispatcher
}

type CallResult = {
  content: { type: 'text'; text: string }[]
  structuredContent?: JsonObject
  isError?: boolean
}

function answer(tools: readonly ToolDefinition[], name: string, args: JsonObject): CallResult {
  const tool = tools.find((candidate) => candidate.declaration.name === name)
  if (tool === undefined) throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'Unknown tool')
  const checked = tool.validate(args)
  const failed = (text: string): CallResult => ({ content: [{ type: 'text', text }], isError: true })
  if ('code' in checked) return failed(denialText(checked))
  const { status, message, data } = reply(checked.request(presentedCredential(args)))
  if (status === false)
    return failed(tool.failure({ code: 'backend_failed', backendMessage: String(message) }))
  const { content, structuredContent } = checked.answer(data as JsonObject)
  return {
    content: content as CallResult['content'],
    ...(structuredContent !== undefined && { structuredContent: structuredContent as JsonObject }),
  }
}

export interface Reference {
  url: string
  close(): Promise<void>
}

export async function startReference(tools: readonly ToolDefinition[]): Promise<Reference> {
  const factory = (): Server => {
    const server = createServer(
      {
        server: { name: 'ductape-mcp', version: '0.0.0-test' },
        resources: { modules: MODULES, catalogue: describeCatalogue, module: describeModule },
        onError: () => undefined,
      },
      { tools: tools.map((tool) => tool.declaration), shared: true },
    )
    server.setRequestHandler('tools/call', ({ params }) =>
      answer(tools, params.name, (params.arguments ?? {}) as JsonObject),
    )
    return server
  }
  const modern = createMcpHandler(factory, { legacy: 'reject', onerror: () => undefined })
  const legacy = async (request: Request): Promise<Response> => {
    const server = factory()
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
    await server.connect(transport)
    try {
      return await transport.handleRequest(request)
    } finally {
      await server.close()
    }
  }
  const serve = toNodeHandler({
    fetch: async (request: Request) => {
      if (request.method !== 'POST') return modern.fetch(request)
      return (await isLegacyRequest(request)) ? legacy(request) : modern.fetch(request)
    },
  })
  const server = http.createServer((request, response) => {
    // The cast: the adapter's own types do not meet node:http's under exactOptionalPropertyTypes.
    serve(request as Parameters<typeof serve>[0], response).catch(() => response.destroy())
  })
  const port = await listenLocal(server)
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await modern.close()
    },
  }
}
