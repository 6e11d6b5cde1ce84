// Makes X.509 certificates for tests, so that none has to be committed or made by a tool (RFC 5280, ASN.1 DER of X.690).
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

export interface Issued {
  /** PEM. */
  certificate: string
  key: string
}

export interface Authority extends Issued {
  /** A server certificate for the names and addresses. */
  issue(names: readonly string[]): Issued
}

const length = (size: number): Buffer => {
  if (size < 128) return Buffer.from([size])
  const hex = size.toString(16)
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  return Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes])
}
const der = (tag: number, ...contents: Buffer[]): Buffer => {
  const content = Buffer.concat(contents)
  return Buffer.concat([Buffer.from([tag]), length(content.length), content])
}
const sequence = (...contents: Buffer[]): Buffer => der(0x30, ...contents)
/** Object identifiers as their DER content in hex. */
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'))
const COMMON_NAME = oid('550403')
const BASIC_CONSTRAINTS = oid('551d13')
const ALTERNATIVE_NAME = oid('551d11')
const ECDSA_SHA256 = sequence(oid('2a8648ce3d040302'))

const nameOf = (text: string): Buffer =>
  sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from(text)))))
const time = (at: number): Buffer =>
  der(0x18, Buffer.from(`${new Date(at).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`))

const DAY = 86_400_000

function build(
  subject: string,
  issuer: string,
  publicKey: KeyObject,
  signer: KeyObject,
  extension: Buffer,
): string {
  const now = Date.now()
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ECDSA_SHA256,
    nameOf(issuer),
    sequence(time(now - DAY), time(now + DAY)),
    nameOf(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(extension)),
  )
  const signature = sign('sha256', body, signer)
  const whole = sequence(body, ECDSA_SHA256, der(0x03, Buffer.from([0]), signature))
  return `-----BEGIN CERTIFICATE-----\n${whole.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`
}

const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string

function alternativeNames(names: readonly string[]): Buffer {
  const entries = names.map((name) =>
    /^[\d.]+$/.test(name)
      ? der(0x87, Buffer.from(name.split('.').map(Number)))
      : der(0x82, Buffer.from(name)),
  )
  return sequence(ALTERNATIVE_NAME, der(0x04, sequence(...entries)))
}

export function createAuthority(): Authority {
  const name = 'Test authority'
  const key = newKey()
  const isAuthority = sequence(
    BASIC_CONSTRAINTS,
    der(0x01, Buffer.from([0xff])),
    der(0x04, sequence(der(0x01, Buffer.from([0xff])))),
  )
  return {
    certificate: build(name, name, createPublicKey(key), key, isAuthority),
    key: pem(key),
    issue(names) {
      const own = newKey()
      const certificate = build(
        names[0] ?? 'server',
        name,
        createPublicKey(own),
        key,
        alternativeNames(names),
      )
      return { certificate, key: pem(own) }
    },
  }
}
