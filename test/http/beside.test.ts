// While another call is under way a request waits a turn before its first stage: what happens to its connection meanwhile is not missed.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { afterEach, beforeEach, test } from 'node:test'
import type { Call } from '../../src/core/call.ts'
import { STAGES, type StageParts } from '../../src/pipeline.ts'
import { startApp, type TestApp } from '../lib/app.ts'
import { EXECUTE, toolCall } from '../lib/calls.ts'
import { type HeldBackend, type HeldRequest, startHeldBackend } from '../lib/held-backend.ts'
import { open, type RawConnection, request } from '../lib/raw.ts'

const BODY = toolCall('ductape_execute', EXECUTE)
const JSON_TYPE = 'Content-Type: application/json'
const call = (length: number): string => request('POST /mcp', [JSON_TYPE, `Content-Length: ${length}`])
const WHOLE = call(Buffer.byteLength(BODY)) + BODY

let backend: HeldBackend
let service: TestApp
let first: RawConnection
let held: HeldRequest
beforeEach(async () => {
  backend = await startHeldBackend()
  service = await startApp({ backend: backend.url })
  first = await open(service.url)
  first.send(WHOLE)
  held = await backend.next()
})
afterEach(async () => {
  held.release([])
  assert.equal((await first.answer()).status, 200)
  first.end()
  await service.close()
  await backend.close()
})

/** The first call alone is left. */
async function alone(): Promise<void> {
  for (const end = performance.now() + 20_000; service.app.inFlight() > 1; ) {
    assert.ok(performance.now() < end, 'a call that nobody waits for never ends')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const ended = (): (string | undefined)[] =>
  service.records().flatMap(({ decision }) => (decision?.allowed === false ? [decision.code] : []))

test('a body that is no HTTP, in one piece with its head', async () => {
  const second = await open(service.url)
  second.send(`${request('POST /mcp', [JSON_TYPE, 'Transfer-Encoding: chunked'])}nonsense\r\n`)
  const answer = await second.answer()
  assert.deepEqual([answer.status, answer.headers['connection']], [400, 'close'])
  assert.match(answer.body, /http_malformed/)
  second.end()
  await alone()
  assert.deepEqual(ended(), ['http_malformed'])
})

test('a client that is gone with half of its body sent, at once or a little later', async () => {
  for (const wait of [false, true]) {
    const second = await open(service.url)
    second.send(call(1000) + BODY.slice(0, 20))
    if (wait) await new Promise((resolve) => setImmediate(resolve))
    second.socket.resetAndDestroy()
  }
  const third = await open(service.url)
  third.send(call(1000) + BODY.slice(0, 20))
  third.socket.end()
  await third.closed
  await alone()
  assert.ok(ended().length <= 3)
  assert.ok(ended().every((code) => code === 'body_incomplete'))
})

test('a body in pieces, and one that is too large', async () => {
  const second = await open(service.url)
  second.send(WHOLE.slice(0, -100))
  second.send(WHOLE.slice(-100))
  const other = await backend.next()
  other.release([])
  assert.equal((await second.answer()).status, 200)
  second.end()
  const third = await open(service.url)
  const large = `${'x'.repeat(3 << 20)}`
  third.send(
    `${request('POST /mcp', [JSON_TYPE, 'Transfer-Encoding: chunked'])}${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`,
  )
  assert.equal((await third.answer()).status, 413)
  third.end()
  await alone()
})

test('a body of any size, in one piece', async () => {
  for (const size of [0, 1000, 65_000, 66_000, 100_000, 300_000]) {
    const body = toolCall('ductape_execute', { ...EXECUTE, params: ['ductape:my-product', 'x'.repeat(size)] })
    const second = await open(service.url)
    second.send(call(Buffer.byteLength(body)) + body)
    const other = await backend.next()
    other.release([])
    assert.equal((await second.answer()).status, 200, `${size}`)
    second.end()
  }
})

test('a body that came after its time, while its caller was still being identified', async () => {
  const identified = Promise.withResolvers<void>()
  const stages = STAGES.map((row) =>
    row.name !== 'identity'
      ? row
      : {
          ...row,
          prepare: (parts: StageParts) => {
            const run = row.prepare(parts)
            return (one: Call) => identified.promise.then(() => run(one))
          },
        },
  )
  const slow = await startApp({ stages, config: { http: { headersTimeout: 100, bodyTimeout: 200 } } })
  try {
    const connection = await open(slow.url)
    const late = once(slow.app.main, 'clientError')
    connection.send(WHOLE.slice(0, -100))
    await late
    connection.send(WHOLE.slice(-100))
    identified.resolve()
    const answer = await connection.answer()
    assert.deepEqual([answer.status, answer.headers['connection']], [408, 'close'])
    assert.equal(await connection.closed, '')
  } finally {
    await slow.close()
  }
})

test('what follows an answer that was announced as the last is not executed', async () => {
  const second = await open(service.url)
  second.send(request('POST /nowhere', [JSON_TYPE, 'Content-Length: 10']))
  const answer = await second.answer()
  assert.deepEqual([answer.status, answer.headers['connection']], [404, 'close'])
  second.send(`0123456789${WHOLE}`)
  assert.equal(await second.closed, '')
  second.end()
  await alone()
  assert.deepEqual([ended(), backend.count()], [['path_unknown'], 1])
})
