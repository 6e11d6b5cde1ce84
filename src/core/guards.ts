// What the guards section of a policy says, compiled: settings, and the calls and arguments that they hold for. The guards are in src/admission/guards.
import type { Operation } from './tool.ts'

export interface SqlGuard {
  /** What happens to a text that is not shown to only read: policy judges it as destructive, or it is refused. */
  readonly unproven: 'policy' | 'refuse'
  readonly union: boolean
}

export interface CypherGuard {
  readonly allow: 'reads' | 'any'
}

export interface PathGuard {
  /** May begin with a slash. */
  readonly absolute: boolean
  /** May hold characters that mean something to a shell. */
  readonly metacharacters: boolean
}

export interface UrlGuard {
  readonly schemes: ReadonlySet<string>
  allowsHost(host: string): boolean
  /** The operator has written this very host, so it may be private. */
  namesHost(host: string): boolean
}

export interface SecretGuard {
  readonly allow: boolean
}

export interface GuardRule<Settings> {
  /** `maybe`: what the call aims at cannot be seen, or is only in part what the rule names. */
  holds(operation: Operation): 'yes' | 'maybe' | 'no'
  /** Further arguments, as the steps of JSON pointers; `*` = each element. */
  readonly also: readonly (readonly string[])[]
  readonly settings: Settings
}

/** The first rule that holds decides; the last one of each list holds for every call and has the defaults. */
export interface GuardRules {
  readonly sql: readonly GuardRule<SqlGuard>[]
  readonly cypher: readonly GuardRule<CypherGuard>[]
  readonly path: readonly GuardRule<PathGuard>[]
  readonly url: readonly GuardRule<UrlGuard>[]
  readonly secrets: readonly GuardRule<SecretGuard>[]
  /** Some rule names further arguments. */
  readonly further: boolean
}
