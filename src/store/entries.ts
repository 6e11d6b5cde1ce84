// Entries that nobody but this fleet could have written, under no other key than theirs: authenticated, or sealed.
import type { Fleet } from '../core/fleet.ts'

// The length of the key comes first: no two pairs of key and value have the same text.
const bound = (key: string, value: string): string => `${key.length} ${key} ${value}`

/** What to store under `key`: `kid.mac value`, readable by everybody, written by the fleet alone. */
export const signEntry = (fleet: Fleet, key: string, value: string): string =>
  `${fleet.mac('store-auth', bound(key, value))} ${value}`

/** The value, or undefined where there is none, it was forged, or it was written under another key. For a member of an index, `key` is the index. */
export function readEntry(fleet: Fleet, key: string, raw: string | undefined): string | undefined {
  const space = raw?.indexOf(' ') ?? -1
  if (raw === undefined || space < 0) return undefined
  const value = raw.slice(space + 1)
  return fleet.verify('store-auth', bound(key, value), raw.slice(0, space)) ? value : undefined
}

/** What to store under `key` where the store may not read it. */
export const sealEntry = (fleet: Fleet, key: string, value: string): string => fleet.seal(value, key)

/** The value, or undefined as with `readEntry`. */
export const openEntry = (fleet: Fleet, key: string, raw: string | undefined): string | undefined =>
  raw === undefined ? undefined : fleet.open(raw, key)
