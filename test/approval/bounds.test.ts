// How many calls may wait and how much they may hold, and what the requestState of a client is worth.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { createDigests } from '../../src/audit/digests.ts'
import { deny } from '../../src/core/denials.ts'
import { createFleet } from '../../src/keys/index.ts'
import { bench, OK } from './lib/bench.ts'
import { APPROVERS, REQUESTERS } from './lib/callers.ts'
import { FLEET, WORLD_KEY } from './lib/world.ts'

const { agent, other } = REQUESTERS
const { alice } = APPROVERS
const MINUTE = 60_000
const args = (value: unknown) => ({ module: 'databases', params: [value as string] })

describe('bounds', () => {
  test('20 of a caller wait at most; a decision makes room, an end too', async () => {
    const { approvals, ask, idOf, pass } = bench()
    const ids: string[] = []
    for (let at = 0; at < 20; at++) ids.push(await idOf({ requester: agent, args: args(at), expiry: MINUTE }))
    const full = await ask({ requester: agent, args: args('more') })
    assert.deepEqual([full.denial?.code, full.denial?.detail], ['approval_backlog', 'this caller'])
    assert.ok(Number(full.denial?.retryAfterMs) > 0)
    assert.equal((await ask({ requester: agent, args: args(3) })).denial?.approval?.id, ids[3])
    assert.equal((await ask({ requester: other, args: args(3) })).denial?.code, 'approval_required')
    await approvals.decide(String(ids[0]), 'deny', undefined, alice, OK)
    await idOf({ requester: agent, args: args('more') })
    assert.equal((await ask({ requester: agent, args: args('and more') })).denial?.code, 'approval_backlog')
    pass(MINUTE)
    await idOf({ requester: agent, args: args('and more') })
  })

  test('1,000 of a tenant, and what was refused takes no place', async () => {
    const { ask } = bench()
    const caller = (at: number) => ({ ...agent, id: `caller ${at}` })
    for (let at = 0; at < 1000; at++)
      assert.equal((await ask({ requester: caller(at) })).denial?.code, 'approval_required')
    const full = await ask({ requester: caller(1000) })
    assert.deepEqual([full.denial?.code, full.denial?.detail], ['approval_backlog', 'this tenant'])
    assert.equal((await ask({ requester: REQUESTERS.foreign })).denial?.code, 'approval_required')
  })

  test('64 KiB of arguments of a call, 16 MiB of a tenant', async () => {
    const { ask } = bench()
    const sized = (bytes: number) => args('x'.repeat(bytes - JSON.stringify(args('')).length))
    const caller = (at: number) => ({ ...agent, id: `caller ${at}` })
    const over = await ask({ requester: agent, args: sized(64 * 1024 + 1) })
    assert.deepEqual([over.denial?.code, over.denial?.detail], ['approval_too_large', '64 KiB'])
    // What counts is bytes, not characters.
    const wide = await ask({ requester: agent, args: args('ä'.repeat(40 * 1024)) })
    assert.equal(wide.denial?.code, 'approval_too_large')
    for (let at = 0; at < 256; at++)
      assert.equal(
        (await ask({ requester: caller(at), args: sized(64 * 1024) })).denial?.code,
        'approval_required',
      )
    const full = await ask({ requester: caller(256) })
    assert.deepEqual([full.denial?.code, full.denial?.detail], ['approval_backlog', 'this tenant'])
  })
})

describe('requestState', () => {
  const stateOf = async ({ ask }: ReturnType<typeof bench>, asking: Parameters<typeof ask>[0]) =>
    String((await ask(asking)).denial?.approval?.state)

  test('is accepted for the call that it was given for, alone it opens nothing', async () => {
    const it = bench()
    const requestState = await stateOf(it, { requester: agent })
    assert.equal((await it.ask({ requester: agent, requestState })).denial?.code, 'approval_required')
    const found = await it.idOf({ requester: agent })
    await it.approvals.decide(found, 'approve', undefined, alice, OK)
    assert.equal((await it.ask({ requester: agent, requestState })).denial, undefined)
    // It is no right: used again it asks again.
    assert.equal((await it.ask({ requester: agent, requestState })).denial?.code, 'approval_required')
  })

  test('is refused for other arguments, another caller or tenant, changed, foreign or too long', async () => {
    const it = bench()
    const requestState = await stateOf(it, { requester: agent })
    for (const asking of [
      { requester: agent, args: args(1), requestState },
      { requester: other, requestState },
      { requester: REQUESTERS.foreign, requestState },
      { requester: agent, requestState: `${requestState.slice(0, -2)}xx` },
      { requester: agent, requestState: '' },
      { requester: agent, requestState: FLEET.seal('["acme"]', 'another use') },
      { requester: agent, requestState: 'k1.'.padEnd(100_000, 'A') },
    ])
      assert.deepEqual((await it.ask(asking)).denial, deny('state_invalid'))
    // A refused state uses nothing up.
    const found = await it.idOf({ requester: agent })
    await it.approvals.decide(found, 'approve', undefined, alice, OK)
    const bad = { requester: agent, requestState: 'k1.x' }
    assert.equal((await it.ask(bad)).denial?.code, 'state_invalid')
    assert.equal((await it.ask({ requester: agent })).denial, undefined)
  })

  test('that an older fleet key has sealed asks anew; one that the fleet does not know is refused', async () => {
    const requestState = await stateOf(bench(), { requester: agent })
    const newer = { id: 'k2', secret: createHash('sha256').update('newer').digest() }
    for (const [keys, code] of [
      [[newer, WORLD_KEY], 'approval_required'],
      [[newer], 'state_invalid'],
    ] as const) {
      const fleet = createFleet(keys, true)
      const digest = createDigests({ fleet, random: (size) => Buffer.alloc(size) }).request
      const { ask } = bench({ fleet, digest })
      assert.equal((await ask({ requester: agent, requestState })).denial?.code, code)
      if (code === 'approval_required')
        assert.equal((await ask({ requester: other, requestState })).denial?.code, 'state_invalid')
    }
  })

  test('that has expired asks anew', async () => {
    const it = bench()
    const requestState = await stateOf(it, { requester: agent, expiry: MINUTE })
    it.pass(MINUTE)
    assert.equal((await it.ask({ requester: agent, requestState })).denial?.code, 'approval_required')
  })
})
