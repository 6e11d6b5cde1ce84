// The whole service with API keys of several tenants, their Ductape keys in files that a test may replace, and what the backend was asked.
import { createHash } from 'node:crypto'
import type { Config, FileSource } from '../../../src/config/index.ts'
import { credentialsSection } from '../../../src/credentials/config.ts'
import type { Observed } from '../../../src/emulator/index.ts'
import { hashKey, makeKey } from '../../../src/identity/apikey/index.ts'
import { authSection } from '../../../src/identity/config.ts'
import { createFleet, type FleetKeys } from '../../../src/keys/index.ts'
import { startApp, type TestApp } from '../../lib/app.ts'

/** Files in memory; each writing is another version. */
export interface Files extends FileSource {
  write(path: string, text: string | undefined): void
}

export function memoryFiles(): Files {
  const files = new Map<string, { text: string; version: number }>()
  let versions = 0
  return {
    write(path, text) {
      if (text === undefined) files.delete(path)
      else files.set(path, { text, version: versions++ })
    },
    stamp: async (path) => files.get(path)?.version.toString(),
    async read(path) {
      const file = files.get(path)
      if (file === undefined) throw new Error('no such file')
      return Buffer.from(file.text)
    },
  }
}

export const FLEET_KEYS: FleetKeys = [{ id: 'k1', secret: createHash('sha256').update('fleet').digest() }]
export const FLEET = createFleet(FLEET_KEYS, true)

export interface TenantService extends TestApp {
  files: Files
  /** The API key of the caller of a tenant; '' is a caller without one. */
  keyOf(tenant: string): string
  /** Requests that the backend has seen, oldest first. */
  seen: Observed[]
}

const POLICY = 'version: 1\nroles:\n  all:\n    allow:\n      - { tool: "*", approval: none }\n'

/** A caller for each tenant and one without any, all of them allowed everything. */
export async function startTenants(options: {
  credentials: unknown
  callers: readonly string[]
  files?: Files
  /** Origin of a server in place of the emulator; `seen` then stays empty. */
  backend?: string
}): Promise<TenantService> {
  const files = options.files ?? memoryFiles()
  const keys = new Map(
    ['', ...options.callers].map((tenant) => [
      tenant,
      makeKey(createHash('sha256').update(`caller ${tenant}`).digest()),
    ]),
  )
  const records = [...keys].map(([tenant, key], i) => ({
    id: `caller-${i}`,
    sha256: hashKey(key),
    owner: `owner of ${tenant || 'nothing'}`,
    purpose: 'test',
    ...(tenant !== '' && { tenant }),
    roles: ['all'],
    scopes: ['ductape:configure'],
  }))
  files.write('/live/policy.yaml', POLICY)
  files.write('/live/keys.yaml', JSON.stringify({ version: 1, keys: records }))
  const seen: Observed[] = []
  const service = await startApp({
    config: {
      publicUrl: 'https://mcp.example.com',
      auth: authSection.parse({ apiKeys: {} }) as NonNullable<Config['auth']>,
      credentials: credentialsSection.parse(options.credentials),
      live: '/live',
    },
    ...(options.backend === undefined
      ? { emulator: { observe: (request) => seen.push(request) } }
      : { backend: options.backend }),
    ports: { files, fleet: [FLEET_KEYS, true] },
  })
  return {
    ...service,
    files,
    seen,
    keyOf(tenant) {
      const key = keys.get(tenant)
      if (key === undefined) throw new Error(`no caller of ${tenant}`)
      return key
    },
  }
}

/** Two tenants whose keys are held, named after the demo workspaces. */
export const heldBoth = {
  mode: 'injected',
  tenants: Object.fromEntries(
    (['main', 'other'] as const).map((name) => [
      name,
      {
        publishableKey: { file: `/keys/${name}/publishable` },
        publicKey: { file: `/keys/${name}/public` },
        workspaceId: `ws_${name === 'main' ? 'demo' : 'other'}_0123456789ab`,
        userId: `usr_${name === 'main' ? 'demo' : 'other'}_0123456789ab`,
      },
    ]),
  ),
}
