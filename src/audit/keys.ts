// The keys that sign checkpoints and receipts: read from a PEM file or made at boot, replaced when the file changes (docs/reference/evidence.md, "Keys").
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { canonical } from '../core/canonical.ts'
import { parseInstant } from '../core/instant.ts'
import { createSigner, type Jwk, type JwsType, publicJwk, type Signer, thumbprint } from './jws.ts'

export interface SigningKey extends Signer {
  /** As `sign`, on this thread: some 40 us. For the chain, where a signature must cover exactly what stands before it. */
  signNow(typ: JwsType, payload: string): string
}

export function createSigningKey(privateKey: KeyObject, origin: 'file' | 'boot'): SigningKey {
  const signer = createSigner(privateKey, origin)
  const encode = (text: string): string => Buffer.from(text).toString('base64url')
  return {
    ...signer,
    signNow(typ, payload) {
      const input = `${encode(canonical({ alg: 'EdDSA', kid: signer.kid, typ }))}.${encode(payload)}`
      return `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`
    },
  }
}

export const bootSigningKey = (): SigningKey =>
  createSigningKey(generateKeyPairSync('ed25519').privateKey, 'boot')

/** A key as it is published: its public half, and from when until when it signs, in milliseconds since the epoch. */
interface PublishedKey {
  readonly kid: string
  readonly jwk: Jwk
  readonly from: number | undefined
  readonly until: number | undefined
}

/** What a file of keys holds: the first private key signs, all are published. */
export interface KeyRing {
  readonly signing: SigningKey
  readonly published: readonly PublishedKey[]
}

/** A message names lines, never a key. */
export type KeyFile =
  | { readonly ok: true; readonly ring: KeyRing }
  | { readonly ok: false; readonly message: string }

/** A key for a service without a file: what it signs verifies only as self-asserted. */
export function bootRing(): KeyRing {
  const signing = bootSigningKey()
  return { signing, published: [{ kid: signing.kid, jwk: signing.jwk, from: undefined, until: undefined }] }
}

const MAX_CHARACTERS = 64 * 1024
const MAX_KEYS = 64
const BEGIN = /^-----BEGIN ([A-Z0-9 ]{1,32})-----$/
const BOUND = /^(not-before|not-after): (\S+)$/
const KINDS = ['PRIVATE KEY', 'PUBLIC KEY']

const bad = (message: string): KeyFile => ({ ok: false, message })

/** Reads the text of a key file; `now` in milliseconds since the epoch. */
export function loadSigningKeys(text: string, now: number): KeyFile {
  if (text.length > MAX_CHARACTERS) return bad(`is larger than ${MAX_CHARACTERS / 1024} KiB`)
  const lines = text.split(/\r?\n/)
  const published: PublishedKey[] = []
  let signing: SigningKey | undefined
  let bounds: { from?: number; until?: number } = {}
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]?.trim() ?? ''
    if (line === '') continue
    const where = `line ${at + 1}:`
    const [, name, time] = BOUND.exec(line) ?? []
    if (name !== undefined && time !== undefined) {
      const instant = parseInstant(time)
      const member = name === 'not-before' ? 'from' : 'until'
      if (instant === undefined) return bad(`${where} ${name} needs a time such as 2027-01-31T12:00:00Z`)
      if (bounds[member] !== undefined) return bad(`${where} ${name} stands twice before one key`)
      bounds[member] = instant
      continue
    }
    const [, kind = ''] = BEGIN.exec(line) ?? []
    if (!KINDS.includes(kind))
      return bad(
        `${where} is not "-----BEGIN PRIVATE KEY-----", "-----BEGIN PUBLIC KEY-----", "not-after: TIME" or "not-before: TIME"`,
      )
    const end = lines.findIndex((other, index) => index > at && other.trim() === `-----END ${kind}-----`)
    if (end < 0) return bad(`${where} the block has no end`)
    const key = readKey(kind, lines.slice(at, end + 1))
    if (key === undefined)
      return bad(`${where} is not an Ed25519 key; "openssl genpkey -algorithm ed25519" makes one`)
    const { from, until } = bounds
    const isPublic = kind === 'PUBLIC KEY'
    if (isPublic && until === undefined)
      return bad(
        `${where} a public key is an older one; say until when it signed: "not-after: TIME" before it`,
      )
    if (from !== undefined && until !== undefined && from >= until)
      return bad(`${where} not-after lies before not-before`)
    const jwk = publicJwk(key)
    const kid = thumbprint(jwk)
    if (published.some((other) => other.kid === kid)) return bad(`${where} this key stands twice`)
    if (published.length === MAX_KEYS) return bad(`has more than ${MAX_KEYS} keys`)
    published.push({ kid, jwk, from, until })
    if (!isPublic && signing === undefined) {
      if (now < (from ?? 0) || now >= (until ?? Number.POSITIVE_INFINITY))
        return bad(`${where} the key that signs is not valid at this time`)
      signing = createSigningKey(key, 'file')
    }
    bounds = {}
    at = end
  }
  if (bounds.from !== undefined || bounds.until !== undefined)
    return bad('ends with a time that no key follows')
  return signing === undefined ? bad('holds no private key') : { ok: true, ring: { signing, published } }
}

function readKey(kind: string, lines: readonly string[]): KeyObject | undefined {
  const key = lines.join('\n')
  try {
    const read =
      kind === 'PRIVATE KEY'
        ? createPrivateKey({ key, format: 'pem', type: 'pkcs8' })
        : createPublicKey({ key, format: 'pem', type: 'spki' })
    return read.asymmetricKeyType === 'ed25519' ? read : undefined
  } catch {
    return undefined
  }
}

export interface SigningKeys {
  /** The key in use. */
  current(): SigningKey
  /** All keys as a JWK Set (RFC 7517 5), JSON text. */
  jwks(): string
  /** Takes the changed text of the file, or keeps what it has and says what is wrong; undefined = the file is gone. */
  reload(text: string | undefined): string | undefined
  /** What an operator should mend; undefined while all is well. */
  warning(): string | undefined
}

/** How long before its end a key that signs is warned of. */
const SOON = 14 * 24 * 3_600_000

export function createSigningKeys(initial: KeyRing, now: () => number): SigningKeys {
  let ring = initial
  let jwks = jwkSet(ring)
  return {
    current: () => ring.signing,
    jwks: () => jwks,
    reload(text) {
      if (text === undefined) return 'is gone or cannot be read'
      const file = loadSigningKeys(text, now())
      if (!file.ok) return file.message
      // The same key stays the same object, and the chain has nothing to tell.
      const same = file.ring.signing.kid === ring.signing.kid
      ring = same ? { ...file.ring, signing: ring.signing } : file.ring
      jwks = jwkSet(ring)
      return undefined
    },
    warning() {
      const end = ring.published.find(({ kid }) => kid === ring.signing.kid)?.until
      if (end === undefined || end > now() + SOON) return undefined
      return `the key that signs receipts ${end > now() ? 'ends' : 'ended'} on ${new Date(end).toISOString().slice(0, 10)}`
    },
  }
}

const jwkSet = ({ signing, published }: KeyRing): string =>
  canonical({
    keys: published.map(({ kid, jwk, from, until }) => ({
      ...jwk,
      alg: 'EdDSA',
      kid,
      use: 'sig',
      ...(from !== undefined && { nbf: Math.ceil(from / 1000) }),
      ...(until !== undefined && { exp: Math.floor(until / 1000) }),
      ...(signing.origin === 'boot' && { 'ductape-origin': 'boot' }),
    })),
  })
