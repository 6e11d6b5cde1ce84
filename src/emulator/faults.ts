// Failures that a test can order from the emulator: what each kind does to the answer on the wire.

import type { IncomingMessage, ServerResponse } from 'node:http'

export type Route = 'execute' | 'generate'

export type Fault =
  | { kind: 'latency'; ms: number }
  | { kind: 'hang' }
  | { kind: 'status'; status: number; body?: string; headers?: Record<string, string>; effect?: true }
  | { kind: 'status-false'; message: string; code?: string }
  | { kind: 'reset'; when?: 'before-headers' | 'after-headers'; effect?: true }
  | { kind: 'truncation'; sent?: number }
  | { kind: 'drip'; bytes: number; ms: number }
  | { kind: 'giant'; bytes: number }
  | { kind: 'not-json'; body?: string }
  | { kind: 'empty'; status?: number }
  | { kind: 'redirect'; location: string; status?: number }
  | { kind: 'content-type'; value: string }
  | { kind: 'result'; value: unknown }
  | { kind: 'body'; body: string }

export const FAULT_KINDS: Record<Fault['kind'], string> = {
  latency: 'the normal answer, `ms` later',
  hang: 'no answer at all until the client or the emulator closes',
  status:
    'an answer with this `status`, `body` (default: an error body of the contract) and `headers`; with `effect`, after the operation has run',
  'status-false': 'HTTP 200 with `{status: false, message, code}`',
  reset:
    'the connection is reset `before-headers` (default) or `after-headers`; with `effect`, after the operation has run',
  truncation: 'the declared length is whole, only `sent` bytes (default: half) come',
  drip: 'the normal answer in pieces of `bytes`, one every `ms`',
  giant: 'a success whose result is a text of `bytes` bytes',
  'not-json': 'HTTP 200 with `body` (default: an HTML page) as application/json',
  empty: 'no body, with `status` (default 200)',
  redirect: '`status` (default 307) with this `location`',
  'content-type': 'the normal answer under another media type',
  result: 'a success whose result is `value`',
  body: 'HTTP 200 with exactly this text as the body, digits and spacing kept',
}

export interface FaultControl {
  next(fault: Fault, route?: Route): void // the next matching request only; several are served in order
  always(fault: Fault, route?: Route): void // every matching request until cleared
  every(n: number, fault: Fault, route?: Route): void // each n-th matching request
  clear(): void
}

interface Rule {
  fault: Fault
  route: Route | undefined
  every: number
  seen: number
}

export function createFaults(): { control: FaultControl; take: (route: Route) => Fault | undefined } {
  let queue: Rule[] = []
  let standing: Rule[] = []
  const rule = (fault: Fault, route: Route | undefined, every: number): Rule => ({
    fault,
    route,
    every,
    seen: 0,
  })
  return {
    control: {
      next: (fault, route) => void queue.push(rule(fault, route, 1)),
      always: (fault, route) => void standing.push(rule(fault, route, 1)),
      every: (n, fault, route) => void standing.push(rule(fault, route, Math.max(1, Math.floor(n)))),
      clear() {
        queue = []
        standing = []
      },
    },
    take(route) {
      const index = queue.findIndex((entry) => entry.route === undefined || entry.route === route)
      if (index >= 0) return queue.splice(index, 1)[0]?.fault
      for (const entry of standing) {
        if (entry.route !== undefined && entry.route !== route) continue
        entry.seen += 1
        if (entry.seen % entry.every === 0) return entry.fault
      }
      return undefined
    },
  }
}

export interface Answer {
  status: number
  body: string
}

const JSON_TYPE = 'application/json; charset=utf-8'

export function write(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = {},
) {
  if (response.destroyed || response.headersSent) return
  const bytes = Buffer.from(body)
  const own =
    status === 204 || status === 304 ? {} : { 'content-type': JSON_TYPE, 'content-length': bytes.length }
  response.writeHead(status, { ...own, ...headers })
  response.end(status === 204 || status === 304 ? undefined : bytes)
}

const errorBody = (status: number) => {
  const message = status === 429 ? 'too many requests' : 'unable to process request at this time'
  return JSON.stringify({ status: false, meta: {}, errors: message, message })
}

const success = (result: string) =>
  `{"status":true,"data":{"data":${result},"execution_time_ms":0,"request_id":"req_fault"}}`

export type Later = (ms: number, action: () => void) => void

// Faults that replace the answer run the operation only where they say so; the others disturb the way of the real answer.
export function applyFault(
  fault: Fault,
  request: IncomingMessage,
  response: ServerResponse,
  answer: () => Answer,
  later: Later,
): void {
  switch (fault.kind) {
    case 'latency': {
      const { status, body } = answer()
      later(fault.ms, () => write(response, status, body))
      return
    }
    case 'hang':
      return
    case 'status':
      if (fault.effect) answer()
      write(response, fault.status, fault.body ?? errorBody(fault.status), fault.headers)
      return
    case 'status-false':
      write(response, 200, JSON.stringify({ status: false, message: fault.message, code: fault.code }))
      return
    case 'reset':
      if (fault.effect) answer()
      reset(fault.when ?? 'before-headers', request, response)
      return
    case 'truncation': {
      const bytes = Buffer.from(answer().body)
      const sent = Math.min(fault.sent ?? Math.floor(bytes.length / 2), bytes.length - 1)
      response.writeHead(200, {
        'content-type': JSON_TYPE,
        'content-length': bytes.length,
        connection: 'close',
      })
      response.write(bytes.subarray(0, Math.max(0, sent)), () => request.socket.destroySoon())
      return
    }
    case 'drip': {
      const { status, body } = answer()
      drip(response, status, Buffer.from(body), Math.max(1, fault.bytes), fault.ms, later)
      return
    }
    case 'giant':
      giant(response, fault.bytes)
      return
    case 'not-json':
      write(response, 200, fault.body ?? '<html><body>Bad gateway</body></html>')
      return
    case 'empty':
      write(response, fault.status ?? 200, '')
      return
    case 'redirect':
      write(response, fault.status ?? 307, '', { location: fault.location })
      return
    case 'content-type': {
      const { status, body } = answer()
      write(response, status, body, { 'content-type': fault.value })
      return
    }
    case 'result':
      write(response, 200, success(JSON.stringify(fault.value) ?? 'null'))
      return
    case 'body':
      write(response, 200, fault.body)
      return
  }
}

function reset(when: 'before-headers' | 'after-headers', request: IncomingMessage, response: ServerResponse) {
  if (when === 'before-headers') {
    request.socket.resetAndDestroy()
    return
  }
  response.writeHead(200, { 'content-type': JSON_TYPE, 'content-length': 4096 })
  response.write('{"status":true', () => request.socket.resetAndDestroy())
}

function drip(
  response: ServerResponse,
  status: number,
  bytes: Buffer,
  size: number,
  ms: number,
  later: Later,
): void {
  response.writeHead(status, { 'content-type': JSON_TYPE, 'content-length': bytes.length })
  const step = (from: number): void => {
    if (response.destroyed) return
    if (from >= bytes.length) {
      response.end()
      return
    }
    response.write(bytes.subarray(from, from + size))
    later(ms, () => step(from + size))
  }
  step(0)
}

// Written in pieces and under back-pressure, so that a huge answer costs the emulator one piece of memory.
function giant(response: ServerResponse, size: number): void {
  const head = '{"status":true,"data":{"data":"'
  const tail = '","execution_time_ms":0,"request_id":"req_fault"}}'
  const piece = Buffer.alloc(64 * 1024, 'x')
  response.writeHead(200, { 'content-type': JSON_TYPE, 'content-length': head.length + size + tail.length })
  response.write(head)
  let left = size
  const pump = (): void => {
    while (left > 0 && !response.destroyed) {
      const part = left >= piece.length ? piece : piece.subarray(0, left)
      left -= part.length
      if (!response.write(part)) {
        response.once('drain', pump)
        return
      }
    }
    if (!response.destroyed) response.end(tail)
  }
  pump()
}
