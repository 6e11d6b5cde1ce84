// Asks the Ductape backend: one POST to one of two paths of one origin, a deadline, a cap on the answer, no redirects (ductape-backend.md 3, 5).
import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'
import { type Denial, deny } from '../core/denials.ts'
import type { BackendRequest } from '../core/tool.ts'

export interface BackendAnswer {
  status: number
  body: Buffer
  retryAfter: string | undefined
}

export interface AskContext {
  requestId: string
  traceparent: string | undefined
  tracestate: string | undefined
  /** The same for the same operation, so that a backend that knows such keys can refuse it a second time. */
  backendKey: string | undefined
}

/** Open connections, requests that have one, and requests that wait for one. */
export interface PoolStats {
  readonly connected: number
  readonly running: number
  readonly pending: number
}

/** A POST under way. */
export interface Asked {
  /** The answer, or a backend_* denial; never rejects. */
  outcome: Promise<BackendAnswer | Denial>
  /** Gives up where that is harmless: nothing sent yet, or a request without effect. */
  abandon(): void
}

export interface BackendClient {
  ask(request: BackendRequest, context: AskContext): Asked
  /** Undefined where the connections are an egress proxy's, which does not count them. */
  stats(): PoolStats | undefined
  close(): Promise<void>
}

export interface BackendOptions {
  origin: string
  maxAnswer: number
  userAgent: string
}

export function createBackendClient(dispatcher: Dispatcher, options: BackendOptions): BackendClient {
  // undici writes a flat list as it stands, so the parts that never change are made once.
  const fixed = [
    'content-type',
    'application/json',
    'accept',
    'application/json',
    'user-agent',
    options.userAgent,
  ]

  const headersOf = (request: BackendRequest, context: AskContext): string[] => {
    const headers = [...fixed, 'x-request-id', context.requestId]
    if (!request.credentialInBody) headers.push(request.keyHeader, request.credential)
    if (context.backendKey !== undefined) headers.push('idempotency-key', context.backendKey)
    if (context.traceparent !== undefined) {
      headers.push('traceparent', context.traceparent)
      if (context.tracestate !== undefined) headers.push('tracestate', context.tracestate)
    }
    return headers
  }

  const ask = (request: BackendRequest, context: AskContext): Asked => {
    const exchange = new Exchange(request, options.maxAnswer)
    dispatcher.dispatch(
      {
        origin: options.origin,
        path: request.path,
        method: 'POST',
        headers: headersOf(request, context),
        body: request.body,
      },
      exchange,
    )
    return exchange
  }

  const stats = (): PoolStats | undefined =>
    'stats' in dispatcher ? (dispatcher as { stats: PoolStats }).stats : undefined

  return { ask, stats, close: () => dispatcher.destroy() }
}

/**
 * One POST under way, as undici's handler of it. A class, because its methods are then shared: closures for each call would be a dozen
 * allocations on the hottest path.
 */
class Exchange implements Asked, Dispatcher.DispatchHandler {
  readonly outcome: Promise<BackendAnswer | Denial>
  private readonly request: BackendRequest
  private readonly maxAnswer: number
  private resolve: (outcome: BackendAnswer | Denial) => void = () => undefined
  private readonly deadline: NodeJS.Timeout
  private controller: Dispatcher.DispatchController | undefined
  private settled = false
  private status = 0
  private retryAfter: string | undefined
  private bytes = 0
  private readonly chunks: Buffer[] = []

  constructor(request: BackendRequest, maxAnswer: number) {
    this.request = request
    this.maxAnswer = maxAnswer
    this.outcome = new Promise((resolve) => {
      this.resolve = resolve
    })
    this.deadline = setTimeout(Exchange.expire, request.timeout, this)
  }

  private static expire(exchange: Exchange): void {
    const { controller, request } = exchange
    // Before the request is on a socket nothing was sent, whatever the reason for stopping.
    const sent = controller !== undefined
    exchange.giveUp(
      sent ? deny('backend_timeout', `${request.timeout / 1000} s`) : deny('backend_unreachable'),
    )
  }

  private settle(outcome: BackendAnswer | Denial): void {
    if (this.settled) return
    this.settled = true
    clearTimeout(this.deadline)
    this.resolve(outcome)
  }

  private giveUp(denial: Denial): void {
    this.settle(denial)
    this.controller?.abort(new Error(denial.code))
  }

  abandon(): void {
    if (this.controller === undefined || this.request.abandonable) this.giveUp(deny('cancelled'))
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller
    if (this.settled) controller.abort(new Error('given up before it was sent'))
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.status = status
    const after = headers['retry-after']
    this.retryAfter = Array.isArray(after) ? after[0] : after
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.bytes += chunk.length
    if (this.bytes > this.maxAnswer) this.giveUp(deny('backend_too_large', `${this.maxAnswer} bytes`))
    else this.chunks.push(chunk)
  }

  onResponseEnd(): void {
    const { status, chunks, bytes, retryAfter } = this
    const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes)
    this.settle({ status, body, retryAfter })
  }

  onResponseError(): void {
    this.settle(deny(this.controller === undefined ? 'backend_unreachable' : 'backend_interrupted'))
  }
}
