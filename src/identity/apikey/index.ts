// Decides about API keys: form, hash, record, end and revocation.
import { timingSafeEqual } from 'node:crypto'
import { deny } from '../../core/denials.ts'
import type { ApiKeyRecord, Revocations } from '../../core/runtime.ts'
import type { TokenAuthenticator, Verified } from '../authenticator.ts'
import { hashKey, isWellFormed, KEY_PREFIX } from './format.ts'

export { hashKey, isWellFormed, KEY_PATTERN, KEY_PREFIX, makeKey, SECRET_BYTES } from './format.ts'
export { compileKeys } from './records.ts'

/** The section `auth.apiKeys`. */
export interface ApiKeyOptions {
  /** Keys that live longer, or for ever, are refused; milliseconds, undefined = any. */
  readonly maxLifetime?: number | undefined
}

export interface ApiKeyPorts {
  revocations: Revocations
}

/** Refusals are `key_invalid` (the same for unknown and expired), `token_revoked` and `authorization_malformed`. */
export function createApiKeys(
  { maxLifetime }: ApiKeyOptions,
  { revocations }: ApiKeyPorts,
): TokenAuthenticator {
  return {
    isResponsible: (token) => token.startsWith(KEY_PREFIX),
    authenticate({ scheme, token, runtime, now }): Verified {
      // A key is bound to nobody, so there is nothing that a proof could show.
      if (scheme !== 'bearer') return deny('authorization_malformed', 'an API key takes the scheme Bearer')
      if (!isWellFormed(token)) return deny('key_invalid')
      const digest = hashKey(token)
      const record = runtime.apiKeys.find(digest)
      if (record === undefined || !isSame(record.sha256, digest)) return deny('key_invalid')
      if (revocations.isRevoked('key', record.id) || revocations.isRevoked('subject', record.owner))
        return deny('token_revoked')
      return isOver(record, now) ? deny('key_invalid') : record.principal
    },
  }

  function isOver({ createdAt, expiresAt }: ApiKeyRecord, now: number): boolean {
    if (expiresAt === undefined) return maxLifetime !== undefined
    if (expiresAt <= now) return true
    return maxLifetime !== undefined && expiresAt - Math.min(createdAt ?? now, now) > maxLifetime
  }
}

// A lookup by hash tells nothing about a key, and this is true for every lookup there may be.
const isSame = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1'))
