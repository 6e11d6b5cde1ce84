// The stage `transport`: decides from the request head alone whether the service will look at a request at all; the body stays unread.
import type { Call, Stage, Verdict } from '../core/call.ts'
import { deny } from '../core/denials.ts'
import { type HttpRequest, header, retryAfter } from '../core/http.ts'
import { takeTrace } from '../core/trace.ts'
import { publicPath } from './paths.ts'

export interface TransportOptions {
  publicUrl: string | undefined
  peopleUrl: string | undefined
  allowedHosts: readonly string[]
  allowedOrigins: readonly string[]
  maxBody: number
  /** True while the service is shutting down. */
  draining(): boolean
  /** Names the peer of a request that came over the unix socket; undefined on TCP, where the address is the name. */
  peerOf: ((request: HttpRequest) => string) | undefined
  /** Takes a place of the peer's rate; milliseconds to wait where there is none, else 0. */
  admit(peer: string): number
}

/** Headers that may occur once only: what they say decides how the rest is read (RFC 9110 5.3). */
const SINGLE = new Set([
  'authorization',
  'content-type',
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'host',
  'origin',
  'dpop',
  'idempotency-key',
  'mcp-protocol-version',
  'mcp-method',
  'mcp-name',
  'traceparent',
  'x-request-id',
  'accept',
])

const LOOPBACK_HOSTS = ['localhost', '127.0.0.1', '[::1]']

export function prepareTransport(options: TransportOptions): Stage {
  const hosts = new Set([...LOOPBACK_HOSTS, ...options.allowedHosts.map((host) => host.toLowerCase())])
  const origins = new Set(options.allowedOrigins)
  if (options.publicUrl !== undefined) {
    hosts.add(new URL(options.publicUrl).host)
    origins.add(options.publicUrl)
  }
  if (options.peopleUrl !== undefined) hosts.add(new URL(options.peopleUrl).host)
  const tooLarge = `${options.maxBody} bytes`
  const isHostAllowed = remember((host) => host !== undefined && hostAllowed(host, hosts))

  return (call): Verdict => {
    const { request } = call
    if (request === undefined) return undefined
    if (options.draining()) return { ...deny('draining'), headers: retryAfter(1000) }
    takeIds(call, request)
    if (options.peerOf !== undefined) call.peer = options.peerOf(request)
    const wait = options.admit(call.peer)
    if (wait > 0) return { ...deny('peer_rate_limited'), retryAfterMs: wait, headers: retryAfter(wait) }
    const repeated = repeatedHeader(request)
    if (repeated !== undefined) return deny('header_repeated', repeated)
    const host = header(request, 'host')
    if (host === undefined) return deny('http_malformed')
    if (!isHostAllowed(host)) return deny('host_not_allowed')
    const origin = header(request, 'origin')
    const route = publicPath(request.path)
    if (origin !== undefined) {
      const allowed = route?.people ? origin === options.peopleUrl : originAllowed(origin, origins)
      if (!allowed) return deny('origin_not_allowed')
    }
    if (route === undefined) return deny('path_unknown')
    // A browser asks first; the rim answers it where origins are configured.
    if (request.method === 'OPTIONS' && origin !== undefined && options.allowedOrigins.length > 0)
      return undefined
    if (!route.methods.includes(request.method)) {
      return { ...deny('method_not_allowed'), headers: { allow: route.methods.join(', ') } }
    }
    if (request.method !== 'POST') return undefined
    return checkBodyHead(request, options.maxBody, tooLarge)
  }
}

function checkBodyHead(request: HttpRequest, maxBody: number, tooLarge: string): Verdict {
  if (!isJson(header(request, 'content-type'))) return deny('media_type_unsupported')
  const encoding = header(request, 'content-encoding')
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') return deny('encoding_unsupported')
  // Node undoes `chunked` and hands on whatever coding stands before it in the list.
  const transfer = header(request, 'transfer-encoding')
  if (transfer !== undefined && transfer.toLowerCase() !== 'chunked') return deny('encoding_unsupported')
  if (!isAcceptable(header(request, 'accept'))) return deny('not_acceptable')
  const length = header(request, 'content-length')
  return length !== undefined && Number(length) > maxBody ? deny('body_too_large', tooLarge) : undefined
}

// An id of our own form (UUID, ULID, hex, or short printable) is kept; anything longer or odder could carry a secret into the log.
const REQUEST_ID = /^(?:[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}|[0-9A-HJKMNP-TV-Z]{26}|[0-9a-f]{16})$/i

function takeIds(call: Call, request: HttpRequest): void {
  const id = header(request, 'x-request-id')
  if (id !== undefined && REQUEST_ID.test(id)) call.requestId = id
  takeTrace(call, header(request, 'traceparent'), header(request, 'tracestate'))
}

function repeatedHeader(request: HttpRequest): string | undefined {
  const { raw } = request
  let distinct = 0
  for (const _ in request.headers) distinct++
  if (distinct * 2 === raw.length) return undefined
  const seen = new Set<string>()
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase()
    if (!SINGLE.has(name)) continue
    if (seen.has(name)) return name
    seen.add(name)
  }
  return undefined
}

function hostAllowed(host: string, hosts: ReadonlySet<string>): boolean {
  const name = host.toLowerCase()
  if (hosts.has(name)) return true
  const port = name.lastIndexOf(':')
  return port > 0 && /^\d{1,5}$/.test(name.slice(port + 1)) && hosts.has(name.slice(0, port))
}

const LOOPBACK_ORIGIN = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/

const originAllowed = (origin: string, origins: ReadonlySet<string>): boolean =>
  origins.has(origin) || LOOPBACK_ORIGIN.test(origin)

function isJson(type: string | undefined): boolean {
  if (type === undefined) return false
  if (type === 'application/json') return true
  const [essence, ...parameters] = type.toLowerCase().split(';')
  // JSON is UTF-8 (RFC 8259 8.1); another charset would be read wrongly.
  return (
    essence?.trim() === 'application/json' &&
    parameters.every((item) => !/^\s*charset\s*=(?!\s*"?utf-8"?\s*$)/.test(item))
  )
}

/** Keeps the last answer: one client sends the same header with every request. */
function remember(judge: (value: string | undefined) => boolean): (value: string | undefined) => boolean {
  let last: string | undefined
  let answer = judge(last)
  return (value) => {
    if (value !== last) {
      answer = judge(value)
      last = value
    }
    return answer
  }
}

const isAcceptable = remember(acceptsJson)

function acceptsJson(accept: string | undefined): boolean {
  if (accept === undefined) return true
  return accept.split(',').some((range) => {
    const [type, ...parameters] = range.toLowerCase().split(';')
    const name = type?.trim()
    if (
      name !== 'application/json' &&
      name !== '*/*' &&
      name !== 'application/*' &&
      name !== 'application/problem+json'
    )
      return false
    return !parameters.some((item) => /^\s*q\s*=\s*0(?:\.0*)?\s*$/.test(item))
  })
}
