// Names the entry of a call with an idempotency key: a keyed hash over the caller, so that nobody else can come upon it.
import type { Call } from '../../core/call.ts'
import type { Fleet } from '../../core/fleet.ts'

export interface NameParts {
  fleet: Pick<Fleet, 'ids' | 'macUnder'>
  /** The Ductape key that goes with the call; undefined where there is none. */
  keyOf(call: Call): string | undefined
}

/**
 * One name for each fleet key that is accepted, in the order of their ids. A call takes all of them: while a key is being rotated replicas
 * have different lists, and any key that two of them share keeps the second from executing what the first one does. The same order
 * everywhere keeps two calls from each taking what the other one lacks.
 */
export function prepareNames({ fleet, keyOf }: NameParts): (call: Call, idempotencyKey: string) => string[] {
  /** `call.credentialId` as it would be under this fleet key. */
  const credentialId = (call: Call, id: string): string | null => {
    const { credentialId: own } = call
    if (own === undefined) return null
    if (own.startsWith(`${id}.`)) return own
    const key = keyOf(call)
    return key === undefined ? own : fleet.macUnder(id, 'credential-id', key)
  }
  return (call, idempotencyKey) => {
    const { tenant = null, id: principal } = call.principal
    return fleet.ids
      .toSorted()
      .map((id) =>
        fleet.macUnder(
          id,
          'replay-id',
          JSON.stringify([tenant, principal, credentialId(call, id), call.toolName, idempotencyKey]),
        ),
      )
  }
}
