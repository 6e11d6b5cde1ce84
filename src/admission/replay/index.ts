// Sees to it that a call with an idempotency key has its effect once: a repetition gets the stored answer, or a refusal.
import type { Call, Stage } from '../../core/call.ts'
import type { Fleet } from '../../core/fleet.ts'
import type { Store } from '../../core/store.ts'

export interface ReplayOptions {
  store: Store
  fleet: Fleet
  /** Fills in `call.requestDigest`. */
  digest(call: Call): void
  onEvent(name: string, fields?: Record<string, string | number>): void
}

export interface Replay {
  /** Ends the call with the stored answer (`call.result`, `call.replayOf`), or with a refusal. */
  readonly stage: Stage
  /** Keeps the answer of a call that the stage let through, before it is given; never rejects. */
  settle(call: Call): Promise<void> | undefined
}

export function createReplay(_options: ReplayOptions): Replay {
  return { stage: () => undefined, settle: () => undefined }
}
