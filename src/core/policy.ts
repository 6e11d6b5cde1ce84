// The vocabulary of policy: what is asked and what is decided. The engine is in src/admission/policy.
import type { GuardRules } from './guards.ts'
import type { Json } from './json.ts'
import type { Principal } from './principal.ts'
import type { Effect } from './tool.ts'

/**
 * What a call aims at. A list holds every value the call names, since one call may name several; `unknown` = the call may have one that
 * the service cannot see (an allow rule then does not match, a deny rule does); an empty list = it has none.
 */
export type Target = readonly string[] | 'unknown'

/** One question to the policy; values come from the catalogue and the checked arguments. */
export interface PolicyQuestion {
  readonly principal: Principal
  readonly tool: string
  readonly module: string | undefined
  readonly method: string | undefined
  readonly effect: Effect
  /** The catalogue's effect, where arguments have raised it. */
  readonly base?: Effect | undefined
  readonly env: Target
  readonly product: Target
  readonly path: Target
  /** Fleet HMAC of the presented or injected key. */
  readonly credentialId: string | undefined
  /** Arguments without credentials, for conditions; `size` in bytes of JSON: over 64 KiB they are not offered. */
  readonly args: Json
  readonly size: number
}

export type Approval = 'none' | 'notify' | 'confirm' | 'block'

/** How much of a call's arguments its record shows, each more than the one before (docs/reference/evidence.md). */
export const CAPTURES = ['digest', 'shape', 'safe-fields', 'redacted'] as const
export type Capture = (typeof CAPTURES)[number]

/** Where no rule says anything else. */
export const DEFAULT_CAPTURE: Capture = 'safe-fields'

/** Why a call was refused; only `role` and `rule` can be relaxed by `observe`. */
export type PolicyRefusal =
  /** No role of the caller allows it: no role, unknown role, or no rule that matches. */
  | 'role'
  /** A deny rule matched. */
  | 'rule'
  /** A condition could not be evaluated. */
  | 'error'

export interface PolicyDecision {
  readonly allowed: boolean
  readonly refusal: PolicyRefusal | undefined
  /** `role/allow/3`, or the rule's own name: what `policy explain` and the record show. */
  readonly rule: string | undefined
  readonly approval: Approval
  /** SHA-256 of the rule that asks for the approval, as the file has it, lower-case hex: what an approval is bound to. It is that of `rule` but where the policy observes. */
  readonly ruleDigest: string | undefined
  /** Allowed only because the policy observes. */
  readonly wouldDeny: boolean
  /** What the rule that decides wants in the record. */
  readonly record: Capture
}

/** A compiled policy; immutable. */
export interface Policy {
  /** SHA-256 of the file's bytes, lower-case hex. */
  readonly digest: string
  readonly mode: 'enforce' | 'observe'
  decide(question: PolicyQuestion): PolicyDecision
  /** True where some call of this tool could be allowed to the caller, scopes aside: the predicate of every listing. */
  mayUse(principal: Principal, tool: string): boolean
  /** Tool to executions of one caller in a window (`max_executions_per_session` of seed 004). */
  readonly executionCaps: ReadonlyMap<string, number>
  /** Milliseconds that an approval lasts, from the question to the call. */
  readonly approvalExpiry: number
  /** Names of the credential ids that rules mention. */
  readonly credentialIds: readonly string[]
  readonly roles: readonly string[]
  /** What the stage `guards` goes by. */
  readonly guards: GuardRules
}
