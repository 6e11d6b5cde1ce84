// A backend that gives the key of the call away: in data, names, messages, headers and broken bodies, in every form that is looked for.
import { createServer } from 'node:http'
import { listenLocal } from '../../lib/ports.ts'

export interface Reply {
  status: number
  headers?: Record<string, string>
  body: string
}

export interface LeakyReply {
  name: string
  /** The reply for a call with this key; `foreign` is a key that the service does not hold. */
  make(key: string, foreign: string): Reply
  /** The answer has to show where something was taken out. */
  marks: boolean
}

const hex4 = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
const escaped = (text: string): string => text.replace(/[\s\S]/g, hex4)
const percent = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')

/** Every form of a key that must not get through, as raw text. */
const FORMS: Readonly<Record<string, (key: string) => string>> = {
  plain: (key) => key,
  'inside a text': (key) => `the key ${key}, twice: ${key}${key}`,
  'percent-encoded': percent,
  'percent-encoded in capitals': (key) => percent(key).replace(/%../g, (byte) => byte.toUpperCase()),
  'percent-encoded in part': (key) => key.replaceAll('_', '%5F'),
  'form-encoded': (key) => new URLSearchParams({ key: `${key} &` }).toString(),
  base64: (key) => Buffer.from(key).toString('base64'),
  'base64, one byte before': (key) => Buffer.from(`:${key}:`).toString('base64'),
  'base64, two bytes before': (key) => Buffer.from(`a:${key}:b`).toString('base64'),
  'base64, three bytes before': (key) => Buffer.from(`abc${key}`).toString('base64'),
  base64url: (key) => Buffer.from(`>>?${key}>>?`).toString('base64url'),
  'basic credentials': (key) => `Basic ${Buffer.from(`user:${key}`).toString('base64')}`,
  'JSON in a string': (key) => JSON.stringify({ key, nested: { [key]: [key] } }),
}

const OK = 200
const success = (data: string, id = 'req_0123456789abcdef'): string =>
  `{"status":true,"data":{"data":${data},"payload":{"input":${data}},"meta":{"warnings":[${data}]},"execution_time_ms":1,"request_id":${JSON.stringify(id)}}}`

const inData: LeakyReply[] = Object.entries(FORMS).flatMap(([name, form]) => [
  {
    name: `data: ${name}`,
    marks: true,
    make: (key) => ({
      status: OK,
      body: success(JSON.stringify({ a: [1.5, { b: form(key) }], c: form(key) })),
    }),
  },
  {
    name: `data, every character escaped: ${name}`,
    marks: true,
    make: (key) => ({ status: OK, body: success(`{"a":"${escaped(form(key))}"}`) }),
  },
  {
    name: `member name: ${name}`,
    marks: true,
    make: (key) => ({
      status: OK,
      body: success(JSON.stringify({ [form(key)]: { [`x ${form(key)}`]: 1e21 } })),
    }),
  },
  {
    name: `member name, every character escaped: ${name}`,
    marks: true,
    make: (key) => ({ status: OK, body: success(`{"${escaped(form(key))}":{"n":12345678901234567890}}`) }),
  },
])

const FAILURES: Readonly<Record<string, (message: string) => unknown>> = {
  upstream_error: (message) => ({ upstream_error: message }),
  'upstream_error.message': (message) => ({ upstream_error: { message } }),
  'upstream_error.error': (message) => ({ upstream_error: { error: message } }),
  'upstream_error.errors': (message) => ({ upstream_error: { errors: message } }),
  'upstream_error.errors, a list': (message) => ({ upstream_error: { errors: [message, message] } }),
  error: (message) => ({ error: message }),
  message: (message) => ({ status: false, message }),
  errors: (message) => ({ status: false, meta: {}, errors: message }),
}

const inMessages: LeakyReply[] = Object.entries(FAILURES).flatMap(([place, wrap]) =>
  Object.entries(FORMS).flatMap(([name, form]) =>
    [OK, 401, 500, 503].map(
      (status): LeakyReply => ({
        name: `${status} ${place}: ${name}`,
        // Only a failure under HTTP 200 has to say so itself.
        marks: true,
        make: (key) => ({
          status,
          body: JSON.stringify({ ...(wrap(`no access for ${form(key)} here`) as object), status: false }),
        }),
      }),
    ),
  ),
)

const elsewhere: LeakyReply[] = [
  { name: 'not JSON', marks: false, make: (key) => ({ status: OK, body: `<html>${key}</html>` }) },
  { name: 'not JSON, 502', marks: false, make: (key) => ({ status: 502, body: `<html>${key}</html>` }) },
  {
    name: 'broken JSON',
    marks: false,
    make: (key) => ({ status: OK, body: `{"status":true,"data":{"data":"${key}` }),
  },
  { name: 'no envelope', marks: false, make: (key) => ({ status: OK, body: JSON.stringify([key]) }) },
  {
    name: 'code',
    marks: false,
    make: (key) => ({ status: OK, body: JSON.stringify({ status: false, code: key, message: '' }) }),
  },
  { name: 'request_id', marks: false, make: (key) => ({ status: OK, body: success('1', key) }) },
  {
    name: 'request_id, a foreign key',
    marks: false,
    make: (_key, foreign) => ({ status: OK, body: success('1', foreign) }),
  },
  {
    name: 'headers',
    marks: false,
    make: (key, foreign) => ({
      status: 503,
      headers: {
        'retry-after': key,
        'x-request-id': key,
        'set-cookie': `k=${key}`,
        'www-authenticate': `Bearer ${foreign}`,
      },
      body: '{}',
    }),
  },
  {
    name: 'redirect',
    marks: false,
    make: (key) => ({ status: 307, headers: { location: `/x?key=${key}` }, body: '' }),
  },
  {
    name: 'a message that is cut through the key',
    marks: true,
    make: (key) => ({ status: 400, body: JSON.stringify({ error: `${'x'.repeat(490)}${key}` }) }),
  },
  {
    name: 'a foreign key in data',
    marks: false,
    make: (_key, foreign) => ({ status: OK, body: success(JSON.stringify({ [foreign]: foreign })) }),
  },
  {
    name: 'a foreign key in a message',
    marks: false,
    make: (_key, foreign) => ({ status: 403, body: JSON.stringify({ error: `no access for ${foreign}` }) }),
  },
]

export const LEAKY_REPLIES: readonly LeakyReply[] = [...inData, ...inMessages, ...elsewhere]

export interface ScriptedBackend {
  url: string
  /** The reply to calls with this key; without one the answer is a plain success. */
  script: Map<string, Reply>
  requests(): number
  close(): Promise<void>
}

/** Finds its reply by the key of the call, so that replies do not depend on the order of calls. */
export async function startScriptedBackend(): Promise<ScriptedBackend> {
  const script = new Map<string, Reply>()
  let requests = 0
  const server = createServer((request, response) => {
    requests++
    request.resume()
    const key = request.headers['x-publishable-key'] ?? request.headers['x-access-key']
    const reply = script.get(String(key)) ?? { status: OK, body: success('{"ok":true}') }
    response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers })
    response.end(reply.body)
  })
  const port = await listenLocal(server)
  return {
    url: `http://127.0.0.1:${port}`,
    script,
    requests: () => requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
