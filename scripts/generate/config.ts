// Writes what derives from the config schema: schema/config.schema.json and docs/reference/config.md.
import { configJsonSchema } from '../../src/config/json-schema.ts'
import { CONFIG_KEYS, CONFIG_SECTIONS, type ConfigKey, HOMES, type Home } from '../../src/config/keys.ts'

export const CONFIG_SCHEMA_PATH = 'schema/config.schema.json'
export const CONFIG_REFERENCE_PATH = 'docs/reference/config.md'

export function configSchemaText(): string {
  return `${JSON.stringify(configJsonSchema(), null, 2)}\n`
}

const INTRO = `# Configuration

<!-- Generated from the config schema by \`npm run generate\`. Do not edit. -->

One file, \`config.yaml\`, named by \`--config FILE\` or the variable \`DUCTAPE_MCP_CONFIG\`. Every key is optional: without a file
and without a variable the service listens on loopback with the defaults below. The file is read once, at the start; a change is
a rollout. What changes while the service runs stands in the folder that \`live\` names: each of its files is read again within two seconds
of a change, alone; a bad one keeps the last good one in force and says so in the log, in /readyz and in
\`ductape_mcp_live_config_age_seconds\`.

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
  sink: { directory: /var/log/ductape-mcp }
\`\`\`
`

export function configReferenceText(): string {
  const parts = [INTRO]
  const own = CONFIG_KEYS.filter(({ home }) => home === 'config.yaml')
  const sections = CONFIG_SECTIONS.filter(({ home, path }) => home === 'config.yaml' && !path.includes('.'))
  const top = own.filter(({ path }) => !sections.some((section) => path.startsWith(`${section.path}.`)))
  parts.push(`## Top level\n\n${table(top)}`)
  for (const { path, description } of sections) {
    const keys = own.filter((key) => key.path.startsWith(`${path}.`))
    parts.push(`## ${path}\n\n${description}.\n\n${table(keys)}`)
  }
  for (const home of Object.keys(HOMES) as Home[]) {
    if (home === 'config.yaml') continue
    parts.push(`## ${home}\n\n${LIVE[home]}\n\n${table(CONFIG_KEYS.filter((key) => key.home === home))}`)
  }
  return parts.join('\n')
}

const LIVE: Readonly<Record<Exclude<Home, 'config.yaml'>, string>> = {
  'live/policy.yaml': 'Who may do what: [policy](../operate/policy.md).',
  'live/keys.yaml':
    'The hashes of the API keys: [identity](../operate/identity.md). Over 4 MiB it has to be JSON.',
  'live/limits.yaml': 'How much everybody may use: [limits](../operate/limits.md).',
  'live/revocations.yaml':
    'Credentials that are refused although they are valid: [identity](../operate/identity.md).',
  'live/kill.yaml': 'What is switched off: [kill switch](../operate/kill-switch.md).',
  'live/scan.yaml': 'What is looked for in answers: [scanning](../operate/scanning.md).',
}

/** `static` is read at the start, `live` whenever the file changes. */
const shownHome = (home: Home): string => (home === 'config.yaml' ? 'static' : 'live')

function table(keys: readonly ConfigKey[]): string {
  const rows = keys.map(({ path, home, type, default: standard, description }) => {
    const value = standard === undefined ? 'not set' : `\`${JSON.stringify(standard)}\``
    return `| \`${path}\` | ${type} | ${value} | ${shownHome(home)} | ${description} |`
  })
  return ['| key | type | default | home | meaning |', '|---|---|---|---|---|', ...rows, ''].join('\n')
}
