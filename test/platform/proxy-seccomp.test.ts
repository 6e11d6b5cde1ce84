// seccomp/nginx.json in force under runc: nginx and its watcher do all their work under it, and what it is there to deny is denied.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { request } from 'undici'
import { freePort } from '../lib/ports.ts'
import { type Certificates, makeCertificates } from './lib/certs.ts'
import { agent } from './lib/mtls.ts'
import { giveToProxy, jsonLines, proxyEnv, sharedFolder } from './lib/nginx.ts'
import { complete, type Running, start } from './lib/process.ts'
import { path, ROOT, unless } from './lib/tools.ts'

const PROFILE = JSON.parse(readFileSync(join(ROOT, 'seccomp/nginx.json'), 'utf8')) as object
const PROXY = 10101
/** Debian's awk is a link through /etc/alternatives. */
const SYSTEM = ['/usr', '/bin', '/lib', '/lib64', '/etc/alternatives']
const DEADLINE = 60_000
const SETS = [
  { program: 'nginx', shell: 'dash' },
  { program: 'nginx-mainline', shell: 'busybox' },
] as const

interface Spec {
  readonly folder: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** null runs without a filter: the control that shows a probe can succeed. */
  readonly seccomp: object | null
}

/** The programs of this machine, read-only, and the test's folder; the hardening is the pod's. */
function spec({ folder, args, env, seccomp }: Spec): object {
  const none = { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] }
  const bind = (from: string, ...options: string[]) => ({
    destination: from,
    type: 'bind',
    source: from,
    options: ['bind', 'nosuid', 'nodev', ...options],
  })
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: PROXY, gid: PROXY, additionalGids: [] },
      args,
      env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      cwd: '/',
      capabilities: none,
      noNewPrivileges: true,
    },
    root: { path: join(folder, 'rootfs'), readonly: true },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      {
        destination: '/dev',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'noexec', 'mode=755', 'size=64k'],
      },
      ...SYSTEM.map((from) => bind(from, 'ro')),
      bind(folder),
    ],
    linux: {
      resources: {
        devices: [{ allow: false, access: 'rwm' }],
        memory: { limit: 128 * 1024 * 1024 },
        pids: { limit: 32 },
      },
      namespaces: ['pid', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
      ...(seccomp === null ? {} : { seccomp }),
    },
  }
}

let started = 0
function run(options: Spec): { running: Running; runc: (...args: string[]) => string[]; id: string } {
  const id = `ductape-mcp-proxy-${process.pid}-${++started}`
  const bundle = join(options.folder, id)
  for (const name of [...['/proc', '/dev', ...SYSTEM].map((path) => `rootfs${path}`), id])
    mkdirSync(join(options.folder, name), { recursive: true })
  mkdirSync(join(options.folder, 'rootfs', options.folder), { recursive: true })
  writeFileSync(join(bundle, 'config.json'), JSON.stringify({ ...spec(options), hostname: 'proxy' }))
  const runc = (...args: string[]): string[] => ['--root', join(options.folder, 'state'), ...args]
  return { running: start(path('runc'), runc('run', '--bundle', bundle, id)), runc, id }
}

for (const { program, shell } of SETS)
  describe(`${program} under its system call profile`, {
    skip: unless('root', 'runc', 'openssl', 'busybox', program, shell),
  }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-proxy-seccomp-'))
    const upstream = createServer((incoming, response) => {
      incoming.resume().on('end', () => response.end('{}'))
    })
    let certs: Certificates
    let port: number
    let healthPort: number
    let env: Record<string, string>
    let container: ReturnType<typeof run>
    const events = () => jsonLines(container.running.stderr()).map((line) => line['event'])

    before(async () => {
      chmodSync(folder, 0o755)
      const socket = join(sharedFolder(join(folder, 'run')), 'mcp.sock')
      upstream.listen(socket)
      await once(upstream, 'listening')
      chmodSync(socket, 0o660)
      certs = makeCertificates(folder, 'proxy')
      writeFileSync(join(folder, 'crl.pem'), certs.revocationList([]))
      for (const name of ['ductape-mcp.conf.template', 'entrypoint'])
        copyFileSync(join(ROOT, 'nginx', name), join(folder, name))
      copyFileSync(path(program), join(folder, program))
      chmodSync(join(folder, program), 0o755)
      const applets = join(folder, 'applets')
      mkdirSync(applets)
      const installed = await complete(path('busybox'), ['--install', '-s', applets])
      assert.equal(installed.code, 0, installed.stderr)
      giveToProxy(folder)
      ;[port, healthPort] = [await freePort(), await freePort()]
      env = {
        PATH: shell === 'dash' ? '/usr/bin:/bin' : applets,
        ...proxyEnv(folder, certs),
        MCP_CLIENT_CRL: join(folder, 'crl.pem'),
        MCP_NGINX: join(folder, program),
        MCP_UPSTREAM: `unix:${socket}`,
        MCP_LISTEN: `127.0.0.1:${port}`,
        MCP_HEALTH_LISTEN: `127.0.0.1:${healthPort}`,
        ...(program === 'nginx' ? { MCP_KEEPALIVE_MIN: '' } : {}),
      }
      const sh = shell === 'dash' ? path('dash') : join(applets, 'sh')
      container = run({ folder, args: [sh, join(folder, 'entrypoint')], env, seccomp: PROFILE })
      await container.running.line(/start worker process \d+/)
    })

    after(async () => {
      await complete(path('runc'), container.runc('delete', '--force', container.id)).catch(() => undefined)
      await container.running.stop()
      upstream.closeAllConnections()
      upstream.close()
      rmSync(folder, { recursive: true, force: true })
    })

    const ask = async (options: object = {}): Promise<number> => {
      const dispatcher = agent(certs)
      const { statusCode, body } = await request(`https://localhost:${port}/mcp`, { dispatcher, ...options })
      await body.dump()
      await dispatcher.close()
      return statusCode
    }
    async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
      const deadline = Date.now() + DEADLINE
      while (!(await holds())) {
        assert.ok(Date.now() < deadline, `${what}\n${container.running.stderr()}`)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const inside = (...args: string[]) =>
      complete(path('runc'), container.runc('exec', '--user', `${PROXY}:${PROXY}`, container.id, ...args))

    test('the filter is in force in nginx and its workers', async () => {
      const { stdout } = await inside(
        path('busybox'),
        'grep',
        '-hE',
        '^(Seccomp|NoNewPrivs|CapEff):',
        '/proc/1/status',
      )
      assert.match(stdout, /NoNewPrivs:\s1\n/)
      assert.match(stdout, /Seccomp:\s2\n/)
      assert.match(stdout, /CapEff:\s0+\n/)
    })

    test('calls, large bodies, a reload, a broken file, a new server certificate, probes', async () => {
      assert.equal(await ask(), 200)
      assert.equal(await ask({ method: 'POST', body: Buffer.alloc(1024 * 1024) }), 200)
      assert.equal(await ask({ method: 'POST', body: Buffer.alloc(3 * 1024 * 1024) }), 413)
      const write = (file: string, text: string | Buffer) => {
        writeFileSync(`${file}.new`, text, { mode: 0o644 })
        renameSync(`${file}.new`, file)
      }
      write(certs.caFile, 'broken')
      await until('the alarm', () => events().includes('proxy_reload_refused'))
      write(certs.caFile, `${certs.ca}\n`)
      await until('the reload', () => events().includes('proxy_reloaded'))
      const next = certs.issueServer()
      write(certs.server.keyFile, readFileSync(next.keyFile))
      chmodSync(certs.server.keyFile, 0o644)
      write(certs.server.certFile, readFileSync(next.certFile))
      await until('the certificate', () => events().includes('proxy_certificate_changed'))
      assert.equal(await ask(), 200)
      const probe = await inside(
        path('busybox'),
        'wget',
        '-q',
        '-O',
        '-',
        `http://127.0.0.1:${healthPort}/healthz`,
      )
      assert.deepEqual([probe.code, probe.stdout], [0, 'ok\n'], probe.stderr)
      const metrics = await (await fetch(`http://127.0.0.1:${healthPort}/metrics`)).text()
      assert.match(metrics, /not_after_timestamp_seconds\{file="crl"\} \d+/)
      assert.doesNotMatch(container.running.stderr(), /Operation not permitted|Function not implemented/)
    })

    test('no new namespace and no mount', async () => {
      const probes = [
        ['unshare', '-U', 'true'],
        ['unshare', '-U', '-m', 'true'],
      ]
      for (const args of probes) {
        const denied = await inside(path('busybox'), ...args)
        assert.notEqual(denied.code, 0, args.join(' '))
        assert.match(denied.stderr, /Operation not permitted/, args.join(' '))
        const control = run({ folder, args: [path('busybox'), ...args], env, seccomp: null })
        assert.equal((await control.running.exitWithin(DEADLINE)).code, 0, control.running.stderr())
      }
      // The control: the same way a harmless program runs.
      assert.equal((await inside(path('busybox'), 'true')).code, 0)
    })

    test('TERM ends it with exit code 0', async () => {
      const killed = await complete(path('runc'), container.runc('kill', container.id, 'TERM'))
      assert.equal(killed.code, 0, killed.stderr)
      assert.deepEqual(await container.running.exitWithin(DEADLINE), { code: 0, signal: null })
    })
  })
