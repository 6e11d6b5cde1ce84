// The people's server of nginx: no client certificate, its own paths, host and headers, and nothing of the agents'.
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Agent, buildConnector, request } from 'undici'
import { type Certificates, escapedOf, type KeyPair, makeCertificates } from './lib/certs.ts'
import { NGINX_PROGRAMS, type Nginx, sharedFolder, startNginx } from './lib/nginx.ts'
import { unless } from './lib/tools.ts'

const HOST = 'approvals.example.test'
const PATHS = [
  '/approvals',
  '/approvals?code=c&state=s',
  '/approvals/page.js',
  '/v1/approvals',
  '/v1/approvals/ap_1',
  '/.well-known/oauth-protected-resource',
  '/.well-known/ductape-mcp/receipt-keys.json',
]
const ALLOWED = {
  accept: 'application/json',
  authorization: 'Bearer x',
  'content-type': 'application/json',
  dpop: 'proof',
  origin: `https://${HOST}`,
  'user-agent': 'browser/1',
  'x-request-id': 'r1',
}

/** The name in the certificate stays the same, whatever Host a request names. */
function agent({ ca }: Certificates, identity?: KeyPair, maxVersion?: 'TLSv1.2'): Agent {
  const connector = buildConnector({ ca, ...identity, ...(maxVersion === undefined ? {} : { maxVersion }) })
  return new Agent({
    connect: (target, callback) => connector({ ...target, servername: 'localhost' }, callback),
  })
}

for (const program of NGINX_PROGRAMS)
  describe(`${program}, the people's server`, { skip: unless(program, 'openssl') }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-people-'))
    let certs: Certificates
    let nginx: Nginx
    let person: Agent
    let caller: Agent
    let seen: { url: string; headers: IncomingHttpHeaders } | undefined
    const upstream = createServer((incoming, response) => {
      seen = { url: incoming.url ?? '', headers: incoming.headers }
      incoming.resume().on('end', () => response.end('{}'))
    })

    before(async () => {
      chmodSync(folder, 0o755)
      const socket = join(sharedFolder(join(folder, 'run')), 'mcp.sock')
      await new Promise<void>((resolve) => upstream.listen(socket, resolve))
      chmodSync(socket, 0o660)
      certs = makeCertificates(folder, 'proxy')
      nginx = await startNginx(folder, certs, socket, { program, peopleHost: HOST })
      person = agent(certs)
      caller = agent(certs, certs.client)
    })

    after(async () => {
      await Promise.all([person?.destroy(), caller?.destroy()])
      await nginx?.close()
      upstream.closeAllConnections()
      await new Promise((resolve) => upstream.close(resolve))
      rmSync(folder, { recursive: true, force: true })
    })

    async function ask(port: number, path: string, options: object = {}): Promise<number> {
      seen = undefined
      const { statusCode, body } = await request(`https://localhost:${port}${path}`, {
        dispatcher: person,
        headers: { host: HOST },
        ...options,
      })
      await body.dump()
      return statusCode
    }
    const headersSeen = (): IncomingHttpHeaders => seen?.headers ?? {}

    test("its paths reach the service without a certificate; on the agents' server they are nothing", async () => {
      for (const path of PATHS) {
        assert.equal(await ask(nginx.peoplePort, path), 200, path)
        assert.equal(seen?.url, path)
      }
      for (const path of PATHS.filter((one) => one.includes('/approvals'))) {
        assert.equal(await ask(nginx.port, path, { dispatcher: caller }), 404, path)
        assert.equal(seen, undefined, path)
      }
      // However it is spelt, and with the control that the server is there.
      for (const path of [
        '/v1/%61pprovals',
        '/v1//approvals',
        '/v1/tools/..%2fapprovals/ap_1',
        '/v1/approvals/',
      ])
        assert.equal(await ask(nginx.port, path, { dispatcher: caller }), 404, path)
      assert.equal(await ask(nginx.port, '/v1/tools', { dispatcher: caller }), 200)
    })

    test("nothing else is there, above all nothing of the agents'", async () => {
      for (const path of [
        '/',
        '/mcp',
        '/v1/tools',
        '/v1/tools/ductape_execute',
        '/v1/admin/revocations',
        '/v1/admin/kill',
        '/openapi.json',
        '/approvalsx',
        '/approvals/',
        '/approvals/a/b',
        '/v1/approvals/',
        '/v1/approvals/ap_1/x',
        '/v1/approvals%2f..%2ftools',
        '/metrics',
        '/readyz',
      ])
        for (const method of ['GET', 'POST']) {
          assert.equal(await ask(nginx.peoplePort, path, { method }), 404, `${method} ${path}`)
          assert.equal(seen, undefined, path)
        }
    })

    test('under another host there is nothing', async () => {
      for (const host of ['localhost', 'mcp.example.test', `x.${HOST}`, `${HOST}.example.test`]) {
        assert.equal(await ask(nginx.peoplePort, '/approvals', { headers: { host } }), 404, host)
        assert.equal(seen, undefined, host)
      }
      for (const host of [HOST.toUpperCase(), `${HOST}:8444`])
        assert.equal(await ask(nginx.peoplePort, '/approvals', { headers: { host } }), 200, host)
    })

    test('no certificate ever reaches the service from there, neither a real one nor one in a header', async () => {
      const forged = escapedOf(certs.client)
      const spellings = [
        ['x-client-cert', forged],
        ['X-CLIENT-CERT', forged, 'x-client-cert', forged],
        ['x_client_cert', forged, 'x-ssl-client-cert', forged, 'x-real-ip', '192.0.2.7'],
        [
          'cookie',
          'a=b',
          'idempotency-key',
          'k',
          'mcp-method',
          'tools/call',
          'forwarded',
          'for=192.0.2.7',
          'x-forwarded-for',
          '192.0.2.7',
        ],
      ]
      for (const dispatcher of [person, caller])
        for (const spoofed of spellings) {
          const headers = ['host', HOST, ...Object.entries(ALLOWED).flat(), ...spoofed]
          assert.equal(await ask(nginx.peoplePort, '/v1/approvals', { dispatcher, headers }), 200)
          assert.deepEqual(
            { ...headersSeen() },
            { ...ALLOWED, host: HOST, 'x-forwarded-proto': 'https', 'x-real-ip': '127.0.0.1' },
          )
        }
      // The agents' server beside it still says who calls.
      await ask(nginx.port, '/v1/tools', { dispatcher: caller })
      assert.equal(headersSeen()['x-client-cert'], forged)
    })

    test('TLS 1.2 is refused, a large body too, and a flood is slowed', async () => {
      const old = agent(certs, undefined, 'TLSv1.2')
      await assert.rejects(
        ask(nginx.peoplePort, '/approvals', { dispatcher: old }),
        /alert protocol version/i,
      )
      await old.close()
      const body = Buffer.alloc(70_000)
      assert.equal(await ask(nginx.peoplePort, '/v1/approvals/ap_1', { method: 'POST', body }), 413)
      // On kept connections: handshakes would be slower than the limit.
      const codes = new Set<number>()
      const lane = async (): Promise<void> => {
        for (let sent = 0; sent < 1_000 && !codes.has(429); sent++)
          codes.add(await ask(nginx.peoplePort, '/approvals'))
      }
      await Promise.all([lane(), lane(), lane(), lane()])
      assert.deepEqual([...codes].sort(), [200, 429])
      // Somebody else's limit: agents are not slowed by people.
      assert.equal(await ask(nginx.port, '/v1/tools', { dispatcher: caller }), 200)
    })

    test('a broken certificate of the people is alarmed about like the other, and the log knows no query', async () => {
      const keyFile = certs.server.keyFile
      const good = readFileSync(keyFile)
      const replace = (text: Buffer): void => {
        writeFileSync(`${keyFile}.new`, text)
        chmodSync(`${keyFile}.new`, 0o644)
        renameSync(`${keyFile}.new`, keyFile)
      }
      replace(readFileSync(certs.issueServer().keyFile))
      await nginx.process.line(/proxy_certificate_refused/)
      replace(good)
      await nginx.process.line(/proxy_certificate_changed/)
      const metrics = await (await fetch(`http://127.0.0.1:${nginx.healthPort}/metrics`)).text()
      assert.match(metrics, /^ductape_mcp_proxy_not_after_timestamp_seconds\{file="people"\} \d+$/m)
      await nginx.close()
      assert.ok(!JSON.stringify(nginx.accessLog()).includes('code=c'))
    })
  })
