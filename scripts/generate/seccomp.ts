// Writes the system call profiles as resources of the Security Profiles Operator (security-profiles-operator.x-k8s.io/v1).
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { stringify } from 'yaml'

const ROOT = resolve(import.meta.dirname, '../..')

/** Name of the resource to the profile; the operator installs it as operator/NAME.json. */
const PROFILES = { 'ductape-mcp': 'seccomp/ductape-mcp.json', 'ductape-mcp-nginx': 'seccomp/nginx.json' }

function resource(name: string, file: string): string {
  // The operator has no field for the default errno; EPERM is the runtimes' own.
  const { defaultErrnoRet: _, ...profile } = JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as object & {
    defaultErrnoRet: number
  }
  const object = {
    apiVersion: 'security-profiles-operator.x-k8s.io/v1',
    kind: 'SeccompProfile',
    metadata: { name },
    spec: profile,
  }
  return `# Generated from ${file} by \`npm run generate\`. Do not edit.\n${stringify(object, { lineWidth: 0 })}`
}

export const SECCOMP_FILES: Readonly<Record<string, () => string>> = Object.fromEntries(
  Object.entries(PROFILES).map(([name, file]) => [`seccomp/spo/${name}.yaml`, () => resource(name, file)]),
)
