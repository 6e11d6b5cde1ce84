// The port of all state that replicas share: small, bounded, expiring. Adapters are in src/store.

/** Thrown by every operation when the store cannot be reached in time; callers decide what that means for them. */
export class StoreUnavailable extends Error {
  override name = 'StoreUnavailable'
}

/** A budget that refills: `capacity` permits at most, `refill` of them in `per` milliseconds. */
export interface Budget {
  readonly capacity: number
  readonly refill: number
  /** Milliseconds. */
  readonly per: number
}

export interface Lease {
  /** How many of the wanted permits were given; 0 = none. */
  readonly granted: number
  /** Milliseconds until at least one more could be had; 0 where something was granted. */
  readonly retryAfter: number
}

/**
 * Keys are short strings of ours (`area:id`), values strings; every adapter adds the prefix of the release. Times are milliseconds. All
 * reject with StoreUnavailable.
 */
export interface Store {
  readonly kind: 'memory' | 'redis'
  get(key: string): Promise<string | undefined>
  /** True where the key was absent and now holds the value for `ttl`. */
  setIfAbsent(key: string, value: string, ttl: number): Promise<boolean>
  /** Replaces `expected` (undefined = absent) by `next` (undefined = delete); true where it did. `ttl` undefined keeps for ever. */
  compareAndSwap(
    key: string,
    expected: string | undefined,
    next: string | undefined,
    ttl: number | undefined,
  ): Promise<boolean>
  /** Gets and deletes in one step: of several takers one gets it. */
  take(key: string): Promise<string | undefined>
  /** Takes up to `want` permits of a shared budget. */
  lease(key: string, budget: Budget, want: number): Promise<Lease>
  /** Gives unused permits back, at most up to the capacity. */
  giveBack(key: string, budget: Budget, permits: number): Promise<void>
  /** One of `limit` places, held by `holder` until released or until `ttl` has passed; false where all are taken. Taking again renews, and never shortens. */
  acquire(key: string, holder: string, limit: number, ttl: number): Promise<boolean>
  release(key: string, holder: string): Promise<void>
  /** Members of a bounded index, each with its own end; `ttl` undefined keeps a member for ever. False where the index is full. Adding again keeps the later end. */
  indexAdd(index: string, member: string, ttl: number | undefined, limit: number): Promise<boolean>
  indexRemove(index: string, member: string): Promise<boolean>
  indexMembers(index: string): Promise<readonly string[]>
  /** As many as `indexMembers` would return; the cost does not grow with them. */
  indexCount(index: string): Promise<number>
  publish(channel: string, message: string): Promise<void>
  /** Calls back for every message from now on, also after a reconnect; messages in between are lost, so subscribers poll as well. */
  subscribe(channel: string, onMessage: (message: string) => void): Promise<() => void>
  /** False while the store cannot be reached. */
  available(): boolean
  /** Called at each change of `available`. */
  onChange(listener: (available: boolean) => void): void
  /** How many operations failed or timed out since start, for metrics. */
  stats(): { operations: number; failures: number }
  close(): Promise<void>
}
