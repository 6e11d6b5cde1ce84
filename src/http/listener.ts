// The main listener: node:http at the rim, plain data inside. Opens a call for every request and writes its answer once.
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Call } from '../core/call.ts'
import { type Denial, deny } from '../core/denials.ts'
import type { BodyRead, HttpAnswer, HttpRequest } from '../core/http.ts'
import { createStreams } from './sse.ts'

export interface ListenerOptions {
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
  /** The answer of a call that has ended, at once where it has no record and no receipt to wait for. */
  answer(call: Call): HttpAnswer | Promise<HttpAnswer>
  /** The answer of everything that is no call. */
  route(call: Call, request: IncomingMessage, response: ServerResponse): Promise<HttpAnswer>
  /** A progress notification as JSON text, where the client asked for progress. */
  notification(call: Call, progress: number, total: number, message: string): string | undefined
  /** Lets the other calls of this turn come as far (core/cohort.ts). */
  step(): Promise<void> | undefined
  /** The call is over: its answer is about to be written. */
  closed(call: Call, answer: { status: number; bytes: number }): void
  /** The answer has left, or nobody is there to take it. */
  written(): void
  /** True while each answer is the last of its connection. */
  draining(): boolean
}

/** All headers of a request together, in bytes (docs of headers_too_large). */
const MAX_HEADER = 16_384

/** Time that a client which still sends has to take its answer before the connection goes, in milliseconds. */
const LINGER = 1000

const POLICY = 'content-security-policy'

const HELD = Symbol('held')
type Held = { call: Call; served: boolean }
type Answering = ServerResponse & { [HELD]?: Held }

export function createListener(parts: ListenerParts, options: ListenerOptions): http.Server {
  const streams = createStreams(parts.notification, options)
  const policyAt = options.securityHeaders.indexOf(POLICY) + 1
  const server = http.createServer(
    {
      maxHeaderSize: MAX_HEADER,
      headersTimeout: options.headersTimeout,
      // Counted by Node from the first byte of the request to its last.
      requestTimeout: Math.max(options.headersTimeout, options.bodyTimeout),
      keepAliveTimeout: options.idleTimeout,
      connectionsCheckingInterval: 500,
      noDelay: true,
      insecureHTTPParser: false,
      // Node's own answer to a missing Host is neither recorded nor in our form; the stage `transport` refuses it.
      requireHostHeader: false,
    },
    onRequest,
  )
  server.maxConnections = options.maxConnections
  server.maxHeadersCount = 100
  // The same holds for its answers to Expect and CONNECT. An unknown expectation may be ignored (RFC 9110 10.1.1).
  server.on('checkContinue', onRequest)
  server.on('checkExpectation', onRequest)
  server.on('connect', (_message: IncomingMessage, socket: Socket) => {
    socket.on('error', () => undefined)
    refuse(socket, { ...deny('method_not_allowed'), headers: { allow: 'GET, POST' } })
  })
  server.on('clientError', onClientError)
  return server

  function hold(call: Call, response: ServerResponse): Held {
    const held: Held = { call, served: false }
    ;(response as Answering)[HELD] = held
    call.rim = response
    call.progress = streams.progress
    response.on('close', onClose)
    return held
  }

  // One function for all answers: a closure for each would keep its call alive through the garbage of older ones.
  function onClose(this: ServerResponse): void {
    const held = (this as Answering)[HELD]
    if (held === undefined) return
    if (!this.writableFinished) {
      held.call.gone = true
      held.call.underWay?.abandon()
    }
    if (held.served) parts.written()
  }

  function onRequest(message: IncomingMessage, response: ServerResponse): void {
    serve(message, response).catch(() => response.destroy())
  }

  async function serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const connection: Connection = message.socket
    // The answer before this one has said that it is the last.
    if (connection[OVER]) {
      message.resume()
      return
    }
    connection[ANSWERING] = response
    const request = toRequest(message, response)
    const call = parts.open(request, connection.remoteAddress ?? 'unix')
    const held = hold(call, response)
    try {
      // llhttp knows other versions; nothing that speaks them may take this for their protocol.
      if (message.httpVersionMajor === 1) await parts.run(call)
      else call.denial = deny('http_malformed')
      const settled = call.denial !== undefined || call.result !== undefined
      const found = settled ? parts.answer(call) : parts.route(call, message, response)
      const answer = found instanceof Promise ? await found : found
      if (streams.opened(call)) parts.closed(call, { status: 200, bytes: streams.end(call, answer) })
      else {
        const bytes = Buffer.byteLength(answer.body ?? '')
        parts.closed(call, { status: answer.status, bytes })
        const others = parts.step()
        if (others !== undefined) await others
        write(call, answer, bytes, message, response)
      }
    } finally {
      held.served = true
      if (response.closed) parts.written()
    }
  }

  function write(
    call: Call,
    answer: HttpAnswer,
    bytes: number,
    message: IncomingMessage,
    response: ServerResponse,
  ): void {
    const body = answer.body ?? ''
    if (response.destroyed || response.headersSent) return
    const headers = [
      ...options.securityHeaders,
      'x-request-id',
      call.requestId,
      'cache-control',
      answer.headers['cache-control'] ?? 'no-store',
      'content-length',
      String(bytes),
    ]
    if (bytes > 0 && answer.headers['content-type'] === undefined)
      headers.push('content-type', 'application/json')
    for (const name in answer.headers) {
      // Two policies would both hold, and ours for JSON lets a page load nothing.
      if (name === POLICY) headers[policyAt] = answer.headers[name] as string
      else if (name !== 'cache-control') headers.push(name, answer.headers[name] as string)
    }
    // What is left of an unread body would be taken for the next request.
    if (!message.complete || brokenOff(message) !== undefined || parts.draining())
      headers.push('connection', 'close')
    response.writeHead(answer.status, headers)
    // After an error of the parser nothing more is read.
    // A text of as many bytes as units is ASCII, which goes out without transcoding.
    if (message.complete || (message.socket as Connection)[OVER])
      response.end(body, bytes === body.length ? 'latin1' : 'utf8')
    else linger(body, message, response)
  }

  // Closing while bytes of the client are unread resets the connection, and the answer may be lost with it (RFC 9112 9.6).
  function linger(body: string, message: IncomingMessage, response: ServerResponse): void {
    const connection: Connection = message.socket
    connection[OVER] = true
    response.write(body)
    const end = (): void => {
      clearTimeout(timer)
      response.end()
    }
    const timer = setTimeout(end, LINGER)
    message.once('end', end)
    message.once('close', end)
    message.resume()
  }

  // Node found the bytes not to be HTTP, or a deadline passed. Both are recorded like any refusal.
  function onClientError(error: NodeJS.ErrnoException, connection: Connection): void {
    // The parser goes on to complain about what still arrives.
    if (connection[OVER]) return
    connection[OVER] = true
    const timedOut = error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
    const malformed = error.code?.startsWith('HPE_') === true && error.code !== 'HPE_INVALID_EOF_STATE'
    const reason = timedOut ? 'timeout' : malformed ? 'malformed' : 'incomplete'
    const reading = connection[READING]
    if (reading !== undefined && !reading.message.complete) {
      reading.fail(reason)
      return
    }
    // The rest of a body that nobody reads: its request is being refused, and has its answer and its record, or has not come that far.
    const message = connection[ANSWERING]?.req
    if (message?.complete === false) {
      connection[BROKEN] = { message, reason }
      return
    }
    if (error.code === 'ECONNRESET' || !connection.writable) {
      connection.destroy()
      return
    }
    const denial = deny(
      timedOut
        ? 'request_timeout'
        : error.code === 'HPE_HEADER_OVERFLOW'
          ? 'headers_too_large'
          : 'http_malformed',
    )
    // The answer to an earlier request of the connection goes first: this one must not be taken for it.
    const earlier = connection[ANSWERING]
    if (earlier === undefined || earlier.closed) refuse(connection, denial)
    else earlier.once('close', () => refuse(connection, denial))
  }

  /** Answers what never became a request, and ends the connection. */
  function refuse(socket: Socket, denial: Denial): void {
    const call = parts.open(undefined, socket.remoteAddress ?? 'unix')
    call.denial = denial
    const found = parts.answer(call)
    if (!(found instanceof Promise)) end(socket, call, found)
    else
      found.then(
        (answer) => end(socket, call, answer),
        () => {
          parts.written()
          socket.destroy()
        },
      )
  }

  function end(socket: Socket, call: Call, answer: HttpAnswer): void {
    const body = answer.body ?? ''
    parts.closed(call, { status: answer.status, bytes: Buffer.byteLength(body) })
    const head = [
      `HTTP/1.1 ${answer.status} ${http.STATUS_CODES[answer.status] ?? ''}`,
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(body)}`,
      `x-request-id: ${call.requestId}`,
      'cache-control: no-store',
      'connection: close',
    ]
    for (let i = 0; i < options.securityHeaders.length; i += 2)
      head.push(`${options.securityHeaders[i]}: ${options.securityHeaders[i + 1]}`)
    for (const name in answer.headers) head.push(`${name}: ${answer.headers[name]}`)
    parts.written()
    if (socket.destroyed) return
    // Left half closed, the connection would stay for as long as the client likes.
    const timer = setTimeout(() => socket.destroy(), LINGER)
    socket.once('close', () => clearTimeout(timer))
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
    socket.resume()
  }
}

const READING = Symbol('reading')
const ANSWERING = Symbol('answering')
const OVER = Symbol('over')
const BROKEN = Symbol('broken')

type Connection = Socket & {
  /** The body being read: an error of the parser belongs to it as long as it is not complete. */
  [READING]?: { message: IncomingMessage; fail(reason: Unread): void } | undefined
  /** The answer to the newest request. */
  [ANSWERING]?: ServerResponse
  /** Set when no further request is taken. */
  [OVER]?: true
  /** Why there is no more of a body that nobody was reading yet, or too late. */
  [BROKEN]?: { message: IncomingMessage; reason: Unread }
}
type Unread = 'timeout' | 'malformed' | 'incomplete'

/** A read gives the first chunk or several of them, as it likes. */
function buffered(message: IncomingMessage): Buffer {
  const chunks: Buffer[] = []
  for (let chunk = message.read(); chunk !== null; chunk = message.read()) chunks.push(chunk as Buffer)
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
}

function brokenOff(message: IncomingMessage): Unread | undefined {
  const broken = (message.socket as Connection)[BROKEN]
  return broken?.message === message ? broken.reason : undefined
}

function toRequest(message: IncomingMessage, response: ServerResponse): HttpRequest {
  const url = message.url ?? '/'
  const query = url.indexOf('?')
  return {
    method: message.method ?? '',
    path: query < 0 ? url : url.slice(0, query),
    query: query < 0 ? '' : url.slice(query + 1),
    headers: message.headers,
    raw: message.rawHeaders,
    version: message.httpVersion,
    port: message.socket.remotePort,
    read: (limit) => {
      // Only now is it clear that the body is wanted.
      if (message.headers.expect?.toLowerCase() === '100-continue') response.writeContinue()
      return readBody(message, limit)
    },
  }
}

function readBody(message: IncomingMessage, limit: number): BodyRead | Promise<BodyRead> {
  const connection: Connection = message.socket
  // It ended before somebody was there to be told.
  const broken = brokenOff(message)
  if (message.destroyed || broken !== undefined) return { ok: false, reason: broken ?? 'incomplete' }
  // All of it is there where calls were gathered: no listener, and no turn of the stream.
  if (message.complete && message.readableLength <= limit) return { ok: true, body: buffered(message) }
  return new Promise((resolve) => {
    let chunks: Buffer[] = []
    let bytes = 0
    const finish = (read: BodyRead): void => {
      if (connection[READING] === own) connection[READING] = undefined
      chunks = []
      resolve(read)
    }
    const own = { message, fail: (reason: Unread) => finish({ ok: false, reason }) }
    connection[READING] = own
    message.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= limit) chunks.push(chunk)
      else if (bytes - chunk.length <= limit) {
        message.pause()
        finish({ ok: false, reason: 'too_large' })
      }
    })
    message.on('end', () =>
      finish({ ok: true, body: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes) }),
    )
    // After 'end' this changes nothing: the promise has been settled.
    message.on('close', () => finish({ ok: false, reason: 'incomplete' }))
  })
}
