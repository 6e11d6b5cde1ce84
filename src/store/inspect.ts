// What `doctor` says of a store: whether it can be reached, keeps what it is given, and lets this user do what the service does.
import { type Store, StoreUnavailable } from '../core/store.ts'
import type { RedisStore } from './redis.ts'

export interface StoreFinding {
  readonly status: 'ok' | 'finding'
  readonly found: string
  /** What to do about a finding. */
  readonly remedy?: string
}

const ok = (found: string): StoreFinding => ({ status: 'ok', found })
const finding = (found: string, remedy: string): StoreFinding => ({ status: 'finding', found, remedy })

const isRedis = (store: Store): store is RedisStore => store.kind === 'redis'

/** Writes and removes short-lived entries under the key `doctor`; takes the time of a few operations and never rejects. */
export async function inspectStore(store: Store): Promise<readonly StoreFinding[]> {
  if (!isRedis(store)) {
    return [
      ok(
        'memory: each replica counts for itself, and nothing outlives it; replicas that share need store.redis',
      ),
    ]
  }
  if (!store.available()) {
    return [
      finding(
        `the store cannot be reached: ${store.fault() ?? 'timeout'}`,
        'Check store.redis: url, ca, username and password, and the egress rules of the network.',
      ),
    ]
  }
  const refused = await refusedOperations(store)
  const rights =
    refused.length === 0
      ? ok('this user may do what the service does')
      : finding(
          `the store refuses ${refused.join(', ')}`,
          'Give the user the commands, keys and channels that docs/operate/store.md lists.',
        )
  try {
    return [...serverFindings(parseInfo(await store.info())), rights]
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    return [
      finding('INFO is refused, so nothing is known of maxmemory-policy', 'Give the user +info.'),
      rights,
    ]
  }
}

/** The sections of INFO as one map. */
function parseInfo(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split(/\r?\n/).flatMap((line): [string, string][] => {
      const colon = line.indexOf(':')
      return colon > 0 ? [[line.slice(0, colon), line.slice(colon + 1)]] : []
    }),
  )
}

/** The oldest Redis that the tests run against. */
const OLDEST = 7

function serverFindings(info: ReadonlyMap<string, string>): StoreFinding[] {
  const valkey = info.get('valkey_version')
  const version = valkey ?? info.get('redis_version') ?? ''
  const shown = /^\d+(\.\d+){1,3}$/.test(version) ? version : 'of an unknown version'
  const server = `${valkey === undefined ? 'Redis' : 'Valkey'} ${shown}`
  const policy = info.get('maxmemory_policy')
  const findings = [
    Number.parseInt(version, 10) >= OLDEST
      ? ok(server)
      : finding(`${server} is older than ${OLDEST}`, `Use Redis ${OLDEST} or Valkey 8, or newer.`),
    policy === 'noeviction'
      ? ok('maxmemory-policy is noeviction')
      : finding(
          'maxmemory-policy is not noeviction: a full server would forget revocations and used proofs',
          'Set maxmemory-policy noeviction on the server.',
        ),
    // No finding: what has to outlive the server is in live/ as well.
    info.get('aof_enabled') === '1'
      ? ok('append-only file: entries outlive a restart of the server')
      : ok('no append-only file: a restart of the server may lose what was written last'),
  ]
  if (info.get('cluster_enabled') === '1')
    findings.push(
      finding('the server is part of a cluster', 'Use a single primary, with replicas for failover.'),
    )
  return findings
}

/** Names of the port's operations that the server refuses. */
async function refusedOperations(store: Store): Promise<string[]> {
  const key = 'doctor'
  const budget = { capacity: 1, refill: 1, per: 1000 }
  const tries: readonly [string, () => Promise<unknown>][] = [
    ['GET', () => store.get(key)],
    ['SET', () => store.setIfAbsent(key, '1', 1000)],
    ['GETDEL', () => store.take(key)],
    ['compare-and-swap', () => swap(store, key)],
    ['lease', () => store.lease(key, budget, 1)],
    ['give back', () => store.giveBack(key, budget, 1)],
    ['acquire', () => store.acquire(key, key, 1, 1000)],
    ['release', () => store.release(key, key)],
    ['index', () => indexed(store, key)],
    ['SUBSCRIBE', async () => (await store.subscribe(key, () => undefined))()],
    ['PUBLISH', () => store.publish(key, '')],
  ]
  const refused: string[] = []
  for (const [name, attempt] of tries) {
    try {
      await attempt()
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      refused.push(name)
    }
  }
  return refused
}

async function swap(store: Store, key: string): Promise<void> {
  await store.compareAndSwap(key, undefined, '1', 1000)
  await store.compareAndSwap(key, undefined, '1', undefined)
  await store.compareAndSwap(key, '1', undefined, undefined)
}

async function indexed(store: Store, key: string): Promise<void> {
  await store.indexAdd(key, 'ending', 1000, 2)
  await store.indexAdd(key, 'lasting', undefined, 2)
  await store.indexMembers(key)
  await store.indexCount(key)
  await store.indexRemove(key, 'lasting')
  await store.indexRemove(key, 'ending')
}
