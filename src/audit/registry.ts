// Each chain is entered in the shared store, and names those it finds there: a whole start that is missing from the log then shows.
import type { Fleet } from '../core/fleet.ts'
import { type Store, StoreUnavailable } from '../core/store.ts'
import { readEntry, signEntry } from '../store/index.ts'

const INDEX = 'chains'
const TTL = 30 * 24 * 3_600_000
const CHAIN = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/
/** Members that are looked at; more than one start enters them only where somebody else writes to the store. */
const MAX_MEMBERS = 4096
/** Chains that a record names at most (docs/reference/evidence.md). */
export const MAX_REGISTERED = 256

/** Enters the chain; the ids of the others that this fleet has entered, the newest at most. A store that is not there enters and names nothing. */
export async function registerChain(
  { store, fleet }: { store: Store; fleet: Fleet },
  chain: string,
): Promise<readonly string[]> {
  if (store.kind === 'memory') return []
  try {
    const found = new Map<string, string>()
    for (const raw of (await store.indexMembers(INDEX)).slice(0, MAX_MEMBERS)) {
      const id = readEntry(fleet, INDEX, raw)
      if (id !== undefined && CHAIN.test(id)) found.set(id, raw)
    }
    // A UUIDv7 begins with its time; the oldest make room.
    const ids = [...found.keys()].sort()
    for (const id of ids.slice(0, Math.max(0, ids.length - MAX_REGISTERED + 1)))
      await store.indexRemove(INDEX, found.get(id) as string)
    await store.indexAdd(INDEX, signEntry(fleet, INDEX, chain), TTL, MAX_MEMBERS)
    return ids.slice(-MAX_REGISTERED)
  } catch (error) {
    if (error instanceof StoreUnavailable) return []
    throw error
  }
}
