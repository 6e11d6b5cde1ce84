// The stage `resolve`: does this build have the tool? The caller's tenant decides in which of its two forms.
import type { Stage } from '../core/call.ts'
import { deny } from '../core/denials.ts'
import { createRedactor } from '../core/redact.ts'
import { shownName } from '../core/text.ts'
import type { ToolDefinition } from '../core/tool.ts'
import type { CredentialMode } from '../credentials/index.ts'

export interface ResolveOptions {
  /** The same tools for callers that bring their keys, and for those whose keys the service holds. */
  tools: Readonly<Record<CredentialMode, readonly ToolDefinition[]>>
  modeOf(tenant: string | undefined): CredentialMode
}

export function prepareResolve({ tools, modeOf }: ResolveOptions): Stage {
  const byName = {
    passthrough: index(tools.passthrough),
    injected: index(tools.injected),
  }
  const credentials = new Set(tools.passthrough.flatMap((tool) => tool.credentialArguments))
  return (call) => {
    call.tool = byName[modeOf(call.principal.tenant)].get(call.toolName)
    if (call.tool !== undefined) return undefined
    // Nobody knows which arguments of an unknown tool are credentials, so the names of all tools count.
    const held = [...credentials]
      .map((name) => call.arguments[name])
      .filter((value) => typeof value === 'string')
    return deny('tool_unknown', shownName(createRedactor(held).text(call.toolName)))
  }
}

const index = (tools: readonly ToolDefinition[]): ReadonlyMap<string, ToolDefinition> =>
  new Map(tools.map((tool) => [tool.declaration.name, tool]))
