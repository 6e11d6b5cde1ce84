// Writes docs/reference/tools.json and tools-injected.json: tools/list for callers that bring their keys and for those that never have one, so that a change shows in a diff.
import { LOOKUP } from '../../src/catalogue/lookup.ts'
import { defaultConfig } from '../../src/config/index.ts'
import type { ToolDeclaration } from '../../src/core/tool.ts'
import { createTools } from '../../src/tools/index.ts'

export const TOOLS_PATH = 'docs/reference/tools.json'
export const INJECTED_TOOLS_PATH = 'docs/reference/tools-injected.json'

export function toolDeclarations(mode: 'passthrough' | 'injected' = 'passthrough'): ToolDeclaration[] {
  const { backend, catalogue } = defaultConfig()
  return createTools({
    catalogue,
    mode,
    lookup: LOOKUP,
    keyPlacement: backend.keyPlacement,
    timeout: () => backend.timeout,
    generateTimeout: backend.timeout,
    warn: () => undefined,
  }).map(({ declaration }) => declaration)
}

export const toolsText = (): string => text(toolDeclarations())
export const injectedToolsText = (): string => text(toolDeclarations('injected'))

const text = (tools: readonly ToolDeclaration[]): string => `${JSON.stringify({ tools }, null, 2)}\n`
