// Reads the file of fleet keys: one key a line, `id base64`, comments with `#`; the first is in use, all are accepted.
import type { FleetKey, FleetKeys } from './fleet.ts'

/** A message names lines and ids, never a key. */
export type FleetFile =
  | { readonly ok: true; readonly keys: FleetKeys }
  | { readonly ok: false; readonly message: string }

/** Id of the key made at boot; no key of a file may have it. */
export const BOOT_ID = 'boot'

const MAX_CHARACTERS = 16 * 1024
const MAX_KEYS = 16
const MIN_BYTES = 32
const MAX_BYTES = 512
const ID = /^[a-z0-9]{1,16}$/
/** 32 random bytes have about 30 different values; fewer than this has a typed or made-up text. */
const MIN_DIFFERENT = 16

const bad = (message: string): FleetFile => ({ ok: false, message })

export function loadFleet(text: string): FleetFile {
  if (text.length > MAX_CHARACTERS) return bad(`is larger than ${MAX_CHARACTERS / 1024} KiB`)
  const keys: FleetKey[] = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const words = line.replace(/#.*$/, '').trim()
    if (words === '') continue
    const read = readKey(words)
    if (typeof read === 'string') return bad(`line ${index + 1}: ${read}`)
    if (keys.length === MAX_KEYS) return bad(`has more than ${MAX_KEYS} keys`)
    for (const key of keys) {
      if (key.id === read.id) return bad(`line ${index + 1}: the id ${read.id} stands twice`)
      if (key.secret.equals(read.secret))
        return bad(`line ${index + 1}: ${read.id} is the same key as ${key.id}`)
    }
    keys.push(read)
  }
  const [first, ...rest] = keys
  return first === undefined ? bad('holds no key') : { ok: true, keys: [first, ...rest] }
}

/** A key, or what is wrong with the line. */
function readKey(words: string): FleetKey | string {
  const [id = '', encoded, ...more] = words.split(/\s+/)
  if (encoded === undefined || more.length > 0) return 'is not of the form "k1 BASE64"'
  if (!ID.test(id)) return 'the id must have 1 to 16 characters of a-z and 0-9'
  if (id === BOOT_ID) return `the id ${BOOT_ID} is taken by the key that is made without a file`
  const secret = decode(encoded)
  if (secret === undefined) return `the key ${id} is not base64`
  if (secret.length < MIN_BYTES || secret.length > MAX_BYTES)
    return `the key ${id} must have ${MIN_BYTES} to ${MAX_BYTES} bytes; "openssl rand -base64 32" makes one`
  if (new Set(secret).size < MIN_DIFFERENT)
    return `the key ${id} is not random; "openssl rand -base64 32" makes one`
  return { id, secret }
}

/** Base64 in either alphabet (RFC 4648 4, 5), because openssl writes the one and Kubernetes tools the other. */
function decode(encoded: string): Buffer | undefined {
  const plain = encoded
    .replace(/={1,2}$/, '')
    .replaceAll('+', '-')
    .replaceAll('/', '_')
  const bytes = Buffer.from(plain, 'base64url')
  return bytes.toString('base64url') === plain ? bytes : undefined
}

/** A sentence for the log where others on the machine may read the file; `mode` as stat gives it. */
export function modeWarning(mode: number): string | undefined {
  return (mode & 0o007) === 0
    ? undefined
    : 'can be read or written by every user of the machine; give it mode 0600 or 0440'
}
