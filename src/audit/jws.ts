// Compact JWS with Ed25519 (RFC 7515, RFC 8037): made off the main thread, read with no leniency (docs/reference/evidence.md).
import { createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto'
import { canonical } from '../core/canonical.ts'
import { type JsonObject, parseObject } from '../core/json.ts'

/** What a signature is for; a verifier refuses every other `typ` than the one it expects. */
export type JwsType =
  | 'ductape-receipt+jwt'
  | 'ductape-checkpoint+jwt'
  | 'ductape-key+jwt'
  | 'ductape-manifest+jwt'

/** An Ed25519 public key (RFC 8037 2). */
export interface Jwk {
  readonly crv: 'Ed25519'
  readonly kty: 'OKP'
  /** 32 bytes, base64url. */
  readonly x: string
}

export interface Signer {
  /** RFC 7638 thumbprint of the public key. */
  readonly kid: string
  readonly jwk: Jwk
  /** `boot` = made at this start: what it signs verifies only as self-asserted. */
  readonly origin: 'file' | 'boot'
  /** Signs canonical JSON text; resolves with the compact JWS. */
  sign(typ: JwsType, payload: string): Promise<string>
  /** Signs a text that is no JWS input: it must not begin like one. Resolves with base64. */
  signText(text: string): Promise<string>
}

const encode = (text: string): string => Buffer.from(text).toString('base64url')

export const thumbprint = ({ crv, kty, x }: Jwk): string =>
  hash('sha256', `{"crv":"${crv}","kty":"${kty}","x":"${x}"}`, 'base64url')

/** The public half of an Ed25519 key; throws TypeError for any other kind of key. */
export function publicJwk(key: KeyObject): Jwk {
  const { crv, kty, x } = key.export({ format: 'jwk' })
  if (kty !== 'OKP' || crv !== 'Ed25519' || x === undefined) throw new TypeError('not an Ed25519 key')
  return { crv, kty, x }
}

export function createSigner(privateKey: KeyObject, origin: 'file' | 'boot'): Signer {
  const jwk = publicJwk(privateKey)
  const kid = thumbprint(jwk)
  const headers = new Map<JwsType, string>()
  const header = (typ: JwsType): string => {
    let text = headers.get(typ)
    if (text === undefined) {
      text = encode(canonical({ alg: 'EdDSA', kid, typ }))
      headers.set(typ, text)
    }
    return text
  }
  const signed = (text: string): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      sign(null, Buffer.from(text), privateKey, (error, signature) => {
        if (error === null) resolve(signature)
        else reject(error)
      })
    })
  return {
    kid,
    jwk,
    origin,
    async sign(typ, payload) {
      const input = `${header(typ)}.${encode(payload)}`
      return `${input}.${(await signed(input)).toString('base64url')}`
    },
    signText: async (text) => (await signed(text)).toString('base64'),
  }
}

export type ReadJws =
  | { readonly ok: true; readonly kid: string; readonly payload: JsonObject; verify(key: KeyObject): boolean }
  | { readonly ok: false }

const BAD: ReadJws = { ok: false }
const PART = /^[\w-]+$/
/** Far over what this service makes. */
const MAX_CHARACTERS = 4096

/** Reads a compact JWS of this type and form; its signature is checked by `verify`. */
export function readJws(text: string, typ: JwsType): ReadJws {
  if (text.length > MAX_CHARACTERS) return BAD
  const parts = text.split('.')
  const [head, body, tail] = parts
  if (parts.length !== 3 || head === undefined || body === undefined || tail === undefined) return BAD
  const signature = decode(tail)
  const header = readCanonical(head)
  const payload = readCanonical(body)
  if (signature?.length !== 64 || header === undefined || payload === undefined) return BAD
  const { kid } = header
  if (typeof kid !== 'string' || canonical(header) !== canonical({ alg: 'EdDSA', kid, typ })) return BAD
  return {
    ok: true,
    kid,
    payload,
    verify: (key) => verify(null, Buffer.from(`${head}.${body}`), key, signature),
  }
}

/** Bytes of canonical base64url; undefined for anything else. Ed25519's last character has four spare bits, which lenient readers ignore. */
export function decode(text: string): Buffer | undefined {
  if (!PART.test(text)) return undefined
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}

function readCanonical(part: string): JsonObject | undefined {
  const bytes = decode(part)
  if (bytes === undefined) return undefined
  const text = bytes.toString('utf8')
  const value = parseObject(text)
  return value !== undefined && canonical(value) === text ? value : undefined
}

export const publicKeyOf = (jwk: Jwk): KeyObject => createPublicKey({ key: { ...jwk }, format: 'jwk' })
