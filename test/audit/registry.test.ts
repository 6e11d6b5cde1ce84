// Chains in the shared store: each start finds those before it, forged ones count for nothing, and very many make room.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MAX_REGISTERED, registerChain } from '../../src/audit/registry.ts'
import { type Store, StoreUnavailable } from '../../src/core/store.ts'
import { createFleet } from '../../src/keys/index.ts'
import { createMemoryStore, signEntry } from '../../src/store/index.ts'

const fleet = createFleet([{ id: 'k1', secret: Buffer.alloc(32, 7) }], true)
const stranger = createFleet([{ id: 'k1', secret: Buffer.alloc(32, 8) }], true)
const id = (n: number): string => `018f0000-0000-7000-8000-${String(n).padStart(12, '0')}`
/** What a server would be; `memory` itself is not asked, because it ends with the process. */
const shared = (): Store => ({ ...createMemoryStore({ now: Date.now }), kind: 'redis' })

describe('chains in the store', () => {
  test('each start finds those before it', async () => {
    const store = shared()
    for (let i = 1; i <= 3; i++)
      assert.deepEqual(
        await registerChain({ store, fleet }, id(i)),
        Array.from({ length: i - 1 }, (_, at) => id(at + 1)),
      )
  })

  test('what this fleet has not signed is no chain', async () => {
    const store = shared()
    await store.indexAdd('chains', signEntry(stranger, 'chains', id(1)), undefined, 100)
    await store.indexAdd('chains', signEntry(fleet, 'other', id(2)), undefined, 100)
    await store.indexAdd('chains', signEntry(fleet, 'chains', 'rubbish'), undefined, 100)
    await store.indexAdd('chains', id(3), undefined, 100)
    assert.deepEqual(await registerChain({ store, fleet }, id(4)), [])
    assert.deepEqual(await registerChain({ store, fleet }, id(5)), [id(4)])
  })

  test('the oldest make room', async () => {
    const store = shared()
    for (let i = 1; i <= MAX_REGISTERED + 3; i++) await registerChain({ store, fleet }, id(i))
    assert.equal((await store.indexMembers('chains')).length, MAX_REGISTERED)
    const found = await registerChain({ store, fleet }, id(9999))
    assert.equal(found.length, MAX_REGISTERED)
    assert.equal(found.at(-1), id(MAX_REGISTERED + 3))
  })

  test('a store that is away names none and holds up nothing', async () => {
    const away: Store = {
      ...shared(),
      indexMembers: () => Promise.reject(new StoreUnavailable()),
    }
    assert.deepEqual(await registerChain({ store: away, fleet }, id(1)), [])
  })
})
