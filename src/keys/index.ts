// The fleet key as the service holds it: from its file or made at boot, replaced when the file changes, and the ids it gives to Ductape keys.
import { hash } from 'node:crypto'
import { setBounded } from '../core/bounded.ts'
import type { Fleet } from '../core/fleet.ts'
import { createFleet, type FleetKeys } from './fleet.ts'
import { BOOT_ID, loadFleet } from './fleet-file.ts'

export { createFleet, type FleetKey, type FleetKeys } from './fleet.ts'
export { loadFleet, modeWarning } from './fleet-file.ts'

/** Keys for a service without a file: what they name means nothing to another replica or after a restart. */
export function bootKeys(random: (bytes: number) => Buffer): FleetKeys {
  return [{ id: BOOT_ID, secret: random(32) }]
}

export interface FleetHolder {
  /** One object for the life of the service; it works with the newest good keys. */
  readonly fleet: Fleet
  /** Takes the changed text of the file, or keeps what it has and says what is wrong; undefined = the file is gone. */
  reload(text: string | undefined): string | undefined
}

export function createFleetHolder(initial: FleetKeys, shared: boolean): FleetHolder {
  let keys = initial
  let current = createFleet(keys, shared)
  return {
    fleet: {
      shared,
      get ids() {
        return current.ids
      },
      mac: (use, text) => current.mac(use, text),
      macUnder: (id, use, text) => current.macUnder(id, use, text),
      verify: (use, text, value) => current.verify(use, text, value),
      seal: (text, context) => current.seal(text, context),
      open: (value, context) => current.open(value, context),
    },
    reload(text) {
      if (text === undefined) return 'is gone or cannot be read'
      const file = loadFleet(text)
      if (!file.ok) return file.message
      // Values carry the id alone: under an id that changed its key all of them would silently be forged ones.
      const changed = file.keys.find((key) =>
        keys.some((old) => old.id === key.id && !old.secret.equals(key.secret)),
      )
      if (changed !== undefined) return `the key ${changed.id} has changed; give a new key a new id`
      keys = file.keys
      current = createFleet(keys, shared)
      return undefined
    },
  }
}

/** What records, policies and limits know a Ductape key by: `kid.base64url(HMAC-SHA-256)` under the fleet key in use. */
export const credentialId = (fleet: Fleet, key: string): string => fleet.mac('credential-id', key)

const MAX_REMEMBERED = 10_000

/**
 * The same for every call. Known keys cost about 0.5 us instead of 1.8 us. They are remembered by their SHA-256, because the service keeps
 * no key of a caller; the oldest is forgotten at `limit`, and all of them when another fleet key comes into use.
 */
export function prepareCredentialId(fleet: Fleet, limit = MAX_REMEMBERED): (key: string) => string {
  const remembered = new Map<string, string>()
  let kid = fleet.ids[0]
  return (key) => {
    const now = fleet.ids[0]
    if (now !== kid) {
      remembered.clear()
      kid = now
    }
    const digest = hash('sha256', key, 'base64url')
    const known = remembered.get(digest)
    if (known !== undefined) return known
    const id = credentialId(fleet, key)
    setBounded(remembered, digest, id, limit)
    return id
  }
}
