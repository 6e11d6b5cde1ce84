// How many calls wait for a person, as /metrics says it: the same at every replica of a real Redis, less after a decision, and nothing where Redis is lost.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { noFigures } from '../../../scripts/generate/metrics.ts'
import type { Approvals } from '../../../src/admission/approval/index.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { type Bench, bench, OK } from '../../approval/lib/bench.ts'
import { APPROVERS, REQUESTERS } from '../../approval/lib/callers.ts'
import { type Server, workbench } from '../../store/lib/server.ts'
import { unless } from '../lib/tools.ts'

const { agent, foreign } = REQUESTERS
const { alice } = APPROVERS
const MINUTE = 60_000
const LINE = /^ductape_mcp_approvals_pending (\d+)$/m

/** What a replica with these approvals exposes; undefined where the line is not there. */
async function shown(approvals: Approvals): Promise<number | undefined> {
  const { body } = await createMetrics({ ...noFigures(), approvals: approvals.stats }).render(undefined)
  assert.match(body, /^# TYPE ductape_mcp_approvals_pending gauge$/m)
  const [, value] = LINE.exec(body) ?? []
  return value === undefined ? undefined : Number(value)
}

const args = (value: number) => ({ module: 'databases', params: [value] })

/** Three wait, one of them of another tenant; one is refused, one approved and used, the third ends. */
async function story({ ask, idOf, pass, approvals }: Bench, looks: () => Promise<readonly unknown[]>) {
  const first = await idOf({ requester: agent, args: args(1), expiry: MINUTE })
  const second = await idOf({ requester: agent, args: args(2), expiry: MINUTE })
  await idOf({ requester: foreign, args: args(1), expiry: MINUTE })
  // The same question is one that waits.
  await idOf({ requester: agent, args: args(1), expiry: MINUTE })
  const seen = [await looks()]
  await approvals.decide(first, 'deny', undefined, alice, OK)
  seen.push(await looks())
  await approvals.decide(second, 'approve', undefined, alice, OK)
  assert.equal((await ask({ requester: agent, args: args(2), expiry: MINUTE })).denial, undefined)
  seen.push(await looks())
  pass(MINUTE)
  return seen
}

test('without a shared store a replica counts its own, and what has ended no longer', async () => {
  const one = bench()
  const seen = await story(one, async () => [await shown(one.approvals)])
  assert.deepEqual([...seen, [await shown(one.approvals)]], [[3], [2], [1], [0]])
})

describe('replicas that share a Redis', { skip: unless('redis-server') }, () => {
  const { launch, open, close } = workbench('redis-server')
  let server: Server
  before(async () => {
    server = await launch()
  })
  after(close)

  test('all say the same, and nothing once it is lost', async () => {
    const [one, two] = [await open({ url: server.url }), await open({ url: server.url })]
    const world = bench({ store: one.store })
    const other = world.another({ store: two.store })
    const looks = () => Promise.all([shown(world.approvals), shown(other)])
    assert.deepEqual(await story(world, looks), [
      [3, 3],
      [2, 2],
      [1, 1],
    ])
    await server.kill()
    assert.deepEqual(await looks(), [undefined, undefined])
  })
})
