// Server-sent events of POST /mcp, opened lazily and only where a client asked for progress (WHATWG HTML, server-sent events).
import type { ServerResponse } from 'node:http'
import type { Call, ProgressSink } from '../core/call.ts'
import type { HttpAnswer } from '../core/http.ts'

export interface StreamOptions {
  keepAliveInterval: number
  /** Names and values in turn. */
  securityHeaders: readonly string[]
}

export interface Streams {
  /** Sends a notification; the first one opens the stream, so a call that is refused before still gets a plain answer. */
  progress: ProgressSink
  opened(call: Call): boolean
  /** Sends the answer as the last event; returns the bytes of the whole stream. */
  end(call: Call, answer: HttpAnswer): number
}

/** no-transform and X-Accel-Buffering keep proxies from holding events back (mcp.md 1.1). */
const HEADERS = [
  'content-type',
  'text/event-stream',
  'cache-control',
  'no-cache, no-transform',
  'x-accel-buffering',
  'no',
]
const KEEP_ALIVE = ': keep-alive\n\n'

/** A JSON-RPC message as an event; JSON text holds no raw line feed, so one data line is enough. */
const event = (json: string): string => `event: message\ndata: ${json}\n\n`

interface Stream {
  response: ServerResponse
  timer: NodeJS.Timeout
  bytes: number
}

export function createStreams(
  notification: (call: Call, progress: number, total: number, message: string) => string | undefined,
  options: StreamOptions,
): Streams {
  const open = new WeakMap<Call, Stream>()

  const send = (stream: Stream, text: string): void => {
    stream.bytes += Buffer.byteLength(text)
    if (!stream.response.destroyed) stream.response.write(text)
  }

  const start = (call: Call): Stream => {
    const response = call.rim as ServerResponse
    response.writeHead(200, [...options.securityHeaders, 'x-request-id', call.requestId, ...HEADERS])
    const timer = setInterval(() => send(stream, KEEP_ALIVE), options.keepAliveInterval)
    const stream: Stream = { response, timer, bytes: 0 }
    response.on('close', () => clearInterval(timer))
    open.set(call, stream)
    return stream
  }

  return {
    progress(call, progress, total, message) {
      if (call.message?.progressToken === undefined || !acceptsEvents(call)) return
      const text = notification(call, progress, total, message)
      if (text !== undefined) send(open.get(call) ?? start(call), event(text))
    },
    opened: (call) => open.has(call),
    end(call, answer) {
      const stream = open.get(call)
      if (stream === undefined) return 0
      clearInterval(stream.timer)
      const last = event(answer.body ?? '')
      stream.response.end(last)
      return stream.bytes + Buffer.byteLength(last)
    },
  }
}

function acceptsEvents(call: Call): boolean {
  const accept = call.request?.headers['accept']
  return typeof accept === 'string' && accept.includes('text/event-stream')
}
