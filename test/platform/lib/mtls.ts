// The official client and plain requests over TLS with a client certificate, or straight to the socket of the service.
import { randomUUID } from 'node:crypto'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Agent, buildConnector, fetch, request } from 'undici'
import { EXECUTE } from './calls.ts'
import { type Certificates, type KeyPair, PUBLIC_URL } from './certs.ts'

export interface AgentOptions {
  /** null presents no certificate. */
  readonly identity?: KeyPair | null
  readonly maxVersion?: 'TLSv1.2'
  /** All requests go to this port on loopback, whatever host their URL names. */
  readonly port?: number
}

export function agent(certs: Certificates, options: AgentOptions = {}): Agent {
  const { identity = certs.client, maxVersion, port } = options
  const connector = buildConnector({
    ca: certs.ca,
    ...identity,
    ...(maxVersion === undefined ? {} : { maxVersion }),
  })
  return new Agent({
    connect: (target, callback) =>
      connector(
        port === undefined
          ? target
          : { ...target, hostname: '127.0.0.1', port: String(port), servername: target.hostname },
        callback,
      ),
  })
}

/** Connects the official client, `legacy` as 2025-11-25 and `auto` as 2026-07-28, gives it to `use` and closes both client and connections. */
export async function withClient<T>(
  dispatcher: Agent,
  era: 'legacy' | 'auto',
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const client = new Client(
    { name: 'platform-test', version: '1.0.0' },
    { versionNegotiation: { mode: era } },
  )
  const transport = new StreamableHTTPClientTransport(new URL(`${PUBLIC_URL}/mcp`), {
    fetch: ((input: string | URL, init?: object) =>
      fetch(input, { ...init, dispatcher })) as unknown as typeof globalThis.fetch,
  })
  try {
    await client.connect(transport)
    return await use(client)
  } finally {
    await client.close()
    await dispatcher.close()
  }
}

export interface Answer {
  readonly status: number
  /** What the call is found by in the records. */
  readonly requestId: string
  /** Code of the refusal, where there is one. */
  readonly code: string | undefined
  readonly text: string
}

/** One REST call of a reading operation, and what came of it. */
export async function callTool(
  dispatcher: Agent,
  headers: Record<string, string | string[]> = {},
  origin = PUBLIC_URL,
): Promise<Answer> {
  const requestId = randomUUID()
  const { statusCode, body } = await request(`${origin}/v1/tools/${EXECUTE.name}`, {
    method: 'POST',
    dispatcher,
    headers: { 'content-type': 'application/json', 'x-request-id': requestId, ...headers },
    body: JSON.stringify(EXECUTE.arguments),
  })
  const text = await body.text()
  return { status: statusCode, requestId, code: /"code":\s*"(\w+)"/.exec(text)?.[1], text }
}

/** Connections straight to a unix socket, as only nginx makes them. */
export const socketAgent = (socketPath: string): Agent => new Agent({ connect: { socketPath } })

/** URL of a service behind its socket; the host is the one that agents name. */
export const SOCKET_ORIGIN = PUBLIC_URL.replace('https:', 'http:')
