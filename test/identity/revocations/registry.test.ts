// Revocations: from the file at once, through the store on all replicas, never forged, never forgotten before their end.
import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'
import fc from 'fast-check'
import { type Store, StoreUnavailable } from '../../../src/core/store.ts'
import { INDEX, MAX_REVOCATIONS } from '../../../src/identity/revocations/entry.ts'
import { createRevocations, KINDS } from '../../../src/identity/revocations/index.ts'
import { createMemoryStore } from '../../../src/store/index.ts'
import { breakable, FLEET, fill, HOUR, NOW, turnsDuring, wanted, world } from './lib.ts'

const SEED = Number(process.env['SEED'] ?? 7009)
const FINGERPRINT = 'ab'.repeat(32)

describe('the file', () => {
  it('revokes by kind and value, until the end where there is one', () => {
    const { replica, at } = world()
    const revocations = replica()
    revocations.setLive([
      { kind: 'jti', value: 'a' },
      { kind: 'subject', value: 'ada', until: NOW + HOUR },
      { kind: 'fingerprint', value: FINGERPRINT.toUpperCase().replace(/..(?=.)/g, '$&:') },
      { kind: 'key', value: 'key-old', until: NOW },
    ])
    assert.equal(revocations.isRevoked('jti', 'a'), true)
    assert.equal(revocations.isRevoked('subject', 'ada'), true)
    assert.equal(revocations.isRevoked('fingerprint', FINGERPRINT), true)
    assert.equal(revocations.isRevoked('subject', 'a'), false)
    assert.equal(revocations.isRevoked('jti', 'A'), false)
    assert.equal(revocations.isRevoked('key', 'key-old'), false)
    at(NOW + HOUR)
    assert.equal(revocations.isRevoked('subject', 'ada'), false)
    assert.equal(revocations.isRevoked('jti', 'a'), true)
  })

  it('as a whole replaces the one before; entries of a bad one only add', () => {
    const revocations = world().replica()
    revocations.setLive([{ kind: 'jti', value: 'a' }])
    revocations.addLive([{ kind: 'jti', value: 'b' }])
    assert.equal(revocations.isRevoked('jti', 'a') && revocations.isRevoked('jti', 'b'), true)
    revocations.addLive([])
    assert.equal(revocations.isRevoked('jti', 'b'), true)
    revocations.setLive([{ kind: 'jti', value: 'b' }])
    assert.equal(revocations.isRevoked('jti', 'a'), false)
    revocations.setLive([])
    assert.equal(revocations.isRevoked('jti', 'b'), false)
  })

  it('and its entries: the longer of two holds', () => {
    const { replica, at } = world()
    const revocations = replica()
    revocations.setLive([
      { kind: 'jti', value: 'a' },
      { kind: 'jti', value: 'a', until: NOW + 1 },
      { kind: 'jti', value: 'b', until: NOW + HOUR },
    ])
    revocations.addLive([{ kind: 'jti', value: 'b', until: NOW + 1 }])
    at(NOW + 2)
    assert.equal(revocations.isRevoked('jti', 'a') && revocations.isRevoked('jti', 'b'), true)
  })

  it('takes 100,000 and says when it is full', () => {
    const { replica, events } = world()
    const revocations = replica()
    revocations.setLive(Array.from({ length: MAX_REVOCATIONS }, (_, i) => ({ kind: 'jti', value: `j${i}` })))
    assert.deepEqual(events, [])
    assert.equal(revocations.isRevoked('jti', `j${MAX_REVOCATIONS - 1}`), true)
    revocations.addLive([
      { kind: 'subject', value: 'one more' },
      { kind: 'jti', value: 'j0', until: NOW + 1 },
    ])
    assert.equal(revocations.isRevoked('subject', 'one more'), false)
    assert.deepEqual(events, [`revocations_full {"limit":${MAX_REVOCATIONS}}`])
    assert.equal(revocations.stats().live, MAX_REVOCATIONS)
  })

  it('that is full still makes a known one longer', () => {
    const { replica, at } = world()
    const revocations = replica()
    revocations.setLive(
      Array.from({ length: MAX_REVOCATIONS }, (_, i) => ({ kind: 'jti', value: `j${i}`, until: NOW + HOUR })),
    )
    revocations.addLive([{ kind: 'jti', value: 'j0' }])
    at(NOW + 2 * HOUR)
    assert.equal(revocations.isRevoked('jti', 'j0'), true)
    assert.equal(revocations.isRevoked('jti', 'j1'), false)
  })
})

describe('the store', () => {
  it('brings a revocation to three replicas at once', async () => {
    const { replica } = world()
    const replicas = [replica(), replica(), replica()]
    for (const one of replicas) await one.start()
    assert.equal(await replicas[0]?.revoke(wanted('jti', 'a'), 'ops'), 'revoked')
    for (const one of replicas) assert.equal(one.isRevoked('jti', 'a'), true)
    for (const one of replicas) one.close()
  })

  it('brings it with the next look where the message was lost, and where listening fails', async () => {
    const { store, replica } = world()
    const deaf = breakable(store)
    deaf.broken.add('subscribe')
    const other = replica({ store: deaf })
    await other.start()
    assert.equal(other.stats().synced, true)
    await replica().revoke(wanted('subject', 'ada'), 'ops')
    assert.equal(other.isRevoked('subject', 'ada'), false)
    await other.refresh()
    assert.equal(other.isRevoked('subject', 'ada'), true)
    other.close()
  })

  it('brings it to a replica that starts later', async () => {
    const { replica } = world()
    await replica().revoke(wanted('fingerprint', FINGERPRINT), 'ops')
    const late = replica()
    assert.equal(late.isRevoked('fingerprint', FINGERPRINT), false)
    await late.start()
    assert.equal(late.isRevoked('fingerprint', FINGERPRINT), true)
    late.close()
  })

  it('is asked every two seconds, and no more after the end', async () => {
    mock.timers.enable({ apis: ['setInterval'] })
    try {
      const { store, replica } = world()
      let looks = 0
      const counted: Store = {
        ...store,
        indexMembers: (index) => {
          looks++
          return store.indexMembers(index)
        },
      }
      const one = replica({ store: counted })
      await one.start()
      assert.equal(looks, 1)
      for (let i = 0; i < 3; i++) {
        mock.timers.tick(2000)
        await one.refresh()
      }
      assert.equal(looks, 4)
      one.close()
      mock.timers.tick(10_000)
      for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
      assert.equal(looks, 4)
    } finally {
      mock.timers.reset()
    }
  })

  it('that is lost leaves what was known in force, and what it comes back with counts', async () => {
    const { store, replica } = world()
    const shaky = breakable(store)
    const one = replica({ store: shaky })
    await one.start()
    await one.revoke(wanted('jti', 'a'), 'ops')
    for (const name of ['indexMembers', 'indexAdd', 'publish', 'subscribe']) shaky.broken.add(name)
    await one.refresh()
    assert.equal(one.isRevoked('jti', 'a'), true)
    await replica().revoke(wanted('jti', 'b'), 'ops')
    shaky.broken.clear()
    await one.refresh()
    assert.equal(one.isRevoked('jti', 'a') && one.isRevoked('jti', 'b'), true)
    one.close()
  })

  it('that was not there at the start is not taken for an empty one', async () => {
    const { store, replica } = world()
    await replica().revoke(wanted('jti', 'a'), 'ops')
    const shaky = breakable(store)
    shaky.broken.add('indexMembers')
    const one = replica({ store: shaky })
    await one.start()
    assert.equal(one.stats().synced, false)
    shaky.broken.clear()
    await one.refresh()
    assert.deepEqual([one.stats().synced, one.isRevoked('jti', 'a')], [true, true])
    one.close()
  })

  it('that came back empty gets them again, and a new replica finds them', async () => {
    const { store, replica } = world()
    const one = replica()
    await one.start()
    await one.revoke(wanted('jti', 'a'), 'ops')
    for (const member of await store.indexMembers(INDEX)) await store.indexRemove(INDEX, member)
    await one.refresh()
    assert.equal(one.isRevoked('jti', 'a'), true)
    const next = replica()
    await next.start()
    assert.equal(next.isRevoked('jti', 'a'), true)
    one.close()
    next.close()
  })

  it('that lost very many gets them back in parts', async () => {
    const { store, replica } = world()
    const one = replica()
    await one.start()
    for (let i = 0; i < 1500; i++) await one.revoke(wanted('jti', `j${i}`), 'ops')
    await one.refresh()
    for (const member of await store.indexMembers(INDEX)) await store.indexRemove(INDEX, member)
    for (const there of [1000, 1500, 1500]) {
      await one.refresh()
      assert.equal((await store.indexMembers(INDEX)).length, there)
    }
    one.close()
  })

  it('is not listened to after the end, also where that comes before the connection', async () => {
    const { store, replica } = world()
    const first = replica()
    await first.start()
    first.close()
    const second = replica()
    const starting = second.start()
    second.close()
    await starting
    await replica().revoke(wanted('jti', 'a'), 'ops')
    assert.equal(first.isRevoked('jti', 'a') || second.isRevoked('jti', 'a'), false)
    await store.close()
  })

  it('forgets a revocation at its end, and so do the replicas', async () => {
    const { store, replica, at } = world()
    const one = replica()
    await one.start()
    await one.revoke(wanted('jti', 'a'), 'ops')
    at(NOW + HOUR)
    assert.equal(one.isRevoked('jti', 'a'), false)
    await one.refresh()
    assert.equal(one.stats().shared, 0)
    assert.deepEqual(await store.indexMembers(INDEX), [])
    one.close()
  })

  it('holds no value that could name a person', async () => {
    const { store, replica, events } = world()
    const messages: string[] = []
    await store.subscribe(INDEX, (message) => messages.push(message))
    await replica().revoke(wanted('subject', 'canary@example.com'), 'ops')
    const members = await store.indexMembers(INDEX)
    assert.deepEqual([members.length, messages.length], [1, 1])
    assert.ok(![...members, ...messages, ...events].join().includes('canary'))
    assert.equal(events.length, 1)
    assert.match(
      events.join(),
      /^revocation_added \{"kind":"subject","until":"2027-01-15T13:00:00\.000Z","by":"ops"\}$/,
    )
  })

  it('that is full says so', async () => {
    const { store, replica } = world()
    const full = replica({ store: { ...store, indexAdd: async () => false } })
    assert.equal(await full.revoke(wanted('jti', 'a'), 'ops'), 'full')
    assert.equal(full.isRevoked('jti', 'a'), false)
  })

  it('that cannot be reached rejects, and nothing is revoked by halves', async () => {
    const { store, replica } = world()
    const one = replica()
    await store.close()
    await assert.rejects(one.revoke(wanted('jti', 'a'), 'ops'), StoreUnavailable)
    assert.equal(one.isRevoked('jti', 'a'), false)
  })

  it('that takes the entry but not the message has revoked', async () => {
    const { store, replica } = world()
    const mute = breakable(store)
    mute.broken.add('publish')
    const one = replica({ store: mute })
    assert.equal(await one.revoke(wanted('jti', 'a'), 'ops'), 'revoked')
    assert.equal(one.isRevoked('jti', 'a'), true)
  })

  it('serves others while it brings very many', async () => {
    const { store, replica } = world()
    await fill(store, 5000)
    const one = replica()
    const turns = await turnsDuring(() => one.refresh())
    assert.equal(one.stats().shared, 5000)
    assert.ok(turns >= 5, `${turns} turns`)
    one.close()
  })
})

it(`a replica agrees with a list of all revocations, whatever comes in between (seed ${SEED})`, async () => {
  const kind = fc.constantFrom(...KINDS)
  const value = fc.nat({ max: 5 }).map((n) => n.toString(16).padStart(64, '0'))
  const step = fc.oneof(
    fc.record({
      do: fc.constant('revoke' as const),
      by: fc.nat({ max: 2 }),
      kind,
      value,
      hours: fc.integer({ min: 1, max: 5 }),
    }),
    fc.record({ do: fc.constant('look' as const), by: fc.nat({ max: 2 }) }),
    fc.record({ do: fc.constant('lose' as const) }),
    fc.record({ do: fc.constant('wait' as const) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const { store, replica, at, now } = world()
      const replicas = [replica(), replica(), replica()] as const
      for (const one of replicas) await one.start()
      const model = new Map<string, number>()
      for (const next of steps) {
        if (next.do === 'revoke') {
          const until = now() + next.hours * HOUR
          await replicas[next.by as 0].revoke({ kind: next.kind, value: next.value, until }, 'test')
          const name = `${next.kind} ${next.value}`
          model.set(name, Math.max(model.get(name) ?? 0, until))
        } else if (next.do === 'look') await replicas[next.by as 0].refresh()
        else if (next.do === 'wait') at(now() + HOUR)
        else for (const member of await store.indexMembers(INDEX)) await store.indexRemove(INDEX, member)
      }
      for (const one of replicas) {
        for (const one of KINDS)
          for (let n = 0; n <= 5; n++) {
            const text = n.toString(16).padStart(64, '0')
            const truth = (model.get(`${one} ${text}`) ?? 0) > now()
            for (const each of replicas) assert.equal(each.isRevoked(one, text), truth)
          }
        one.close()
      }
    }),
    { seed: SEED, numRuns: 200 },
  )
})

it('with nothing revoked nothing is hashed', () => {
  const store = createMemoryStore({ now: () => NOW })
  const revocations = createRevocations({
    store,
    fleet: FLEET,
    now: () => NOW,
    onEvent: () => undefined,
    pollEvery: 2000,
  })
  // A value that cannot be hashed shows it.
  const value = undefined as unknown as string
  assert.equal(revocations.isRevoked('jti', value), false)
  revocations.setLive([{ kind: 'key', value: 'key-7f3a' }])
  assert.equal(revocations.isRevoked('jti', value), false)
  assert.throws(() => revocations.isRevoked('key', value), TypeError)
})
