// Seals what a 2026-07-28 client carries between its calls: it shows that the repeated call is the one that was asked for, and gives no right (mcp.md 1, requestState).
import type { Call } from '../../core/call.ts'
import type { Fleet } from '../../core/fleet.ts'

/** Of its own; a client sends back what it was given, byte for byte. */
const MAX_STATE = 2048
const CONTEXT = 'approval-state tools/call'

const contentOf = ({ principal, requestDigest }: Call): readonly (string | null)[] => [
  principal.tenant ?? null,
  principal.id,
  requestDigest ?? null,
]

/** `expiresAt` in milliseconds since the epoch. */
export const sealState = (fleet: Fleet, call: Call, expiresAt: number): string =>
  fleet.seal(JSON.stringify([...contentOf(call), expiresAt]), CONTEXT)

/**
 * False where the state was not made for this call. One that has expired, or names the request by an older fleet key, says nothing: the
 * call is then asked for anew.
 */
export function isOfThisCall(fleet: Fleet, call: Call, state: string, now: number): boolean {
  const text = state.length > MAX_STATE ? undefined : fleet.open(state, CONTEXT)
  if (text === undefined) return false
  const [tenant, principal, digest, expiresAt] = JSON.parse(text) as [string | null, string, string, number]
  const [ownTenant, ownPrincipal, ownDigest] = contentOf(call)
  if (tenant !== ownTenant || principal !== ownPrincipal) return false
  if (expiresAt <= now) return true
  return digest === ownDigest || keyOf(digest) !== keyOf(ownDigest ?? '')
}

/** Digests begin with the id of their key. */
const keyOf = (digest: string): string => digest.slice(0, digest.indexOf('.'))
