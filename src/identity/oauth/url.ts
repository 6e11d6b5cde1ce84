// Which URLs an issuer and its documents may have: https, or plain http on loopback for development (RFC 8414 2 and 6.2).
import { isLoopback } from '../../core/loopback.ts'

/** True for an https URL, or an http URL on loopback, without user name, password and fragment. */
export function isSafeUrl(text: string): boolean {
  if (!/^https?:\/\/[\x21-\x7e]+$/.test(text) || text.includes('#') || !URL.canParse(text)) return false
  const { protocol, hostname, username, password } = new URL(text)
  if (username !== '' || password !== '') return false
  return protocol === 'https:' || isLoopback(hostname)
}

/**
 * An issuer identifier has no query either (RFC 8414 2), and no "|", which no URL has (RFC 3986 2) and which parts issuer and subject in the
 * id of a caller. It is compared as it is written, never normalized.
 */
export const isIssuer = (text: string): boolean => isSafeUrl(text) && !/[?|]/.test(text)
