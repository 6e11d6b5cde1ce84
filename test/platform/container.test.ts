// The release as it is delivered: bundle, runc, seccomp, Node's permission model and nginx with mTLS, one call through all of it.
import assert from 'node:assert/strict'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Client } from '@modelcontextprotocol/client'
import { build } from '../../scripts/build.ts'
import { type Emulator, startEmulator } from '../../src/emulator/index.ts'
import { EXECUTE, TOOL_NAMES } from './lib/calls.ts'
import { type Certificates, escapedOf, makeCertificates } from './lib/certs.ts'
import { agent, callTool, SOCKET_ORIGIN, socketAgent, withClient } from './lib/mtls.ts'
import { sharedFolder, startNginx } from './lib/nginx.ts'
import * as oci from './lib/oci.ts'
import { LIMITS, LISTENING_UNIX, mtlsSection, POLICY, unixConfig } from './lib/service.ts'
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
  const socket = `${oci.RUN_DIR}/mcp.sock`
  const auth = { mtls: mtlsSection(`${oci.CONFIG_DIR}/clients.crt`) }

  before(async () => {
    chmodSync(folder, 0o755)
    mkdirSync(configDir)
    proxyDir = join(folder, 'proxy')
    mkdirSync(proxyDir)
    await build(join(folder, 'dist'))
    oci.makeRootfs(rootfs, join(folder, 'dist'), [path('unshare')])
    emulator = await startEmulator({ observe: () => onBackendRequest() })
    certs = makeCertificates(proxyDir, 'proxy')
    writeConfig(configDir, auth)
  })

  after(async () => {
    await emulator?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  /** A whole configuration: the static file, the authorities of the clients, and the live folder. */
  function writeConfig(own: string, section: object | undefined): void {
    const live = join(own, 'live')
    mkdirSync(live)
    writeFileSync(join(live, 'policy.yaml'), POLICY)
    writeFileSync(join(live, 'limits.yaml'), LIMITS)
    writeFileSync(join(own, 'clients.crt'), certs.ca)
    const inside = { socket, live: `${oci.CONFIG_DIR}/live`, auth: section }
    writeFileSync(join(own, 'config.yaml'), unixConfig({ backendUrl: emulator.url, ...inside }))
  }

  interface Running extends oci.Container {
    /** Path of the socket outside. */
    readonly socket: string
  }

  let runs = 0
  function container(
    change: {
      readonly args?: readonly string[]
      readonly seccomp?: oci.SeccompProfile | null
      readonly config?: string
      readonly runDir?: string
    } = {},
  ): Running {
    const { args = [...NODE_FLAGS, ...SERVE], seccomp = oci.seccompProfile(), config = configDir } = change
    const runDir = change.runDir ?? sharedFolder(join(folder, `run-${++runs}`), oci.UID)
    const running = oci.runContainer({ rootfs, folder, configDir: config, runDir, args, seccomp })
    return { ...running, socket: join(runDir, 'mcp.sock') }
  }

  /** One call straight to the container's socket, as nginx makes it; the status and text of the answer. */
  async function call(service: Running): Promise<string> {
    const dispatcher = socketAgent(service.socket)
    try {
      const headers = { 'x-client-cert': escapedOf(certs.client) }
      const { status, text } = await callTool(dispatcher, headers, SOCKET_ORIGIN)
      return `${status} ${text}`
    } finally {
      await dispatcher.close()
    }
  }

  test('a client lists and calls through nginx with mTLS; SIGTERM lets a running call end', async () => {
    const service = container()
    try {
      assert.equal((await service.line(LISTENING_UNIX))[1], socket)
      const nginx = await startNginx(proxyDir, certs, service.socket)
      try {
        const dispatcher = () => agent(certs, { port: nginx.port })
        const ask = (client: Client) => client.callTool({ name: EXECUTE.name, arguments: EXECUTE.arguments })
        for (const [era, protocol] of [
          ['legacy', '2025-11-25'],
          ['auto', '2026-07-28'],
        ] as const)
          await withClient(dispatcher(), era, async (client) => {
            assert.equal(client.getNegotiatedProtocolVersion(), protocol)
            const { tools } = await client.listTools()
            assert.deepEqual(tools.map(({ name }) => name).sort(), TOOL_NAMES)
            assert.match(JSON.stringify(await ask(client)), /My Product/)
          })
        await withClient(dispatcher(), 'auto', async (client) => {
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
      await service.line(LISTENING_UNIX)
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
      await service.line(LISTENING_UNIX)
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
      await service.line(LISTENING_UNIX)
      assert.match(await call(service), /^200 .*My Product/s)
      // A stopped and continued process (cgroup freezer, debugger) restarts its waits by a call of its own.
      await service.signal('STOP')
      await service.signal('CONT')
      assert.match(await call(service), /^200 .*My Product/s)
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
        const served = service.line(LISTENING_UNIX).then(
          async () => call(service).catch((error) => `no answer: ${error}`),
          (error) => `no start: ${error}`,
        )
        assert.doesNotMatch(await served, /^200 /)
      } finally {
        await service.remove()
      }
    })

  test('the socket is for owner and group; killed and started again, the service takes its place back', async () => {
    const runDir = sharedFolder(join(folder, 'run-again'), oci.UID)
    const first = container({ runDir })
    try {
      await first.line(LISTENING_UNIX)
      const { mode, uid, gid } = lstatSync(first.socket)
      assert.deepEqual([mode & 0o777, uid, gid], [0o660, oci.UID, statSync(runDir).gid])
      await first.signal('KILL')
      await first.exit
      assert.ok(lstatSync(first.socket).isSocket(), 'left behind')
    } finally {
      await first.remove()
    }
    const second = container({ runDir })
    try {
      await second.line(LISTENING_UNIX)
      assert.match(await call(second), /^200 .*My Product/s)
      await second.signal('TERM')
      assert.deepEqual(await second.exitWithin(10_000), { code: 0, signal: null }, second.stderr())
      assert.equal(existsSync(second.socket), false)
    } finally {
      await second.remove()
    }
  })

  test('a policy that changes by symlink swap, as a ConfigMap does, is in force without a restart', async () => {
    const own = join(folder, 'config-swap')
    mkdirSync(own)
    writeConfig(own, auth)
    const live = join(own, 'live')
    // The layout of a mounted volume: the files are links into ..data, and ..data is swapped whole.
    mount(live, '..1', { 'policy.yaml': POLICY, 'limits.yaml': LIMITS })
    const service = container({ config: own })
    try {
      await service.line(LISTENING_UNIX)
      assert.match(await call(service), /^200 /)
      mount(live, '..2', { 'policy.yaml': 'version: 1\nroles: {}\n', 'limits.yaml': LIMITS })
      const since = Date.now()
      let answer = await call(service)
      while (answer.startsWith('200 ') && Date.now() - since < 15_000) answer = await call(service)
      assert.match(answer, /^403 .*policy_denied/s)
    } finally {
      await service.remove()
    }
  })

  test('a unix socket without an authenticator refuses to start', async () => {
    const own = join(folder, 'config-unix')
    mkdirSync(own)
    writeConfig(own, undefined)
    const service = container({ config: own })
    try {
      assert.deepEqual(await service.exitWithin(20_000), { code: 2, signal: null })
      assert.match(service.stderr(), /unix socket.*authenticator/is)
      assert.equal(service.stdout(), '')
    } finally {
      await service.remove()
    }
  })

  test('a folder that everybody may write to refuses to start', async () => {
    const runDir = sharedFolder(join(folder, 'run-open'), oci.UID)
    chmodSync(runDir, 0o777)
    const service = container({ runDir })
    try {
      assert.deepEqual(await service.exitWithin(20_000), { code: 2, signal: null })
      assert.match(service.stderr(), /everybody may write to the folder/)
    } finally {
      await service.remove()
    }
  })
})

/** Puts files in place as kubelet does: a folder of their own, a link `..data` to it swapped by rename, and links to the files. */
function mount(volume: string, version: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(join(volume, version))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(volume, version, name), text)
  symlinkSync(version, join(volume, '..data_tmp'))
  renameSync(join(volume, '..data_tmp'), join(volume, '..data'))
  for (const name of Object.keys(files)) {
    const link = join(volume, name)
    // Only the first time: later the link stays, and what it leads to changes.
    if (lstatSync(link).isSymbolicLink()) continue
    rmSync(link)
    symlinkSync(join('..data', name), link)
  }
}

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
