// What the stage identity reads of a request and what it never does: query, body, the headers of proxies; and who a caller is without authenticators.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { memoryFiles } from '../credentials/lib/service.ts'
import { startApp } from '../lib/app.ts'
import { run, temporary } from '../lib/process.ts'
import { open, request } from '../lib/raw.ts'
import { bearer, call, codeOf, keyOf, type Secured, send, startSecured } from '../live/lib/secured.ts'
import * as x509 from './mtls/lib/x509.ts'

const HOUR = 3_600_000
const root = x509.makeAuthority({ notAfter: Date.now() + HOUR })
const agent = x509.makeClient(root, [['dns', 'agent.example.com']], {
  notBefore: Date.now() - HOUR,
  notAfter: Date.now() + HOUR,
})

const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-stage-'))
const running: Secured[] = []
let sockets = 0
after(async () => {
  for (const service of running) await service.close()
  rmSync(folder, { recursive: true, force: true })
})

const ask = async (service: Secured, headers: Record<string, string | string[]>): Promise<string> =>
  codeOf(await call(service, 'rest', { headers }))

test('a credential in the query is 400, even beside a good header, and never in a record or log', async () => {
  const service = await startSecured()
  running.push(service)
  const secret = keyOf('reader')
  for (const name of [
    'access_token',
    'ACCESS_TOKEN',
    'token',
    'api_key',
    'apikey',
    'apiKey',
    'authorization',
    'x=1&access_token',
  ]) {
    const answer = await call(service, 'legacy', { headers: bearer('reader'), query: `?${name}=${secret}` })
    assert.deepEqual([answer.status, codeOf(answer)], [400, 'token_in_query'], name)
  }
  for (const query of ['?', '?mytoken=1', '?x=access_token', '?tokens=1'])
    assert.equal(codeOf(await call(service, 'rest', { headers: bearer('reader'), query })), 'ok', query)
  const written = [...service.records().map((line) => JSON.stringify(line)), ...service.log()].join('\n')
  assert.ok(!written.includes(secret))
})

test('a refused caller is answered before its body, which is never read', async () => {
  const service = await startSecured()
  running.push(service)
  for (const path of ['/mcp', '/v1/tools/ductape_execute', '/v1/admin/revocations', '/v1/admin/kill']) {
    const connection = await open(service.url)
    connection.send(request(`POST ${path}`, ['Content-Type: application/json', 'Content-Length: 1000']))
    const answer = await connection.answer()
    assert.equal(answer.status, 401, path)
    assert.equal(answer.headers['connection'], 'close')
    connection.end()
  }
  assert.ok(service.records().every(({ decision }) => decision?.code === 'token_missing'))
})

describe('headers that proxies write about callers', () => {
  const FORGED = {
    'x-client-cert': x509.escaped(agent),
    'x-real-ip': '192.0.2.7',
    'x-forwarded-for': '192.0.2.8',
    'x-forwarded-user': 'admin',
    'x-forwarded-client-cert': 'Hash=00',
    'x-forwarded-host': 'evil.example',
    'x-remote-user': 'admin',
    forwarded: 'for=192.0.2.9;host=evil.example',
    'client-cert': ':AAAA:',
  }
  const peerOf = (service: Secured): unknown => service.records().at(0)?.who?.['peer']

  test('mean nothing on TCP, even with certificates configured', async () => {
    const files = memoryFiles()
    files.write('/ca.crt', root.pem)
    const map = [{ dns: 'agent.example.com', roles: ['all'] }]
    const mtls = { ca: { file: '/ca.crt' }, trustDomains: ['example.com'], map }
    const service = await startSecured({ files, auth: { apiKeys: {}, mtls } })
    running.push(service)
    assert.equal(await ask(service, FORGED), 'token_missing')
    assert.equal(await ask(service, { ...FORGED, ...bearer('reader') }), 'ok')
    assert.match(JSON.stringify(service.records()), /"peer":"127\.0\.0\.1"/)
    assert.doesNotMatch(JSON.stringify(service.records()), /192\.0\.2|evil|admin/)
  })

  test('on the unix socket X-Real-IP names the peer, if it is an address, and the others mean nothing', async () => {
    const { 'x-client-cert': _, 'x-real-ip': __, ...others } = FORGED
    for (const [sent, peer] of [
      [others, 'unix'],
      [{ ...others, 'x-real-ip': '192.0.2.7' }, '192.0.2.7'],
      [{ 'x-real-ip': '2001:db8::1' }, '2001:db8::1'],
      [{ 'x-real-ip': 'root' }, 'unix'],
      [{ 'x-real-ip': ['192.0.2.7', '192.0.2.8'] }, 'unix'],
      [{ 'x-real-ip': `fe80::1%${'z'.repeat(5000)}` }, 'unix'],
    ] as const) {
      const path = join(folder, `${++sockets}.sock`)
      const service = await startSecured({ app: { config: { listen: { kind: 'unix', path } } } })
      running.push(service)
      assert.equal(await ask(service, { ...sent } as Record<string, string>), 'token_missing')
      assert.equal(peerOf(service), peer)
    }
  })
})

test('a service without its certificate authorities lets no certificate in, and is not ready', async () => {
  const files = memoryFiles()
  const map = [{ dns: 'agent.example.com', roles: ['all'] }]
  const mtls = { ca: { file: '/ca.crt' }, trustDomains: ['example.com'], map }
  const path = join(folder, `${++sockets}.sock`)
  const service = await startSecured({
    files,
    auth: { mtls },
    app: { config: { listen: { kind: 'unix', path } } },
  })
  running.push(service)
  const headers = { 'x-client-cert': x509.escaped(agent) }
  for (const [bytes, status, code] of [
    [undefined, 503, 'certificate_refused'],
    ['broken', 503, 'certificate_refused'],
    [root.pem, 200, 'ok'],
    ['broken again', 200, 'ok'],
  ] as const) {
    files.write('/ca.crt', bytes)
    await service.app.reload()
    assert.equal(await ask(service, headers), code)
    const ready = await service.ready()
    assert.equal(ready.status, status)
    if (status === 503)
      assert.match(String(ready.reasons), /the file of auth\.mtls\.ca is missing or not valid/)
  }
})

test('the preflight of a browser carries no credentials and needs none', async () => {
  const origin = 'https://app.example'
  const service = await startSecured({ app: { config: { http: { allowedOrigins: [origin] } } } })
  running.push(service)
  const preflight = { method: 'OPTIONS', path: '/mcp', headers: { 'access-control-request-method': 'POST' } }
  const answer = await send(service, { ...preflight, headers: { ...preflight.headers, origin } })
  assert.equal(answer.status, 204)
  assert.equal(answer.headers['access-control-allow-origin'], origin)
  assert.equal((await send(service, preflight)).status, 405)
  assert.equal((await call(service, 'rest', { headers: { origin } })).status, 401)
  const evil = await send(service, {
    ...preflight,
    headers: { ...preflight.headers, origin: 'https://evil.example' },
  })
  assert.equal(evil.status, 403)
})

describe('without an authenticator', () => {
  test('a caller on TCP loopback is local, whatever it sends', async () => {
    const service = await startApp()
    try {
      for (const headers of [{}, bearer('reader'), { authorization: 'Basic YTpi' }]) {
        const host = { ...headers, host: '127.0.0.1' }
        assert.equal(codeOf(await call(service, 'rest', { headers: host })), 'ok')
      }
      for (const { who } of service.records().filter(({ type }) => type === 'decision'))
        assert.deepEqual([who?.['method'], who?.['subject'], who?.['roles']], ['none', 'local', ['local']])
    } finally {
      await service.close()
    }
  })

  test('a unix socket is refused at the start', async () => {
    const own = temporary()
    try {
      const socket = join(own.path, 'mcp.sock')
      const config = own.file('config.yaml', JSON.stringify({ listen: `unix:${socket}`, ops: 'off' }))
      const { code, stderr } = await run(['serve', '--config', config])
      assert.equal(code, 2, stderr)
      assert.match(stderr, /this configuration has no authenticator\. Set auth, or listen on 127\.0\.0\.1/)
    } finally {
      own.remove()
    }
  })
})
