// The fleet key: one list of secrets from which all symmetric keys are derived (design.md 5, "Keys and digests"); made in src/keys.

/** What a derived key is for; the label separates the uses (RFC 5869 3.2). */
export type FleetUse = MacUse | 'seal'
export type MacUse = 'credential-id' | 'request-digest' | 'store-auth' | 'dpop-nonce' | 'replay-id'

export interface Fleet {
  /** False where the key was made at boot: what it names means nothing to another replica or after a restart. */
  readonly shared: boolean
  /** Ids of the keys, the one in use first. */
  readonly ids: readonly string[]
  /** `kid.base64url(HMAC-SHA-256)` under the first key. */
  mac(use: MacUse, text: string): string
  /** The same under the key of this id, one of `ids`: names that have to stay the same over a rotation. */
  macUnder(id: string, use: MacUse, text: string): string
  /** True where `mac` of any key of the list gives this value. Constant time. */
  verify(use: MacUse, text: string, value: string): boolean
  /** AES-256-GCM under the first key, bound to `context`: `kid.base64url(iv|tag|ciphertext)`. */
  seal(text: string, context: string): string
  /** The text, or undefined where value, key or context do not fit. */
  open(value: string, context: string): string | undefined
}
