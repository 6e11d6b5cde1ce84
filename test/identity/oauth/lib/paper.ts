// Issuers that exist only as keys in memory, for tokens that no real server would make, and the authenticator that trusts them.
import { createHmac, generateKeyPairSync, KeyObject, constants as rsa, sign } from 'node:crypto'
import type { ClientCertificate, DpopVerifier, Presented } from '../../../../src/identity/authenticator.ts'
import {
  createOauth,
  type IssuerOptions,
  type OauthAuthenticator,
  type OauthOptions,
  type OauthPorts,
} from '../../../../src/identity/oauth/index.ts'

/** Milliseconds; the clock of everything that is made on paper. */
export const NOW = 1_800_000_000_000
export const SECONDS = NOW / 1000
export const PUBLIC_URL = 'https://mcp.example.com'

export interface PaperKey {
  readonly kid: string | undefined
  readonly privateKey: KeyObject
  /** As it is published; tests add `use`, `alg` and so on. */
  readonly jwk: Record<string, unknown>
}

type KeySpec = 'ec' | 'p384' | 'rsa' | 'rsa1024' | 'ed25519' | 'ed448'

export function paperKey(spec: KeySpec, kid?: string, members: Record<string, unknown> = {}): PaperKey {
  const { publicKey, privateKey } = generate(spec)
  const name = kid === undefined ? {} : { kid }
  return { kid, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), ...name, ...members } }
}

function generate(spec: KeySpec): { publicKey: KeyObject; privateKey: KeyObject } {
  if (spec === 'ec') return generateKeyPairSync('ec', { namedCurve: 'P-256' })
  if (spec === 'p384') return generateKeyPairSync('ec', { namedCurve: 'P-384' })
  if (spec === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 })
  if (spec === 'rsa1024') return generateKeyPairSync('rsa', { modulusLength: 1024 })
  return spec === 'ed448' ? generateKeyPairSync('ed448') : generateKeyPairSync('ed25519')
}

const encode = (text: string): string => Buffer.from(text).toString('base64url')

/** Signs whatever it is given, by the algorithm that it is told, whatever the header says (RFC 7518 3, RFC 8037). */
export function signRaw(header: string, payload: string, algorithm: string, key: KeyObject | Buffer): string {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${signature(input, algorithm, key).toString('base64url')}`
}

export function signature(input: string, algorithm: string, key: KeyObject | Buffer): Buffer {
  const data = Buffer.from(input)
  const digest = `sha${algorithm.slice(2)}`
  if (!(key instanceof KeyObject)) return createHmac(digest, key).update(data).digest()
  if (algorithm.startsWith('E') && !algorithm.startsWith('ES')) return sign(null, data, key)
  if (algorithm.startsWith('ES')) return sign(digest, data, { key, dsaEncoding: 'ieee-p1363' })
  return algorithm.startsWith('PS')
    ? sign(digest, data, { key, padding: rsa.RSA_PKCS1_PSS_PADDING, saltLength: rsa.RSA_PSS_SALTLEN_DIGEST })
    : sign(digest, data, key)
}

type Members = Readonly<Record<string, unknown>>

/** Claims of a good RFC 9068 token; a member given as undefined is left out. */
export const goodClaims = (issuer: string, changes: Members = {}): Record<string, unknown> => ({
  iss: issuer,
  aud: PUBLIC_URL,
  sub: 'agent-7',
  client_id: 'planner',
  iat: SECONDS - 10,
  exp: SECONDS + 300,
  jti: 'token-1',
  scope: 'ductape:read',
  ...changes,
})

export interface Paper {
  readonly url: string
  readonly key: PaperKey
}

/** A token of this issuer, good but for the changes. */
export function token(paper: Paper, claims: Members = {}, header: Members = {}): string {
  const full = { alg: 'ES256', typ: 'at+jwt', kid: paper.key.kid, ...header }
  return signRaw(
    JSON.stringify(full),
    JSON.stringify(goodClaims(paper.url, claims)),
    full.alg,
    paper.key.privateKey,
  )
}

/** An issuer in the configuration, with the defaults that config.ts gives. */
export const issuerOptions = (issuer: string, changes: Partial<IssuerOptions> = {}): IssuerOptions => ({
  issuer,
  tokenType: 'at+jwt',
  jwksUri: `${issuer}/jwks`,
  algorithms: [
    'RS256',
    'RS384',
    'RS512',
    'PS256',
    'PS384',
    'PS512',
    'ES256',
    'ES384',
    'ES512',
    'EdDSA',
    'Ed25519',
  ],
  claims: { subject: 'sub', client: ['client_id', 'azp'], roles: 'roles', scopes: ['scope', 'scp'] },
  requireBinding: 'none',
  ...changes,
})

export const oauthOptions = (
  issuers: readonly IssuerOptions[],
  changes: Partial<OauthOptions> = {},
): OauthOptions => ({
  publicUrl: PUBLIC_URL,
  issuers,
  skew: 30_000,
  maxLifetime: 86_400_000,
  maxTokenBytes: 8192,
  ...changes,
})

/** Answers every URL of the map with 200 and the JSON of its value, everything else with 404. */
export const paperFetch =
  (documents: ReadonlyMap<string, unknown>): OauthPorts['fetch'] =>
  (url) =>
    Promise.resolve(
      documents.has(url)
        ? { status: 200, body: Buffer.from(JSON.stringify(documents.get(url))) }
        : { status: 404, body: Buffer.alloc(0) },
    )

/** Revocations that a test can add to: `jti token-1`. */
export const paperRevocations = (): OauthPorts['revocations'] & { readonly set: Set<string> } => {
  const set = new Set<string>()
  return { set, isRevoked: (kind, value) => set.has(`${kind} ${value}`) }
}

/** Takes any proof; the real verifier has tests of its own. */
const anyProof: DpopVerifier = { verify: () => undefined }

export interface Setup {
  readonly oauth: OauthAuthenticator
  readonly events: { name: string; fields: Record<string, string | number> }[]
  readonly revocations: ReturnType<typeof paperRevocations>
  /** Monotonic milliseconds, moved by the test. */
  readonly clock: { tick: number }
}

export function setup(options: OauthOptions, ports: Partial<OauthPorts> & Pick<OauthPorts, 'fetch'>): Setup {
  const events: Setup['events'] = []
  const revocations = paperRevocations()
  const clock = { tick: 1000 }
  const oauth = createOauth(options, {
    tick: () => clock.tick,
    revocations,
    dpop: anyProof,
    onEvent: (name, fields) => void events.push({ name, fields }),
    ...ports,
  })
  return { oauth, events, revocations, clock }
}

export const presented = (text: string, changes: Partial<Presented> = {}): Presented => ({
  scheme: 'bearer',
  token: text,
  // The authenticator hands request and runtime on to the proof verifier and looks at neither.
  request: {} as Presented['request'],
  runtime: {} as Presented['runtime'],
  certificate: undefined,
  now: NOW,
  ...changes,
})

export const certificate = (thumbprint: string): ClientCertificate => ({
  fingerprint: Buffer.from(thumbprint, 'base64url').toString('hex'),
  thumbprint,
  uris: [],
  dnsNames: [],
  notBefore: 0,
  notAfter: NOW * 2,
})
