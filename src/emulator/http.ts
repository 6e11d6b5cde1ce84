// The listener: reads a bounded body, finds the workspace, runs the route and writes one exact JSON answer.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createGunzip } from 'node:zlib'
import { type Answer, applyFault, type Fault, type Route, write } from './faults.ts'
import { malformed, overLimit, Refusal } from './refusal.ts'
import type { Json } from './values.ts'

export type ErrorForm = 'status-false' | 'http'

export interface Observed {
  method: string
  path: string
  headers: IncomingMessage['headers']
  body: string
}

export interface ServerOptions {
  maxBodyBytes: number
  errorForm: ErrorForm
  routes: ReadonlyMap<string, { route: Route; run: (body: Json, request: IncomingMessage) => unknown }>
  take: (route: Route) => Fault | undefined
  observe: ((request: Observed) => void) | undefined
  onAnswer: (route: Route, outcome: 'ok' | 'refused' | 'fault' | 'crashed', detail: string) => void
}

// Sibling-service habit with the member that the web console reads as well (contract 3.4, 3.5).
function errorAnswer(refusal: Refusal, form: ErrorForm): Answer {
  const { code, message } = refusal
  if (refusal.origin === 'sdk' && form === 'status-false') {
    return { status: 200, body: JSON.stringify({ status: false, message, code }) }
  }
  return {
    status: refusal.status,
    body: JSON.stringify({ status: false, meta: {}, errors: message, message, code }),
  }
}

const MAX_ANSWER = 128 * 1024 * 1024

function encode(data: unknown): string {
  let body: string | undefined
  try {
    body = JSON.stringify({ status: true, data })
  } catch (error) {
    if (!(error instanceof RangeError)) throw error // longer than a string can be
  }
  if (body === undefined || body.length > MAX_ANSWER) throw overLimit('the answer is too large')
  return body
}

const CRASHED: Answer = {
  status: 500,
  body: JSON.stringify({
    status: false,
    meta: {},
    errors: 'unable to process request at this time',
    message: 'unable to process request at this time',
  }),
}

// Kind and place of a fault of ours, without its message, which could hold what a caller sent.
function place(error: unknown): string {
  if (!(error instanceof Error)) return 'error'
  return `${error.name} at ${/[\w-]+\.ts:\d+/.exec(error.stack ?? '')?.[0] ?? 'unknown'}`
}

const tooLarge = () => new Refusal('proxy', 'PAYLOAD_TOO_LARGE', 413, 'request entity too large')

function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const encoding = request.headers['content-encoding']?.toLowerCase() ?? 'identity'
  if (encoding !== 'identity' && encoding !== 'gzip') {
    return Promise.reject(new Refusal('proxy', 'UNSUPPORTED_ENCODING', 415, 'unsupported content encoding'))
  }
  if (Number(request.headers['content-length'] ?? 0) > limit) return Promise.reject(tooLarge())
  return new Promise((resolve, reject) => {
    const source = encoding === 'gzip' ? request.pipe(createGunzip()) : request
    const pieces: Buffer[] = []
    let size = 0
    source.on('data', (piece: Buffer) => {
      size += piece.length
      // The cap is on the inflated size too, so a small bomb stays small.
      if (size > limit) {
        reject(tooLarge())
        request.unpipe()
        source.removeAllListeners('data')
        if (source !== request) source.destroy()
      } else pieces.push(piece)
    })
    source.on('end', () => resolve(Buffer.concat(pieces)))
    source.on('error', () => reject(malformed('the body is not valid gzip')))
    request.on('error', () => reject(malformed('the request was cut off')))
    // Inflating ends after the request does, so only an incomplete request was cut off.
    request.on('close', () => request.complete || reject(malformed('the request was cut off')))
  })
}

function parse(bytes: Buffer): Json {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Json
  } catch {
    throw malformed('the body is not valid JSON')
  }
}

export interface Listener {
  server: Server
  close(): Promise<void>
}

export function createListener(options: ServerOptions): Listener {
  const timers = new Set<NodeJS.Timeout>()
  const later = (ms: number, action: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      action()
    }, ms)
    timers.add(timer)
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/'
    const entry = options.routes.get(path)
    const fail = (refusal: Refusal): void => {
      const { status, body } = errorAnswer(refusal, 'http')
      write(response, status, body)
      // What is left of the body is read away: closing now could reset the connection before the answer is read.
      request.resume()
    }
    let bytes: Buffer
    try {
      bytes = await readBody(request, options.maxBodyBytes)
    } catch (error) {
      if (error instanceof Refusal) fail(error)
      else request.destroy()
      return
    }
    options.observe?.({
      method: request.method ?? '',
      path,
      headers: request.headers,
      body: bytes.toString(),
    })
    if (entry === undefined) return fail(new Refusal('proxy', 'NOT_FOUND', 404, 'resource not found'))
    if (request.method !== 'POST')
      return fail(new Refusal('proxy', 'METHOD_NOT_ALLOWED', 405, 'method not allowed'))

    const answer = (): Answer => {
      try {
        const body = encode(entry.run(parse(bytes), request))
        options.onAnswer(entry.route, 'ok', '')
        return { status: 200, body }
      } catch (error) {
        if (error instanceof Refusal) {
          options.onAnswer(entry.route, 'refused', error.code)
          return errorAnswer(error, options.errorForm)
        }
        options.onAnswer(entry.route, 'crashed', place(error))
        return CRASHED
      }
    }
    const fault = options.take(entry.route)
    if (fault === undefined) {
      const { status, body } = answer()
      write(response, status, body)
      return
    }
    options.onAnswer(entry.route, 'fault', fault.kind)
    applyFault(fault, request, response, answer, later)
  }

  const server = createServer({ keepAliveTimeout: 30_000, requestTimeout: 60_000, headersTimeout: 10_000 })
  server.on('request', (request, response) => void handle(request, response))
  return {
    server,
    close() {
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
      return new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
}
