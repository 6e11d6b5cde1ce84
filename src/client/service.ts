// The MCP client of `call` and `doctor`: the official 1.x SDK over Streamable HTTP, and what went wrong in one sentence.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import {
  StreamableHTTPClientTransport,
  StreamableHTTPError,
} from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ErrorCode, McpError } from '@modelcontextprotocol/sdk/types.js'
import type { jsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/types.js'
import { IDENTITY } from '../cli/identity.ts'
import { ClientFailure, unreachable } from './failure.ts'
import { terminalPhrase } from './terminal.ts'

export interface ServiceOptions {
  url: URL
  headers: Readonly<Record<string, string>>
  /** Of each request, in milliseconds. */
  timeout: number
}

export interface Tool {
  name: string
  title?: string | undefined
  description?: string | undefined
  inputSchema: { properties?: Record<string, object> | undefined; required?: string[] | undefined }
}

export interface ToolAnswer {
  content: { type: string; text?: string }[]
  isError?: boolean
}

/** Every method rejects with a ClientFailure. */
export interface Service {
  tools(): Promise<Tool[]>
  call(name: string, args: Record<string, unknown>): Promise<ToolAnswer>
  close(): Promise<void>
}

// The SDK would compile a validator of each outputSchema, and compiled code is what a hardened Node refuses; the service has checked what it sends.
const TRUST_RESULTS: jsonSchemaValidator = {
  getValidator: () => (input) => ({ valid: true, data: input as never, errorMessage: undefined }),
}

/** Pages of tools/list that are read at most. */
const MAX_PAGES = 16

export async function connectService({ url, headers, timeout }: ServiceOptions): Promise<Service> {
  const client = new Client(IDENTITY, { jsonSchemaValidator: TRUST_RESULTS })
  const transport = new StreamableHTTPClientTransport(url, { requestInit: { headers: { ...headers } } })
  const request = async <T>(ask: () => Promise<T>): Promise<T> => {
    try {
      return await ask()
    } catch (error) {
      throw explain(error, url, timeout)
    }
  }
  try {
    // The SDK's own declarations differ in exactOptionalPropertyTypes.
    await request(() => client.connect(transport as Parameters<Client['connect']>[0], { timeout }))
  } catch (error) {
    await client.close()
    throw error
  }
  return {
    async tools() {
      const tools: Tool[] = []
      let cursor: string | undefined
      for (let page = 0; page < MAX_PAGES; page++) {
        const answer = await request(() =>
          client.listTools(cursor === undefined ? {} : { cursor }, { timeout }),
        )
        tools.push(...(answer.tools as Tool[]))
        cursor = answer.nextCursor
        if (cursor === undefined) break
      }
      return tools
    },
    call: (name, args) =>
      request(
        () => client.callTool({ name, arguments: args }, undefined, { timeout }) as Promise<ToolAnswer>,
      ),
    close: () => client.close(),
  }
}

function explain(error: unknown, url: URL, timeout: number): ClientFailure {
  const shown = terminalPhrase(url.href)
  if (error instanceof StreamableHTTPError) return new ClientFailure(httpFailure(error, shown))
  if (error instanceof McpError) {
    if (error.code === ErrorCode.RequestTimeout)
      return new ClientFailure(
        `${shown} gave no answer within ${timeout / 1000} s. The operation may have taken effect.`,
      )
    return new ClientFailure(
      `${shown} refused the request: ${phrase(error.message.replace(/^MCP error -?\d+: /, ''))}`,
    )
  }
  if (error instanceof TypeError) return unreachable(url.origin, error)
  // What is left is an answer that the SDK could not read.
  return new ClientFailure(`${shown} does not answer like an MCP service.`)
}

function httpFailure({ code, message }: StreamableHTTPError, url: string): string {
  if (code === undefined || code < 100) return `${url} does not answer like an MCP service.`
  const sentence = refusalOf(message)
  if (sentence !== undefined)
    return `${url} refused the request with HTTP status ${code}: ${phrase(sentence)}`
  if (code === 401)
    return `${url} wants authentication (HTTP status 401); pass --header "authorization:Bearer ...".`
  if (code === 404) return `${url} is no MCP endpoint (HTTP status 404); it usually ends in /mcp.`
  return `${url} refused the request with HTTP status ${code}.`
}

/** The sentence of a JSON-RPC error or of problem+json that the SDK has put into its message. */
function refusalOf(message: string): string | undefined {
  const start = message.indexOf('{')
  if (start < 0) return undefined
  try {
    const body = JSON.parse(message.slice(start)) as { error?: { message?: unknown }; title?: unknown }
    const sentence = body.error?.message ?? body.title
    return typeof sentence === 'string' ? sentence : undefined
  } catch {
    return undefined
  }
}

/** Ends with one full stop, whoever wrote it. */
const phrase = (text: string): string => `${terminalPhrase(text).replace(/[.\s]+$/, '')}.`
