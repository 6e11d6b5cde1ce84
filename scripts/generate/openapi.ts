// Writes docs/reference/openapi.json: the description that the service serves at /openapi.json, of this build's tools and refusals.
import { IDENTITY } from '../../src/cli/identity.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { openApi } from '../../src/http/openapi.ts'
import { toolDeclarations } from './tools.ts'

export const OPENAPI_PATH = 'docs/reference/openapi.json'

/** The description with the defaults; a service with publicUrl adds `servers`. */
export function openApiDocument(): JsonObject {
  return openApi({ tools: toolDeclarations(), version: IDENTITY.version, publicUrl: undefined })
}

export function openApiText(): string {
  return `${JSON.stringify(openApiDocument(), null, 2)}\n`
}
