// Runs an unpacked image under runc as Kubernetes would: the walls of the pod, and for controls the same without them.
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { complete, type Exit, type Running, start } from './process.ts'
import { path, ROOT } from './tools.ts'

export const UID = 10001
export const NODE = '/nodejs/bin/node'
export const CONFIG_DIR = '/etc/ductape-mcp'
/** The folder that service and proxy share; the socket stands there. */
export const RUN_DIR = '/run/ductape-mcp'
/** The chart's default. */
export const MEMORY_BYTES = 512 * 1024 * 1024
export const SECCOMP_PROFILE = join(ROOT, 'seccomp/ductape-mcp.json')

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
  readonly env: readonly string[]
  /** null runs without a filter. */
  readonly seccomp: SeccompProfile | null
  /** The control that shows that a probe can succeed: root, with capabilities, on a root file system that can be written. */
  readonly withoutWalls?: boolean
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

/** Puts a program of this machine and its libraries into a root file system. */
export function putProgram(rootfs: string, program: string, place = program): void {
  for (const [from, to] of [[program, place], ...libraries(program).map((library) => [library, library])]) {
    const target = join(rootfs, String(to))
    mkdirSync(dirname(target), { recursive: true })
    copyFileSync(String(from), target)
    chmodSync(target, 0o755)
  }
}

/** The folders that a runtime makes in an image to mount something there. */
export function mountPoints(rootfs: string): void {
  for (const folder of ['proc', 'dev', CONFIG_DIR, RUN_DIR])
    mkdirSync(join(rootfs, folder), { recursive: true })
}

function spec(options: ContainerOptions, id: string): object {
  const walls = options.withoutWalls !== true
  const held = walls ? [] : ['CAP_NET_RAW', 'CAP_DAC_OVERRIDE']
  const uid = walls ? UID : 0
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid, gid: uid, additionalGids: [] },
      args: options.args,
      env: options.env,
      cwd: '/app',
      capabilities: { bounding: held, effective: held, inheritable: [], permitted: held, ambient: [] },
      noNewPrivileges: walls,
      rlimits: [
        { type: 'RLIMIT_NOFILE', hard: 4096, soft: 4096 },
        { type: 'RLIMIT_CORE', hard: 0, soft: 0 },
      ],
    },
    root: { path: options.rootfs, readonly: walls },
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
        memory: { limit: MEMORY_BYTES },
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
    // Takes user, capabilities, filter and environment from the container's own process.
    exec: (args) => complete(path('runc'), runc('exec', id, ...args)),
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
