// What the shipped nginx configuration lets through: client certificates, paths, request headers, streams and its own log.
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Dispatcher, request } from 'undici'
import { agentId, type Certificates, escapedOf, makeCertificates } from './lib/certs.ts'
import { agent } from './lib/mtls.ts'
import { NGINX_PROGRAMS, type Nginx, sharedFolder, startNginx } from './lib/nginx.ts'
import { unless } from './lib/tools.ts'

const ALLOWED = {
  accept: 'application/json, text/event-stream',
  authorization: 'Bearer x',
  baggage: 'a=b',
  'content-encoding': 'identity',
  'content-type': 'application/json',
  dpop: 'proof',
  'idempotency-key': 'k1',
  'mcp-method': 'tools/call',
  'mcp-name': 'ductape_execute',
  'mcp-protocol-version': '2026-07-28',
  origin: 'https://agents.example.test',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  tracestate: 'v=1',
  'user-agent': 'agent/1',
  'x-request-id': 'r1',
}

const SPOOFED = {
  'client-cert': ':AAAA:',
  'client-cert-chain': ':AAAA:',
  cookie: 'a=b',
  forwarded: 'for=1.2.3.4',
  'mcp-session-id': 's',
  'proxy-authorization': 'Basic x',
  'ssl-client-cert': 'x',
  'x-client-cert-chain': 'x',
  'x-client-role': 'admin',
  'x-forwarded-client-cert': 'Hash=00;URI=spiffe://example.test/ns/agents/sa/admin',
  'x-forwarded-for': '1.2.3.4',
  'x-forwarded-host': 'evil.example.test',
  x_client_cert: 'underscore',
  x_real_ip: '1.2.3.4',
  x_request_id: 'underscore',
  'x-ssl-cert': 'x',
  'x-ssl-client-cert': 'x',
  'x-ssl-client-s-dn': 'CN=admin',
  'x-ssl-client-verify': 'SUCCESS',
}

/** What nginx says of the caller itself. */
const IDENTITY = { 'x-forwarded-proto': 'https', 'x-real-ip': '127.0.0.1' }

for (const program of NGINX_PROGRAMS)
  describe(`${program} in front of the service`, { skip: unless(program, 'openssl') }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-nginx-'))
    const stranger = mkdtempSync(join(tmpdir(), 'ductape-mcp-stranger-'))
    let certs: Certificates
    let nginx: Nginx
    let client: Dispatcher
    let seen: { headers: IncomingHttpHeaders; url: string; body: string } | undefined
    let answer: (response: ServerResponse) => void
    const upstream = createServer(async (incoming, response) => {
      let body = ''
      for await (const chunk of incoming) body += String(chunk)
      seen = { headers: incoming.headers, url: incoming.url ?? '', body }
      answer(response)
    })

    before(async () => {
      chmodSync(folder, 0o755)
      const socket = join(sharedFolder(join(folder, 'run')), 'mcp.sock')
      await new Promise<void>((resolve) => upstream.listen(socket, resolve))
      chmodSync(socket, 0o660)
      certs = makeCertificates(folder, 'proxy')
      nginx = await startNginx(folder, certs, socket, { program })
      client = agent(certs)
    })

    after(async () => {
      await client?.close()
      await nginx?.close()
      upstream.closeAllConnections()
      await new Promise((resolve) => upstream.close(resolve))
      for (const each of [folder, stranger]) rmSync(each, { recursive: true, force: true })
    })

    /** Of the request that reached the service; a function, because the compiler does not see who sets it. */
    const headersSeen = (): IncomingHttpHeaders => seen?.headers ?? {}

    const ask = (path: string, options: object = {}) => {
      seen = undefined
      answer = (response) => response.end('{}')
      return request(`https://localhost:${nginx.port}${path}`, { dispatcher: client, ...options })
    }

    test('the named request headers reach the service, whatever else is sent does not', async () => {
      const body = '{"jsonrpc":"2.0"}'
      const { statusCode } = await ask('/mcp', { method: 'POST', headers: { ...ALLOWED, ...SPOOFED }, body })
      assert.equal(statusCode, 200)
      assert.deepEqual(
        { ...seen?.headers },
        {
          ...ALLOWED,
          ...IDENTITY,
          'x-client-cert': escapedOf(certs.client),
          host: `localhost:${nginx.port}`,
          'content-length': String(body.length),
        },
      )
      assert.equal(seen?.body, body)
    })

    test('who calls is what the connection says, however often and in whatever spelling a client says otherwise', async () => {
      const other = certs.issue(`URI:${agentId('admin')}`)
      const forged = escapedOf(other)
      const spellings: readonly (readonly string[])[] = [
        ['x-client-cert', forged],
        ['X-Client-Cert', forged],
        ['X-CLIENT-CERT', forged, 'x-client-cert', forged],
        ['x-real-ip', '192.0.2.7', 'X-Real-IP', '192.0.2.8'],
        ['X_Client_Cert', forged, 'x_real_ip', '192.0.2.7'],
        ['x-forwarded-proto', 'http', 'x-client-cert', ''],
      ]
      for (const headers of spellings) {
        const { body } = await ask('/mcp', { method: 'POST', body: '{}', headers: [...headers] })
        await body.dump()
        const arrived = Object.entries(headersSeen()).filter(([name]) => /cert|real|forwarded/i.test(name))
        assert.deepEqual(
          Object.fromEntries(arrived),
          { ...IDENTITY, 'x-client-cert': escapedOf(certs.client) },
          headers.join(' ').slice(0, 60),
        )
      }
      const { body } = await ask('/mcp', { dispatcher: agent(certs, { identity: other }) })
      await body.dump()
      assert.equal(headersSeen()['x-client-cert'], escapedOf(other))
    })

    test('of two Authorization or DPoP headers the service sees one, and never the second alone', async () => {
      for (const name of ['authorization', 'dpop']) {
        const { statusCode, body } = await ask('/mcp', { headers: [name, 'Bearer one', name, 'Bearer two'] })
        await body.dump()
        // Since 1.23 nginx joins them, which is a value that the service refuses; before, it takes the first.
        const arrived = ['Bearer one', 'Bearer one, Bearer two']
        assert.ok(statusCode === 400 || arrived.includes(String(headersSeen()[name])), name)
      }
    })

    test('a body of unknown length is passed on as it comes', async () => {
      const body = (async function* () {
        yield Buffer.from('{"a":')
        yield Buffer.from('1}')
      })()
      const { statusCode } = await ask('/mcp', { method: 'POST', body })
      assert.equal(statusCode, 200)
      assert.equal(seen?.body, '{"a":1}')
    })

    test('only the public paths are passed on', async () => {
      for (const path of [
        '/mcp',
        '/v1/tools',
        '/openapi.json',
        '/.well-known/oauth-protected-resource/mcp',
      ]) {
        const { statusCode, body } = await ask(path)
        await body.dump()
        assert.equal(statusCode, 200, path)
        assert.equal((seen as { url: string } | undefined)?.url, path)
      }
      for (const path of [
        '/',
        '/mcp/',
        '/mcpx',
        '/v1',
        '/.well-known',
        '/v1/%2e%2e/metrics',
        '/metrics',
        '/livez',
        '/readyz',
        '/openapi.jsonx',
        '/%2e%2e/metrics',
      ]) {
        const { statusCode, headers, body } = await ask(path)
        await body.dump()
        assert.ok(statusCode === 404 || statusCode === 400, `${path}: ${statusCode}`)
        if (statusCode === 404) assert.equal(headers['content-type'], 'application/problem+json', path)
        assert.equal(seen, undefined, path)
      }
    })

    test('each event of a stream leaves at once', async () => {
      const pending = ask('/mcp', { method: 'POST', body: '{}' })
      let finish: () => void = () => undefined
      answer = (response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write('data: 1\n\n')
        finish = () => response.end('data: 2\n\n')
      }
      const { body } = await pending
      const pieces = body[Symbol.asyncIterator]()
      assert.equal(String((await pieces.next()).value), 'data: 1\n\n')
      finish()
      assert.equal(String((await pieces.next()).value), 'data: 2\n\n')
      assert.equal((await pieces.next()).done, true)
    })

    test('no certificate, or one of another authority, gets nowhere; nor one that has expired or is for servers', async () => {
      const other = makeCertificates(stranger, 'stranger')
      const server = certs.issue('DNS:agent-1.example.com', { purpose: 'serverAuth' })
      const expired = certs.issue('DNS:agent-1.example.com', { days: -1 })
      for (const identity of [null, other.client, server, expired]) {
        const dispatcher = agent(certs, { identity })
        const { statusCode, body } = await ask('/mcp', { method: 'POST', body: '{}', dispatcher })
        await body.dump()
        await dispatcher.close()
        assert.equal(statusCode, 400)
        assert.equal(seen, undefined)
      }
    })

    test('TLS 1.2 is refused', async () => {
      const dispatcher = agent(certs, { maxVersion: 'TLSv1.2' })
      await assert.rejects(ask('/mcp', { dispatcher }), /alert protocol version/i)
      await dispatcher.close()
    })

    test('a service that is gone is a 503 that says so', async () => {
      const pending = ask('/mcp', { method: 'POST', body: '{}' })
      answer = (response) => response.destroy()
      const { statusCode, headers, body } = await pending
      assert.equal(statusCode, 503)
      assert.equal(headers['connection'], 'close', 'the next call goes to another pod')
      assert.equal(headers['retry-after'], '1')
      assert.deepEqual(await body.json(), { type: 'about:blank', title: 'Service Unavailable', status: 503 })
    })

    test('the log is one JSON object per request and holds no query string', async () => {
      const { body } = await ask('/v1/tools?token=canary-0123456789')
      await body.dump()
      const bad = await ask('/nothing"\\here')
      await bad.body.dump()
      // nginx's error log would quote the request line where the service is gone.
      const failing = ask('/v1/tools?token=canary-0123456789')
      answer = (response) => response.destroy()
      await (await failing).body.dump()
      const large = await ask('/v1/tools?token=canary-0123456789', {
        method: 'POST',
        headers: { 'content-length': '3000000' },
        body: Buffer.alloc(3_000_000),
      })
      assert.equal(large.statusCode, 413)
      await large.body.dump()
      // nginx writes the line after the answer has left: only its end makes the log whole.
      await nginx.close()
      const log = nginx.accessLog()
      assert.ok(!JSON.stringify(log).includes('canary'))
      assert.ok(!nginx.process.stderr().includes('canary'))
      const last = log.find(({ uri }) => uri === '/v1/tools')
      assert.equal(last?.['status'], 200)
      assert.equal(last?.['tls'], 'TLSv1.3')
      assert.equal(last?.['client'], 'SUCCESS')
    })
  })
