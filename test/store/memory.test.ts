// The store in memory: the contract, its bounds, and random operations against a model that is too simple to be wrong.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type Store, StoreUnavailable } from '../../src/core/store.ts'
import { createExpiry } from '../../src/store/expiry.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { contract } from './lib/contract.ts'
import { leaseTogether, raceForOne } from './lib/races.ts'

const SEED = 20_260_401
const RUNS = 400

function clocked(maxEntries?: number): { store: Store; advance(ms: number): void } {
  let time = 1_800_000_000_000
  const store = createMemoryStore({
    now: () => time,
    ...(maxEntries === undefined ? {} : { maxEntries }),
  })
  return {
    store,
    advance(ms) {
      time += ms
    },
  }
}

contract('memory', async () => {
  const { store, advance } = clocked()
  return { stores: [store, store], pass: async (ms) => advance(ms), close: () => store.close() }
})

describe('the bounds of memory', () => {
  test('a full store refuses what is new, puts nothing out, and serves what it has', async () => {
    const { store, advance } = clocked(4)
    const budget = { capacity: 2, refill: 1, per: 1000 }
    await store.setIfAbsent('value', 'a', 1000)
    await store.lease('budget', budget, 2)
    await store.acquire('places', 'holder', 9, 500)
    await store.indexAdd('index', 'ever', undefined, 9)
    const refused = (attempt: Promise<unknown>) => assert.rejects(attempt, StoreUnavailable)
    await refused(store.setIfAbsent('new', 'a', 1000))
    await refused(store.compareAndSwap('new', undefined, 'a', 1000))
    await refused(store.lease('new', budget, 1))
    await refused(store.acquire('places', 'new', 9, 500))
    await refused(store.indexAdd('index', 'new', 1000, 9))
    assert.deepEqual(store.stats(), { operations: 9, failures: 5 })
    assert.equal(await store.setIfAbsent('value', 'b', 1000), false)
    assert.equal(await store.compareAndSwap('value', 'a', 'b', 1000), true)
    assert.equal((await store.lease('budget', budget, 1)).granted, 0)
    assert.equal(await store.acquire('places', 'holder', 9, 500), true)
    advance(500)
    assert.equal(await store.setIfAbsent('new', 'a', 1000), true, 'what has ended makes room')
    await refused(store.setIfAbsent('newer', 'a', 1000))
    advance(1_000_000_000)
    assert.deepEqual(await store.indexMembers('index'), ['ever'])
  })

  test('a hundred thousand entries by default', async () => {
    const { store } = clocked()
    for (let i = 0; i < 100_000; i++) await store.setIfAbsent(String(i), '', 1000)
    await assert.rejects(store.setIfAbsent('one more', '', 1000), StoreUnavailable)
  })

  test('the text of all entries is bounded as well, also where one grows', async () => {
    const { store } = clocked()
    const half = 'x'.repeat(32 * 1024 * 1024 - 10)
    assert.equal(await store.setIfAbsent('a', half, 1000), true)
    assert.equal(await store.setIfAbsent('b', half, 1000), true)
    await assert.rejects(store.setIfAbsent('c', half, 1000), StoreUnavailable)
    await assert.rejects(store.compareAndSwap('a', half, half + half, 1000), StoreUnavailable)
    assert.equal(await store.get('a'), half)
    assert.equal(await store.take('a'), half)
    assert.equal(await store.setIfAbsent('c', half, 1000), true)
  })

  test('what was removed gives its room back, key and text', async () => {
    const { store } = clocked()
    const key = 'k'.repeat(1024 * 1024)
    for (let i = 0; i < 200; i++) {
      assert.equal(await store.setIfAbsent(key, 'text', 1000), true)
      assert.equal(await store.take(key), 'text')
    }
  })

  test('an entry whose end was moved ends then, whatever ends before or after it', async () => {
    const { store, advance } = clocked()
    for (const [key, ttl] of [
      ['a', 100],
      ['b', 50],
      ['c', 200],
    ] as const)
      await store.setIfAbsent(key, '1', ttl)
    await store.compareAndSwap('a', '1', '2', 10)
    await store.compareAndSwap('b', '1', '2', 300)
    advance(10)
    assert.deepEqual(await Promise.all(['a', 'b', 'c'].map(store.get)), [undefined, '2', '1'])
    advance(200)
    assert.deepEqual(await Promise.all(['a', 'b', 'c'].map(store.get)), [undefined, '2', undefined])
  })

  test('the shortest time to live is a millisecond', async () => {
    const { store, advance } = clocked()
    for (const [key, ttl] of [
      ['a', 0],
      ['b', -7],
    ] as const) {
      await store.setIfAbsent(key, '1', ttl)
      assert.equal(await store.get(key), '1')
    }
    advance(1)
    assert.equal(await store.get('a'), undefined)
  })

  test('a clock that goes back brings no permits', async () => {
    const { store, advance } = clocked()
    const budget = { capacity: 3, refill: 1, per: 1000 }
    assert.equal((await store.lease('k', budget, 3)).granted, 3)
    advance(-3_600_000)
    assert.equal((await store.lease('k', budget, 1)).granted, 0)
  })
})

describe(`random operations (seed ${SEED}, ${RUNS} runs)`, () => {
  const key = fc.constantFrom('a', 'b', 'c')
  const text = fc.constantFrom('1', '2')
  const ttl = fc.integer({ min: 1, max: 20 })
  const action = fc.oneof(
    fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 15 }) }),
    fc.record({ do: fc.constant('get' as const), key }),
    fc.record({ do: fc.constant('take' as const), key }),
    fc.record({ do: fc.constant('set' as const), key, text, ttl }),
    fc.record({
      do: fc.constant('swap' as const),
      key,
      expected: fc.option(text, { nil: undefined }),
      next: fc.option(text, { nil: undefined }),
      ttl: fc.option(ttl, { nil: undefined }),
    }),
    fc.record({ do: fc.constant('acquire' as const), key, text, ttl, limit: fc.integer({ min: 1, max: 2 }) }),
    fc.record({ do: fc.constant('release' as const), key, text }),
    fc.record({
      do: fc.constant('add' as const),
      key,
      text,
      ttl: fc.option(ttl, { nil: undefined }),
      limit: fc.integer({ min: 1, max: 2 }),
    }),
    fc.record({ do: fc.constant('remove' as const), key, text }),
    fc.record({ do: fc.constant('members' as const), key }),
    fc.record({ do: fc.constant('count' as const), key }),
  )

  const MOST = 5
  const FULL = 'full'

  /** A list of all entries, walked through for everything. */
  function model() {
    let time = 0
    let entries: { group: string; key: string; value: string; end: number }[] = []
    const live = () => {
      entries = entries.filter(({ end }) => end > time)
      return entries
    }
    const find = (group: string, name: string) =>
      live().find((entry) => entry.group === group && entry.key === name)
    const remove = (group: string, name: string) => {
      const found = find(group, name)
      entries = entries.filter((entry) => entry !== found)
      return found
    }
    const write = (group: string, name: string, value: string, end: number): boolean => {
      if (find(group, name) === undefined && live().length >= MOST) return false
      remove(group, name)
      entries.push({ group, key: name, value, end })
      return true
    }
    const endOf = (ms: number | undefined) => (ms === undefined ? Number.POSITIVE_INFINITY : time + ms)
    const join = (group: string, name: string, ms: number | undefined, limit: number) => {
      const present = find(group, name)
      if (present === undefined && live().filter((entry) => entry.group === group).length >= limit)
        return false
      return write(group, name, '', Math.max(present?.end ?? 0, endOf(ms))) || FULL
    }
    return (one: typeof action extends fc.Arbitrary<infer T> ? T : never): unknown => {
      switch (one.do) {
        case 'pass':
          time += one.ms
          return undefined
        case 'get':
          return find('value', one.key)?.value
        case 'take':
          return remove('value', one.key)?.value
        case 'set':
          if (find('value', one.key) !== undefined) return false
          return write('value', one.key, one.text, endOf(one.ttl)) || FULL
        case 'swap':
          if (find('value', one.key)?.value !== one.expected) return false
          if (one.next === undefined) {
            remove('value', one.key)
            return true
          }
          return write('value', one.key, one.next, endOf(one.ttl)) || FULL
        case 'acquire':
          return join(`places ${one.key}`, one.text, one.ttl, one.limit)
        case 'release':
          remove(`places ${one.key}`, one.text)
          return undefined
        case 'add':
          return join(`index ${one.key}`, one.text, one.ttl, one.limit)
        case 'remove':
          return remove(`index ${one.key}`, one.text) !== undefined
        case 'members':
          return live()
            .filter(({ group }) => group === `index ${one.key}`)
            .map((entry) => entry.key)
            .toSorted()
        case 'count':
          return live().filter(({ group }) => group === `index ${one.key}`).length
      }
    }
  }

  test('answer as the model does', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 60 }), async (actions) => {
        const { store, advance } = clocked(MOST)
        const expected = model()
        const run = async (one: (typeof actions)[number]): Promise<unknown> => {
          switch (one.do) {
            case 'pass':
              return advance(one.ms)
            case 'get':
              return store.get(one.key)
            case 'take':
              return store.take(one.key)
            case 'set':
              return store.setIfAbsent(one.key, one.text, one.ttl)
            case 'swap':
              return store.compareAndSwap(one.key, one.expected, one.next, one.ttl)
            case 'acquire':
              return store.acquire(one.key, one.text, one.limit, one.ttl)
            case 'release':
              return store.release(one.key, one.text)
            case 'add':
              return store.indexAdd(one.key, one.text, one.ttl, one.limit)
            case 'remove':
              return store.indexRemove(one.key, one.text)
            case 'members':
              return [...(await store.indexMembers(one.key))].toSorted()
            case 'count':
              return store.indexCount(one.key)
          }
        }
        for (const one of actions) {
          const answer = await run(one).catch((error: unknown) => {
            assert.ok(error instanceof StoreUnavailable)
            return FULL
          })
          assert.deepEqual(answer, expected(one), JSON.stringify(one))
        }
      }),
      { seed: SEED, numRuns: RUNS },
    )
  })

  test('never grant more than the capacity and what came in since, and keep the promise of retryAfter', async () => {
    const step = fc.record({
      wait: fc.integer({ min: 0, max: 5000 }),
      want: fc.integer({ min: 1, max: 30 }),
      back: fc.integer({ min: 0, max: 3 }),
    })
    const budgets = fc.record({
      capacity: fc.integer({ min: 1, max: 20 }),
      refill: fc.integer({ min: 1, max: 500 }),
      per: fc.integer({ min: 1, max: 100_000 }),
    })
    await fc.assert(
      fc.asyncProperty(budgets, fc.array(step, { maxLength: 40 }), async (budget, steps) => {
        const { store, advance } = clocked()
        let elapsed = 0
        let granted = 0
        const pass = (ms: number): void => {
          elapsed += ms
          advance(ms)
        }
        const most = () => Math.floor(budget.capacity + (elapsed * budget.refill) / budget.per)
        for (const { wait, want, back } of steps) {
          pass(wait)
          const lease = await store.lease('k', budget, want)
          granted += lease.granted
          assert.ok(lease.granted <= Math.min(want, budget.capacity))
          assert.ok(granted <= most(), `${granted} of ${most()}`)
          const returned = Math.min(back, lease.granted)
          await store.giveBack('k', budget, returned)
          granted -= returned
          if (lease.granted > 0) continue
          pass(lease.retryAfter - 1)
          assert.equal((await store.lease('k', budget, 1)).granted, 0, 'not one millisecond too early')
          pass(1)
          assert.equal((await store.lease('k', budget, 1)).granted, 1)
          granted++
        }
      }),
      { seed: SEED, numRuns: RUNS },
    )
  })

  test('never two winners, and no more leases than there are, also of many at once', async () => {
    const { store } = clocked()
    await raceForOne([store, store, store], SEED, RUNS)
    let time = 0
    const ticking = createMemoryStore({ now: () => ++time })
    await leaseTogether([ticking, ticking, ticking], async () => time, SEED, 20)
  })

  test('the heap gives the entry that ends first, whatever was moved and removed', () => {
    const end = fc.oneof(fc.integer({ min: 0, max: 50 }), fc.constant(Number.POSITIVE_INFINITY))
    const change = fc.record({ what: fc.constantFrom('add', 'remove', 'move'), which: fc.nat(), end })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 200 }), (changes) => {
        const heap = createExpiry<{ end: number; slot: number }>()
        const items: { end: number; slot: number }[] = []
        for (const one of changes) {
          const item = items[one.which % Math.max(1, items.length)]
          if (one.what === 'add' || item === undefined) {
            const added = { end: one.end, slot: 0 }
            items.push(added)
            heap.add(added)
          } else if (one.what === 'remove') {
            items.splice(items.indexOf(item), 1)
            heap.remove(item)
          } else {
            item.end = one.end
            heap.moved(item)
          }
          assert.equal(heap.size(), items.length)
          assert.equal(
            heap.first()?.end,
            items.length === 0 ? undefined : Math.min(...items.map((i) => i.end)),
          )
        }
      }),
      { seed: SEED, numRuns: RUNS },
    )
  })
})
