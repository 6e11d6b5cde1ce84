// Builds MCP messages and their headers for the tests, in both eras.
import { DEMO } from '../../../src/emulator/index.ts'

export const VERSION = 'io.modelcontextprotocol/protocolVersion'
export const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities'
export const CLIENT_INFO = 'io.modelcontextprotocol/clientInfo'
export const LOG_LEVEL = 'io.modelcontextprotocol/logLevel'
export const MODERN = '2026-07-28'

export const EXECUTE = {
  name: 'ductape_execute',
  arguments: {
    publishable_key: DEMO.main.publishableKey,
    module: 'product',
    method: 'fetch',
    params: [DEMO.main.product] as unknown[],
  },
}

const GENERATION = {
  workspace_id: DEMO.main.workspaceId,
  user_id: DEMO.main.userId,
  public_key: DEMO.main.publicKey,
  product_tag: DEMO.main.product,
  env_slug: 'prd',
  operation_family: 'database',
  method: 'query',
  targets: { database: 'main-db' },
}
export const PAYLOAD = { name: 'ductape_generate_payload', arguments: GENERATION }
export const SNIPPET = { name: 'ductape_generate_snippet', arguments: { ...GENERATION, language: 'python' } }

export type Message = Record<string, unknown>

export const request = (method: string, params?: unknown, id: unknown = 1): Message => ({
  jsonrpc: '2.0',
  id,
  method,
  ...(params !== undefined && { params }),
})

/** `params` with the envelope of 2026-07-28. */
export const modern = (params: Message, meta: Message = {}): Message => ({
  ...params,
  _meta: { [VERSION]: MODERN, [CAPABILITIES]: {}, ...meta },
})

export const modernHeaders = (method: string, name?: string): Record<string, string> => ({
  'mcp-protocol-version': MODERN,
  'mcp-method': method,
  ...(name !== undefined && { 'mcp-name': name }),
})

export const without = <T extends object>(object: T, ...names: string[]): Message =>
  Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)))
