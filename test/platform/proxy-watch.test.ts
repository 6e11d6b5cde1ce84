// nginx/entrypoint as nginx's parent: what it refuses to start with, what it takes while calls go on, what it alarms about, how it ends.
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { connect, type TLSSocket } from 'node:tls'
import { type Agent, request } from 'undici'
import { agentId, type Certificates, type KeyPair, makeCertificates } from './lib/certs.ts'
import { agent } from './lib/mtls.ts'
import { type Nginx, sharedFolder, startNginx, toolsFor } from './lib/nginx.ts'
import { complete } from './lib/process.ts'
import { unless } from './lib/tools.ts'

const DEADLINE = 60_000
/** The shell and tools of Debian with its nginx, and those of an Alpine image with the nginx that it holds. */
const SETS = [
  { program: 'nginx', shell: 'dash' },
  { program: 'nginx-mainline', shell: 'busybox' },
] as const

/** Whole or not at all, as a mounted volume changes. */
function replace(file: string, text: string | Buffer): void {
  writeFileSync(`${file}.new`, text)
  chmodSync(`${file}.new`, 0o644)
  renameSync(`${file}.new`, file)
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + DEADLINE
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `${what}: not within ${DEADLINE} ms`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

for (const { program, shell } of SETS)
  describe(`entrypoint on ${shell}, ${program}`, { skip: unless(program, shell, 'openssl') }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-watch-'))
    const strangerFolder = mkdtempSync(join(tmpdir(), 'ductape-mcp-stranger-'))
    const list = join(folder, 'crl.pem')
    const agents: Agent[] = []
    let certs: Certificates
    let stranger: Certificates
    let nginx: Nginx
    let held: ServerResponse | undefined
    const upstream = createServer((incoming, response) => {
      incoming.resume()
      if (incoming.url === '/v1/hold') held = response
      else response.end('{}')
    })

    before(async () => {
      chmodSync(folder, 0o755)
      const socket = join(sharedFolder(join(folder, 'run')), 'mcp.sock')
      upstream.listen(socket)
      await once(upstream, 'listening')
      chmodSync(socket, 0o660)
      certs = makeCertificates(folder, 'proxy')
      stranger = makeCertificates(strangerFolder, 'stranger')
      replace(list, certs.revocationList([]))
      nginx = await run()
    })

    after(async () => {
      await Promise.all(agents.map((one) => one.destroy()))
      await nginx?.close()
      upstream.closeAllConnections()
      upstream.close()
      for (const each of [folder, strangerFolder]) rmSync(each, { recursive: true, force: true })
    })

    const run = (env: Readonly<Record<string, string>> = {}): Promise<Nginx> =>
      startNginx(folder, certs, String(upstream.address()), {
        program,
        shell,
        env: { MCP_CLIENT_CRL: list, MCP_BURST: '1000000', ...env },
      })
    const as = (identity: KeyPair): Agent => {
      const one = agent(certs, { identity })
      agents.push(one)
      return one
    }
    async function status(dispatcher: Agent, path = '/v1/tools'): Promise<number> {
      const { statusCode, body } = await request(`https://localhost:${nginx.port}${path}`, { dispatcher })
      await body.dump()
      return statusCode
    }
    /** Of a connection of its own. */
    const statusOf = (identity: KeyPair): Promise<number> => status(as(identity))
    async function dial(): Promise<TLSSocket> {
      const socket = connect({
        port: nginx.port,
        host: '127.0.0.1',
        servername: 'localhost',
        ca: certs.ca,
        ...certs.client,
      })
      await once(socket, 'secureConnect')
      return socket
    }
    async function serial(): Promise<string> {
      const socket = await dial()
      const { serialNumber } = socket.getPeerCertificate()
      socket.destroy()
      return serialNumber
    }
    async function metric(name: string): Promise<number> {
      const text = await (await fetch(`http://127.0.0.1:${nginx.healthPort}/metrics`)).text()
      const line = text.split('\n').find((each) => each.startsWith(`ductape_mcp_proxy_${name} `))
      assert.ok(line !== undefined, `${name} is not in ${text}`)
      return Number(line.split(' ')[1])
    }
    const happened = (event: string): number =>
      nginx.events().filter((line) => line['event'] === event).length
    const untilEvent = (event: string, times: number): Promise<void> =>
      until(event, async () => {
        await status(as(certs.client)).catch(() => undefined)
        return happened(event) >= times
      })

    /** Calls without a pause while `change` goes on, and how many of them failed. */
    async function underLoad(change: () => Promise<void>): Promise<{ calls: number; failed: unknown[] }> {
      let over = false
      let calls = 0
      const failed: unknown[] = []
      const lanes = Array.from({ length: 6 }, async () => {
        const client = as(certs.client)
        while (!over) {
          calls++
          const outcome = await status(client).catch((error: unknown) => error)
          if (outcome !== 200) failed.push(outcome)
        }
      })
      try {
        await change()
      } finally {
        over = true
        await Promise.all(lanes)
      }
      return { calls, failed }
    }

    test('a new server certificate is in force at the next handshake, without a reload', async () => {
      const before = await serial()
      const workers = (nginx.process.stderr().match(/start worker process/g) ?? []).length
      const next = certs.issueServer()
      const { calls, failed } = await underLoad(async () => {
        // Both files at one moment: this process makes no handshake in between.
        replace(certs.server.keyFile, readFileSync(next.keyFile))
        replace(certs.server.certFile, readFileSync(next.certFile))
        const wanted = new X509Certificate(readFileSync(next.certFile)).serialNumber
        assert.notEqual(wanted, before)
        assert.equal(await serial(), wanted)
        await untilEvent('proxy_certificate_changed', 1)
      })
      assert.deepEqual(failed, [])
      assert.ok(calls > 20, String(calls))
      assert.equal((nginx.process.stderr().match(/start worker process/g) ?? []).length, workers)
      assert.equal(happened('proxy_reloaded'), 0)
    })

    test("a server key that is not the certificate's: alarm until it is mended", async () => {
      const good = readFileSync(certs.server.keyFile)
      replace(certs.server.keyFile, readFileSync(certs.issueServer().keyFile))
      await until('certificate_failed', async () => (await metric('certificate_failed')) === 1)
      await until('the alarm', () => happened('proxy_certificate_refused') === 1)
      assert.match(
        String(nginx.events().find((line) => line['event'] === 'proxy_certificate_refused')?.['reason']),
        /key values mismatch/,
      )
      await assert.rejects(statusOf(certs.client))
      replace(certs.server.keyFile, good)
      await until('certificate_failed', async () => (await metric('certificate_failed')) === 0)
      assert.equal(await statusOf(certs.client), 200)
      assert.equal(happened('proxy_certificate_refused'), 1)
    })

    test('an authority joins the file and leaves it by a reload, a revoked certificate is refused; no call fails', async (t) => {
      const joining = stranger.issue(`URI:${agentId('joining')}`)
      const doomed = certs.issue(`URI:${agentId('doomed')}`)
      assert.equal(await statusOf(joining), 400)
      assert.equal(await statusOf(doomed), 200)
      const since = await metric('last_reload_timestamp_seconds')
      const { calls, failed } = await underLoad(async () => {
        replace(list, certs.revocationList([doomed]) + stranger.revocationList([]))
        await until('the list', async () => (await statusOf(doomed)) === 400)
        replace(certs.caFile, certs.ca + stranger.ca)
        await until('the new authority', async () => (await statusOf(joining)) === 200)
        replace(certs.caFile, certs.ca)
        await until('the old file', async () => (await statusOf(joining)) === 400)
      })
      t.diagnostic(`${calls} calls, ${happened('proxy_reloaded')} reloads, ${failed.length} failed`)
      // Before 1.27.4 (keepalive_min_timeout) a reload closes idle connections at once, and a call may just have been sent down one.
      const real =
        program === 'nginx' ? failed.filter((error) => !/other side closed/.test(String(error))) : failed
      assert.deepEqual(real, [])
      assert.ok(calls > 100, String(calls))
      // nginx obeys before the watcher has said that it reloaded.
      await until('three reloads', () => happened('proxy_reloaded') >= 3)
      await until('the metric', async () => (await metric('last_reload_timestamp_seconds')) > since)
    })

    test('a broken authority or list: the old one stays in force, one alarm, and it ends when the file is good again', async () => {
      const reloads = happened('proxy_reloaded')
      for (const [file, name] of [
        [certs.caFile, 'authority'],
        [list, 'list'],
      ] as const) {
        const good = readFileSync(file)
        const alarms = happened('proxy_reload_refused')
        replace(file, '-----BEGIN X509 CRL-----\nnonsense "\\\n')
        await untilEvent('proxy_reload_refused', alarms + 1)
        await until(name, async () => (await metric('reload_failed')) === 1)
        assert.equal(await statusOf(certs.client), 200)
        assert.equal(await statusOf(stranger.client), 400)
        const checked = await metric('last_check_timestamp_seconds')
        await until(
          'two more looks',
          async () => (await metric('last_check_timestamp_seconds')) > checked + 1,
        )
        assert.equal(happened('proxy_reload_refused'), alarms + 1)
        replace(file, good)
        await until(name, async () => (await metric('reload_failed')) === 0)
        assert.equal(await statusOf(certs.client), 200)
      }
      assert.equal(happened('proxy_reloaded'), reloads)
      await until('both restored', () => happened('proxy_files_restored') === 2)
    })

    test('a list that has ended: everybody is refused, and the alarm says why', async () => {
      const good = readFileSync(list)
      replace(list, certs.revocationList([], '210101000000Z'))
      await until('refused', async () => (await statusOf(certs.client)) === 400)
      await until('the alarm', () => happened('proxy_revocation_list_expired') === 1)
      // The watcher says it before it writes its metrics, and nginx answers before it writes its log.
      const end = Date.UTC(2021, 0, 1) / 1000
      await until('the metric', async () => (await metric('not_after_timestamp_seconds{file="crl"}')) === end)
      await until('the log', () => nginx.accessLog().at(-1)?.['client'] === 'FAILED:CRL has expired')
      replace(list, good)
      await until('taken again', async () => (await statusOf(certs.client)) === 200)
    })

    test('the end of the server certificate is a metric', async () => {
      const { validTo } = new X509Certificate(readFileSync(certs.server.certFile))
      assert.equal(await metric('not_after_timestamp_seconds{file="tls"}'), Date.parse(validTo) / 1000)
    })

    test('drain closes the connections that clients keep, and new ones are served', async () => {
      const socket = await dial()
      const ended = once(socket.resume(), 'close')
      socket.write('GET /v1/tools HTTP/1.1\r\nhost: localhost\r\n\r\n')
      await once(socket, 'data')
      const [interpreter, PATH] = await toolsFor(shell, folder)
      const env = { PATH, MCP_RUN_DIR: folder }
      const { code, stderr } = await complete(interpreter, [join(folder, 'entrypoint'), 'drain'], { env })
      assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
      await ended
      // A worker that ends may take a connection more.
      await until('served', async () => (await statusOf(certs.client)) === 200)
    })

    test('the folder of the socket is made where there is none, for its group alone', async () => {
      const own = join(folder, 'made')
      const second = await run({
        MCP_UPSTREAM: `unix:${join(own, 'mcp.sock')}`,
        MCP_RUN_DIR: join(folder, 'second'),
      })
      try {
        assert.equal(statSync(own).mode & 0o777, 0o770)
      } finally {
        second.process.child.kill('SIGTERM')
        await second.process.exitWithin(DEADLINE)
      }
    })

    test('TERM and QUIT let a call finish, then the exit code is 0', async () => {
      for (const signal of ['SIGTERM', 'SIGQUIT'] as const) {
        const client = as(certs.client)
        held = undefined
        let call = Promise.resolve(0)
        let under = false
        await until('the call', () => {
          // A worker from before the last reload, with its expired list, may refuse it: then once more.
          if (!under && held === undefined) {
            under = true
            call = status(client, '/v1/hold')
            const again = (): void => {
              under = false
            }
            call.then(again, again)
          }
          return held !== undefined
        })
        nginx.process.child.kill(signal)
        // Workers that a reload has ended say that they shut down too; this signal goes to their master alone.
        await nginx.process.line(/\(SIGQUIT\) received/)
        ;(held as ServerResponse | undefined)?.end('{}')
        assert.equal(await call, 200)
        await client.close()
        assert.deepEqual(await nginx.process.exitWithin(DEADLINE), { code: 0, signal: null })
        nginx = await run()
      }
    })

    test('when nginx is killed the container ends, with its code', async () => {
      const master = readFileSync(join(folder, 'nginx.pid'), 'utf8').trim()
      const workers = readFileSync(`/proc/${master}/task/${master}/children`, 'utf8').trim().split(' ')
      process.kill(Number(master), 'SIGKILL')
      // In a container they go with their first process; here they are orphans.
      for (const worker of workers) process.kill(Number(worker), 'SIGKILL')
      assert.deepEqual(await nginx.process.exitWithin(DEADLINE), { code: 137, signal: null })
    })

    describe('what it does not start with', () => {
      const rows: readonly (readonly [what: string, env: Record<string, string>, reason: RegExp])[] = [
        ['no authority', { MCP_CLIENT_CA: '/nowhere/ca.crt' }, /nowhere\/ca\.crt.*No such file/],
        ['no list where one is named', { MCP_CLIENT_CRL: '/nowhere/crl.pem' }, /nowhere\/crl\.pem/],
        ['people and no certificate', { MCP_PEOPLE_HOST: 'approvals.example.test' }, /people-tls\/tls\.crt/],
        ['two names of people', { MCP_PEOPLE_HOST: 'a.test) { return 200; }' }, /^MCP_PEOPLE_HOST holds a/],
        ['no key', { MCP_TLS_KEY: '/nowhere/tls.key' }, /nowhere\/tls\.key/],
        [
          'a tool that is missing',
          { MCP_NGINX: 'nginx-of-nowhere' },
          /^nginx-of-nowhere is not in this image$/,
        ],
        [
          'a directive in a value',
          { MCP_LISTEN: '8443; ssl_verify_client off' },
          /^MCP_LISTEN holds a character/,
        ],
        ['a line in a value', { MCP_RATE: '1r/s;\nx' }, /^MCP_RATE holds a character/],
        ['no template', { MCP_TEMPLATE: '/nowhere/template' }, /^\/nowhere\/template cannot be read$/],
        ['nonsense', { MCP_RATE: 'fast' }, /invalid rate/],
      ]
      for (const [what, env, reason] of rows)
        test(what, async () => {
          await assert.rejects(run(env), (error: Error) => {
            const line = error.message.split('\n').find((each) => each.includes('proxy_not_started'))
            assert.ok(line !== undefined, error.message)
            const said = JSON.parse(line.replace(/^stderr: /, '')) as Record<string, string>
            assert.equal(said['level'], 'error')
            assert.match(said['reason'] ?? '', reason)
            assert.match(error.message, /ended with 1 first/)
            return true
          })
        })
    })
  })
