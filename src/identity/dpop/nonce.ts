// Makes and checks the nonces of DPoP proofs without keeping any: a MAC of the time window under the fleet key (RFC 9449 9).
import type { Fleet } from '../../core/fleet.ts'

/** Milliseconds; a client has to take a new nonce about this often. */
export const NONCE_WINDOW = 5 * 60_000

const windowAt = (now: number): number => Math.floor(now / NONCE_WINDOW)

export const nonceAt = (fleet: Fleet, now: number): string => fleet.mac('dpop-nonce', String(windowAt(now)))

/** The window before counts, because the nonce may just have been handed out; the one after, because the clock of another replica may be ahead. */
export function isFreshNonce(fleet: Fleet, nonce: unknown, now: number): boolean {
  if (typeof nonce !== 'string') return false
  const current = windowAt(now)
  for (const window of [current, current - 1, current + 1])
    if (fleet.verify('dpop-nonce', String(window), nonce)) return true
  return false
}
