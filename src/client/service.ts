// The MCP client of `call` and `doctor`: the official 1.x SDK over Streamable HTTP, and what went wrong in one sentence.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import {
  StreamableHTTPClientTransport,
  StreamableHTTPError,
} from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ErrorCode, McpError } from '@modelcontextprotocol/sdk/types.js'
import type { jsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/types.js'
import { IDENTITY } from '../cli/identity.ts'
import { DENIALS } from '../core/denials.ts'
import { terminalPhrase } from '../core/terminal.ts'
import { ClientFailure, unreachable } from './failure.ts'
import { type ClientTls, tlsFetch } from './tls.ts'

export interface ServiceOptions {
  url: URL
  headers: Readonly<Record<string, string>>
  /** Of each request, in milliseconds. */
  timeout: number
  /** For a proxy that asks for a certificate. */
  tls?: ClientTls | undefined
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
  _meta?: Record<string, unknown>
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

export async function connectService({ url, headers, timeout, tls }: ServiceOptions): Promise<Service> {
  const client = new Client(IDENTITY, { jsonSchemaValidator: TRUST_RESULTS })
  const secured = tls === undefined ? undefined : await tlsFetch(tls)
  const transport = new StreamableHTTPClientTransport(url, {
    requestInit: { headers: { ...headers } },
    ...(secured !== undefined && { fetch: secured.fetch }),
  })
  const close = async (): Promise<void> => {
    await client.close()
    await secured?.close()
  }
  const request = async <T>(ask: () => Promise<T>): Promise<T> => {
    try {
      return await ask()
    } catch (error) {
      throw explain(error, url, timeout, 'authorization' in headers)
    }
  }
  try {
    // The SDK's own declarations differ in exactOptionalPropertyTypes.
    await request(() => client.connect(transport as Parameters<Client['connect']>[0], { timeout }))
  } catch (error) {
    await close()
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
    close,
  }
}

function explain(error: unknown, url: URL, timeout: number, known: boolean): ClientFailure {
  const shown = terminalPhrase(url.href)
  if (error instanceof StreamableHTTPError) return httpFailure(error, shown, known)
  if (error instanceof McpError) {
    if (error.code === ErrorCode.RequestTimeout)
      return new ClientFailure(
        `${shown} gave no answer within ${timeout / 1000} s. The operation may have taken effect.`,
      )
    return new ClientFailure(
      `${shown} refused the request: ${phrase(error.message.replace(/^MCP error -?\d+: /, ''))}`,
      knownCode((error.data as { code?: unknown } | undefined)?.code),
    )
  }
  if (error instanceof TypeError) return unreachable(url.origin, error)
  // What is left is an answer that the SDK could not read.
  return new ClientFailure(`${shown} does not answer like an MCP service.`)
}

/** The service answered, and said who may not; `status` 401 = it does not know the caller. */
export class NotAdmitted extends ClientFailure {
  readonly status: 401 | 403
  constructor(message: string, status: 401 | 403, refusal: string | undefined) {
    super(message, refusal)
    this.status = status
  }
}

/** `known` = a token was sent. */
function httpFailure({ code, message }: StreamableHTTPError, url: string, known: boolean): ClientFailure {
  if (code === undefined || code < 100)
    return new ClientFailure(`${url} does not answer like an MCP service.`)
  const refusal = refusalOf(message)
  const refused = knownCode(refusal?.code)
  if (code === 401 || code === 403)
    return new NotAdmitted(notAdmitted(code, refusal, url, known), code, refused)
  if (refusal !== undefined)
    return new ClientFailure(
      `${url} refused the request with HTTP status ${code}: ${phrase(refusal.sentence)}`,
      refused,
    )
  if (code === 404)
    return new ClientFailure(`${url} is no MCP endpoint (HTTP status 404); it usually ends in /mcp.`)
  return new ClientFailure(`${url} refused the request with HTTP status ${code}.`)
}

const HOW = 'Name the file of a token or API key with --token-file.'

function notAdmitted(status: 401 | 403, refusal: Refusal | undefined, url: string, known: boolean): string {
  const how = status === 401 && !known ? HOW : undefined
  if (refusal === undefined) {
    const wants = status === 401 ? 'wants authentication' : 'does not allow it'
    return [`${url} ${wants} (HTTP status ${status}).`, how].filter(Boolean).join(' ')
  }
  const code = knownCode(refusal.code)
  const row = code === undefined ? undefined : DENIALS[code]
  const named = row === undefined ? '' : ` (${code})`
  const advice = how ?? row?.remedy
  return `${url} refused the request with HTTP status ${status}${named}: ${phrase(refusal.sentence)}${advice === undefined ? '' : ` ${advice}`}`
}

/** Only a code of the table may be shown or believed. */
const knownCode = (code: unknown): keyof typeof DENIALS | undefined =>
  typeof code === 'string' && Object.hasOwn(DENIALS, code) ? (code as keyof typeof DENIALS) : undefined

interface Refusal {
  sentence: string
  /** As the service has it: not to be shown before it was looked up. */
  code: string | undefined
}

/** The sentence of a JSON-RPC error or of problem+json that the SDK has put into its message. */
function refusalOf(message: string): Refusal | undefined {
  const start = message.indexOf('{')
  if (start < 0) return undefined
  try {
    const body = JSON.parse(message.slice(start)) as {
      error?: { message?: unknown; data?: { code?: unknown } }
      title?: unknown
      code?: unknown
    }
    const sentence = body.error?.message ?? body.title
    const code = body.error?.data?.code ?? body.code
    return typeof sentence === 'string'
      ? { sentence, code: typeof code === 'string' ? code : undefined }
      : undefined
  } catch {
    return undefined
  }
}

/** Ends with one full stop, whoever wrote it. */
const phrase = (text: string): string => `${terminalPhrase(text).replace(/[.\s]+$/, '')}.`
