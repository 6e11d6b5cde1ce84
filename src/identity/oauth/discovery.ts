// Fetches what an issuer publishes: its metadata (RFC 8414, OpenID Connect Discovery 1.0) and its key set (RFC 7517), each small and exact.
import { isObject, type Json, type JsonObject, parseObject } from '../../core/json.ts'
import { isSafeUrl } from './url.ts'

/** One GET over the table of outbound connections: no redirects, a deadline. Rejects where there is no answer. */
export type Fetch = (url: string, issuer: string) => Promise<{ status: number; body: Buffer }>

/** Closed, for log and doctor. */
export type FetchProblem =
  | 'unreachable'
  | 'status'
  | 'too_large'
  | 'not_json'
  | 'no_metadata'
  | 'issuer_differs'
  | 'jwks_uri_refused'
  | 'endpoints_refused'
  | 'not_a_key_set'
  | 'too_many_keys'

/** Thrown by the functions of this file. */
export class FetchFault extends Error {
  override name = 'FetchFault'
  readonly problem: FetchProblem
  constructor(problem: FetchProblem) {
    super(problem)
    this.problem = problem
  }
}

// A set of 4 MB kept the process busy for 27 s.
const MAX_BYTES = 256 * 1024
const MAX_KEYS = 100

async function getObject(get: Fetch, url: string, issuer: string): Promise<JsonObject> {
  let answer: Awaited<ReturnType<Fetch>>
  try {
    answer = await get(url, issuer)
  } catch {
    throw new FetchFault('unreachable')
  }
  if (answer.status !== 200) throw new FetchFault('status')
  if (answer.body.length > MAX_BYTES) throw new FetchFault('too_large')
  const document = parseObject(answer.body.toString())
  if (document === undefined) throw new FetchFault('not_json')
  return document
}

/** The two places of the metadata: RFC 8414 3.1 puts its path before that of the issuer, OpenID Connect Discovery 4 behind it. */
function metadataUrls(issuer: string): readonly string[] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  return [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`,
  ]
}

/** The issuer's metadata. Rejects with FetchFault. */
export async function discover(get: Fetch, issuer: string): Promise<JsonObject> {
  let problem: FetchProblem = 'no_metadata'
  for (const url of metadataUrls(issuer)) {
    let metadata: JsonObject
    try {
      metadata = await getObject(get, url, issuer)
    } catch (error) {
      if (error instanceof FetchFault && error.problem !== 'status') problem = error.problem
      continue
    }
    // RFC 8414 3.3: any difference, and the metadata must not be used.
    if (metadata['issuer'] !== issuer) throw new FetchFault('issuer_differs')
    return metadata
  }
  throw new FetchFault(problem)
}

/** A URL of the metadata; undefined where it is none. */
export function urlOf(metadata: JsonObject, name: string, issuer: string): string | undefined {
  const url = metadata[name]
  // RFC 8414 2: https. Plain http is for an issuer on this machine, never for one elsewhere that names a port here.
  const isSafe = typeof url === 'string' && isSafeUrl(url)
  return isSafe && (!issuer.startsWith('https:') || url.startsWith('https:')) ? url : undefined
}

/** `jwks_uri` of the issuer's metadata. Rejects with FetchFault. */
export async function discoverKeySet(get: Fetch, issuer: string): Promise<string> {
  const url = urlOf(await discover(get, issuer), 'jwks_uri', issuer)
  if (url === undefined) throw new FetchFault('jwks_uri_refused')
  return url
}

/** The keys of a set that may verify; `use`, `kty` and private keys are left to jwks-rsa. Rejects with FetchFault. */
export async function fetchKeySet(get: Fetch, url: string, issuer: string): Promise<readonly JsonObject[]> {
  const { keys } = await getObject(get, url, issuer)
  if (!Array.isArray(keys)) throw new FetchFault('not_a_key_set')
  if (keys.length > MAX_KEYS) throw new FetchFault('too_many_keys')
  return keys.filter(mayVerify)
}

function mayVerify(key: Json): key is JsonObject {
  if (!isObject(key)) return false
  const operations = key['key_ops']
  return operations === undefined || (Array.isArray(operations) && operations.includes('verify'))
}
