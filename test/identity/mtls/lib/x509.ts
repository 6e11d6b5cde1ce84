// Makes X.509 certificates of every kind that the checks have to tell apart, also ones that no tool would make (RFC 5280, DER of X.690).
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

export interface Made {
  readonly der: Buffer
  readonly pem: string
  readonly key: KeyObject
  /** DER of the subject. */
  readonly name: Buffer
}

export interface Recipe {
  /** Common name. */
  readonly subject?: string
  /** Absent: self-signed. */
  readonly issuer?: Made
  readonly key?: KeyObject
  readonly notBefore?: number
  readonly notAfter?: number
  readonly extensions?: readonly Buffer[]
  /** Hash of the signature; nothing for Ed25519. */
  readonly digest?: 'sha1' | 'sha256'
}

export const NOW = Date.UTC(2026, 10, 15)
export const DAY = 86_400_000

const length = (size: number): Buffer => {
  if (size < 128) return Buffer.from([size])
  const hex = size.toString(16)
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  return Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes])
}
export const der = (tag: number, ...contents: Buffer[]): Buffer => {
  const content = Buffer.concat(contents)
  return Buffer.concat([Buffer.from([tag]), length(content.length), content])
}
const sequence = (...contents: Buffer[]): Buffer => der(0x30, ...contents)
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'))
const NULL = der(0x05)
const TRUE = der(0x01, Buffer.from([0xff]))

const nameOf = (text: string): Buffer =>
  text === '' ? sequence() : sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(text)))))
const time = (at: number): Buffer =>
  der(0x18, Buffer.from(`${new Date(at).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`))

export const extension = (hex: string, value: Buffer, critical = false): Buffer =>
  sequence(oid(hex), ...(critical ? [TRUE] : []), der(0x04, value))

export const basicConstraints = (authority: boolean, pathLength?: number): Buffer =>
  extension(
    '551d13',
    sequence(
      ...(authority ? [TRUE] : []),
      ...(pathLength === undefined ? [] : [der(0x02, Buffer.from([pathLength]))]),
    ),
    true,
  )
/** The first octet of the bits: 0x80 digitalSignature, 0x20 keyEncipherment, 0x04 keyCertSign, 0x02 cRLSign. */
export const keyUsage = (bits: number): Buffer => extension('551d0f', der(0x03, Buffer.from([0, bits])), true)
const PURPOSES = { clientAuth: '2b06010505070302', serverAuth: '2b06010505070301', any: '551d2500' }
export const extendedKeyUsage = (...purposes: (keyof typeof PURPOSES)[]): Buffer =>
  extension('551d25', sequence(...purposes.map((purpose) => oid(PURPOSES[purpose]))))
export const nameConstraints = (domain: string, critical = true): Buffer =>
  extension('551d1e', sequence(der(0xa0, sequence(der(0x82, Buffer.from(domain))))), critical)
export const unknownExtension = (critical: boolean): Buffer =>
  extension('2b0601040182370a', der(0x05), critical)

const NAME_TAGS = { email: 0x81, dns: 0x82, uri: 0x86, ip: 0x87 }
export type Names = readonly (readonly [keyof typeof NAME_TAGS, string | Buffer])[]
export const alternativeNames = (...names: Names): Buffer =>
  extension(
    '551d11',
    sequence(...names.map(([kind, value]) => der(NAME_TAGS[kind], Buffer.from(value as string)))),
  )

export const newKey = (kind: 'P-256' | 'P-384' | 'secp256k1' | 'P-224' | 'ed25519' | number): KeyObject => {
  if (typeof kind === 'number') return generateKeyPairSync('rsa', { modulusLength: kind }).privateKey
  if (kind === 'ed25519') return generateKeyPairSync('ed25519').privateKey
  const names = { 'P-256': 'prime256v1', 'P-384': 'secp384r1', secp256k1: 'secp256k1', 'P-224': 'secp224r1' }
  return generateKeyPairSync('ec', { namedCurve: names[kind] }).privateKey
}

function algorithm(key: KeyObject, digest: 'sha1' | 'sha256'): Buffer {
  if (key.asymmetricKeyType === 'ed25519') return sequence(oid('2b6570'))
  if (key.asymmetricKeyType === 'ec')
    return sequence(oid(digest === 'sha1' ? '2a8648ce3d0401' : '2a8648ce3d040302'))
  return sequence(oid(digest === 'sha1' ? '2a864886f70d010105' : '2a864886f70d01010b'), NULL)
}

export const pemOf = (bytes: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${bytes.toString('base64').replace(/.{64}(?!$)/g, '$&\n')}\n-----END CERTIFICATE-----\n`

export function make(recipe: Recipe): Made {
  const { subject = 'somebody', issuer, digest = 'sha256', extensions = [] } = recipe
  const key = recipe.key ?? newKey('P-256')
  const signer = issuer?.key ?? key
  const name = nameOf(subject)
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm(signer, digest),
    issuer?.name ?? name,
    sequence(time(recipe.notBefore ?? NOW - DAY), time(recipe.notAfter ?? NOW + DAY)),
    name,
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    ...(extensions.length === 0 ? [] : [der(0xa3, sequence(...extensions))]),
  )
  const signature = sign(signer.asymmetricKeyType === 'ed25519' ? null : digest, body, signer)
  const bytes = sequence(body, algorithm(signer, digest), der(0x03, Buffer.from([0]), signature))
  return { der: bytes, pem: pemOf(bytes), key, name }
}

export const CA_USAGE = 0x04 | 0x02

export function makeAuthority(recipe: Recipe & { readonly pathLength?: number } = {}): Made {
  return make({
    subject: 'authority',
    notBefore: NOW - 100 * DAY,
    notAfter: NOW + 100 * DAY,
    extensions: [basicConstraints(true, recipe.pathLength), keyUsage(CA_USAGE)],
    ...recipe,
  })
}

export const CLIENT = [basicConstraints(false), keyUsage(0x80), extendedKeyUsage('clientAuth')]

/** A client certificate with these names. */
export function makeClient(issuer: Made, names: Names, recipe: Recipe = {}): Made {
  return make({ issuer, extensions: [...CLIENT, alternativeNames(...names)], ...recipe })
}

/** As nginx writes it in `$ssl_client_escaped_cert`. */
export const escaped = ({ pem }: { readonly pem: string }): string => encodeURIComponent(pem)
