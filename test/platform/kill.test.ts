// The kill switch under load: three services on one Redis obey what was asked of one of them, within 5 seconds, also while Redis is gone.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { recordsOf } from '../lib/app.ts'
import { temporary } from '../lib/process.ts'
import { NO_LIMITS, type Served, serve } from '../lib/serve.ts'
import {
  ALLOW_ALL,
  type Answer,
  bearer,
  call,
  codeOf,
  keysFile,
  PUBLIC_URL,
  send,
  WAYS,
} from '../live/lib/secured.ts'
import { type Server, startServer } from '../store/lib/server.ts'
import { unless } from './lib/tools.ts'

/** Milliseconds; the promise of docs/operate/kill-switch.md. */
const PROMISE = 5000
const DEADLINE = 30_000
/** Callers at the same time, of each process. */
const WORKERS = 2

interface Seen {
  at: number
  begun: number
  code: string
}

describe('the kill switch of three services and one Redis', { skip: unless('redis-server') }, () => {
  const folder = temporary()
  const started: Served[] = []
  let redis: Server
  let replicas: Served[] = []
  let configuration: Record<string, unknown>

  const replica = async (): Promise<Served> => {
    const one = await serve({ config: configuration, args: ['--emulator'] })
    started.push(one)
    return one
  }

  before(async () => {
    redis = await startServer('redis-server')
    const live = {
      'policy.yaml': ALLOW_ALL,
      'limits.yaml': NO_LIMITS,
      'keys.yaml': keysFile({ reader: { tenant: 'acme' }, warden: { scopes: ['ductape:admin'] } }),
    }
    for (const [file, value] of Object.entries(live)) folder.file(file, JSON.stringify(value))
    configuration = {
      publicUrl: PUBLIC_URL,
      live: folder.path,
      // Busy processes on few cores: what is late is not lost.
      store: { redis: { url: redis.url, timeout: '10s' } },
      keys: {
        fleet: {
          file: folder.file('fleet.txt', `k1 ${createHash('sha256').update('test').digest('base64url')}\n`),
        },
      },
      auth: { apiKeys: {} },
      http: { peerRate: { perMinute: 10_000_000, burst: 1_000_000 } },
    }
    replicas = await Promise.all([replica(), replica(), replica()])
  })
  after(async () => {
    for (const one of started) {
      one.child.kill()
      await one.exit
    }
    await redis?.stop()
    folder.remove()
  })

  /** The next answer. */
  let answered = Promise.withResolvers<void>()

  const kill = (at: Served, body: object): Promise<Answer> =>
    send(at, {
      path: '/v1/admin/kill',
      headers: bearer('warden'),
      body: JSON.stringify({ reason: 'test', ...body }),
    })

  /** Calls all of them all the time, in the three ways, while `script` runs; every answer with the time that its call began. */
  async function underLoad(script: (seen: readonly Seen[]) => Promise<void>): Promise<Seen[]> {
    const seen: Seen[] = []
    let over = false
    const worker = async (at: number): Promise<void> => {
      for (let i = 0; !over; i++) {
        const begun = performance.now()
        const answer = await call(replicas[at] as Served, WAYS[i % WAYS.length] ?? 'rest', {
          headers: bearer('reader'),
        })
        seen.push({ at, begun, code: codeOf(answer) })
        answered.resolve()
        answered = Promise.withResolvers<void>()
      }
    }
    const load = replicas.flatMap((_, at) => Array.from({ length: WORKERS }, () => worker(at)))
    // A worker that fails ends the test instead of leaving the script to wait.
    await Promise.race([Promise.all(load), script(seen)]).finally(() => {
      over = true
    })
    await Promise.all(load)
    return seen
  }

  /** Until each process has answered this to a call that began after `since`, and one of all to a call that began after `atLeast`. */
  async function allSay(seen: readonly Seen[], code: string, since: number, atLeast = since): Promise<void> {
    const from = performance.now()
    for (let next = 0, missing = new Set(replicas.keys()), late = false; missing.size > 0 || !late; ) {
      assert.ok(performance.now() - from < DEADLINE, `not all of them say ${code}`)
      const one = seen[next]
      if (one === undefined) {
        await answered.promise
        continue
      }
      next++
      if (one.code !== code || one.begun <= since) continue
      missing.delete(one.at)
      late ||= one.begun > atLeast
    }
  }

  const things = [
    { kind: 'everything' },
    { kind: 'tool', value: 'ductape_execute' },
    { kind: 'tenant', value: 'acme' },
  ]
  for (const [index, thing] of things.entries())
    test(`${thing.kind}: 5 seconds after the word to one no call passes on any of the three; the word to another undoes it`, async (t) => {
      let offAt = 0
      let onAt = 0
      const seen = await underLoad(async (soFar) => {
        await allSay(soFar, 'ok', 0)
        offAt = performance.now()
        const off = await kill(replicas[index] as Served, { action: 'off', ...thing })
        assert.equal(off.status, 200, off.text)
        await allSay(soFar, 'killed', offAt, offAt + PROMISE + 1000)
        onAt = performance.now()
        const on = await kill(replicas[(index + 1) % 3] as Served, { action: 'on', ...thing })
        assert.deepEqual([on.status, on.body['off']], [200, false], on.text)
        await allSay(soFar, 'ok', onAt)
      })
      assert.deepEqual([...new Set(seen.map(({ code }) => code))].toSorted(), ['killed', 'ok'])
      const passed = seen.filter(({ begun, code }) => begun > offAt && begun < onAt && code === 'ok')
      const refused = seen.filter(({ begun, code }) => begun > onAt && code === 'killed')
      const slowest = (calls: readonly Seen[], from: number): number =>
        Math.max(0, ...calls.map(({ begun }) => begun - from))
      t.diagnostic(
        `${seen.length} calls; the last that passed began ${slowest(passed, offAt).toFixed(0)} ms after off, the last refused ${slowest(refused, onAt).toFixed(0)} ms after on`,
      )
      assert.ok(slowest(passed, offAt) < PROMISE)
      assert.ok(slowest(refused, onAt) < PROMISE)
      for (const at of replicas.keys()) {
        const count = seen.filter(
          (one) => one.at === at && one.begun > offAt + PROMISE && one.begun < onAt,
        ).length
        assert.ok(count > 10, `${count} calls of process ${at} in the time that counts`)
      }
    })

  test('each word is recorded by the process that got it: who, what, and that it was carried out', async () => {
    for (const [index, one] of replicas.entries()) {
      const lines = () =>
        recordsOf(
          one
            .stdout()
            .split('\n')
            .filter((line) => line.endsWith('}')),
        )
      const wanted = ['kill', 'restore'].toSorted()
      const words = () => {
        const all = lines()
        return all
          .filter(({ what }) => what?.['action'] !== undefined)
          .map((word) => ({
            ...word,
            ended: all.find(({ callId, type }) => callId === word.callId && type === 'outcome')?.outcome,
          }))
      }
      const logged = () =>
        ['kill_added', 'kill_removed'].every((event) => one.stderr().includes(`"${event}"`))
      // Lines are on their way for a moment after the answer: records, outcomes and the log.
      const from = performance.now()
      while (!logged() || words().filter(({ ended }) => ended !== undefined).length < 2) {
        assert.ok(performance.now() - from < DEADLINE, `process ${index}`)
        await new Promise((resolve) => setImmediate(resolve))
      }
      const found = words()
      assert.deepEqual(found.map(({ what }) => String(what?.['action'])).toSorted(), wanted)
      for (const { who, decision, ended } of found) {
        assert.deepEqual([decision, who?.['keyId']], [{ allowed: true }, 'warden'])
        assert.equal(ended?.status, 'executed')
      }
    }
  })

  test('Redis is killed: the last state holds and no word is taken; empty again, it gets the state back for who starts then', async () => {
    const tool = { kind: 'tool', value: 'ductape_generate_snippet' }
    const codeAt = async (at: Served, name?: string): Promise<string> =>
      codeOf(
        await call(at, 'rest', {
          headers: bearer('reader'),
          ...(name !== undefined && { tool: name, args: {} }),
        }),
      )
    const until = async (at: Served, code: string, name?: string): Promise<void> => {
      const from = performance.now()
      while ((await codeAt(at, name)) !== code) assert.ok(performance.now() - from < DEADLINE, code)
    }
    const off = { action: 'off', kind: 'module', value: 'product' }
    assert.equal((await kill(replicas[0] as Served, off)).status, 200)
    assert.equal((await kill(replicas[1] as Served, { ...off, ...tool })).status, 200)
    assert.equal((await kill(replicas[2] as Served, { action: 'on', ...tool })).status, 200)
    for (const at of replicas) await until(at, 'killed')
    await redis.kill()
    for (const at of replicas) {
      for (const body of [
        { action: 'on', kind: 'module', value: 'product' },
        { ...off, kind: 'everything', value: undefined },
      ]) {
        const answer = await kill(at, body)
        assert.deepEqual([answer.status, codeOf(answer)], [503, 'store_unavailable'])
      }
      assert.equal(await codeAt(at), 'killed')
    }
    await redis.restart()
    const late = await replica()
    for (const at of [...replicas, late]) {
      await until(at, 'killed')
      // Refused for its arguments, not by the switch.
      await until(at, 'argument_missing', tool.value)
    }
    const from = performance.now()
    for (;;) {
      const { status } = await kill(late, { action: 'on', kind: 'module', value: 'product' })
      if (status === 200) break
      assert.ok(performance.now() - from < DEADLINE)
    }
    for (const at of [...replicas, late]) await until(at, 'ok')
  })
})
