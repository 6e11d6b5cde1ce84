// The methods of MCP, both eras: the closed set of names that records, metric labels and span names may hold.
import type { Call } from './call.ts'

/** Methods of the protocol (both eras) that may stand in records, labels and span names. */
export const MCP_METHODS: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'server/discover',
  'subscriptions/listen',
  'tools/list',
  'tools/call',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'prompts/list',
  'prompts/get',
  'completion/complete',
  'logging/setLevel',
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/roots/list_changed',
])

export const shownMethod = (call: Call): string | undefined =>
  call.mcpMethod === undefined ? undefined : MCP_METHODS.has(call.mcpMethod) ? call.mcpMethod : 'other'
