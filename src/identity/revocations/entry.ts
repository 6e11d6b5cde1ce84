// What a revocation says, and how its value is kept: hashed, because a subject may be a person (GDPR Article 5(1)(c)).

import { hash } from 'node:crypto'
import { parseInstant } from '../../core/instant.ts'
import { member } from '../../core/json.ts'
import type { RevocationKind } from '../../core/runtime.ts'

export const KINDS = ['jti', 'subject', 'key', 'fingerprint'] as const satisfies readonly RevocationKind[]

export interface Revocation {
  readonly kind: RevocationKind
  /** `jti` or `sub` of a token, owner or id of a key record, SHA-256 of a certificate in hex. */
  readonly value: string
  /** Milliseconds since the epoch; undefined = for ever. */
  readonly until?: number | undefined
}

/** Name of the index in the store, and of the channel on which new entries are told. */
export const INDEX = 'revocations'

/** Entries of the file, of memory, and of the index in the store. */
export const MAX_REVOCATIONS = 100_000

/** Milliseconds; what is in the store cannot be taken back, so it has to end. */
export const MAX_UNTIL = 366 * 24 * 3_600_000

const MAX_VALUE = 512
const VISIBLE = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$/u
const FINGERPRINT = /^[0-9a-f]{64}$/

export const isKind = (value: unknown): value is RevocationKind =>
  (KINDS as readonly unknown[]).includes(value)

/** The spelling that callers are compared in, or undefined where nothing can have this value. */
export function canonicalValue(kind: RevocationKind, value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > MAX_VALUE || !VISIBLE.test(value)) return undefined
  if (kind !== 'fingerprint') return value
  // openssl writes AA:BB:..
  const hex = value.replaceAll(':', '').toLowerCase()
  return FINGERPRINT.test(hex) ? hex : undefined
}

export const digestOf = (value: string): string => hash('sha256', value, 'base64url')

/** What can be read of a file that does not hold as a whole; an end that cannot be read is none, because such a file can only add. */
export function readableRevocations(unchecked: unknown): readonly Revocation[] {
  const rows = member(unchecked, 'revocations')
  if (!Array.isArray(rows)) return []
  const found: Revocation[] = []
  for (const row of rows.slice(0, MAX_REVOCATIONS)) {
    const kind = member(row, 'kind')
    if (!isKind(kind)) continue
    const value = canonicalValue(kind, member(row, 'value'))
    if (value === undefined) continue
    const until = member(row, 'until')
    found.push({ kind, value, until: typeof until === 'string' ? parseInstant(until) : undefined })
  }
  return found
}
