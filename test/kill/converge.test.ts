// Replicas that lose messages, the store, their memory and sight of each other agree in the end, and obey who spoke last.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { INDEX, type KillSwitch } from '../../src/admission/kill/index.ts'
import { breakable, HOUR, killed, post, world } from './lib.ts'

const SEED = Number(process.env['SEED'] ?? 7071)
const RUNS = Number(process.env['RUNS'] ?? 300)
const REPLICAS = 3

const THINGS = [
  { kind: 'tool', value: 'ductape_execute' },
  { kind: 'module', value: 'secrets' },
  { kind: 'tenant', value: 'acme' },
] as const
const CALLS = [
  { tool: 'ductape_execute', module: undefined, tenant: 'x' },
  { tool: 'x', module: 'secrets', tenant: 'x' },
  { tool: 'x', module: undefined, tenant: 'acme' },
] as const
const states = (one: KillSwitch): boolean[] => CALLS.map((call) => killed(one, call) !== undefined)

const by = fc.nat({ max: REPLICAS - 1 })
const said = fc.record({
  do: fc.constantFrom('off' as const, 'off' as const, 'on' as const),
  by,
  thing: fc.nat({ max: THINGS.length - 1 }),
  hours: fc.integer({ min: 1, max: 2000 }),
})
const step = (...more: ('lose' | 'restart')[]) =>
  fc.oneof(
    { weight: 4, arbitrary: said },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constantFrom('look' as const, 'cut' as const, 'heal' as const, 'deaf' as const, ...more),
        by,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('wait' as const), hours: fc.integer({ min: 1, max: 9000 }) }),
    },
  )

type Step = ReturnType<typeof step> extends fc.Arbitrary<infer T> ? T : never

/** Goes through the steps and lets everybody look twice: what each of them, and one that starts now, has off; and what was said last. */
async function play(
  steps: readonly Step[],
  skews: readonly number[],
): Promise<{ all: boolean[][]; last: boolean[] }> {
  const { store, replica, at, now } = world()
  const stores = skews.map(() => breakable(store))
  const start = async (index: number): Promise<KillSwitch> => {
    const one = replica({ store: stores[index] as (typeof stores)[number], skew: skews[index] ?? 0 })
    await one.refresh()
    return one
  }
  const replicas = await Promise.all(skews.map((_, index) => start(index)))
  const ends = new Map<number, number>()
  for (const next of steps) {
    // Two requests at the same millisecond come from nobody who waits for the first answer.
    at(now() + 1)
    if (next.do === 'wait') at(now() + next.hours * HOUR)
    else if (next.do === 'off' || next.do === 'on') {
      const until = now() + next.hours * HOUR
      const off = { action: 'off', until: new Date(until).toISOString() }
      const body = {
        ...(next.do === 'off' ? off : { action: 'on' }),
        ...THINGS[next.thing as 0],
        reason: 'r',
      }
      const done = await post(replicas[next.by] as KillSwitch, body)
      if ('answer' in done) ends.set(next.thing, next.do === 'off' ? until : 0)
      else assert.equal(done.code, 'store_unavailable')
    } else {
      const { broken } = stores[next.by] as (typeof stores)[number]
      const one = replicas[next.by] as KillSwitch
      if (next.do === 'look') await one.refresh()
      if (next.do === 'cut') for (const name of ['indexMembers', 'indexAdd', 'indexRemove']) broken.add(name)
      if (next.do === 'heal') broken.clear()
      if (next.do === 'deaf') broken.add('subscribe')
      if (next.do === 'lose')
        for (const member of await store.indexMembers(INDEX)) await store.indexRemove(INDEX, member)
      if (next.do === 'deaf' || next.do === 'restart') {
        one.close()
        replicas[next.by] = await start(next.by)
      }
    }
  }
  for (const { broken } of stores) broken.clear()
  for (let round = 0; round < 2; round++) for (const one of replicas) await one.refresh()
  const fresh = replica()
  await fresh.refresh()
  const all = [...replicas, fresh].map(states)
  for (const one of [...replicas, fresh]) one.close()
  return { all, last: THINGS.map((_, thing) => (ends.get(thing) ?? 0) > now()) }
}

/** Longer than clocks differ: whether something has ended is for each clock to say. */
const longer = (one: Step): Step => ('thing' in one ? { ...one, hours: one.hours + 10 } : one)

const agree = (all: readonly boolean[][]): void => {
  for (const one of all) assert.deepEqual(one, all[0])
}

it(`whoever spoke last is obeyed, as long as the store keeps what it has (seed ${SEED}, ${RUNS} runs)`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step('restart'), { maxLength: 25 }), async (steps) => {
      const { all, last } = await play(steps, [0, 0, 0])
      agree(all)
      assert.deepEqual(all[0], last)
    }),
    { seed: SEED, numRuns: RUNS },
  )
})

it(`and also where clocks differ by hours, as far as ends leave room for that (seed ${SEED}, ${RUNS} runs)`, async () => {
  const timeless = step('restart').filter((one) => one.do !== 'wait')
  await fc.assert(
    fc.asyncProperty(fc.array(timeless, { maxLength: 25 }), async (steps) => {
      const { all, last } = await play(steps.map(longer), [0, 5 * HOUR, -5 * HOUR])
      agree(all)
      assert.deepEqual(all[0], last)
    }),
    { seed: SEED, numRuns: RUNS },
  )
})

it(`and where the store is emptied, as long as the replicas live (seed ${SEED}, ${RUNS} runs)`, async () => {
  const lasting = step('lose').filter((one) => one.do !== 'deaf')
  await fc.assert(
    fc.asyncProperty(fc.array(lasting, { maxLength: 25 }), async (steps) => {
      const { all, last } = await play(steps, [0, 0, 0])
      agree(all)
      assert.deepEqual(all[0], last)
    }),
    { seed: SEED, numRuns: RUNS },
  )
})

it(`whatever is lost, they agree (seed ${SEED}, ${RUNS} runs)`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step('lose', 'restart'), { maxLength: 30 }), async (steps) => {
      agree((await play(steps, [0, 0, 0])).all)
      const timeless = steps.filter((one) => one.do !== 'wait')
      agree((await play(timeless.map(longer), [0, 5 * HOUR, -5 * HOUR])).all)
    }),
    { seed: SEED, numRuns: RUNS },
  )
})

it('the rig: what a cut replica is asked is refused and counts for nothing', async () => {
  const off = { do: 'off', thing: 0, hours: 5 } as const
  const { all, last } = await play(
    [
      { ...off, by: 0 },
      { do: 'cut', by: 1 },
      { do: 'on', thing: 0, hours: 1, by: 1 },
    ],
    [0, 0, 0],
  )
  assert.deepEqual(last, [true, false, false])
  assert.deepEqual(all, Array(4).fill(last))
})
