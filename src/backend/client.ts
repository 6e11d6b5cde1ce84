// Asks the Ductape backend: one POST to one of two paths of one origin, a deadline, a cap on the answer, no redirects (ductape-backend.md 3, 5).
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
  close(): Promise<void>
}

export interface BackendOptions {
  origin: string
  maxAnswer: number
  userAgent: string
}

export function createBackendClient(dispatcher: Dispatcher, options: BackendOptions): BackendClient {
  const tooLarge = `${options.maxAnswer} bytes`
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
    if (context.traceparent !== undefined) {
      headers.push('traceparent', context.traceparent)
      if (context.tracestate !== undefined) headers.push('tracestate', context.tracestate)
    }
    return headers
  }

  const ask = (request: BackendRequest, context: AskContext): Asked => {
    const { promise, resolve } = Promise.withResolvers<BackendAnswer | Denial>()
    let controller: Dispatcher.DispatchController | undefined
    let settled = false
    let status = 0
    let retryAfter: string | undefined
    let bytes = 0
    const chunks: Buffer[] = []

    const settle = (outcome: BackendAnswer | Denial): void => {
      if (settled) return
      settled = true
      clearTimeout(deadline)
      resolve(outcome)
    }
    const giveUp = (denial: Denial): void => {
      settle(denial)
      controller?.abort(new Error(denial.code))
    }
    // Before the request is on a socket nothing was sent, whatever the reason for stopping.
    const deadline = setTimeout(() => {
      giveUp(
        controller === undefined
          ? deny('backend_unreachable')
          : deny('backend_timeout', `${request.timeout / 1000} s`),
      )
    }, request.timeout)

    dispatcher.dispatch(
      {
        origin: options.origin,
        path: request.path,
        method: 'POST',
        headers: headersOf(request, context),
        body: request.body,
      },
      {
        onRequestStart(started) {
          controller = started
          if (settled) started.abort(new Error('given up before it was sent'))
        },
        onResponseStart(_controller, code, headers) {
          status = code
          const after = headers['retry-after']
          retryAfter = Array.isArray(after) ? after[0] : after
        },
        onResponseData(_controller, chunk) {
          bytes += chunk.length
          if (bytes > options.maxAnswer) giveUp(deny('backend_too_large', tooLarge))
          else chunks.push(chunk)
        },
        onResponseEnd() {
          settle({
            status,
            body: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes),
            retryAfter,
          })
        },
        onResponseError() {
          settle(deny(controller === undefined ? 'backend_unreachable' : 'backend_interrupted'))
        },
      },
    )
    return {
      outcome: promise,
      abandon: () => {
        if (controller === undefined || request.abandonable) giveUp(deny('cancelled'))
      },
    }
  }

  return { ask, close: () => dispatcher.destroy() }
}
