// What stands in live/ and in the Authorization header of a run with identity, policy and limits: an issuer of its own, keys and rules by number.
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { hashKey, makeKey } from '../../src/identity/apikey/index.ts'

const publicUrl = 'https://mcp.example.com'
const role = 'bench'

export type Issuer = {
  readonly url: string
  /** An RFC 9068 access token for the service, good for an hour. */
  readonly token: string
  readonly close: () => Promise<void>
}

/** Serves metadata and one ES256 key on loopback, and signs one token. */
export async function startIssuer(): Promise<Issuer> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'bench', alg: 'ES256', use: 'sig' }
  const server: Server = createServer((request, response) => {
    const url = origin(server)
    const body = request.url?.startsWith('/.well-known/')
      ? { issuer: url, jwks_uri: `${url}/jwks` }
      : { keys: [jwk] }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = origin(server)
  return {
    url,
    token: accessToken(url, privateKey),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

const origin = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

function accessToken(issuer: string, key: KeyObject): string {
  const now = Math.floor(Date.now() / 1000)
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${part({ alg: 'ES256', typ: 'at+jwt', kid: 'bench' })}.${part({
    iss: issuer,
    sub: 'agent-0190c6f2',
    aud: publicUrl,
    client_id: 'bench-client',
    iat: now,
    exp: now + 3600,
    jti: 'bench-0190c6f2a7d84b1e',
    scope: 'ductape:read ductape:write',
    roles: [role],
    tenant: 'acme',
  })}`
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}

export type Access = {
  /** Access tokens of this issuer, or API keys where there is none. */
  readonly issuer?: Issuer
  readonly keys: number
  readonly rules: number
}

export type Prepared = {
  /** Lines of config.yaml. */
  readonly config: readonly string[]
  readonly authorization: string
}

/** High enough that no run meets them, and all of them on. */
const LIMITS = {
  principal: {
    rate: { perMinute: 10_000_000, burst: 1_000_000 },
    concurrency: 10_000,
    executions: { count: 1_000_000_000, window: '1h' },
    inputTokens: { count: 1_000_000_000 },
    outputTokens: { count: 1_000_000_000 },
    deadline: '30s',
  },
  tools: { ductape_execute: { rate: { perMinute: 10_000_000, burst: 1_000_000 } } },
  tenant: { rate: { perMinute: 10_000_000, burst: 1_000_000 }, concurrency: 10_000 },
}

/** Writes the files of live/; the one rule that allows the call is the last of all. */
export function prepareAccess(live: string, { issuer, keys, rules }: Access): Prepared {
  mkdirSync(live, { recursive: true })
  const write = (name: string, value: object) => writeFileSync(path.join(live, name), JSON.stringify(value))
  write('limits.yaml', LIMITS)
  const others = Array.from({ length: rules - 1 }, (_, i) => ({
    tool: 'ductape_execute',
    module: 'storage',
    method: `up${i}*`,
    effect: ['write'],
    env: [`dev${i}`, 'stg'],
  }))
  const deny = [{ name: 'no-secrets', module: 'secrets' }]
  const allow = [
    ...others,
    { tool: 'ductape_*', effect: ['read', 'write'], env: ['dev', 'stg', 'prd'], approval: 'none' },
  ]
  write('policy.yaml', { version: 1, roles: { [role]: { allow, deny } } })
  const config = [`publicUrl: ${publicUrl}`, 'catalogue: enforce', 'receipts: { keys: boot }']
  if (issuer !== undefined) {
    const options = { issuer: issuer.url, claims: { tenant: 'tenant' } }
    return {
      config: [...config, `auth: ${JSON.stringify({ oauth: { issuers: [options] } })}`],
      authorization: `Bearer ${issuer.token}`,
    }
  }
  const key = makeKey(randomBytes(32))
  const record = {
    owner: 'bench',
    purpose: 'bench',
    tenant: 'acme',
    roles: [role],
    scopes: ['ductape:write'],
  }
  write('keys.yaml', {
    version: 1,
    keys: [
      { id: 'key-own', sha256: hashKey(key), ...record },
      ...Array.from({ length: keys - 1 }, (_, i) => ({
        id: `key-${i}`,
        sha256: randomBytes(32).toString('hex'),
        ...record,
      })),
    ],
  })
  return { config: [...config, 'auth: { apiKeys: {} }'], authorization: `Bearer ${key}` }
}
