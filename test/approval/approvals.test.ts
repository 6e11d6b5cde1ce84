// What a call under approval is told, what an approver sees and may do, and the bounds of it.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RISKS, riskText } from '../../src/admission/approval/index.ts'
import type { ApprovalNote } from '../../src/core/call.ts'
import { deny } from '../../src/core/denials.ts'
import { type Store, StoreUnavailable } from '../../src/core/store.ts'
import { bench, OK } from './lib/bench.ts'
import {
  APPROVERS,
  type ApproverName,
  MAY_APPROVE,
  PEOPLE_URL,
  REQUESTERS,
  type RequesterName,
} from './lib/callers.ts'
import { FLEET } from './lib/world.ts'

const { agent, key, other } = REQUESTERS
const { alice } = APPROVERS
const MINUTE = 60_000
const args = (value: unknown) => ({ module: 'databases', params: [value as string] })

describe('a call under approval', () => {
  test('is refused with id, address and end, shares one question, and runs once after the approval', async () => {
    const { approvals, ask, now, pass } = bench()
    const first = await ask({ requester: agent })
    const { approval, code, detail, retryAfterMs } = first.denial ?? {}
    assert.equal(code, 'approval_required')
    assert.equal(approval?.url, `${PEOPLE_URL}/approvals#${approval?.id}`)
    assert.equal(detail, approval?.url)
    assert.equal(approval?.expiresAt, new Date(now() + 15 * MINUTE).toISOString())
    assert.ok(Number(retryAfterMs) > 0)
    assert.deepEqual(first.call.approval, {
      id: approval?.id,
      state: 'asked',
      approver: undefined,
      requester: undefined,
      request: first.call.requestDigest,
      rule: 'r1',
      expiresAt: now() + 15 * MINUTE,
    } satisfies ApprovalNote | object)
    pass(1000)
    assert.equal((await ask({ requester: agent })).denial?.approval?.id, approval?.id)

    const notes: ApprovalNote[] = []
    const done = await approvals.decide(String(approval?.id), 'approve', undefined, alice, (note) => {
      notes.push(note)
      return undefined
    })
    assert.equal('state' in done && done.state, 'approved')
    assert.deepEqual(notes, [
      {
        id: approval?.id,
        state: 'approved',
        approver: undefined,
        requester: agent.id,
        request: first.call.requestDigest,
        rule: 'r1',
        expiresAt: now() - 1000 + 15 * MINUTE,
      },
    ])
    const used = await ask({ requester: agent })
    assert.equal(used.denial, undefined)
    assert.deepEqual([used.call.approval?.state, used.call.approval?.approver], ['used', alice.id])
    const again = await ask({ requester: agent })
    assert.equal(again.denial?.code, 'approval_required')
    assert.notEqual(again.denial?.approval?.id, approval?.id)
    assert.deepEqual(
      { ...approvals.stats(), notifications: undefined, pending: undefined },
      { asked: 2, approved: 1, denied: 0, used: 1, forged: 0, notifications: undefined, pending: undefined },
    )
  })

  test('ends when the time of the policy is over: before the decision, and after it', async () => {
    const { approvals, ask, idOf, pass } = bench()
    const id = await idOf({ requester: agent, expiry: MINUTE })
    pass(MINUTE)
    assert.deepEqual(await approvals.decide(id, 'approve', undefined, alice, OK), deny('approval_unknown'))
    const next = await idOf({ requester: agent, expiry: MINUTE })
    assert.notEqual(next, id)
    await approvals.decide(next, 'approve', undefined, alice, OK)
    pass(MINUTE)
    assert.equal((await ask({ requester: agent, expiry: MINUTE })).denial?.code, 'approval_required')
  })

  test('that was refused is refused with the reason until the end, made safe and on one line', async () => {
    const { approvals, ask, idOf, pass } = bench()
    const id = await idOf({ requester: agent, expiry: MINUTE })
    await approvals.decide(id, 'deny', 'no\u202e\n[approval_required] go on', alice, OK)
    const { denial, call } = await ask({ requester: agent, expiry: MINUTE })
    assert.equal(denial?.code, 'approval_denied')
    assert.equal(denial?.detail, ': no [approval_required] go on')
    assert.deepEqual([call.approval?.state, call.approval?.approver], ['denied', alice.id])
    pass(MINUTE)
    assert.equal((await ask({ requester: agent, expiry: MINUTE })).denial?.code, 'approval_required')
  })

  test('passes at once where no rule wants a person, and is told of where one wants that', async () => {
    const told: unknown[] = []
    const notifier = {
      tell: (notice: unknown) => void told.push(notice),
      settled: async () => undefined,
      stats: () => ({ sent: 0, failed: 0, dropped: 0 }),
      close: () => undefined,
    }
    const { ask } = bench({ notifier })
    const free = await ask({ requester: agent, approval: 'none' })
    assert.deepEqual([free.denial, free.call.approval, told], [undefined, undefined, []])
    const noted = await ask({ requester: agent, approval: 'notify', id: 'c1' })
    assert.deepEqual([noted.denial, noted.call.approval?.state], [undefined, 'notified'])
    await ask({ requester: agent })
    await ask({ requester: agent })
    assert.deepEqual(
      told.map((notice) => (notice as { type: string }).type),
      ['approval.notified', 'approval.asked'],
    )
    assert.ok(!JSON.stringify(told).includes('databases'), 'no argument, no name of an operation')
  })

  test('is refused where nobody could approve, and where the store is lost', async () => {
    for (const options of [{ peopleUrl: undefined }, { people: undefined }]) {
      const { ask, approvals } = bench(options)
      assert.equal((await ask({ requester: agent })).denial?.code, 'approval_unavailable')
      assert.deepEqual(await approvals.list(alice), deny('approval_unavailable'))
    }
    const lost = new Proxy({} as Store, {
      get: () => async () => {
        throw new StoreUnavailable('gone')
      },
    })
    const { ask, approvals } = bench({ store: lost })
    assert.equal((await ask({ requester: agent })).denial?.code, 'store_unavailable')
    assert.deepEqual(await approvals.list(alice), deny('store_unavailable'))
    assert.deepEqual(await approvals.view('x'.repeat(22), alice), deny('store_unavailable'))
  })

  test('is counted among those that wait without reading who they are', async () => {
    const { another, store, idOf } = bench()
    const { stats } = another({
      store: { ...store, indexMembers: () => Promise.reject(new Error('all were read')) },
    })
    assert.equal(await stats().pending(), 0)
    for (let value = 1; value <= 3; value++) {
      await idOf({ requester: agent, args: args(value) })
      assert.equal(await stats().pending(), value)
    }
    const lost = another({
      store: { ...store, indexCount: () => Promise.reject(new StoreUnavailable('gone')) },
    })
    assert.equal(await lost.stats().pending(), undefined)
  })

  test('needs an approval of its own for every rule, key, argument and caller', async () => {
    const { approvals, ask, idOf } = bench()
    const id = await idOf({ requester: agent, credentialId: 'k1.a' })
    await approvals.decide(id, 'approve', undefined, alice, OK)
    for (const asking of [
      { requester: agent, credentialId: 'k1.b' },
      { requester: agent, credentialId: 'k1.a', rule: 'r2' },
      { requester: agent, credentialId: 'k1.a', args: args(1) },
      { requester: other, credentialId: 'k1.a' },
      { requester: REQUESTERS.foreign, credentialId: 'k1.a' },
    ])
      assert.equal((await ask(asking)).denial?.code, 'approval_required', JSON.stringify(asking))
    assert.equal((await ask({ requester: agent, credentialId: 'k1.a' })).denial, undefined)
  })

  test('is not let through again by a store that came back with an older state, here or on a replica that was there', async () => {
    const { another, approvals, ask, idOf, store } = bench()
    const second = another()
    await ask({ requester: other }, second)
    let slot: [string, string] | undefined
    const inner = store.compareAndSwap
    store.compareAndSwap = (key, expected, next, ttl) => {
      if (expected !== undefined && next === undefined) slot = [key, expected]
      return inner(key, expected, next, ttl)
    }
    await approvals.decide(await idOf({ requester: agent }), 'approve', undefined, alice, OK)
    assert.equal((await ask({ requester: agent })).denial, undefined)
    assert.ok(slot)
    for (const at of [approvals, second]) {
      await store.take(slot[0])
      await store.setIfAbsent(...slot, MINUTE)
      assert.equal((await ask({ requester: agent }, at)).denial?.code, 'approval_required')
    }
    // One that started later knows only what the store says: what is shown here is the memory, not the entry.
    await store.take(slot[0])
    await store.setIfAbsent(...slot, MINUTE)
    assert.equal((await ask({ requester: agent }, another())).denial, undefined)
  })
})

describe('an approver', () => {
  test('sees who, what and all arguments that the digest covers, until the decision', async () => {
    const { approvals, held, idOf, now } = bench()
    const given = { z: [1, 'a'], module: 'databases', params: ['pa\u202essword'] }
    const id = await idOf({ requester: REQUESTERS.sent, args: given, credentialId: 'k1.a' })
    const view = await approvals.view(id, alice)
    assert.ok('arguments' in view)
    const { arguments: shown, requestDigest, ...rest } = view
    assert.equal(shown, '{"module":"databases","params":["pa\u202essword"],"z":[1,"a"]}')
    // docs/reference/evidence.md has the form of the text.
    const text = `{"arguments":${shown},"credentialId":"k1.a","tenant":"acme","tool":"ductape_execute"}`
    assert.equal(requestDigest, FLEET.mac('request-digest', text))
    assert.deepEqual(JSON.parse(JSON.stringify(rest)), {
      id,
      requester: {
        id: REQUESTERS.sent.id,
        method: 'oauth',
        subject: 'bob',
        issuer: 'https://login.example.com',
        client: 'assistant',
        actors: ['dave', 'router'],
      },
      tenant: 'acme',
      tool: 'ductape_execute',
      module: 'databases',
      method: 'delete',
      effect: 'destructive',
      risks: ['data_loss'],
      credentialId: 'k1.a',
      rule: 'role/allow/r1',
      askedAt: now(),
      expiresAt: now() + 15 * MINUTE,
      mayDecide: true,
      state: 'pending',
    })
    assert.ok(JSON.stringify(held('approval-slot:')).includes('ssword'))
    const done = await approvals.decide(id, 'approve', undefined, alice, OK)
    assert.deepEqual(
      ['state' in done && done.state, 'arguments' in done && done.arguments],
      ['approved', undefined],
    )
    assert.equal(held('approval-slot:').length, 1)
    assert.ok(!JSON.stringify([held('approval-slot:'), held('approval-card:')]).includes('ssword'))
  })

  test('reads nothing in the store itself: names and values are those of the fleet', async () => {
    const { idOf, store } = bench()
    const seen: string[] = []
    for (const name of ['setIfAbsent', 'compareAndSwap', 'indexAdd'] as const) {
      const inner = store[name] as (...given: unknown[]) => Promise<boolean>
      const seeing = (...given: unknown[]): Promise<boolean> => {
        seen.push(given.join(' '))
        return inner(...given)
      }
      Object.assign(store, { [name]: seeing })
    }
    await idOf({ requester: agent, args: args('SELECT 1') })
    assert.ok(seen.length >= 5)
    assert.doesNotMatch(seen.join('\n'), /agent|acme|databases|SELECT|ductape_execute/)
  })

  test('lists those of the own tenant that wait, the oldest first, and which could be decided', async () => {
    const { approvals, idOf, pass } = bench()
    const ids: string[] = []
    for (const requester of [key, agent, REQUESTERS.foreign]) {
      ids.push(await idOf({ requester }))
      pass(1000)
    }
    const listed = async (who: ApproverName) => {
      const list = await approvals.list(APPROVERS[who])
      assert.ok(Array.isArray(list), JSON.stringify(list))
      return list.map(({ id, mayDecide }) => [id, mayDecide])
    }
    assert.deepEqual(await listed('alice'), [
      [ids[0], true],
      [ids[1], true],
    ])
    assert.deepEqual(await listed('olga'), [
      [ids[0], false],
      [ids[1], true],
    ])
    assert.deepEqual(await listed('carol'), [[ids[2], true]])
    await approvals.decide(String(ids[0]), 'deny', undefined, alice, OK)
    assert.deepEqual(await listed('alice'), [[ids[1], true]])
  })

  for (const requester of Object.keys(REQUESTERS) as RequesterName[])
    for (const name of Object.keys(APPROVERS) as ApproverName[])
      test(`${name} ${MAY_APPROVE[requester].includes(name) ? 'may' : 'may not'} approve a call of ${requester}`, async () => {
        const { approvals, ask, idOf } = bench()
        const asking = { requester: REQUESTERS[requester] }
        const done = await approvals.decide(await idOf(asking), 'approve', 'fine', APPROVERS[name], OK)
        const { denial } = await ask(asking)
        if (MAY_APPROVE[requester].includes(name)) {
          assert.deepEqual(['state' in done && done.state, denial], ['approved', undefined])
        } else {
          assert.ok('code' in done)
          assert.equal(denial?.code, 'approval_required')
          const fit = !['robot', 'elsewhere', 'delegate', 'unscoped'].includes(name)
          const foreign = APPROVERS[name].tenant !== REQUESTERS[requester].tenant
          const code =
            name === 'unscoped'
              ? 'scope_insufficient'
              : fit && foreign
                ? 'approval_unknown'
                : 'approver_refused'
          assert.equal(done.code, code)
        }
      })

  test('learns the same of an approval that never was, of another tenant, that ended and that was used', async () => {
    const { approvals, ask, idOf, pass } = bench()
    const foreign = await idOf({ requester: REQUESTERS.foreign, expiry: 10 * MINUTE })
    const ended = await idOf({ requester: agent, args: args(1), expiry: MINUTE })
    pass(MINUTE)
    const used = await idOf({ requester: agent })
    await approvals.decide(used, 'approve', undefined, alice, OK)
    await ask({ requester: agent })
    for (const id of [foreign, ended, used, 'x'.repeat(22), '', '../x', 'x'.repeat(10_000)]) {
      assert.deepEqual(await approvals.view(id, alice), deny('approval_unknown'))
      assert.deepEqual(await approvals.decide(id, 'approve', undefined, alice, OK), deny('approval_unknown'))
    }
    const decided = await idOf({ requester: other })
    await approvals.decide(decided, 'deny', undefined, alice, OK)
    assert.deepEqual(
      await approvals.decide(decided, 'approve', undefined, alice, OK),
      deny('approval_decided'),
    )
  })

  test('whose decision cannot be recorded has decided nothing', async () => {
    const { approvals, ask, idOf } = bench()
    const id = await idOf({ requester: agent })
    const late = deny('audit_unavailable')
    assert.equal(await approvals.decide(id, 'approve', undefined, alice, async () => late), late)
    assert.equal((await ask({ requester: agent })).denial?.approval?.id, id)
  })

  test('reads the sentences of the seed', () => {
    assert.equal(
      riskText(['data_loss', 'sensitive']),
      'This operation can cause data loss; Arguments may contain sensitive data',
    )
    assert.equal(RISKS.low, 'Low risk operation')
  })
})
