// Sends requests byte for byte as a test wants them: repeated and padded headers, any method, raw bodies.
import http from 'node:http'

export interface Sent {
  method?: string
  path?: string
  /** Names and values; a name may occur twice. `null` leaves a default header out. */
  headers?: readonly (readonly [name: string, value: string])[] | Record<string, string | null>
  body?: string | Buffer | undefined
}

export interface Received {
  status: number
  headers: http.IncomingHttpHeaders
  text: string
}

const DEFAULTS: Record<string, string> = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
}

export interface Wire {
  /** The request as it is about to be sent; for tests that look at it while it is under way. */
  open(sent: Sent): http.ClientRequest
  send(sent: Sent): Promise<Received>
  close(): void
}

export function createWire(url: string): Wire {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 })
  const { hostname, port, host } = new URL(url)

  const open = (sent: Sent): http.ClientRequest => {
    const { method = 'POST', path = '/mcp', headers = {}, body } = sent
    const pairs: (readonly [string, string])[] = Array.isArray(headers)
      ? [...headers]
      : Object.entries({ ...(method === 'POST' && DEFAULTS), ...headers }).filter(
          ([, value]) => value !== null,
        )
    if (!pairs.some(([name]) => name.toLowerCase() === 'host')) pairs.unshift(['host', host])
    if (body !== undefined) pairs.push(['content-length', String(Buffer.byteLength(body))])
    // The cast: the types do not know the flat list of names and values, which keeps repeated headers apart.
    const raw = pairs.flat() as never
    const request = http.request({ host: hostname, port, method, path, agent, headers: raw })
    request.end(body)
    return request
  }

  const send = (sent: Sent): Promise<Received> =>
    new Promise((resolve, reject) => {
      const request = open(sent)
      request.on('error', reject)
      request.on('response', (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString('utf8'),
          }),
        )
      })
    })

  return { open, send, close: () => agent.destroy() }
}

/** The messages of an answer, JSON or event stream; comments are left out. */
export function messagesOf({ headers, text }: Received): unknown[] {
  if (text === '') return []
  if (!String(headers['content-type']).startsWith('text/event-stream')) return [JSON.parse(text)]
  return text
    .split('\n\n')
    .flatMap((event) => event.split('\n').filter((line) => line.startsWith('data: ')))
    .map((line) => JSON.parse(line.slice(6)))
}
