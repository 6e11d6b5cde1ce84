// Writes what derives from the config schema: schema/config.schema.json and docs/reference/config.md.
import { configJsonSchema } from '../../src/config/json-schema.ts'
import { CONFIG_KEYS, CONFIG_SECTIONS, type ConfigKey } from '../../src/config/keys.ts'
import { LATER_KEYS } from '../../src/config/schema.ts'

export const CONFIG_SCHEMA_PATH = 'schema/config.schema.json'
export const CONFIG_REFERENCE_PATH = 'docs/reference/config.md'

export function configSchemaText(): string {
  return `${JSON.stringify(configJsonSchema(), null, 2)}\n`
}

const INTRO = `# Configuration

<!-- Generated from the config schema by \`npm run generate\`. Do not edit. -->

One file, \`config.yaml\`, named by \`--config FILE\` or the variable \`DUCTAPE_MCP_CONFIG\`. Every key is optional: without a file
and without a variable the service listens on loopback with the defaults below. The file is read once, at the start; a change is
a rollout.

- **Units** stand in the value: durations \`"500ms"\` \`"30s"\` \`"5m"\` \`"1h"\`, sizes \`"512B"\` \`"64KiB"\` \`"1MiB"\` \`"1GiB"\`; whole numbers only.
- **Secrets** are never in the file. A key that needs one takes \`{ file: path }\`.
- **Strict.** An unknown key, a key given twice, a YAML alias or tag is an error. All errors are reported at once, each with line, key and fix:
  \`ductape-mcp config check config.yaml\`.
- **In effect**: \`ductape-mcp config print config.yaml\`. **In an editor**: first line \`# yaml-language-server: $schema=config.schema.json\`, with the file
  \`schema/config.schema.json\` or the output of \`ductape-mcp config schema\`.
- **Traces** are configured by the standard \`OTEL_*\` variables and have no key here.

\`\`\`yaml
version: 1
publicUrl: https://mcp.example.com
backend:
  methodTimeouts:
    databases.query: "60s"
http:
  maxBody: "512KiB"
audit:
  sink: { file: /var/log/ductape-mcp/audit.jsonl }
\`\`\`
`

export function configReferenceText(): string {
  const parts = [INTRO]
  const topLevel = CONFIG_KEYS.filter(({ path }) => !path.includes('.'))
  parts.push(`## Top level\n\n${table(topLevel)}`)
  for (const { path, description } of CONFIG_SECTIONS.filter((section) => !section.path.includes('.'))) {
    parts.push(
      `## ${path}\n\n${description}.\n\n${table(CONFIG_KEYS.filter((key) => key.path.startsWith(`${path}.`)))}`,
    )
  }
  const later = LATER_KEYS.map((key) => `\`${key}\``).join(', ')
  parts.push(
    `## Not in this version\n\nThese keys have a place in the format but no effect yet, so naming one is an error: ${later}.\n`,
  )
  return parts.join('\n')
}

function table(keys: readonly ConfigKey[]): string {
  const rows = keys.map(({ path, home, type, default: standard, description }) => {
    const value = standard === undefined ? 'not set' : `\`${JSON.stringify(standard)}\``
    return `| \`${path}\` | ${type} | ${value} | ${home} | ${description} |`
  })
  return ['| key | type | default | home | meaning |', '|---|---|---|---|---|', ...rows, ''].join('\n')
}
