// The table of requests that the ingress test sends: what each is, in bytes, and how it is answered.
import assert from 'node:assert/strict'
import type { DenialCode } from '../../src/core/denials.ts'
import { EXECUTE, toolCall } from '../lib/calls.ts'
import { type RawAnswer, request } from '../lib/raw.ts'

export const BODY = toolCall('ductape_execute', EXECUTE)
const chunked = (size: string, text: string): string =>
  request('POST /mcp', ['Content-Type: application/json', 'Transfer-Encoding: chunked']) + size + text

export interface Case {
  name: string
  bytes: string | Buffer
  /** Refused with this code, or answered with 200. */
  code?: DenialCode
  /** Node's parser refused it: there is no path to answer by. */
  unread?: true
  check?: (answer: RawAnswer) => void
}

const ok = (name: string, headers: string[] = [], check?: Case['check']): Case => ({
  name,
  bytes: request('POST /mcp', headers, BODY),
  ...(check && { check }),
})
const refused = (name: string, code: DenialCode, bytes: string | Buffer, unread?: true): Case => ({
  name,
  bytes,
  code,
  ...(unread && { unread }),
})
const head = (name: string, code: DenialCode, headers: string[]): Case =>
  refused(name, code, request('POST /mcp', headers, BODY))
/** A head of lines as they are, with the body after it. */
const lines = (name: string, ...items: string[]): Case =>
  refused(
    name,
    'http_malformed',
    `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n${items.join('')}Content-Length: ${BODY.length}\r\n\r\n${BODY}`,
    true,
  )

const METHODS: Case[] = [
  ...['GET', 'DELETE', 'PUT', 'PATCH', 'HEAD', 'OPTIONS'].map(
    (method): Case => ({
      ...refused(`${method} /mcp`, 'method_not_allowed', request(`${method} /mcp`)),
      check: (answer) => assert.equal(answer.headers['allow'], 'POST'),
    }),
  ),
  {
    ...refused('POST /v1/tools', 'method_not_allowed', request('POST /v1/tools', [], '{}')),
    check: (answer) => assert.equal(answer.headers['allow'], 'GET, HEAD'),
  },
  {
    ...refused('GET of a tool', 'method_not_allowed', request('GET /v1/tools/ductape_execute')),
    check: (answer) => assert.equal(answer.headers['allow'], 'POST'),
  },
  {
    ...refused(
      'CONNECT',
      'method_not_allowed',
      'CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n',
      true,
    ),
    check: (answer) => assert.equal(answer.headers['allow'], 'GET, POST'),
  },
  refused('a method that does not exist', 'http_malformed', request('FOO /mcp'), true),
]

const PATHS: Case[] = [
  ...[
    '/',
    '/mcp/',
    '/MCP',
    '/mcp%2f',
    '/v1',
    '/v1/tools/',
    '/v1/tools/a/b',
    '/metrics',
    '/readyz',
    '//mcp',
    '/./mcp',
    '/.well-known/x',
  ].map((path) => refused(`path ${path}`, 'path_unknown', request(`POST ${path}`, [], BODY))),
  refused('the absolute form', 'path_unknown', request('GET http://127.0.0.1/v1/tools')),
  refused('the asterisk form', 'path_unknown', request('OPTIONS *')),
  { name: 'a query changes nothing', bytes: request('POST /mcp?key=value', [], BODY) },
]

const HOSTS: Case[] = [
  ...['127.0.0.1', '127.0.0.1:3001', 'localhost', 'LOCALHOST:80', '[::1]:3001', 'allowed.example'].map(
    (host) => ok(`Host ${host}`, [`Host: ${host}`]),
  ),
  ok('an allowed host with a port', ['Host: allowed.example:8443']),
  ok('the host of publicUrl', ['Host: mcp.example.com']),
  ...[
    'evil.example',
    '127.0.0.1.evil.example',
    '127.0.0.1:',
    '127.0.0.1:80:80',
    '127.0.0.1:123456',
    'allowed.example@evil.example',
    '127.0.0.2',
    '0',
    '',
    'localhost.',
  ].map((host) => head(`Host ${JSON.stringify(host)}`, 'host_not_allowed', [`Host: ${host}`])),
  refused('no Host', 'http_malformed', 'GET /v1/tools HTTP/1.1\r\n\r\n'),
  refused('HTTP/1.0 without Host', 'http_malformed', 'GET /v1/tools HTTP/1.0\r\n\r\n'),
  refused('two Hosts', 'header_repeated', request('POST /mcp', ['Host: 127.0.0.1', 'Host: 127.0.0.1'], BODY)),
]

export const noCors = (answer: RawAnswer): void =>
  assert.deepEqual(
    Object.keys(answer.headers).filter((name) => name.startsWith('access-control')),
    [],
  )

const ORIGINS: Case[] = [
  ...[
    'null',
    'https://evil.example',
    'http://127.0.0.1.evil.example',
    'file://',
    'http://localhost:3001/',
  ].map(
    (origin): Case => ({
      ...head(`Origin ${origin}`, 'origin_not_allowed', [`Origin: ${origin}`]),
      check: noCors,
    }),
  ),
  ok('a loopback origin', ['Origin: http://localhost:6274'], noCors),
  ok('the own origin', ['Origin: https://mcp.example.com'], noCors),
  ok('a configured origin', ['Origin: https://app.example'], (answer) => {
    assert.equal(answer.headers['access-control-allow-origin'], 'https://app.example')
    assert.equal(answer.headers['vary'], 'origin')
    assert.match(answer.headers['access-control-expose-headers'] ?? '', /www-authenticate/)
    assert.match(answer.headers['access-control-expose-headers'] ?? '', /x-ductape-truncated/)
    assert.equal(answer.headers['access-control-allow-credentials'], undefined)
  }),
  {
    name: 'a preflight',
    bytes: request('OPTIONS /mcp', ['Origin: https://app.example', 'Access-Control-Request-Method: POST']),
    check: (answer) => {
      assert.equal(answer.status, 204)
      assert.equal(answer.headers['access-control-allow-origin'], 'https://app.example')
      assert.match(answer.headers['access-control-allow-headers'] ?? '', /mcp-protocol-version/)
    },
  },
]

const BODIES: Case[] = [
  ok('a media type with a charset', ['Content-Type: application/json; charset="UTF-8"']),
  ok('a media type in capitals', ['Content-Type: Application/JSON']),
  ...[
    'text/plain',
    'application/jsonp',
    'application/json-rpc',
    'text/json',
    'application/json; charset=latin1',
    'application/x-www-form-urlencoded',
    '',
  ].map((type) => head(`Content-Type ${type}`, 'media_type_unsupported', [`Content-Type: ${type}`])),
  refused('no Content-Type', 'media_type_unsupported', `${request('POST /mcp', ['Content-Length: 2'])}{}`),
  ok('the identity encoding', ['Content-Encoding: identity']),
  ...['gzip', 'br', 'deflate', 'identity, gzip', 'x'].map((encoding) =>
    head(`Content-Encoding ${encoding}`, 'encoding_unsupported', [`Content-Encoding: ${encoding}`]),
  ),
  refused(
    'a transfer coding before chunked',
    'encoding_unsupported',
    request('POST /mcp', ['Content-Type: application/json', 'Transfer-Encoding: gzip, chunked']) +
      '0\r\n\r\n',
  ),
  ...['application/json, text/event-stream', '*/*', 'application/*;q=0.5', 'application/problem+json'].map(
    (accept) => ok(`Accept ${accept}`, [`Accept: ${accept}`]),
  ),
  ...['text/html', 'application/json;q=0', 'text/event-stream'].map((accept) =>
    head(`Accept ${accept}`, 'not_acceptable', [`Accept: ${accept}`]),
  ),
  { name: 'a chunked body', bytes: chunked(`${BODY.length.toString(16)};x=1\r\n`, `${BODY}\r\n0\r\n\r\n`) },
  ok('Expect: 100-continue', ['Expect: 100-continue']),
  ok('an unknown expectation', ['Expect: 200-ok']),
  ok('an offer to upgrade', ['Connection: Upgrade', 'Upgrade: h2c']),
]

export const LENGTH = `Content-Length: ${BODY.length}`
const FRAMING: Case[] = [
  refused(
    'Transfer-Encoding and Content-Length',
    'http_malformed',
    `${request('POST /mcp', ['Transfer-Encoding: chunked', 'Content-Length: 4'])}0\r\n\r\n`,
    true,
  ),
  refused(
    'chunked not last',
    'http_malformed',
    `${request('POST /mcp', ['Transfer-Encoding: chunked, identity'])}0\r\n\r\n`,
    true,
  ),
  ...['-1', '+5', '5, 5', '0x5', '5 5', '99999999999999999999'].map((length) =>
    refused(
      `Content-Length ${length}`,
      'http_malformed',
      `${request('POST /mcp', [`Content-Length: ${length}`])}12345`,
      true,
    ),
  ),
  refused('two lengths', 'http_malformed', request('POST /mcp', [LENGTH, LENGTH], BODY), true),
  refused(
    'bare LF throughout',
    'http_malformed',
    request('POST /mcp', [], BODY).replaceAll('\r\n', '\n'),
    true,
  ),
  refused(
    'bare LF after the request line',
    'http_malformed',
    request('POST /mcp', [], BODY).replace('\r\n', '\n'),
    true,
  ),
  lines('bare LF after a header', 'Content-Type: application/json\n'),
  refused(
    'bare LF at the end of the head',
    'http_malformed',
    request('POST /mcp', [], BODY).replace('\r\n\r\n', '\r\n\n'),
    true,
  ),
  lines('bare CR in a header', 'X-A: a\rb\r\n'),
  lines('a folded header', 'X-A: a\r\n b\r\n'),
  lines('a header folded with a tab', 'X-A: a\r\n\tb\r\n'),
  lines('a header folded before its value', 'X-A:\r\n b\r\n'),
  lines('white space before the colon', 'X-A : a\r\n'),
  lines('an empty header name', ': a\r\n'),
  lines('a NUL in a header', 'X-A: a\0b\r\n'),
  refused(
    'bare LF after a chunk size',
    'http_malformed',
    chunked(`${BODY.length.toString(16)}\n`, `${BODY}\r\n0\r\n\r\n`),
    true,
  ),
  refused(
    'bare LF after a chunk',
    'http_malformed',
    chunked(`${BODY.length.toString(16)}\r\n`, `${BODY}\n0\r\n\r\n`),
    true,
  ),
  refused('a folded trailer', 'http_malformed', chunked('0\r\n', 'x: y\r\n z\r\n\r\n'), true),
  refused('a chunk size that is no number', 'http_malformed', chunked('zz\r\n', '\r\n'), true),
]

const SINGLE = [
  'Authorization',
  'Content-Type',
  'Content-Encoding',
  'Origin',
  'DPoP',
  'Idempotency-Key',
  'MCP-Protocol-Version',
  'Mcp-Method',
  'Mcp-Name',
  'traceparent',
  'X-Request-Id',
  'Accept',
]
const REPEATED: Case[] = SINGLE.map((name) =>
  head(`${name} twice`, 'header_repeated', [
    `${name}: application/json`,
    `${name.toLowerCase()}: application/json`,
  ]),
)

const SIZES: Case[] = [
  refused(
    'one long header',
    'headers_too_large',
    request('POST /mcp', [`X-A: ${'a'.repeat(20_000)}`], BODY),
    true,
  ),
  refused('a long path', 'headers_too_large', request(`POST /${'a'.repeat(20_000)}`, [], BODY), true),
  refused(
    'more headers than any client sends',
    'headers_too_large',
    request(
      'POST /mcp',
      Array.from({ length: 150 }, (_, i) => `X-${i}: 1`),
      BODY,
    ),
    true,
  ),
  refused('no HTTP', 'http_malformed', 'hello\r\n\r\n', true),
  refused('a TLS hello', 'http_malformed', Buffer.from('16030102000100', 'hex'), true),
  refused('the preface of HTTP/2', 'http_malformed', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', true),
  refused('HTTP/2.0 as a version', 'http_malformed', request('GET /v1/tools HTTP/2.0')),
  refused('HTTP/1.2 as a version', 'http_malformed', request('GET /v1/tools HTTP/1.2'), true),
]

export const CASES: Readonly<Record<string, readonly Case[]>> = {
  methods: METHODS,
  paths: PATHS,
  hosts: HOSTS,
  origins: ORIGINS,
  bodies: BODIES,
  framing: FRAMING,
  repeated: REPEATED,
  sizes: SIZES,
}
