// What can be switched off, and how it is named in the store: tools and modules by name, callers and tenants hashed, because they may be persons (GDPR Article 5(1)(c)).
import { hash } from 'node:crypto'
import { parseInstant } from '../../core/instant.ts'
import { member } from '../../core/json.ts'

export const KINDS = ['tool', 'module', 'principal', 'tenant', 'everything'] as const

export type KillKind = (typeof KINDS)[number]

/** One thing that is off. */
export interface Kill {
  readonly kind: KillKind
  /** Name of the tool or module, id of the principal, the tenant; undefined for everything. */
  readonly value?: string | undefined
  /** Milliseconds since the epoch; undefined = until somebody switches it on. */
  readonly until?: number | undefined
}

/** Names of the tools and modules that this build has. */
export interface Names {
  readonly tools: ReadonlySet<string>
  readonly modules: ReadonlySet<string>
}

/** Things that may be off at the same time, by the file and in the store each. */
export const MAX_KILLS = 1000

/** Milliseconds; what is in the store ends by itself, so that nothing has to be kept for ever to remember that it was switched on again. */
export const MAX_UNTIL = 366 * 24 * 3_600_000

const VISIBLE = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]{1,512}$/u

export const isKind = (value: unknown): value is KillKind => (KINDS as readonly unknown[]).includes(value)

/** A value that something of this kind can have; whether there is such a tool or module is `isKnown`. */
export const isValue = (kind: KillKind, value: unknown): value is string | undefined =>
  kind === 'everything' ? value === undefined : typeof value === 'string' && VISIBLE.test(value)

/** False for a tool or module that this build does not have: to switch it off would switch off nothing. */
export const isKnown = ({ kind, value = '' }: Kill, { tools, modules }: Names): boolean =>
  kind === 'tool' ? tools.has(value) : kind === 'module' ? modules.has(value) : true

/** The name of a thing within its kind. */
export const idOf = (kind: KillKind, value: string | undefined): string =>
  value === undefined
    ? '*'
    : kind === 'principal' || kind === 'tenant'
      ? hash('sha256', value, 'base64url')
      : value

/** What can be read of a file that does not hold as a whole; an end that cannot be read is none, because such a file can only add. */
export function readableKills(unchecked: unknown): readonly Kill[] {
  const rows = member(unchecked, 'kill')
  if (!Array.isArray(rows)) return []
  const found: Kill[] = []
  for (const row of rows.slice(0, MAX_KILLS)) {
    const kind = member(row, 'kind')
    if (!isKind(kind)) continue
    const value = kind === 'everything' ? undefined : member(row, 'value')
    if (!isValue(kind, value)) continue
    const until = member(row, 'until')
    found.push({ kind, value, until: typeof until === 'string' ? parseInstant(until) : undefined })
  }
  return found
}
