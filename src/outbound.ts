// The table of every outbound connection and the only place that dials; egress rules and documents derive from it (design.md 4).
import type { Socket } from 'node:net'
import { isIP } from 'node:net'
import tls from 'node:tls'
// Only the pool is loaded at start: the whole of undici brings fetch, WebSocket and caches, and doubles the time to the first call.
import type { buildConnector as BuildConnector, Dispatcher } from 'undici'
import buildConnector from 'undici/lib/core/connect.js'
import Pool from 'undici/lib/dispatcher/pool.js'
import { isPrivateAddress } from './core/private-address.ts'

export interface OutboundRow {
  purpose: string
  /** Config key or variable that names the destination. */
  destination: string
  /** When it is dialled at all. */
  when: string
}

export const OUTBOUND = {
  backend: {
    purpose: 'Runs operations and generates payloads',
    destination: 'backend.url (through outbound.proxy where set)',
    when: 'always',
  },
  issuer: {
    purpose: 'Fetches the metadata and public keys of an authorization server',
    destination:
      'auth.oauth.issuers[].issuer, auth.people.issuer and their jwks_uri (through outbound.proxy where set)',
    when: 'only with auth.oauth or auth.people: at the first token, then when keys are old or unknown',
  },
  store: {
    purpose:
      'Shares limits, approvals, idempotency keys, revocations, the kill switch and DPoP identifiers between replicas; dialled by the Redis client in src/store',
    destination: 'store.redis.url',
    when: 'only where store.redis is set',
  },
  witness: {
    purpose: 'Gets a copy of every signed checkpoint of the audit records',
    destination: 'audit.witness.url (through outbound.proxy where set)',
    when: 'only where audit.witness.url is set: about once a second while there are calls',
  },
  notifications: {
    purpose: 'Tells people that a call waits for approval, or was made: id, address of the page and risk',
    destination: 'outbound.notifications.url (through outbound.proxy where set)',
    when: 'only where outbound.notifications is set: once for each call that waits, or that a rule wants to be told of',
  },
  otlp: {
    purpose: 'Sends traces; dialled by the OpenTelemetry exporter',
    destination: 'OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
    when: 'only where the variable is set',
  },
  service: {
    purpose: 'Asks a running ductape-mcp; dialled by the MCP client and node:http in src/client',
    destination: '--url, or the listeners of the configuration',
    when: 'only in the commands approvals, call, doctor, health and top; the service itself never does',
  },
} satisfies Record<string, OutboundRow>

/** A configured host that is private itself: an address, or a name that can only mean this host. */
function isPrivateHost(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '')
  return name === 'localhost' || name.endsWith('.localhost') || (isIP(name) !== 0 && isPrivateAddress(name))
}

export interface DialOptions {
  /** The one origin that may be asked. */
  origin: string
  connections: number
  /** PEM of the certificate authorities that replace the built-in ones. */
  ca: string | undefined
  /** http(s)://host:port of an egress proxy. */
  proxy: string | undefined
  connectTimeout: number
  /** The name may resolve to a private address: the operator has said so. */
  privateNetwork?: boolean
  /** The URL that the operator has written, where `origin` was learnt from a document: its host alone may be private by itself. */
  configured?: string
}

/** Opens the pool of one destination; connections are made when they are needed. */
export async function dial(_row: keyof typeof OUTBOUND, options: DialOptions): Promise<Dispatcher> {
  const timeouts = {
    headersTimeout: 0,
    bodyTimeout: 0,
    connectTimeout: options.connectTimeout,
    pipelining: 1,
  }
  if (options.proxy !== undefined) {
    const { ProxyAgent } = (await import('undici')).default
    // The proxy decides where the connection ends, so its own address is all that could be checked here.
    return new ProxyAgent({
      uri: options.proxy,
      connections: options.connections,
      requestTls: trust(options),
      proxyTunnel: true,
      // As without a proxy: one request a connection, so that a broken one concerns one call.
      allowH2: false,
      ...timeouts,
    })
  }
  return new Pool(options.origin, {
    connections: options.connections,
    ...timeouts,
    connect: guardedConnect(options),
  })
}

/** The private address is refused on the connected socket, after the name was resolved: a check of the name beforehand could be answered differently the second time. */
function guardedConnect(options: DialOptions): BuildConnector.connector {
  const connect = buildConnector({ ...trust(options), allowH2: false, timeout: options.connectTimeout })
  const { hostname } = new URL(options.origin)
  const isConfigured = hostname === new URL(options.configured ?? options.origin).hostname
  const allowPrivate = options.privateNetwork === true || (isConfigured && isPrivateHost(hostname))
  return (target, callback) =>
    connect(target, (...[error, socket]) => {
      if (error !== null) return callback(error, null)
      const refused = refusePrivate(socket, allowPrivate)
      return refused === undefined ? callback(null, socket) : callback(refused, null)
    })
}

export interface FetchOptions extends Omit<DialOptions, 'origin' | 'connections'> {
  url: string
  /** Bytes of the answer that are read at most. */
  limit: number
  /** Milliseconds for all of it. */
  timeout: number
}

/** One GET on a connection of its own: no redirect is followed, and a longer or later answer rejects. */
export const fetchBytes = (
  row: keyof typeof OUTBOUND,
  options: FetchOptions,
): Promise<{ status: number; body: Buffer }> =>
  request(row, options, { method: 'GET', headers: ['accept', 'application/json'] })

/** One POST in the same way. */
export const postText = (
  row: keyof typeof OUTBOUND,
  options: FetchOptions,
  headers: readonly string[],
  text: string,
): Promise<{ status: number; body: Buffer }> =>
  request(row, options, { method: 'POST', headers: [...headers], body: text })

async function request(
  row: keyof typeof OUTBOUND,
  { url, limit, timeout, ...options }: FetchOptions,
  what: Pick<Dispatcher.DispatchOptions, 'method'> & { headers: string[]; body?: string },
): Promise<{ status: number; body: Buffer }> {
  const { origin, pathname, search } = new URL(url)
  const dispatcher = await dial(row, { ...options, origin, connections: 1 })
  const chunks: Buffer[] = []
  let bytes = 0
  let status = 0
  try {
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('no answer in time')), timeout)
      const settle = (error?: Error): void => {
        clearTimeout(late)
        if (error === undefined) resolve()
        else reject(error)
      }
      dispatcher.dispatch(
        { origin, path: pathname + search, ...what },
        {
          onRequestStart: () => undefined,
          onResponseStart: (_controller, code) => {
            status = code
          },
          onResponseData: (_controller, chunk) => {
            bytes += chunk.length
            if (bytes > limit) settle(new Error('the answer is too large'))
            else chunks.push(chunk)
          },
          onResponseEnd: () => settle(),
          onResponseError: (_controller, error) => settle(error),
        },
      )
    })
  } finally {
    await dispatcher.destroy()
  }
  return { status, body: Buffer.concat(chunks, bytes) }
}

const trust = ({ ca }: DialOptions): { ca?: string } => (ca === undefined ? {} : { ca })

/** Connects as `dial` would and closes again: nothing is sent but the TLS handshake. Rejects with the error of the connection. */
export async function probe(_row: keyof typeof OUTBOUND, options: DialOptions): Promise<void> {
  const { protocol, hostname, port, host } = new URL(options.origin)
  const number = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port)
  const name = hostname.replace(/^\[|\]$/g, '')
  if (options.proxy === undefined) {
    await new Promise<void>((resolve, reject) => {
      guardedConnect(options)({ protocol, hostname: name, host, port: String(number) }, (error, socket) => {
        socket?.destroy()
        if (error === null) resolve()
        else reject(error)
      })
    })
    return
  }
  const { Client } = (await import('undici')).default
  const proxy = new Client(options.proxy, {
    allowH2: false,
    connectTimeout: options.connectTimeout,
    headersTimeout: options.connectTimeout,
  })
  try {
    const { statusCode, socket } = await proxy.connect({ path: `${hostname}:${number}` })
    try {
      if (statusCode !== 200) throw new Error(`the proxy answered with HTTP status ${statusCode}`)
      if (protocol === 'https:') await handshake(socket as Socket, name, options)
    } finally {
      socket.destroy()
    }
  } finally {
    await proxy.destroy()
  }
}

function handshake(socket: Socket, name: string, options: DialOptions): Promise<void> {
  const servername = isIP(name) === 0 ? { servername: name } : {}
  return new Promise((resolve, reject) => {
    const secured = tls.connect({ socket, ...trust(options), ...servername }, resolve)
    secured.once('error', reject)
    secured.setTimeout(options.connectTimeout, () =>
      secured.destroy(new Error('timeout of the TLS handshake')),
    )
  })
}

function refusePrivate(socket: Socket, allowPrivate: boolean): Error | undefined {
  if (allowPrivate || !isPrivateAddress(socket.remoteAddress ?? '')) return undefined
  socket.destroy()
  return new Error('the configured name resolved to a private address')
}
