// The emergency brake: what an operator has switched off is refused, by every replica, until it is switched on again.
import type { Call } from '../../core/call.ts'
import type { Fleet } from '../../core/fleet.ts'
import type { Store } from '../../core/store.ts'

export interface KillOptions {
  store: Store
  fleet: Fleet
  /** Milliseconds since the epoch. */
  now(): number
  /** Milliseconds between two looks at the store. */
  pollEvery: number
  onEvent(name: string, fields?: Record<string, string | number>): void
}

export interface KillSwitch {
  /** What of this call is switched off, in words of ours that fill the sentence of `killed`; undefined = nothing. */
  killed(call: Pick<Call, 'toolName' | 'module' | 'principal'>): string | undefined
  close(): void
}

export function createKillSwitch(_options: KillOptions): KillSwitch {
  return { killed: () => undefined, close: () => undefined }
}
