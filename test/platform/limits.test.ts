// Limits that three processes share through one real Redis or Valkey, which is killed and comes back empty.
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Flood, Flooded } from '../limits/lib/replica.ts'
import { openStore, SERVERS, type Server, startServer, until } from '../store/lib/server.ts'
import { ROOT, unless } from './lib/tools.ts'

const PER_MINUTE = 600
const BURST = 300
const EXECUTIONS = 120
const PLACES = 9
const off = { rate: 'off', inputTokens: 'off', outputTokens: 'off' }
const FILE = JSON.stringify({
  principal: off,
  principals: {
    rate: { rate: { perMinute: PER_MINUTE, burst: BURST } },
    executions: { executions: { count: EXECUTIONS } },
    places: { concurrency: PLACES },
  },
})
const TOLERANCE = 1.05

interface Total {
  rate: number
  executions: number
  places: number
  events: string[][]
  /** Seconds that the calls took, at most and at least. */
  longest: number
  shortest: number
}

for (const { name, program } of SERVERS) {
  describe(`three processes and one ${name}`, { skip: unless(program) }, () => {
    let server: Server
    let children: ChildProcess[] = []

    before(async () => {
      server = await startServer(program)
      children = await Promise.all(
        [1, 2, 3].map(async () => {
          const child = fork(join(ROOT, 'test/limits/lib/replica.ts'), [server.url, FILE, '3'])
          await once(child, 'message')
          return child
        }),
      )
    })
    after(async () => {
      await Promise.all(
        children.map(async (child) => {
          const exit = once(child, 'exit')
          child.disconnect()
          await exit
        }),
      )
      await server.stop()
    })

    const flood = async (order: Flood): Promise<Total> => {
      const began = performance.now()
      const told = await Promise.all(
        children.map(async (child) => {
          child.send(order)
          const [flooded] = (await once(child, 'message')) as [Flooded]
          return flooded
        }),
      )
      const sum = (of: (one: Flooded) => number): number => told.reduce((total, one) => total + of(one), 0)
      return {
        rate: sum((one) => one.rate),
        executions: sum((one) => one.executions),
        places: sum((one) => one.places),
        events: told.map((one) => one.events),
        longest: (performance.now() - began) / 1000,
        shortest: order.milliseconds / 1000,
      }
    }
    const refill = (seconds: number): number => (seconds * PER_MINUTE) / 60

    // One after the other: each begins where the one before ended.
    test('together pass no more than a twentieth too much, and use at least nine tenths', async () => {
      const total = await flood({ milliseconds: 4000, pause: 2 })
      const most = BURST + refill(total.longest)
      const least = BURST + refill(total.shortest)
      assert.ok(total.rate <= most * TOLERANCE, `${total.rate} of ${most}`)
      assert.ok(total.rate >= least * 0.9, `${total.rate} of ${least}`)
      assert.ok(total.executions <= EXECUTIONS * TOLERANCE, `${total.executions} executions`)
      assert.ok(total.executions >= EXECUTIONS * 0.9, `${total.executions} executions`)
      assert.equal(total.places, PLACES)
      assert.deepEqual(total.events, [[], [], []])
    })

    test('without the store have their shares and no more', async () => {
      await server.kill()
      const total = await flood({ milliseconds: 3000, pause: 2 })
      const most = BURST + refill(total.longest)
      assert.ok(total.rate <= most * TOLERANCE, `${total.rate} of ${most}`)
      assert.ok(total.rate >= refill(total.shortest) * 0.9, `${total.rate} of ${refill(total.shortest)}`)
      // Who has used nothing yet has its whole share left.
      assert.ok(total.executions <= EXECUTIONS * (2 / 3) * TOLERANCE, `${total.executions} executions`)
      assert.ok(total.places <= PLACES * (5 / 3), `${total.places} places`)
      assert.deepEqual(total.events, [['limits_store_lost'], ['limits_store_lost'], ['limits_store_lost']])
    })

    test('heal by themselves when it is back, although it has kept nothing', async () => {
      await server.restart()
      const probe = await openStore({ url: server.url })
      await until(probe.store, true)
      await probe.store.close()
      const healing = await flood({ milliseconds: 6000, pause: 2 })
      assert.deepEqual(healing.events, [['limits_store_back'], ['limits_store_back'], ['limits_store_back']])
      const most = 2 * BURST + refill(healing.longest)
      assert.ok(healing.rate <= most * TOLERANCE, `${healing.rate} of ${most}`)
      // Who is back first can use what the others have not told yet; then the window is used up again.
      assert.ok(healing.executions <= EXECUTIONS, `${healing.executions} executions`)
      const total = await flood({ milliseconds: 3000, pause: 2 })
      assert.ok(total.rate >= refill(total.shortest) * 0.9, `${total.rate} passed`)
      assert.ok(total.rate <= (BURST + refill(total.longest)) * TOLERANCE, `${total.rate} passed`)
      assert.equal(total.executions, 0)
      // The calls from before the restart never end here, and the store does not know of them.
      assert.ok(total.places <= PLACES * (8 / 3), `${total.places} places`)
    })
  })
}
