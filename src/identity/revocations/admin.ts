// Judges a request to revoke, from the administrative endpoint or the command line, and carries it out.
import { type Denial, deny } from '../../core/denials.ts'
import { parseInstant } from '../../core/instant.ts'
import { isObject, type Json } from '../../core/json.ts'
import type { Principal } from '../../core/principal.ts'
import type { RevocationKind } from '../../core/runtime.ts'
import { StoreUnavailable } from '../../core/store.ts'
import { KEY_PREFIX } from '../apikey/index.ts'
import { canonicalValue, isKind, KINDS, MAX_REVOCATIONS, MAX_UNTIL } from './entry.ts'
import type { LiveRevocations } from './index.ts'

/** What is to be revoked; `until` in milliseconds since the epoch. */
export interface Wanted {
  readonly kind: RevocationKind
  readonly value: string
  readonly until: number
}

/** The request in the form that callers are compared in, or what is wrong with it; the value is never quoted. */
export function checkWanted(
  kind: unknown,
  value: unknown,
  until: number | undefined,
  now: number,
): Wanted | string {
  if (!isKind(kind)) return `kind must be one of ${KINDS.join(', ')}`
  if (typeof value === 'string' && value.startsWith(KEY_PREFIX))
    return 'value is an API key itself; give the id of its record, and have the key replaced'
  const canonical = canonicalValue(kind, value)
  if (canonical === undefined)
    return kind === 'fingerprint'
      ? 'value must be a SHA-256 in hex'
      : 'value must be a text of 1 to 512 visible characters'
  if (until === undefined || until <= now)
    return 'until must be a time to come, in UTC, such as "2027-01-31T12:00:00Z"'
  if (until > now + MAX_UNTIL)
    return 'until lies more than 366 days ahead; what has to hold longer belongs in live/revocations.yaml'
  return { kind, value: canonical, until }
}

const MEMBERS = new Set(['kind', 'value', 'until'])

/**
 * `POST /v1/admin/revocations` with `{"kind", "value", "until"}`; all replicas know it within 5 seconds. Refusals are `admin_invalid` and
 * `store_unavailable`. The scope of the caller is for the route to check.
 */
export async function adminRevocations(
  body: Json,
  principal: Principal,
  revocations: Pick<LiveRevocations, 'revoke'>,
  now: () => number,
): Promise<Denial | { answer: Json }> {
  if (!isObject(body)) return deny('admin_invalid', 'the body must be an object with kind, value and until')
  if (Object.keys(body).some((name) => !MEMBERS.has(name)))
    return deny('admin_invalid', 'the body has other members than kind, value and until')
  const { kind, value, until } = body
  const wanted = checkWanted(kind, value, typeof until === 'string' ? parseInstant(until) : undefined, now())
  if (typeof wanted === 'string') return deny('admin_invalid', wanted)
  try {
    if ((await revocations.revoke(wanted, principal.id)) === 'full') return deny('admin_invalid', FULL)
  } catch (error) {
    if (error instanceof StoreUnavailable) return deny('store_unavailable')
    throw error
  }
  return { answer: { kind: wanted.kind, until: new Date(wanted.until).toISOString() } }
}

export const FULL = `the store holds ${MAX_REVOCATIONS} revocations and takes no more; write it in live/revocations.yaml`
