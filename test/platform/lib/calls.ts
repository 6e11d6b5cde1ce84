// The calls that the platform tests make, with the demo workspace of the emulator, and what their answers must hold.
import { DEMO } from '../../../src/emulator/index.ts'

const { workspaceId, userId, publishableKey, publicKey, product } = DEMO.main

const generation = {
  workspace_id: workspaceId,
  user_id: userId,
  public_key: publicKey,
  product_tag: product,
  env_slug: 'prd',
  operation_family: 'database',
  method: 'query',
  targets: { database: 'main-db' },
}

export interface ToolCall {
  readonly name: string
  readonly arguments: Record<string, unknown>
  /** Stands in the text of the answer and nowhere in the question. */
  readonly answer: RegExp
}

export const EXECUTE: ToolCall = {
  name: 'ductape_execute',
  arguments: { publishable_key: publishableKey, module: 'product', method: 'fetch', params: [product] },
  answer: /"name": "My Product"/,
}

export const TOOL_CALLS: readonly ToolCall[] = [
  EXECUTE,
  { name: 'ductape_generate_payload', arguments: generation, answer: /"payload".*"meta"/s },
  {
    name: 'ductape_generate_snippet',
    arguments: { ...generation, language: 'python' },
    answer: /"snippet".*database/s,
  },
]

export const TOOL_NAMES: readonly string[] = TOOL_CALLS.map(({ name }) => name).sort()
