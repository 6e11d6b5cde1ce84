// Decides about OAuth 2.1 access tokens: each is verified once and remembered; what can change is checked on every call (RFC 9068, RFC 8725, RFC 8705, RFC 9449).
import { hash } from 'node:crypto'
import { setBounded } from '../../core/bounded.ts'
import { type Denial, deny } from '../../core/denials.ts'
import type { Revocations } from '../../core/runtime.ts'
import type { DpopVerifier, Presented, TokenAuthenticator, Verified } from '../authenticator.ts'
import { isCallerRevoked } from '../revocations/index.ts'
import { type ClaimRules, checkClaims } from './claims.ts'
import type { Fetch, FetchProblem } from './discovery.ts'
import { createIssuerKeys, type IssuerKeys, type PublishedKey } from './keys.ts'
import { compileMapping, type Identity, type Mapping, type MappingOptions, mapClaims } from './mapping.ts'
import { PROOF_REASONS, REASONS, type Reason } from './reasons.ts'
import { type Algorithm, isSignedBy } from './signature.ts'
import { readToken, type UnverifiedToken } from './token.ts'

export type { Fetch, FetchProblem } from './discovery.ts'

export interface IssuerOptions extends MappingOptions {
  /** Exact strings (RFC 8707); undefined = publicUrl. */
  readonly audience?: readonly string[] | undefined
  /** Audiences of another kind of caller; a token that names one of them is refused. */
  readonly foreign?: readonly string[] | undefined
  readonly tokenType: 'at+jwt' | 'jwt'
  readonly jwksUri?: string | undefined
  readonly algorithms: readonly Algorithm[]
}

/** The section `auth.oauth` of the configuration, with publicUrl. */
export interface OauthOptions {
  readonly publicUrl: string
  readonly issuers: readonly IssuerOptions[]
  /** Milliseconds. */
  readonly skew: number
  readonly maxLifetime: number
  readonly maxTokenBytes: number
}

export interface OauthPorts {
  /** Called with the issuer as configured: each has its own trust and network rules. */
  fetch: Fetch
  /** Monotonic milliseconds. */
  tick(): number
  revocations: Revocations
  dpop: DpopVerifier
  /** Fields from closed sets and the configuration. */
  onEvent(name: 'oauth_keys_loaded' | 'oauth_keys_failed', fields: Record<string, string | number>): void
}

/** What doctor shows of one issuer. */
export interface IssuerFinding {
  readonly issuer: string
  /** Keys that can verify tokens; 0 is as bad as a problem. */
  readonly keys: number
  readonly problem: FetchProblem | undefined
}

export interface OauthStats {
  /** Tokens remembered. */
  readonly cached: number
  readonly hits: number
  readonly misses: number
  readonly issuers: readonly { issuer: string; keys: number; fetches: number; failures: number }[]
}

export interface OauthAuthenticator extends TokenAuthenticator {
  /** Forgets every verified token. */
  drop(): void
  stats(): OauthStats
  /** Fetches the keys of every issuer now. Never rejects. */
  check(): Promise<readonly IssuerFinding[]>
}

interface Issuer {
  readonly rules: ClaimRules
  readonly mapping: Mapping
  readonly algorithms: ReadonlySet<string>
  readonly keys: IssuerKeys
}

/** What is remembered of a verified token: its claims, never the token. */
interface Remembered extends Identity {
  readonly key: PublishedKey
  /** Milliseconds since the epoch. */
  readonly until: number
}

const MAX_REMEMBERED = 10_000
const REMEMBER_MS = 60_000

export function createOauth(options: OauthOptions, ports: OauthPorts): OauthAuthenticator {
  const { revocations, dpop } = ports
  const issuers = options.issuers.map((one) => prepareIssuer(one, options, ports))
  const byName = new Map<unknown, Issuer>(issuers.map((one) => [one.mapping.issuer, one]))
  const remembered = new Map<string, Remembered>()
  let hits = 0
  let misses = 0

  function verify(presented: Presented, digest: string): Verified | Promise<Verified> {
    const read = readToken(presented.token)
    if (typeof read === 'string') return refuse(read)
    const issuer = byName.get(read.claims['iss'])
    if (issuer === undefined) return refuse('issuer')
    if (!issuer.algorithms.has(read.alg)) return refuse('algorithm')
    // Before the keys: a token that is bad anyway must cost no fetch and no signature.
    const bad = checkClaims(read.claims, read.typ, issuer.rules, presented.now / 1000)
    if (bad !== undefined) return refuse(bad)
    const found = issuer.keys.find(read.alg as Algorithm, read.kid)
    return found instanceof Promise
      ? found.then((key) => conclude(presented, digest, read, issuer, key))
      : conclude(presented, digest, read, issuer, found)
  }

  function conclude(
    presented: Presented,
    digest: string,
    read: UnverifiedToken,
    issuer: Issuer,
    key: PublishedKey | 'unknown' | number,
  ): Verified | Promise<Verified> {
    if (key === 'unknown') return refuse('key')
    if (typeof key === 'number') return { code: 'issuer_unavailable', retryAfterMs: Math.ceil(key) }
    if (!isSignedBy(read.token, read.alg as Algorithm, key.key)) return refuse('signature')
    const identity = mapClaims(read.claims, issuer.mapping)
    if (typeof identity === 'string') return refuse(identity)
    const until = Math.min(identity.expiresAt, presented.now + REMEMBER_MS)
    setBounded(remembered, digest, { ...identity, key, until }, MAX_REMEMBERED)
    return admit(identity, presented)
  }

  /** What a verified token still has to pass on every call. */
  function admit(identity: Identity, presented: Presented): Verified | Promise<Verified> {
    const { principal, certificate, jkt } = identity
    if (isCallerRevoked(revocations, principal)) return deny('token_revoked')
    // RFC 8705 3: the certificate of this very connection.
    if (certificate !== undefined && presented.certificate?.thumbprint !== certificate)
      return deny('proof_invalid', PROOF_REASONS.certificate)
    if (jkt === undefined) return presented.scheme === 'dpop' ? refuse('scheme') : principal
    // RFC 9449 7.2: else whoever stole the token could simply leave the proof out.
    if (presented.scheme !== 'dpop') return deny('proof_invalid', PROOF_REASONS.bearer)
    const refused = dpop.verify(presented, jkt)
    return refused instanceof Promise ? refused.then((denial) => denial ?? principal) : (refused ?? principal)
  }

  return {
    // No API key holds a dot.
    isResponsible: (token) => token.includes('.'),
    authenticate(presented) {
      if (presented.token.length > options.maxTokenBytes) return refuse('size')
      const digest = hash('sha256', presented.token, 'base64url')
      const known = remembered.get(digest)
      if (known !== undefined) {
        if (presented.now < known.until && known.key.current) {
          hits++
          return admit(known, presented)
        }
        remembered.delete(digest)
      }
      misses++
      return verify(presented, digest)
    },
    drop: () => remembered.clear(),
    stats: () => ({
      cached: remembered.size,
      hits,
      misses,
      issuers: issuers.map(({ mapping, keys }) => ({ issuer: mapping.issuer, ...keys.stats() })),
    }),
    check: () =>
      Promise.all(
        issuers.map(async ({ mapping, keys }) => {
          const problem = await keys.refresh()
          return { issuer: mapping.issuer, keys: keys.stats().keys, problem }
        }),
      ),
  }
}

const refuse = (reason: Reason): Denial => deny('token_invalid', REASONS[reason])

function prepareIssuer(one: IssuerOptions, options: OauthOptions, ports: OauthPorts): Issuer {
  const { issuer } = one
  return {
    rules: {
      tokenType: one.tokenType,
      audience: one.audience ?? [options.publicUrl],
      foreign: one.foreign ?? [],
      skew: options.skew / 1000,
      maxLifetime: options.maxLifetime / 1000,
    },
    mapping: compileMapping(one),
    algorithms: new Set(one.algorithms),
    keys: createIssuerKeys(
      { issuer, jwksUri: one.jwksUri },
      {
        fetch: ports.fetch,
        tick: ports.tick,
        onLoad: (keys, removed) => ports.onEvent('oauth_keys_loaded', { issuer, keys, removed }),
        onFailure: (problem, usable) =>
          ports.onEvent('oauth_keys_failed', { issuer, problem, serving: usable ? 'last_keys' : 'nothing' }),
      },
    ),
  }
}
