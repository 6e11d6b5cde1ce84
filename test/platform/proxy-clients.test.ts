// The official conformance suite and foreign clients through nginx and the service's socket.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { connect as tlsConnect } from 'node:tls'
import { type Emulator, startEmulator } from '../../src/emulator/index.ts'
import { BASELINES, REVISIONS } from '../mcp/lib/conformance.ts'
import { startFixture } from '../mcp/lib/fixture.ts'
import { TOOL_CALLS, TOOL_NAMES } from './lib/calls.ts'
import { type Certificates, makeCertificates } from './lib/certs.ts'
import { agent, withClient } from './lib/mtls.ts'
import { NGINX_PROGRAMS, type Nginx, sharedFolder, startNginx } from './lib/nginx.ts'
import { complete } from './lib/process.ts'
import { mtlsSection, startUnixService, type UnixService } from './lib/service.ts'
import { PYTHON, ROOT, unless } from './lib/tools.ts'

const SUITE = join(ROOT, 'node_modules/@modelcontextprotocol/conformance/dist/index.js')

/** Accepts connections and ties each to one that `dial` opens; clients that cannot present a certificate come in here. */
async function tunnel(dial: () => Socket, path?: string): Promise<{ server: Server; url: string }> {
  const server = createServer((near) => {
    const far = dial()
    near.pipe(far).pipe(near)
    near.on('error', () => far.destroy()).on('close', () => far.destroy())
    far.on('error', () => near.destroy()).on('close', () => near.destroy())
  })
  if (path === undefined) server.listen(0, '127.0.0.1')
  else server.listen(path)
  await once(server, 'listening')
  return { server, url: path ?? `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

for (const program of NGINX_PROGRAMS)
  describe(`through ${program}`, { skip: unless(program, 'openssl') }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-through-'))
    const servers: Server[] = []
    const proxies: Nginx[] = []
    let emulator: Emulator
    let certs: Certificates
    let service: UnixService
    let nginx: Nginx & { url: string }
    let fixture: string
    let closeFixture: () => Promise<void>

    /** nginx before this socket, and a way in for clients that cannot present a certificate: this end presents it. */
    async function doorTo(
      socket: string,
      own: string,
      certificates: Certificates,
    ): Promise<Nginx & { url: string }> {
      const proxy = await startNginx(own, certificates, socket, { program })
      proxies.push(proxy)
      const identity = { servername: 'localhost', ca: certificates.ca, ...certificates.client }
      const { server, url } = await tunnel(() =>
        tlsConnect({ host: '127.0.0.1', port: proxy.port, ...identity }),
      )
      servers.push(server)
      return { ...proxy, url: `${url}/mcp` }
    }

    function makeFolder(name: string): string {
      mkdirSync(join(folder, name))
      return join(folder, name)
    }

    before(async () => {
      chmodSync(folder, 0o755)
      emulator = await startEmulator()
      const own = makeFolder('proxy')
      certs = makeCertificates(own, 'proxy')
      const auth = { mtls: mtlsSection(certs.caFile) }
      service = await startUnixService(join(folder, 'service'), emulator.url, auth)
      nginx = await doorTo(service.socket, own, certs)
      const behind = await startFixture()
      closeFixture = behind.close
      const port = Number(new URL(behind.url).port)
      const socket = join(sharedFolder(join(folder, 'fixture')), 'mcp.sock')
      const { server } = await tunnel(() => connect(port, '127.0.0.1'), socket)
      chmodSync(socket, 0o660)
      servers.push(server)
      const second = makeFolder('second')
      fixture = (await doorTo(socket, second, makeCertificates(second, 'second'))).url
    })

    after(async () => {
      for (const server of servers) server.close()
      await Promise.all(proxies.map((proxy) => proxy.close()))
      await Promise.all([service?.close(), emulator?.close(), closeFixture?.()])
      rmSync(folder, { recursive: true, force: true })
    })

    async function run(file: string, args: readonly string[], input = ''): Promise<string> {
      const env = { HOME: folder, PATH: process.env['PATH'] ?? '', PYTHONDONTWRITEBYTECODE: '1' }
      const { code, stdout, stderr } = await complete(file, args, {
        cwd: folder,
        env,
        input,
        timeoutMs: 120_000,
      })
      assert.equal(code, 0, `${stderr}\n${stdout}`)
      return stdout
    }

    for (const revision of REVISIONS)
      for (const build of ['expected', 'fixture'] as const)
        test(`conformance ${revision}, ${build === 'expected' ? 'the product' : 'the fixture build'}`, async () => {
          const url = build === 'expected' ? nginx.url : fixture
          const baseline = join(BASELINES, `${build}-failures-${revision}.yml`)
          const args = ['server', '--url', url, '--requirements', revision, '--expected-failures', baseline]
          assert.match(await run(process.execPath, [SUITE, ...args]), /passed/)
        })

    for (const era of ['legacy', 'auto'] as const)
      test(`the official client, ${era}`, async () => {
        const client = agent(certs, { port: nginx.port })
        const names = await withClient(client, era, async (one) => {
          const { tools } = await one.listTools()
          for (const { name, arguments: given, answer } of TOOL_CALLS) {
            const { content } = await one.callTool({ name, arguments: given })
            assert.match(JSON.stringify(content).replaceAll('\\"', '"'), answer)
          }
          return tools.map(({ name }) => name).sort()
        })
        assert.deepEqual(names, TOOL_NAMES)
      })

    for (const mode of ['auto', 'legacy'])
      test(`Python mcp, ${mode}`, { skip: unless('python packages') }, async () => {
        const script = join(ROOT, 'test/platform/clients/mcp_client.py')
        const report = JSON.parse(await run(PYTHON, [script, nginx.url, mode], JSON.stringify(TOOL_CALLS)))
        assert.deepEqual([...report.tools].sort(), TOOL_NAMES)
        for (const { isError } of report.answers) assert.equal(isError, false)
      })

    test('@ai-sdk/mcp', { skip: unless('npm peers') }, async () => {
      const script = join(ROOT, 'test/platform/peers/ai-sdk.mjs')
      const report = JSON.parse(await run(process.execPath, [script, nginx.url], JSON.stringify(TOOL_CALLS)))
      assert.deepEqual([...report.tools].sort(), TOOL_NAMES)
    })
  })
