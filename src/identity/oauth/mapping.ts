// Makes a principal of verified claims by the mapping of their issuer: subject, client, tenant, roles, scopes, actors, binding.
import type { Json, JsonObject } from '../../core/json.ts'
import { makePrincipal, type Principal } from '../../core/principal.ts'
import { isName } from './claims.ts'
import { type ClaimPath, claimAt, compilePath } from './path.ts'
import type { Reason } from './reasons.ts'

/** As in the configuration: paths as text. */
export interface MappingOptions {
  readonly issuer: string
  readonly claims: {
    readonly subject: string
    readonly client: readonly string[]
    readonly tenant?: string | undefined
    readonly roles: string
    readonly scopes: readonly string[]
  }
  readonly tenant?: string | undefined
  readonly roles?: Readonly<Record<string, readonly string[]>> | undefined
  readonly scopes?: Readonly<Record<string, readonly string[]>> | undefined
  readonly requireBinding: 'none' | 'any' | 'dpop' | 'mtls'
}

type Names = ReadonlyMap<string, readonly string[]>

export interface Mapping {
  readonly issuer: string
  readonly subject: ClaimPath
  readonly client: readonly ClaimPath[]
  readonly tenantPath: ClaimPath | undefined
  readonly tenant: string | undefined
  readonly rolesPath: ClaimPath
  readonly roles: Names | undefined
  readonly scopesPaths: readonly ClaimPath[]
  readonly scopes: Names | undefined
  readonly requireBinding: MappingOptions['requireBinding']
}

export function compileMapping(options: MappingOptions): Mapping {
  const names = (map: Readonly<Record<string, readonly string[]>> | undefined): Names | undefined =>
    map === undefined ? undefined : new Map(Object.entries(map))
  return {
    issuer: options.issuer,
    subject: compilePath(options.claims.subject),
    client: options.claims.client.map(compilePath),
    tenantPath: options.claims.tenant === undefined ? undefined : compilePath(options.claims.tenant),
    tenant: options.tenant,
    rolesPath: compilePath(options.claims.roles),
    roles: names(options.roles),
    scopesPaths: options.claims.scopes.map(compilePath),
    scopes: names(options.scopes),
    requireBinding: options.requireBinding,
  }
}

/** A principal with what its token is bound to: both are looked at on every call. */
export interface Identity {
  readonly principal: Principal
  /** Thumbprint of the client certificate (RFC 8705 3.1). */
  readonly certificate: string | undefined
  /** Thumbprint of the DPoP key (RFC 9449 6.1). */
  readonly jkt: string | undefined
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** The claims have passed checkClaims. A reason where one of them cannot be used. */
export function mapClaims(claims: JsonObject, mapping: Mapping): Identity | Reason {
  const subject = claimAt(claims, mapping.subject)
  if (!isName(subject)) return 'subject'
  const client = firstAt(claims, mapping.client)
  if (client !== undefined && !isName(client)) return 'client'
  let { tenant } = mapping
  if (mapping.tenantPath !== undefined) {
    const claimed = claimAt(claims, mapping.tenantPath)
    // Refused where it is missing: without a tenant, rules that bind one would not apply.
    if (!isName(claimed, MAX_VALUE)) return 'tenant'
    tenant = claimed
  }
  const roles = valuesOf(claimAt(claims, mapping.rolesPath), mapping.roles, isRole)
  if (roles === undefined) return 'roles'
  const scopeClaim = firstAt(claims, mapping.scopesPaths)
  const scopes = valuesOf(
    typeof scopeClaim === 'string' ? scopeClaim.split(' ').filter(Boolean) : scopeClaim,
    mapping.scopes,
    isScope,
  )
  if (scopes === undefined) return 'scopes'
  const actors = actorsOf(claims['act'])
  if (actors === undefined) return 'actors'
  const bound = bindingOf(claims['cnf'])
  if (bound === undefined) return 'confirmation'
  const { certificate, jkt } = bound
  if (!isBoundEnough(bound, mapping.requireBinding)) return 'unbound'
  const expiresAt = (claims['exp'] as number) * 1000
  const principal = makePrincipal({
    method: 'oauth',
    id: `oauth:${mapping.issuer}|${subject}`,
    subject,
    issuer: mapping.issuer,
    client,
    tenant,
    roles,
    scopes,
    tokenId: claims['jti'] as string | undefined,
    fingerprint:
      certificate === undefined ? undefined : Buffer.from(certificate, 'base64url').toString('hex'),
    binding: jkt !== undefined ? 'dpop' : certificate !== undefined ? 'mtls' : 'none',
    actors,
    expiresAt,
  })
  return { principal, certificate, jkt, expiresAt }
}

function firstAt(claims: JsonObject, paths: readonly ClaimPath[]): Json | undefined {
  for (const path of paths) {
    const value = claimAt(claims, path)
    if (value !== undefined) return value
  }
  return undefined
}

const MAX_VALUES = 100
const MAX_VALUE = 128
const NONE: readonly string[] = Object.freeze([])

// RFC 6749 3.3.
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/
const isRole = (value: string): boolean => isName(value, MAX_VALUE)
const isScope = (value: string): boolean => value.length <= MAX_VALUE && SCOPE.test(value)

/** Each value once; through the map of the configuration where there is one, which then alone says what counts. Undefined = malformed or too many. */
function valuesOf(
  claim: Json | undefined,
  map: Names | undefined,
  isGood: (value: string) => boolean,
): readonly string[] | undefined {
  if (claim === undefined) return NONE
  const given = typeof claim === 'string' ? [claim] : claim
  if (!Array.isArray(given)) return undefined
  const values = new Set<string>()
  for (const value of given) {
    if (typeof value !== 'string') return undefined
    if (map !== undefined) for (const mapped of map.get(value) ?? NONE) values.add(mapped)
    else if (isGood(value)) values.add(value)
    else return undefined
  }
  return values.size <= MAX_VALUES ? Object.freeze([...values]) : undefined
}

const MAX_ACTORS = 5

/** Subjects of the chain, the newest first (RFC 8693 4.1); undefined = malformed or too long. */
function actorsOf(act: Json | undefined): readonly string[] | undefined {
  const actors: string[] = []
  for (let actor = act; actor !== undefined; actor = claimAt(actor, ['act'])) {
    const subject = claimAt(actor, ['sub'])
    if (!isName(subject) || actors.length === MAX_ACTORS) return undefined
    actors.push(subject)
  }
  return Object.freeze(actors)
}

interface Binding {
  readonly certificate: string | undefined
  readonly jkt: string | undefined
}

const UNBOUND: Binding = { certificate: undefined, jkt: undefined }
const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/
const isThumbprint = (value: Json | undefined): value is string | undefined =>
  value === undefined || (typeof value === 'string' && THUMBPRINT.test(value))

/** Undefined where the token is bound to something that cannot be checked here. Unknown members beside a known one are no harm (Keycloak sends `kc-jkt-type`). */
function bindingOf(cnf: Json | undefined): Binding | undefined {
  if (cnf === undefined) return UNBOUND
  const certificate = claimAt(cnf, ['x5t#S256'])
  const jkt = claimAt(cnf, ['jkt'])
  if (!isThumbprint(certificate) || !isThumbprint(jkt)) return undefined
  return certificate === undefined && jkt === undefined ? undefined : { certificate, jkt }
}

function isBoundEnough({ certificate, jkt }: Binding, required: Mapping['requireBinding']): boolean {
  if (required === 'dpop') return jkt !== undefined
  if (required === 'mtls') return certificate !== undefined
  return required === 'none' || jkt !== undefined || certificate !== undefined
}
