// One request with a deadline and a cap, for probes, checks and commands: on node:http alone, because `health` runs every few seconds and has to start fast.
import http, { type IncomingHttpHeaders } from 'node:http'
import https from 'node:https'
import { ClientFailure, unreachable } from './failure.ts'
import type { ClientTls } from './tls.ts'

export interface GetAnswer {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

const MAX_ANSWER = 1 << 20

export interface Asked {
  method: 'GET' | 'POST'
  headers?: Readonly<Record<string, string>>
  /** JSON text. */
  body?: string
  /** Milliseconds for all of it. */
  timeout: number
  /** Path of the unix socket to ask in place of the host. */
  socket?: string | undefined
  tls?: ClientTls | undefined
  /** Bytes of the answer that are read at most. */
  limit?: number
}

/** Resolves with the answer whatever its status; rejects with a ClientFailure. */
export const get = (url: URL, timeout: number, socket?: string, tls?: ClientTls): Promise<GetAnswer> =>
  exchange(url, { method: 'GET', timeout, socket, tls })

/** The same for any request. */
export function exchange(
  url: URL,
  { method, headers, body, timeout, socket, tls, limit = MAX_ANSWER }: Asked,
): Promise<GetAnswer> {
  const shown = socket === undefined ? url.origin : `unix:${socket}`
  return new Promise((resolve, reject) => {
    // Ending a request ourselves reports a reset, so the reason is kept here.
    let reason: ClientFailure | undefined
    const stop = (words: string): void => {
      reason = new ClientFailure(`${shown} ${words}.`)
      request.destroy(reason)
    }
    const fail = (error: Error): void => {
      clearTimeout(deadline)
      reject(reason ?? unreachable(shown, error))
    }
    // The whole exchange counts, not only the silence between two bytes.
    const deadline = setTimeout(() => stop(`did not answer within ${timeout / 1000} s`), timeout)
    const request = (url.protocol === 'https:' ? https : http).request(
      url,
      {
        method,
        agent: false,
        ...(socket !== undefined && { socketPath: socket }),
        ...tls,
        headers: {
          accept: 'application/json',
          connection: 'close',
          ...(body !== undefined && {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
          }),
          ...headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = []
        let bytes = 0
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > limit) stop('answers without end')
          else chunks.push(chunk)
        })
        response.on('end', () => {
          clearTimeout(deadline)
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString('utf8'),
          })
        })
        response.on('error', fail)
      },
    )
    request.on('error', fail)
    request.end(body)
  })
}

/** An http(s) URL without credentials in it; undefined where the text is none. */
export function serviceUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const known = url?.protocol === 'http:' || url?.protocol === 'https:'
  return url !== undefined && known && url.username === '' && url.password === '' ? url : undefined
}
