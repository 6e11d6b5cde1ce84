// Credentials of tenants for tests: options without the config file, keys put in by hand, events kept.
import { randomBytes } from 'node:crypto'
import type { Fleet } from '../../../src/core/fleet.ts'
import {
  type CredentialEvent,
  type CredentialOptions,
  type Credentials,
  createCredentials,
  type TenantOptions,
} from '../../../src/credentials/index.ts'
import { bootKeys, createFleet } from '../../../src/keys/index.ts'

export interface TestCredentials extends Credentials {
  events: CredentialEvent[]
  /** Puts bytes into the file of this path, as the watcher would. */
  put(path: string, text: string | Buffer | undefined): void
}

/** A tenant with both keys; the files are named after it. */
export const both = (name: string): TenantOptions => ({
  publishableKey: { file: `${name}/publishable` },
  publicKey: { file: `${name}/public` },
  workspaceId: `ws_${name}`,
  userId: `usr_${name}`,
})

export function testCredentials(
  options: Partial<CredentialOptions>,
  fleet: Fleet = createFleet(bootKeys(randomBytes), false),
): TestCredentials {
  const events: CredentialEvent[] = []
  const credentials = createCredentials(
    { mode: 'injected', tenants: {}, ...options },
    { fleet, onEvent: (event) => events.push(event) },
  )
  return {
    ...credentials,
    events,
    put(path, text) {
      const files = credentials.files.filter((file) => file.path === path)
      if (files.length === 0) throw new Error(`no file ${path}`)
      const bytes = typeof text === 'string' ? Buffer.from(text) : text
      for (const file of files) file.apply({ bytes })
    },
  }
}
