// What nginx bounds before the service sees a request: time, size, rate, connections, revoked certificates; and its plain listener.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { connect as tlsConnect } from 'node:tls'
import { Agent, request } from 'undici'
import { agentId, type Certificates, type KeyPair, makeCertificates } from './lib/certs.ts'
import { agent } from './lib/mtls.ts'
import { NGINX_PROGRAMS, type Nginx, sharedFolder, startNginx } from './lib/nginx.ts'
import { unless } from './lib/tools.ts'

const BURST = 40
/** As many requests of one certificate as may be in work when nothing is said. */
const CONNECTIONS = 512

for (const program of NGINX_PROGRAMS)
  describe(`limits of ${program}`, { skip: unless(program, 'openssl') }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-bounds-'))
    const crowdFolder = mkdtempSync(join(tmpdir(), 'ductape-mcp-crowd-'))
    const agents: Agent[] = []
    const held: ServerResponse[] = []
    let certs: Certificates
    let nginx: Nginx
    let revoked: KeyPair
    let hold = false
    let ready = true
    const upstream = createServer((incoming, response) => {
      incoming.resume()
      if (hold) held.push(response)
      else response.end('{}')
    })
    const ops = createServer((incoming, response) => {
      incoming.resume()
      response.writeHead(incoming.url === '/readyz' && ready ? 200 : 503).end('{"ready":true}')
    })

    before(async () => {
      chmodSync(folder, 0o755)
      const socket = join(sharedFolder(join(folder, 'run')), 'mcp.sock')
      upstream.listen({ path: socket, backlog: 1024 })
      ops.listen(0, '127.0.0.1')
      await Promise.all([once(upstream, 'listening'), once(ops, 'listening')])
      chmodSync(socket, 0o660)
      certs = makeCertificates(folder, 'proxy')
      revoked = certs.issue(`URI:${agentId('revoked')}`)
      const list = join(folder, 'crl.pem')
      writeFileSync(list, certs.revocationList([revoked]))
      nginx = await startNginx(folder, certs, socket, {
        program,
        env: {
          MCP_CLIENT_CRL: list,
          MCP_BURST: String(BURST),
          MCP_RATE: '1r/s',
          MCP_OPS: `127.0.0.1:${(ops.address() as AddressInfo).port}`,
        },
      })
    })

    after(async () => {
      await Promise.all(agents.map((one) => one.destroy()))
      await nginx?.close()
      for (const server of [upstream, ops]) {
        server.closeAllConnections()
        server.close()
      }
      for (const each of [folder, crowdFolder]) rmSync(each, { recursive: true, force: true })
    })

    /** The same certificates for a second nginx, which owns the files of its folder. */
    function crowdCertificates(): Certificates {
      const copy = (file: string): string => {
        copyFileSync(file, join(crowdFolder, basename(file)))
        return join(crowdFolder, basename(file))
      }
      const { certFile, keyFile } = certs.server
      return {
        ...certs,
        caFile: copy(certs.caFile),
        server: { certFile: copy(certFile), keyFile: copy(keyFile) },
      }
    }

    const as = (identity: KeyPair): Agent => {
      const one = agent(certs, { identity })
      agents.push(one)
      return one
    }
    async function ask(dispatcher: Agent, path = '/v1/tools', options: object = {}) {
      const { statusCode, headers, body } = await request(`https://localhost:${nginx.port}${path}`, {
        dispatcher,
        ...options,
      })
      return { statusCode, headers, text: await body.text() }
    }
    /** Milliseconds until the connection is closed from the other side, and what had come by then. */
    async function untilCut(socket: ReturnType<typeof connect>): Promise<{ ms: number; text: string }> {
      const since = performance.now()
      let text = ''
      socket.on('data', (chunk) => {
        text += String(chunk)
      })
      await new Promise((resolve) => socket.on('error', () => undefined).on('close', resolve))
      return { ms: performance.now() - since, text }
    }
    const tls = () =>
      tlsConnect({
        host: '127.0.0.1',
        port: nginx.port,
        servername: 'localhost',
        ca: certs.ca,
        ...certs.client,
      })

    test('a revoked certificate gets nowhere; the log says why; another of the same authority passes', async () => {
      assert.equal((await ask(as(revoked))).statusCode, 400)
      assert.equal((await ask(as(certs.issue(`URI:${agentId('fine')}`)))).statusCode, 200)
      const reasons = nginx.accessLog().map(({ client }) => client)
      assert.deepEqual(reasons, ['FAILED:certificate revoked', 'SUCCESS'])
    })

    test('a certificate that asks too often gets 429, another one does not notice', async () => {
      const busy = as(certs.issue(`URI:${agentId('busy')}`))
      const answers = await Promise.all(Array.from({ length: 3 * BURST }, () => ask(busy)))
      const passed = answers.filter(({ statusCode }) => statusCode === 200).length
      // The burst, the first one, and what a second of a slow machine adds.
      assert.ok(passed > BURST && passed <= BURST + 20, String(passed))
      const refused = answers.filter(({ statusCode }) => statusCode !== 200)
      for (const { statusCode, headers, text } of refused) {
        assert.equal(statusCode, 429)
        assert.equal(headers['retry-after'], '1')
        assert.equal(headers['content-type'], 'application/problem+json')
        assert.equal(headers['strict-transport-security'], 'max-age=31536000; includeSubDomains')
        assert.deepEqual(JSON.parse(text), { type: 'about:blank', title: 'Too Many Requests', status: 429 })
      }
      assert.equal((await ask(as(certs.issue(`URI:${agentId('calm')}`)))).statusCode, 200)
    })

    test('a body over the limit is 413, whether its length is announced or not', async () => {
      const client = as(certs.issue(`URI:${agentId('large')}`))
      const body = Buffer.alloc(2 * 1024 * 1024 + 1, 0x20)
      const announced = await ask(client, '/mcp', { method: 'POST', body })
      assert.equal(announced.statusCode, 413)
      assert.deepEqual(JSON.parse(announced.text), {
        type: 'about:blank',
        title: 'Content Too Large',
        status: 413,
      })
      const chunked = (async function* () {
        yield body
      })()
      assert.equal((await ask(client, '/mcp', { method: 'POST', body: chunked })).statusCode, 413)
      assert.equal((await ask(client, '/mcp', { method: 'POST', body: body.subarray(2) })).statusCode, 200)
    })

    test('who sends nothing, or a request head drop by drop, is cut after five seconds', async () => {
      const silent = connect(nginx.port, '127.0.0.1')
      const dripping = tls()
      dripping.write('POST /mcp HTTP/1.1\r\nHost: localhost\r\n')
      let drops = 0
      const drip = setInterval(() => dripping.write(`X-Drop-${drops++}: 1\r\n`), 100)
      const patient = tls()
      patient.write('GET /v1/tools HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
      try {
        const [none, some, whole] = await Promise.all([
          untilCut(silent),
          untilCut(dripping),
          untilCut(patient),
        ])
        for (const { ms } of [none, some]) assert.ok(ms > 3000 && ms < 15_000, String(ms))
        assert.ok(drops > 10)
        assert.equal(none.text, '')
        assert.doesNotMatch(some.text, / 200 /)
        // The control: the same connection with a whole head is answered.
        assert.match(whole.text, /^HTTP\/1\.1 200 /)
      } finally {
        clearInterval(drip)
        for (const each of [silent, dripping, patient]) each.destroy()
      }
    })

    test('probes and metrics: the proxy itself, the service, the watcher, and nothing else', async () => {
      const get = async (path: string) => {
        const answer = await fetch(`http://127.0.0.1:${nginx.healthPort}${path}`)
        return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() }
      }
      assert.deepEqual(await get('/healthz'), { status: 200, type: 'text/plain', text: 'ok\n' })
      assert.equal((await get('/readyz')).status, 200)
      ready = false
      assert.equal((await get('/readyz')).status, 503)
      assert.equal((await get('/healthz')).status, 200)
      ops.closeAllConnections()
      await new Promise((resolve) => ops.close(resolve))
      const gone = await get('/readyz')
      assert.deepEqual([gone.status, gone.text], [503, 'the service does not answer\n'])
      const metrics = await get('/metrics')
      assert.equal(metrics.type, 'text/plain; version=0.0.4')
      assert.match(metrics.text, /^ductape_mcp_proxy_reload_failed 0$/m)
      for (const path of [
        '/',
        '/mcp',
        '/v1/tools',
        '/openapi.json',
        '/livez',
        '/nginx.conf',
        '/metrics/../nginx.conf',
      ])
        assert.equal((await get(path)).status, 404, path)
    })

    test('1,024 connections at one time are served; one certificate has its share of them and no more', async () => {
      hold = true
      const crowd = [0, 1].map((n) => {
        const identity = certs.issue(`URI:${agentId(`crowd-${n}`)}`)
        const connection = { ca: certs.ca, ...identity, timeout: 60_000 }
        const one = new Agent({ connections: CONNECTIONS + 1, pipelining: 1, connect: connection })
        agents.push(one)
        return one
      })
      const status = async (one: Agent): Promise<number> => {
        const { statusCode, body } = await request(`https://localhost:${crowded.port}/mcp`, {
          dispatcher: one,
          method: 'POST',
          body: '{}',
        })
        await body.dump()
        return statusCode
      }
      const crowded = await startNginx(crowdFolder, crowdCertificates(), String(upstream.address()), {
        program,
      })
      try {
        const calls: Promise<number>[] = []
        // A few handshakes at a time: this one process has to do its part of each within the five seconds.
        for (const [index, one] of Array.from(
          { length: 2 * CONNECTIONS },
          (_, n) => [n, crowd[n % 2]] as const,
        )) {
          while (index - held.length >= 32) await once(upstream, 'request')
          calls.push(status(one as Agent))
        }
        while (held.length < calls.length) await once(upstream, 'request')
        // All are in work: one more is one too many, of either.
        for (const one of crowd) assert.equal(await status(one), 429)
        calls.push(status(as(certs.issue(`URI:${agentId('stranger')}`))))
        while (held.length < calls.length) await once(upstream, 'request')
        for (const response of held) response.end('{}')
        assert.deepEqual(new Set(await Promise.all(calls)), new Set([200]))
      } finally {
        await crowded.close()
      }
    })
  })
