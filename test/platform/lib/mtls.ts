// The official client and plain requests over TLS with a client certificate.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Agent, fetch } from 'undici'
import type { Certificates } from './certs.ts'

export type Identity = { readonly cert: Buffer; readonly key: Buffer } | null

export function agent(certs: Certificates, identity: Identity = certs.client, maxVersion?: 'TLSv1.2'): Agent {
  return new Agent({
    connect: { ca: certs.ca, ...identity, ...(maxVersion === undefined ? {} : { maxVersion }) },
  })
}

/** Connects the official client, `legacy` as 2025-11-25 and `auto` as 2026-07-28, gives it to `use` and closes both client and connections. */
export async function withClient<T>(
  url: string,
  certs: Certificates,
  era: 'legacy' | 'auto',
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const dispatcher = agent(certs)
  const client = new Client(
    { name: 'platform-test', version: '1.0.0' },
    { versionNegotiation: { mode: era } },
  )
  const transport = new StreamableHTTPClientTransport(new URL(url), {
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
