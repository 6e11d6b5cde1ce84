// CORS for configured origins only (Fetch standard); without any, a browser gets no permission at all.
import type { Call } from '../core/call.ts'
import { type HttpAnswer, header } from '../core/http.ts'
import { isForPeople } from './paths.ts'

const ALLOWED_HEADERS =
  'accept, authorization, content-type, dpop, idempotency-key, mcp-method, mcp-name, mcp-protocol-version, traceparent, tracestate, x-request-id'
const EXPOSED_HEADERS =
  'ductape-receipt, ductape-receipt-salts, dpop-nonce, retry-after, www-authenticate, x-ductape-truncated, x-request-id'

/** Adds the headers for the origin of the request, where it is configured. */
export function prepareCors(origins: readonly string[]): (call: Call, answer: HttpAnswer) => HttpAnswer {
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
  return ({ request }, answer) => {
    if (allowed.size === 0 || request === undefined || isForPeople(request.path)) return answer
    const headers = allowed.get(header(request, 'origin') ?? '')
    return headers === undefined ? answer : { ...answer, headers: { ...answer.headers, ...headers } }
  }
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
