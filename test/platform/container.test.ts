// The release as it is delivered: bundle, runc, seccomp, Node's permission model and nginx with mTLS, one call through all of it.
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Client } from '@modelcontextprotocol/client'
import { build } from '../../scripts/build.ts'
import { type Emulator, startEmulator } from '../../src/emulator/index.ts'
import { EXECUTE, TOOL_NAMES } from './lib/calls.ts'
import { type Certificates, makeCertificates } from './lib/certs.ts'
import { withClient } from './lib/mtls.ts'
import { startNginx } from './lib/nginx.ts'
import * as oci from './lib/oci.ts'
import { configYaml, LISTENING } from './lib/service.ts'
import { path, unless } from './lib/tools.ts'

const SERVE = ['/app/ductape-mcp.mjs', 'serve', '--config', `${oci.CONFIG_DIR}/config.yaml`]
const NODE_FLAGS = [...oci.HARDENING, ...oci.PERMISSIONS]

describe('the release in its container', {
  skip: unless('root', 'runc', 'nginx', 'openssl', 'unshare'),
}, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-container-'))
  const rootfs = join(folder, 'rootfs')
  const configDir = join(folder, 'config')
  let emulator: Emulator
  let onBackendRequest: () => void = () => undefined
  let certs: Certificates
  let proxyDir: string

  before(async () => {
    chmodSync(folder, 0o755)
    mkdirSync(configDir)
    proxyDir = join(folder, 'proxy')
    mkdirSync(proxyDir)
    await build(join(folder, 'dist'))
    oci.makeRootfs(rootfs, join(folder, 'dist'), [path('unshare')])
    emulator = await startEmulator({ observe: () => onBackendRequest() })
    writeFileSync(join(configDir, 'config.yaml'), configYaml(emulator.url))
    certs = makeCertificates(proxyDir, 'proxy')
  })

  after(async () => {
    await emulator?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  function container(
    change: { readonly args?: readonly string[]; readonly seccomp?: oci.SeccompProfile | null } = {},
  ): oci.Container {
    const { args = [...NODE_FLAGS, ...SERVE], seccomp = oci.seccompProfile() } = change
    return oci.runContainer({ rootfs, folder, configDir, args, seccomp })
  }

  /** One call straight to the container's port; the text of the answer. */
  async function call(origin: string): Promise<string> {
    const answer = await fetch(`${origin}/v1/tools/${EXECUTE.name}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(EXECUTE.arguments),
      signal: AbortSignal.timeout(10_000),
    })
    return `${answer.status} ${await answer.text()}`
  }

  test('a client lists and calls through nginx with mTLS; SIGTERM lets a running call end', async () => {
    const service = container()
    try {
      const port = (await service.line(LISTENING))[2]
      const nginx = await startNginx(proxyDir, certs, `127.0.0.1:${port}`)
      try {
        const url = `https://localhost:${nginx.port}/mcp`
        const ask = (client: Client) => client.callTool({ name: EXECUTE.name, arguments: EXECUTE.arguments })
        for (const [era, protocol] of [
          ['legacy', '2025-11-25'],
          ['auto', '2026-07-28'],
        ] as const)
          await withClient(url, certs, era, async (client) => {
            assert.equal(client.getNegotiatedProtocolVersion(), protocol)
            const { tools } = await client.listTools()
            assert.deepEqual(tools.map(({ name }) => name).sort(), TOOL_NAMES)
            assert.match(JSON.stringify(await ask(client)), /My Product/)
          })
        await withClient(url, certs, 'auto', async (client) => {
          const reached = new Promise<void>((resolve) => {
            onBackendRequest = resolve
          })
          emulator.faults.next({ kind: 'latency', ms: 1000 }, 'execute')
          const slow = ask(client)
          await reached
          await service.signal('TERM')
          assert.match(JSON.stringify(await slow), /My Product/)
        })
        assert.deepEqual(await service.exitWithin(10_000), { code: 0, signal: null }, service.stderr())
      } finally {
        await nginx.close()
      }
      const lines = nginx.accessLog()
      assert.ok(
        lines.some(({ uri, status, client }) => uri === '/mcp' && status === 200 && client === 'SUCCESS'),
      )
      // stdout holds the records and nothing else: each call's decision and its outcome, none of its credentials.
      const records = service
        .stdout()
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as object)
      assert.ok(records.length >= 4, service.stdout())
      assert.ok(!service.stdout().includes(String(EXECUTE.arguments['publishable_key'])))
    } finally {
      onBackendRequest = () => undefined
      await service.remove()
    }
  })

  test('inside there is no privilege, no writable file, no new process and no new namespace', async () => {
    const service = container()
    try {
      await service.line(LISTENING)
      const probe = await service.exec([oci.NODE, '-e', PROBE])
      assert.equal(probe.code, 0, probe.stderr)
      const { status, attempts } = JSON.parse(probe.stdout) as Probe
      assert.match(status, /^Uid:\t10001\t10001\t10001\t10001$/m)
      assert.match(status, /^Gid:\t10001\t10001\t10001\t10001$/m)
      for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
        assert.match(status, new RegExp(`^${set}:\\t0+$`, 'm'))
      assert.match(status, /^NoNewPrivs:\t1$/m)
      assert.match(status, /^Seccomp:\t2$/m)
      assert.deepEqual(attempts, {
        spawn: 'EPERM',
        '/x': 'EROFS',
        '/app/x': 'EROFS',
        '/dev/x': 'EACCES',
        setuid: 'EPERM',
      })
      const unshare = await service.exec([path('unshare'), '--user', oci.NODE, '--version'])
      assert.notEqual(unshare.code, 0)
      assert.match(unshare.stderr, /Operation not permitted/)

      const guarded = await service.exec([oci.NODE, ...NODE_FLAGS, '-e', PERMISSION_PROBE])
      assert.equal(guarded.code, 0, guarded.stderr)
      assert.deepEqual(JSON.parse(guarded.stdout), {
        spawn: 'ERR_ACCESS_DENIED',
        worker: 'ERR_ACCESS_DENIED',
        read: 'ERR_ACCESS_DENIED',
        write: 'ERR_ACCESS_DENIED',
        code: 'EvalError',
        proto: 'ERR_PROTO_ACCESS',
      })
    } finally {
      await service.remove()
    }
  })

  test('the same probe succeeds without the profile, so it is the profile that refuses', async () => {
    const service = container({ seccomp: null })
    try {
      await service.line(LISTENING)
      const probe = await service.exec([oci.NODE, '-e', PROBE])
      const { status, attempts } = JSON.parse(probe.stdout) as Probe
      assert.match(status, /^Seccomp:\t0$/m)
      assert.equal(attempts['spawn'], 'succeeded')
    } finally {
      await service.remove()
    }
  })

  test('the profile holds every system call of a serving process: none is asked that it would kill', async () => {
    const profile = oci.seccompProfile()
    // Node asks for an io_uring at its start and goes on without one.
    const iouring = { names: ['io_uring_setup'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 }
    const service = container({
      seccomp: {
        ...profile,
        defaultAction: 'SCMP_ACT_KILL_PROCESS',
        syscalls: [...profile.syscalls, iouring],
      },
    })
    try {
      const origin = String((await service.line(LISTENING))[1])
      assert.match(await call(origin), /^200 .*My Product/s)
      // A stopped and continued process (cgroup freezer, debugger) restarts its waits by a call of its own.
      await service.signal('STOP')
      await service.signal('CONT')
      assert.match(await call(origin), /^200 .*My Product/s)
      await service.signal('TERM')
      assert.deepEqual(await service.exitWithin(10_000), { code: 0, signal: null }, service.stderr())
    } finally {
      await service.remove()
    }
  })

  for (const flag of oci.PERMISSIONS)
    test(`without ${flag} it does not serve`, async () => {
      const service = container({ args: [...NODE_FLAGS.filter((each) => each !== flag), ...SERVE] })
      try {
        const served = service.line(LISTENING).then(
          async (match) => call(String(match[1])).catch((error) => `no answer: ${error}`),
          (error) => `no start: ${error}`,
        )
        assert.doesNotMatch(await served, /^200 /)
      } finally {
        await service.remove()
      }
    })

  test('a unix socket without an authenticator refuses to start', async () => {
    const own = join(folder, 'config-unix')
    mkdirSync(own)
    writeFileSync(join(own, 'config.yaml'), configYaml(emulator.url, 'unix:/run/app/app.sock'))
    const args = [...NODE_FLAGS, ...SERVE]
    const service = oci.runContainer({ rootfs, folder, configDir: own, args, seccomp: oci.seccompProfile() })
    try {
      assert.deepEqual(await service.exitWithin(20_000), { code: 2, signal: null })
      assert.match(service.stderr(), /unix socket.*authenticator/is)
      assert.equal(service.stdout(), '')
    } finally {
      await service.remove()
    }
  })
})

interface Probe {
  readonly status: string
  readonly attempts: Readonly<Record<string, string>>
}

// Without Node's permission model, so that only the kernel's answer is seen.
const PROBE = `
const fs = require('node:fs'), { spawnSync } = require('node:child_process')
const attempt = (action) => { try { action(); return 'succeeded' } catch (error) { return error.code } }
const write = (path) => attempt(() => fs.writeFileSync(path, 'x'))
const attempts = {
  spawn: attempt(() => { const { error } = spawnSync(process.execPath, ['--version']); if (error) throw error }),
  '/x': write('/x'), '/app/x': write('/app/x'), '/dev/x': write('/dev/x'),
  setuid: attempt(() => process.setuid(0)),
}
console.log(JSON.stringify({ status: fs.readFileSync('/proc/self/status', 'utf8'), attempts }))`

// Under the flags of the service: the second wall, before the kernel is asked.
const PERMISSION_PROBE = `
const fs = require('node:fs')
const attempt = (action) => { try { action(); return 'succeeded' } catch (error) { return error.code ?? error.name } }
console.log(JSON.stringify({
  spawn: attempt(() => require('node:child_process').spawnSync(process.execPath, ['--version'])),
  worker: attempt(() => new (require('node:worker_threads').Worker)('0', { eval: true })),
  read: attempt(() => fs.readFileSync('/proc/self/environ')),
  write: attempt(() => fs.writeFileSync('/app/x', 'x')),
  code: attempt(() => new Function('return 1')()),
  proto: attempt(() => ({}).__proto__),
}))`
