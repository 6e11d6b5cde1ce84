// Which authorities vouch for a client certificate, and when: path building and validation without dates (RFC 5280 6.1).
import { type KeyObject, X509Certificate } from 'node:crypto'
import { type Extensions, KEY_USAGE, readExtensions } from './der.ts'
import { isSpiffe, parseSpiffeId } from './names.ts'

/** A time during which every certificate of one path is valid, in milliseconds since the epoch. */
export interface Window {
  readonly from: number
  readonly until: number
}

export interface Authority {
  readonly certificate: X509Certificate
  readonly publicKey: KeyObject
  /** Of its SPIFFE ID, where it has one: the only trust domain that it speaks for (X509-SVID 3.2). */
  readonly trustDomain: string | undefined
  /** One for each path from here to a root; a path of expired certificates is still one. */
  readonly windows: readonly Window[]
}

const MAX_FILE = 256 * 1024
const MAX_AUTHORITIES = 64
/** Certificates of authorities in one path: a root and two intermediates, as `ssl_verify_depth 2` of nginx allows. */
const MAX_DEPTH = 3
const MAX_WINDOWS = 16

const BEGIN = '-----BEGIN '
const BEGIN_CERTIFICATE = '-----BEGIN CERTIFICATE-----'
const END_CERTIFICATE = '-----END CERTIFICATE-----'

// SHA-1 and older are left out: whoever finds a collision has a certificate (RFC 9155, CA/B Forum Baseline Requirements 7.1.3.2).
const SIGNATURES: ReadonlySet<string> = new Set([
  '1.2.840.113549.1.1.11', // RSA with SHA-256, -384, -512
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.2.840.10045.4.3.2', // ECDSA with SHA-256, -384, -512
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
  '1.3.101.112', // Ed25519
])
const CURVES: ReadonlySet<string> = new Set(['prime256v1', 'secp384r1', 'secp521r1'])
const MIN_RSA_BITS = 2048

/** RSA from 2048 bits, P-256, P-384, P-521, Ed25519. */
export function isStrongKey(key: KeyObject): boolean {
  const details = key.asymmetricKeyDetails
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return (details?.modulusLength ?? 0) >= MIN_RSA_BITS
    case 'ec':
      return CURVES.has(details?.namedCurve ?? '')
    case 'ed25519':
      return true
    default:
      return false
  }
}

interface Candidate {
  readonly certificate: X509Certificate
  readonly publicKey: KeyObject
  readonly extensions: Extensions
  readonly window: Window
  /** Same name as its issuer: does not count for a path length (RFC 5280 4.2.1.9). */
  readonly selfIssued: boolean
  readonly isRoot: boolean
}

/** The authorities of a PEM file, or what is wrong with it: the end of a sentence that begins with the file. */
export function readAuthorities(pem: string): readonly Authority[] | string {
  const blocks = pemBlocks(pem)
  if (typeof blocks === 'string') return blocks
  const candidates: Candidate[] = []
  for (const [index, block] of blocks.entries()) {
    const candidate = readCandidate(block)
    if (typeof candidate === 'string') return `holds a certificate (number ${index + 1}) that ${candidate}`
    candidates.push(candidate)
  }
  const issuers = new Map(candidates.map((one) => [one, candidates.filter((other) => hasIssued(other, one))]))
  const authorities: Authority[] = []
  for (const candidate of candidates) {
    const windows: Window[] = []
    walk(candidate, issuers, [], windows)
    if (windows.length === 0)
      return `holds an authority (serial number ${candidate.certificate.serialNumber}) that does not lead to a self-signed one of the same file in ${MAX_DEPTH - 1} steps or less`
    const { certificate, publicKey, extensions } = candidate
    authorities.push({ certificate, publicKey, trustDomain: trustDomainOf(extensions), windows })
  }
  return authorities
}

/** Windows of the paths from a certificate to the roots; empty where nobody here has issued it. */
export function windowsOf(
  certificate: X509Certificate,
  trustDomain: string | undefined,
  authorities: readonly Authority[],
): Window[] {
  const windows: Window[] = []
  if (!SIGNATURES.has(certificate.signatureAlgorithmOid)) return windows
  for (const authority of authorities) {
    // X509-SVID 3.2: an authority that carries an ID of its own issues for that trust domain.
    const foreign = trustDomain !== undefined && (authority.trustDomain ?? trustDomain) !== trustDomain
    if (foreign || !certificate.checkIssued(authority.certificate)) continue
    if (certificate.verify(authority.publicKey)) windows.push(...authority.windows)
    if (windows.length >= MAX_WINDOWS) break
  }
  return windows
}

function pemBlocks(pem: string): string[] | string {
  if (pem.length > MAX_FILE) return 'is larger than 256 KiB'
  const blocks: string[] = []
  // What stands between the blocks is comment (RFC 7468 2).
  for (let at = pem.indexOf(BEGIN); at !== -1; at = pem.indexOf(BEGIN, at)) {
    if (!pem.startsWith(BEGIN_CERTIFICATE, at)) return 'holds something else than certificates'
    const end = pem.indexOf(END_CERTIFICATE, at)
    if (end === -1) return 'ends inside a certificate'
    blocks.push(pem.slice(at, end + END_CERTIFICATE.length))
    if (blocks.length > MAX_AUTHORITIES) return `holds more than ${MAX_AUTHORITIES} certificates`
    at = end + END_CERTIFICATE.length
  }
  return blocks.length === 0 ? 'holds no certificate in PEM form' : blocks
}

function readCandidate(block: string): Candidate | string {
  try {
    const certificate = new X509Certificate(block)
    const extensions = readExtensions(certificate.raw)
    const { keyUsage } = extensions
    if (!extensions.authority) return 'is not that of an authority'
    if (keyUsage !== undefined && (keyUsage & KEY_USAGE.keyCertSign) === 0)
      return 'may not sign certificates (keyUsage)'
    if (!extensions.forClients) return 'may not vouch for clients (extendedKeyUsage)'
    if (extensions.unprocessed)
      return 'has name constraints or a critical extension, which this service does not process'
    const { publicKey } = certificate
    if (!isStrongKey(publicKey)) return 'has a key of a kind or size that is not accepted'
    const selfIssued = certificate.subject === certificate.issuer
    const isRoot = selfIssued && certificate.checkIssued(certificate) && certificate.verify(publicKey)
    const window = { from: certificate.validFromDate.getTime(), until: certificate.validToDate.getTime() }
    return { certificate, publicKey, extensions, window, selfIssued, isRoot }
  } catch {
    return 'cannot be read'
  }
}

// The signature of a root proves nothing and is not looked at (RFC 5280 6.1).
const hasIssued = (issuer: Candidate, { certificate, isRoot }: Candidate): boolean =>
  !isRoot &&
  issuer.certificate !== certificate &&
  SIGNATURES.has(certificate.signatureAlgorithmOid) &&
  certificate.checkIssued(issuer.certificate) &&
  certificate.verify(issuer.publicKey)

/** Adds the window of every path that goes on from here; `below` are the certificates nearer to the leaf. */
function walk(
  candidate: Candidate,
  issuers: ReadonlyMap<Candidate, readonly Candidate[]>,
  below: readonly Candidate[],
  windows: Window[],
): void {
  const { pathLength } = candidate.extensions
  const counted = below.filter((one) => !one.selfIssued).length
  if (pathLength !== undefined && counted > pathLength) return
  const path = [...below, candidate]
  if (candidate.isRoot) {
    if (windows.length === MAX_WINDOWS) return
    windows.push({
      from: Math.max(...path.map(({ window }) => window.from)),
      until: Math.min(...path.map(({ window }) => window.until)),
    })
    return
  }
  if (path.length === MAX_DEPTH) return
  for (const issuer of issuers.get(candidate) ?? []) {
    if (!path.includes(issuer)) walk(issuer, issuers, path, windows)
  }
}

function trustDomainOf({ uris }: Extensions): string | undefined {
  const id = uris.find(isSpiffe)
  return id === undefined ? undefined : (parseSpiffeId(id)?.trustDomain ?? '')
}
