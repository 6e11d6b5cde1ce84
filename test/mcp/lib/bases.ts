// The base messages of the differential corpus: calls of all tools and the other methods of both eras, each whole and valid.
import { CAPABILITIES, EXECUTE, type Message, MODERN, PAYLOAD, SNIPPET, VERSION } from './messages.ts'

export interface Base {
  name: string
  era: 'modern' | 'legacy'
  method: string
  params: Message | undefined
  /** Value of Mcp-Name. */
  target?: string
  notification?: true
}

/** A request while it is being changed. */
export interface Draft {
  http: string
  headers: [name: string, value: string][]
  message: unknown
  /** Takes the place of the message. */
  raw: Buffer | undefined
}

const both = (method: string, params: Message | undefined, target?: string, name = method): Base[] => [
  { name: `legacy ${name}`, era: 'legacy', method, params, ...(target !== undefined && { target }) },
  { name: `modern ${name}`, era: 'modern', method, params, ...(target !== undefined && { target }) },
]
const call = (tool: { name: string; arguments: object }, name: string): Base[] =>
  both('tools/call', { ...tool }, tool.name, name)

const failing = { ...EXECUTE, arguments: { ...EXECUTE.arguments, module: 'databases', method: 'query' } }

export const BASES: readonly Base[] = [
  ...call(EXECUTE, 'execute'),
  ...call(PAYLOAD, 'payload'),
  ...call(SNIPPET, 'snippet'),
  ...call(failing, 'execute that fails'),
  ...both('tools/list', undefined),
  ...both('server/discover', undefined),
  ...both('resources/list', {}),
  ...both('resources/templates/list', {}),
  ...both('resources/read', { uri: 'ductape://catalogue/quotas' }, 'ductape://catalogue/quotas'),
  ...both('ping', undefined),
  ...both('prompts/list', {}),
  ...both('example/unknown', {}),
  ...both('subscriptions/listen', { notifications: { toolsListChanged: true } }),
  {
    name: 'initialize',
    era: 'legacy',
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'c', version: '1' } },
  },
  ...both('notifications/initialized', undefined).map((base) => ({ ...base, notification: true as const })),
  ...both('notifications/cancelled', { requestId: 1 }).map((base) => ({
    ...base,
    notification: true as const,
  })),
]

export function draftOf(base: Base): Draft {
  const headers: Draft['headers'] = [
    ['content-type', 'application/json'],
    ['accept', 'application/json, text/event-stream'],
  ]
  const params = structuredClone(base.params)
  const message: Message = { jsonrpc: '2.0', ...(!base.notification && { id: 1 }), method: base.method }
  if (base.era === 'modern') {
    headers.push(['mcp-protocol-version', MODERN], ['mcp-method', base.method])
    if (base.target !== undefined) headers.push(['mcp-name', base.target])
    message['params'] = { ...params, _meta: { [VERSION]: MODERN, [CAPABILITIES]: {} } }
  } else {
    if (base.method !== 'initialize') headers.push(['mcp-protocol-version', '2025-11-25'])
    if (params !== undefined) message['params'] = params
  }
  return { http: 'POST', headers, message, raw: undefined }
}
