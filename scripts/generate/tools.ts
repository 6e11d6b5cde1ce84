// Writes docs/reference/tools.json: tools/list as the service publishes it, so that a change of it shows in a diff.
import { findMethod, MODULES } from '../../src/catalogue/index.ts'
import { defaultConfig } from '../../src/config/index.ts'
import type { ToolDeclaration } from '../../src/core/tool.ts'
import { createTools } from '../../src/tools/index.ts'

export const TOOLS_PATH = 'docs/reference/tools.json'

export function toolDeclarations(): ToolDeclaration[] {
  const { backend, catalogue } = defaultConfig()
  return createTools({
    catalogue,
    // Declarations name the modules; nothing is looked up or called here.
    lookup: { modules: MODULES, find: findMethod, hint: () => ({ unknown: 'method', text: '' }) },
    keyPlacement: backend.keyPlacement,
    timeout: () => backend.timeout,
    generateTimeout: backend.timeout,
    warn: () => undefined,
  }).map(({ declaration }) => declaration)
}

export const toolsText = (): string => `${JSON.stringify({ tools: toolDeclarations() }, null, 2)}\n`
