// The people who approve calls, for tests: a real authorization server with a login form, and the origin under which the page is reached.
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { type Context, errors, type Interaction, Provider } from 'oidc-provider'
import { listenLocal } from '../../lib/ports.ts'
import { PUBLIC_URL } from '../../live/lib/secured.ts'

export const PAGE_CLIENT = 'approvals-page'
/** Another public client, for tokens of agents that a person has started. */
export const DESK_CLIENT = 'desk'
const DESK_REDIRECT = 'http://127.0.0.1/callback'

/** Who can sign in, and in which tenant. */
export const ACCOUNTS: Readonly<Record<string, string>> = { grace: 'acme', ada: 'acme', mallory: 'umbrella' }
const AGENT_SCOPES = ['ductape:read', 'ductape:write', 'ductape:destructive']
const PEOPLE_SCOPES = ['ductape:approve', 'ductape:other']

export interface People {
  /** Stands for nginx and DNS: what is sent there goes to the service, with its Host. */
  readonly peopleUrl: string
  readonly issuer: string
  /** Members of `auth` for a service that believes the issuer. */
  readonly auth: { oauth: object; people: object }
  /** Where the service listens; until then nothing is forwarded. */
  forwardTo(url: string): void
  /** A token that a person got by signing in. */
  tokenOf(account: string, how?: { resource?: string; scope?: string; client?: string }): Promise<string>
  /** An access token of grace as the issuer would not make it. */
  sign(claims: Record<string, unknown>): Promise<string>
  /** Set to answer in place of the issuer; returns true where it has. */
  intercept: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined
  close(): Promise<void>
}

export async function startPeople(): Promise<People> {
  let service: URL | undefined
  const front = createServer((incoming, response) => {
    const { method, url, headers } = incoming
    const onward = request(
      { host: service?.hostname, port: service?.port, method, path: url, headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(response)
      },
    )
    onward.on('error', () => response.destroy())
    incoming.pipe(onward)
  })
  const peopleUrl = `http://127.0.0.1:${await listenLocal(front)}`

  let answer: (request: IncomingMessage, response: ServerResponse) => void = () => undefined
  const login = createServer((incoming, response) => {
    if (people.intercept?.(incoming, response) === true) return
    if (incoming.url?.startsWith('/interaction/')) void interact(provider, incoming, response)
    else answer(incoming, response)
  })
  const issuer = `http://127.0.0.1:${await listenLocal(login)}`
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const key = { ...(await exportJWK(privateKey)), kid: 'people-1', use: 'sig', alg: 'ES256' }
  const provider = new Provider(issuer, configuration(peopleUrl, key))
  answer = provider.callback()

  const people: People = {
    peopleUrl,
    issuer,
    auth: {
      oauth: { issuers: [{ issuer, claims: { tenant: 'tenant' } }] },
      people: { issuer, clientId: PAGE_CLIENT, claims: { tenant: 'tenant' } },
    },
    forwardTo(url) {
      service = new URL(url)
    },
    async tokenOf(account, { resource = peopleUrl, scope = 'ductape:approve', client = PAGE_CLIENT } = {}) {
      const redirect = client === PAGE_CLIENT ? `${peopleUrl}/approvals` : DESK_REDIRECT
      return codeFlow(issuer, { account, resource, scope, client, redirect })
    },
    sign: (claims) =>
      new SignJWT({ client_id: PAGE_CLIENT, tenant: ACCOUNTS['grace'], roles: ['all'], ...claims })
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: key.kid })
        .setIssuer(issuer)
        .setSubject('grace')
        .setJti(crypto.randomUUID())
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(privateKey),
    intercept: undefined,
    close: async () => {
      await Promise.all([front, login].map(end))
    },
  }
  return people
}

const end = (server: Server): Promise<unknown> => {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(resolve))
}

function configuration(peopleUrl: string, key: object): Record<string, unknown> {
  const publicClient = {
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    id_token_signed_response_alg: 'ES256',
  }
  const scopes = [...AGENT_SCOPES, ...PEOPLE_SCOPES]
  return {
    jwks: { keys: [key] },
    clients: [
      { ...publicClient, client_id: PAGE_CLIENT, redirect_uris: [`${peopleUrl}/approvals`] },
      {
        ...publicClient,
        client_id: DESK_CLIENT,
        application_type: 'native',
        redirect_uris: [DESK_REDIRECT],
      },
    ],
    clientBasedCORS: (_context: Context, origin: string, client: { clientId: string }) =>
      client.clientId === PAGE_CLIENT && origin === peopleUrl,
    cookies: { keys: ['only for tests'] },
    scopes: ['openid', ...scopes],
    findAccount: (_context: Context, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
    interactions: { url: (_context: Context, { uid }: Interaction) => `/interaction/${uid}` },
    extraTokenClaims: (_context: Context, { accountId }: { accountId: string }) => ({
      tenant: ACCOUNTS[accountId],
      roles: ['all'],
    }),
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context: Context, resource: string) => {
          if (resource !== PUBLIC_URL && resource !== peopleUrl) throw new errors.InvalidTarget()
          return {
            scope: scopes.join(' '),
            audience: resource,
            accessTokenFormat: 'jwt',
            accessTokenTTL: 600,
            jwt: { sign: { alg: 'ES256' } },
          }
        },
      },
    },
  }
}

const FORM = (
  action: string,
): string => `<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign in</title>
<main><h1>Sign in</h1><form method="post" action="${action}"><label>Account <input name="account" autofocus></label>
<button>Continue</button></form></main>`

/** A form for the account; everything that is asked for after it is granted. */
async function interact(
  provider: Provider,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { params, prompt, session } = (await provider.interactionDetails(incoming, response)) as Awaited<
    ReturnType<Provider['interactionDetails']>
  > & { session?: { accountId: string } }
  if (prompt.name === 'login') {
    if (incoming.method !== 'POST') {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(FORM(incoming.url ?? ''))
      return
    }
    const sent = Buffer.concat(await incoming.toArray()).toString('utf8')
    const accountId = new URLSearchParams(sent).get('account') ?? ''
    if (!Object.hasOwn(ACCOUNTS, accountId)) response.writeHead(403).end('no such account')
    else await provider.interactionFinished(incoming, response, { login: { accountId } })
    return
  }
  const grant = new provider.Grant({
    accountId: session?.accountId ?? '',
    clientId: String(params['client_id']),
  })
  grant.addOIDCScope(String(params['scope']))
  grant.addResourceScope(String(params['resource']), String(params['scope']))
  await provider.interactionFinished(incoming, response, { consent: { grantId: await grant.save() } })
}

/** A browser with cookies that fills in the form, and the exchange of the code. */
async function codeFlow(
  issuer: string,
  wanted: { account: string; resource: string; scope: string; client: string; redirect: string },
): Promise<string> {
  const verifier = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url')
  const digest = await crypto.subtle.digest('SHA-256', Buffer.from(verifier))
  const { resource, scope, client, redirect } = wanted
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: client,
    redirect_uri: redirect,
    scope,
    resource,
    state: 'x',
    code_challenge: Buffer.from(digest).toString('base64url'),
    code_challenge_method: 'S256',
  })
  const cookies = new Map<string, string>()
  let next = new URL(`${issuer}/auth?${query}`)
  let body: URLSearchParams | undefined
  for (let hop = 0; hop < 12; hop++) {
    const cookie = [...cookies].map((pair) => pair.join('=')).join('; ')
    const answer = await fetch(next, {
      redirect: 'manual',
      headers: { cookie },
      ...(body !== undefined && { method: 'POST', body }),
    })
    body = undefined
    for (const set of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? []
      cookies.set(name, value)
    }
    const location = answer.headers.get('location')
    const text = await answer.text()
    if (location !== null) next = new URL(location, next)
    else if (text.includes('name="account"')) body = new URLSearchParams({ account: wanted.account })
    else throw new Error(`${next.pathname}: ${answer.status} ${text}`)
    if (!next.href.startsWith(redirect)) continue
    const exchanged = await fetch(`${issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        code: next.searchParams.get('code') ?? '',
        redirect_uri: redirect,
        client_id: client,
        code_verifier: verifier,
        resource,
      }),
    })
    const { access_token: token } = (await exchanged.json()) as { access_token?: string }
    if (token === undefined) throw new Error(`no token: ${next.search}`)
    return token
  }
  throw new Error('the login does not end')
}
