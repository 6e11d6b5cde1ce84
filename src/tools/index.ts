// The tools of this build, in the order of tools/list; adding one is a file and a line here.
import type { ToolDefinition } from '../core/tool.ts'
import { createExecute, type ExecuteOptions } from './execute.ts'
import { createPayload } from './payload.ts'
import { createSnippet } from './snippet.ts'

export type { MethodLookup } from './execute.ts'

export interface ToolOptions extends ExecuteOptions {
  /** Deadline of a generate call, in milliseconds. */
  generateTimeout: number
}

export function createTools(options: ToolOptions): readonly ToolDefinition[] {
  const generate = { timeout: options.generateTimeout }
  return [createExecute(options), createPayload(generate), createSnippet(generate)]
}
