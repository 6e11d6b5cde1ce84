// The whole service with authenticators: callers by name with an API key each, live files in memory, and one tool call in each of the three ways.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Config, LiveFile } from '../../../src/config/index.ts'
import { hashKey, makeKey } from '../../../src/identity/apikey/index.ts'
import { authSection } from '../../../src/identity/config.ts'
import { type Files, FLEET_KEYS, memoryFiles } from '../../credentials/lib/service.ts'
import { startApp, type TestApp, type TestAppOptions } from '../../lib/app.ts'
import { EXECUTE, toolCall } from '../../lib/calls.ts'
import { modern, modernHeaders, request } from '../../mcp/lib/messages.ts'

export const PUBLIC_URL = 'https://mcp.example.com'
export const LIVE = '/live'

/** Members of a key record; the id is the caller's name. */
export interface Caller {
  owner?: string
  roles?: readonly string[]
  scopes?: readonly string[]
  tenant?: string
  tools?: readonly string[]
}

export interface SecuredOptions {
  callers?: Readonly<Record<string, Caller>>
  /** Values of live files; `policy.yaml` lets the role `all` do everything unless it is named here. */
  live?: Partial<Record<LiveFile, unknown>>
  /** The section `auth`; API keys alone unless given. */
  auth?: object
  files?: Files
  app?: TestAppOptions
}

export interface Secured extends TestApp {
  files: Files
  /** Writes a live file, a text as it is and all else as JSON (undefined deletes it), and has the service look. */
  put(file: LiveFile, value: unknown): Promise<void>
  ready(): Promise<{ status: number; reasons: string[]; warnings: string[] }>
  /** The value of one series of /metrics, as it stands there; undefined where it is not there. */
  metric(series: string): Promise<string | undefined>
}

/** The same key for the same name, in every service. */
export const keyOf = (name: string): string => makeKey(createHash('sha256').update(`caller ${name}`).digest())

export const bearer = (name: string): { authorization: string } => ({
  authorization: `Bearer ${keyOf(name)}`,
})

/** live/keys.yaml with a record for each caller. */
export const keysFile = (callers: Readonly<Record<string, Caller>>): object => ({
  version: 1,
  keys: Object.entries(callers).map(([id, { owner = `owner of ${id}`, roles = ['all'], ...rest }]) => ({
    id,
    sha256: hashKey(keyOf(id)),
    owner,
    purpose: 'test',
    roles,
    ...rest,
  })),
})

export const ALLOW_ALL = { roles: { all: { allow: [{ tool: '*', approval: 'none' }] } } }

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' || value === undefined ? value : JSON.stringify(value)

export async function startSecured(options: SecuredOptions = {}): Promise<Secured> {
  const { callers = { reader: {} }, files = memoryFiles(), auth = { apiKeys: {} }, app = {} } = options
  const live = { 'policy.yaml': ALLOW_ALL, 'keys.yaml': keysFile(callers), ...options.live }
  for (const [file, value] of Object.entries(live)) files.write(`${LIVE}/${file}`, textOf(value))
  const service = await startApp({
    ...app,
    config: {
      publicUrl: PUBLIC_URL,
      auth: authSection.parse(auth) as NonNullable<Config['auth']>,
      live: LIVE,
      ...app.config,
    },
    ports: { files, fleet: [FLEET_KEYS, true], ...app.ports },
  })
  const { ops } = service.app
  const fromOps = async (path: string): Promise<Response> => {
    if (!ops.listening) {
      ops.listen(0, '127.0.0.1')
      await once(ops, 'listening')
    }
    return fetch(`http://127.0.0.1:${(ops.address() as AddressInfo).port}${path}`)
  }
  return {
    ...service,
    files,
    async put(file, value) {
      files.write(`${LIVE}/${file}`, textOf(value))
      await service.app.reload()
    },
    async ready() {
      const response = await fromOps('/readyz')
      const { reasons, warnings } = (await response.json()) as { reasons: string[]; warnings: string[] }
      return { status: response.status, reasons, warnings }
    },
    async metric(series) {
      const text = await (await fromOps('/metrics')).text()
      return text
        .split('\n')
        .find((line) => line.startsWith(`${series} `))
        ?.slice(series.length + 1)
    },
  }
}

export interface Sent {
  method?: string
  path: string
  headers?: http.OutgoingHttpHeaders
  body?: string
}

export interface Answer {
  status: number
  headers: http.IncomingHttpHeaders
  text: string
  /** The parsed text; an empty object where there is none. */
  body: Record<string, unknown>
}

/** One request over TCP or the unix socket. */
export async function send(service: Pick<TestApp, 'url'>, sent: Sent): Promise<Answer> {
  const to = service.url.startsWith('unix:')
    ? { socketPath: service.url.slice('unix:'.length) }
    : { host: new URL(service.url).hostname, port: new URL(service.url).port }
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>()
  const outgoing = http.request({
    ...to,
    method: sent.method ?? 'POST',
    path: sent.path,
    headers: {
      host: new URL(PUBLIC_URL).host,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...sent.headers,
    },
  })
  outgoing.on('response', resolve).on('error', reject).end(sent.body)
  const response = await promise
  const text = Buffer.concat(await response.toArray()).toString('utf8')
  const body = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {}
  return { status: response.statusCode ?? 0, headers: response.headers, text, body }
}

/** REST, and MCP of both eras. */
export const WAYS = ['rest', 'legacy', 'modern'] as const
export type Way = (typeof WAYS)[number]

export const pathOf = (way: Way, tool = 'ductape_execute'): string =>
  way === 'rest' ? `/v1/tools/${tool}` : '/mcp'

export interface ToolCall {
  tool?: string
  args?: unknown
  headers?: http.OutgoingHttpHeaders
  /** With its question mark. */
  query?: string
}

/** A tool call; reads the environments of the demo product unless told otherwise. */
export function call(service: Pick<TestApp, 'url'>, way: Way, options: ToolCall = {}): Promise<Answer> {
  const { tool = 'ductape_execute', args = EXECUTE, headers = {}, query = '' } = options
  const path = pathOf(way, tool) + query
  if (way === 'rest') return send(service, { path, headers, body: JSON.stringify(args) })
  if (way === 'legacy') return send(service, { path, headers, body: toolCall(tool, args) })
  return send(service, {
    path,
    headers: { ...modernHeaders('tools/call', tool), ...headers },
    body: JSON.stringify(request('tools/call', modern({ name: tool, arguments: args }))),
  })
}

/** The code of a refusal in whatever form it has; `ok` for a result. */
export function codeOf({ body }: Answer): string {
  const { code, error, result } = body as {
    code?: string
    error?: { data?: { code?: string } }
    result?: { _meta?: Record<string, { code?: string }> }
  }
  return code ?? error?.data?.code ?? result?._meta?.['app.ductape/refusal']?.code ?? 'ok'
}
