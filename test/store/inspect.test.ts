// What doctor says of a store, from the words of INFO and from what the server refuses.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { StoreUnavailable } from '../../src/core/store.ts'
import { createMemoryStore, inspectStore } from '../../src/store/index.ts'
import type { RedisStore } from '../../src/store/redis.ts'

const GOOD = {
  redis_version: '7.0.15',
  maxmemory_policy: 'noeviction',
  aof_enabled: '1',
  cluster_enabled: '0',
}

/** A store of Redis whose operations all work, with this INFO. */
function redis(info: Readonly<Record<string, string>>, more: Partial<RedisStore> = {}): RedisStore {
  return {
    ...createMemoryStore({ now: () => 0 }),
    kind: 'redis',
    fault: () => undefined,
    info: async () =>
      `# Section\r\n${Object.entries(info)
        .map(([name, value]) => `${name}:${value}`)
        .join('\r\n')}\r\n`,
    ...more,
  }
}

const findings = async (store: RedisStore) =>
  (await inspectStore(store)).filter(({ status }) => status === 'finding').map(({ found }) => found)

describe('doctor on a store', () => {
  test('memory is no finding', async () => {
    const [only, ...others] = await inspectStore(createMemoryStore({ now: () => 0 }))
    assert.equal(only?.status, 'ok')
    assert.deepEqual(others, [])
  })

  test('a good server has none', async () => {
    assert.deepEqual(await findings(redis(GOOD)), [])
    const valkey = await inspectStore(redis({ ...GOOD, redis_version: '7.2.4', valkey_version: '9.1.2' }))
    assert.equal(valkey[0]?.found, 'Valkey 9.1.2')
  })

  for (const [what, change, found] of [
    ['an evicting policy', { maxmemory_policy: 'volatile-ttl' }, /maxmemory-policy is not noeviction/],
    ['a policy that is not said', { maxmemory_policy: '' }, /maxmemory-policy is not noeviction/],
    ['an old server', { redis_version: '6.2.14' }, /^Redis 6\.2\.14 is older than 7$/],
    ['a version that is no version', { redis_version: '<script>' }, /^Redis of an unknown version is older/],
    ['a cluster', { cluster_enabled: '1' }, /cluster/],
  ] as const) {
    test(`${what} is a finding`, async () => {
      const all = await findings(redis({ ...GOOD, ...change }))
      assert.equal(all.length, 1, all.join())
      assert.match(all[0] ?? '', found)
    })
  }

  test('no append-only file is said and is no finding', async () => {
    const all = await inspectStore(redis({ ...GOOD, aof_enabled: '0' }))
    assert.ok(all.some(({ status, found }) => status === 'ok' && found.startsWith('no append-only file')))
  })

  test('each refused operation is named, INFO as well, and others are still tried', async () => {
    const refuse = async (): Promise<never> => {
      throw new StoreUnavailable('NOPERM')
    }
    const poor = redis(GOOD, { take: refuse, lease: refuse, subscribe: refuse, info: refuse })
    const [info, rights, ...others] = await inspectStore(poor)
    assert.match(info?.found ?? '', /INFO is refused/)
    assert.equal(rights?.found, 'the store refuses GETDEL, lease, SUBSCRIBE')
    assert.deepEqual(others, [])
  })

  test('it leaves nothing behind', async () => {
    let time = 0
    const store = redis(GOOD)
    const memory = createMemoryStore({ now: () => time })
    await inspectStore({ ...memory, kind: 'redis', info: store.info, fault: store.fault } as RedisStore)
    time += 2000
    assert.equal(await memory.get('doctor'), undefined)
    assert.deepEqual(await memory.indexMembers('doctor'), [])
    assert.equal(await memory.acquire('doctor', 'other', 1, 1000), true)
  })

  test('a store that cannot be reached is one finding, with the reason', async () => {
    const away = redis(GOOD, { available: () => false, fault: () => 'ECONNREFUSED' })
    assert.deepEqual(await findings(away), ['the store cannot be reached: ECONNREFUSED'])
  })
})
