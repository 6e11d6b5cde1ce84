// The stage `resolve`: does this build have the tool?
import type { Stage } from '../core/call.ts'
import { deny } from '../core/denials.ts'
import { createRedactor } from '../core/redact.ts'
import { shownName } from '../core/text.ts'
import type { ToolDefinition } from '../core/tool.ts'

export function prepareResolve(tools: readonly ToolDefinition[]): Stage {
  const byName = new Map(tools.map((tool) => [tool.declaration.name, tool]))
  const credentials = new Set(tools.flatMap((tool) => tool.credentialArguments))
  return (call) => {
    call.tool = byName.get(call.toolName)
    if (call.tool !== undefined) return undefined
    // Nobody knows which arguments of an unknown tool are credentials, so the names of all tools count.
    const held = [...credentials]
      .map((name) => call.arguments[name])
      .filter((value) => typeof value === 'string')
    return deny('tool_unknown', shownName(createRedactor(held).text(call.toolName)))
  }
}
