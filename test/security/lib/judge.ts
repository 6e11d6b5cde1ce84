// What every answer has to be, whatever was sent: valid JSON-RPC or problem+json, without traces of the inside and without secrets.
import type { Received } from '../../lib/http-client.ts'

/** Traces of the inside: stack frames, module paths, names of thrown errors. */
const INSIDE =
  /(?:^|\n)\s+at \S+ \(|node:internal|node_modules|file:\/\/|[\w-]\.[mc]?[jt]s:\d+|\b(?:Type|Range|Syntax|Reference)Error\b/

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function parse(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

function rpcProblem(message: unknown): string | undefined {
  if (!isObject(message) || message['jsonrpc'] !== '2.0') return 'no JSON-RPC 2.0 object'
  if (typeof message['method'] === 'string') return 'id' in message ? 'a request from the server' : undefined
  const { id, error } = message
  if (id !== null && typeof id !== 'string' && typeof id !== 'number')
    return 'id is neither string, number nor null'
  if ('result' in message === 'error' in message) return 'not exactly one of result and error'
  if ('result' in message) return isObject(message['result']) ? undefined : 'result is not an object'
  return isObject(error) && Number.isInteger(error['code']) && typeof error['message'] === 'string'
    ? undefined
    : 'error has no code and message'
}

function eventsProblem(body: string): string | undefined {
  const data = body
    .split('\n\n')
    .filter((event) => event !== '' && !event.startsWith(':'))
    .map((event) =>
      event
        .split('\n')
        .find((line) => line.startsWith('data: '))
        ?.slice(6),
    )
  if (data.length === 0) return 'an event stream without an event'
  for (const text of data) {
    const parsed = text === undefined ? undefined : parse(text)
    const problem = parsed === undefined ? 'an event that is not JSON' : rpcProblem(parsed.value)
    if (problem !== undefined) return problem
  }
  return undefined
}

/** What is wrong with the form of an answer; undefined where nothing is. */
export function formProblem(path: string, { status, headers, body }: Received): string | undefined {
  if (status >= 500) return `status ${status}`
  if (headers['x-request-id'] === undefined) return 'no x-request-id'
  if (status === 202 || status === 204) return body === '' ? undefined : 'a body where none belongs'
  const type = headers['content-type'] ?? ''
  if (type.startsWith('text/event-stream')) return eventsProblem(body)
  const parsed = parse(body)
  if (parsed === undefined) return 'the body is not JSON'
  if (type === 'application/json') {
    if (path === '/mcp') return rpcProblem(parsed.value)
    return status === 200 ? undefined : `status ${status} as application/json`
  }
  if (type !== 'application/problem+json') return `content type ${type}`
  const { value } = parsed
  const whole =
    isObject(value) &&
    value['status'] === status &&
    ['type', 'title', 'detail', 'code', 'requestId'].every((name) => typeof value[name] === 'string')
  return whole ? undefined : 'incomplete problem+json'
}

/** What an answer gives away; undefined where nothing. */
export function leakProblem({ headers, body }: Received, secrets: readonly string[]): string | undefined {
  const whole = `${JSON.stringify(headers)}\n${body}`
  const trace = INSIDE.exec(whole)
  if (trace !== null) return `a trace of the inside: ${JSON.stringify(trace[0])}`
  return secrets.some((secret) => whole.includes(secret)) ? 'a secret' : undefined
}
