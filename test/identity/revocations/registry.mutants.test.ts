// Single checks of the registry: what is reported once, listened to once, converted by nobody.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseLive } from '../../../src/config/live.ts'
import { makePrincipal } from '../../../src/core/principal.ts'
import { StoreUnavailable } from '../../../src/core/store.ts'
import { INDEX } from '../../../src/identity/revocations/entry.ts'
import {
  adminRevocations,
  type Revocation,
  readableRevocations,
} from '../../../src/identity/revocations/index.ts'
import { signEntry } from '../../../src/store/index.ts'
import { FLEET, fill, fleetOf, HOUR, NOW, turnsDuring, wanted, world } from './lib.ts'

const UNTIL = '2027-01-31T12:00:00Z'

describe('an end', () => {
  it('of a readable entry is taken where it is a text, and only there', () => {
    const ends = [UNTIL, [UNTIL], 5, null, undefined].map((until) => ({ kind: 'jti', value: 'x', until }))
    const read = readableRevocations({ revocations: ends })
    assert.deepEqual(
      read.map(({ until }) => until),
      [Date.parse(UNTIL), undefined, undefined, undefined, undefined],
    )
  })

  it('in the body of the administrative request is a text', async () => {
    const { replica, now } = world()
    const ops = makePrincipal({ method: 'oauth', id: 'oauth:https://issuer|ops', subject: 'ops' })
    const done = await adminRevocations({ kind: 'jti', value: 'x', until: [UNTIL] }, ops, replica(), now)
    assert.ok('code' in done)
    assert.match(done.detail ?? '', /until must be/)
  })
})

it('a reason has 1 to 512 characters', () => {
  const file = (reason: string): boolean =>
    parseLive('revocations.yaml', JSON.stringify({ revocations: [{ kind: 'jti', value: 'x', reason }] }), 'f')
      .ok
  assert.deepEqual(['x', 'x'.repeat(512), '', 'x'.repeat(513)].map(file), [true, true, false, false])
})

it('that no more fit is reported once', () => {
  const { replica, events } = world()
  const registry = replica()
  registry.setLive(Array.from({ length: 100_003 }, (_, i): Revocation => ({ kind: 'jti', value: `t${i}` })))
  assert.deepEqual(events, ['revocations_full {"limit":100000}'])
  assert.equal(registry.isRevoked('jti', 't99999'), true)
  assert.equal(registry.isRevoked('jti', 't100000'), false)
})

describe('a look at the store', () => {
  it('judges again what looked forged, once the fleet has another key', async () => {
    const { replica } = world()
    const later = fleetOf('later')
    let fleet = FLEET
    const behind = replica({
      fleet: {
        ...FLEET,
        get ids() {
          return [...fleet.ids, fleet === later ? 'later' : '']
        },
        verify: (...given: Parameters<typeof FLEET.verify>) => fleet.verify(...given),
      },
    })
    await replica({ fleet: later }).revoke(wanted('jti', 'token-1'), 'ops')
    await behind.refresh()
    assert.deepEqual([behind.stats().forged, behind.isRevoked('jti', 'token-1')], [1, false])
    fleet = later
    await behind.refresh()
    assert.equal(behind.isRevoked('jti', 'token-1'), true)
  })

  it('listens once', async () => {
    const { replica, store } = world()
    let listening = 0
    const counted = new Proxy(store, {
      get: (target, name) => {
        if (name === 'subscribe') listening++
        return target[name as keyof typeof target]
      },
    })
    const registry = replica({ store: counted })
    await registry.refresh()
    await registry.refresh()
    assert.equal(listening, 1)
    registry.close()
  })

  it('does not take for forged what it has held since before a key went', async () => {
    const { replica, events } = world()
    const later = fleetOf('later')
    let fleet = FLEET
    const registry = replica({
      fleet: {
        ...FLEET,
        get ids() {
          return fleet === later ? ['later'] : FLEET.ids
        },
        mac: (...given: Parameters<typeof FLEET.mac>) => fleet.mac(...given),
        verify: (...given: Parameters<typeof FLEET.verify>) => fleet.verify(...given),
      },
    })
    await registry.refresh()
    await registry.revoke(wanted('jti', 'a'), 'ops')
    fleet = later
    await registry.refresh()
    assert.deepEqual([registry.stats().shared, registry.stats().forged], [1, 0])
    assert.ok(!events.some((event) => event.startsWith('revocations_forged')))
  })

  it('takes what holds no more from the store in parts', async () => {
    const { replica, store } = world()
    for (let i = 0; i < 1002; i++)
      await store.indexAdd(
        INDEX,
        signEntry(FLEET, INDEX, `jti ${'x'.repeat(43)} ${NOW + HOUR + i}`),
        HOUR,
        2000,
      )
    const left = []
    const registry = replica()
    for (let look = 0; look < 2; look++) {
      await registry.refresh()
      left.push((await store.indexMembers(INDEX)).length)
    }
    assert.deepEqual(left, [2, 1])
  })

  it('serves others while it signs very many again', async () => {
    const { replica, store } = world()
    await fill(store, 5000)
    let ids = FLEET.ids
    const registry = replica({
      fleet: {
        ...FLEET,
        get ids() {
          return ids
        },
      },
    })
    await registry.refresh()
    ids = ['k2', ...ids]
    const turns = await turnsDuring(() => registry.refresh())
    // Five for the reading, five for the signing.
    assert.ok(turns >= 10, `${turns} turns`)
  })

  it('that fails is told, unless the store tells it', async () => {
    const { replica, store, events } = world()
    const failing = (error: unknown) =>
      replica({ store: { ...store, indexMembers: () => Promise.reject(error) } })
    await failing(new StoreUnavailable()).refresh()
    assert.deepEqual(events, [])
    await failing(new TypeError('secret')).refresh()
    await failing('secret').refresh()
    assert.deepEqual(events, [
      'revocations_not_read {"reason":"TypeError"}',
      'revocations_not_read {"reason":"unknown"}',
    ])
  })
})
