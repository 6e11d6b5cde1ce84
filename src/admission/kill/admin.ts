// Judges what an operator asks of the kill switch: to switch something off, or on again.
import { parseInstant } from '../../core/instant.ts'
import { isObject, type Json } from '../../core/json.ts'
import { KEY_PREFIX as FOREIGN_KEY, REDACTED } from '../../core/text.ts'
import { KEY_PREFIX } from '../../identity/index.ts'
import { isKind, isKnown, isValue, KINDS, type KillKind, MAX_UNTIL, type Names } from './entry.ts'

/** What was asked; it has been checked. */
export interface Order {
  readonly action: 'off' | 'on'
  readonly kind: KillKind
  readonly value: string | undefined
  /** Milliseconds since the epoch; 0 = on from now. */
  readonly until: number
  /** For the log; a key in it is gone. */
  readonly reason: string
}

const MEMBERS = new Set(['action', 'kind', 'value', 'until', 'reason'])
/** An API key or a token that was pasted in the wrong place. */
const CREDENTIAL = new RegExp(`${KEY_PREFIX}|eyJ[A-Za-z0-9_-]{8,}\\.`)
const REASON = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]{1,512}$/u

/** The order, or what is wrong with it; nothing of the body is quoted. */
export function readOrder(body: Json, names: Names, now: number): Order | string {
  if (!isObject(body)) return 'the body must be an object with action, kind, value and reason'
  if (Object.keys(body).some((name) => !MEMBERS.has(name)))
    return 'the body has other members than action, kind, value, until and reason'
  const { action, kind, value, until, reason } = body
  if (action !== 'off' && action !== 'on') return 'action must be off or on'
  if (!isKind(kind)) return `kind must be one of ${KINDS.join(', ')}`
  if (!isValue(kind, value))
    return kind === 'everything'
      ? 'value has no place beside everything'
      : 'value must be a text of 1 to 512 visible characters'
  if (value !== undefined && CREDENTIAL.test(value))
    return 'value is a credential itself; give the id of the principal as records show it'
  if (!isKnown({ kind, value }, names)) return `value is no ${kind} of this service`
  if (typeof reason !== 'string' || !REASON.test(reason))
    return 'reason must be a text of 1 to 512 visible characters'
  const why = CREDENTIAL.test(reason) || FOREIGN_KEY.test(reason) ? REDACTED : reason
  if (action === 'on')
    return until === undefined
      ? { action, kind, value, until: 0, reason: why }
      : 'until belongs to the action off'
  const end =
    until === undefined ? now + MAX_UNTIL : typeof until === 'string' ? parseInstant(until) : undefined
  if (end === undefined || end <= now)
    return 'until must be a time to come, in UTC, such as "2027-01-31T12:00:00Z"'
  if (end > now + MAX_UNTIL)
    return 'until lies more than 366 days ahead; what has to hold longer belongs in live/kill.yaml'
  return { action, kind, value, until: end, reason: why }
}
