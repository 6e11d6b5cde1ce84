// Replicas on one store, and a clock that stands until it is moved.
import { createHash } from 'node:crypto'
import type { Fleet } from '../../../src/core/fleet.ts'
import { type Store, StoreUnavailable } from '../../../src/core/store.ts'
import { INDEX } from '../../../src/identity/revocations/entry.ts'
import {
  checkWanted,
  createRevocations,
  type LiveRevocations,
  type Wanted,
} from '../../../src/identity/revocations/index.ts'
import { createFleet } from '../../../src/keys/index.ts'
import { createMemoryStore, signEntry } from '../../../src/store/index.ts'

export const NOW = Date.UTC(2027, 0, 15, 12)
export const HOUR = 3_600_000

export const fleetOf = (name: string): Fleet =>
  createFleet([{ id: 'k1', secret: createHash('sha256').update(name).digest() }], true)

export const FLEET = fleetOf('test')

export interface World {
  store: Store
  events: string[]
  /** Moves the clock. */
  at(time: number): void
  now(): number
  replica(over?: { store?: Store; fleet?: Fleet }): LiveRevocations
}

export function world(): World {
  let time = NOW
  const now = (): number => time
  const store = createMemoryStore({ now })
  const events: string[] = []
  return {
    store,
    events,
    now,
    at: (next) => {
      time = next
    },
    replica: (over = {}) =>
      createRevocations({
        store: over.store ?? store,
        fleet: over.fleet ?? FLEET,
        now,
        onEvent: (name, fields) => events.push(`${name} ${JSON.stringify(fields)}`),
        pollEvery: 2000,
      }),
  }
}

export function wanted(kind: string, value: string, until = NOW + HOUR, now = NOW): Wanted {
  const checked = checkWanted(kind, value, until, now)
  if (typeof checked === 'string') throw new Error(checked)
  return checked
}

/** So many entries, of jti, as another replica has signed them. */
export async function fill(store: Store, count: number): Promise<void> {
  for (let i = 0; i < count; i++)
    await store.indexAdd(
      INDEX,
      signEntry(FLEET, INDEX, `jti ${String(i).padStart(43, 'x')} ${NOW + HOUR}`),
      HOUR,
      count,
    )
}

/** How often others had their turn meanwhile. */
export async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0
  let done = false
  const turn = (): void => {
    turns++
    if (!done) setImmediate(turn)
  }
  setImmediate(turn)
  await work()
  done = true
  return turns
}

/** A store of which the test can take parts away. */
export function breakable(store: Store): Store & { broken: Set<string> } {
  const broken = new Set<string>()
  return new Proxy(Object.assign({ ...store }, { broken }), {
    get(target, name) {
      const member = target[name as keyof typeof target]
      return broken.has(String(name)) ? () => Promise.reject(new StoreUnavailable()) : member
    },
  })
}
