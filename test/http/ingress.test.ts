// What the rim and the stage `transport` let in: each request, well formed or not, gets its documented answer and exactly one record.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { DENIALS, type DenialCode } from '../../src/core/denials.ts'
import { startApp, type TestApp } from '../lib/app.ts'
import { open, type RawAnswer, request } from '../lib/raw.ts'
import { BODY, CASES, type Case, LENGTH, noCors } from './cases.ts'

function checkRefusal(answer: RawAnswer, code: DenialCode, path: string, headOnly: boolean): void {
  const row = DENIALS[code]
  assert.equal(answer.status, row.status, answer.body)
  if (headOnly) return
  const body = JSON.parse(answer.body) as Record<string, unknown>
  if (path.startsWith('/mcp ') || path === '') {
    assert.equal(answer.headers['content-type'], 'application/json')
    assert.equal(body['jsonrpc'], '2.0')
    assert.equal(body['id'], null)
    const error = body['error'] as { code: number; data: Record<string, unknown> }
    assert.equal(error.code, row.rpc)
    assert.equal(error.data['code'], code)
    assert.equal(error.data['requestId'], answer.headers['x-request-id'])
  } else {
    assert.equal(answer.headers['content-type'], 'application/problem+json')
    assert.equal(body['code'], code)
    assert.equal(body['status'], row.status)
    assert.equal(body['requestId'], answer.headers['x-request-id'])
  }
}

/** The path where the request line could be read, else nothing: what was no request is answered as on /mcp. */
const shownPath = (item: Case): string =>
  item.unread ? '' : (/^\S+ (\S+ )/.exec(item.bytes.toString())?.[1] ?? '').replace(/\?.* $/, ' ')

describe('ingress', () => {
  let service: TestApp
  before(async () => {
    service = await startApp({
      config: {
        publicUrl: 'https://mcp.example.com',
        http: { allowedHosts: ['allowed.example'], allowedOrigins: ['https://app.example'] },
      },
    })
  })
  after(() => service.close())

  for (const [group, cases] of Object.entries(CASES)) {
    describe(group, () => {
      for (const item of cases) {
        test(item.name, async () => {
          service.nextWindow()
          const before = service.records().length
          const connection = await open(service.url)
          connection.send(item.bytes)
          const headOnly = item.bytes.toString().startsWith('HEAD ')
          const answer = await connection.answer({ head: headOnly })
          if (item.code === undefined) assert.ok(answer.status === 200 || answer.status === 204, answer.body)
          else checkRefusal(answer, item.code, shownPath(item), headOnly)
          item.check?.(answer)
          // Whatever the answer says about the connection is so: closed, or read on from the next request's first byte.
          const closes = answer.headers['connection'] === 'close'
          if (item.unread) assert.ok(closes)
          if (closes) assert.equal(await connection.closed, '')
          else {
            service.nextWindow()
            connection.send(request('GET /nothing'))
            assert.equal((await connection.answer()).status, 404)
          }
          connection.end()
          const records = service.records().slice(before, before + (item.code === undefined ? 2 : 1))
          if (item.code === undefined) {
            if (answer.status === 200)
              assert.deepEqual(
                records.map((record) => record.type),
                ['decision', 'outcome'],
              )
          } else {
            assert.deepEqual(
              records.map((record) => record.decision?.code),
              [item.code],
            )
            const expected = before + (closes ? 1 : 2)
            assert.equal(service.records().length, expected, 'recorded once')
          }
        })
      }
    })
  }

  test('every answer has the security headers, an id and no caching', async () => {
    const expected = [
      'content-security-policy',
      'x-content-type-options',
      'x-frame-options',
      'strict-transport-security',
      'referrer-policy',
      'x-request-id',
    ]
    for (const bytes of [
      request('POST /mcp', [], BODY),
      request('GET /v1/tools'),
      request('GET /nothing'),
      'no http\r\n\r\n',
    ]) {
      const connection = await open(service.url)
      connection.send(bytes)
      const { headers } = await connection.answer()
      for (const name of expected)
        assert.ok(headers[name], `${name} on ${JSON.stringify(bytes.slice(0, 20))}`)
      assert.equal(headers['cache-control'], 'no-store')
      assert.equal(headers['server'], undefined)
      assert.equal(headers['x-powered-by'], undefined)
      connection.end()
    }
  })

  test('X-Request-Id comes back where it is an id, else the call has its own', async () => {
    const uuid = '0189d9a4-7c3f-7e1b-8f2e-3a4b5c6d7e8f'
    const connection = await open(service.url)
    for (const [sent, kept] of [
      [uuid, true],
      ['01ARZ3NDEKTSV4RRFFQ69G5FAV', true],
      ['0123456789abcdef', true],
      ['pk_live_0123456789abcdef', false],
      ['a b', false],
      [`${uuid}-1`, false],
    ] as const) {
      const before = service.records().length
      connection.send(request('POST /mcp', [`X-Request-Id: ${sent}`], BODY))
      const answer = await connection.answer()
      const id = answer.headers['x-request-id']
      if (kept) assert.equal(id, sent)
      else assert.match(id ?? '', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
      assert.equal(service.records()[before]?.what?.['requestId'], id)
    }
    connection.end()
  })

  test('host_not_allowed: decided from the head; the body is thrown away and the connection ends', async () => {
    const connection = await open(service.url)
    connection.send(request('POST /mcp', ['Host: evil.example', 'Content-Length: 1000']))
    const answer = await connection.answer()
    assert.equal(answer.status, 403)
    assert.equal(answer.headers['connection'], 'close')
    connection.send(request('POST /mcp', [], BODY).padEnd(1000))
    assert.equal(await connection.closed, '')
  })

  test('a body is asked for only when its head was accepted', async () => {
    const connection = await open(service.url)
    let seen = ''
    connection.socket.on('data', (chunk) => {
      seen += chunk
    })
    const lengthOnly = ['Content-Type: application/json', LENGTH, 'Expect: 100-continue']
    connection.send(request('POST /mcp', lengthOnly))
    while (!seen.includes('\r\n\r\n')) await new Promise((resolve) => connection.socket.once('data', resolve))
    assert.match(seen, /^HTTP\/1\.1 100 Continue\r\n/)
    connection.send(BODY)
    assert.equal((await connection.answer()).status, 200)
    seen = ''
    connection.send(request('POST /mcp', [...lengthOnly, 'Host: evil.example']))
    assert.equal((await connection.answer()).status, 403)
    assert.doesNotMatch(seen, /100 Continue/)
    connection.end()
  })

  test('garbage after a good request: the good one is answered first, the garbage is recorded once', async () => {
    service.nextWindow()
    const before = service.records().length
    const connection = await open(service.url)
    connection.send(`${request('POST /mcp', [], BODY)}garbage\r\n\r\n`)
    assert.equal((await connection.answer()).status, 200)
    assert.equal((await connection.answer()).status, 400)
    connection.send('more garbage\r\n\r\n')
    assert.equal(await connection.closed, '')
    assert.deepEqual(
      service
        .records()
        .slice(before)
        .map((record) => record.decision?.code ?? record.type),
      ['decision', 'outcome', 'http_malformed'],
    )
  })

  test('pipelined requests are answered in their order', async () => {
    const connection = await open(service.url)
    const paths = ['POST /mcp', 'GET /v1/tools', 'GET /nothing', 'POST /mcp']
    connection.send(
      paths.map((line) => request(line, [], line.startsWith('POST') ? BODY : undefined)).join(''),
    )
    const statuses: number[] = []
    for (const _ of paths) statuses.push((await connection.answer()).status)
    assert.deepEqual(statuses, [200, 200, 404, 200])
    connection.end()
  })

  test('without configured origins there is no CORS and no preflight', async () => {
    const plain = await startApp()
    try {
      const connection = await open(plain.url)
      connection.send(request('OPTIONS /mcp', ['Origin: http://localhost:6274']))
      const answer = await connection.answer()
      assert.equal(answer.status, 405)
      noCors(answer)
      connection.end()
    } finally {
      await plain.close()
    }
  })
})
