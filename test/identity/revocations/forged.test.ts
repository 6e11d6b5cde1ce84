// Entries of the store that this fleet did not sign: whoever can write to the store must not be able to revoke.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { INDEX } from '../../../src/identity/revocations/entry.ts'
import { signEntry } from '../../../src/store/index.ts'
import { FLEET, fleetOf, HOUR, NOW, world } from './lib.ts'

describe('an entry that this fleet did not sign', () => {
  const digest = 'A'.repeat(43)
  const until = NOW + HOUR
  const good = signEntry(FLEET, INDEX, `jti ${digest} ${until}`)
  const cases: readonly [what: string, raw: string][] = [
    ['is one without a signature', `jti ${digest} ${until}`],
    ['is one of another fleet', signEntry(fleetOf('stranger'), INDEX, `jti ${digest} ${until}`)],
    ['is one that was written under another key', signEntry(FLEET, 'kill', `jti ${digest} ${until}`)],
    ['is one with a later end', good.replace(String(until), String(until + 1))],
    ['is one of another kind', good.replace('jti', 'key')],
    ['is one of another value', good.replace(digest, `${'A'.repeat(42)}B`)],
    ['is one of a kind that is unknown here', signEntry(FLEET, INDEX, `role ${digest} ${until}`)],
    ['is nothing', ''],
    ['is one that is far too long', signEntry(FLEET, INDEX, 'x'.repeat(100_000))],
  ]
  for (const [what, raw] of cases)
    it(`${what}: it is ignored and counted, in the index and as a message`, async () => {
      const { store, replica, events } = world()
      const one = replica()
      await one.start()
      await store.indexAdd(INDEX, raw, HOUR, 10)
      await store.publish(INDEX, raw)
      await one.refresh()
      await one.refresh()
      assert.deepEqual(one.stats(), { live: 0, shared: 0, forged: 2, synced: true })
      assert.deepEqual(events, ['revocations_forged {"count":2}'])
      one.close()
    })

  it('costs no MAC where it is far too long', async () => {
    const { store, replica } = world()
    const fleet = { ...FLEET, verify: () => assert.fail('a MAC was computed') }
    const one = replica({ fleet })
    await store.indexAdd(INDEX, `k1.x ${'x'.repeat(1000)}`, HOUR, 10)
    await one.refresh()
    assert.equal(one.stats().forged, 1)
    one.close()
  })

  it('and one that has ended takes no room, even where it is sent again', async () => {
    const { store, replica } = world()
    const one = replica()
    await one.start()
    await store.publish(INDEX, signEntry(FLEET, INDEX, `jti ${digest} ${NOW}`))
    assert.deepEqual(one.stats(), { live: 0, shared: 0, forged: 0, synced: true })
    one.close()
  })

  it('does not stand in the way of a good one', async () => {
    const { store, replica } = world()
    for (const [, raw] of cases) await store.indexAdd(INDEX, raw, HOUR, 100)
    await store.indexAdd(INDEX, good, HOUR, 100)
    const one = replica()
    await one.start()
    assert.equal(one.stats().shared, 1)
    one.close()
  })
})
