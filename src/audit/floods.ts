// Keeps floods of refusals from filling the records: of those that a peer gets again and again before anybody is known, one is recorded and the others are counted.
import type { Call } from '../core/call.ts'
import { type DenialCode, denialRow, type StageName } from '../core/denials.ts'

/** How often a peer was refused the same way after its first time in a window; that one has a record of its own. */
export interface Refusals {
  readonly code: DenialCode
  readonly count: number
  /** Times of the first refusal, which is not counted here, and of the last one. */
  readonly from: string
  readonly to: string
  readonly peer: string
  readonly stage: StageName
}

export interface FloodOptions {
  /** Monotonic milliseconds. */
  tick(): number
  /** Milliseconds since the epoch. */
  now(): number
  /** Gets what was counted in a window that has ended. */
  report(refusals: Refusals): void
}

export interface Floods {
  /** False where the refusal of this call is only counted; to be asked once for each refused call. */
  isFirst(call: Call): boolean
  /** Counts a refusal whose own record found no room. */
  count(call: Call): void
  /** Ends the windows that are over; to be called every second or so. */
  sweep(): void
  /** Ends all windows, at drain. */
  flush(): void
}

const WINDOW = 10_000
/** Pairs of peer and code; what comes on top is counted together. */
const MAX_PAIRS = 1000
export const OTHER_PEERS = 'other'

interface Counted {
  readonly code: DenialCode
  readonly peer: string
  readonly end: number
  readonly from: number
  to: number
  count: number
}

export function createFloods({ tick, now, report }: FloodOptions): Floods {
  // In the order in which they end.
  const windows = new Map<string, Counted>()

  const end = (key: string, { code, peer, from, to, count }: Counted): void => {
    windows.delete(key)
    if (count === 0) return
    const { stage } = denialRow({ code })
    report({ code, count, from: time(from), to: time(to), peer, stage })
  }

  const endUntil = (moment: number): void => {
    for (const [key, window] of windows) {
      if (window.end > moment) return
      end(key, window)
    }
  }

  /** The window of this pair; one that begins now has counted nothing. */
  const windowOf = (code: DenialCode, peer: string): Counted => {
    endUntil(tick())
    const own = `${code} ${peer}`
    const isOther = !windows.has(own) && windows.size >= MAX_PAIRS
    const key = isOther ? code : own
    let found = windows.get(key)
    if (found === undefined) {
      const from = now()
      const counted = isOther ? OTHER_PEERS : peer
      found = { code, peer: counted, end: tick() + WINDOW, from, to: Number.NaN, count: 0 }
      windows.set(key, found)
    }
    return found
  }

  const add = (window: Counted): void => {
    window.count++
    window.to = now()
  }

  return {
    isFirst({ denial, peer }) {
      if (denial === undefined || !isFloodable(denialRow(denial).stage)) return true
      const window = windowOf(denial.code, peer)
      if (Number.isNaN(window.to)) {
        window.to = window.from
        return true
      }
      add(window)
      return false
    },
    count({ denial, peer }) {
      if (denial !== undefined) add(windowOf(denial.code, peer))
    },
    sweep: () => endUntil(tick()),
    flush: () => endUntil(Number.POSITIVE_INFINITY),
  }
}

/** Before a caller is known, a refusal costs nobody anything but us; afterwards limits hold, and every refusal counts. */
const isFloodable = (stage: StageName): boolean => stage === 'transport' || stage === 'identity'

const time = (at: number): string => new Date(at).toISOString()
