// What the kill switch keeps in the store: taken back the same way, never brought back by a loss, a replica that was away or a forged entry.
import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'
import { INDEX } from '../../src/admission/kill/index.ts'
import type { Denial } from '../../src/core/denials.ts'
import { signEntry } from '../../src/store/index.ts'
import { breakable, FLEET, fleetOf, HOUR, killed, NOW, post, switchOff, switchOn, world } from './lib.ts'

const DAY = 24 * HOUR
const TOOL = { kind: 'tool', value: 'ductape_execute' } as const

describe('the store', () => {
  it('brings off and on to three replicas at once', async () => {
    const { replica } = world()
    const replicas = [replica(), replica(), replica()] as const
    for (const one of replicas) await one.start()
    await switchOff(replicas[0], TOOL)
    for (const one of replicas) assert.equal(killed(one), 'the tool ductape_execute')
    await switchOn(replicas[1], TOOL)
    for (const one of replicas) assert.equal(killed(one), undefined)
    for (const one of replicas) one.close()
  })

  it('brings it with the next look where the message was lost, and to a replica that starts later', async () => {
    const { store, replica } = world()
    const deaf = breakable(store)
    deaf.broken.add('subscribe')
    const other = replica({ store: deaf })
    await other.start()
    const one = replica()
    await switchOff(one, TOOL)
    assert.equal(killed(other), undefined)
    await other.refresh()
    assert.equal(killed(other), 'the tool ductape_execute')
    await switchOn(one, TOOL)
    assert.equal(killed(other), 'the tool ductape_execute')
    await other.refresh()
    assert.equal(killed(other), undefined)
    await switchOff(one, TOOL)
    const late = replica()
    assert.deepEqual([late.stats().synced, killed(late)], [false, undefined])
    await late.start()
    assert.deepEqual([late.stats().synced, killed(late)], [true, 'the tool ductape_execute'])
    for (const each of [other, late]) each.close()
  })

  it('is asked every two seconds, and no more after the end', async () => {
    mock.timers.enable({ apis: ['setInterval'] })
    try {
      const { store, replica } = world()
      let looks = 0
      const one = replica({
        store: {
          ...store,
          indexMembers: (index) => {
            looks++
            return store.indexMembers(index)
          },
        },
      })
      await one.start()
      mock.timers.tick(2000)
      await one.refresh()
      assert.equal(looks, 2)
      one.close()
      mock.timers.tick(10_000)
      for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
      assert.equal(looks, 2)
    } finally {
      mock.timers.reset()
    }
  })

  it('that is lost leaves the last state; off and on are refused, and nothing happens by halves', async () => {
    const { store, replica, events } = world()
    const shaky = breakable(store)
    const one = replica({ store: shaky })
    await one.start()
    await switchOff(one, TOOL)
    const said = events.length
    const bodies = [
      { action: 'on', ...TOOL, reason: 'r' },
      { action: 'off', kind: 'everything', reason: 'r' },
    ]
    for (const broken of [['indexMembers'], ['indexAdd']]) {
      for (const name of broken) shaky.broken.add(name)
      for (const body of bodies)
        assert.equal(((await post(one, body)) as Denial).code, 'store_unavailable', broken.join())
      await one.refresh()
      assert.equal(killed(one), 'the tool ductape_execute')
      shaky.broken.clear()
    }
    assert.equal(events.length, said)
    await switchOn(one, TOOL)
    assert.equal(killed(one), undefined)
    one.close()
  })

  it('that came back empty gets the state again, what is on again included', async () => {
    const { store, replica } = world()
    const one = replica()
    await one.start()
    await switchOff(one, TOOL)
    await switchOff(one, { kind: 'module', value: 'secrets' })
    await switchOn(one, TOOL)
    await one.refresh()
    const before = await store.indexMembers(INDEX)
    assert.equal(before.length, 2)
    for (const member of before) await store.indexRemove(INDEX, member)
    await one.refresh()
    assert.deepEqual((await store.indexMembers(INDEX)).toSorted(), before.toSorted())
    const next = replica()
    await next.start()
    assert.equal(killed(next, { module: 'secrets' }), 'the module secrets')
    assert.equal(killed(next), undefined)
    for (const each of [one, next]) each.close()
  })

  it('holds one entry for each thing, however often it is switched', async () => {
    const { store, replica } = world()
    const one = replica()
    await one.start()
    for (let i = 0; i < 20; i++) {
      await switchOff(one, TOOL)
      await switchOn(one, TOOL)
    }
    await one.refresh()
    assert.equal((await store.indexMembers(INDEX)).length, 1)
    assert.equal(one.stats().shared, 1)
    one.close()
  })

  it('that gets old entries again, from a replica that was away or from a thief, obeys the newest', async () => {
    const { store, replica, at } = world()
    const one = replica()
    await one.start()
    const messages: string[] = []
    await store.subscribe(INDEX, (message) => messages.push(message))
    await switchOff(one, TOOL)
    const [off = ''] = messages
    // Away since then, with the entry in its hands.
    const shaky = breakable(store)
    const away = replica({ store: shaky })
    await away.start()
    away.close()
    for (const name of ['indexMembers', 'indexAdd', 'subscribe']) shaky.broken.add(name)
    at(NOW + 364 * DAY)
    await switchOn(one, TOOL)
    await store.indexAdd(INDEX, off, HOUR, 100)
    await store.publish(INDEX, off)
    await one.refresh()
    assert.equal(killed(one), undefined)
    assert.deepEqual((await store.indexMembers(INDEX)).length, 1)
    // A year later what it holds has ended before what took it back.
    assert.equal(killed(away), 'the tool ductape_execute')
    for (const later of [366 * DAY, 367 * DAY, 730 * DAY, 732 * DAY]) {
      at(NOW + later)
      shaky.broken.clear()
      await away.refresh()
      await one.refresh()
      assert.equal(killed(away), undefined, `${later / DAY} days`)
      assert.equal(killed(one), undefined)
    }
    assert.deepEqual([one.stats().shared, (await store.indexMembers(INDEX)).length], [0, 0])
    one.close()
  })

  it('takes the word of the last one, although the clock of the one before is ahead', async () => {
    const { replica } = world()
    const ahead = replica({ skew: 3 * HOUR })
    const one = replica()
    await ahead.start()
    await one.start()
    await switchOff(ahead, TOOL)
    assert.equal(killed(one), 'the tool ductape_execute')
    await switchOn(one, TOOL)
    assert.deepEqual([killed(one), killed(ahead)], [undefined, undefined])
    for (const each of [one, ahead]) each.close()
  })

  it('holds no caller and no tenant in clear, and neither does the log', async () => {
    const { store, replica, events } = world()
    const one = replica()
    for (const kind of ['principal', 'tenant']) {
      await switchOff(one, { kind, value: 'canary@example.com' })
      await switchOn(one, { kind, value: 'canary@example.com' })
    }
    const members = await store.indexMembers(INDEX)
    assert.ok(members.length >= 2 && events.length === 4)
    assert.ok(![...members, ...events].join().includes('canary'))
  })

  it('is told of in the log: who, what, why and until when', async () => {
    const { replica, events } = world()
    const one = replica()
    await switchOff(one, TOOL, NOW + HOUR)
    await switchOn(one, TOOL)
    assert.deepEqual(events, [
      'kill_added {"kind":"tool","value":"ductape_execute","until":"2027-01-15T13:00:00.000Z","reason":"leaks rows","by":"oauth:https://issuer|ops"}',
      'kill_removed {"kind":"tool","value":"ductape_execute","reason":"mended","by":"oauth:https://issuer|ops"}',
    ])
  })

  it('that lost an entry: on is on, although who asks has never seen what another one holds', async () => {
    const { store, replica, at } = world()
    const one = replica()
    await one.start()
    await switchOff(one, TOOL)
    one.close()
    for (const member of await store.indexMembers(INDEX)) await store.indexRemove(INDEX, member)
    at(NOW + 1)
    assert.deepEqual(await switchOn(replica(), TOOL), { action: 'on', kind: 'tool', off: false })
    assert.equal(killed(one), 'the tool ductape_execute')
    await one.refresh()
    assert.equal(killed(one), undefined)
  })

  it('takes 1,000 callers and tenants; a tool and everything always find room, and so does what is taken back', async () => {
    const { store, replica } = world()
    const one = replica()
    await one.start()
    for (let i = 0; i < 1000; i++) await switchOff(one, { kind: 'principal', value: `p${i}` })
    const more = { action: 'off', kind: 'tenant', value: 'acme', reason: 'r' }
    const denial = (await post(one, more)) as Denial
    assert.equal(denial.code, 'admin_invalid')
    assert.match(denial.detail ?? '', /takes no more callers and tenants.*live\/kill\.yaml/)
    assert.equal(killed(one), undefined)
    await switchOff(one, { kind: 'principal', value: 'p0' }, NOW + HOUR)
    await switchOff(one, TOOL)
    await switchOff(one, { kind: 'everything' })
    await switchOn(one, { kind: 'principal', value: 'p1' })
    await switchOn(one, { kind: 'principal', value: 'p2' })
    await switchOn(one, { kind: 'principal', value: 'p3' })
    assert.ok('answer' in (await post(one, more)))
    await one.refresh()
    assert.equal((await store.indexMembers(INDEX)).length, 1003)
    one.close()
  })

  it('that is full all the same says so', async () => {
    const { store, replica } = world()
    const one = replica({ store: { ...store, indexAdd: async () => false } })
    assert.equal(((await post(one, { action: 'off', ...TOOL, reason: 'r' })) as Denial).code, 'admin_invalid')
    assert.equal(killed(one), undefined)
  })
})

describe('an entry of the store', () => {
  const good = `tool ductape_execute ${NOW} ${NOW + HOUR}`
  const forged: readonly [what: string, raw: string][] = [
    ['without a signature', good],
    ['of another fleet', signEntry(fleetOf('stranger'), INDEX, good)],
    ['written under another key', signEntry(FLEET, 'revocations', good)],
    ['about another tool', signEntry(FLEET, INDEX, good).replace('execute', 'generate_payload')],
    ['with a later end', `${signEntry(FLEET, INDEX, good)}0`],
    ['of a kind that there is not', signEntry(FLEET, INDEX, good.replace('tool', 'tools'))],
    ['without a stamp', signEntry(FLEET, INDEX, 'tool ductape_execute 1')],
    ['that is far too long', signEntry(FLEET, INDEX, 'x'.repeat(1000))],
  ]
  for (const [what, raw] of forged)
    it(`${what} is ignored, counted and told`, async () => {
      const { store, replica, events } = world()
      const one = replica()
      await one.start()
      await store.indexAdd(INDEX, raw, HOUR, 10)
      await store.publish(INDEX, raw)
      await one.refresh()
      assert.equal(killed(one) ?? killed(one, { tool: 'ductape_generate_payload' }), undefined)
      assert.equal(one.stats().forged, 2)
      assert.deepEqual(events, ['kill_forged {"count":2}'])
      one.close()
    })

  it('as it has to be counts: the control of these', async () => {
    const { store, replica } = world()
    const one = replica()
    await store.indexAdd(INDEX, signEntry(FLEET, INDEX, good), HOUR, 10)
    await one.refresh()
    assert.equal(killed(one), 'the tool ductape_execute')
  })
})
