// Many at once for what only one may have, or for what only so many may have together, with every chance drawn from a seed.
import assert from 'node:assert/strict'
import type { Store } from '../../../src/core/store.ts'
import { seeded } from './random.ts'

/** Races that are run at the same time. */
const BATCH = 50

const LONG = 600_000

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** In every round two to six runners, each on one of the stores and some turns of the event loop late, want the same thing. */
export async function raceForOne(stores: readonly Store[], seed: number, rounds: number): Promise<void> {
  const dice = seeded(seed)
  const race = async (round: number): Promise<void> => {
    // All chances are drawn before the first wait: the seed alone decides.
    const kind = (['set', 'take', 'swap', 'delete', 'acquire'] as const)[dice(5)]
    const limit = 1 + dice(3)
    const runners = Array.from({ length: 2 + dice(5) }, (_, id) => ({
      id: String(id),
      store: stores[dice(stores.length)] as Store,
      turns: dice(4),
    }))
    const key = `race:${round}`
    const first = runners[0]?.store as Store
    if (kind === 'take' || kind === 'swap' || kind === 'delete') await first.setIfAbsent(key, 'prize', LONG)
    const tries = await Promise.all(
      runners.map(async ({ id, store, turns }) => {
        for (let i = 0; i < turns; i++) await turn()
        if (kind === 'set') return store.setIfAbsent(key, id, LONG)
        if (kind === 'take') return (await store.take(key)) === 'prize'
        if (kind === 'swap') return store.compareAndSwap(key, 'prize', id, LONG)
        if (kind === 'delete') return store.compareAndSwap(key, 'prize', undefined, undefined)
        return store.acquire(key, id, limit, LONG)
      }),
    )
    const winners = runners.filter((_, index) => tries[index])
    const expected = kind === 'acquire' ? Math.min(limit, runners.length) : 1
    assert.equal(winners.length, expected, `${kind} in round ${round}`)
    if (kind === 'set' || kind === 'swap') assert.equal(await first.get(key), winners[0]?.id)
    if (kind === 'take' || kind === 'delete') assert.equal(await first.get(key), undefined)
  }
  for (let round = 0; round < rounds; round += BATCH)
    await Promise.all(Array.from({ length: BATCH }, (_, index) => race(round + index)))
}

/** `time` is the store's own clock, in milliseconds. */
export async function leaseTogether(
  stores: readonly Store[],
  time: () => Promise<number>,
  seed: number,
  rounds: number,
): Promise<void> {
  const dice = seeded(seed)
  for (let round = 0; round < rounds; round++) {
    const key = `lease:${round}`
    const budget = { capacity: 1 + dice(50), refill: 1 + dice(20), per: 1 + dice(1000) }
    const begun = await time()
    let granted = 0
    await Promise.all(
      stores.map(async (store) => {
        for (let i = 0; i < 50; i++) {
          const lease = await store.lease(key, budget, 1 + dice(10))
          assert.ok(lease.granted <= budget.capacity)
          granted += lease.granted
          if (lease.granted === 0 || dice(4) > 0) continue
          await store.giveBack(key, budget, 1)
          granted--
        }
      }),
    )
    // A clock of whole milliseconds may count one more than passed.
    const most = budget.capacity + ((await time()) - begun + 1) * (budget.refill / budget.per)
    assert.ok(granted <= most, `${granted} of ${most}: ${JSON.stringify(budget)}`)
    // Each may have given one back that nobody came for.
    assert.ok(granted >= budget.capacity - stores.length, 'nothing is lost')
  }
}
