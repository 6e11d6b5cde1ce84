// What a forwarded client certificate says, from its header text: exactly one certificate, fit for a client, with plain names (RFC 5280, X509-SVID 5.2).
import { hash, X509Certificate } from 'node:crypto'
import type { ClientCertificate } from '../authenticator.ts'
import { isStrongKey } from './chain.ts'
import { type Extensions, KEY_USAGE, readExtensions } from './der.ts'
import { isDnsName, isSpiffe, isUri, parseSpiffeId } from './names.ts'

/** Why a certificate is refused: words of ours only, a closed set. */
export const REFUSALS = {
  malformed: 'the proxy has not sent exactly one certificate in PEM form',
  tooLarge: 'it is larger than 16 KiB',
  authority: 'it is the certificate of an authority',
  purpose: 'it is not made for clients (keyUsage, extendedKeyUsage)',
  key: 'its key is not RSA from 2048 bits, P-256, P-384, P-521 or Ed25519',
  extension: 'it has a critical extension that this service does not process',
  names: 'its subject alternative names are not plain URIs and DNS names',
  severalUris: 'it has a SPIFFE ID and another URI beside it',
  spiffeId: 'its SPIFFE ID is not that of a workload',
  trustDomain: 'its trust domain is not one of auth.mtls.trustDomains',
  chain: 'none of the authorities of auth.mtls.ca has issued it',
  notYetValid: 'it is not valid yet',
  expired: 'it has expired',
  authorityExpired: 'its authority has expired or is not valid yet',
  unmapped: 'its name is not mapped to a caller',
} as const

export type Refusal = keyof typeof REFUSALS

export type Leaf =
  | {
      readonly refusal: undefined
      readonly x509: X509Certificate
      readonly certificate: ClientCertificate
      /** Of its SPIFFE ID. */
      readonly trustDomain: string | undefined
    }
  /** The fingerprint is known also of a certificate that is refused, because it names the peer. */
  | { readonly refusal: Refusal; readonly fingerprint: string | undefined }

const MAX_HEADER = 16 * 1024
// nginx escapes everything but the unreserved characters (RFC 3986 2.3).
const ESCAPED = /^[A-Za-z0-9\-._~%]+$/
const PEM = /^-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=\n]+)\n-----END CERTIFICATE-----\n?$/

const MALFORMED: Leaf = { refusal: 'malformed', fingerprint: undefined }

/** Reads the value of `$ssl_client_escaped_cert`: the URL-encoded PEM of one certificate. Never throws. */
export function readLeaf(escaped: string): Leaf {
  if (escaped.length > MAX_HEADER) return { refusal: 'tooLarge', fingerprint: undefined }
  const der = decode(escaped)
  if (der === undefined) return MALFORMED
  try {
    const x509 = new X509Certificate(der)
    // Throws also where bytes follow the certificate: OpenSSL reads the first one and lets the rest be.
    const extensions = readExtensions(der)
    const digest = hash('sha256', der, 'buffer')
    const fingerprint = digest.toString('hex')
    const dnsNames = extensions.dnsNames.map((name) => name.toLowerCase())
    const refusal = refusalOf(x509, extensions, dnsNames)
    if (refusal !== undefined) return { refusal, fingerprint }
    const certificate: ClientCertificate = Object.freeze({
      fingerprint,
      thumbprint: digest.toString('base64url'),
      uris: extensions.uris,
      dnsNames,
      notBefore: x509.validFromDate.getTime(),
      notAfter: x509.validToDate.getTime(),
    })
    const id = extensions.uris.find(isSpiffe)
    const trustDomain = id === undefined ? undefined : parseSpiffeId(id)?.trustDomain
    return { refusal, x509, certificate, trustDomain }
  } catch {
    return MALFORMED
  }
}

function decode(escaped: string): Buffer | undefined {
  if (!ESCAPED.test(escaped)) return undefined
  let pem: string
  try {
    pem = decodeURIComponent(escaped)
  } catch {
    return undefined
  }
  const base64 = PEM.exec(pem)?.[1]?.replaceAll('\n', '')
  if (base64 === undefined) return undefined
  const der = Buffer.from(base64, 'base64')
  // Buffer drops what it does not understand: another spelling of the same bytes is not taken.
  return der.toString('base64') === base64 ? der : undefined
}

function refusalOf(
  x509: X509Certificate,
  extensions: Extensions,
  dnsNames: readonly string[],
): Refusal | undefined {
  const { authority, keyUsage, uris } = extensions
  const usage = keyUsage ?? KEY_USAGE.digitalSignature
  if (authority || (usage & (KEY_USAGE.keyCertSign | KEY_USAGE.crlSign)) !== 0) return 'authority'
  if ((usage & KEY_USAGE.digitalSignature) === 0 || !extensions.forClients) return 'purpose'
  if (extensions.unprocessed) return 'extension'
  if (!isStrongKey(x509.publicKey)) return 'key'
  if (!uris.every(isUri) || !dnsNames.every(isDnsName)) return 'names'
  const id = uris.find(isSpiffe)
  if (id === undefined) return undefined
  if (uris.length > 1) return 'severalUris'
  return (parseSpiffeId(id)?.path ?? '') === '' ? 'spiffeId' : undefined
}
