// A budget in a fixed window that replicas share: one key in the store, changed by compare-and-swap.
import type { Store } from '../../core/store.ts'
import type { WindowBudget } from './meter.ts'

/** Each lost race means that another replica got on; so many in a row are rarer than a lost store. */
const ATTEMPTS = 16

export interface WindowLease {
  readonly granted: number
  /** Milliseconds since the epoch at which the window opened: names it. */
  readonly start: number
  /** Milliseconds until it closes. */
  readonly left: number
}

interface State {
  readonly start: number
  readonly used: number
}

/** Takes up to `want` of the budget; `now` in milliseconds since the epoch. Rejects where the store cannot be reached. */
export async function leaseWindow(
  store: Store,
  key: string,
  budget: WindowBudget,
  want: number,
  now: number,
): Promise<WindowLease> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const raw = await store.get(key)
    const { start, used } = read(raw, budget, now)
    // A replica whose clock is ahead must not make the window longer.
    const left = Math.min(budget.window, start + budget.window - now)
    const granted = Math.max(0, Math.min(want, budget.count - used))
    if (granted === 0) return { granted, start, left }
    if (await store.compareAndSwap(key, raw, `${start} ${used + granted}`, left))
      return { granted, start, left }
  }
  return { granted: 0, start: now, left: 1 }
}

/** Gives permits back, if the window that they were taken from is still open. */
export async function giveBackWindow(
  store: Store,
  key: string,
  budget: WindowBudget,
  lease: { readonly start: number; readonly permits: number },
  now: number,
): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const raw = await store.get(key)
    const { start, used } = read(raw, budget, now)
    if (raw === undefined || start !== lease.start) return
    const next = `${start} ${Math.max(0, used - lease.permits)}`
    if (await store.compareAndSwap(key, raw, next, Math.min(budget.window, start + budget.window - now)))
      return
  }
}

function read(raw: string | undefined, { count, window }: WindowBudget, now: number): State {
  const match = /^(\d{1,15}) (\d{1,15})$/.exec(raw ?? `${now} 0`)
  // Not written by this service: as good as used up, until the key ends.
  if (match === null) return { start: now, used: count }
  const start = Number(match[1])
  return start + window <= now ? { start: now, used: 0 } : { start, used: Number(match[2]) }
}
