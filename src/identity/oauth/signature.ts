// Which key fits which signature algorithm, and whether a signature is valid (RFC 7518 3, RFC 8037, RFC 8725 3.1).
import { type KeyObject, verify as verifySignature } from 'node:crypto'
import jwt, { type Algorithm as LibraryAlgorithm, type VerifyOptions } from 'jsonwebtoken'

interface Fit {
  readonly keyType: 'rsa' | 'ec' | 'ed25519'
  /** OpenSSL's name of the curve that the algorithm is bound to (RFC 7518 3.4). */
  readonly curve?: string
}

/** Asymmetric only: with a symmetric one, whoever can check a token can make one. */
export const ALGORITHMS = {
  RS256: { keyType: 'rsa' },
  RS384: { keyType: 'rsa' },
  RS512: { keyType: 'rsa' },
  PS256: { keyType: 'rsa' },
  PS384: { keyType: 'rsa' },
  PS512: { keyType: 'rsa' },
  ES256: { keyType: 'ec', curve: 'prime256v1' },
  ES384: { keyType: 'ec', curve: 'secp384r1' },
  ES512: { keyType: 'ec', curve: 'secp521r1' },
  EdDSA: { keyType: 'ed25519' },
  Ed25519: { keyType: 'ed25519' },
} as const satisfies Record<string, Fit>

export type Algorithm = keyof typeof ALGORITHMS

/** RFC 7518 3.3 and 3.5. */
export const MIN_RSA_BITS = 2048

/** True where a key of this kind can have made a signature of this algorithm. */
export function fitsAlgorithm(key: KeyObject, algorithm: Algorithm): boolean {
  const fit: Fit = ALGORITHMS[algorithm]
  return key.asymmetricKeyType === fit.keyType && key.asymmetricKeyDetails?.namedCurve === fit.curve
}

// The claims are checked in claims.ts, once and more strictly than the library would: it passes a missing exp, an exp of 1e300 and a future iat.
const OPTIONS = new Map<Algorithm, VerifyOptions>(
  (Object.keys(ALGORITHMS) as Algorithm[]).map((algorithm) => [
    algorithm,
    { algorithms: [algorithm as LibraryAlgorithm], ignoreExpiration: true, ignoreNotBefore: true },
  ]),
)

/** True where the key made the signature of the token. Never throws. */
export function isSignedBy(token: string, algorithm: Algorithm, key: KeyObject): boolean {
  if (key.asymmetricKeyType === 'ed25519') {
    // jsonwebtoken 9 knows no EdDSA.
    const end = token.lastIndexOf('.')
    const signature = Buffer.from(token.slice(end + 1), 'base64url')
    return verifySignature(null, Buffer.from(token.slice(0, end)), key, signature)
  }
  try {
    jwt.verify(token, key, OPTIONS.get(algorithm))
    return true
  } catch {
    return false
  }
}
