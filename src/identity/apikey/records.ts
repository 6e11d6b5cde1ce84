// Compiles the records of live/keys.yaml: found by hash in constant time, each with its principal made once.
import { makePrincipal } from '../../core/principal.ts'
import type { ApiKeyRecord, ApiKeys } from '../../core/runtime.ts'
import type { KeysFile } from './config.ts'

/** @param parsed a file that `keysSchema` has passed: ids and hashes are unique. */
export function compileKeys({ keys }: KeysFile): ApiKeys {
  const records = new Map<string, ApiKeyRecord>()
  for (const given of keys) {
    const { id, sha256, owner, purpose, tenant, roles, scopes, tools, rate, expiresAt, createdAt } = given
    const principal = makePrincipal({
      method: 'api-key',
      id: `api-key:${id}`,
      subject: owner,
      owner,
      keyId: id,
      tenant,
      roles,
      scopes,
      tools,
      rate,
      expiresAt,
    })
    records.set(sha256, {
      id,
      sha256,
      owner,
      purpose,
      tenant,
      roles,
      scopes,
      tools,
      rate,
      expiresAt,
      createdAt,
      principal,
    })
  }
  return { size: records.size, find: (sha256) => records.get(sha256) }
}
