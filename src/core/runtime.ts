// What a call keeps from its first stage to its last while the files of live/ change underneath.
import type { Policy } from './policy.ts'
import type { Principal, Rate } from './principal.ts'

/** An API key as the service knows it: never the key, only its hash. */
export interface ApiKeyRecord {
  readonly id: string
  /** SHA-256 of the whole key, lower-case hex. */
  readonly sha256: string
  readonly owner: string
  readonly purpose: string
  readonly tenant: string | undefined
  readonly roles: readonly string[]
  readonly scopes: readonly string[]
  /** Only these tools, as in a policy; undefined = what the roles allow. */
  readonly tools: readonly string[] | undefined
  readonly rate: Rate | undefined
  /** Milliseconds since the epoch. */
  readonly expiresAt: number | undefined
  readonly createdAt: number | undefined
  /** Made once, when the file is read. */
  readonly principal: Principal
}

export interface ApiKeys {
  readonly size: number
  find(sha256: string): ApiKeyRecord | undefined
}

/** Quota of one kind of caller, tool or tenant; undefined = no limit of that kind. */
export interface Quota {
  readonly rate: Rate | undefined
  /** Calls at the same time. */
  readonly concurrency: number | undefined
  /** Executions in a window. */
  readonly executions: { readonly count: number; readonly window: number } | undefined
  /** Estimated tokens in a window. */
  readonly inputTokens: { readonly count: number; readonly window: number } | undefined
  readonly outputTokens: { readonly count: number; readonly window: number } | undefined
  /** Longest time of a call, in milliseconds. */
  readonly deadline: number | undefined
}

export interface LimitRules {
  readonly digest: string
  readonly principal: Quota
  /** Quota of single principals by id, in place of the default where they say something. */
  readonly principals: ReadonlyMap<string, Quota>
  /** By tool name, or `tool:module.method`. */
  readonly tools: ReadonlyMap<string, Quota>
  readonly tenant: Quota
  readonly tenants: ReadonlyMap<string, Quota>
}

/** Compiled from config.yaml and live/; replaced whole, never changed. */
export interface Runtime {
  /** Undefined = there is none, and every call is refused `policy_missing`. */
  readonly policy: Policy | undefined
  readonly apiKeys: ApiKeys
  readonly limits: LimitRules
  /** What scan made of live/scan.yaml; nobody else looks at it. Undefined = its defaults. */
  readonly scan?: unknown
}

export type RevocationKind = 'jti' | 'subject' | 'key' | 'fingerprint'

/** Read from the newest state, not from the runtime that a call began with. */
export interface Revocations {
  isRevoked(kind: RevocationKind, value: string): boolean
}
