// Proofs as a client makes them and as none should: every part can be replaced, and the signature is made over what is sent.
import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, type JWK } from 'jose'
import type { Runtime } from '../../../src/core/runtime.ts'
import type { Store } from '../../../src/core/store.ts'
import type { DpopVerifier, Presented } from '../../../src/identity/authenticator.ts'
import { createDpop, type DpopOptions } from '../../../src/identity/dpop/index.ts'
import { createFleet } from '../../../src/keys/index.ts'
import { createMemoryStore } from '../../../src/store/index.ts'
import { sign } from './sign.ts'

export const PUBLIC_URL = 'https://mcp.example.com'
export const NOW = Date.UTC(2027, 0, 15, 12)
export const TOKEN = 'eyJhbGciOiJFUzI1NiJ9.canary-of-the-access-token.c2ln'
export const FLEET = createFleet([{ id: 'k1', secret: createHash('sha256').update('test').digest() }], true)

export interface Pair {
  alg: string
  privateKey: KeyObject
  jwk: JWK
  jkt: string
}

export async function pairOf(
  alg: string,
  keys: { privateKey: KeyObject; publicKey: KeyObject },
): Promise<Pair> {
  const jwk = await exportJWK(keys.publicKey)
  return { alg, privateKey: keys.privateKey, jwk, jkt: await calculateJwkThumbprint(jwk) }
}

const CURVES: Record<string, string> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }

export function newPair(alg: string): Promise<Pair> {
  const namedCurve = CURVES[alg]
  if (namedCurve !== undefined) return pairOf(alg, generateKeyPairSync('ec', { namedCurve }))
  if (alg === 'EdDSA' || alg === 'Ed25519') return pairOf(alg, generateKeyPairSync('ed25519'))
  return pairOf(alg, generateKeyPairSync('rsa', { modulusLength: 2048 }))
}

export const athOf = (token: string): string => createHash('sha256').update(token).digest('base64url')

let count = 0
export const freshJti = (): string => `canary-jti-${++count}`

export const claimsOf = (over: Record<string, unknown> = {}): Record<string, unknown> => ({
  jti: freshJti(),
  htm: 'POST',
  htu: `${PUBLIC_URL}/mcp`,
  iat: NOW / 1000,
  ath: athOf(TOKEN),
  ...over,
})

export const headerOf = (pair: Pair, over: Record<string, unknown> = {}): Record<string, unknown> => ({
  typ: 'dpop+jwt',
  alg: pair.alg,
  jwk: pair.jwk,
  ...over,
})

const encode = (value: unknown): string =>
  Buffer.isBuffer(value)
    ? value.toString('base64url')
    : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** Texts and bytes stand as they are, so that they can hold what no JSON writer writes. */
export function compact(
  pair: Pair,
  header: Record<string, unknown> | string,
  claims: Record<string, unknown> | string | Buffer,
): string {
  const signed = `${encode(header)}.${encode(claims)}`
  return `${signed}.${sign(pair.alg, pair.privateKey, signed)}`
}

export const proofOf = (
  pair: Pair,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): string => compact(pair, headerOf(pair, header), claimsOf(claims))

const RUNTIME = {} as Runtime

export interface Sent {
  method?: string
  path?: string
  /** Header lines as they arrived. */
  raw?: readonly string[]
  token?: string
  now?: number
}

export function present(proof: string, { method, path, raw, token, now }: Sent = {}): Presented {
  return {
    scheme: 'dpop',
    token: token ?? TOKEN,
    request: {
      method: method ?? 'POST',
      path: path ?? '/mcp',
      query: '',
      headers: {},
      raw: raw ?? ['Host', 'evil.example', 'DPoP', proof],
      read: async () => ({ ok: false, reason: 'incomplete' }),
    },
    certificate: undefined,
    runtime: RUNTIME,
    now: now ?? NOW,
  }
}

export function verifier(over: Partial<DpopOptions> = {}): { dpop: DpopVerifier; store: Store } {
  const store = over.store ?? createMemoryStore({ now: () => NOW })
  const dpop = createDpop({
    publicUrl: PUBLIC_URL,
    maxAge: 60_000,
    nonce: 'off',
    fleet: FLEET,
    ...over,
    store,
  })
  return { dpop, store }
}
