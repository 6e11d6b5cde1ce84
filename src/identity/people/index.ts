// The people who approve calls: which tokens are theirs, and what the approval page signs in with.
import { APPROVE_SCOPE } from '../../core/principal.ts'
import type { TokenAuthenticator } from '../authenticator.ts'
import { type Challenges, prepareChallenges } from '../challenge.ts'
import { discover, type Fetch, FetchFault, type FetchProblem, urlOf } from '../oauth/discovery.ts'
import type { OauthAuthenticator } from '../oauth/index.ts'

export interface PeopleOptions {
  readonly peopleUrl: string
  readonly issuer: string
  readonly clientId: string
  readonly audience?: readonly string[] | undefined
  readonly requestScopes: readonly string[]
  readonly resource: boolean
  readonly dpopAlgorithms: readonly string[]
}

export interface PeoplePorts {
  fetch: Fetch
  /** Monotonic milliseconds. */
  tick(): number
  onEvent(name: 'sign_in_failed', fields: { issuer: string; problem: FetchProblem }): void
}

/** What the page needs to sign a person in: all of it is public. */
export interface SignIn {
  readonly issuer: string
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  /** The issuer names itself in its answers (RFC 9207). */
  readonly issParameter: boolean
  readonly clientId: string
  readonly scope: string
  readonly resource: string | undefined
  readonly redirectUri: string
}

export interface People {
  readonly authenticator: TokenAuthenticator
  readonly challenges: Challenges
  /** Undefined while the metadata of the issuer cannot be had. Never rejects. */
  signIn(): Promise<SignIn | undefined>
}

const PAGE_PATH = '/approvals'

/** Milliseconds. */
const FRESH = 600_000
const RETRY = 10_000

export function createPeople(
  options: PeopleOptions,
  oauth: OauthAuthenticator,
  { fetch, tick, onEvent }: PeoplePorts,
): People {
  const { issuer, peopleUrl, clientId } = options

  let known: SignIn | undefined
  let loadedAt = Number.NEGATIVE_INFINITY
  let failedAt = Number.NEGATIVE_INFINITY
  let underWay: Promise<void> | undefined

  async function load(): Promise<void> {
    try {
      const metadata = await discover(fetch, issuer)
      const authorizationEndpoint = urlOf(metadata, 'authorization_endpoint', issuer)
      const tokenEndpoint = urlOf(metadata, 'token_endpoint', issuer)
      if (authorizationEndpoint === undefined || tokenEndpoint === undefined)
        throw new FetchFault('endpoints_refused')
      known = {
        issuer,
        authorizationEndpoint,
        tokenEndpoint,
        issParameter: metadata['authorization_response_iss_parameter_supported'] === true,
        clientId,
        scope: options.requestScopes.join(' '),
        resource: options.resource ? (options.audience?.[0] ?? peopleUrl) : undefined,
        redirectUri: peopleUrl + PAGE_PATH,
      }
      loadedAt = tick()
    } catch (error) {
      // What was known still serves: endpoints hardly ever move.
      failedAt = tick()
      onEvent('sign_in_failed', { issuer, problem: error instanceof FetchFault ? error.problem : 'not_json' })
    }
  }

  return {
    authenticator: oauth,
    challenges: prepareChallenges({
      publicUrl: peopleUrl,
      issuers: [issuer],
      baseline: [APPROVE_SCOPE],
      dpopAlgorithms: options.dpopAlgorithms,
      resource: '',
    }),
    async signIn() {
      if (tick() - loadedAt >= FRESH && tick() - failedAt >= RETRY) {
        underWay ??= load().finally(() => {
          underWay = undefined
        })
        await underWay
      }
      return known
    },
  }
}
