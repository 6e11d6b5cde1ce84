// Asks a person before a call that a rule sets under approval: one approval for one request of one caller, used once.
import type { Call, Stage } from '../../core/call.ts'
import { deny } from '../../core/denials.ts'
import type { Fleet } from '../../core/fleet.ts'
import type { Store } from '../../core/store.ts'

export interface ApprovalOptions {
  store: Store
  fleet: Fleet
  /** Origin of the approvers' page; undefined = nobody can approve. */
  peopleUrl: string | undefined
  /** Milliseconds since the epoch. */
  now(): number
  /** So many random bytes. */
  random(size: number): Buffer
  /** Fills in `call.requestDigest`. */
  digest(call: Call): void
  onEvent(name: string, fields?: Record<string, string | number>): void
}

export interface Approvals {
  readonly stage: Stage
}

export function createApprovals(_options: ApprovalOptions): Approvals {
  return {
    stage: (call: Call) => (call.policy?.approval === 'confirm' ? deny('approval_unavailable') : undefined),
  }
}
