// Builds an OCI bundle of the release (one Node binary, its libraries, the bundled service) and runs it under runc.
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { complete, type Exit, type Running, start } from './process.ts'
import { path, ROOT } from './tools.ts'

export const UID = 10001
export const NODE = '/usr/bin/node'
export const CONFIG_DIR = '/etc/ductape-mcp'
/** The folder that service and proxy share; the socket stands there. */
export const RUN_DIR = '/run/ductape-mcp'
export const SECCOMP_PROFILE = join(ROOT, 'seccomp/ductape-mcp.json')

/** What Node may do inside: the network, reading the bundle and the config, and the socket's folder. Nothing else is granted. */
export const PERMISSIONS = [
  '--allow-net',
  '--allow-fs-read=/app/',
  `--allow-fs-read=${CONFIG_DIR}/`,
  `--allow-fs-read=${RUN_DIR}/`,
  `--allow-fs-write=${RUN_DIR}/`,
] as const
export const HARDENING = [
  '--permission',
  '--disable-proto=throw',
  '--disallow-code-generation-from-strings',
  '--disable-warning=ExperimentalWarning',
] as const

export interface SeccompProfile {
  readonly defaultAction: string
  readonly defaultErrnoRet?: number
  readonly architectures: readonly string[]
  readonly syscalls: readonly {
    readonly names: readonly string[]
    readonly action: string
    readonly errnoRet?: number
    readonly args?: readonly object[]
  }[]
}

export function seccompProfile(): SeccompProfile {
  return JSON.parse(readFileSync(SECCOMP_PROFILE, 'utf8')) as SeccompProfile
}

export interface ContainerOptions {
  readonly rootfs: string
  /** A folder of the test's own: the bundle's config.json and runc's state go there. */
  readonly folder: string
  readonly configDir: string
  readonly runDir: string
  readonly args: readonly string[]
  /** null runs without a filter: the control that shows a probe can succeed. */
  readonly seccomp: SeccompProfile | null
}

export interface Container extends Running {
  /** Runs another process in the container, under the same limits, capabilities and filter. */
  readonly exec: (args: readonly string[]) => Promise<Exit & { stdout: string; stderr: string }>
  readonly signal: (name: 'TERM' | 'STOP' | 'CONT' | 'KILL') => Promise<void>
  readonly remove: () => Promise<void>
}

/** The libraries that the dynamic loader would take for a program, with their paths. */
function libraries(program: string): string[] {
  const listing = execFileSync('ldd', [program], { encoding: 'utf8' })
  return [...listing.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map((match) => String(match[1]))
}

/** A root file system of what the release holds and no more; `extra` programs are for probes only. */
export function makeRootfs(rootfs: string, dist: string, extra: readonly string[] = []): void {
  const put = (from: string, to: string, mode: number): void => {
    const target = join(rootfs, to)
    mkdirSync(dirname(target), { recursive: true })
    copyFileSync(from, target)
    chmodSync(target, mode)
  }
  for (const folder of ['proc', 'dev', CONFIG_DIR, RUN_DIR])
    mkdirSync(join(rootfs, folder), { recursive: true })
  put(process.execPath, NODE, 0o755)
  for (const program of extra) put(program, program, 0o755)
  for (const library of new Set([process.execPath, ...extra].flatMap(libraries))) put(library, library, 0o755)
  cpSync(dist, join(rootfs, 'app'), { recursive: true, filter: (name) => !name.endsWith('.map') })
}

function spec(options: ContainerOptions, id: string): object {
  const none = { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] }
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: UID, gid: UID, additionalGids: [] },
      args: [NODE, ...options.args],
      env: ['PATH=/usr/bin', 'HOME=/nonexistent'],
      cwd: '/app',
      capabilities: none,
      noNewPrivileges: true,
      rlimits: [
        { type: 'RLIMIT_NOFILE', hard: 4096, soft: 4096 },
        { type: 'RLIMIT_CORE', hard: 0, soft: 0 },
      ],
    },
    root: { path: options.rootfs, readonly: true },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      {
        destination: '/dev',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'noexec', 'strictatime', 'mode=755', 'size=64k'],
      },
      {
        destination: CONFIG_DIR,
        type: 'bind',
        source: options.configDir,
        options: ['bind', 'ro', 'nosuid', 'nodev', 'noexec'],
      },
      {
        destination: RUN_DIR,
        type: 'bind',
        source: options.runDir,
        options: ['bind', 'nosuid', 'nodev', 'noexec'],
      },
    ],
    linux: {
      cgroupsPath: `/${id}`,
      resources: {
        devices: [{ allow: false, access: 'rwm' }],
        memory: { limit: 256 * 1024 * 1024 },
        pids: { limit: 32 },
      },
      // No network namespace of its own: the proxy and the backend of the test are on this machine's loopback.
      namespaces: ['pid', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
      maskedPaths: [
        '/proc/acpi',
        '/proc/kcore',
        '/proc/keys',
        '/proc/timer_list',
        '/proc/scsi',
        '/sys/firmware',
      ],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
      ...(options.seccomp === null ? {} : { seccomp: options.seccomp }),
    },
  }
}

let started = 0

export function runContainer(options: ContainerOptions): Container {
  const id = `ductape-mcp-${process.pid}-${++started}`
  const bundle = join(options.folder, id)
  const state = join(options.folder, 'state')
  mkdirSync(bundle, { recursive: true })
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec(options, id)))
  const runc = (...args: string[]): string[] => ['--root', state, ...args]
  const running = start(path('runc'), runc('run', '--bundle', bundle, id))
  return {
    ...running,
    exec: (args) =>
      complete(path('runc'), runc('exec', '--user', `${UID}:${UID}`, '--cwd', '/', id, ...args)),
    signal: async (name) => {
      const { code, stderr } = await complete(path('runc'), runc('kill', id, name))
      if (code !== 0) throw new Error(`runc kill ${name}: ${stderr}`)
    },
    remove: async () => {
      await complete(path('runc'), runc('delete', '--force', id)).catch(() => undefined)
      await running.stop()
    },
  }
}
