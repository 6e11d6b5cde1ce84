// HMAC-SHA-256 of many short texts under one key (RFC 2104): two hashes, where createHmac makes a native object for each text.
import { createHmac, createSecretKey, hash } from 'node:crypto'

/** Bytes of a block and of a digest of SHA-256. */
const BLOCK = 64
const DIGEST = 32
/** A text of this length fits, whatever its characters are. */
const SHORT = 8192
const scratch = Buffer.allocUnsafeSlow(BLOCK + SHORT * 3)

/** Base64url of the HMAC of a text under the key, 32 bytes. Every call makes one, of its request. */
export function prepareHmac(key: Buffer): (text: string) => string {
  // Buffers and KeyObjects lie outside V8's heap.
  const secret = createSecretKey(key)
  const inner = padded(key, 0x36, BLOCK)
  const outer = padded(key, 0x5c, BLOCK + DIGEST)
  return (text) => {
    if (text.length > SHORT) return createHmac('sha256', secret).update(text).digest('base64url')
    inner.copy(scratch)
    const end = BLOCK + scratch.write(text, BLOCK)
    outer.write(hash('sha256', scratch.subarray(0, end), 'hex'), BLOCK, 'hex')
    // Nothing of a call outlives it.
    scratch.fill(0, 0, end)
    return hash('sha256', outer, 'base64url')
  }
}

/** RFC 2104 2: the key, filled up with zeros to a block, with every byte of the block XORed. */
function padded(key: Buffer, mask: number, size: number): Buffer {
  const pad = Buffer.alloc(size)
  key.copy(pad)
  for (let i = 0; i < BLOCK; i++) pad[i] = (pad[i] as number) ^ mask
  return pad
}
