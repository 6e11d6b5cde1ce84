// Decides whether a client certificate that nginx has forwarded is good, and whose it is: dates and revocation on every call, the rest once.
import { setBounded } from '../../core/bounded.ts'
import { type Denial, deny } from '../../core/denials.ts'
import { type HttpRequest, header } from '../../core/http.ts'
import { makePrincipal, type Principal } from '../../core/principal.ts'
import type { Revocations } from '../../core/runtime.ts'
import type { ClientCertificate } from '../authenticator.ts'
import { realIp } from '../peer.ts'
import { CERTIFICATE_HEADER, type CertificateAuthenticator } from '../stage.ts'
import { type Authority, readAuthorities, type Window, windowsOf } from './chain.ts'
import { REFUSALS, type Refusal, readLeaf } from './leaf.ts'
import { compilePattern, isSpiffe, matchesPattern, type NamePattern } from './names.ts'

/** The section `auth.mtls` as the config resolves it. */
export interface MtlsOptions {
  /** Read by the caller, at the start and at each change, and given to `reload`. */
  readonly ca: { readonly file: string }
  readonly trustDomains: readonly string[]
  /** Tolerance of dates, in milliseconds. */
  readonly skew: number
  readonly map: readonly MapRow[]
}

/** Whose certificates are which caller: exactly one of `uri` and `dns`; the first row that fits decides. */
export interface MapRow {
  readonly uri?: string | undefined
  readonly dns?: string | undefined
  /** The certificate's name where absent. */
  readonly subject?: string | undefined
  readonly tenant?: string | undefined
  readonly roles: readonly string[]
  readonly scopes: readonly string[]
}

export interface MtlsPorts {
  /** Milliseconds since the epoch. */
  now(): number
  revocations: Revocations
}

export interface Certificates extends CertificateAuthenticator {
  /** A certificate that may prove or bind, or `certificate_refused` or `token_revoked`. `escaped` is the header as nginx writes it. */
  read(escaped: string): ClientCertificate | Denial
  /** Whose certificate it is, of one that `read` has just let through. */
  principal(certificate: ClientCertificate): Principal | Denial
  /**
   * What the caller's process is known by before anybody has vouched for it: the certificate's SHA-256 (lower-case hex), also of one that
   * is refused; else the address in X-Real-IP; else `unix`. Both headers are nginx's, so this is for the unix socket only.
   */
  peerOf(request: HttpRequest): string
  /**
   * Takes the authorities of a PEM file. A file with any fault is refused whole, the last good one stays in force, and the answer is a
   * sentence without a subject that says what is wrong with it.
   */
  reload(bytes: Buffer): string | undefined
  /** False before the first good file: every certificate is refused. */
  ready(): boolean
}

const MAX_CACHED = 1000

const DENIALS = Object.fromEntries(
  Object.entries(REFUSALS).map(([name, detail]) => [
    name,
    Object.freeze(deny('certificate_refused', detail)),
  ]),
) as Readonly<Record<Refusal, Denial>>
const REVOKED: Denial = Object.freeze(deny('token_revoked'))

interface Known {
  readonly fingerprint: string | undefined
  /** What holds until the authorities change. */
  readonly settled: ClientCertificate | Denial
  readonly windows: readonly Window[]
}

interface CompiledRow extends MapRow {
  readonly pattern: NamePattern
}

export function createCertificates(options: MtlsOptions, ports: MtlsPorts): Certificates {
  const { skew } = options
  const { now, revocations } = ports
  const trustDomains = new Set(options.trustDomains)
  const rows = options.map.map(compileRow)
  const known = new Map<string, Known>()
  const principals = new WeakMap<ClientCertificate, Principal | Denial>()
  let authorities: readonly Authority[] = []

  function lookUp(escaped: string): Known {
    const found = known.get(escaped)
    if (found !== undefined) return found
    const made = examine(escaped)
    setBounded(known, escaped, made, MAX_CACHED)
    return made
  }

  function examine(escaped: string): Known {
    const leaf = readLeaf(escaped)
    if (leaf.refusal !== undefined)
      return { fingerprint: leaf.fingerprint, settled: DENIALS[leaf.refusal], windows: [] }
    const { x509, certificate, trustDomain } = leaf
    const { fingerprint } = certificate
    if (trustDomain !== undefined && !trustDomains.has(trustDomain))
      return { fingerprint, settled: DENIALS.trustDomain, windows: [] }
    const windows = windowsOf(x509, trustDomain, authorities)
    return { fingerprint, settled: windows.length === 0 ? DENIALS.chain : certificate, windows }
  }

  function makeOrRefuse(certificate: ClientCertificate): Principal | Denial {
    for (const row of rows) {
      const names = row.uri === undefined ? certificate.dnsNames : certificate.uris
      const name = names.find((one) => matchesPattern(row.pattern, one))
      if (name !== undefined) return principalOf(row, name, certificate)
    }
    return DENIALS.unmapped
  }

  return {
    read(escaped) {
      const { settled, windows } = lookUp(escaped)
      if ('code' in settled) return settled
      const at = now()
      if (at + skew < settled.notBefore) return DENIALS.notYetValid
      if (at - skew > settled.notAfter) return DENIALS.expired
      if (!isWithin(windows, at, skew)) return DENIALS.authorityExpired
      return revocations.isRevoked('fingerprint', settled.fingerprint) ? REVOKED : settled
    },
    principal(certificate) {
      let principal = principals.get(certificate)
      if (principal === undefined) {
        principal = makeOrRefuse(certificate)
        principals.set(certificate, principal)
      }
      if ('code' in principal) return principal
      return revocations.isRevoked('subject', principal.subject) ? REVOKED : principal
    },
    peerOf(request) {
      const escaped = header(request, CERTIFICATE_HEADER)
      const fingerprint = escaped === undefined || escaped === '' ? undefined : lookUp(escaped).fingerprint
      return fingerprint ?? realIp(request)
    },
    reload(bytes) {
      const read = readAuthorities(bytes.toString('latin1'))
      if (typeof read === 'string') return read
      authorities = read
      known.clear()
      return undefined
    },
    ready: () => authorities.length > 0,
  }
}

function compileRow(row: MapRow): CompiledRow {
  const pattern =
    row.uri === undefined ? compilePattern('dns', row.dns ?? '') : compilePattern('uri', row.uri)
  // The config refuses such a row with its place; this is for a caller who came another way.
  if (typeof pattern === 'string') throw new TypeError(`auth.mtls.map: ${pattern}`)
  return { ...row, pattern }
}

function principalOf(row: CompiledRow, name: string, certificate: ClientCertificate): Principal {
  return makePrincipal({
    method: 'mtls',
    id: `mtls:${name}`,
    subject: row.subject ?? name,
    tenant: row.tenant,
    roles: row.roles,
    scopes: row.scopes,
    fingerprint: certificate.fingerprint,
    spiffeId: certificate.uris.find(isSpiffe),
    binding: 'mtls',
    expiresAt: certificate.notAfter,
  })
}

function isWithin(windows: readonly Window[], at: number, skew: number): boolean {
  for (const { from, until } of windows) if (at + skew >= from && at - skew <= until) return true
  return false
}
