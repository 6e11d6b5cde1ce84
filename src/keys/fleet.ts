// Derives the symmetric keys from the fleet key: MACs, and sealing with AES-256-GCM (RFC 5869, RFC 2104, NIST SP 800-38D).
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto'
import type { Fleet, FleetUse, MacUse } from '../core/fleet.ts'
import { prepareHmac } from './hmac.ts'

export interface FleetKey {
  /** 1 to 16 of a-z and 0-9. */
  readonly id: string
  /** At least 32 bytes of randomness. */
  readonly secret: Buffer
}

/** The first one is in use, all are accepted. */
export type FleetKeys = readonly [FleetKey, ...FleetKey[]]

const IV = 12
const TAG = 16
const CIPHER = 'aes-256-gcm'

interface Derived {
  readonly id: string
  readonly seal: KeyObject
  readonly mac: Readonly<Record<MacUse, (text: string) => string>>
}

function derive({ id, secret }: FleetKey): Derived {
  // No salt: the secret is random already, and replicas share nothing else (RFC 5869 3.1, 3.3).
  const keyFor = (use: FleetUse): Buffer =>
    Buffer.from(hkdfSync('sha256', secret, '', `ductape-mcp/1/${use}`, 32))
  const macFor = (use: FleetUse) => prepareHmac(keyFor(use))
  return {
    id,
    seal: createSecretKey(keyFor('seal')),
    mac: {
      'credential-id': macFor('credential-id'),
      'request-digest': macFor('request-digest'),
      'store-auth': macFor('store-auth'),
      'dpop-nonce': macFor('dpop-nonce'),
      'replay-id': macFor('replay-id'),
    },
  }
}

export function createFleet(keys: FleetKeys, shared: boolean): Fleet {
  const first = derive(keys[0])
  const all = [first, ...keys.slice(1).map(derive)]
  const macWith = (key: Derived, use: MacUse, text: string): string => `${key.id}.${key.mac[use](text)}`
  const keyOf = (value: string): Derived | undefined => {
    const end = value.indexOf('.')
    const id = value.slice(0, Math.max(end, 0))
    return all.find((key) => key.id === id)
  }

  return {
    shared,
    ids: all.map((key) => key.id),
    mac: (use, text) => macWith(first, use, text),
    macUnder(id, use, text) {
      const key = all.find((one) => one.id === id)
      if (key === undefined) throw new Error('the fleet has no key of this id')
      return macWith(key, use, text)
    },
    verify(use, text, value) {
      const key = keyOf(value)
      if (key === undefined) return false
      const expected = Buffer.from(macWith(key, use, text))
      const given = Buffer.from(value)
      return expected.length === given.length && timingSafeEqual(expected, given)
    },
    seal(text, context) {
      // No port for this randomness: an IV that somebody could choose would break the cipher (SP 800-38D 8).
      const iv = randomBytes(IV)
      const cipher = createCipheriv(CIPHER, first.seal, iv, { authTagLength: TAG })
      cipher.setAAD(Buffer.from(context))
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return `${first.id}.${Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64url')}`
    },
    open(value, context) {
      const key = keyOf(value)
      if (key === undefined) return undefined
      const encoded = value.slice(key.id.length + 1)
      const bytes = Buffer.from(encoded, 'base64url')
      // The decoder skips what is not base64url: one sealed text must not have several spellings.
      if (bytes.length < IV + TAG || bytes.toString('base64url') !== encoded) return undefined
      const decipher = createDecipheriv(CIPHER, key.seal, bytes.subarray(0, IV), { authTagLength: TAG })
      decipher.setAAD(Buffer.from(context))
      decipher.setAuthTag(bytes.subarray(IV, IV + TAG))
      try {
        return Buffer.concat([decipher.update(bytes.subarray(IV + TAG)), decipher.final()]).toString('utf8')
      } catch {
        return undefined
      }
    },
  }
}
