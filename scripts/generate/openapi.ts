// Writes docs/reference/openapi.json: the description that the service serves at /openapi.json, of this build's tools and refusals.
import { findMethod, MODULES } from '../../src/catalogue/index.ts'
import { IDENTITY } from '../../src/cli/identity.ts'
import { defaultConfig } from '../../src/config/index.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { openApi } from '../../src/http/openapi.ts'
import { createTools } from '../../src/tools/index.ts'

export const OPENAPI_PATH = 'docs/reference/openapi.json'

/** The description with the defaults; a service with publicUrl adds `servers`. */
export function openApiDocument(): JsonObject {
  const { backend, catalogue } = defaultConfig()
  const tools = createTools({
    catalogue,
    // Declarations name the modules; nothing is looked up or called here.
    lookup: { modules: MODULES, find: findMethod, hint: () => ({ unknown: 'method', text: '' }) },
    keyPlacement: backend.keyPlacement,
    timeout: () => backend.timeout,
    generateTimeout: backend.timeout,
    warn: () => undefined,
  })
  return openApi({
    tools: tools.map(({ declaration }) => declaration),
    version: IDENTITY.version,
    publicUrl: undefined,
  })
}

export function openApiText(): string {
  return `${JSON.stringify(openApiDocument(), null, 2)}\n`
}
