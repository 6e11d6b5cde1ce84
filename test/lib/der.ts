// Writes the ASN.1 values that certificates are made of (DER of X.690).

function length(size: number): Buffer {
  if (size < 128) return Buffer.from([size])
  const hex = size.toString(16)
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  return Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes])
}

export function der(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents)
  return Buffer.concat([Buffer.from([tag]), length(content.length), content])
}

export const sequence = (...contents: Buffer[]): Buffer => der(0x30, ...contents)

/** Object identifiers as their DER content in hex. */
export const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'))

/** GeneralizedTime of milliseconds since the epoch. */
export const generalizedTime = (at: number): Buffer =>
  der(0x18, Buffer.from(`${new Date(at).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`))

/** A distinguished name with this common name; empty without one. */
export const commonName = (text: string): Buffer =>
  text === '' ? sequence() : sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(text)))))

export const certificatePem = (bytes: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${bytes.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`
