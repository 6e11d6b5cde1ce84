// This replica's dealings with the shared store: whether it can be reached, whose permits it holds here, and when they are seen to.
import type { Store } from '../../core/store.ts'

/** After a failure the store is left alone for so long, so that calls do not wait for one deadline after the other. */
const RETRY_AFTER = 1000
/** Meters that are seen to in one round, so that a round after an outage is no flood. */
const ROUND = 1000

/** Holds something of the store's: permits, places or a debt. */
export interface Holder {
  /** Gives back what is idle, renews and pays; `all` = everything, because the replica ends. */
  tend(tick: number, all: boolean): Promise<void>
}

export interface Replica {
  readonly store: Store
  /** Unique among replicas and starts. */
  readonly instance: string
  readonly maxReplicas: number
  tick(): number
  now(): number
  isReachable(tick: number): boolean
  /** Told after every operation, so that a loss is noticed once and so is its end. */
  succeeded(): void
  failed(error: unknown, tick: number): void
  readonly holders: Set<Holder>
  tend(tick: number, all: boolean): Promise<void>
}

export type LimitsEvent = 'limits_store_lost' | 'limits_store_back' | 'limits_full'

export interface ReplicaOptions {
  store: Store
  instance: string
  maxReplicas: number
  tick(): number
  now(): number
  onEvent(event: LimitsEvent, fields: Readonly<Record<string, string | number>>): void
}

export function createReplica(options: ReplicaOptions): Replica {
  const { store, onEvent } = options
  const holders = new Set<Holder>()
  let lost = false
  let askAgain = Number.NEGATIVE_INFINITY
  const lose = (reason: string): void => {
    if (!lost) onEvent('limits_store_lost', { reason })
    lost = true
  }
  return {
    store,
    instance: options.instance,
    maxReplicas: options.maxReplicas,
    tick: options.tick,
    now: options.now,
    holders,
    isReachable(tick) {
      if (tick < askAgain) return false
      if (store.available()) return true
      lose('offline')
      return false
    },
    succeeded() {
      if (lost) onEvent('limits_store_back', {})
      lost = false
    },
    failed(error, tick) {
      askAgain = tick + RETRY_AFTER
      lose(error instanceof Error ? error.name : 'unknown')
    },
    async tend(tick, all) {
      const work: Promise<void>[] = []
      let left = all ? holders.size : Math.min(holders.size, ROUND)
      for (const holder of holders) {
        if (left-- === 0) break
        // To the end of the set, so that the next round begins with those that this one does not reach.
        holders.delete(holder)
        holders.add(holder)
        work.push(holder.tend(tick, all))
      }
      await Promise.all(work)
    },
  }
}
