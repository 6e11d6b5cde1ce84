// Fetches Keycloak from Maven Central, runs it on loopback with a realm of its own, and gets tokens from it as clients and people do.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import * as client from 'openid-client'
import { freePort } from '../../../test/lib/ports.ts'

export const VERSION = '26.7.3'
const SHA256 = '77657f30b7e90d70f727712ce1c967f430fd6a5e9f458d32d8c6df0635345f47'
const FOLDER = resolve(import.meta.dirname, '../../../.cache/keycloak')
const HOME = join(FOLDER, `keycloak-${VERSION}`)
const ARCHIVE = `keycloak-quarkus-dist-${VERSION}.tar.gz`
/** The first start builds it, which takes minutes on a busy machine. */
const START_MS = 300_000
const REQUEST_MS = 60_000

const ADMIN = { username: 'admin', password: 'admin-of-the-test' }
const SECRET = 'secret-of-the-test-agent'
const REDIRECT = 'http://127.0.0.1/callback'
const REALM = 'agents'
const PERSON = { username: 'ada', password: 'password-of-the-test' }

/** Unpacks the distribution unless it is there. Throws where Maven Central cannot be reached. */
function install(): void {
  if (existsSync(join(HOME, 'bin/kc.sh'))) return
  mkdirSync(FOLDER, { recursive: true })
  const artifact = `org.keycloak:keycloak-quarkus-dist:${VERSION}:tar.gz`
  const run = (program: string, args: readonly string[]): void => {
    execFileSync(program, args, { cwd: FOLDER, stdio: ['ignore', 'inherit', 'inherit'] })
  }
  run('mvn', ['-q', '-B', 'dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${FOLDER}`])
  const digest = createHash('sha256')
    .update(readFileSync(join(FOLDER, ARCHIVE)))
    .digest('hex')
  if (digest !== SHA256) throw new Error(`${ARCHIVE} has the SHA-256 ${digest}, not ${SHA256}`)
  run('tar', ['-xzf', ARCHIVE])
  rmSync(join(FOLDER, ARCHIVE))
}

export interface TokenRequest {
  /** Space-separated. */
  scope?: string
  dpop?: client.CryptoKeyPair
}

export interface Keycloak {
  /** Value of `iss`. */
  readonly issuer: string
  /** As the client of this id, by its secret. */
  clientCredentials(id: string, request?: TokenRequest): Promise<string>
  /** PERSON logs in at the form of this realm; code with PKCE. */
  logIn(id: string): Promise<{ accessToken: string; idToken: string; refreshToken: string }>
  /** A token of the realm `master`, whose issuer is another one. */
  foreignToken(): Promise<string>
  /** A new key, which signs from now on. */
  addKey(): Promise<void>
  /** Takes the keys back that the realm had before `addKey`. */
  removeOldKeys(): Promise<void>
  stop(): Promise<void>
}

/** `optional` are scopes of the realm's own, by the client that may ask for them. */
export async function startKeycloak(
  realm: object,
  optional: Readonly<Record<string, readonly string[]>>,
): Promise<Keycloak> {
  install()
  // Of an earlier run: the realm is made anew.
  rmSync(join(HOME, 'data'), { recursive: true, force: true })
  const [port, management] = [await freePort(), await freePort()]
  const origin = `http://127.0.0.1:${port}`
  const server = spawn(
    join(HOME, 'bin/kc.sh'),
    [
      ...[
        'start-dev',
        '--http-host=127.0.0.1',
        `--http-port=${port}`,
        `--http-management-port=${management}`,
      ],
      ...['--cache=local', '--health-enabled=true'],
    ],
    {
      cwd: HOME,
      env: {
        ...process.env,
        KC_BOOTSTRAP_ADMIN_USERNAME: ADMIN.username,
        KC_BOOTSTRAP_ADMIN_PASSWORD: ADMIN.password,
      },
      stdio: 'ignore',
      // A group of its own: the script may stay beside the Java process that it starts.
      detached: true,
    },
  )
  const killAll = (): void => signal(server, 'SIGKILL')
  process.once('exit', killAll)
  process.once('SIGTERM', () => process.exit(1))
  const stop = async (): Promise<void> => {
    await end(server)
    process.off('exit', killAll)
  }
  try {
    await untilReady(server, `http://127.0.0.1:${management}/health/ready`)
    await admin(origin, 'POST', '/admin/realms', realm)
    for (const [id, scopes] of Object.entries(optional)) await addScopes(origin, id, scopes)
  } catch (error) {
    await stop()
    throw error
  }
  return { ...tokensOf(origin), ...keysOf(origin), issuer: `${origin}/realms/${REALM}`, stop }
}

async function untilReady(server: ChildProcess, url: string): Promise<void> {
  const late = Date.now() + START_MS
  while (Date.now() < late) {
    if (server.exitCode !== null) throw new Error(`Keycloak ended with exit code ${server.exitCode}`)
    const answer = await fetch(url, { signal: AbortSignal.timeout(REQUEST_MS) }).catch(() => undefined)
    await answer?.arrayBuffer()
    if (answer?.ok) return
    await wait(1000)
  }
  throw new Error(`Keycloak was not ready after ${START_MS / 1000} s`)
}

function signal({ pid }: ChildProcess, name: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, name)
  } catch {
    // Everybody in the group has ended.
  }
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const ended = new Promise((done) => server.once('exit', done))
  signal(server, 'SIGTERM')
  const timer = setTimeout(() => signal(server, 'SIGKILL'), REQUEST_MS)
  await ended
  clearTimeout(timer)
}

async function adminToken(origin: string): Promise<string> {
  const answer = await fetch(`${origin}/realms/master/protocol/openid-connect/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'password', client_id: 'admin-cli', ...ADMIN }),
    signal: AbortSignal.timeout(REQUEST_MS),
  })
  return ((await answer.json()) as { access_token: string }).access_token
}

async function admin(origin: string, method: string, path: string, body?: object): Promise<unknown> {
  const answer = await fetch(`${origin}${path}`, {
    method,
    // It lives for a minute only, so each request gets its own.
    headers: { authorization: `Bearer ${await adminToken(origin)}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(REQUEST_MS),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 500)}`)
  return text === '' ? undefined : JSON.parse(text)
}

/** Not in the realm itself: scopes that are named there take the place of the built-in ones. */
async function addScopes(origin: string, clientId: string, scopes: readonly string[]): Promise<void> {
  const base = `/admin/realms/${REALM}`
  for (const name of scopes) {
    const attributes = { 'include.in.token.scope': 'true' }
    await admin(origin, 'POST', `${base}/client-scopes`, { name, protocol: 'openid-connect', attributes })
  }
  const clients = (await admin(origin, 'GET', `${base}/clients?clientId=${clientId}`)) as { id: string }[]
  const made = (await admin(origin, 'GET', `${base}/client-scopes`)) as { id: string; name: string }[]
  for (const { id, name } of made)
    if (scopes.includes(name))
      await admin(origin, 'PUT', `${base}/clients/${clients[0]?.id}/optional-client-scopes/${id}`)
}

interface Component {
  readonly id: string
  readonly parentId: string
  readonly providerId: string
}

function keysOf(origin: string): Pick<Keycloak, 'addKey' | 'removeOldKeys'> {
  const path = `/admin/realms/${REALM}/components`
  const signing = async (): Promise<Component[]> =>
    ((await admin(origin, 'GET', `${path}?type=org.keycloak.keys.KeyProvider`)) as Component[]).filter(
      ({ providerId }) => providerId === 'rsa-generated',
    )
  let old: readonly Component[] = []
  return {
    async addKey() {
      old = await signing()
      await admin(origin, 'POST', path, {
        name: 'second',
        parentId: old[0]?.parentId,
        providerId: 'rsa-generated',
        providerType: 'org.keycloak.keys.KeyProvider',
        config: { priority: ['200'], enabled: ['true'], active: ['true'], algorithm: ['RS256'] },
      })
    },
    async removeOldKeys() {
      for (const { id } of old) await admin(origin, 'DELETE', `${path}/${id}`)
    },
  }
}

function tokensOf(origin: string): Pick<Keycloak, 'clientCredentials' | 'logIn' | 'foreignToken'> {
  const configured = (id: string): Promise<client.Configuration> =>
    client.discovery(new URL(`${origin}/realms/${REALM}`), id, undefined, client.ClientSecretBasic(SECRET), {
      execute: [client.allowInsecureRequests],
    })
  return {
    async clientCredentials(id, { scope, dpop } = {}) {
      const config = await configured(id)
      const proof = dpop === undefined ? undefined : { DPoP: client.getDPoPHandle(config, dpop) }
      const answer = await client.clientCredentialsGrant(config, scope === undefined ? {} : { scope }, proof)
      return answer.access_token
    },
    async logIn(id) {
      const config = await configured(id)
      const verifier = client.randomPKCECodeVerifier()
      const start = client.buildAuthorizationUrl(config, {
        redirect_uri: REDIRECT,
        scope: 'openid',
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      })
      const checks = { pkceCodeVerifier: verifier, idTokenExpected: true }
      const answer = await client.authorizationCodeGrant(config, await fillForm(start), checks)
      const { access_token: accessToken, id_token: idToken = '', refresh_token: refreshToken = '' } = answer
      return { accessToken, idToken, refreshToken }
    },
    foreignToken: () => adminToken(origin),
  }
}

/** What a browser does: the login page, its form, and back to the client. */
async function fillForm(start: URL): Promise<URL> {
  const page = await fetch(start, { redirect: 'manual', signal: AbortSignal.timeout(REQUEST_MS) })
  const action = /<form[^>]* action="([^"]+)"/.exec(await page.text())?.[1]?.replaceAll('&amp;', '&')
  if (action === undefined) throw new Error(`no login form but status ${page.status}`)
  const cookie = page.headers
    .getSetCookie()
    .map((line) => line.split(';', 1)[0])
    .join('; ')
  const answer = await fetch(action, {
    method: 'POST',
    headers: { cookie },
    body: new URLSearchParams(PERSON),
    redirect: 'manual',
    signal: AbortSignal.timeout(REQUEST_MS),
  })
  const location = answer.headers.get('location')
  if (location === null) throw new Error(`no redirect after the login but status ${answer.status}`)
  return new URL(location)
}

const mapper = (name: string, kind: string, config: Record<string, string>): object => ({
  name,
  protocol: 'openid-connect',
  protocolMapper: kind,
  config: { 'access.token.claim': 'true', 'id.token.claim': 'false', ...config },
})

export const audience = (value: string): object =>
  mapper('audience', 'oidc-audience-mapper', { 'included.custom.audience': value })

export const claim = (name: string, value: string): object =>
  mapper(name, 'oidc-hardcoded-claim-mapper', {
    'claim.name': name,
    'claim.value': value,
    'jsonType.label': 'String',
  })

export interface RealmClient {
  readonly mappers: readonly object[]
  readonly attributes?: Readonly<Record<string, string>>
  /** People log in at it. */
  readonly people?: boolean
  /** Realm roles of its service account. */
  readonly roles?: readonly string[]
}

/** The realm as one request of the admin API takes it. */
export function realmOf(clients: Readonly<Record<string, RealmClient>>): object {
  const all = Object.entries(clients)
  return {
    realm: REALM,
    enabled: true,
    accessTokenLifespan: 300,
    roles: { realm: [...new Set(all.flatMap(([, { roles = [] }]) => roles))].map((name) => ({ name })) },
    clients: all.map(([clientId, { mappers, attributes = {}, people = false }]) => ({
      clientId,
      secret: SECRET,
      enabled: true,
      publicClient: false,
      serviceAccountsEnabled: true,
      standardFlowEnabled: people,
      redirectUris: people ? [REDIRECT] : [],
      protocolMappers: mappers,
      attributes,
      defaultClientScopes: ['basic', 'roles', 'service_account'],
    })),
    users: [
      {
        ...{ username: PERSON.username, enabled: true, emailVerified: true },
        ...{ email: 'ada@example.com', firstName: 'Ada', lastName: 'Example' },
        credentials: [{ type: 'password', value: PERSON.password, temporary: false }],
        realmRoles: all.find(([, { people }]) => people)?.[1].roles ?? [],
      },
      ...all.map(([clientId, { roles = [] }]) => ({
        username: `service-account-${clientId}`,
        enabled: true,
        serviceAccountClientId: clientId,
        realmRoles: roles,
      })),
    ],
  }
}
