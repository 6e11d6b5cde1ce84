// Refusals of what never became a request, in strict mode: the record is with the kernel before the answer leaves, and the wait has an end.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { memorySink, startApp, type TestApp } from '../lib/app.ts'
import { open } from '../lib/raw.ts'

const running: { service: TestApp; take(took: boolean): void }[] = []
after(async () => {
  for (const { service, take } of running) {
    // The end of a chain waits for the kernel, too.
    take(true)
    await service.close()
  }
})

/** A service whose kernel takes lines when it is told to; `asked` resolves when somebody waits for it. */
async function gated(mode: 'strict' | 'best-effort') {
  const lines: string[] = []
  const asked = Promise.withResolvers<void>()
  const taken = Promise.withResolvers<boolean>()
  let ready = false
  const service = await startApp({
    config: { audit: { mode } },
    ports: {
      records: {
        ...memorySink(lines),
        taken() {
          if (!ready) return Promise.resolve(true)
          asked.resolve()
          return taken.promise
        },
      },
    },
  })
  running.push({ service, take: taken.resolve })
  ready = true
  return { service, lines, asked: asked.promise, take: taken.resolve }
}

const ROWS = [
  ['no HTTP', 'nonsense\r\n\r\n', 400, 'http_malformed'],
  [
    'too large a head',
    `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`,
    431,
    'headers_too_large',
  ],
  ['CONNECT', 'CONNECT example.com:443 HTTP/1.1\r\nhost: example.com\r\n\r\n', 405, 'method_not_allowed'],
] as const

describe('strict: it waits for its record', () => {
  for (const [what, bytes, status, code] of ROWS)
    for (const took of [true, false])
      test(`${what}, where the kernel ${took ? 'takes it' : 'does not take it in time'}`, async () => {
        const { service, lines, asked, take } = await gated('strict')
        const connection = await open(service.url)
        let received = 0
        connection.socket.on('data', () => received++)
        connection.send(bytes)
        await asked
        assert.ok(lines.some((line) => line.includes(`"code":"${code}"`)))
        // A round trip on another connection: an answer that had left would be here by now.
        const other = await open(service.url)
        other.send('GET /openapi.json HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n')
        await other.answer()
        other.end()
        assert.deepEqual([received, service.app.inFlight()], [0, 1])
        take(took)
        const answer = await connection.answer()
        assert.deepEqual([answer.status, answer.headers['connection']], [status, 'close'])
        assert.match(answer.body, new RegExp(code))
        connection.end()
        assert.equal(service.app.inFlight(), 0)
      })
})

test('best-effort: it waits for nobody', async () => {
  for (const [, bytes, status] of ROWS) {
    const { service } = await gated('best-effort')
    const connection = await open(service.url)
    connection.send(bytes)
    assert.equal((await connection.answer()).status, status)
    connection.end()
  }
})

test('a client that is gone by then is missed by nobody', async () => {
  const { service, asked, take } = await gated('strict')
  const connection = await open(service.url)
  connection.send('nonsense\r\n\r\n')
  await asked
  connection.socket.resetAndDestroy()
  take(true)
  for (const end = performance.now() + 20_000; service.app.inFlight() > 0; ) {
    assert.ok(performance.now() < end, 'it is still being answered')
    await new Promise((resolve) => setImmediate(resolve))
  }
})
