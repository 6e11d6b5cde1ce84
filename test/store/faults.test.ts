// The Redis adapter against servers that are broken or hostile: nothing hangs, nothing is believed, nothing of theirs is repeated.
import assert from 'node:assert/strict'
import { createServer, type Server, type Socket } from 'node:net'
import { after, describe, test } from 'node:test'
import { StoreUnavailable } from '../../src/core/store.ts'
import { inspectStore } from '../../src/store/index.ts'
import { createRedisStore, type RedisStore } from '../../src/store/redis.ts'
import { listenLocal } from '../lib/ports.ts'
import { everyOperation } from './lib/contract.ts'

/** What a test waits for, where nobody answers. */
const TIMEOUT = 400
/** Where somebody does. */
const PATIENT = { timeout: 10_000 }
const CANARY = 'canary-4f1d8b'

const servers: Server[] = []
const sockets = new Set<Socket>()
const stores: RedisStore[] = []

after(async () => {
  for (const store of stores) await store.close()
  for (const socket of sockets) socket.destroy()
  for (const server of servers) server.close()
})

/** `serve` gets each connection; returns the port. */
async function listen(serve: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    serve(socket)
  })
  servers.push(server)
  return listenLocal(server)
}

/** Answers each command by its first word; the first one that is not named ends all answers. */
const answering = (answers: Readonly<Record<string, string>>) => (socket: Socket) => {
  let hangs = false
  socket.on('data', (chunk) => {
    // Commands come whole on loopback; a bulk string is "$length", then the text.
    for (const [, word = ''] of chunk.toString('latin1').matchAll(/\*\d+\r\n\$\d+\r\n([A-Za-z]+)\r\n/g)) {
      const answer = answers[word.toUpperCase()]
      hangs ||= answer === undefined
      if (!hangs) socket.write(answer ?? '')
    }
  })
}

const HEALTHY = { HELLO: '%1\r\n+proto\r\n:3\r\n', SET: '+OK\r\n', PING: '+PONG\r\n' }

async function open(port: number, settings: object = {}): Promise<{ store: RedisStore; reasons: string[] }> {
  const reasons: string[] = []
  const store = await createRedisStore(
    { url: `redis://127.0.0.1:${port}/0`, prefix: 'p', timeout: TIMEOUT, ...settings },
    {
      now: Date.now,
      random: Math.random,
      readFile: () => `${CANARY}-password\n`,
      report: (reason) => void reasons.push(reason),
    },
  )
  stores.push(store)
  return { store, reasons }
}

async function assertRefusesAll(store: RedisStore): Promise<void> {
  for (const [name, operation] of everyOperation(store)) {
    const error = await operation().then(
      () => assert.fail(`${name} was done`),
      (reason: unknown) => reason,
    )
    assert.ok(error instanceof StoreUnavailable, name)
    assert.ok(!`${error.stack}${error.message}${String(error.cause)}`.includes(CANARY), name)
  }
}

describe('a server that', () => {
  for (const [what, serve, reason] of [
    ['never answers', () => undefined, /^timeout$/],
    ['closes at once', (socket: Socket) => void socket.destroy(), /^(closed|ECONNRESET|EPIPE)$/],
    [
      'speaks another protocol',
      (socket: Socket) => void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'),
      /./,
    ],
    ['sends endless garbage', (socket: Socket) => void socket.write(Buffer.alloc(100_000, 0xff)), /./],
    ['does not know the user', answering({ HELLO: `-WRONGPASS ${CANARY}\r\n` }), /^WRONGPASS$/],
    ['answers with a word of its own', answering({ HELLO: `-CANARY ${CANARY}\r\n` }), /^unknown$/],
    ['only reads', answering({ ...HEALTHY, SET: `-READONLY ${CANARY}\r\n` }), /^READONLY$/],
    ['is full', answering({ ...HEALTHY, SET: '-OOM command not allowed\r\n' }), /^OOM$/],
    ['hangs in the proof', answering({ HELLO: HEALTHY.HELLO }), /^timeout$/],
  ] as const) {
    test(`${what} counts as lost, and nothing hangs`, async () => {
      const { store, reasons } = await open(await listen(serve), { username: 'u', password: { file: 'f' } })
      assert.equal(store.available(), false)
      assert.match(reasons[0] ?? '', reason)
      await assertRefusesAll(store)
      assert.ok(!reasons.join().includes(CANARY))
      const [finding] = await inspectStore(store)
      assert.equal(finding?.status, 'finding')
      assert.ok(!JSON.stringify(finding).includes(CANARY))
      await store.close()
    })
  }

  test('answers with the wrong kind of value is not believed', async () => {
    for (const odd of ['+OK\r\n', ':7\r\n', '%0\r\n', '*1\r\n:1\r\n', '#t\r\n', '_\r\n']) {
      const answers = { ...HEALTHY, GET: odd, GETDEL: odd, EVALSHA: odd, INFO: odd }
      const { store } = await open(await listen(answering(answers)), PATIENT)
      assert.equal(store.available(), true)
      const wrong: Promise<unknown>[] = [
        store.compareAndSwap('k', 'a', 'b', 1),
        store.acquire('k', 'h', 1, 1),
        store.lease('k', { capacity: 1, refill: 1, per: 1 }, 1),
      ]
      if (odd !== '*1\r\n:1\r\n') wrong.push(store.indexMembers('k'))
      if (odd !== ':7\r\n') wrong.push(store.indexCount('k'))
      if (odd !== '+OK\r\n' && odd !== '_\r\n') wrong.push(store.get('k'), store.take('k'))
      for (const attempt of await Promise.allSettled(wrong))
        assert.ok(attempt.status === 'rejected' && attempt.reason instanceof StoreUnavailable, odd)
      await store.close()
    }
  })

  test('answers more than was asked is given up: the next answer could be another one’s', async () => {
    const { store } = await open(
      await listen(answering({ ...HEALTHY, GET: '$1\r\na\r\n$1\r\nb\r\n' })),
      PATIENT,
    )
    const lost = new Promise<void>((resolve) => store.onChange((available) => available || resolve()))
    const first = await store.get('k').catch(() => undefined)
    assert.ok(first === 'a' || first === undefined)
    await lost
  })

  test('answers one command and then freezes is given up after the deadline', async () => {
    const answers: Record<string, string> = { ...HEALTHY, GET: '$1\r\na\r\n' }
    const { store, reasons } = await open(await listen(answering(answers)), { timeout: 1500 })
    assert.equal(await store.get('k'), 'a')
    for (const word of Object.keys(answers)) delete answers[word]
    await assertRefusesAll(store)
    assert.equal(store.available(), false)
    assert.ok(reasons.includes('timeout'), reasons.join())
  })
})

test('files that cannot be read are a reason of their own, and nobody is asked without the password', async () => {
  let connections = 0
  const port = await listen(() => void connections++)
  const reasons: string[] = []
  const files: Record<string, string> = { empty: '\n', long: 'x'.repeat(100_000) }
  for (const file of ['missing', 'empty', 'long']) {
    const store = await createRedisStore(
      { url: `redis://127.0.0.1:${port}`, prefix: 'p', timeout: TIMEOUT, password: { file } },
      {
        now: Date.now,
        random: Math.random,
        readFile: (path) => files[path] ?? assert.fail(`no such file ${CANARY}`),
        report: (reason) => void reasons.push(reason),
      },
    )
    await assertRefusesAll(store)
    await store.close()
  }
  assert.deepEqual(reasons, ['file', 'file', 'file'])
  assert.equal(connections, 0)
})
