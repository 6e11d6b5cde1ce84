// Calls of the tools as tests make them: the arguments of a demo call, and both ways in.
import assert from 'node:assert/strict'
import { DEMO } from '../../src/emulator/index.ts'

export const KEY = DEMO.main.publishableKey

export const EXECUTE = {
  publishable_key: KEY,
  module: 'product',
  method: 'environments.list',
  params: ['ductape:my-product'],
} as const

export const GENERATE = {
  workspace_id: DEMO.main.workspaceId,
  user_id: DEMO.main.userId,
  public_key: DEMO.main.publicKey,
  product_tag: 'ductape:my-product',
  env_slug: 'prd',
  operation_family: 'database',
  method: 'query',
} as const

export interface ToolAnswer {
  content: { type: string; text: string }[]
  isError?: true
  structuredContent?: unknown
  _meta?: Record<string, unknown>
}

/** A tools/call message of the older era, which needs no headers. */
export const toolCall = (name: string, args: unknown, id: string | number = 1): string =>
  JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } })

/** Calls a tool over MCP; the JSON-RPC answer has to be a result. */
export async function callTool(url: string, name: string, args: unknown): Promise<ToolAnswer> {
  const response = await fetch(`${url}/mcp`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: toolCall(name, args),
  })
  const message = (await response.json()) as { result?: ToolAnswer; error?: unknown }
  assert.equal(response.status, 200, JSON.stringify(message))
  assert.ok(message.result, JSON.stringify(message))
  return message.result
}

export const textOf = (answer: ToolAnswer): string => answer.content[0]?.text ?? ''

/** Calls a tool over REST. */
export async function callRest(
  url: string,
  name: string,
  args: unknown,
): Promise<{ status: number; body: unknown; headers: Headers }> {
  const response = await fetch(`${url}/v1/tools/${name}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(args),
  })
  return { status: response.status, body: await response.json(), headers: response.headers }
}
