// What is kept of an approval, and what a call that asks for one is told.
import type { Effect } from '../../core/tool.ts'
import type { Requester } from './four-eyes.ts'
import type { Risk } from './risk.ts'

/** What was asked; never changes. */
export interface Asked {
  readonly id: string
  readonly requester: Requester
  readonly tenant: string | undefined
  readonly tool: string
  readonly module: string | undefined
  readonly method: string | undefined
  readonly effect: Effect
  /** Keys of the sentences in RISKS. */
  readonly risks: readonly Risk[]
  /** Of the Ductape key with which the call is made, which the digest covers too. */
  readonly credentialId: string | undefined
  readonly requestDigest: string
  /** Name of the rule that demands it, such as `role/allow/3`, and its digest. */
  readonly rule: string
  readonly ruleDigest: string
  /** Milliseconds since the epoch. */
  readonly askedAt: number
  readonly expiresAt: number
}

/** What a person has decided. */
export interface Decided {
  readonly state: 'approved' | 'denied'
  /** Id of the principal. */
  readonly approver: string
  /** Visible text on one line. */
  readonly reason: string | undefined
}

export type ApprovalState = 'pending' | Decided['state']

/** What a call that needs an approval is told; `approved` has used it up. */
export type Claim =
  | ({ readonly id: string; readonly expiresAt: number } & Decided)
  | { readonly state: 'pending'; readonly id: string; readonly expiresAt: number; readonly isNew: boolean }
  | { readonly state: 'backlog'; readonly whose: string }
  | { readonly state: 'too_large' }

/** An approval as it was found, with the place that holds it. */
export interface Found {
  readonly asked: Asked
  readonly slot: string
  readonly raw: string
  readonly state: ApprovalState
  /** Canonical JSON; undefined once it is decided. */
  readonly arguments: string | undefined
}
