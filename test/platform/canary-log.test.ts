// Keys planted in every part of a request to nginx turn up neither in its access log nor in what it writes to stderr.
import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { connect } from 'node:tls'
import { type Emulator, startEmulator } from '../../src/emulator/index.ts'
import { findKeys } from '../security/lib/canary.ts'
import { makeKey, type Planted } from '../security/lib/canary-requests.ts'
import { type Certificates, makeCertificates } from './lib/certs.ts'
import { NGINX_PROGRAMS, type Nginx, startNginx } from './lib/nginx.ts'
import { mtlsSection, startUnixService, type UnixService } from './lib/service.ts'
import { unless } from './lib/tools.ts'

/** Each place by its name: the bytes of a request with a key there. */
const PLACES: Readonly<Record<string, (key: string) => string>> = {
  'a path': (key) => `POST /${key} HTTP/1.1\r\nhost: mcp.example.test\r\ncontent-length: 0\r\n\r\n`,
  'a path below a tool': (key) =>
    `POST /v1/tools/${key} HTTP/1.1\r\nhost: mcp.example.test\r\ncontent-length: 0\r\n\r\n`,
  'a path in percent signs': (key) =>
    `GET /%2e/${key.replaceAll('_', '%5F')}/.. HTTP/1.1\r\nhost: mcp.example.test\r\n\r\n`,
  'a query': (key) => `GET /v1/tools?key=${key} HTTP/1.1\r\nhost: mcp.example.test\r\n\r\n`,
  'a fragment': (key) => `GET /v1/tools#${key} HTTP/1.1\r\nhost: mcp.example.test\r\n\r\n`,
  'a whole URL': (key) => `GET https://mcp.example.test/${key}?${key} HTTP/1.1\r\nhost: x\r\n\r\n`,
  'a method': (key) => `${key.toUpperCase()} /mcp HTTP/1.1\r\nhost: mcp.example.test\r\n\r\n`,
  'a host': (key) => `GET /v1/tools HTTP/1.1\r\nhost: ${key.replaceAll('_', '-')}.example\r\n\r\n`,
  'X-Request-Id': (key) => `GET /v1/tools HTTP/1.1\r\nhost: mcp.example.test\r\nx-request-id: ${key}\r\n\r\n`,
  Authorization: (key) =>
    `GET /v1/tools HTTP/1.1\r\nhost: mcp.example.test\r\nauthorization: Bearer ${key}\r\n\r\n`,
  Cookie: (key) => `GET /v1/tools HTTP/1.1\r\nhost: mcp.example.test\r\ncookie: k=${key}\r\n\r\n`,
  'User-Agent': (key) => `GET /v1/tools HTTP/1.1\r\nhost: mcp.example.test\r\nuser-agent: ${key}\r\n\r\n`,
  Referer: (key) => `GET /v1/tools HTTP/1.1\r\nhost: mcp.example.test\r\nreferer: https://${key}/\r\n\r\n`,
  tracestate: (key) =>
    `GET /v1/tools HTTP/1.1\r\nhost: mcp.example.test\r\ntraceparent: 00-${'1'.repeat(32)}-${'1'.repeat(16)}-01\r\ntracestate: a=${key}\r\nbaggage: a=${key}\r\n\r\n`,
  'a name of a header': (key) => `GET /v1/tools HTTP/1.1\r\nhost: mcp.example.test\r\nx-${key}: 1\r\n\r\n`,
  'a broken header': (key) => `GET /v1/tools HTTP/1.1\r\nhost: mcp.example.test\r\n${key}\r\n\r\n`,
  'a broken request': (key) => `${key}\r\n\r\n`,
  'a header that is too long': (key) =>
    `GET /v1/tools HTTP/1.1\r\nhost: mcp.example.test\r\nx: ${key}${'x'.repeat(40_000)}\r\n\r\n`,
  'a path that is too long': (key) =>
    `GET /${key}${'x'.repeat(40_000)} HTTP/1.1\r\nhost: mcp.example.test\r\n\r\n`,
  'a body': (key) =>
    `POST /mcp HTTP/1.1\r\nhost: mcp.example.test\r\ncontent-type: application/json\r\ncontent-length: ${key.length + 2}\r\n\r\n"${key}"`,
}

for (const program of NGINX_PROGRAMS)
  describe(`canary of ${program}`, { skip: unless(program, 'openssl') }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-canary-log-'))
    let emulator: Emulator
    let certs: Certificates
    let service: UnixService
    let nginx: Nginx

    before(async () => {
      chmodSync(folder, 0o755)
      certs = makeCertificates(folder, 'canary')
      emulator = await startEmulator()
      service = await startUnixService(join(folder, 'service'), emulator.url, {
        mtls: mtlsSection(certs.caFile),
      })
      nginx = await startNginx(folder, certs, service.socket, { program })
    })
    after(async () => {
      await nginx?.close()
      await service?.close()
      await emulator?.close()
      rmSync(folder, { recursive: true, force: true })
    })

    /** Sends bytes over TLS with the client certificate and waits for the end of the connection. */
    const send = (bytes: string): Promise<string> =>
      new Promise((resolve, reject) => {
        let received = ''
        const socket = connect(
          { host: '127.0.0.1', port: nginx.port, servername: 'localhost', ca: certs.ca, ...certs.client },
          () => socket.write(bytes.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n')),
        )
        socket.setEncoding('latin1').on('data', (text: string) => {
          received += text
        })
        socket.on('error', (error: NodeJS.ErrnoException) =>
          error.code === 'ECONNRESET' || error.code === 'EPIPE' ? resolve(received) : reject(error),
        )
        socket.on('close', () => resolve(received))
      })

    test('no key is in its log', async () => {
      const planted: Planted[] = []
      for (const [place, make] of Object.entries(PLACES)) {
        const key = makeKey()
        planted.push({ place, key })
        await send(make(key))
      }
      // nginx stops, so that every line is written.
      await nginx.close()
      const file = join(folder, 'access.log')
      const log = existsSync(file) ? readFileSync(file, 'utf8') : ''
      assert.ok(log.split('\n').length > 10, `${log.length} bytes of log`)
      for (const [name, text] of Object.entries({
        'access log': log,
        stderr: nginx.process.stderr(),
        'log of the service': service.process.stderr(),
        records: service.process.stdout(),
      })) {
        assert.ok(text.length > 100, `${name} was searched in vain`)
        // In capitals, and with the host's dashes, a key is still one.
        const found = findKeys(text.toLowerCase().replaceAll('-', '_'), planted)
        assert.deepEqual(
          found.map(({ place }) => place),
          [],
          name,
        )
      }
    })
  })
