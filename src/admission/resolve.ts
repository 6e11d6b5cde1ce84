// The stage `resolve`: does this build have the tool?
import type { Stage } from '../core/call.ts'
import { deny } from '../core/denials.ts'
import { shownName } from '../core/text.ts'
import type { ToolDefinition } from '../core/tool.ts'

export function prepareResolve(tools: readonly ToolDefinition[]): Stage {
  const byName = new Map(tools.map((tool) => [tool.declaration.name, tool]))
  return (call) => {
    call.tool = byName.get(call.toolName)
    return call.tool === undefined ? deny('tool_unknown', shownName(call.toolName)) : undefined
  }
}
