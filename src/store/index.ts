// The state that replicas share: which adapter serves it, and what other features use of it.
import type { Store } from '../core/store.ts'
import { createMemoryStore } from './memory.ts'
import type { RedisPorts, RedisSettings } from './redis.ts'

export { openEntry, readEntry, sealEntry, signEntry } from './entries.ts'
export { inspectStore } from './inspect.ts'
export { createMemoryStore } from './memory.ts'
export { createReplicated } from './replicated.ts'

export type StorePorts = RedisPorts

/** The store of the config section `store`. Resolves also where Redis cannot be reached yet: it heals by itself. */
export async function createStore(
  config: 'memory' | { readonly redis: RedisSettings },
  ports: StorePorts,
): Promise<Store> {
  if (config === 'memory') return createMemoryStore({ now: ports.now })
  // With the client of Redis, which costs 16 MB: loaded only where it is configured.
  const { createRedisStore } = await import('./redis.ts')
  return createRedisStore(config.redis, ports)
}
