// The bounds of the main listener: body size, deadlines, connections. Each is reached with a small configured value and has its answer.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { request as send } from 'undici'
import { startApp, type TestApp, type TestAppOptions } from '../lib/app.ts'
import { EXECUTE, toolCall } from '../lib/calls.ts'
import { open, type RawAnswer, request } from '../lib/raw.ts'

const BODY = toolCall('ductape_execute', EXECUTE)
const JSON_TYPE = 'Content-Type: application/json'

async function using(
  http: NonNullable<TestAppOptions['config']>['http'],
  run: (service: TestApp) => Promise<void>,
): Promise<void> {
  const service = await startApp({ config: { ...(http && { http }) } })
  try {
    await run(service)
  } finally {
    await service.close()
  }
}

const codes = (service: TestApp): (string | undefined)[] =>
  service.records().map((record) => record.decision?.code ?? record.type)

function isJsonRpc(answer: RawAnswer, status: number, code: string): void {
  assert.equal(answer.status, status, answer.body)
  const body = JSON.parse(answer.body) as { error: { data: { code: string } } }
  assert.equal(body.error.data.code, code)
  assert.equal(answer.headers['content-type'], 'application/json')
  assert.equal(answer.headers['connection'], 'close')
}

function isProblem(answer: RawAnswer, status: number, code: string): void {
  assert.equal(answer.status, status, answer.body)
  assert.equal((JSON.parse(answer.body) as { code: string }).code, code)
  assert.equal(answer.headers['content-type'], 'application/problem+json')
  assert.equal(answer.headers['connection'], 'close')
}

describe('body size', () => {
  const maxBody = 4096
  const paths = [
    ['/mcp', isJsonRpc],
    ['/v1/tools/ductape_execute', isProblem],
  ] as const

  for (const [path, check] of paths) {
    test(`${path}: a declared length over the cap is refused unread`, () =>
      using({ maxBody }, async (service) => {
        const connection = await open(service.url)
        connection.send(request(`POST ${path}`, [JSON_TYPE, `Content-Length: ${maxBody + 1}`]))
        check(await connection.answer(), 413, 'body_too_large')
        connection.socket.end()
        assert.equal(await connection.closed, '')
        assert.deepEqual(codes(service), ['body_too_large'])
      }))

    test(`${path}: a chunked body is refused as soon as it is over the cap`, () =>
      using({ maxBody }, async (service) => {
        const connection = await open(service.url)
        connection.send(request(`POST ${path}`, [JSON_TYPE, 'Transfer-Encoding: chunked']))
        connection.send(`${(maxBody + 1).toString(16)}\r\n${' '.repeat(maxBody + 1)}\r\n`)
        check(await connection.answer(), 413, 'body_too_large')
        connection.send('0\r\n\r\n')
        assert.equal(await connection.closed, '')
        assert.deepEqual(codes(service), ['body_too_large'])
      }))

    test(`${path}: a body of exactly the cap is read`, () =>
      using({ maxBody }, async (service) => {
        const connection = await open(service.url)
        const text = path === '/mcp' ? BODY : JSON.stringify(EXECUTE)
        connection.send(request(`POST ${path}`, [], text.padEnd(maxBody)))
        assert.equal((await connection.answer()).status, 200)
        connection.end()
      }))
  }

  test('a client that sends far too much still reads the answer', () =>
    using({ maxBody }, async (service) => {
      for (let i = 0; i < 5; i++) {
        const { statusCode, body } = await send(service.mcp, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: Buffer.alloc(4 << 20, 0x20),
        })
        assert.equal(statusCode, 413)
        assert.match(await body.text(), /body_too_large/)
      }
    }))

  test('nonsense in a body that nobody wants is no second refusal', () =>
    using({ maxBody }, async (service) => {
      const connection = await open(service.url)
      const head = request('POST /mcp', ['Content-Type: text/plain', 'Transfer-Encoding: chunked'])
      connection.send(`${head}5\r\nhello\r\nnonsense\r\n`)
      isJsonRpc(await connection.answer(), 415, 'media_type_unsupported')
      connection.end()
      await connection.closed
      assert.deepEqual(codes(service), ['media_type_unsupported'])
    }))

  test('a client that never stops sending loses the connection', () =>
    using({ maxBody }, async (service) => {
      const connection = await open(service.url)
      connection.send(request('POST /mcp', [JSON_TYPE, 'Transfer-Encoding: chunked']))
      const chunk = `1000\r\n${' '.repeat(4096)}\r\n`
      const pump = (): void => {
        if (connection.socket.writable) connection.socket.write(chunk, () => setImmediate(pump))
      }
      pump()
      await connection.closed
      connection.end()
      assert.deepEqual(codes(service), ['body_too_large'])
    }))
})

describe('deadlines', () => {
  const slow = { headersTimeout: 200, bodyTimeout: 200 }

  test('a connection that says nothing is answered and closed', () =>
    using(slow, async (service) => {
      const connection = await open(service.url)
      isJsonRpc(await connection.answer(), 408, 'request_timeout')
      assert.equal(await connection.closed, '')
      assert.deepEqual(codes(service), ['request_timeout'])
    }))

  test('a head that does not end', () =>
    using(slow, async (service) => {
      const connection = await open(service.url)
      connection.send('POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n')
      isJsonRpc(await connection.answer(), 408, 'request_timeout')
      assert.equal(await connection.closed, '')
      assert.deepEqual(codes(service), ['request_timeout'])
    }))

  test('a body that stops', () =>
    using(slow, async (service) => {
      const connection = await open(service.url)
      connection.send(request('POST /mcp', [JSON_TYPE, 'Content-Length: 100'], '{'))
      isJsonRpc(await connection.answer(), 408, 'request_timeout')
      assert.equal(await connection.closed, '')
      assert.deepEqual(codes(service), ['request_timeout'])
    }))

  test('a body that goes on byte by byte: the deadline is on the whole of it', () =>
    using(slow, async (service) => {
      const connection = await open(service.url)
      connection.send(request('POST /v1/tools/ductape_execute', [JSON_TYPE, 'Content-Length: 1000000']))
      const drip = setInterval(() => connection.send(' '), 20)
      try {
        isProblem(await connection.answer(), 408, 'request_timeout')
        assert.equal(await connection.closed, '')
      } finally {
        clearInterval(drip)
      }
      assert.deepEqual(codes(service), ['request_timeout'])
    }))

  test('a client that goes away in the middle of its body is recorded', () =>
    using({}, async (service) => {
      const connection = await open(service.url)
      connection.send(request('POST /mcp', [JSON_TYPE, 'Content-Length: 100'], '{'))
      connection.socket.end()
      isJsonRpc(await connection.answer(), 400, 'body_incomplete')
      assert.deepEqual(codes(service), ['body_incomplete'])
      connection.end()
    }))

  test('an idle connection is closed without a word', () =>
    using({ idleTimeout: 100 }, async (service) => {
      const connection = await open(service.url)
      connection.send(request('POST /mcp', [], BODY))
      assert.equal((await connection.answer()).status, 200)
      assert.equal(await connection.closed, '')
      assert.deepEqual(codes(service), ['decision', 'outcome'])
    }))
})

describe('connections', () => {
  test('one more than allowed is closed at once, and there is room again when one leaves', () =>
    using({ maxConnections: 3 }, async (service) => {
      const held = [await open(service.url), await open(service.url), await open(service.url)]
      for (const connection of held) {
        connection.send(request('POST /mcp', [], BODY))
        assert.equal((await connection.answer()).status, 200)
      }
      const { port } = new URL(service.url)
      const refused = connect(Number(port), '127.0.0.1')
      refused.on('error', () => undefined)
      await once(refused, 'close')
      const first = held[0]!
      const gone = once(first.socket, 'close')
      first.socket.end()
      await gone
      // The service learns of it a moment after this side does.
      for (;;) {
        const again = await open(service.url)
        again.send(request('POST /mcp', [], BODY))
        const answer = await again.answer().catch(() => undefined)
        again.end()
        if (answer !== undefined) break
      }
      for (const connection of held) connection.end()
    }))

  test('1,000 requests one after the other on one connection', () =>
    using({}, async (service) => {
      const connection = await open(service.url)
      for (let i = 0; i < 1000; i++) {
        connection.send(request('POST /mcp', [], toolCall('ductape_execute', EXECUTE, i)))
        const answer = await connection.answer()
        assert.equal(answer.status, 200)
        assert.ok(answer.body.endsWith(`"id":${i}}`), answer.body.slice(-40))
      }
      connection.end()
      assert.equal(service.records().length, 2000)
    }))
})
