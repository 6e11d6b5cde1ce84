// How each refusal comes about that needs a caller who is known, or one who is not: the services, and what is sent to them.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateProof } from 'dpop'
import type { DenialCode } from '../../src/core/denials.ts'
import { StoreUnavailable } from '../../src/core/store.ts'
import { credentialsSection } from '../../src/credentials/config.ts'
import { createMemoryStore } from '../../src/store/index.ts'
import { APPROVAL_SCENARIOS, startJudged } from '../approval/lib/scenarios.ts'
import { SURFACE_SCENARIOS, startPeopleSurface } from '../approvals-surface/lib/scenarios.ts'
import { memoryFiles } from '../credentials/lib/service.ts'
import { GUARD_SCENARIOS, startGuarded } from '../guards/lib/scenarios.ts'
import { type Issuer, newDpopKey, startIssuer } from '../identity/lib/issuer.ts'
import * as x509 from '../identity/mtls/lib/x509.ts'
import { EXECUTE } from '../lib/calls.ts'
import { type HeldBackend, startHeldBackend } from '../lib/held-backend.ts'
import {
  ALLOW_ALL,
  bearer,
  call,
  keyOf,
  PUBLIC_URL,
  pathOf,
  type Secured,
  type Sent,
  startSecured,
  type ToolCall,
  type Way,
} from '../live/lib/secured.ts'
import { SCAN_SCENARIOS, startScanned } from '../scan/lib/scenarios.ts'
import { replayScenarios } from './replay-scenarios.ts'

const HOUR = 3_600_000
const ROLES = { roles: ['agent'] }
const WRITE = { ...EXECUTE, module: 'databases', method: 'insert', params: [{ table: 'users', data: {} }] }

/** API keys, tokens, limits, tenants; its store can be lost. */
let main: Secured
/** DPoP proofs need a nonce. */
let nonces: Secured
/** Behind the unix socket, a certificate and a token both. */
let both: Secured
/** No policy file. */
let lawless: Secured
/** One request a minute for each peer. */
let crowded: Secured
/** Its backend answers when it is told to. */
let waiting: Secured
/** Every call needs a person. */
let judged: Secured
/** With people who sign in. */
let surface: Pick<Secured, 'close'>
/** Its guards want proof. */
let guarded: Secured
/** Blocks what looks like a secret. */
let scanned: Secured
let backend: HeldBackend
let issuer: Issuer
/** Hands out tokens, and then its keys cannot be had. */
let silent: Issuer
let tokens: { plain: string; dpop: string; silent: string }
let dpopKey: Awaited<ReturnType<typeof newDpopKey>>
let storeLost = false
const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-secured-'))

const root = x509.makeAuthority({ notAfter: Date.now() + HOUR })
const dates = { notBefore: Date.now() - HOUR, notAfter: Date.now() + HOUR }
const certificate = (name: string): string =>
  x509.escaped(x509.makeClient(root, [['dns', `${name}.example.com`]], dates))

export async function startServices(): Promise<void> {
  issuer = await startIssuer({ resources: [PUBLIC_URL], claims: { ...ROLES, org: 'acme' } })
  silent = await startIssuer({ resources: [PUBLIC_URL], claims: ROLES })
  dpopKey = await newDpopKey()
  tokens = {
    plain: await issuer.clientCredentials({ resource: PUBLIC_URL }),
    dpop: await issuer.clientCredentials({ resource: PUBLIC_URL, dpop: dpopKey }),
    silent: await silent.clientCredentials({ resource: PUBLIC_URL }),
  }
  silent.intercept = (_, response) => {
    response.writeHead(500).end()
    return true
  }
  const oauth = (...from: Issuer[]) => ({ issuers: from.map(({ url }) => ({ issuer: url })) })
  const agent = { roles: { agent: { allow: [{ tool: '*', approval: 'none' }] } } }

  const memory = createMemoryStore({ now: Date.now })
  const files = memoryFiles()
  files.write('/keys/held', EXECUTE.publishable_key)
  const all = { roles: ['all'] }
  main = await startSecured({
    auth: { apiKeys: {}, oauth: oauth(issuer, silent) },
    files,
    callers: {
      ...Object.fromEntries(
        ['reader', 'revoked', 'stopped', 'slow', 'once', 'short', 'warden'].map((name) => [name, all]),
      ),
      stranger: { roles: ['nobody'] },
      puzzled: { roles: ['puzzled'] },
      supervised: { roles: ['supervised'] },
      held: { tenant: 'held' },
      lacking: { tenant: 'lacking' },
      bound: { tenant: 'bound' },
      warden: { scopes: ['ductape:admin'] },
      remover: { scopes: ['ductape:destructive'] },
    },
    live: {
      'policy.yaml': {
        roles: {
          ...ALLOW_ALL.roles,
          ...agent.roles,
          puzzled: { allow: [{ when: 'args.nothing == 1' }] },
          supervised: { allow: [{ tool: '*', approval: 'confirm' }] },
        },
      },
      'limits.yaml': {
        principal: { rate: 'off', inputTokens: 'off', outputTokens: 'off' },
        principals: {
          'api-key:slow': { rate: { perMinute: 1, burst: 1 } },
          'api-key:once': { executions: { count: 1 } },
          'api-key:short': { inputTokens: { count: 30 } },
        },
      },
      'revocations.yaml': { revocations: [{ kind: 'key', value: 'revoked' }] },
      'kill.yaml': { kill: [{ kind: 'principal', value: 'api-key:stopped', reason: 'test' }] },
    },
    app: {
      config: {
        credentials: credentialsSection.parse({
          tenants: {
            held: { mode: 'injected', publishableKey: { file: '/keys/held' } },
            lacking: { mode: 'injected', publishableKey: { file: '/keys/none' } },
            bound: { credentialIds: [`k1.${'A'.repeat(43)}`] },
          },
        }),
        replay: { require: 'destructive' },
      },
      ports: {
        store: {
          ...memory,
          setIfAbsent: (...entry) =>
            storeLost ? Promise.reject(new StoreUnavailable('lost')) : memory.setIfAbsent(...entry),
          indexAdd: (...entry) =>
            storeLost ? Promise.reject(new StoreUnavailable('lost')) : memory.indexAdd(...entry),
        },
      },
    },
  })
  nonces = await startSecured({
    auth: { oauth: oauth(issuer), dpop: { nonce: 'required' } },
    live: { 'policy.yaml': agent },
  })
  const authorities = memoryFiles()
  authorities.write('/ca.crt', root.pem)
  both = await startSecured({
    auth: {
      require: ['mtls', 'oauth'],
      oauth: { issuers: [{ issuer: issuer.url, claims: { tenant: 'org' } }] },
      mtls: {
        ca: { file: '/ca.crt' },
        trustDomains: ['example.com'],
        map: [
          { dns: 'agent.example.com', tenant: 'acme', roles: ['agent'] },
          { dns: 'other.example.com', tenant: 'umbrella', roles: ['agent'] },
        ],
      },
    },
    files: authorities,
    live: { 'policy.yaml': agent },
    app: { config: { listen: { kind: 'unix', path: join(folder, 'mcp.sock') } } },
  })
  lawless = await startSecured({ live: { 'policy.yaml': undefined } })
  crowded = await startSecured({ app: { config: { http: { peerRate: { perMinute: 1, burst: 1 } } } } })
  judged = await startJudged()
  surface = await startPeopleSurface()
  guarded = await startGuarded()
  scanned = await startScanned()
  backend = await startHeldBackend()
  waiting = await startSecured({
    live: { 'limits.yaml': { principal: { concurrency: 1 } } },
    app: { backend: backend.url },
  })
}

export async function stopServices(): Promise<void> {
  for (const service of [main, nonces, both, lawless, crowded, waiting, judged, surface, guarded, scanned])
    await service?.close()
  await backend?.close()
  await issuer?.close()
  await silent?.close()
  rmSync(folder, { recursive: true, force: true })
}

type Headers = Record<string, string>

export interface Scenario {
  service: () => Secured
  headers?: Headers | ((way: Way) => Headers | Promise<Headers>)
  call?: ToolCall
  /** In place of a tool call: a path that only REST has. */
  path?: Sent
  /** Of the record of such a path; `revoke` where it is left out. */
  action?: string
  /** What has to have happened before; it may leave something to undo. */
  first?: () => Promise<(() => Promise<unknown>) | undefined>
  /** Id of the caller's key in the record, or the method that knew the caller; nobody where it is left out. */
  who?: string
  /** What WWW-Authenticate has to hold; without it there must be none. */
  challenge?: RegExp
  /** There is a time after which it would work. */
  waits?: true
}

const CHALLENGE =
  /^Bearer realm="ductape-mcp", scope="ductape:read", resource_metadata="https:\/\/\S+\/mcp", DPoP /
const failed = (error: string): RegExp =>
  new RegExp(`^Bearer realm="ductape-mcp", error="${error}", error_description="[^"]+"`)

const asToken = (token: string): Headers => ({ authorization: `Bearer ${token}` })
const withProof = async (way: Way, token: string, change: { htm?: string } = {}): Promise<Headers> => ({
  authorization: `DPoP ${token}`,
  dpop: await generateProof(dpopKey, PUBLIC_URL + pathOf(way), change.htm ?? 'POST', undefined, token),
})
/** Uses up what this caller has. */
const used = (name: string) => async () => {
  await call(main, 'rest', { headers: bearer(name) })
  return undefined
}
const loseStore = async () => {
  storeLost = true
  return async () => {
    storeLost = false
  }
}
const keyOnly = (name: string): Pick<Scenario, 'service' | 'headers' | 'who'> => ({
  service: () => main,
  headers: bearer(name),
  who: name,
})
const killPath: Sent = {
  path: '/v1/admin/kill',
  body: JSON.stringify({ action: 'off', kind: 'tenant', value: 'nobody', reason: 'test' }),
}
const withoutKey: ToolCall = {
  args: { module: EXECUTE.module, method: EXECUTE.method, params: EXECUTE.params },
}

/** How each code comes about. */
export const SCENARIOS: Partial<Record<DenialCode, Scenario | Scenario[]>> = {
  peer_rate_limited: {
    service: () => crowded,
    headers: bearer('reader'),
    first: async () => {
      await call(crowded, 'rest', { headers: bearer('reader') })
      return undefined
    },
    waits: true,
  },
  token_missing: [
    { service: () => main, challenge: CHALLENGE },
    // "attempted using an unsupported authentication method": no error code (RFC 6750 3.1).
    { service: () => main, headers: { authorization: 'Basic YTpi' }, challenge: CHALLENGE },
    { service: () => lawless, challenge: /^Bearer realm="ductape-mcp"$/ },
    { service: () => both, challenge: CHALLENGE },
  ],
  authorization_malformed: [
    { service: () => main, headers: { authorization: 'Bearer' }, challenge: failed('invalid_request') },
    {
      service: () => main,
      headers: { authorization: `DPoP ${keyOf('reader')}` },
      challenge: failed('invalid_request'),
    },
  ],
  token_in_query: {
    service: () => main,
    headers: bearer('reader'),
    call: { query: '?x=1&access_token=abc' },
    challenge: failed('invalid_request'),
  },
  token_invalid: [
    { service: () => main, headers: asToken('a.b.c'), challenge: failed('invalid_token') },
    { service: () => main, headers: asToken('opaque'), challenge: failed('invalid_token') },
  ],
  token_revoked: { service: () => main, headers: bearer('revoked'), challenge: failed('invalid_token') },
  key_invalid: { service: () => main, headers: bearer('unknown'), challenge: failed('invalid_token') },
  certificate_refused: [
    { service: () => both, headers: { 'x-client-cert': 'nonsense' }, challenge: CHALLENGE },
    {
      service: () => both,
      headers: () => ({ ...asToken(tokens.plain), 'x-client-cert': certificate('nobody') }),
      challenge: CHALLENGE,
    },
  ],
  credential_missing: [
    { service: () => both, headers: { 'x-client-cert': certificate('agent') }, challenge: CHALLENGE },
    { service: () => both, headers: () => asToken(tokens.plain), challenge: CHALLENGE },
  ],
  identity_conflict: {
    service: () => both,
    headers: () => ({ ...asToken(tokens.plain), 'x-client-cert': certificate('other') }),
    challenge: failed('invalid_token'),
  },
  proof_invalid: [
    // "the protected resource MUST reject the access token received as a bearer token per RFC 6750" (RFC 9449 7.2).
    { service: () => main, headers: () => asToken(tokens.dpop), challenge: failed('invalid_token') },
    {
      service: () => main,
      headers: (way) => withProof(way, tokens.dpop, { htm: 'GET' }),
      challenge:
        /^DPoP realm="ductape-mcp", error="invalid_dpop_proof", error_description="[^"]+", algs="[^"]+"/,
    },
  ],
  proof_nonce: {
    service: () => nonces,
    headers: (way) => withProof(way, tokens.dpop),
    challenge: /^DPoP realm="ductape-mcp", error="use_dpop_nonce"/,
  },
  issuer_unavailable: { service: () => main, headers: () => asToken(tokens.silent), waits: true },
  store_unavailable: [
    { service: () => main, headers: (way) => withProof(way, tokens.dpop), first: loseStore },
    {
      service: () => main,
      headers: bearer('warden'),
      path: {
        path: '/v1/admin/revocations',
        body: JSON.stringify({
          kind: 'key',
          value: 'somebody',
          until: new Date(Date.now() + HOUR).toISOString(),
        }),
      },
      first: loseStore,
      who: 'warden',
    },
    { ...keyOnly('warden'), path: killPath, action: 'kill', first: loseStore },
  ],
  scope_insufficient: [
    {
      ...keyOnly('reader'),
      call: { args: WRITE },
      challenge: /error="insufficient_scope".+, scope="ductape:write", resource_metadata="https/,
    },
    {
      service: () => main,
      headers: () => asToken(tokens.plain),
      call: { args: WRITE },
      who: 'oauth',
      challenge: /error="insufficient_scope".+, scope="ductape:write", resource_metadata="https/,
    },
    {
      ...keyOnly('reader'),
      path: { path: '/v1/admin/revocations', body: '{}' },
      challenge: /error="insufficient_scope".+, scope="ductape:admin", resource_metadata="https/,
    },
    {
      ...keyOnly('reader'),
      path: killPath,
      action: 'kill',
      challenge: /error="insufficient_scope".+, scope="ductape:admin", resource_metadata="https/,
    },
  ],
  admin_invalid: [
    { ...keyOnly('warden'), path: { path: '/v1/admin/revocations', body: '{"kind":"all"}' } },
    { ...keyOnly('warden'), path: { path: '/v1/admin/kill', body: '{"kind":"all"}' }, action: 'kill' },
  ],
  killed: keyOnly('stopped'),
  credential_not_accepted: keyOnly('held'),
  policy_missing: { service: () => lawless, headers: bearer('reader'), who: 'reader' },
  policy_denied: keyOnly('stranger'),
  policy_failed: keyOnly('puzzled'),
  credential_not_allowed: keyOnly('bound'),
  approval_unavailable: keyOnly('supervised'),
  ...APPROVAL_SCENARIOS,
  ...SURFACE_SCENARIOS,
  ...GUARD_SCENARIOS,
  ...SCAN_SCENARIOS,
  ...replayScenarios({ main: () => main, waiting: () => waiting, held: () => backend.next() }),
  rate_limited: { ...keyOnly('slow'), first: used('slow'), waits: true },
  concurrency_limited: {
    service: () => waiting,
    headers: bearer('reader'),
    who: 'reader',
    first: async () => {
      const running = call(waiting, 'rest', { headers: bearer('reader') })
      const held = await backend.next()
      return async () => {
        held.release({ data: [], execution_time_ms: 1, request_id: 'r' })
        assert.equal((await running).status, 200)
      }
    },
    waits: true,
  },
  executions_exhausted: { ...keyOnly('once'), first: used('once'), waits: true },
  tokens_exhausted: { ...keyOnly('short'), first: used('short'), waits: true },
  credential_unavailable: { ...keyOnly('lacking'), call: withoutKey },
}
