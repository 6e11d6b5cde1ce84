// Replay over real Redis and Valkey: random runs of replicas that die, a real process that is killed, and what stands in the store.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startHeldBackend } from '../lib/held-backend.ts'
import { type Served, serve } from '../lib/serve.ts'
import { setArgs } from '../replay/lib/ask.ts'
import { runRandom } from '../replay/lib/random.ts'
import { bench, callOf, HOUR, resultOf, run, watched } from '../replay/lib/stage.ts'
import { rawClient, SERVERS, type Server, workbench } from '../store/lib/server.ts'
import { unless } from './lib/tools.ts'

const SEED = Number(process.env['REPLAY_SEED'] ?? 20261122)
const CALLS = 1000

for (const { name, program } of SERVERS) {
  describe(`replay over ${name}`, { skip: unless(program) }, () => {
    const { launch, open, close } = workbench(program)
    let server: Server
    before(async () => {
      server = await launch()
    })
    after(close)

    test(`${CALLS} calls with lost answers to replicas that die (seed ${SEED})`, async () => {
      const store = async () => (await open({ url: server.url, prefix: 'random' })).store
      const report = await runRandom({ calls: CALLS, seed: SEED, store })
      assert.equal(report.duplicates, 0)
      assert.deepEqual(report.problems, [])
      assert.ok(report.replayed > 0 && report.effects > report.operations / 4)
    })

    test('an entry ends with the retention, and one that was given back is gone', async () => {
      const { store } = await open({ url: server.url, prefix: 'ends' })
      const raw = await rawClient(server.url)
      const own = bench({ shared: watched(store) })
      const rest = async (): Promise<number[]> => {
        const keys = (await raw.send('KEYS', 'ends:value:replay:*')) as string[]
        return Promise.all(keys.map(async (key) => Number(await raw.send('PTTL', key))))
      }
      const isHour = (ms: number): boolean => ms > HOUR - 60_000 && ms <= HOUR
      const call = callOf()
      await own.replay.stage(call)
      assert.deepEqual((await rest()).map(isHour), [true])
      Object.assign(call, { stage: 'shape', result: resultOf('done') })
      await own.replay.settle(call)
      assert.deepEqual((await rest()).map(isHour), [true])
      const again = callOf()
      await own.replay.stage(again)
      assert.equal(again.replayOf, call.id)
      await run(own, callOf({ key: 'back' }), { stage: 'limits', denial: { code: 'rate_limited' } })
      assert.equal((await rest()).length, 1)
      raw.close()
    })

    test('a process that is killed with a call under way leaves no leave to repeat it; its answers stay', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-replay-'))
      writeFileSync(join(folder, 'fleet'), `k1 ${randomBytes(32).toString('base64')}\n`, { mode: 0o600 })
      const backend = await startHeldBackend()
      const config = {
        backend: { url: backend.url },
        keys: { fleet: { file: join(folder, 'fleet') } },
        store: { redis: { url: server.url, prefix: 'killed', timeout: '10s' } },
      }
      const served: Served[] = []
      const start = async (): Promise<Served> => {
        const one = await serve({ config })
        served.push(one)
        return one
      }
      try {
        const first = await start()
        const answered = ask(first, 'a')
        ;(await backend.next()).release({ data: 'of a', execution_time_ms: 1, request_id: 'r' })
        assert.deepEqual(await answered, { status: 200, body: 'of a' })
        const lost = ask(first, 'b').catch(() => 'lost')
        await backend.next()
        first.child.kill('SIGKILL')
        await first.exit
        assert.equal(await lost, 'lost')

        const count = backend.count()
        const second = await start()
        assert.deepEqual(await ask(second, 'a'), { status: 200, body: 'of a' })
        const { status, body } = await ask(second, 'b')
        assert.deepEqual([status, (body as { code: string }).code], [409, 'in_progress'])
        assert.equal(backend.count(), count)
      } finally {
        for (const { child, exit } of served) {
          child.kill('SIGKILL')
          await exit
        }
        await backend.close()
        rmSync(folder, { recursive: true, force: true })
      }
    })
  })
}

async function ask({ url }: Served, key: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${url}/v1/tools/ductape_execute`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify(setArgs('1')),
  })
  return { status: response.status, body: await response.json() }
}
