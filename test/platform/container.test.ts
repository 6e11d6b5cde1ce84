// The release as it is delivered: image, runc, seccomp, Node's permission model and nginx with mTLS, one call through all of it.
import assert from 'node:assert/strict'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Client } from '@modelcontextprotocol/client'
import { entrypoint } from '../../scripts/image/entrypoint.ts'
import { freePort } from '../lib/ports.ts'
import { EXECUTE, TOOL_NAMES } from './lib/calls.ts'
import { imageBuilder } from './lib/image.ts'
import { agent, withClient } from './lib/mtls.ts'
import { sharedFolder, startNginx } from './lib/nginx.ts'
import * as oci from './lib/oci.ts'
import { killProfile, mount, prepareRelease, type Release, SOCKET } from './lib/release.ts'
import { LIMITS, LISTENING_UNIX, POLICY } from './lib/service.ts'
import { unless } from './lib/tools.ts'

const FLAGS = entrypoint().slice(1, -1)
const PERL = '/usr/bin/perl'

describe('the release in its container', {
  skip: unless('root', 'runc', 'nginx', 'openssl', 'buildah', 'perl'),
}, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-container-'))
  const rootfs = join(folder, 'rootfs')
  let release: Release

  before(async () => {
    const images = await imageBuilder(join(folder, 'images'))
    const image = await images.build('release', 'localhost/ductape-mcp:test')
    await image.unpack(rootfs)
    await images.close()
    // For probes only: it can make any system call.
    oci.putProgram(rootfs, PERL)
    release = await prepareRelease(folder, rootfs, image.config.Env)
  })

  after(async () => {
    await release?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  test('a client lists and calls through nginx with mTLS; SIGTERM lets a running call end', async () => {
    const service = release.run()
    try {
      assert.equal((await service.line(LISTENING_UNIX))[1], SOCKET)
      const nginx = await startNginx(release.proxyDir, release.certs, service.socket)
      try {
        const dispatcher = () => agent(release.certs, { port: nginx.port })
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
            release.onBackendRequest = resolve
          })
          release.emulator.faults.next({ kind: 'latency', ms: 1000 }, 'execute')
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
      release.onBackendRequest = () => undefined
      await service.remove()
    }
  })

  test('inside, no process, namespace, trace, BPF program, raw socket or file can be made; without the walls all can', async () => {
    const probe = async (options: Parameters<Release['run']>[0]): Promise<Record<string, string>> => {
      const container = release.run({ ...options, args: [PERL, '-e', PROBE] })
      try {
        assert.equal((await container.exitWithin(20_000)).code, 0, container.stderr())
        return Object.fromEntries(
          [...container.stdout().matchAll(/^(\w+)=(\d+)$/gm)].map(([, name, errno]) => [
            name,
            errnoName(Number(errno)),
          ]),
        )
      } finally {
        await container.remove()
      }
    }
    const refused = ['fork', 'ptrace', 'bpf', 'raw', 'packet', 'alg', 'keyctl', 'setuid', 'unshare']
    const inside = await probe({})
    assert.deepEqual(inside, {
      ...Object.fromEntries(refused.map((name) => [name, 'EPERM'])),
      ...{ write: 'EROFS', app: 'EROFS', dev: 'EACCES' },
    })
    // The control: each attempt is one that can succeed, or that the kernel answers otherwise.
    const outside = await probe({ seccomp: null, withoutWalls: true })
    for (const name of ['fork', 'raw', 'packet', 'setuid', 'unshare', 'write', 'app', 'dev'])
      assert.equal(outside[name], 'none', `${name}: ${JSON.stringify(outside)}`)
    assert.equal(outside['ptrace'], 'ESRCH')
    assert.equal(outside['bpf'], 'E2BIG')
    for (const name of refused) assert.notEqual(outside[name], 'EPERM', name)
  })

  test('the serving process is 10001, without capabilities, and cannot gain any; Node refuses before the kernel is asked', async () => {
    const service = release.run()
    try {
      await service.line(LISTENING_UNIX)
      const { stdout, stderr } = await service.exec([PERL, '-ne', 'print', '/proc/1/status'])
      for (const line of ['Uid', 'Gid'])
        assert.match(stdout, new RegExp(`^${line}:(\\t10001){4}$`, 'm'), stderr)
      for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
        assert.match(stdout, new RegExp(`^${set}:\\t0+$`, 'm'))
      assert.match(stdout, /^NoNewPrivs:\t1$/m)
      assert.match(stdout, /^Seccomp:\t2$/m)

      const guarded = await service.exec([oci.NODE, ...FLAGS, '-e', PERMISSION_PROBE])
      assert.equal(guarded.code, 0, guarded.stderr)
      assert.deepEqual(JSON.parse(guarded.stdout), {
        spawn: 'ERR_ACCESS_DENIED',
        worker: 'ERR_ACCESS_DENIED',
        read: 'ERR_ACCESS_DENIED',
        write: 'ERR_ACCESS_DENIED',
        code: 'EvalError',
        proto: 'ERR_PROTO_ACCESS',
      })
      const open = await service.exec([oci.NODE, '-e', PERMISSION_PROBE])
      const { read, code, proto } = JSON.parse(open.stdout) as Record<string, string>
      assert.deepEqual({ read, code, proto }, { read: 'succeeded', code: 'succeeded', proto: 'succeeded' })
    } finally {
      await service.remove()
    }
  })

  test('the profile holds every system call of a serving process: none is asked that it would kill', async () => {
    const service = release.run({ seccomp: killProfile() })
    try {
      await service.line(LISTENING_UNIX)
      assert.match(await release.call(service), /^200 .*My Product/s)
      // A stopped and continued process (cgroup freezer, debugger) restarts its waits by a call of its own.
      await service.signal('STOP')
      await service.signal('CONT')
      assert.match(await release.call(service), /^200 .*My Product/s)
      await service.signal('TERM')
      assert.deepEqual(await service.exitWithin(10_000), { code: 0, signal: null }, service.stderr())
    } finally {
      await service.remove()
    }
  })

  for (const flag of FLAGS.filter((each) => each.startsWith('--allow-')))
    test(`without ${flag} it does not serve`, async () => {
      const service = release.run({ args: [...entrypoint().filter((each) => each !== flag), 'serve'] })
      try {
        const served = service.line(LISTENING_UNIX).then(
          async () => release.call(service).catch((error) => `no answer: ${error}`),
          (error) => `no start: ${error}`,
        )
        assert.doesNotMatch(await served, /^200 /)
      } finally {
        await service.remove()
      }
    })

  test('the socket is for owner and group; killed and started again, the service takes its place back', async () => {
    const runDir = sharedFolder(join(folder, 'run-again'), oci.UID)
    const first = release.run({ runDir })
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
    const second = release.run({ runDir })
    try {
      await second.line(LISTENING_UNIX)
      assert.match(await release.call(second), /^200 .*My Product/s)
      await second.signal('TERM')
      assert.deepEqual(await second.exitWithin(10_000), { code: 0, signal: null }, second.stderr())
      assert.equal(existsSync(second.socket), false)
    } finally {
      await second.remove()
    }
  })

  test('a policy that changes by symlink swap, as a ConfigMap does, is in force without a restart', async () => {
    const own = release.configure('config-swap')
    const live = join(own, 'live')
    // The layout of a mounted volume: the files are links into ..data, and ..data is swapped whole.
    mount(live, '..1', { 'policy.yaml': POLICY, 'limits.yaml': LIMITS })
    const service = release.run({ config: own })
    try {
      await service.line(LISTENING_UNIX)
      assert.match(await release.call(service), /^200 /)
      mount(live, '..2', { 'policy.yaml': 'version: 1\nroles: {}\n', 'limits.yaml': LIMITS })
      const since = Date.now()
      let answer = await release.call(service)
      while (answer.startsWith('200 ') && Date.now() - since < 15_000) answer = await release.call(service)
      assert.match(answer, /^403 .*policy_denied/s)
    } finally {
      await service.remove()
    }
  })

  test('records go to a file where the configuration says so', async () => {
    const sink = { directory: oci.RUN_DIR }
    const service = release.run({ config: release.configure('config-file', { audit: { sink } }) })
    try {
      await service.line(LISTENING_UNIX)
      assert.match(await release.call(service), /^200 .*My Product/s)
      await service.signal('TERM')
      assert.deepEqual(await service.exitWithin(10_000), { code: 0, signal: null }, service.stderr())
      const [file = 'none'] = readdirSync(service.runDir).filter((name) => name.startsWith('audit-'))
      const records = readFileSync(join(service.runDir, file), 'utf8').trimEnd().split('\n')
      assert.ok(records.map((line) => JSON.parse(line) as object).length >= 2)
      assert.equal(service.stdout(), '')
    } finally {
      await service.remove()
    }
  })

  test('a full heap ends it with exit code 139, which an alert can name', async () => {
    const service = release.run({ env: ['NODE_OPTIONS=--max-old-space-size=8'] })
    try {
      assert.deepEqual(await service.exitWithin(60_000), { code: 139, signal: null }, service.stderr())
      assert.match(service.stderr(), /heap out of memory/)
    } finally {
      await service.remove()
    }
  })

  test('the health check of the image passes where the service is ready, and fails where none listens', async () => {
    const health = [...entrypoint(), 'health']
    const port = await freePort()
    const ready = release.run({ config: release.configure('config-health', { ops: `127.0.0.1:${port}` }) })
    try {
      await ready.line(LISTENING_UNIX)
      const { code, stdout, stderr } = await ready.exec([...health, '--url', `http://127.0.0.1:${port}`])
      assert.equal(code, 0, stderr)
      assert.equal(stdout, 'ready\n')
    } finally {
      await ready.remove()
    }
    const alone = release.run({ args: [...health, '--url', `http://127.0.0.1:${port}`] })
    try {
      assert.equal((await alone.exitWithin(20_000)).code, 1, alone.stderr())
    } finally {
      await alone.remove()
    }
  })

  test('V8 takes the code of the image: that of the service and of each script that a service may load', async () => {
    const service = release.run()
    try {
      await service.line(LISTENING_UNIX)
      const taken = async (...flags: string[]): Promise<string> =>
        (await service.exec([oci.NODE, ...FLAGS, ...flags, '-e', CODE_PROBE])).stdout
      assert.equal(await taken(), 'app conditions metrics oauth redis router server sql tracing')
      assert.equal(await taken('--max-lazy'), '', 'the control: under another flag of V8 it takes none')
    } finally {
      await service.remove()
    }
  })

  test('the profile that the fourth seed sketches does not start Node before four more calls are in it', async () => {
    const startWith = async (seccomp: oci.SeccompProfile): Promise<string> => {
      const container = release.run({ args: [oci.NODE, '-e', 'process.stdout.write("up")'], seccomp })
      try {
        const { code } = await container.exitWithin(20_000)
        return `${code === 0 ? 'exit 0' : 'failed'}: ${container.stdout()}`
      } finally {
        await container.remove()
      }
    }
    // The runtime needs the first of them, Node's start one more each time.
    const missing = ['fstatfs', 'arch_prctl', 'pipe2', 'epoll_pwait']
    for (const [count] of missing.entries())
      assert.equal(await startWith(seedProfile(missing.slice(0, count))), 'failed: ', `with ${count}`)
    // Then it can start, and for want of rt_sigreturn and others it may still die of the first signal.
    let last = ''
    for (let tries = 0; tries < 20 && last !== 'exit 0: up'; tries++)
      last = await startWith(seedProfile(missing))
    assert.equal(last, 'exit 0: up')
  })

  test('a unix socket without an authenticator refuses to start', async () => {
    const own = release.configure('config-unix', { auth: undefined })
    const service = release.run({ config: own })
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
    const service = release.run({ runDir })
    try {
      assert.deepEqual(await service.exitWithin(20_000), { code: 2, signal: null })
      assert.match(service.stderr(), /everybody may write to the folder/)
    } finally {
      await service.remove()
    }
  })
})

function errnoName(errno: number): string {
  if (errno === 0) return 'none'
  return Object.entries(constants.errno).find(([, value]) => value === errno)?.[0] ?? String(errno)
}

// System calls that Node offers no way to make; the numbers are those of x86-64 and of all younger architectures.
const [BPF, KEYCTL, PTRACE, UNSHARE] = process.arch === 'x64' ? [321, 250, 101, 272] : [280, 219, 117, 97]
const PROBE = `
sub report { printf "%s=%d\\n", $_[0], $_[1] ? 0 : $!+0 }
my $pid = fork; exit 0 if defined $pid && $pid == 0; report('fork', defined $pid);
report('ptrace', syscall(${PTRACE}, 16, 999999, 0, 0) != -1);
report('bpf', syscall(${BPF}, 0, 0, 1 << 20) != -1);
report('keyctl', syscall(${KEYCTL}, 0, -3, 0) != -1);
report('raw', socket(my $raw, 2, 3, 1));
report('packet', socket(my $packet, 17, 3, 0));
report('alg', socket(my $alg, 38, 5, 0));
report('write', open(my $root, '>', '/probe'));
report('app', open(my $app, '>', '/app/probe'));
report('dev', open(my $dev, '>', '/dev/probe'));
report('setuid', do { $! = 0; $< = 0; $! == 0 });
report('unshare', syscall(${UNSHARE}, 0x10000000) != -1);`

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

// Names the scripts of which V8 takes the code.
const CODE_PROBE = `
const taken = fs.readdirSync('/app/cache').sort().filter((name) => {
  const cachedData = fs.readFileSync('/app/cache/' + name)
  return !new vm.Script(fs.readFileSync('/app/' + name + '.js', 'utf8'), { cachedData }).cachedDataRejected
})
process.stdout.write(taken.map((name) => name.replace(/-.*/, '')).join(' '))`

const SEED_NAMES =
  'read write close fstat lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask ioctl access pipe select sched_yield mremap madvise ' +
  'dup dup2 nanosleep getpid socket connect accept sendto recvfrom bind listen getsockname getpeername setsockopt getsockopt clone execve ' +
  'exit wait4 fcntl getdents64 getcwd chdir openat newfstatat readlinkat exit_group epoll_create1 epoll_ctl epoll_wait eventfd2 futex ' +
  'set_robust_list clock_gettime getrandom statx pread64 pwrite64'

/** Section 10.3 of the fourth seed, word by word, and more names. */
function seedProfile(more: readonly string[]): oci.SeccompProfile {
  const names = [...SEED_NAMES.split(' '), ...more]
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    architectures: ['SCMP_ARCH_X86_64'],
    syscalls: [{ names, action: 'SCMP_ACT_ALLOW' }],
  }
}
