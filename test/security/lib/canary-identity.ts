// Do credentials of callers stay inside? Tokens, API keys and client certificates, good and bad, to a service that checks them, and a search of all that comes out.
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { hashKey, makeKey as makeApiKey } from '../../../src/identity/apikey/index.ts'
import * as x509 from '../../identity/mtls/lib/x509.ts'
import { type PaperKey, paperKey, signRaw } from '../../identity/oauth/lib/paper.ts'
import { startChild } from '../../lib/child.ts'
import { createClient, type Received, type SentRequest } from '../../lib/http-client.ts'
import { listenLocal } from '../../lib/ports.ts'
import { NO_LIMITS } from '../../lib/serve.ts'
import { ANY_RATE, findSecrets, startSink } from './canary.ts'
import { startScriptedBackend } from './canary-backend.ts'
import { callRequest, ERAS, executeArguments, makeKey, type Planted } from './canary-requests.ts'
import { leakProblem } from './judge.ts'

export interface IdentityCanaryReport {
  requests: number
  secrets: number
  /** Codes of the refusals, and the methods by which a call was let through: what has to be in them shows that nothing was skipped. */
  codes: Set<string>
  admitted: Set<string>
  searched: { records: number; log: number; spans: number; metrics: number; readyz: number; answers: number }
  problems: string[]
}

type Header = readonly [name: string, value: string]

interface Attempt {
  name: string
  headers: readonly Header[]
  /** What must not come out again. */
  secrets: readonly string[]
  query?: string
}

const PUBLIC_URL = 'https://mcp.example.com'
const HELD = 'pk_held_0123456789abcdef'

/** A server that publishes the key of an issuer. */
async function startKeySet(key: PaperKey): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [key.jwk] }))
  })
  const port = await listenLocal(server)
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const thumbprint = (): string => randomBytes(32).toString('base64url')

/** A token with a secret in a claim that nobody asked for, and an id that would let its holder be followed. */
function tokens(issuer: string, key: PaperKey) {
  return (name: string, claims: object = {}, more: readonly Header[] = [], scheme = 'Bearer'): Attempt => {
    const now = Math.floor(Date.now() / 1000)
    const [note, jti] = [makeKey(), randomUUID()]
    const payload = {
      iss: issuer,
      aud: PUBLIC_URL,
      sub: 'agent-7',
      client_id: 'fleet',
      roles: ['caller'],
      scope: 'ductape:admin',
      iat: now,
      exp: now + 600,
      jti,
      note,
      ...claims,
    }
    const token = signRaw(
      JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: key.kid }),
      JSON.stringify(payload),
      'ES256',
      key.privateKey,
    )
    const [, middle = '', signature = ''] = token.split('.')
    return {
      name,
      headers: [['authorization', `${scheme} ${token}`], ...more],
      secrets: [token, middle, signature, note, jti],
    }
  }
}

const bearer = (name: string, token: string, more: readonly Header[] = []): Attempt => ({
  name,
  headers: [['authorization', `Bearer ${token}`], ...more],
  secrets: [token],
})

/** As nginx forwards it; the common name is a secret, the names that map to a caller are none. */
function certificate(name: string, issuer: x509.Made, uri: string, recipe: x509.Recipe = {}): Attempt {
  const subject = makeKey()
  const now = Date.now()
  const made = x509.makeClient(issuer, [['uri', uri]], {
    subject,
    notBefore: now - x509.DAY,
    notAfter: now + x509.DAY,
    ...recipe,
  })
  const lines = made.pem.split('\n').slice(1, -2)
  const header = x509.escaped(made)
  return {
    name,
    headers: [['x-client-cert', header]],
    secrets: [subject, ...lines.filter((line) => line.length > 40), header.slice(100, 200)],
  }
}

interface Parties {
  issuer: string
  key: PaperKey
  stranger: PaperKey
  gone: string
  root: x509.Made
  /** API keys: of a caller, of one without a scope, of one without a role. */
  keys: readonly [string, string, string]
}

function attempts({ issuer, key, stranger, gone, root, keys }: Parties): Attempt[] {
  const token = tokens(issuer, key)
  const note = makeKey
  const plain = (name: string, value: (secret: string) => string): Attempt => {
    const secret = note()
    return { name, headers: [['authorization', value(secret)]], secrets: [secret] }
  }
  const query = (name: string): Attempt => {
    const secret = note()
    return { name: `query ${name}`, headers: [], secrets: [secret], query: `a=b&${name}=${secret}` }
  }
  const past = Math.floor(Date.now() / 1000) - 10_000
  const good = certificate('a mapped certificate', root, 'spiffe://example.test/a')
  const elsewhere = x509.makeAuthority({ subject: 'elsewhere' })
  const garbled = note()
  return [
    { name: 'nothing', headers: [], secrets: [] },
    token('a good token'),
    token('an expired token', { exp: past }),
    token('a token for another service', { aud: 'https://other.example' }),
    token('a token of an unknown issuer', { iss: `https://${note()}.example` }),
    tokens(issuer, stranger)('a forged token'),
    tokens(gone, key)('a token whose issuer is gone'),
    token('a token without a role', { roles: [] }),
    token('a token without a scope', { scope: 'ductape:read' }),
    token('a token bound to a key, without a proof', { cnf: { jkt: thumbprint() } }),
    token('a proof that is none', { cnf: { jkt: thumbprint() } }, [['dpop', note()]], 'DPoP'),
    token('a token bound to another certificate', { cnf: { 'x5t#S256': thumbprint() } }, good.headers),
    bearer('a token that is none', `a.${note()}.c`),
    bearer('a token of a giant', `${note()}.`.repeat(300)),
    bearer('a good key', keys[0]),
    bearer('a key without a scope', keys[1]),
    bearer('a key without a role', keys[2]),
    bearer('a key that nobody has', makeApiKey(randomBytes(32))),
    bearer('a key with a slip', `${keys[0].slice(0, -1)}${keys[0].endsWith('a') ? 'b' : 'a'}`),
    plain('two words', (secret) => `Bearer ${secret} ${secret}`),
    plain('Basic', (secret) => `Basic ${Buffer.from(`user:${secret}`).toString('base64')}`),
    plain('no scheme', (secret) => secret),
    plain('quoted', (secret) => `Bearer "${secret}"`),
    {
      ...plain('two headers', (secret) => `Bearer ${secret}`),
      headers: [
        ['authorization', `Bearer ${keys[0]}`],
        ['authorization', `Bearer ${keys[0]}`],
      ],
    },
    ...['access_token', 'token', 'api_key', 'authorization'].map(query),
    good,
    certificate('a certificate that is mapped to nobody', root, 'spiffe://example.test/other/x'),
    certificate('a certificate of another trust domain', root, 'spiffe://elsewhere.test/a'),
    certificate('a certificate of another authority', elsewhere, 'spiffe://example.test/a'),
    certificate('an expired certificate', root, 'spiffe://example.test/a', {
      notAfter: Date.now() - 3_600_000,
    }),
    { name: 'a certificate that is none', headers: [['x-client-cert', garbled]], secrets: [garbled] },
    {
      name: 'a certificate with a tail',
      headers: [['x-client-cert', `${good.headers[0]?.[1]}${garbled}`]],
      secrets: [garbled],
    },
    bearer('a bad key beside a good certificate', makeApiKey(randomBytes(32)), good.headers),
  ]
}

/** Each attempt as a call in each form, and as the requests that are no calls. */
function requestsOf(attempt: Attempt): SentRequest[] {
  const { headers, query } = attempt
  const rest = query === undefined ? '' : `?${query}`
  const json: Header = ['content-type', 'application/json']
  const revocation = { kind: 'key', value: attempt.secrets[0] ?? 'x', until: '2020-01-01' }
  const kill = { ...revocation, action: 'off', kind: 'tenant', reason: revocation.value }
  return [
    ...ERAS.map((era) =>
      callRequest(era, { arguments: executeArguments(HELD), headers, ...(query !== undefined && { query }) }),
    ),
    { method: 'GET', path: `/v1/tools${rest}`, headers, body: '' },
    { method: 'GET', path: `/.well-known/oauth-protected-resource${rest}`, headers, body: '' },
    {
      path: `/mcp${rest}`,
      headers: [json, ['accept', 'application/json'], ...headers],
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    },
    { path: `/v1/admin/revocations${rest}`, headers: [json, ...headers], body: JSON.stringify(revocation) },
    { path: `/v1/admin/kill${rest}`, headers: [json, ...headers], body: JSON.stringify(kill) },
  ]
}

function writeFiles(directory: string, keys: Parties['keys'], root: x509.Made): { live: string; ca: string } {
  const live = path.join(directory, 'live')
  mkdirSync(live)
  const write = (name: string, value: unknown): void =>
    writeFileSync(path.join(live, name), JSON.stringify(value))
  write('limits.yaml', NO_LIMITS)
  write('policy.yaml', { roles: { caller: { allow: [{ tool: '*', approval: 'none' }] } } })
  write('keys.yaml', {
    keys: keys.map((key, index) => ({
      id: `k${index}`,
      sha256: hashKey(key),
      owner: 'a',
      purpose: 'b',
      roles: index === 2 ? [] : ['caller'],
      scopes: index === 1 ? [] : ['ductape:admin'],
    })),
  })
  const ca = path.join(directory, 'ca.pem')
  writeFileSync(ca, root.pem)
  return { live, ca }
}

export async function runIdentityCanary(): Promise<IdentityCanaryReport> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'ductape-mcp-canary-'))
  const [backend, sink] = await Promise.all([startScriptedBackend(), startSink()])
  const [key, stranger] = [paperKey('ec', 'one'), paperKey('ec', 'one')]
  const keySet = await startKeySet(key)
  const departed = await startKeySet(key)
  await departed.close()
  const root = x509.makeAuthority({ notBefore: Date.now() - x509.DAY, notAfter: Date.now() + x509.DAY })
  const keys = [0, 1, 2].map(() => makeApiKey(randomBytes(32))) as unknown as Parties['keys']
  const { live, ca } = writeFiles(directory, keys, root)
  const config = path.join(directory, 'config.yaml')
  writeFileSync(
    config,
    JSON.stringify({
      publicUrl: PUBLIC_URL,
      listen: `unix:${path.join(directory, 'mcp.sock')}`,
      ops: '127.0.0.1:0',
      backend: { url: backend.url },
      live,
      http: { peerRate: ANY_RATE },
      telemetry: { log: { level: 'debug' } },
      receipts: { keys: 'boot' },
      auth: {
        apiKeys: {},
        oauth: {
          issuers: [keySet.url, departed.url].map((issuer) => ({ issuer, jwksUri: `${issuer}/keys` })),
        },
        mtls: {
          ca: { file: ca },
          trustDomains: ['example.test'],
          map: [{ uri: 'spiffe://example.test/a', roles: ['caller'], scopes: ['ductape:admin'] }],
        },
      },
    }),
  )
  const child = startChild(['src/main.ts', 'serve', '--config', config], {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url },
  })
  const report: IdentityCanaryReport = {
    requests: 0,
    secrets: 0,
    codes: new Set(),
    admitted: new Set(),
    searched: { records: 0, log: 0, spans: 0, metrics: 0, readyz: 0, answers: 0 },
    problems: [],
  }
  try {
    const [, url = '', ops = ''] = await child.says(/"event":"started".*"url":"([^"]+)","ops":"([^"]+)"/)
    const client = createClient(url, 1)
    const planted: Planted[] = []
    for (const attempt of attempts({ issuer: keySet.url, key, stranger, gone: departed.url, root, keys })) {
      const own = attempt.secrets.map((secret) => ({ place: attempt.name, key: secret }))
      planted.push(...own)
      for (const request of requestsOf(attempt)) {
        judge(report, `${attempt.name} to ${request.path.slice(0, 40)}`, own, await client.send(request))
      }
    }
    client.close()
    const [metrics, readyz] = await Promise.all(
      ['metrics', 'readyz'].map(async (name) => (await fetch(`http://${ops}/${name}`)).text()),
    )
    const code = await child.stop()
    if (code !== 0) report.problems.push(`the service ended with ${code}`)
    const outputs = {
      records: child.stdout(),
      log: child.stderr(),
      spans: sink.bodies.join('\n'),
      metrics: metrics ?? '',
      readyz: readyz ?? '',
    }
    for (const line of outputs.records.split('\n').filter((text) => text.includes('"allowed":true')))
      report.admitted.add(String((JSON.parse(line) as { who: { method: string } }).who.method))
    for (const [name, text] of Object.entries(outputs)) {
      report.searched[name as keyof typeof outputs] = text.length
      for (const { place } of findSecrets(text, planted))
        report.problems.push(`${name} hold a secret of: ${place}`)
    }
    report.secrets = planted.length
    return report
  } finally {
    await child.stop('SIGKILL')
    await Promise.all([backend.close(), sink.close(), keySet.close()])
    rmSync(directory, { recursive: true, force: true })
  }
}

function judge(
  report: IdentityCanaryReport,
  name: string,
  planted: readonly Planted[],
  received: Received,
): void {
  report.requests++
  const text = `${JSON.stringify(received.headers)}\n${received.body}`
  report.searched.answers += text.length
  for (const [, code = ''] of text.matchAll(/"code":"([a-z_]+)"/g)) report.codes.add(code)
  const problem =
    leakProblem(received, []) ??
    (findSecrets(text, planted).length > 0 ? 'the answer holds a secret of the request' : undefined)
  if (problem !== undefined)
    report.problems.push(`${name}: ${problem}: ${received.status} ${received.body.slice(0, 300)}`)
}
