// What every adapter of the store does, word for word as src/core/store.ts promises it; each adapter's own test runs all of it.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Store, StoreUnavailable } from '../../../src/core/store.ts'

export interface Subject {
  /** Two views of the same state, as two replicas have it. */
  readonly stores: readonly [Store, Store]
  /** Comes back when the store's own clock has gone on by so much. */
  pass(ms: number): Promise<void>
  close(): Promise<void>
}

const LONG = 600_000
/** Short enough to wait for, and never expected to be over too early. */
const SHORT = 40

export function contract(name: string, open: () => Promise<Subject>): void {
  describe(`the store contract over ${name}`, () => {
    let subject: Subject
    let one: Store
    let two: Store
    let serial = 0
    const fresh = (): string => `contract:${++serial}`

    before(async () => {
      subject = await open()
      ;[one, two] = subject.stores
    })
    after(() => subject?.close())

    test('a value is set once, and again when it has ended', async () => {
      const key = fresh()
      assert.equal(await one.get(key), undefined)
      assert.equal(await one.setIfAbsent(key, 'a', LONG), true)
      assert.equal(await two.setIfAbsent(key, 'b', LONG), false)
      assert.equal(await two.get(key), 'a')
      const short = fresh()
      assert.equal(await one.setIfAbsent(short, 'a', SHORT), true)
      await subject.pass(SHORT + 2)
      assert.equal(await one.get(short), undefined)
      assert.equal(await two.setIfAbsent(short, 'b', LONG), true)
    })

    test('a time to live is rounded up to whole milliseconds, and at least one', async () => {
      for (const ttl of [0, -5, 0.2, SHORT + 0.5])
        assert.equal(await one.setIfAbsent(fresh(), 'a', ttl), true)
      assert.equal(await one.setIfAbsent(fresh(), 'a', Number.POSITIVE_INFINITY), true)
      await assert.rejects(one.setIfAbsent(fresh(), 'a', Number.NaN), RangeError)
    })

    test('any text is kept as it is', async () => {
      for (const text of ['', ' ', 'a\r\nb', '\0', '\u{1f512} ä', '$5\r\n', 'x'.repeat(200_000)]) {
        const key = fresh()
        assert.equal(await one.setIfAbsent(key, text, LONG), true)
        assert.equal(await two.get(key), text)
        assert.equal(await two.compareAndSwap(key, text, `${text}.`, LONG), true)
        assert.equal(await one.take(key), `${text}.`)
      }
    })

    test('compare-and-swap replaces only what was expected', async () => {
      const key = fresh()
      assert.equal(await one.compareAndSwap(key, 'a', 'b', LONG), false)
      assert.equal(await one.compareAndSwap(key, '', 'b', LONG), false)
      assert.equal(await one.get(key), undefined)
      assert.equal(await one.compareAndSwap(key, undefined, 'a', LONG), true)
      assert.equal(await two.compareAndSwap(key, undefined, 'b', LONG), false)
      assert.equal(await two.compareAndSwap(key, 'b', 'c', LONG), false)
      assert.equal(await two.get(key), 'a')
      assert.equal(await two.compareAndSwap(key, 'a', 'b', LONG), true)
      assert.equal(await one.compareAndSwap(key, 'a', undefined, undefined), false)
      assert.equal(await one.compareAndSwap(key, 'b', undefined, undefined), true)
      assert.equal(await two.get(key), undefined)
      assert.equal(await two.compareAndSwap(key, undefined, undefined, undefined), true)
    })

    test('compare-and-swap sets the end anew: a new time to live, or none', async () => {
      const [ends, lasts] = [fresh(), fresh()]
      await one.setIfAbsent(ends, 'a', LONG)
      assert.equal(await one.compareAndSwap(ends, 'a', 'b', SHORT), true)
      await one.setIfAbsent(lasts, 'a', SHORT)
      // On a slow machine the value may have ended by now, and then it is absent.
      const swapped = await one.compareAndSwap(lasts, 'a', 'b', undefined)
      if (!swapped) assert.equal(await one.compareAndSwap(lasts, undefined, 'b', undefined), true)
      await subject.pass(SHORT + 2)
      assert.equal(await two.get(ends), undefined)
      assert.equal(await two.get(lasts), 'b')
    })

    test('a value is taken once', async () => {
      const key = fresh()
      assert.equal(await one.take(key), undefined)
      await one.setIfAbsent(key, 'a', LONG)
      const taken = await Promise.all([one.take(key), two.take(key), one.take(key)])
      assert.deepEqual(
        taken.filter((value) => value !== undefined),
        ['a'],
      )
      assert.equal(await two.get(key), undefined)
    })

    test('a budget gives what it has, says when more can be had, and refills', async () => {
      const key = fresh()
      const slow = { capacity: 5, refill: 1, per: LONG }
      assert.deepEqual(await one.lease(key, slow, 0), { granted: 0, retryAfter: 0 })
      assert.deepEqual(await one.lease(key, slow, 3), { granted: 3, retryAfter: 0 })
      assert.deepEqual(await two.lease(key, slow, 3), { granted: 2, retryAfter: 0 })
      const refused = await one.lease(key, slow, 1)
      assert.equal(refused.granted, 0)
      assert.ok(refused.retryAfter > 0 && refused.retryAfter <= LONG, String(refused.retryAfter))
      const quick = { capacity: 3, refill: 1, per: SHORT }
      assert.equal((await one.lease(key + 1, quick, 9)).granted, 3)
      const { granted, retryAfter } = await two.lease(key + 1, quick, 1)
      assert.equal(granted + Number(retryAfter > 0), 1)
      await subject.pass(SHORT)
      assert.ok((await two.lease(key + 1, quick, 1)).granted === 1)
      await subject.pass(10 * SHORT)
      assert.equal((await one.lease(key + 1, quick, 100)).granted, 3, 'never more than the capacity')
    })

    test('a budget that became smaller gives no more than it has now; one without room gives nothing', async () => {
      const key = fresh()
      assert.equal((await one.lease(key, { capacity: 10, refill: 1, per: LONG }, 1)).granted, 1)
      assert.equal((await one.lease(key, { capacity: 2, refill: 1, per: LONG }, 10)).granted, 2)
      const none = await one.lease(fresh(), { capacity: 0, refill: 1, per: LONG }, 1)
      assert.ok(none.granted === 0 && none.retryAfter > 0)
    })

    test('a budget whose period changed keeps its share', async () => {
      const key = fresh()
      assert.equal((await one.lease(key, { capacity: 10, refill: 1, per: LONG }, 4)).granted, 4)
      assert.equal((await two.lease(key, { capacity: 10, refill: 1, per: 2 * LONG }, 10)).granted, 6)
    })

    test('permits that are given back can be had again, and never more than the capacity', async () => {
      const key = fresh()
      const budget = { capacity: 5, refill: 1, per: LONG }
      await one.giveBack(key, budget, 3)
      assert.equal((await one.lease(key, budget, 9)).granted, 5)
      await two.giveBack(key, budget, 2)
      assert.equal((await one.lease(key, budget, 9)).granted, 2)
      await two.giveBack(key, budget, 100)
      assert.equal((await one.lease(key, budget, 9)).granted, 5)
      await one.giveBack(key, budget, -3)
      assert.equal((await one.lease(key, budget, 1)).granted, 0)
    })

    test('a budget that cannot be counted is a mistake of the caller', async () => {
      for (const wrong of [
        { capacity: -1 },
        { refill: 0 },
        { per: 0 },
        { capacity: Number.NaN },
        { per: 1e300 },
      ]) {
        const budget = { capacity: 1, refill: 1, per: 1000, ...wrong }
        await assert.rejects(one.lease(fresh(), budget, 1), RangeError)
        await assert.rejects(one.giveBack(fresh(), budget, 1), RangeError)
      }
    })

    test('so many holders have a place and no more; who has one may renew it', async () => {
      const key = fresh()
      assert.equal(await one.acquire(key, 'a', 2, LONG), true)
      assert.equal(await two.acquire(key, 'b', 2, LONG), true)
      assert.equal(await one.acquire(key, 'c', 2, LONG), false)
      assert.equal(await two.acquire(key, 'a', 2, LONG), true)
      await two.release(key, 'nobody')
      assert.equal(await one.acquire(key, 'c', 2, LONG), false)
      await two.release(key, 'a')
      assert.equal(await one.acquire(key, 'c', 2, LONG), true)
      assert.equal(await two.acquire(key, 'a', 2, LONG), false)
      assert.equal(await two.acquire(fresh(), 'a', 0, LONG), false)
    })

    test('a place whose holder went away is free when its time has passed', async () => {
      const key = fresh()
      assert.equal(await one.acquire(key, 'a', 1, SHORT), true)
      await subject.pass(SHORT + 2)
      assert.equal(await two.acquire(key, 'b', 1, LONG), true)
      assert.equal(await one.acquire(key, 'a', 1, LONG), false)
    })

    test('an index holds its members until each one’s own end', async () => {
      const index = fresh()
      assert.deepEqual(await one.indexMembers(index), [])
      assert.equal(await one.indexAdd(index, 'short', SHORT, 3), true)
      assert.equal(await one.indexAdd(index, 'long', LONG, 3), true)
      assert.equal(await two.indexAdd(index, 'ever', undefined, 3), true)
      await subject.pass(SHORT + 2)
      assert.deepEqual([...(await two.indexMembers(index))].toSorted(), ['ever', 'long'])
      assert.equal(await two.indexRemove(index, 'short'), false)
      assert.equal(await two.indexRemove(index, 'long'), true)
      assert.equal(await one.indexRemove(index, 'long'), false)
      assert.deepEqual(await one.indexMembers(index), ['ever'])
      assert.equal(await one.indexRemove(index, 'ever'), true)
      assert.deepEqual(await one.indexMembers(index), [])
    })

    test('a full index takes nobody new; who is in it stays, and room comes with the end of a member', async () => {
      const index = fresh()
      assert.equal(await one.indexAdd(index, 'a', SHORT, 2), true)
      assert.equal(await one.indexAdd(index, 'b', undefined, 2), true)
      assert.equal(await two.indexAdd(index, 'b', LONG, 2), true)
      await subject.pass(SHORT + 2)
      assert.equal(await two.indexAdd(index, 'c', LONG, 2), true)
      assert.equal(await two.indexAdd(index, 'd', LONG, 2), false)
      assert.deepEqual([...(await one.indexMembers(index))].toSorted(), ['b', 'c'])
    })

    test('an index is counted as it is read: only who is in it, and has not ended', async () => {
      const index = fresh()
      const counted = async (count: number): Promise<void> => {
        assert.deepEqual([await one.indexCount(index), await two.indexCount(index)], [count, count])
        assert.equal((await one.indexMembers(index)).length, count)
      }
      await counted(0)
      await one.indexAdd(index, 'ever', undefined, 9)
      await two.indexAdd(index, 'long', LONG, 9)
      await two.indexAdd(index, 'long', LONG, 9)
      await counted(2)
      await one.indexAdd(index, 'short', SHORT, 9)
      await subject.pass(SHORT + 2)
      await counted(2)
      await one.indexRemove(index, 'long')
      await counted(1)
      assert.deepEqual(await two.indexMembers(index), ['ever'])
      // One that was counted when all had ended takes new members.
      const brief = fresh()
      await one.indexAdd(brief, 'short', SHORT, 1)
      await subject.pass(SHORT + 2)
      assert.equal(await two.indexCount(brief), 0)
      assert.equal(await one.indexAdd(brief, 'next', LONG, 1), true)
      assert.equal(await two.indexCount(brief), 1)
    })

    test('adding again never shortens: a member that stays for ever stays', async () => {
      const index = fresh()
      await one.indexAdd(index, 'ever', undefined, 9)
      await one.indexAdd(index, 'later', SHORT, 9)
      await two.indexAdd(index, 'ever', SHORT, 9)
      await two.indexAdd(index, 'later', LONG, 9)
      await two.indexAdd(index, 'later', SHORT, 9)
      await subject.pass(SHORT + 2)
      assert.deepEqual([...(await one.indexMembers(index))].toSorted(), ['ever', 'later'])
    })

    test('the kinds of entry do not meet under one name', async () => {
      const key = fresh()
      const budget = { capacity: 1, refill: 1, per: LONG }
      assert.equal(await one.setIfAbsent(key, 'value', LONG), true)
      assert.equal((await one.lease(key, budget, 1)).granted, 1)
      assert.equal(await one.acquire(key, 'holder', 1, LONG), true)
      assert.equal(await one.indexAdd(key, 'member', LONG, 1), true)
      assert.equal(await two.get(key), 'value')
      assert.deepEqual(await two.indexMembers(key), ['member'])
      assert.equal(await two.indexCount(key), 1)
    })

    test('a message reaches all who listen on its channel, and nobody else', async () => {
      const channel = fresh()
      const heard: string[] = []
      const until = (holds: () => boolean): Promise<void> =>
        new Promise((resolve) => {
          const look = (): void => (holds() ? resolve() : void setImmediate(look))
          look()
        })
      const wait = (count: number): Promise<void> => until(() => heard.length >= count)
      const listen = (who: string) => (message: string) => void heard.push(`${who} ${message}`)
      const reached: string[] = []
      await one.subscribe(channel, (message) => {
        reached.push(message)
        throw new Error('a broken listener')
      })
      const stop = await one.subscribe(channel, listen('a'))
      await two.subscribe(channel, listen('b'))
      await two.subscribe(`${channel}:other`, listen('other'))
      await one.publish(channel, '1 ä')
      await wait(2)
      assert.deepEqual(heard.splice(0).toSorted(), ['a 1 ä', 'b 1 ä'])
      stop()
      stop()
      await two.publish(channel, '2')
      await two.publish(channel, '3')
      await wait(2)
      assert.deepEqual(heard.splice(0), ['b 2', 'b 3'])
      // Each store has a connection of its own: what came while nobody listened must be past.
      await until(() => reached.includes('3'))
      const again = listen('a')
      await one.subscribe(channel, again)
      await one.subscribe(channel, again)
      await two.publish(channel, '4')
      await wait(3)
      assert.deepEqual(heard.splice(0).toSorted(), ['a 4', 'a 4', 'b 4'])
    })

    test('it counts, and it is available', async () => {
      const { operations, failures } = one.stats()
      await one.get(fresh())
      assert.deepEqual(one.stats(), { operations: operations + 1, failures })
      assert.equal(one.available(), true)
    })

    test('a closed store refuses every operation', async () => {
      const { stores, close } = await open()
      const [closed] = stores
      await closed.close()
      await closed.close()
      assert.equal(closed.available(), false)
      for (const [name, operation] of everyOperation(closed))
        await assert.rejects(operation(), StoreUnavailable, name)
      await close()
    })
  })
}

let channels = 0

/** One call of each operation of the port. */
export function everyOperation(store: Store): [string, () => Promise<unknown>][] {
  const budget = { capacity: 1, refill: 1, per: 1000 }
  return [
    ['get', () => store.get('k')],
    ['setIfAbsent', () => store.setIfAbsent('k', 'v', 1000)],
    ['compareAndSwap', () => store.compareAndSwap('k', undefined, 'v', 1000)],
    ['take', () => store.take('k')],
    ['lease', () => store.lease('k', budget, 1)],
    ['giveBack', () => store.giveBack('k', budget, 1)],
    ['acquire', () => store.acquire('k', 'h', 1, 1000)],
    ['release', () => store.release('k', 'h')],
    ['indexAdd', () => store.indexAdd('k', 'm', 1000, 1)],
    ['indexRemove', () => store.indexRemove('k', 'm')],
    ['indexMembers', () => store.indexMembers('k')],
    ['indexCount', () => store.indexCount('k')],
    ['publish', () => store.publish('k', 'm')],
    ['subscribe', () => store.subscribe(`k:${++channels}`, () => undefined)],
  ]
}
