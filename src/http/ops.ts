// The ops listener: probes and metrics, read-only, on a port of its own because Host checks and identity do not apply to probes.
import http from 'node:http'

export interface OpsParts {
  /** Why the service is not ready; empty when it is. */
  notReady(): readonly string[]
  /** What an operator should mend although the service is ready. */
  warnings(): readonly string[]
  /** In the format that the header Accept asks for. */
  metrics(accept: string | undefined): Promise<{ contentType: string; body: string }>
}

type Answer = { status: number; type: string; body: string }

export function createOpsListener(parts: OpsParts): http.Server {
  const routes: Record<string, (message: http.IncomingMessage) => Answer | Promise<Answer>> = {
    '/livez': () => ({ status: 200, type: 'text/plain; charset=utf-8', body: 'ok\n' }),
    '/readyz': () => {
      const reasons = parts.notReady()
      const body = JSON.stringify({ ready: reasons.length === 0, reasons, warnings: parts.warnings() })
      return { status: reasons.length === 0 ? 200 : 503, type: 'application/json', body: `${body}\n` }
    },
    '/metrics': async (message) => {
      const { contentType, body } = await parts.metrics(message.headers.accept)
      return { status: 200, type: contentType, body }
    },
  }

  const answer = async (message: http.IncomingMessage): Promise<Answer & { allow?: string }> => {
    const path = (message.url ?? '/').split('?', 1)[0] ?? '/'
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined
    if (route === undefined)
      return {
        status: 404,
        type: 'text/plain; charset=utf-8',
        body: 'There is /livez, /readyz and /metrics.\n',
      }
    if (message.method !== 'GET' && message.method !== 'HEAD') {
      return { status: 405, type: 'text/plain; charset=utf-8', body: 'GET only.\n', allow: 'GET, HEAD' }
    }
    return route(message)
  }

  const server = http.createServer(
    { maxHeaderSize: 8192, headersTimeout: 5000, requestTimeout: 5000, connectionsCheckingInterval: 1000 },
    (message, response) => {
      message.resume()
      answer(message).then(
        ({ status, type, body, allow }) => {
          response.writeHead(status, {
            'content-type': type,
            'content-length': Buffer.byteLength(body),
            'cache-control': 'no-store',
            'x-content-type-options': 'nosniff',
            ...(allow !== undefined && { allow }),
            ...(!message.complete && message.method !== 'GET' && { connection: 'close' }),
          })
          response.end(message.method === 'HEAD' ? undefined : body)
        },
        () => response.destroy(),
      )
    },
  )
  server.maxConnections = 64
  return server
}
