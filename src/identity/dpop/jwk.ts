// Reads the public key of a proof and checks its signature: which algorithms count, and which key each of them takes (RFC 7517, 7518, 8037).
import { constants, createPublicKey, hash, type KeyObject, verify } from 'node:crypto'
import { isObject } from '../../core/json.ts'

type KeyType = 'EC' | 'RSA' | 'OKP'

interface Algorithm {
  readonly kty: KeyType
  /** Curve of the key, where the algorithm names one. */
  readonly crv: string | undefined
  /** Characters of a coordinate in base64url, which is of full length (RFC 7518 6.2.1.2); 0 where there is none. */
  readonly coordinate: number
  readonly digest: string | null
  readonly pss: boolean
}

const ecdsa = (crv: string, coordinate: number, digest: string): Algorithm => ({
  kty: 'EC',
  crv,
  coordinate,
  digest,
  pss: false,
})
const rsa = (digest: string, pss: boolean): Algorithm => ({
  kty: 'RSA',
  crv: undefined,
  coordinate: 0,
  digest,
  pss,
})
const ED25519: Algorithm = { kty: 'OKP', crv: 'Ed25519', coordinate: 43, digest: null, pss: false }

// Asymmetric signatures only (RFC 9449 4.3, check 5).
const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map([
  ['ES256', ecdsa('P-256', 43, 'sha256')],
  ['ES384', ecdsa('P-384', 64, 'sha384')],
  ['ES512', ecdsa('P-521', 88, 'sha512')],
  ['EdDSA', ED25519],
  // RFC 9864 names the curve in the algorithm.
  ['Ed25519', ED25519],
  ['PS256', rsa('sha256', true)],
  ['PS384', rsa('sha384', true)],
  ['PS512', rsa('sha512', true)],
  ['RS256', rsa('sha256', false)],
  ['RS384', rsa('sha384', false)],
  ['RS512', rsa('sha512', false)],
])

/** Names of the accepted algorithms: `algs` of the challenge and `dpop_signing_alg_values_supported` of the metadata (RFC 9449 5.1, 7.1). */
export const DPOP_ALGORITHMS: readonly string[] = [...ALGORITHMS.keys()]

export interface ProofKey {
  /** RFC 7638, SHA-256, base64url: what `cnf.jkt` of a token names. */
  readonly thumbprint: string
  /** The members that make the key, and no other. */
  readonly members: Readonly<Record<string, string>>
  readonly algorithm: Algorithm
}

// Of every key type: RFC 7518 6.2.2, 6.3.2 and 6.4.1, RFC 8037 2.
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const BASE64URL = /^[A-Za-z0-9_-]+$/
/** RFC 7518 3.3; the size of a proof is what bounds it above. */
const RSA_MIN_BITS = 2048
/** Four bytes: a long exponent would make a check as slow as a signature. */
const MAX_EXPONENT_LENGTH = 6

/** The key of the header, or why it is none. Members that are no part of the key (kid, use, key_ops) play no role. */
export function readProofKey(alg: unknown, jwk: unknown): ProofKey | string {
  const algorithm = typeof alg === 'string' ? ALGORITHMS.get(alg) : undefined
  if (algorithm === undefined) return 'its alg is not an accepted signature algorithm'
  if (!isObject(jwk)) return 'its jwk is not a key'
  for (const name of PRIVATE_MEMBERS) if (Object.hasOwn(jwk, name)) return 'its jwk is not a public key'
  const { kty, crv } = algorithm
  if (jwk['kty'] !== kty || (crv !== undefined && jwk['crv'] !== crv)) return 'its jwk does not fit its alg'
  if (kty === 'RSA') {
    const { e, n } = jwk
    if (!isEncoded(e) || e.length > MAX_EXPONENT_LENGTH || !isEncoded(n)) return 'its jwk is not a key'
    return { algorithm, thumbprint: digestOf(`{"e":"${e}","kty":"RSA","n":"${n}"}`), members: { kty, e, n } }
  }
  const { x, y } = jwk
  if (crv === undefined || !isEncoded(x) || x.length !== algorithm.coordinate) return 'its jwk is not a key'
  if (kty === 'OKP') {
    return {
      algorithm,
      thumbprint: digestOf(`{"crv":"${crv}","kty":"OKP","x":"${x}"}`),
      members: { kty, crv, x },
    }
  }
  if (!isEncoded(y) || y.length !== algorithm.coordinate) return 'its jwk is not a key'
  return {
    algorithm,
    thumbprint: digestOf(`{"crv":"${crv}","kty":"EC","x":"${x}","y":"${y}"}`),
    members: { kty, crv, x, y },
  }
}

const isEncoded = (value: unknown): value is string => typeof value === 'string' && BASE64URL.test(value)

// The members are base64url, so the text needs no escapes to be the JSON of RFC 7638 3.
const digestOf = (json: string): string => hash('sha256', json, 'base64url')

/** True where the signature of the text was made by this key. */
export function signatureHolds(key: ProofKey, text: string, signature: Buffer): boolean {
  const publicKey = importKey(key)
  if (publicKey === undefined) return false
  const { algorithm } = key
  return verify(
    algorithm.digest,
    Buffer.from(text, 'latin1'),
    algorithm.pss
      ? {
          key: publicKey,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
        }
      : { key: publicKey, dsaEncoding: 'ieee-p1363' },
    signature,
  )
}

function importKey({ algorithm, members }: ProofKey): KeyObject | undefined {
  let key: KeyObject
  try {
    key = createPublicKey({ key: members, format: 'jwk' })
  } catch {
    // For example a point that is not on its curve.
    return undefined
  }
  if (algorithm.kty !== 'RSA') return key
  return (key.asymmetricKeyDetails?.modulusLength ?? 0) >= RSA_MIN_BITS ? key : undefined
}
