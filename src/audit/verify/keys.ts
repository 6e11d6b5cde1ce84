// The keys that an auditor trusts: a JWK Set as the service publishes it, and what a signature under one of them is worth.
import { createPublicKey, type KeyObject } from 'node:crypto'
import { isObject, type Json, type JsonObject, parseObject } from '../../core/json.ts'
import { type Jwk, type JwsType, publicKeyOf, readJws, thumbprint } from '../jws.ts'
import { type Finding, finding } from './codes.ts'
import { isJwk } from './form.ts'

export interface KnownKey {
  readonly kid: string
  readonly key: KeyObject
  /** Seconds since the epoch; absent where it has no such bound. */
  readonly notBefore?: number
  readonly notAfter?: number
  /** Made at a start of the service. */
  readonly boot: boolean
}

export interface Trust {
  readonly keys: ReadonlyMap<string, KnownKey>
  /** Keys made at boot count too. */
  readonly selfAsserted: boolean
}

/** Keys by id; a sentence where the text is no key set. It may also be one `PUBLIC KEY` in PEM, which has no bounds in time. */
export function readKeySet(source: string): ReadonlyMap<string, KnownKey> | string {
  if (source.includes('-----BEGIN')) return readPem(source)
  const list = parseObject(source)?.['keys']
  if (!Array.isArray(list)) return 'is no JWK Set: an object with a list `keys`'
  const keys = new Map<string, KnownKey>()
  for (const [i, entry] of list.entries()) {
    const known = readKey(entry)
    if (typeof known === 'string') return `has a key, number ${i + 1}, that ${known}`
    if (keys.has(known.kid)) return `names the key ${known.kid} twice`
    keys.set(known.kid, known)
  }
  return keys
}

function readKey(entry: Json): KnownKey | string {
  if (!isObject(entry)) return 'is no object'
  const { crv, kty, x, kid, nbf, exp } = entry
  const jwk = { crv, kty, x } as unknown as JsonObject
  if (!isJwk(jwk)) return 'is no Ed25519 public key'
  if ('d' in entry) return 'has its private half in it; use the public set only, and replace that key'
  const own = thumbprint(jwk)
  if (kid !== undefined && kid !== own) return 'has a kid that is not its RFC 7638 thumbprint'
  const isTime = (value: Json | undefined): boolean => value === undefined || Number.isSafeInteger(value)
  if (!isTime(nbf) || !isTime(exp)) return 'has an nbf or exp that is no whole number of seconds'
  return {
    kid: own,
    key: publicKeyOf(jwk),
    ...(nbf !== undefined && { notBefore: nbf as number }),
    ...(exp !== undefined && { notAfter: exp as number }),
    boot: entry['ductape-origin'] === 'boot',
  }
}

function readPem(source: string): ReadonlyMap<string, KnownKey> | string {
  if (source.includes('PRIVATE KEY')) return 'holds a private key; an auditor needs the public ones only'
  try {
    const key = createPublicKey(source)
    const { crv, kty, x } = key.export({ format: 'jwk' })
    if (crv !== 'Ed25519' || kty !== 'OKP' || x === undefined) return 'is no Ed25519 key'
    const kid = thumbprint({ crv, kty, x })
    return new Map([[kid, { kid, key, boot: false }]])
  } catch {
    return 'is no PUBLIC KEY in PEM'
  }
}

/** The key that a chain names at this point. */
export interface ChainKey {
  readonly jwk: Jwk
  readonly kid: string
  readonly origin: 'file' | 'boot'
  /** Ids of the keys that `key` records have replaced. */
  readonly replaced: readonly string[]
}

export type CheckedJws =
  | { readonly ok: true; readonly payload: JsonObject; readonly selfAsserted: boolean }
  | { readonly ok: false; readonly finding: Finding }

/** Checks a JWS in the order of docs/reference/evidence.md. Where it stands in a chain, only the key that the chain names may have made it. */
export function checkJws(
  text: string,
  typ: JwsType,
  isPayload: (value: Json) => boolean,
  trust: Trust,
  chain?: ChainKey,
): CheckedJws {
  const fail = (code: Finding['code'], detail?: string): CheckedJws => ({
    ok: false,
    finding: finding(code, detail),
  })
  const read = readJws(text, typ)
  if (!read.ok || !isPayload(read.payload)) return fail('signature_bad', `it is no ${typ}`)
  const { kid, payload } = read
  const named = `the key is ${kid}`
  if (chain !== undefined && chain.kid !== kid && chain.replaced.includes(kid))
    return fail('key_time', 'a key record has replaced this key')
  const known = trust.keys.get(kid)
  const own = chain?.kid === kid
  const isBoot = known?.boot === true || (own && chain.origin === 'boot')
  if (isBoot && !trust.selfAsserted) return fail('self_asserted', named)
  if (chain !== undefined && !own) return fail('key_unknown', named)
  if (known === undefined && !(own && isBoot)) return fail('key_unknown', named)
  const iat = payload['iat'] as number
  if (known !== undefined && (iat < (known.notBefore ?? 0) || iat >= (known.notAfter ?? Infinity)))
    return fail('key_time', named)
  const key = known?.key ?? publicKeyOf((chain as ChainKey).jwk)
  return read.verify(key) ? { ok: true, payload, selfAsserted: isBoot } : fail('signature_bad')
}
