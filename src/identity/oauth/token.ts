// Reads a JWT in compact form exactly (RFC 7515 3.1 and 5.2, RFC 8725): what two readers could read differently is refused. Nothing is verified here.
import { isUtf8 } from 'node:buffer'
import { type JsonObject, parseObject } from '../../core/json.ts'
import type { Reason } from './reasons.ts'

export interface UnverifiedToken {
  /** The whole token, for the signature. */
  readonly token: string
  readonly alg: string
  readonly kid: string | undefined
  /** Lower case, without `application/` (RFC 7515 4.1.9). */
  readonly typ: string | undefined
  readonly claims: JsonObject
}

// `jku`, `jwk`, `x5u` and `x5c` would let the token choose the key that judges it: known, never looked at (RFC 8725 3.8, 3.10).
// Absent on purpose: `crit`, because no extension is understood (RFC 7515 4.1.11), `b64` (RFC 7797), `zip`, and `cty` of a nested token.
const HEADER_MEMBERS = new Set(['alg', 'typ', 'kid', 'jku', 'jwk', 'x5u', 'x5c', 'x5t', 'x5t#S256'])
const MAX_KID = 256

/** The parts of the token, or why it is none. */
export function readToken(token: string): UnverifiedToken | Reason {
  const [first = '', second = '', third = '', more] = token.split('.', 4)
  if (more !== undefined) return 'form'
  const headerText = decodePart(first)
  const payloadText = decodePart(second)
  if (headerText === undefined || payloadText === undefined || !isCanonical(third)) return 'form'

  const header = parseObject(headerText)
  if (header === undefined) return 'header'
  for (const name of Object.keys(header)) if (!HEADER_MEMBERS.has(name)) return 'headerMember'
  const { alg, kid, typ } = header
  if (typeof alg !== 'string') return 'header'
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAX_KID)) return 'header'
  if (typ !== undefined && typeof typ !== 'string') return 'header'
  const claims = parseObject(payloadText)
  if (claims === undefined) return 'payload'
  return { token, alg, kid, typ: typ?.toLowerCase().replace(/^application\//, ''), claims }
}

const BASE64URL = /^[A-Za-z0-9_-]+$/

// Node decodes other alphabets, padding and stray bits too, so that one signature would fit several spellings of a token.
const isCanonical = (part: string): boolean =>
  BASE64URL.test(part) && Buffer.from(part, 'base64url').toString('base64url') === part

function decodePart(part: string): string | undefined {
  if (!isCanonical(part)) return undefined
  const bytes = Buffer.from(part, 'base64url')
  return isUtf8(bytes) ? bytes.toString() : undefined
}
