// npm run generate: writes every generated file. With --check it writes nothing and names those that differ.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { APPROVAL_PAGE_PATH, approvalPageText } from './generate/approvals.ts'
import { CHART_FILES } from './generate/chart.ts'
import { CLIENT_TYPES_PATH, clientTypesText } from './generate/client.ts'
import {
  CONFIG_REFERENCE_PATH,
  CONFIG_SCHEMA_PATH,
  configReferenceText,
  configSchemaText,
} from './generate/config.ts'
import { EMULATOR_DOC_PATH, generateEmulatorDoc } from './generate/emulator.ts'
import { ERRORS_PATH, errorsText } from './generate/errors.ts'
import { METRICS_PATH, metricsText } from './generate/metrics.ts'
import { NGINX_PAGE_PATH, NGINX_TEMPLATE_PATH, nginxPageText, nginxTemplateText } from './generate/nginx.ts'
import { OPENAPI_PATH, openApiText } from './generate/openapi.ts'
import { RECORD_SCHEMA_PATH, recordSchemaText } from './generate/records.ts'
import { SECCOMP_FILES } from './generate/seccomp.ts'
import { SIZING_PATH, sizingText } from './generate/sizing.ts'
import { INJECTED_TOOLS_PATH, injectedToolsText, TOOLS_PATH, toolsText } from './generate/tools.ts'
import { VECTOR_FILES } from './generate/vectors.ts'

const ROOT = resolve(import.meta.dirname, '..')

/** Path to what stands in it; a new generated file is a line here. */
export const GENERATED: Readonly<Record<string, () => string | Promise<string>>> = {
  [CONFIG_SCHEMA_PATH]: configSchemaText,
  [CONFIG_REFERENCE_PATH]: configReferenceText,
  [EMULATOR_DOC_PATH]: generateEmulatorDoc,
  [ERRORS_PATH]: errorsText,
  [METRICS_PATH]: metricsText,
  [TOOLS_PATH]: toolsText,
  [INJECTED_TOOLS_PATH]: injectedToolsText,
  [RECORD_SCHEMA_PATH]: recordSchemaText,
  [OPENAPI_PATH]: openApiText,
  [APPROVAL_PAGE_PATH]: approvalPageText,
  [CLIENT_TYPES_PATH]: clientTypesText,
  [SIZING_PATH]: sizingText,
  ...VECTOR_FILES,
  [NGINX_TEMPLATE_PATH]: nginxTemplateText,
  [NGINX_PAGE_PATH]: nginxPageText,
  ...SECCOMP_FILES,
  ...CHART_FILES,
}

export function readCommitted(path: string): string | undefined {
  try {
    return readFileSync(join(ROOT, path), 'utf8')
  } catch {
    return undefined
  }
}

/** The generated files that are not what the sources say. */
async function differing(): Promise<string[]> {
  const found: string[] = []
  for (const [path, make] of Object.entries(GENERATED))
    if ((await make()) !== readCommitted(path)) found.push(path)
  return found
}

async function main(args: readonly string[]): Promise<number> {
  const check = args.includes('--check')
  const found = await differing()
  for (const path of found) {
    console.log(`${check ? 'differs' : 'written'}: ${path}`)
    if (check) continue
    mkdirSync(dirname(join(ROOT, path)), { recursive: true })
    writeFileSync(join(ROOT, path), (await GENERATED[path]?.()) ?? '')
  }
  if (check && found.length > 0) console.log('Run npm run generate and commit what it writes.')
  return check && found.length > 0 ? 1 : 0
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2))
