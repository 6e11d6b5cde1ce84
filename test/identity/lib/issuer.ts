// A real authorization server (oidc-provider) on loopback: client credentials, code with PKCE, resource indicators, DPoP, certificate-bound tokens, key rotation.
import { X509Certificate } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { type Context, errors, type Interaction, Provider } from 'oidc-provider'
import * as client from 'openid-client'
import { listenLocal } from '../../lib/ports.ts'

export interface IssuerOptions {
  /** Resource indicators (RFC 8707) that tokens can be had for. */
  resources: readonly string[]
  /** Claims that every access token gets. */
  claims?: Readonly<Record<string, unknown>>
  /** Seconds. */
  lifetime?: number
  scopes?: readonly string[]
  /** Path behind the origin, as a tenant of a larger server has. */
  path?: string
}

export interface TokenRequest {
  resource: string
  scope?: string
  /** Binds the token to this key (RFC 9449); make one with `newDpopKey`. */
  dpop?: client.CryptoKeyPair
  /** PEM of the client certificate that the token is bound to (RFC 8705 3). */
  certificate?: string
}

export interface Issuer {
  /** Value of `iss`. */
  readonly url: string
  /** Paths that were asked for, in turn. */
  readonly requests: string[]
  /** Set to answer in place of the server; returns true where it has. */
  intercept: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined
  clientCredentials(request: TokenRequest): Promise<string>
  /** A person logs in and consents; PKCE with S256. */
  authorizationCode(request: TokenRequest): Promise<{ accessToken: string; idToken: string }>
  /** Signs with a new key from now on and publishes [new, old]; answers the new `kid`. */
  rotate(): Promise<string>
  /** Publishes only the key that signs. */
  retire(): void
  /** Private JWK that signs now, for tokens that no honest server would make. */
  signingKey(): JWK
  close(): Promise<void>
}

export const AGENT = 'agent'
export const PERSON = 'ada'
/** Its tokens are bound to its client certificate. */
export const BOUND_AGENT = 'bound-agent'
export const PERSON_CLIENT = 'desk'
const SECRET = 'secret-of-the-test-agent'
const REDIRECT = 'http://127.0.0.1/callback'
/** Stands for the TLS handshake: a proxy in front would forward the certificate in much the same way. */
const CERTIFICATE_HEADER = 'x-test-certificate'

export const newDpopKey = (): Promise<client.CryptoKeyPair> => client.randomDPoPKeyPair('ES256')

let made = 0

async function newKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  return { ...(await exportJWK(privateKey)), kid: `es-${++made}`, use: 'sig', alg: 'ES256' }
}

export async function startIssuer(options: IssuerOptions): Promise<Issuer> {
  const requests: string[] = []
  let handle: (request: IncomingMessage, response: ServerResponse) => void = () => undefined
  const server = createServer((request, response) => {
    requests.push(request.url ?? '')
    if (issuer.intercept?.(request, response) !== true) handle(request, response)
  })
  const port = await listenLocal(server)
  const path = options.path ?? ''
  const url = `http://127.0.0.1:${port}${path}`
  let keys: [JWK, ...JWK[]] = [await newKey()]

  /** Its keys are fixed when it is made, so that a rotation makes another one. */
  function serve(): void {
    const provider = new Provider(url, configuration(options, keys))
    const answer = provider.callback()
    handle = (request, response) => {
      // Mounted below a path, as a server with several tenants is.
      if (path !== '' && request.url?.startsWith(path)) request.url = request.url.slice(path.length) || '/'
      const login = /^\/interaction\//.test(request.url ?? '')
      if (login) void logIn(provider, request, response)
      else answer(request, response)
    }
  }

  async function configured(id: string, fields: Partial<TokenRequest>): Promise<client.Configuration> {
    const authentication = id === PERSON_CLIENT ? client.None() : client.ClientSecretBasic(SECRET)
    const found = await client.discovery(new URL(url), id, undefined, authentication, {
      execute: [client.allowInsecureRequests],
    })
    const { certificate } = fields
    if (certificate !== undefined) {
      found[client.customFetch] = (to, init) =>
        fetch(to, {
          ...(init as RequestInit),
          headers: { ...init.headers, [CERTIFICATE_HEADER]: encodeURIComponent(certificate) },
        })
    }
    return found
  }

  const proof = (config: client.Configuration, request: TokenRequest): client.DPoPOptions | undefined =>
    request.dpop === undefined ? undefined : { DPoP: client.getDPoPHandle(config, request.dpop) }

  const issuer: Issuer = {
    url,
    requests,
    intercept: undefined,
    async clientCredentials(request) {
      const config = await configured(request.certificate === undefined ? AGENT : BOUND_AGENT, request)
      const { resource, scope = 'ductape:read' } = request
      const answer = await client.clientCredentialsGrant(config, { resource, scope }, proof(config, request))
      return answer.access_token
    },
    async authorizationCode(request) {
      const config = await configured(PERSON_CLIENT, request)
      const verifier = client.randomPKCECodeVerifier()
      const { resource, scope = 'openid ductape:read' } = request
      const start = client.buildAuthorizationUrl(config, {
        redirect_uri: REDIRECT,
        scope,
        resource,
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      })
      const back = await followLogin(start)
      const answer = await client.authorizationCodeGrant(
        config,
        back,
        { pkceCodeVerifier: verifier, idTokenExpected: true },
        { resource },
        proof(config, request),
      )
      return { accessToken: answer.access_token, idToken: answer.id_token ?? '' }
    },
    async rotate() {
      const next = await newKey()
      keys = [next, keys[0]]
      serve()
      return next.kid ?? ''
    },
    retire() {
      keys = [keys[0]]
      serve()
    },
    signingKey: () => keys[0],
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  serve()
  return issuer
}

function configuration(options: IssuerOptions, keys: readonly JWK[]): Record<string, unknown> {
  const scopes = options.scopes ?? ['ductape:read', 'ductape:write', 'ductape:admin']
  return {
    jwks: { keys },
    clients: [
      ...[AGENT, BOUND_AGENT].map((id) => ({
        client_id: id,
        client_secret: SECRET,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        id_token_signed_response_alg: 'ES256',
        tls_client_certificate_bound_access_tokens: id === BOUND_AGENT,
      })),
      {
        client_id: PERSON_CLIENT,
        application_type: 'native',
        grant_types: ['authorization_code'],
        redirect_uris: [REDIRECT],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
        id_token_signed_response_alg: 'ES256',
      },
    ],
    cookies: { keys: ['only for tests'] },
    scopes: ['openid', ...scopes],
    findAccount: (_context: Context, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
    interactions: {
      url: (_context: Context, { uid }: Interaction) => `${options.path ?? ''}/interaction/${uid}`,
    },
    extraTokenClaims: () => ({ ...options.claims }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        getCertificate: (context: Context) => {
          const sent = context.get(CERTIFICATE_HEADER)
          return sent === '' ? undefined : new X509Certificate(decodeURIComponent(sent))
        },
      },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context: Context, resource: string) => {
          if (!options.resources.includes(resource)) throw new errors.InvalidTarget()
          return {
            scope: scopes.join(' '),
            audience: resource,
            accessTokenFormat: 'jwt',
            accessTokenTTL: options.lifetime ?? 300,
            jwt: { sign: { alg: 'ES256' } },
          }
        },
      },
    },
  }
}

/** Says yes to everything, as one person. */
async function logIn(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { params, prompt } = await provider.interactionDetails(request, response)
  if (prompt.name === 'login') {
    await provider.interactionFinished(request, response, { login: { accountId: PERSON } })
    return
  }
  const grant = new provider.Grant({ accountId: PERSON, clientId: String(params['client_id']) })
  grant.addOIDCScope(String(params['scope']))
  grant.addResourceScope(String(params['resource']), String(params['scope']))
  await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } })
}

/** A browser with cookies, as far as the way from the authorization endpoint back to the client. */
async function followLogin(start: URL): Promise<URL> {
  const cookies = new Map<string, string>()
  let next = start
  for (let hop = 0; hop < 10; hop++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(next, { redirect: 'manual', headers: { cookie } })
    await answer.arrayBuffer()
    for (const set of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(set) ?? []
      if (name !== undefined) cookies.set(name, value ?? '')
    }
    const location = answer.headers.get('location')
    if (location === null) throw new Error(`no redirect but status ${answer.status} at ${next.pathname}`)
    next = new URL(location, next)
    if (next.href.startsWith(REDIRECT)) return next
  }
  throw new Error('the login does not end')
}
