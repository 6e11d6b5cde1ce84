// POST /mcp around the calls: batches, other methods, notifications, session ids, cache hints, CORS (mcp.md 1.1).
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startApp } from '../lib/app.ts'
import { EXECUTE, type Message, modern, modernHeaders, request } from './lib/messages.ts'
import { only, useService } from './lib/session.ts'
import { createWire, type Received } from './lib/wire.ts'

const session = useService()
const { post } = session

const CALL_HEADERS = modernHeaders('tools/call', EXECUTE.name)

describe('what is no call', () => {
  for (const [name, body] of [
    ['empty', []],
    ['of one call', [request('tools/call', EXECUTE)]],
    ['of a modern call', [request('tools/call', modern(EXECUTE))]],
    ['of junk', [1]],
  ] as const) {
    test(`batch ${name}`, async () => {
      const received = await post(body)
      assert.equal(received.status, 400)
      const answer = only(received)
      assert.equal(answer.error?.code, -32600)
      assert.equal(answer.id, null)
    })
  }

  for (const method of ['GET', 'DELETE', 'PUT', 'PATCH', 'HEAD', 'OPTIONS']) {
    test(`${method} is 405 and names POST`, async () => {
      const received = await session.wire().send({ method, headers: { accept: 'text/event-stream' } })
      assert.equal(received.status, 405)
      assert.equal(received.headers['allow'], 'POST')
      if (method === 'HEAD') assert.equal(received.text, '')
      else assert.equal(typeof only(received).error?.code, 'number')
    })
  }

  test('a notification is 202 without a body', async () => {
    for (const [body, headers] of [
      [{ jsonrpc: '2.0', method: 'notifications/initialized' }, {}],
      [{ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }, {}],
      [
        { jsonrpc: '2.0', method: 'notifications/cancelled', params: modern({ requestId: 1 }) },
        modernHeaders('notifications/cancelled'),
      ],
    ] as const) {
      const received = await post(body, headers)
      assert.equal(received.status, 202)
      assert.equal(received.text, '')
    }
  })

  test('no answer carries a session id', async () => {
    const initialize = request('initialize', {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'c', version: '1' },
    })
    for (const [body, headers] of [
      [initialize, {}],
      [request('tools/list'), {}],
      [request('tools/call', EXECUTE), { 'mcp-session-id': 'x' }],
      [request('server/discover', modern({})), modernHeaders('server/discover')],
      [request('tools/call', modern(EXECUTE)), CALL_HEADERS],
    ] as const) {
      const received = await post(body, headers)
      assert.equal(received.status, 200)
      assert.equal(received.headers['mcp-session-id'], undefined)
      assert.equal(received.headers['cache-control'], 'no-store')
    }
  })

  test('lists, reads and server/discover carry cache hints in 2026-07-28', async () => {
    for (const [method, params, name] of [
      ['server/discover', {}],
      ['tools/list', {}],
      ['resources/list', {}],
      ['resources/templates/list', {}],
      ['resources/read', { uri: 'ductape://catalogue' }, 'ductape://catalogue'],
    ] as [string, Message, string?][]) {
      const { result } = only(await post(request(method, modern(params)), modernHeaders(method, name)))
      assert.equal(result?.['ttlMs'], 300_000, method)
      assert.equal(result?.['cacheScope'], 'public', method)
    }
    const { result } = only(await post(request('tools/call', modern(EXECUTE)), CALL_HEADERS))
    assert.equal(result?.['ttlMs'], undefined)
  })
})

describe('browsers', () => {
  const ORIGIN = 'https://agents.example.org'
  const preflight = {
    method: 'OPTIONS',
    headers: { origin: ORIGIN, 'access-control-request-method': 'POST' },
  }
  const call = (origin: string) => ({ body: JSON.stringify(request('tools/list')), headers: { origin } })

  test('without configured origins there is no CORS', async () => {
    for (const sent of [preflight, call(ORIGIN)]) {
      const received = await session.wire().send(sent)
      assert.equal(received.status, 403)
      assert.deepEqual(corsOf(received), [])
    }
    const local = await session.wire().send(call('http://localhost:5173'))
    assert.equal(local.status, 200)
    assert.deepEqual(corsOf(local), [])
  })

  test('a configured origin gets a preflight answer and readable answers', async () => {
    const open = await startApp({ config: { http: { allowedOrigins: [ORIGIN] } } })
    const browser = createWire(open.url)
    try {
      const asked = await browser.send(preflight)
      assert.equal(asked.status, 204)
      assert.equal(asked.text, '')
      assert.equal(asked.headers['access-control-allow-origin'], ORIGIN)
      assert.match(String(asked.headers['access-control-allow-methods']), /POST/)
      for (const name of ['mcp-protocol-version', 'mcp-method', 'mcp-name', 'authorization', 'content-type'])
        assert.ok(String(asked.headers['access-control-allow-headers']).split(', ').includes(name), name)
      // A page may read what failed as well as what worked.
      for (const body of [request('tools/list'), request('tools/call', EXECUTE), []]) {
        const received = await browser.send({ body: JSON.stringify(body), headers: { origin: ORIGIN } })
        assert.equal(received.headers['access-control-allow-origin'], ORIGIN)
        assert.match(String(received.headers['access-control-expose-headers']), /x-request-id/)
        assert.equal(received.headers['vary'], 'origin')
      }
      const foreign = await browser.send(call('https://evil.example.org'))
      assert.equal(foreign.status, 403)
      assert.deepEqual(corsOf(foreign), [])
    } finally {
      browser.close()
      await open.close()
    }
  })
})

const corsOf = ({ headers }: Received): string[] =>
  Object.keys(headers).filter((name) => name.startsWith('access-control-'))
