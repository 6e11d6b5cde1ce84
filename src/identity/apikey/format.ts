// The form of an API key: a prefix that secret scanners know, 32 random bytes, and a checksum that tells a key from a lookalike without asking anybody.
import { hash } from 'node:crypto'

export const KEY_PREFIX = 'dmcp_'

/** For secret scanners: `dmcp_`, 43 characters of randomness, 6 of the CRC-32 of what stands before them. */
export const KEY_PATTERN = /^dmcp_[0-9A-Za-z]{49}$/

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** 62^43 is just over 2^256. */
const SECRET_LENGTH = 43
/** 62^6 is over 2^32. */
const CHECKSUM_LENGTH = 6
export const SECRET_BYTES = 32

/** @param random 32 bytes of randomness */
export function makeKey(random: Buffer): string {
  if (random.length !== SECRET_BYTES) throw new RangeError(`a key is made of ${SECRET_BYTES} bytes`)
  const body = KEY_PREFIX + base62(BigInt(`0x${random.toString('hex')}`), SECRET_LENGTH)
  return body + checksum(body)
}

/** True where form and checksum are those of a key; says nothing about whether it exists. */
export function isWellFormed(key: string): boolean {
  if (!KEY_PATTERN.test(key)) return false
  const end = key.length - CHECKSUM_LENGTH
  return checksum(key.slice(0, end)) === key.slice(end)
}

/** SHA-256, lower-case hex: all that is ever kept of a key. */
export const hashKey = (key: string): string => hash('sha256', key, 'hex')

function checksum(text: string): string {
  // Taken when it is needed: Node reads sixteen modules for node:zlib, which a start without API keys can do without.
  let value = process.getBuiltinModule('node:zlib').crc32(text)
  let out = ''
  for (let i = 0; i < CHECKSUM_LENGTH; i++) {
    out = ALPHABET.charAt(value % 62) + out
    value = Math.floor(value / 62)
  }
  return out
}

function base62(value: bigint, length: number): string {
  let out = ''
  let rest = value
  for (let i = 0; i < length; i++) {
    out = ALPHABET.charAt(Number(rest % 62n)) + out
    rest /= 62n
  }
  return out
}
