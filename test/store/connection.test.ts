// When a lost connection is opened again, and how long an answer is waited for, on a clock of the test's own.
import assert from 'node:assert/strict'
import { connect, createServer, type Socket } from 'node:net'
import { describe, mock, test } from 'node:test'
import {
  type Client,
  DeadlinePassed,
  keepConnected,
  LONGEST_PAUSE,
  within,
} from '../../src/store/connection.ts'
import { listenLocal } from '../lib/ports.ts'

const TIMEOUT = 400

describe('a server that', () => {
  test('is asked again after growing pauses, and not hurried by how often it hangs up', async () => {
    mock.timers.enable({ apis: ['setTimeout'] })
    try {
      const pauses: number[] = []
      let attempts = 0
      let clock = 0
      const connection = keepConnected({
        create: () => {
          attempts++
          throw new Error('nobody there')
        },
        prove: async () => undefined,
        timeout: TIMEOUT,
        now: () => clock,
        random: () => 1,
        changed: () => undefined,
        failed: () => undefined,
      })
      for (let pause = 0; attempts < 12; ) {
        const before = attempts
        for (pause = 0; attempts === before; pause++) {
          await new Promise((resolve) => setImmediate(resolve))
          mock.timers.tick(1)
          clock++
        }
        pauses.push(pause)
      }
      assert.deepEqual(pauses, [50, 100, 200, 400, 800, 1600, 2000, 2000, 2000, 2000, 2000])
      assert.equal(Math.max(...pauses), LONGEST_PAUSE)
      connection.close()
      await new Promise((resolve) => setImmediate(resolve))
      mock.timers.tick(100_000)
      assert.equal(attempts, 12, 'after closing nobody is asked')
    } finally {
      mock.timers.reset()
    }
  })

  test('hangs up on everybody after taking them is asked no faster than one that is away', async () => {
    mock.timers.enable({ apis: ['setTimeout'] })
    try {
      let attempts = 0
      let hangUp = (): void => undefined
      let clock = 0
      const connection = keepConnected({
        create: (): Client => {
          attempts++
          return {
            isReady: true,
            connect: async () => undefined,
            sendCommand: async () => 'OK',
            subscribe: async () => undefined,
            unsubscribe: async () => undefined,
            destroy: () => undefined,
            on: (event, listener) => {
              if (event === 'terminated') hangUp = listener
            },
          }
        },
        prove: async () => undefined,
        timeout: TIMEOUT,
        now: () => clock,
        random: () => 1,
        changed: () => undefined,
        failed: () => undefined,
      })
      for (; clock < 10_000; clock++) {
        for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve))
        if (connection.client() !== undefined) hangUp()
        mock.timers.tick(1)
      }
      assert.ok(attempts >= 5 && attempts <= 12, String(attempts))
      connection.close()
    } finally {
      mock.timers.reset()
    }
  })
})

test('an attempt that was given up is ended also where it connects later', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const listeners = new Map<string, () => void>()
    let destroyed = 0
    const failed: unknown[] = []
    const connection = keepConnected({
      create: () => ({
        isReady: false,
        connect: () => new Promise(() => undefined),
        sendCommand: async () => undefined,
        subscribe: async () => undefined,
        unsubscribe: async () => undefined,
        destroy: () => void destroyed++,
        on: (event, listener) => listeners.set(event, listener),
      }),
      prove: async () => undefined,
      timeout: TIMEOUT,
      now: () => 0,
      random: () => 1,
      changed: () => undefined,
      failed: (error) => void failed.push(error),
    })
    mock.timers.tick(TIMEOUT)
    await connection.tried
    connection.close()
    assert.ok(failed[0] instanceof DeadlinePassed)
    assert.equal(destroyed, 1)
    listeners.get('connect')?.()
    assert.equal(destroyed, 2)
    assert.equal(connection.client(), undefined)
  } finally {
    mock.timers.reset()
  }
})

test('a process that stood still for longer than the deadline still reads the answer that is there', async () => {
  const server = createServer()
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
  const port = await listenLocal(server)
  const asking = connect(port, '127.0.0.1')
  const answering = await accepted
  const answer = new Promise((resolve) => asking.once('data', (chunk) => resolve(chunk.toString())))
  await new Promise<void>((resolve) => answering.write('there', () => resolve()))
  try {
    const waiting = within(1, answer)
    const begun = performance.now()
    while (performance.now() - begun < 20);
    assert.equal(await waiting, 'there')
    await assert.rejects(within(1, new Promise(() => undefined)), DeadlinePassed)
  } finally {
    for (const socket of [asking, answering]) socket.destroy()
    server.close()
  }
})
