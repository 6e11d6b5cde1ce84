// Puts the authenticators of a configuration together: the stage, what a refused caller is told, and the files that they depend on.
import type { Fleet } from '../core/fleet.ts'
import type { HttpRequest } from '../core/http.ts'
import { LOCAL_ROLE, makePrincipal, type Principal, SCOPES } from '../core/principal.ts'
import type { Revocations } from '../core/runtime.ts'
import type { Store } from '../core/store.ts'
import { type ApiKeyOptions, createApiKeys } from './apikey/index.ts'
import type { TokenAuthenticator } from './authenticator.ts'
import { type Challenges, prepareChallenges } from './challenge.ts'
import { createDpop, DPOP_ALGORITHMS } from './dpop/index.ts'
import { createCertificates, type MtlsOptions } from './mtls/index.ts'
import type { IssuerOptions, OauthOptions, OauthPorts } from './oauth/index.ts'
import { realIp } from './peer.ts'
import type { People, PeopleOptions } from './people/index.ts'
import { isCallerRevoked } from './revocations/index.ts'
import type { IdentityOptions, Proof } from './stage.ts'

export { KEY_PREFIX } from './apikey/index.ts'

export interface IdentityConfig {
  readonly require: readonly Proof[]
  readonly oauth?: Omit<OauthOptions, 'publicUrl'> | undefined
  readonly apiKeys?: ApiKeyOptions | undefined
  readonly mtls?: (MtlsOptions & { readonly ca: { readonly file: string } }) | undefined
  readonly people?: (Omit<IssuerOptions, 'roles' | 'requireBinding'> & PeopleSettings) | undefined
  readonly dpop: { readonly maxAge: number; readonly nonce: 'off' | 'required' }
}

type PeopleSettings = Omit<PeopleOptions, 'peopleUrl' | 'dpopAlgorithms'>

/** Origins under which the service is reached. */
export interface Origins {
  /** By agents. */
  readonly publicUrl?: string | undefined
  /** By the people who approve calls. */
  readonly peopleUrl?: string | undefined
}

export interface IdentityPorts {
  fetch: OauthPorts['fetch']
  /** Milliseconds since the epoch. */
  now(): number
  /** Monotonic milliseconds. */
  tick(): number
  revocations: Revocations
  store: Store
  fleet: Fleet
  onEvent(name: string, fields?: Record<string, string | number>): void
}

export interface Identity {
  /** True where somebody can be identified. */
  readonly configured: boolean
  /** Of the stage, all but the paths that it leaves open. */
  readonly options: Omit<IdentityOptions, 'isOpen' | 'people'>
  readonly challenges: Challenges
  /** The people who approve calls; undefined where nobody can. */
  readonly people: People | undefined
  /** Names the peer of a request over the unix socket: the certificate's SHA-256, else X-Real-IP, else `unix`. */
  peerOf: ((request: HttpRequest) => string) | undefined
  /** Files whose bytes the authenticators want, at the start and at each change. */
  readonly files: readonly { path: string; apply(bytes: Buffer): string | undefined }[]
  /** Why nobody can be identified in one of the configured ways. */
  notReady(): readonly string[]
  /** True where the caller, who was let in with the head of the request, has been revoked since. */
  isRevoked(principal: Principal): boolean
  /** Forgets what has been verified: after a reload everything is looked at again. */
  drop(): void
}

/** Callers without an authenticator: TCP loopback. */
export const LOCAL: Principal = makePrincipal({
  method: 'none',
  id: 'local',
  subject: 'local',
  roles: [LOCAL_ROLE],
})

/** The user who started the process that speaks over stdio. */
export const stdioPrincipal = (user: string): Principal =>
  makePrincipal({ method: 'stdio', id: `local:${user}`, subject: `local:${user}`, roles: [LOCAL_ROLE] })

export async function createIdentity(
  config: IdentityConfig | undefined,
  { publicUrl, peopleUrl }: Origins,
  unix: boolean,
  ports: IdentityPorts,
): Promise<Identity> {
  const { now, revocations } = ports
  const dpop =
    config?.oauth === undefined || publicUrl === undefined
      ? undefined
      : createDpop({ publicUrl, ...config.dpop, store: ports.store, fleet: ports.fleet })
  const oauth =
    config?.oauth === undefined || publicUrl === undefined || dpop === undefined
      ? undefined
      : // The token libraries are a quarter of the memory of a service that takes none.
        (await import('./oauth/index.ts')).createOauth(
          {
            ...config.oauth,
            publicUrl,
            issuers: config.oauth.issuers.map(withAudience(publicUrl, peopleUrl, config)),
          },
          { ...ports, dpop },
        )
  const personal =
    config?.people === undefined || peopleUrl === undefined
      ? undefined
      : await preparePeople(config.people, config, { publicUrl, peopleUrl }, ports)
  const tokens: TokenAuthenticator[] = []
  if (config?.apiKeys !== undefined) tokens.push(createApiKeys(config.apiKeys, { revocations }))
  if (oauth !== undefined) tokens.push(oauth)
  const certificates =
    config?.mtls === undefined ? undefined : createCertificates(config.mtls, { now, revocations })
  // Whatever is missing in it: a section that lets nobody in must not make everybody the local caller.
  const configured = config !== undefined
  const challenges = prepareChallenges({
    publicUrl,
    issuers: config?.oauth?.issuers.map(({ issuer }) => issuer) ?? [],
    baseline: [SCOPES.read],
    dpopAlgorithms: DPOP_ALGORITHMS,
  })

  return {
    configured,
    challenges,
    people: personal?.people,
    options: {
      tokens,
      // On TCP anybody who reaches the port could write the header.
      certificates: unix ? certificates : undefined,
      require: config?.require ?? [],
      local: configured ? undefined : LOCAL,
      challenge: challenges.answer,
      now,
    },
    peerOf: unix ? (certificates?.peerOf ?? realIp) : undefined,
    files:
      certificates === undefined || config?.mtls === undefined
        ? []
        : [{ path: config.mtls.ca.file, apply: certificates.reload }],
    notReady: () =>
      certificates === undefined || certificates.ready()
        ? []
        : ['there are no certificate authorities: the file of auth.mtls.ca is missing or not valid'],
    isRevoked: (principal) => isCallerRevoked(revocations, principal),
    drop() {
      oauth?.drop()
      personal?.drop()
    },
  }
}

/** What the stage needs of them. */
export const peopleCallers = (
  people: People | undefined,
  isTheirs: (path: string) => boolean,
): IdentityOptions['people'] =>
  people && { isTheirs, authenticator: people.authenticator, challenge: people.challenges.answer }

/** Where `auth.oauth` says nothing. */
const TOKEN_LIMITS = { skew: 30_000, maxLifetime: 86_400_000, maxTokenBytes: 8192 }

async function preparePeople(
  settings: NonNullable<IdentityConfig['people']>,
  config: IdentityConfig,
  { publicUrl, peopleUrl }: { publicUrl: string | undefined; peopleUrl: string },
  ports: IdentityPorts,
): Promise<{ people: People; drop(): void }> {
  const [{ createOauth }, { createPeople }] = await Promise.all([
    import('./oauth/index.ts'),
    import('./people/index.ts'),
  ])
  const forAgents = [
    ...(publicUrl === undefined ? [] : resourcesOf(publicUrl)),
    ...(config.oauth?.issuers.flatMap(({ audience }) => audience ?? []) ?? []),
  ]
  const issuer: IssuerOptions = {
    ...settings,
    audience: settings.audience ?? [peopleUrl],
    foreign: forAgents,
    // Nothing here is decided by a role.
    roles: {},
    requireBinding: 'none',
  }
  const dpop = createDpop({ publicUrl: peopleUrl, ...config.dpop, store: ports.store, fleet: ports.fleet })
  const oauth = createOauth(
    { ...TOKEN_LIMITS, ...config.oauth, publicUrl: peopleUrl, issuers: [issuer] },
    { ...ports, dpop },
  )
  const people = createPeople({ ...settings, peopleUrl, dpopAlgorithms: DPOP_ALGORITHMS }, oauth, ports)
  return { people, drop: oauth.drop }
}

/** Both resource identifiers that the metadata publishes (RFC 9728 3.3, RFC 8707 2). */
const resourcesOf = (publicUrl: string): readonly string[] => [publicUrl, `${publicUrl}/mcp`]

/** Agents and people have audiences of their own, and a token for both is for neither. */
const withAudience =
  (publicUrl: string, peopleUrl: string | undefined, { people }: IdentityConfig) =>
  (issuer: IssuerOptions): IssuerOptions => ({
    ...issuer,
    audience: issuer.audience ?? resourcesOf(publicUrl),
    foreign: [...(people?.audience ?? []), ...(peopleUrl === undefined ? [] : [peopleUrl])],
  })
