// The ops listener: probes and metrics, read-only, whatever the Host, and nothing else.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { startApp, type TestApp } from '../lib/app.ts'
import { callTool, EXECUTE, KEY } from '../lib/calls.ts'
import { open, type RawAnswer, request } from '../lib/raw.ts'

describe('ops listener', () => {
  let service: TestApp
  let url: string
  before(async () => {
    service = await startApp()
    service.app.ops.listen(0, '127.0.0.1')
    await once(service.app.ops, 'listening')
    url = `http://127.0.0.1:${(service.app.ops.address() as AddressInfo).port}`
  })
  after(() => service.close())

  const ask = async (bytes: string, head = false): Promise<RawAnswer> => {
    const connection = await open(url)
    connection.send(bytes)
    const answer = await connection.answer({ head })
    connection.end()
    return answer
  }

  test('/livez and /readyz answer whatever host a probe names', async () => {
    for (const host of ['127.0.0.1', '10.1.2.3:9464', 'pod.example']) {
      assert.equal((await ask(request('GET /livez', [`Host: ${host}`]))).body, 'ok\n')
      const ready = await ask(request('GET /readyz', [`Host: ${host}`]))
      assert.equal(ready.status, 200)
      assert.deepEqual(JSON.parse(ready.body), { ready: true, reasons: [], warnings: [] })
    }
  })

  test('HEAD has the headers without the body', async () => {
    const answer = await ask(request('HEAD /readyz'), true)
    assert.equal(answer.status, 200)
    assert.ok(Number(answer.headers['content-length']) > 0)
  })

  test('/metrics is the Prometheus text format and counts calls', async () => {
    await callTool(service.url, 'ductape_execute', EXECUTE)
    const answer = await ask(request('GET /metrics?x=1'))
    assert.equal(answer.status, 200)
    assert.match(answer.headers['content-type'] ?? '', /^text\/plain; version=/)
    assert.match(answer.body, /^ductape_mcp_decisions_total\{code="ok",stage="",would_deny=""\} 1$/m)
    assert.match(answer.body, /^ductape_mcp_ready 1$/m)
    assert.ok(!answer.body.includes(KEY))
  })

  test('other paths are 404, other methods 405 with Allow', async () => {
    for (const path of ['/', '/mcp', '/livez/', '/constructor', '/__proto__', '/v1/tools'])
      assert.equal((await ask(request(`GET ${path}`))).status, 404, path)
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const answer = await ask(request(`${method} /metrics`, ['Content-Length: 2'], '{}'))
      assert.equal(answer.status, 405)
      assert.equal(answer.headers['allow'], 'GET, HEAD')
    }
  })

  test('answers are not cached and not sniffed', async () => {
    for (const path of ['/livez', '/readyz', '/metrics', '/none']) {
      const { headers } = await ask(request(`GET ${path}`))
      assert.equal(headers['cache-control'], 'no-store')
      assert.equal(headers['x-content-type-options'], 'nosniff')
    }
  })

  test('what is no HTTP is refused and the listener lives on', async () => {
    const connection = await open(url)
    connection.send('no http\r\n\r\n')
    await connection.closed
    connection.end()
    assert.equal((await ask(request('GET /livez'))).status, 200)
  })

  test('while draining /readyz is 503 and says why, /livez stays 200', async () => {
    service.emulator?.faults.next({ kind: 'latency', ms: 300 })
    const call = callTool(service.url, 'ductape_execute', EXECUTE)
    while (service.emulator?.stats.requests.execute !== 2)
      await new Promise((resolve) => setImmediate(resolve))
    const drained = service.app.drain()
    const ready = await ask(request('GET /readyz'))
    assert.equal(ready.status, 503)
    assert.deepEqual(JSON.parse(ready.body), { ready: false, reasons: ['draining'], warnings: [] })
    assert.equal((await ask(request('GET /livez'))).status, 200)
    assert.match((await ask(request('GET /metrics'))).body, /^ductape_mcp_ready 0$/m)
    assert.equal((await call).isError, undefined)
    assert.equal(await drained, 0)
  })
})
