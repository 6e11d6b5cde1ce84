// The request headers that reach the service through nginx: the template is generated from this table, and whatever is not in it ends at nginx.

export interface UpstreamHeader {
  /** As nginx spells it. */
  readonly name: string
  /** What nginx sends as its value; undefined where nginx writes the header by itself. */
  readonly value: string | undefined
  readonly why: string
}

const passed = (name: string, why: string): UpstreamHeader => ({
  name,
  value: `$http_${name.toLowerCase().replaceAll('-', '_')}`,
  why,
})

/** Said by the client, passed on as it came. */
export const PASSED_HEADERS: readonly UpstreamHeader[] = [
  passed(
    'Host',
    'checked against publicUrl and http.allowedHosts; with the socket as its target nginx would send another',
  ),
  passed('Accept', 'which form of answer the client reads'),
  passed('Authorization', 'access token or API key'),
  passed('Baggage', 'W3C baggage, for the tracing SDK'),
  passed(
    'Content-Encoding',
    'a compressed body is refused with 415; without the header it would be taken for broken JSON',
  ),
  {
    name: 'Content-Length',
    value: undefined,
    why: 'nginx writes it, or Transfer-Encoding, from the body that it passes on',
  },
  passed('Content-Type', 'only JSON is read'),
  passed('DPoP', 'proof of the sender (RFC 9449)'),
  passed('Idempotency-Key', "the client's name for a call that it may repeat"),
  passed('Mcp-Method', 'MCP 2026-07-28: has to match the body'),
  passed('Mcp-Name', 'MCP 2026-07-28: has to match the body'),
  passed('Mcp-Protocol-Version', 'MCP: the revision that is spoken'),
  passed('Origin', 'checked against http.allowedOrigins'),
  passed('Traceparent', 'W3C trace context'),
  passed('Tracestate', 'W3C trace context'),
  passed('User-Agent', "names the client's program; nothing is decided by it"),
  passed('X-Request-Id', "the client's own id of the request, where it has the form of one"),
]

/** Those of them that a browser or `ductape-mcp approvals` sends to the people's server: nothing of MCP, nothing of a call. */
const PEOPLE = new Set([
  'Host',
  'Accept',
  'Authorization',
  'Content-Encoding',
  'Content-Length',
  'Content-Type',
  'DPoP',
  'Origin',
  'User-Agent',
  'X-Request-Id',
])

/** Said by nginx of the connection alone; what a client sends under these names is replaced. */
export const NGINX_HEADERS: readonly UpstreamHeader[] = [
  {
    name: 'X-Client-Cert',
    value: '$ssl_client_escaped_cert',
    why: "the whole certificate, because the service checks it again; a name taken out of it would be text of its maker's choosing",
  },
  { name: 'X-Forwarded-Proto', value: '$scheme', why: 'always https here' },
  { name: 'X-Real-IP', value: '$remote_addr', why: 'the peer where there is no certificate to name it' },
]

/** Of the people's server. nginx sends no header whose value is empty: who comes in there is never a certificate. */
export const PEOPLE_HEADERS: readonly UpstreamHeader[] = [
  ...NGINX_HEADERS.map((row) => (row.name === 'X-Client-Cert' ? { ...row, value: '""' } : row)),
  ...PASSED_HEADERS.filter(({ name }) => PEOPLE.has(name)),
]
