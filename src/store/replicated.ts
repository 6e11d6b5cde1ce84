// A signed set that every replica holds: kept in an index of the store, told on a channel, looked at again and again. Of two entries for the same thing one holds, the same one everywhere.
import { setImmediate } from 'node:timers/promises'
import type { Fleet } from '../core/fleet.ts'
import { type Store, StoreUnavailable } from '../core/store.ts'
import { readEntry, signEntry } from './entries.ts'

/** What an entry says; `group` and `id` name the thing that it is about. */
export interface ReplicatedEntry {
  readonly group: string
  readonly id: string
  /** Milliseconds since the epoch; from then on nobody holds it, so what it overrides has to end no later. */
  readonly end: number
}

export interface ReplicatedOptions<Entry extends ReplicatedEntry> {
  store: Store
  /** Signs the entries, so that somebody who can write to the store cannot add any. */
  fleet: Fleet
  /** Milliseconds since the epoch. */
  now(): number
  /** Told `NAME_forged`, `NAME_full` and `NAME_not_read`. */
  onEvent(name: string, fields: Record<string, string | number>): void
  /** Milliseconds between two looks at the store. */
  pollEvery: number
  /** Of the index and of the channel. */
  name: string
  /** Entries of memory, and of the index. */
  limit: number
  /** Undefined where the text is no entry. */
  parse(text: string): Entry | undefined
  /** Of two entries about the same thing: does the first one hold? A strict order, so that all replicas agree. */
  supersedes(entry: Entry, other: Entry): boolean
  /** Told when other entries hold than before. */
  onChange?(): void
}

export interface Replicated<Entry extends ReplicatedEntry> {
  find(group: string, id: string): Entry | undefined
  /** Entries of one group. */
  count(group: string): number
  entries(): Iterable<Entry>
  /** Writes an entry for all replicas; false where the store takes no more. Rejects with StoreUnavailable. */
  add(text: string): Promise<boolean>
  /** Reads the store, listens to the other replicas and polls from then on; a store that is not there is asked again. */
  start(): Promise<void>
  /** Looks at the store now; never rejects. */
  refresh(): Promise<void>
  /** Looks at the store as it is after this call; rejects with StoreUnavailable. */
  sync(): Promise<void>
  /** `synced`: the store has been read at least once. `forged`: entries whose signature did not hold, since start. */
  stats(): { shared: number; forged: number; synced: boolean }
  close(): void
}

/** An entry is judged in some 3 us: after so many the loop serves others first. As many are put back at one look. */
const BATCH = 1000
/** Characters; an entry has some 140. */
const MAX_ENTRY = 256

interface Held<Entry> {
  readonly raw: string
  readonly entry: Entry
}

export function createReplicated<Entry extends ReplicatedEntry>(
  options: ReplicatedOptions<Entry>,
): Replicated<Entry> {
  const { store, fleet, name, limit, now, onEvent } = options
  const groups = new Map<string, Map<string, Held<Entry>>>()
  /** The entries that hold as they stand in the store: what the store loses is put back. */
  const held = new Map<string, Entry>()
  /** Entries that hold no more, to be taken from the store. */
  const superseded = new Set<string>()
  /** All of the index at the last look, so that each entry is judged once, and the fleet keys that judged them. */
  let seen: ReadonlySet<string> = new Set()
  let judgedBy = ''
  let forged = 0
  let reported = 0
  let synced = false
  let full = false
  let changed = false
  let looking: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let unsubscribe: (() => void) | undefined
  let closed = false

  /** Takes an entry of the store if this fleet has signed it. */
  function judge(raw: string): void {
    if (held.has(raw)) return
    const text = raw.length > MAX_ENTRY ? undefined : readEntry(fleet, name, raw)
    const entry = text === undefined ? undefined : options.parse(text)
    if (entry === undefined) {
      forged++
      return
    }
    if (entry.end <= now()) return
    const rows = groups.get(entry.group) ?? new Map<string, Held<Entry>>()
    groups.set(entry.group, rows)
    const present = rows.get(entry.id)
    if (present === undefined && held.size >= limit) {
      if (!full) onEvent(`${name}_full`, { limit })
      full = true
      return
    }
    if (present !== undefined) {
      if (!options.supersedes(entry, present.entry)) {
        // The same entry under another key does no harm.
        if (options.supersedes(present.entry, entry)) superseded.add(raw)
        return
      }
      superseded.add(present.raw)
      held.delete(present.raw)
    }
    superseded.delete(raw)
    rows.set(entry.id, { raw, entry })
    held.set(raw, entry)
    changed = true
  }

  /** Signs under the key in use what was signed under another: who starts when that one is gone could not read it. */
  async function signAgain(): Promise<void> {
    let signed = 0
    for (const [raw, entry] of [...held]) {
      if (raw.startsWith(`${fleet.ids[0]}.`) || !held.delete(raw)) continue
      superseded.add(raw)
      const again = signEntry(fleet, name, raw.slice(raw.indexOf(' ') + 1))
      held.set(again, entry)
      groups.get(entry.group)?.set(entry.id, { raw: again, entry })
      if (++signed % BATCH === 0) await setImmediate()
    }
  }

  function tell(): void {
    if (!changed) return
    changed = false
    options.onChange?.()
  }

  function receive(raw: string): void {
    judge(raw)
    tell()
  }

  function forgetEnded(): void {
    const time = now()
    for (const [raw, { group, id, end }] of held) {
      if (end > time) continue
      held.delete(raw)
      groups.get(group)?.delete(id)
      changed = true
    }
  }

  /** Before the first reading, so that nothing falls between the two. */
  async function listen(): Promise<void> {
    if (unsubscribe !== undefined) return
    const stop = await store.subscribe(name, receive)
    if (closed) stop()
    else unsubscribe = stop
  }

  async function lookOnce(): Promise<void> {
    // Without it the entries come with the next look.
    await listen().catch(() => undefined)
    const members = await store.indexMembers(name)
    // What another replica signed with a new fleet key looks forged until that key has come here too.
    const ids = fleet.ids.join()
    const other = ids !== judgedBy
    if (other) seen = new Set()
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
    if (other) await signAgain()
    forgetEnded()
    tell()
    reported = forged
    if (forged > forgedBefore) onEvent(`${name}_forged`, { count: forged - forgedBefore })
    if (await putBack(seen)) await takeAway()
  }

  /** A store that was restarted empty, or from an old copy, must not forget an entry. True where the store has all of them again. */
  async function putBack(present: ReadonlySet<string>): Promise<boolean> {
    let count = 0
    for (const [raw, { end }] of held) {
      if (present.has(raw)) continue
      if (++count > BATCH) return false
      if (!(await store.indexAdd(name, raw, Math.max(1, end - now()), limit))) return false
    }
    return true
  }

  /** Only where what holds instead is in the store. */
  async function takeAway(): Promise<void> {
    let count = 0
    for (const raw of superseded) {
      if (++count > BATCH) return
      await store.indexRemove(name, raw)
      superseded.delete(raw)
    }
  }

  function look(): Promise<void> {
    looking ??= lookOnce().finally(() => {
      looking = undefined
    })
    return looking
  }

  const set: Replicated<Entry> = {
    find: (group, id) => groups.get(group)?.get(id)?.entry,
    count: (group) => groups.get(group)?.size ?? 0,
    entries: () => held.values(),
    async add(text) {
      const entry = options.parse(text)
      if (entry === undefined) throw new Error(`${name}: not an entry`)
      const raw = signEntry(fleet, name, text)
      if (!(await store.indexAdd(name, raw, Math.max(1, entry.end - now()), limit))) return false
      receive(raw)
      // Who misses the message finds the entry at the next look.
      await store.publish(name, raw).catch(() => undefined)
      return true
    },
    async start() {
      timer = setInterval(() => void set.refresh(), options.pollEvery)
      timer.unref()
      await set.refresh()
    },
    refresh: () =>
      look().catch((error: unknown) => {
        // The last state holds while the store is away; its loss is reported by the store itself.
        if (!(error instanceof StoreUnavailable))
          onEvent(`${name}_not_read`, { reason: error instanceof Error ? error.name : 'unknown' })
      }),
    async sync() {
      // One that is under way may have read before.
      await looking?.catch(() => undefined)
      await look()
    },
    stats: () => ({ shared: held.size, forged, synced }),
    close() {
      closed = true
      clearInterval(timer)
      unsubscribe?.()
    },
  }
  return set
}
