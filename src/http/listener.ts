// The main listener: node:http at the rim, plain data inside. Opens a call for every request and writes its answer once.
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Call } from '../core/call.ts'
import { type Denial, deny } from '../core/denials.ts'
import type { BodyRead, HttpAnswer, HttpRequest } from '../core/http.ts'
import { SSE_HEADERS, SSE_KEEP_ALIVE, sseEvent } from './sse.ts'

export interface ListenerOptions {
  maxHeader: number
  headersTimeout: number
  bodyTimeout: number
  idleTimeout: number
  maxConnections: number
  keepAliveInterval: number
  /** Security headers of every answer: names and values in turn. */
  securityHeaders: readonly string[]
}

export interface ListenerParts {
  open(request: HttpRequest | undefined, peer: string): Call
  /** The stages. */
  run(call: Call): Promise<void>
  /** The answer of a call that the stages ended. */
  encode(call: Call): HttpAnswer
  /** The answer of everything that is no call. */
  route(call: Call, request: IncomingMessage, response: ServerResponse): Promise<HttpAnswer>
  /** A progress notification as JSON text, where the client asked for progress. */
  notification(call: Call, progress: number, total: number, message: string): string | undefined
  /** The call is over: its answer is about to be written. */
  closed(call: Call, answer: { status: number; bytes: number }): void
}

export function createListener(parts: ListenerParts, options: ListenerOptions): http.Server {
  /** Bodies that are being read, so that a deadline of the parser can end the right call. */
  const reading = new WeakMap<Socket, (reason: 'timeout' | 'incomplete') => void>()

  const server = http.createServer(
    {
      maxHeaderSize: options.maxHeader,
      headersTimeout: options.headersTimeout,
      // Counted by Node from the first byte of the request to its last.
      requestTimeout: Math.max(options.headersTimeout, options.bodyTimeout),
      keepAliveTimeout: options.idleTimeout,
      connectionsCheckingInterval: 500,
      noDelay: true,
      insecureHTTPParser: false,
      requireHostHeader: true,
    },
    (message, response) => {
      serve(message, response).catch(() => response.destroy())
    },
  )
  server.maxConnections = options.maxConnections
  server.maxHeadersCount = 100
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => onClientError(error, socket))
  return server

  async function serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = toRequest(message, reading)
    const call = parts.open(request, message.socket.remoteAddress ?? 'unix')
    const stream = prepareStream(call, response)
    response.on('close', () => {
      if (response.writableFinished) return
      call.gone = true
      call.onGone?.()
    })
    await parts.run(call)
    const settled = call.denial !== undefined || call.result !== undefined
    const answer = settled ? parts.encode(call) : await parts.route(call, message, response)
    if (stream.opened()) stream.end(call, answer)
    else write(call, answer, message, response)
  }

  function write(call: Call, answer: HttpAnswer, message: IncomingMessage, response: ServerResponse): void {
    const body = answer.body ?? ''
    const bytes = Buffer.byteLength(body)
    parts.closed(call, { status: answer.status, bytes })
    if (response.destroyed || response.headersSent) return
    const headers = [
      ...options.securityHeaders,
      'x-request-id',
      call.requestId,
      'cache-control',
      'no-store',
      'content-length',
      String(bytes),
    ]
    if (bytes > 0 && answer.headers['content-type'] === undefined)
      headers.push('content-type', 'application/json')
    for (const name in answer.headers) headers.push(name, answer.headers[name] as string)
    // What is left of an unread body would be taken for the next request.
    if (!message.complete) headers.push('connection', 'close')
    response.writeHead(answer.status, headers)
    response.end(body)
  }

  /** Progress opens an event stream lazily: a call that is refused first still gets a plain answer. */
  function prepareStream(
    call: Call,
    response: ServerResponse,
  ): { opened(): boolean; end(call: Call, answer: HttpAnswer): void } {
    let timer: NodeJS.Timeout | undefined
    let sent = 0
    const send = (text: string): void => {
      sent += Buffer.byteLength(text)
      if (!response.destroyed) response.write(text)
    }
    call.progress = (progress, total, message) => {
      const notification = acceptsEvents(call.request)
        ? parts.notification(call, progress, total, message)
        : undefined
      if (notification === undefined) return
      if (timer === undefined) {
        const headers = [...options.securityHeaders, 'x-request-id', call.requestId]
        for (const name in SSE_HEADERS) headers.push(name, SSE_HEADERS[name] as string)
        response.writeHead(200, headers)
        timer = setInterval(() => send(SSE_KEEP_ALIVE), options.keepAliveInterval)
        response.on('close', () => clearInterval(timer))
      }
      send(sseEvent(notification))
    }
    return {
      opened: () => timer !== undefined,
      end: (ended, answer) => {
        clearInterval(timer)
        const last = sseEvent(answer.body ?? '')
        parts.closed(ended, { status: 200, bytes: sent + Buffer.byteLength(last) })
        response.end(last)
      },
    }
  }

  // Node found the bytes not to be HTTP, or a deadline passed. Both are recorded like any refusal.
  function onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
    const timedOut = error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
    const fail = reading.get(socket)
    if (fail !== undefined) {
      fail(timedOut ? 'timeout' : 'incomplete')
      return
    }
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    const denial: Denial = deny(
      timedOut
        ? 'request_timeout'
        : error.code === 'HPE_HEADER_OVERFLOW'
          ? 'headers_too_large'
          : 'http_malformed',
    )
    const call = parts.open(undefined, socket.remoteAddress ?? 'unix')
    call.denial = denial
    const answer = parts.encode(call)
    const body = answer.body ?? ''
    parts.closed(call, { status: answer.status, bytes: Buffer.byteLength(body) })
    const head = [
      `HTTP/1.1 ${answer.status} ${http.STATUS_CODES[answer.status] ?? ''}`,
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(body)}`,
      `x-request-id: ${call.requestId}`,
      'cache-control: no-store',
    ]
    for (let i = 0; i < options.securityHeaders.length; i += 2)
      head.push(`${options.securityHeaders[i]}: ${options.securityHeaders[i + 1]}`)
    socket.end(`${head.join('\r\n')}\r\nconnection: close\r\n\r\n${body}`)
  }
}

function acceptsEvents(request: HttpRequest | undefined): boolean {
  return (
    typeof request?.headers['accept'] === 'string' && request.headers['accept'].includes('text/event-stream')
  )
}

function toRequest(
  message: IncomingMessage,
  reading: WeakMap<Socket, (reason: 'timeout' | 'incomplete') => void>,
): HttpRequest {
  const url = message.url ?? '/'
  const query = url.indexOf('?')
  return {
    method: message.method ?? '',
    path: query < 0 ? url : url.slice(0, query),
    headers: message.headers,
    raw: message.rawHeaders,
    read: (limit) => readBody(message, limit, reading),
  }
}

function readBody(
  message: IncomingMessage,
  limit: number,
  reading: WeakMap<Socket, (reason: 'timeout' | 'incomplete') => void>,
): Promise<BodyRead> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const finish = (read: BodyRead): void => {
      reading.delete(message.socket)
      message.removeAllListeners('data')
      if (!read.ok) message.pause()
      resolve(read)
    }
    reading.set(message.socket, (reason) => finish({ ok: false, reason }))
    message.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > limit) finish({ ok: false, reason: 'too_large' })
      else chunks.push(chunk)
    })
    message.on('end', () =>
      finish({ ok: true, body: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes) }),
    )
    message.on('close', () => finish({ ok: false, reason: 'incomplete' }))
    message.on('error', () => finish({ ok: false, reason: 'incomplete' }))
  })
}
