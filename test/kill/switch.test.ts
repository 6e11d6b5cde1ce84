// What the kill switch has off for whom and until when, by the file and by the endpoint.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HOUR, killed, NOW, switchOff, switchOn, world } from './lib.ts'

const DAY = 24 * HOUR
const TOOL = { kind: 'tool', value: 'ductape_execute' } as const

describe('what is off', () => {
  const rows = [
    [TOOL, 'the tool ductape_execute', { tool: 'ductape_generate_payload' }],
    [{ kind: 'module', value: 'databases' }, 'the module databases', { module: 'secrets' }],
    [{ kind: 'principal', value: 'ada' }, 'this caller', { id: 'Ada' }],
    [{ kind: 'tenant', value: 'acme' }, 'this tenant', { tenant: 'umbrella' }],
  ] as const
  for (const [thing, said, other] of rows)
    it(`${said}, and nothing else, by the file and by the endpoint`, async () => {
      const one = world().replica()
      assert.equal(killed(one), undefined)
      one.setLive([thing])
      assert.deepEqual([killed(one), killed(one, other)], [said, undefined])
      one.setLive([])
      assert.equal(killed(one), undefined)
      await switchOff(one, thing)
      assert.deepEqual([killed(one), killed(one, other)], [said, undefined])
      await switchOn(one, thing)
      assert.equal(killed(one), undefined)
    })

  it('all calls, whoever makes them', async () => {
    const one = world().replica()
    await switchOff(one, { kind: 'everything' })
    for (const call of [{}, { tool: 'x', module: undefined, id: 'x', tenant: undefined }])
      assert.equal(killed(one, call), 'all calls')
    await switchOn(one, { kind: 'everything' })
    assert.equal(killed(one), undefined)
  })

  it('a call without module or tenant is in none', () => {
    const one = world().replica()
    one.setLive([
      { kind: 'module', value: 'undefined' },
      { kind: 'tenant', value: 'undefined' },
      { kind: 'tenant', value: '' },
    ])
    assert.equal(killed(one, { module: undefined, tenant: undefined }), undefined)
  })

  it('until its end, where it has one; of file and store the later one', async () => {
    const { replica, at } = world()
    const one = replica()
    one.setLive([{ ...TOOL, until: NOW + HOUR }])
    await switchOff(one, TOOL, NOW + 2 * HOUR)
    at(NOW + HOUR)
    assert.equal(killed(one), 'the tool ductape_execute')
    at(NOW + 2 * HOUR - 1)
    assert.equal(killed(one), 'the tool ductape_execute')
    at(NOW + 2 * HOUR)
    assert.equal(killed(one), undefined)
    assert.deepEqual([one.stats().off, one.warnings()], [0, []])
  })

  it('of the endpoint without an end: 366 days', async () => {
    const { replica, at } = world()
    const one = replica()
    assert.deepEqual(await switchOff(one, TOOL), {
      action: 'off',
      kind: 'tool',
      until: new Date(NOW + 366 * DAY).toISOString(),
      off: true,
    })
    at(NOW + 366 * DAY - 1)
    assert.equal(killed(one), 'the tool ductape_execute')
    at(NOW + 366 * DAY)
    assert.equal(killed(one), undefined)
  })

  it('can be made shorter or longer by the same request again', async () => {
    const { replica, at } = world()
    const one = replica()
    await switchOff(one, TOOL, NOW + 5 * HOUR)
    await switchOff(one, TOOL, NOW + HOUR)
    at(NOW + HOUR)
    assert.equal(killed(one), undefined)
    await switchOff(one, TOOL, NOW + 3 * HOUR)
    assert.equal(killed(one), 'the tool ductape_execute')
  })

  it('by the file stays off whatever the endpoint says, which tells it', async () => {
    const one = world().replica()
    one.setLive([TOOL])
    assert.deepEqual(await switchOn(one, TOOL), { action: 'on', kind: 'tool', off: true })
    await switchOff(one, TOOL)
    await switchOn(one, TOOL)
    assert.equal(killed(one), 'the tool ductape_execute')
  })

  it('is a warning with names of tools and modules, and with numbers of callers and tenants', async () => {
    const one = world().replica()
    assert.deepEqual(one.warnings(), [])
    one.setLive([{ kind: 'everything' }, { kind: 'principal', value: 'canary-1' }])
    for (const thing of [
      TOOL,
      { kind: 'module', value: 'secrets' },
      { kind: 'principal', value: 'canary-2' },
      { kind: 'tenant', value: 'canary-3' },
    ])
      await switchOff(one, thing)
    assert.deepEqual(one.warnings(), [
      'switched off: all calls, the tool ductape_execute, the module secrets, 2 principals, 1 tenant',
    ])
    assert.equal(one.stats().off, 6)
  })

  it('costs no hash where no caller and no tenant is off', () => {
    const one = world().replica()
    // A value that cannot be hashed shows it.
    const value = 7 as unknown as string
    assert.equal(killed(one, { id: value, tenant: value }), undefined)
    one.setLive([{ kind: 'module', value: 'secrets' }])
    assert.equal(killed(one, { id: value, tenant: value }), undefined)
    one.setLive([{ kind: 'tenant', value: 'x' }])
    assert.throws(() => killed(one, { tenant: value }), TypeError)
  })
})

describe('a file that does not hold', () => {
  it('only adds, and names without a tool or module add nothing', () => {
    const one = world().replica()
    one.setLive([TOOL])
    one.addLive([
      { kind: 'module', value: 'secrets' },
      { kind: 'module', value: 'databasez' },
    ])
    assert.equal(killed(one), 'the tool ductape_execute')
    assert.equal(killed(one, { tool: 'x', module: 'secrets' }), 'the module secrets')
    assert.equal(one.stats().off, 2)
    one.setLive([])
    assert.equal(one.stats().off, 0)
  })

  it('cannot add without end, but a tool and everything find room', () => {
    const { replica, events } = world()
    const one = replica()
    const many = (from: string) =>
      Array.from({ length: 700 }, (_, i) => ({ kind: 'principal' as const, value: `${from}${i}` }))
    one.setLive(many('a'))
    one.addLive(many('b'))
    assert.equal(one.stats().off, 1000)
    assert.ok(events.length === 400 && events.every((event) => event === 'kill_full {"limit":1000}'))
    one.addLive([TOOL, { kind: 'everything' }])
    assert.equal(one.stats().off, 1002)
  })
})
