// Server-sent events of POST /mcp, opened only where a client asked for progress (WHATWG HTML, server-sent events).

/** A JSON-RPC message as an event; JSON text holds no raw line feed, so one data line is enough. */
export const sseEvent = (json: string): string => `event: message\ndata: ${json}\n\n`

export const SSE_KEEP_ALIVE = ': keep-alive\n\n'

/** no-transform and X-Accel-Buffering keep proxies from holding events back (mcp.md 1.1). */
export const SSE_HEADERS: Record<string, string> = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
}
