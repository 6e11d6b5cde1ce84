// The checks of `doctor` for what a configuration leans on: files of live/, the store, the issuers of tokens, the authorities of client certificates.
import { defaultLimits } from '../admission/limits/index.ts'
import { listOperations } from '../catalogue/operations.ts'
import type { Io } from '../cli/io.ts'
import { type Config, createFileWatcher, formatProblems, LIVE_FILES, type Problem } from '../config/index.ts'
import { deny } from '../core/denials.ts'
import type { Revocations } from '../core/runtime.ts'
import { createCertificates } from '../identity/mtls/index.ts'
import { createOauth, type FetchProblem } from '../identity/oauth/index.ts'
import { fetchBytes } from '../outbound.ts'
import { createLive } from '../runtime.ts'
import { createStore, inspectStore } from '../store/index.ts'
import { type Check, finding, ok, skipped } from './checks.ts'

export interface CheckPorts {
  io: Pick<Io, 'readFile'>
  /** Milliseconds since the epoch. */
  now(): number
  /** Of each question, in milliseconds. */
  timeout: number
}

/** In the order in which `doctor` shows them. */
export async function checkConfigured(config: Config, ports: CheckPorts): Promise<Check[]> {
  return [
    await checkLive(config, ports),
    await checkStore(config, ports),
    await checkIssuers(config, ports),
    checkAuthorities(config, ports),
  ]
}

const NOTHING_REVOKED: Revocations = { isRevoked: () => false }

/** Reads and compiles each file exactly as the service does. */
async function checkLive(
  { live: folder, auth, keys, catalogue }: Config,
  { io, now }: CheckPorts,
): Promise<Check> {
  if (folder === undefined) return skipped('live', 'no folder live: the defaults hold')
  const texts = new Map<string, string>()
  const faults: string[] = []
  for (const file of LIVE_FILES) {
    try {
      texts.set(`${folder}/${file}`, io.readFile(`${folder}/${file}`))
    } catch (error) {
      const code = codeOf(error)
      if (code !== 'ENOENT') faults.push(`live/${file} cannot be read (${code})`)
    }
  }
  const watcher = createFileWatcher({
    stamp: async (path) => (texts.has(path) ? path : undefined),
    read: async (path) => Buffer.from(texts.get(path) ?? ''),
  })
  const good: string[] = []
  let off = 0
  const problems: Problem[] = []
  await createLive({
    directory: folder,
    watcher,
    authenticated: auth !== undefined,
    stableCredentialIds: keys.fleet !== undefined,
    operations: listOperations(catalogue !== 'enforce'),
    revocations: { setLive: () => undefined, addLive: () => undefined },
    kill: {
      setLive: (entries) => {
        off = entries.length
      },
      addLive: () => undefined,
    },
    onApplied: (file) => good.push(file),
    onRefused: (file, found) =>
      problems.push(...found.map((one) => (one.source === '' ? { ...one, source: `live/${file}` } : one))),
    now,
    limits: defaultLimits(),
  })
  await watcher.look()
  if (problems.length > 0) faults.push(formatProblems(problems.slice(0, MAX_PROBLEMS)).trimEnd())
  if (auth !== undefined && !texts.has(`${folder}/policy.yaml`) && faults.length === 0)
    faults.push('there is no live/policy.yaml, so every call is refused')
  return faults.length > 0
    ? finding('live', faults.join('\n'), 'Mend the files; the service reads them again within 2 seconds.')
    : ok(
        'live',
        good.length === 0
          ? `${folder} holds none of the files: the defaults hold`
          : `good: ${good.join(', ')}${off === 0 ? '' : `; entries of kill.yaml, which switch something off: ${off}`}`,
      )
}

const MAX_PROBLEMS = 20

async function checkStore({ store: section }: Config, { io, now }: CheckPorts): Promise<Check> {
  if (section === 'memory') return skipped('store', 'in memory: each replica counts for itself')
  const store = await createStore(section, {
    now,
    random: Math.random,
    readFile: io.readFile,
    report: () => undefined,
  })
  try {
    const all = await inspectStore(store)
    const found = all.map((one) => one.found).join('\n')
    const remedies = all.flatMap(({ remedy }) => remedy ?? [])
    return remedies.length > 0 ? finding('store', found, remedies.join(' ')) : ok('store', found)
  } finally {
    await store.close()
  }
}

const PROBLEMS: Readonly<Record<FetchProblem, string>> = {
  unreachable: 'cannot be reached, or its certificate is not trusted',
  status: 'does not answer with HTTP status 200',
  too_large: 'answers with more than 256 KiB',
  not_json: 'does not answer with a JSON object',
  no_metadata: 'has no metadata at either of its two places',
  issuer_differs: 'names another issuer in its metadata',
  jwks_uri_refused: 'names no usable jwks_uri in its metadata',
  endpoints_refused: 'names no usable authorization_endpoint and token_endpoint in its metadata',
  not_a_key_set: 'publishes no key set at its jwks_uri',
  too_many_keys: 'publishes too many keys',
}

/** Fetches the keys of every issuer, as the service does at its first token; no token is sent. */
async function checkIssuers(config: Config, { io, timeout }: CheckPorts): Promise<Check> {
  const { auth, publicUrl, outbound } = config
  const { people } = auth ?? {}
  const ofAgents = auth?.oauth?.issuers ?? []
  const others =
    people === undefined || ofAgents.some(({ issuer }) => issuer === people.issuer) ? [] : [people]
  if (publicUrl === undefined || ofAgents.length + others.length === 0)
    return skipped('issuers', 'neither auth.oauth nor auth.people')
  const issuers = [
    ...ofAgents,
    ...others.map((one) => ({ ...one, roles: {}, requireBinding: 'none' as const })),
  ]
  const settings = new Map(issuers.map((one) => [one.issuer, one]))
  const oauth = createOauth(
    // No token is looked at here.
    { skew: 0, maxLifetime: 0, maxTokenBytes: 0, publicUrl, issuers },
    {
      fetch: async (url, name) => {
        const issuer = settings.get(name)
        return fetchBytes('issuer', {
          url,
          limit: 256 * 1024,
          timeout,
          connectTimeout: timeout,
          ca: issuer?.ca === undefined ? undefined : io.readFile(issuer.ca.file),
          proxy: outbound.proxy,
          privateNetwork: issuer?.privateNetwork === true,
          configured: url === issuer?.jwksUri ? url : name,
        })
      },
      tick: () => performance.now(),
      revocations: NOTHING_REVOKED,
      dpop: { verify: () => deny('proof_invalid') },
      onEvent: () => undefined,
    },
  )
  const found = await oauth.check()
  const lines = found.map(({ issuer, keys, problem }) =>
    problem === undefined
      ? `${issuer}: ${keys} ${keys === 1 ? 'key' : 'keys'}`
      : `${issuer} ${PROBLEMS[problem]}`,
  )
  return found.every(({ keys, problem }) => problem === undefined && keys > 0)
    ? ok('issuers', lines.join('\n'))
    : finding(
        'issuers',
        lines.join('\n'),
        'Check issuer, jwksUri, ca and privateNetwork in auth.oauth.issuers and auth.people, and the egress rules of the network.',
      )
}

function checkAuthorities({ auth }: Config, { io, now }: CheckPorts): Check {
  if (auth?.mtls === undefined) return skipped('mtls', 'no auth.mtls')
  const { file } = auth.mtls.ca
  let bytes: Buffer
  try {
    bytes = Buffer.from(io.readFile(file))
  } catch (error) {
    return finding('mtls', `auth.mtls.ca: ${file} cannot be read (${codeOf(error)})`, 'Mount the file.')
  }
  const fault = createCertificates(auth.mtls, { now, revocations: NOTHING_REVOKED }).reload(bytes)
  return fault === undefined
    ? ok('mtls', `${file} holds the authorities of the clients`)
    : finding(
        'mtls',
        `auth.mtls.ca: ${file}: ${fault}`,
        'Give the file of the authorities that nginx verifies against.',
      )
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
