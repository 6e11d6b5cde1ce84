// A request and an answer as plain data: node:http, express and stdio are rims around it.

export interface HttpRequest {
  method: string
  /** Path without the query. */
  path: string
  /** What follows the question mark; nothing is read from it. */
  query: string
  /** Lower-case names; a name that occurs twice is joined by Node's rules, so stages look at `raw` where that matters. */
  headers: Readonly<Record<string, string | string[] | undefined>>
  /** Names and values in turn, as they arrived. */
  raw: readonly string[]
  /** Version of HTTP, and the peer's port where the peer is not nginx; known of a real connection only. */
  version?: string
  port?: number | undefined
  /** Reads the whole body, at most `limit` bytes. */
  read(limit: number): BodyRead | Promise<BodyRead>
}

export type BodyRead =
  | { ok: true; body: Buffer }
  | { ok: false; reason: 'too_large' | 'incomplete' | 'malformed' | 'timeout' }

export interface HttpAnswer {
  status: number
  /** Names and values; the rim adds the security headers. */
  headers: Record<string, string>
  body: string | undefined
  /** The answer is a refusal that was not made of a denial: the SDK's. */
  refused?: true
}

/** An answer before its receipt, which goes into the `_meta` of a result and into headers everywhere else. */
export interface Draft {
  status: number
  headers: Record<string, string>
  /** The body, or what stands in it before `_meta`. */
  text: string
  /** Members of `_meta`; undefined where the answer is no result of MCP. */
  meta: string | undefined
  /** What stands behind `_meta`. */
  tail: string
  /** What the result's digest is made of (docs/reference/evidence.md): JSON text of the content, or the body over REST. */
  delivered: string | undefined
}

/** Whole seconds, rounded up (RFC 9110 10.2.3). */
export const retryAfter = (ms: number): Record<string, string> => ({
  'retry-after': String(Math.ceil(ms / 1000)),
})

/** One header as a string; undefined where it is absent. */
export function header(request: HttpRequest, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}
