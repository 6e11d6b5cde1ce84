// A node:http client for tests: any header, any body, one keep-alive pool, and the answer as it came.
import http from 'node:http'

export interface SentRequest {
  method?: string
  path: string
  headers: readonly (readonly [name: string, value: string])[]
  body: Buffer | string
  /** Sent in two chunks instead of with a length. */
  chunked?: boolean
}

export interface Received {
  status: number
  headers: http.IncomingHttpHeaders
  body: string
  /** Milliseconds from the first byte sent to the last received. */
  took: number
}

export interface HttpClient {
  send(request: SentRequest): Promise<Received>
  close(): void
}

/** `origin` is http://host:port or unix:/path. */
export function createClient(origin: string, connections = 8): HttpClient {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections })
  const { protocol, pathname, hostname, port } = new URL(origin)
  const target = protocol === 'unix:' ? { socketPath: pathname } : { hostname, port: Number(port) }
  return {
    send: (request) => send({ agent, ...target }, request),
    close: () => agent.destroy(),
  }
}

function send(target: http.RequestOptions, request: SentRequest): Promise<Received> {
  const body = Buffer.from(request.body)
  const { promise, resolve, reject } = Promise.withResolvers<Received>()
  const started = performance.now()
  const outgoing = http.request({ ...target, method: request.method ?? 'POST', path: request.path })
  for (const [name, value] of request.headers) outgoing.appendHeader(name, value)
  outgoing.on('response', (response) => {
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => chunks.push(chunk))
    response.on('error', reject)
    response.on('end', () =>
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: Buffer.concat(chunks).toString('utf8'),
        took: performance.now() - started,
      }),
    )
  })
  outgoing.on('error', reject)
  if (request.chunked) {
    const half = body.length >> 1
    outgoing.write(body.subarray(0, half))
    outgoing.end(body.subarray(half))
  } else {
    outgoing.setHeader('content-length', body.length)
    outgoing.end(body)
  }
  return promise
}
