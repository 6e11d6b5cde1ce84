// Who calls: what an authenticator found out, in one shape for all of them.

export type AuthMethod = 'none' | 'stdio' | 'oauth' | 'api-key' | 'mtls'

/** Rate of one caller: requests per minute, and how many of them may come at once. */
export interface Rate {
  readonly perMinute: number
  readonly burst: number
}

/**
 * A verified caller. Immutable and free of secrets; the same object serves every call of a cached credential. What a credential narrows
 * (`tools`, `rate`, `expiresAt`) can only take away from what policy and limits give.
 */
export interface Principal {
  readonly method: AuthMethod
  /** One name over all issuers and methods: limits, approvals and replay are counted by it. */
  readonly id: string
  /** `sub` of a token, the owner's id of a key record, the SPIFFE ID or DNS name of a certificate. */
  readonly subject: string
  /** `iss` of a token. */
  readonly issuer: string | undefined
  /** `client_id` or `azp` of a token. */
  readonly client: string | undefined
  /** The only source of the tenant: never an argument, never a header. */
  readonly tenant: string | undefined
  readonly roles: readonly string[]
  readonly scopes: readonly string[]
  /** Id of the API key record; never the key. */
  readonly keyId: string | undefined
  /** Person or team that answers for an API key. */
  readonly owner: string | undefined
  /** `jti` of a token. */
  readonly tokenId: string | undefined
  /** SHA-256 of the client certificate that took part in the decision, lower-case hex. */
  readonly fingerprint: string | undefined
  readonly spiffeId: string | undefined
  /** How the credential is bound to its sender (RFC 8705, RFC 9449). */
  readonly binding: 'none' | 'mtls' | 'dpop'
  /** Subjects of the `act` chain, the newest first (RFC 8693 4.1). */
  readonly actors: readonly string[]
  /** Where set, only these: `tool` or `tool:pattern` as in a policy. */
  readonly tools: readonly string[] | undefined
  readonly rate: Rate | undefined
  /** Milliseconds since the epoch. */
  readonly expiresAt: number | undefined
}

/** A principal with everything absent that is not given, so that all of them have one shape. */
export function makePrincipal(
  given: Pick<Principal, 'method' | 'id' | 'subject'> & Partial<Principal>,
): Principal {
  return Object.freeze({
    method: given.method,
    id: given.id,
    subject: given.subject,
    issuer: given.issuer,
    client: given.client,
    tenant: given.tenant,
    roles: given.roles ?? [],
    scopes: given.scopes ?? [],
    keyId: given.keyId,
    owner: given.owner,
    tokenId: given.tokenId,
    fingerprint: given.fingerprint,
    spiffeId: given.spiffeId,
    binding: given.binding ?? 'none',
    actors: given.actors ?? [],
    tools: given.tools,
    rate: given.rate,
    expiresAt: given.expiresAt,
  })
}

/** The caller of a request that nobody has vouched for yet, or that was refused before anybody could. */
export const ANONYMOUS: Principal = makePrincipal({ method: 'none', id: 'anonymous', subject: 'anonymous' })

/** The role of callers without an authenticator: TCP loopback and stdio. */
export const LOCAL_ROLE = 'local'

/** The scopes of this service; a mutating effect needs its own or a stronger one (mcp.md 4, MUST 7; seed 003's "trade scope"). */
export const SCOPES = {
  read: 'ductape:read',
  write: 'ductape:write',
  destructive: 'ductape:destructive',
  admin: 'ductape:configure',
} as const

/** Scope of the administrative endpoints. */
export const ADMIN_SCOPE = 'ductape:admin'

/** Scope of the person who approves calls. */
export const APPROVE_SCOPE = 'ductape:approve'
