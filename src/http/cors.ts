// CORS for configured origins only (Fetch standard); without any, a browser gets no permission at all.
import type { HttpAnswer } from '../core/http.ts'

const ALLOWED_HEADERS =
  'accept, authorization, content-type, dpop, idempotency-key, mcp-method, mcp-name, mcp-protocol-version, traceparent, tracestate, x-request-id'
const EXPOSED_HEADERS = 'dpop-nonce, retry-after, www-authenticate, x-request-id'

/** Headers for an answer to this origin; empty where it is not configured. */
export function prepareCors(
  origins: readonly string[],
): (origin: string | undefined) => Record<string, string> {
  const allowed = new Map(
    origins.map((origin) => [
      origin,
      {
        'access-control-allow-origin': origin,
        'access-control-expose-headers': EXPOSED_HEADERS,
        vary: 'origin',
      },
    ]),
  )
  return (origin) => (origin === undefined ? {} : (allowed.get(origin) ?? {}))
}

/** The answer of a preflight request. */
export const preflight = (): HttpAnswer => ({
  status: 204,
  headers: {
    'access-control-allow-methods': 'GET, POST',
    'access-control-allow-headers': ALLOWED_HEADERS,
    'access-control-max-age': '600',
  },
  body: undefined,
})
