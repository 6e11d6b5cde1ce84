// The store of one process: bounded, expiring, and gone with it; what replicas would share, each then has for itself.
import { type Budget, type Store, StoreUnavailable } from '../core/store.ts'
import { type Bucket, checkBudget, levelAt, milliseconds, permits, untilFull, untilOne } from './amounts.ts'
import { createChannels } from './channels.ts'
import { createExpiry } from './expiry.ts'

export interface MemoryStoreOptions {
  /** Milliseconds. */
  now(): number
  /** Values, budgets, places and members together; 100,000 where nothing is said. */
  maxEntries?: number
}

const MAX_ENTRIES = 100_000
/** Characters of all entries together. */
const MAX_TEXT = 64 * 1024 * 1024

interface Entry {
  readonly group: string
  readonly key: string
  text: string
  end: number
  slot: number
}

const VALUES = 'values'
const BUDGETS = 'budgets'
const placesOf = (key: string): string => `places:${key}`
const membersOf = (index: string): string => `index:${index}`

/** A full store refuses what is new with StoreUnavailable; nothing that has not ended is ever put out to make room. */
export function createMemoryStore({ now, maxEntries = MAX_ENTRIES }: MemoryStoreOptions): Store {
  /** By group and key; a group without entries is not there. */
  const groups = new Map<string, Map<string, Entry>>()
  const expiry = createExpiry<Entry>()
  const channels = createChannels()
  let text = 0
  let closed = false
  let operations = 0
  let failures = 0

  const unavailable = (why: string): StoreUnavailable => {
    failures++
    return new StoreUnavailable(why)
  }

  const find = (group: string, key: string): Entry | undefined => groups.get(group)?.get(key)

  const drop = (entry: Entry): void => {
    const group = groups.get(entry.group)
    group?.delete(entry.key)
    if (group?.size === 0) groups.delete(entry.group)
    expiry.remove(entry)
    text -= entry.key.length + entry.text.length
  }

  /** Begins an operation: after this, everything that is there has not ended. Returns the time. */
  const begin = (): number => {
    operations++
    if (closed) throw unavailable('the store is closed')
    const time = now()
    for (let first = expiry.first(); first !== undefined && first.end <= time; first = expiry.first())
      drop(first)
    return time
  }

  const put = (groupName: string, key: string, value: string, end: number): void => {
    const present = find(groupName, key)
    const more = value.length - (present?.text.length ?? -key.length)
    if (text + more > MAX_TEXT || (present === undefined && expiry.size() >= maxEntries))
      throw unavailable('the store is full')
    text += more
    if (present !== undefined) {
      present.text = value
      present.end = end
      expiry.moved(present)
      return
    }
    const entry: Entry = { group: groupName, key, text: value, end, slot: 0 }
    const group = groups.get(groupName)
    if (group === undefined) groups.set(groupName, new Map([[key, entry]]))
    else group.set(key, entry)
    expiry.add(entry)
  }

  const endOf = (time: number, ttl: number | undefined): number =>
    ttl === undefined ? Number.POSITIVE_INFINITY : time + milliseconds(ttl)

  const level = (key: string, budget: Budget, time: number): number => {
    const entry = find(BUDGETS, key)
    return levelAt(entry === undefined ? undefined : (JSON.parse(entry.text) as Bucket), budget, time)
  }

  const setLevel = (key: string, budget: Budget, units: number, time: number): void => {
    const bucket: Bucket = { level: units, at: time, per: budget.per }
    put(BUDGETS, key, JSON.stringify(bucket), time + untilFull(units, budget))
  }

  /** A member of a bounded group; one that is there keeps the later end. */
  const join = (groupName: string, member: string, time: number, ttl: number | undefined, limit: number) => {
    const present = find(groupName, member)
    if (present === undefined && (groups.get(groupName)?.size ?? 0) >= limit) return false
    put(groupName, member, '', Math.max(present?.end ?? 0, endOf(time, ttl)))
    return true
  }

  const leave = (groupName: string, member: string): boolean => {
    const present = find(groupName, member)
    if (present !== undefined) drop(present)
    return present !== undefined
  }

  return {
    kind: 'memory',
    async get(key) {
      begin()
      return find(VALUES, key)?.text
    },
    async setIfAbsent(key, value, ttl) {
      const time = begin()
      if (find(VALUES, key) !== undefined) return false
      put(VALUES, key, value, endOf(time, ttl))
      return true
    },
    async compareAndSwap(key, expected, next, ttl) {
      const time = begin()
      const present = find(VALUES, key)
      if (present?.text !== expected) return false
      if (next !== undefined) put(VALUES, key, next, endOf(time, ttl))
      else if (present !== undefined) drop(present)
      return true
    },
    async take(key) {
      begin()
      const present = find(VALUES, key)
      if (present !== undefined) drop(present)
      return present?.text
    },
    async lease(key, budget, want) {
      checkBudget(budget)
      const time = begin()
      const units = level(key, budget, time)
      const wanted = permits(want)
      const granted = Math.min(wanted, Math.floor(units / budget.per))
      if (granted > 0) setLevel(key, budget, units - granted * budget.per, time)
      return { granted, retryAfter: granted > 0 || wanted === 0 ? 0 : untilOne(units, budget) }
    },
    async giveBack(key, budget, count) {
      checkBudget(budget)
      const time = begin()
      const entry = find(BUDGETS, key)
      // A bucket that nobody has is full.
      if (entry === undefined) return
      const units = level(key, budget, time) + permits(count) * budget.per
      if (units >= budget.capacity * budget.per) drop(entry)
      else setLevel(key, budget, units, time)
    },
    async acquire(key, holder, limit, ttl) {
      return join(placesOf(key), holder, begin(), ttl, limit)
    },
    async release(key, holder) {
      begin()
      leave(placesOf(key), holder)
    },
    async indexAdd(index, member, ttl, limit) {
      return join(membersOf(index), member, begin(), ttl, limit)
    },
    async indexRemove(index, member) {
      begin()
      return leave(membersOf(index), member)
    },
    async indexMembers(index) {
      begin()
      return [...(groups.get(membersOf(index))?.keys() ?? [])]
    },
    async indexCount(index) {
      begin()
      return groups.get(membersOf(index))?.size ?? 0
    },
    async publish(channel, message) {
      begin()
      channels.deliver(channel, message)
    },
    async subscribe(channel, onMessage) {
      begin()
      return channels.add(channel, onMessage)
    },
    available: () => !closed,
    // It is there as long as the process is.
    onChange: () => undefined,
    stats: () => ({ operations, failures }),
    async close() {
      closed = true
    },
  }
}
