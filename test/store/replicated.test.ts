// The signed set itself: one entry for each thing, the same on all replicas, also where one text was signed under two keys.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import type { Fleet } from '../../src/core/fleet.ts'
import type { Store } from '../../src/core/store.ts'
import { createFleet } from '../../src/keys/index.ts'
import { createMemoryStore, createReplicated, signEntry } from '../../src/store/index.ts'

const NAME = 'things'
const END = 1_000_000
const secret = (id: string) => ({ id, secret: createHash('sha256').update(id).digest() })
const OLD = createFleet([secret('k1'), secret('k2')], true)
const NEW = createFleet([secret('k2'), secret('k1')], true)

function rig(limit = 10) {
  let time = 1
  const store = createMemoryStore({ now: () => time })
  const events: string[] = []
  let changes = 0
  return {
    store,
    events,
    changes: () => changes,
    at: (next: number) => {
      time = next
    },
    /** An entry is `ID RANK END`; the higher rank holds. */
    replica: (fleet: Fleet = OLD, over: Store = store) =>
      createReplicated({
        store: over,
        fleet,
        now: () => time,
        onEvent: (name, fields) => events.push(`${name} ${JSON.stringify(fields)}`),
        pollEvery: 2000,
        name: NAME,
        limit,
        parse(text) {
          const [, id, rank, end] = /^([a-z]+) (\d+) (\d+)$/.exec(text) ?? []
          return id === undefined ? undefined : { group: 'all', id, rank: Number(rank), end: Number(end) }
        },
        supersedes: (one, other) => one.rank > other.rank,
        onChange: () => changes++,
      }),
  }
}

describe('a replicated set', () => {
  it('of two entries keeps the one that holds, in memory and in the store, whichever came first', async () => {
    for (const order of [
      [1, 2],
      [2, 1],
    ]) {
      const { store, replica } = rig()
      const one = replica()
      for (const rank of order) assert.equal(await one.add(`a ${rank} ${END}`), true)
      assert.equal(one.find('all', 'a')?.rank, 2)
      await one.refresh()
      const members = await store.indexMembers(NAME)
      assert.deepEqual([members.length, members[0]?.endsWith(`a 2 ${END}`)], [1, true])
      assert.deepEqual([one.count('all'), one.count('none'), [...one.entries()].length], [1, 0, 1])
      one.close()
    }
  })

  it('holds an entry once that was signed under two keys, and leaves the store in peace', async () => {
    const { store, replica } = rig()
    let writes = 0
    const counted: Store = {
      ...store,
      indexAdd: (...given) => {
        writes++
        return store.indexAdd(...given)
      },
      indexRemove: (...given) => {
        writes++
        return store.indexRemove(...given)
      },
    }
    const both = [replica(OLD, counted), replica(NEW, counted)]
    for (const one of both) await one.start()
    for (const one of both) await one.add(`a 1 ${END}`)
    for (let round = 0; round < 2; round++) for (const one of both) await one.refresh()
    const before = writes
    for (let round = 0; round < 3; round++) for (const one of both) await one.refresh()
    assert.equal(writes, before)
    for (const one of both) assert.deepEqual(one.stats(), { shared: 1, forged: 0, synced: true })
    for (const one of both) one.close()
  })

  it('signs what it holds again under a new key, so that who knows that one alone can read it', async () => {
    const { store, replica } = rig()
    let keys = OLD
    const one = replica({
      ...OLD,
      get ids() {
        return keys.ids
      },
      mac: (...given) => keys.mac(...given),
      verify: (...given) => keys.verify(...given),
    })
    await one.start()
    for (const id of ['a', 'b']) await one.add(`${id} 1 ${END}`)
    const only = createFleet([secret('k2')], true)
    const early = replica(only)
    await early.refresh()
    assert.equal(early.stats().shared, 0)
    keys = NEW
    await one.refresh()
    await one.refresh()
    const late = replica(only)
    await late.refresh()
    assert.deepEqual([late.stats().shared, late.stats().forged], [2, 0])
    assert.equal((await store.indexMembers(NAME)).length, 2)
    // What comes later under the old key is signed again when that one is gone.
    await store.publish(NAME, signEntry(OLD, NAME, `c 1 ${END}`))
    keys = only
    await one.refresh()
    await late.refresh()
    assert.equal(late.stats().shared, 3)
    one.close()
  })

  it('takes nothing from the store as long as what holds instead is not there', async () => {
    const { store, replica } = rig()
    const lower = signEntry(OLD, NAME, `a 1 ${END}`)
    const full = { ...store, indexAdd: async () => false }
    const one = replica(OLD, full)
    await one.start()
    await store.publish(NAME, signEntry(OLD, NAME, `a 2 ${END}`))
    await store.indexAdd(NAME, lower, END, 10)
    await one.refresh()
    assert.deepEqual(await store.indexMembers(NAME), [lower])
    one.close()
  })

  it('tells changes, and only those', async () => {
    const { replica, changes, at } = rig()
    const one = replica()
    await one.start()
    assert.equal(changes(), 0)
    await one.add(`a 2 ${END}`)
    assert.equal(changes(), 1)
    await one.add(`a 1 ${END}`)
    await one.refresh()
    assert.equal(changes(), 1)
    at(END)
    await one.refresh()
    assert.deepEqual([changes(), one.find('all', 'a'), one.stats().shared], [2, undefined, 0])
    one.close()
  })

  it('that is full keeps what it has, renews it, and says so once', async () => {
    const { store, replica, events } = rig(2)
    const one = replica()
    for (const id of ['a', 'b']) assert.equal(await one.add(`${id} 1 ${END}`), true)
    assert.equal(await one.add(`c 1 ${END}`), false)
    for (const id of ['c', 'd']) await store.publish(NAME, signEntry(OLD, NAME, `${id} 1 ${END}`))
    assert.deepEqual(events, [])
    await one.refresh()
    for (const id of ['c', 'd']) await store.publish(NAME, signEntry(OLD, NAME, `${id} 1 ${END}`))
    await store.publish(NAME, signEntry(OLD, NAME, `a 2 ${END}`))
    assert.deepEqual(events, ['things_full {"limit":2}'])
    assert.deepEqual([one.find('all', 'a')?.rank, one.find('all', 'c')], [2, undefined])
    one.close()
  })

  it('writes no text that it could not read', async () => {
    const { store, replica } = rig()
    await assert.rejects(replica().add('A'), /things: not an entry/)
    assert.deepEqual(await store.indexMembers(NAME), [])
  })
})

describe('to be in step', () => {
  it('is to read what was written before the call, also where a look is under way', async () => {
    const { store, replica } = rig()
    const reading = Promise.withResolvers<void>()
    const go = Promise.withResolvers<void>()
    let looks = 0
    const slow: Store = {
      ...store,
      subscribe: async () => () => undefined,
      indexMembers: async (index) => {
        const members = await store.indexMembers(index)
        if (looks++ === 0) {
          reading.resolve()
          await go.promise
        }
        return members
      },
    }
    const one = replica(OLD, slow)
    const look = one.refresh()
    await reading.promise
    await replica().add(`a 1 ${END}`)
    const sync = one.sync()
    go.resolve()
    await look
    await sync
    assert.equal(one.find('all', 'a')?.rank, 1)
    assert.equal(looks, 2)
  })

  it('is refused where the store is away, and that does not end the looks', async () => {
    const { store, replica } = rig()
    let away = true
    const one = replica(OLD, {
      ...store,
      indexMembers: (index) => (away ? Promise.reject(new Error('away')) : store.indexMembers(index)),
    })
    await assert.rejects(one.sync(), /away/)
    away = false
    await one.sync()
    assert.equal(one.stats().synced, true)
  })
})
