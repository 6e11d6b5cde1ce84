// The tools of this build, in the order of tools/list; adding one is a file and a line here.
import type { ToolDefinition } from '../core/tool.ts'
import type { CredentialMode } from '../credentials/index.ts'
import { createExecute, type ExecuteOptions } from './execute.ts'
import { createPayload } from './payload.ts'
import { createSnippet } from './snippet.ts'

export type { MethodLookup } from './execute.ts'

export interface ToolOptions extends ExecuteOptions {
  /** passthrough, or injected: then no tool has an argument for a key or for an id that belongs to it. */
  mode?: CredentialMode
  /** Deadline of a generate call, in milliseconds. */
  generateTimeout: number
}

export function createTools({ mode = 'passthrough', ...options }: ToolOptions): readonly ToolDefinition[] {
  const generate = { timeout: options.generateTimeout }
  return [createExecute(options, mode), createPayload(generate, mode), createSnippet(generate, mode)]
}
