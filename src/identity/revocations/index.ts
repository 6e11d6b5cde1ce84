// Knows which credentials have been revoked: by the file live/revocations.yaml, and through the store on all replicas within seconds.
import { setImmediate } from 'node:timers/promises'
import type { Fleet } from '../../core/fleet.ts'
import type { Principal } from '../../core/principal.ts'
import type { RevocationKind, Revocations } from '../../core/runtime.ts'
import { type Store, StoreUnavailable } from '../../core/store.ts'
import { readEntry, signEntry } from '../../store/index.ts'
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

/** An entry is judged in some 3 us: after so many the loop serves others first. As many are put back at one look. */
const BATCH = 1000
/** Characters; an entry has some 140. */
const MAX_ENTRY = 256

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
  const { store, fleet, now, onEvent } = options
  let live = emptyTable()
  const shared = emptyTable()
  /** Entries of the store as they stand there, with their ends: what the store loses is put back. */
  const held = new Map<string, number>()
  /** All of the index at the last look, so that each entry is judged once, and the fleet keys that judged them. */
  let seen: ReadonlySet<string> = new Set()
  let judgedBy = ''
  let forged = 0
  let reported = 0
  let synced = false
  let full = false
  let looking: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let unsubscribe: (() => void) | undefined
  let closed = false

  function reportFull(): void {
    if (full) return
    full = true
    onEvent('revocations_full', { limit: MAX_REVOCATIONS })
  }

  function take(entries: readonly Revocation[], table: Table): void {
    for (const { kind, value, until = Number.POSITIVE_INFINITY } of entries) {
      const canonical = canonicalValue(kind, value)
      if (canonical !== undefined && !add(table, kind, digestOf(canonical), until)) reportFull()
    }
  }

  /** Takes an entry of the store if this fleet has signed it. */
  function judge(raw: string): void {
    if (held.has(raw)) return
    const text = raw.length > MAX_ENTRY ? undefined : readEntry(fleet, INDEX, raw)
    const match = text === undefined ? null : ENTRY.exec(text)
    if (match === null) {
      forged++
      return
    }
    const until = Number(match[3])
    if (until <= now()) return
    if (add(shared, match[1] as RevocationKind, match[2] as string, until)) held.set(raw, until)
    else reportFull()
  }

  function forgetEnded(): void {
    const time = now()
    for (const [raw, until] of held) if (until <= time) held.delete(raw)
    for (const rows of Object.values(shared))
      for (const [digest, until] of rows) if (until <= time) rows.delete(digest)
  }

  /** Before the first reading, so that nothing falls between the two. */
  async function listen(): Promise<void> {
    if (unsubscribe !== undefined) return
    const stop = await store.subscribe(INDEX, judge)
    if (closed) stop()
    else unsubscribe = stop
  }

  async function look(): Promise<void> {
    // Without it the entries come with the next look.
    await listen().catch(() => undefined)
    const members = await store.indexMembers(INDEX)
    // What another replica signed with a new fleet key looks forged until that key has come here too.
    const ids = fleet.ids.join()
    if (ids !== judgedBy) seen = new Set()
    judgedBy = ids
    const forgedBefore = reported
    let judged = 0
    for (const raw of members) {
      if (seen.has(raw)) continue
      judge(raw)
      if (++judged % BATCH === 0) await setImmediate()
    }
    seen = new Set(members)
    synced = true
    forgetEnded()
    reported = forged
    if (forged > forgedBefore) onEvent('revocations_forged', { count: forged - forgedBefore })
    await putBack(seen)
  }

  /** A store that was restarted empty, or from an old copy, must not let a revoked credential back in. */
  async function putBack(present: ReadonlySet<string>): Promise<void> {
    let count = 0
    for (const [raw, until] of held) {
      if (present.has(raw)) continue
      if (++count > BATCH) return
      await store.indexAdd(INDEX, raw, Math.max(1, until - now()), MAX_REVOCATIONS)
    }
  }

  const registry: LiveRevocations = {
    isRevoked(kind, value) {
      const own = live[kind]
      const others = shared[kind]
      if (own.size === 0 && others.size === 0) return false
      const digest = digestOf(value)
      const until = Math.max(own.get(digest) ?? 0, others.get(digest) ?? 0)
      return until !== 0 && until > now()
    },
    setLive(entries) {
      const next = emptyTable()
      take(entries, next)
      live = next
    },
    addLive: (entries) => take(entries, live),
    async revoke({ kind, value, until }, by) {
      const raw = signEntry(fleet, INDEX, `${kind} ${digestOf(value)} ${until}`)
      if (!(await store.indexAdd(INDEX, raw, Math.max(1, until - now()), MAX_REVOCATIONS))) return 'full'
      judge(raw)
      onEvent('revocation_added', { kind, until: new Date(until).toISOString(), by })
      // Who misses the message finds the entry at the next look.
      await store.publish(INDEX, raw).catch(() => undefined)
      return 'revoked'
    },
    async start() {
      timer = setInterval(() => void registry.refresh(), options.pollEvery)
      timer.unref()
      await registry.refresh()
    },
    refresh() {
      looking ??= look()
        .catch((error: unknown) => {
          // The last state holds while the store is away; its loss is reported by the store itself.
          if (!(error instanceof StoreUnavailable))
            onEvent('revocations_not_read', { reason: error instanceof Error ? error.name : 'unknown' })
        })
        .finally(() => {
          looking = undefined
        })
      return looking
    },
    stats: () => ({ live: sizeOf(live), shared: sizeOf(shared), forged, synced }),
    close() {
      closed = true
      clearInterval(timer)
      unsubscribe?.()
    },
  }
  return registry
}
