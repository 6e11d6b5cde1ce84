// Reads of a certificate's DER what node:crypto does not tell exactly: its extensions and the names in them (RFC 5280 4.2, X.690).

/** What the extensions of a certificate say; an absent one is undefined or empty. */
export interface Extensions {
  /** basicConstraints cA. */
  readonly authority: boolean
  /** basicConstraints pathLenConstraint. */
  readonly pathLength: number | undefined
  /** First octet of keyUsage: see KEY_USAGE. */
  readonly keyUsage: number | undefined
  /** extKeyUsage is absent or names clientAuth. */
  readonly forClients: boolean
  /** subjectAltName entries as their bytes say, one character a byte; not judged yet. */
  readonly uris: readonly string[]
  readonly dnsNames: readonly string[]
  /** A critical extension that is not processed here, or name constraints: such a certificate has to be refused (RFC 5280 4.2). */
  readonly unprocessed: boolean
}

/** Bits of keyUsage (RFC 5280 4.2.1.3). */
export const KEY_USAGE = { digitalSignature: 0x80, keyCertSign: 0x04, crlSign: 0x02 } as const

interface Element {
  readonly tag: number
  readonly content: Buffer
}

const TAG = { boolean: 0x01, integer: 0x02, bits: 0x03, octets: 0x04, oid: 0x06, sequence: 0x30 } as const
const EXTENSIONS = 0xa3
const DNS_NAME = 0x82
const URI = 0x86

/** Object identifiers as the hex of their content. */
const OID = {
  keyUsage: '551d0f',
  alternativeNames: '551d11',
  basicConstraints: '551d13',
  nameConstraints: '551d1e',
  policies: '551d20',
  extendedKeyUsage: '551d25',
  clientAuth: '2b06010505070302',
} as const

// Policies need no processing as long as none is demanded (RFC 5280 6.1.1, initial-any-policy).
const PROCESSED: ReadonlySet<string> = new Set([
  OID.keyUsage,
  OID.alternativeNames,
  OID.basicConstraints,
  OID.policies,
  OID.extendedKeyUsage,
])

const MAX_NAMES = 64

/** Throws RangeError where the bytes are not what RFC 5280 says. */
export function readExtensions(der: Buffer): Extensions {
  const found = extensionsOf(der)
  const extension = (oid: string): Buffer | undefined => found.get(oid)?.value
  const constraints = basicConstraints(extension(OID.basicConstraints))
  const purposes = extension(OID.extendedKeyUsage)
  const names = extension(OID.alternativeNames)
  const general = names === undefined ? [] : elements(only(names, TAG.sequence))
  if (general.length > MAX_NAMES) throw new RangeError('too many names')
  const texts = (tag: number): string[] =>
    general.filter((name) => name.tag === tag).map((name) => name.content.toString('latin1'))
  return {
    ...constraints,
    keyUsage: keyUsage(extension(OID.keyUsage)),
    forClients:
      purposes === undefined ||
      elements(only(purposes, TAG.sequence)).some(
        ({ tag, content }) => tag === TAG.oid && content.toString('hex') === OID.clientAuth,
      ),
    uris: texts(URI),
    dnsNames: texts(DNS_NAME),
    unprocessed:
      found.has(OID.nameConstraints) ||
      [...found].some(([oid, { critical }]) => critical && !PROCESSED.has(oid)),
  }
}

interface Extension {
  readonly critical: boolean
  readonly value: Buffer
}

function extensionsOf(der: Buffer): Map<string, Extension> {
  const [tbs] = elements(only(der, TAG.sequence))
  if (tbs?.tag !== TAG.sequence) throw new RangeError('no certificate')
  const found = new Map<string, Extension>()
  const wrapper = elements(tbs.content).find(({ tag }) => tag === EXTENSIONS)
  if (wrapper === undefined) return found
  for (const { tag, content } of elements(only(wrapper.content, TAG.sequence))) {
    if (tag !== TAG.sequence) throw new RangeError('no extension')
    const parts = elements(content)
    const [oid] = parts
    const value = parts.at(-1)
    const critical = parts.length === 3 ? parts[1] : undefined
    const isSound =
      oid?.tag === TAG.oid &&
      value?.tag === TAG.octets &&
      (parts.length === 2 || (critical?.tag === TAG.boolean && critical.content.length === 1))
    if (!isSound) throw new RangeError('no extension')
    const name = oid.content.toString('hex')
    // RFC 5280 4.2: no more than one instance of an extension; two readers could take different ones.
    if (found.has(name)) throw new RangeError('extension repeated')
    found.set(name, { critical: critical !== undefined && critical.content[0] !== 0, value: value.content })
  }
  return found
}

function basicConstraints(value: Buffer | undefined): Pick<Extensions, 'authority' | 'pathLength'> {
  if (value === undefined) return { authority: false, pathLength: undefined }
  const parts = elements(only(value, TAG.sequence))
  const authority = parts.some(({ tag, content }) => tag === TAG.boolean && content[0] !== 0)
  const length = parts.find(({ tag }) => tag === TAG.integer)?.content
  if (length === undefined) return { authority, pathLength: undefined }
  // A longer or negative number is no path length that anybody means.
  if (length.length !== 1 || (length[0] as number) > 0x7f) throw new RangeError('path length')
  return { authority, pathLength: length[0] }
}

function keyUsage(value: Buffer | undefined): number | undefined {
  if (value === undefined) return undefined
  const bits = only(value, TAG.bits)
  // The first octet counts the unused bits of the last one.
  return bits[1] ?? 0
}

/** The content of bytes that are one element of this kind and nothing more. */
function only(bytes: Buffer, tag: number): Buffer {
  const [first, ...rest] = elements(bytes)
  if (first?.tag !== tag || rest.length > 0) throw new RangeError('unexpected element')
  return first.content
}

/** DER only: definite lengths in their shortest form, tags of one octet. */
function elements(bytes: Buffer): Element[] {
  const found: Element[] = []
  let at = 0
  while (at < bytes.length) {
    const tag = bytes[at] as number
    let length = bytes[at + 1]
    at += 2
    if (length === undefined || (tag & 0x1f) === 0x1f) throw new RangeError('tag or length')
    if (length > 0x7f) {
      const octets = length & 0x7f
      if (octets === 0 || octets > 3 || at + octets > bytes.length) throw new RangeError('length')
      length = bytes.readUIntBE(at, octets)
      if (length < 0x80 || length < 2 ** (8 * (octets - 1))) throw new RangeError('length')
      at += octets
    }
    if (at + length > bytes.length) throw new RangeError('length')
    found.push({ tag, content: bytes.subarray(at, at + length) })
    at += length
  }
  return found
}
