// Knows which credentials have been revoked: by the file live/revocations.yaml, and through the store on all replicas within seconds.
import type { Fleet } from '../../core/fleet.ts'
import type { Principal } from '../../core/principal.ts'
import type { RevocationKind, Revocations } from '../../core/runtime.ts'
import type { Store } from '../../core/store.ts'
import { createReplicated } from '../../store/index.ts'
import type { Wanted } from './admin.ts'
import { canonicalValue, digestOf, INDEX, MAX_REVOCATIONS, type Revocation } from './entry.ts'

export { adminRevocations, checkWanted, FULL, type Wanted } from './admin.ts'
export { KINDS, type Revocation, readableRevocations } from './entry.ts'

/** True where what vouches for this caller has been revoked. Of a chain of actors the newest acts, the others only inform (RFC 8693 4.1). */
export function isCallerRevoked(
  revocations: Revocations,
  { subject, actors, tokenId, keyId, fingerprint }: Principal,
): boolean {
  const [actor] = actors
  return (
    revocations.isRevoked('subject', subject) ||
    (actor !== undefined && revocations.isRevoked('subject', actor)) ||
    (tokenId !== undefined && revocations.isRevoked('jti', tokenId)) ||
    (keyId !== undefined && revocations.isRevoked('key', keyId)) ||
    (fingerprint !== undefined && revocations.isRevoked('fingerprint', fingerprint))
  )
}

export interface RevocationOptions {
  store: Store
  /** Signs the entries, so that somebody who can write to the store cannot revoke. */
  fleet: Fleet
  /** Milliseconds since the epoch. */
  now(): number
  onEvent(name: string, fields: Record<string, string | number>): void
  /** Milliseconds between two looks at the store. */
  pollEvery: number
}

export interface LiveRevocations extends Revocations {
  /** All entries of a valid file. */
  setLive(entries: readonly Revocation[]): void
  /** The readable entries of a file that does not hold: they can only add. */
  addLive(entries: readonly Revocation[]): void
  /**
   * Revokes on all replicas what `checkWanted` has passed. It cannot be taken back before its end. `full` = the store takes no more
   * entries. `by` names who asked, for the log. Rejects with StoreUnavailable.
   */
  revoke(wanted: Wanted, by: string): Promise<'revoked' | 'full'>
  /** Reads the store, listens to the other replicas and polls from then on; a store that is not there is asked again. */
  start(): Promise<void>
  /** Looks at the store now; never rejects. */
  refresh(): Promise<void>
  /** `synced`: the store has been read at least once. `forged`: entries whose signature did not hold, since start. */
  stats(): { live: number; shared: number; forged: number; synced: boolean }
  close(): void
}

const ENTRY = /^(jti|subject|key|fingerprint) ([A-Za-z0-9_-]{43}) ([1-9]\d{0,15})$/

/** Digest of the value to the end of its revocation, in milliseconds since the epoch; Infinity = never. */
type Table = Readonly<Record<RevocationKind, Map<string, number>>>

const emptyTable = (): Table => ({
  jti: new Map(),
  subject: new Map(),
  key: new Map(),
  fingerprint: new Map(),
})

const sizeOf = (table: Table): number =>
  table.jti.size + table.subject.size + table.key.size + table.fingerprint.size

/** Of two revocations of the same credential the longer one holds. False where the table is full. */
function add(table: Table, kind: RevocationKind, digest: string, until: number): boolean {
  const rows = table[kind]
  const known = rows.get(digest)
  if (known === undefined && sizeOf(table) >= MAX_REVOCATIONS) return false
  rows.set(digest, Math.max(known ?? 0, until))
  return true
}

export function createRevocations(options: RevocationOptions): LiveRevocations {
  const { now, onEvent } = options
  let live = emptyTable()
  let full = false
  const shared = createReplicated({
    ...options,
    name: INDEX,
    limit: MAX_REVOCATIONS,
    parse(text) {
      const [, group, id, end] = ENTRY.exec(text) ?? []
      return group === undefined || id === undefined ? undefined : { group, id, end: Number(end) }
    },
    supersedes: (entry, other) => entry.end > other.end,
  })

  function take(entries: readonly Revocation[], table: Table): void {
    for (const { kind, value, until = Number.POSITIVE_INFINITY } of entries) {
      const canonical = canonicalValue(kind, value)
      if (canonical === undefined || add(table, kind, digestOf(canonical), until) || full) continue
      full = true
      onEvent('revocations_full', { limit: MAX_REVOCATIONS })
    }
  }

  return {
    isRevoked(kind, value) {
      const own = live[kind]
      if (own.size === 0 && shared.count(kind) === 0) return false
      const digest = digestOf(value)
      const until = Math.max(own.get(digest) ?? 0, shared.find(kind, digest)?.end ?? 0)
      return until !== 0 && until > now()
    },
    setLive(entries) {
      const next = emptyTable()
      take(entries, next)
      live = next
    },
    addLive: (entries) => take(entries, live),
    async revoke({ kind, value, until }, by) {
      if (!(await shared.add(`${kind} ${digestOf(value)} ${until}`))) return 'full'
      onEvent('revocation_added', { kind, until: new Date(until).toISOString(), by })
      return 'revoked'
    },
    start: shared.start,
    refresh: shared.refresh,
    stats: () => ({ live: sizeOf(live), ...shared.stats() }),
    close: shared.close,
  }
}
