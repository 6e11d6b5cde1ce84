// A revocation reaches three processes within 5 seconds through a real Redis, and outlives one that forgets everything.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, describe, test } from 'node:test'
import { INDEX } from '../../src/identity/revocations/entry.ts'
import { createRevocations } from '../../src/identity/revocations/index.ts'
import { FLEET, wanted } from '../identity/revocations/lib.ts'
import { type Child, startChild } from '../lib/child.ts'
import { run, temporary } from '../lib/process.ts'
import { openStore, startServer, until } from '../store/lib/server.ts'
import { unless } from './lib/tools.ts'

/** Milliseconds; the promise of docs/operate. */
const PROMISE = 5000
const HOUR = 3_600_000

describe('revocations through Redis', { skip: unless('redis-server') }, () => {
  const open: (() => unknown)[] = []
  after(async () => {
    for (const close of open.toReversed()) await close()
  })

  test('reach three processes within 5 seconds, from the command line and from a replica, also over a restart', async () => {
    const server = await startServer('redis-server')
    open.push(server.stop)
    const folder = temporary()
    open.push(folder.remove)
    const replica = async (...values: string[]): Promise<Child> => {
      const child = startChild(['test/identity/revocations/replica.ts', server.url, ...values])
      open.push(() => child.stop('SIGKILL'))
      await child.says(/^ready$/m)
      return child
    }
    const replicas = await Promise.all([1, 2, 3].map(() => replica('first', 'second', 'third')))
    const allSay = async (value: string, from: number): Promise<number> => {
      await Promise.all(replicas.map((child) => child.says(new RegExp(`^revoked ${value}$`, 'm'))))
      return performance.now() - from
    }

    const fleet = folder.file('fleet.txt', `k1 ${createHash('sha256').update('test').digest('base64url')}\n`)
    const config = folder.file(
      'config.yaml',
      `store: { redis: { url: "${server.url}" } }\nkeys: { fleet: { file: ${JSON.stringify(fleet)} } }\n`,
    )
    const done = await run(['revoke', 'jti', 'first', '--until', '1h', '--config', config])
    assert.deepEqual([done.code, done.stderr], [0, ''])
    assert.ok((await allSay('first', performance.now())) < PROMISE)

    const { store } = await openStore({ url: server.url })
    open.push(() => store.close())
    const own = createRevocations({
      store,
      fleet: FLEET,
      now: Date.now,
      onEvent: () => undefined,
      pollEvery: 2000,
    })
    await own.revoke(wanted('jti', 'second', Date.now() + HOUR, Date.now()), 'test')
    assert.ok((await allSay('second', performance.now())) < PROMISE)

    // It comes back with nothing kept: the replicas still know, and put the entries back for those that start now.
    await server.kill()
    await until(store, false)
    const back = until(store, true)
    await server.restart()
    await back
    while ((await store.indexMembers(INDEX)).length < 2) await new Promise((resolve) => setImmediate(resolve))
    const late = await replica('first', 'second')
    await Promise.all(['first', 'second'].map((value) => late.says(new RegExp(`^revoked ${value}$`, 'm'))))

    await own.revoke(wanted('jti', 'third', Date.now() + HOUR, Date.now()), 'test')
    assert.ok((await allSay('third', performance.now())) < PROMISE)
  })
})
