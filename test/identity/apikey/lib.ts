// Keys with a known beginning, and a request that carries one.
import { createHash } from 'node:crypto'
import type { ApiKeys, RevocationKind, Revocations, Runtime } from '../../../src/core/runtime.ts'
import { keysSchema } from '../../../src/identity/apikey/config.ts'
import { compileKeys, hashKey, makeKey } from '../../../src/identity/apikey/index.ts'
import type { Presented } from '../../../src/identity/authenticator.ts'

export const NOW = Date.UTC(2027, 0, 15, 12)

/** The same key for the same name. */
export const keyNamed = (name: string): string => makeKey(createHash('sha256').update(name).digest())

export type Row = Record<string, unknown>

export const rowFor = (key: string, over: Row = {}): Row => ({
  id: 'key-one',
  sha256: hashKey(key),
  owner: 'team-data',
  purpose: 'nightly report',
  roles: ['reader'],
  ...over,
})

export const compile = (...keys: Row[]): ApiKeys => compileKeys(keysSchema.parse({ version: 1, keys }))

export const NOTHING_REVOKED: Revocations = { isRevoked: () => false }

export const revoked = (kind: RevocationKind, value: string): Revocations => ({
  isRevoked: (asked, what) => asked === kind && what === value,
})

export function present(token: string, apiKeys: ApiKeys, over: Partial<Presented> = {}): Presented {
  return {
    scheme: 'bearer',
    token,
    request: {
      method: 'POST',
      path: '/mcp',
      query: '',
      headers: {},
      raw: [],
      read: async () => ({ ok: false, reason: 'incomplete' }),
    },
    certificate: undefined,
    runtime: { apiKeys } as Runtime,
    now: NOW,
    ...over,
  }
}
