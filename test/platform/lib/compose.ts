// Runs services of compose.yaml without Docker: each as an OCI container by runc, made from what the file says of it and from the Dockerfile's
// entry point; in place of the images' file systems stands this machine's /usr, read-only.
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { complete, type Running, start } from './process.ts'
import { path, ROOT } from './tools.ts'

export type Mount =
  | {
      type: 'bind'
      source: string
      target: string
      read_only?: boolean
      bind?: { create_host_path: boolean }
    }
  | { type: 'volume'; source: string; target: string }

export interface Service {
  image: string
  user: string
  command?: string[]
  read_only: boolean
  cap_drop: string[]
  security_opt: string[]
  environment?: Record<string, string>
  volumes?: Mount[]
  tmpfs?: string[]
  networks?: string[]
  network_mode?: string
  ports?: string[]
  mem_limit: string
  memswap_limit: string
  pids_limit: number
  healthcheck: { test?: string[]; disable?: boolean }
  build?: { target?: string; dockerfile?: string }
}

export interface Compose {
  services: Record<string, Service>
  networks: Record<string, { internal?: boolean }>
  volumes: Record<string, { driver_opts: { o: string } }>
}

export const readCompose = (): Compose =>
  parse(readFileSync(join(ROOT, 'compose.yaml'), 'utf8'), { merge: true }) as Compose

/** The entry point that a Dockerfile gives its image, and the command of its last stage. */
export function entryPoint(dockerfile: string): { entrypoint: string[]; command: string[] } {
  const text = readFileSync(join(ROOT, dockerfile), 'utf8').replaceAll('\\\n', ' ')
  const last = (name: string): string[] => {
    const found = [...text.matchAll(new RegExp(`^${name} (\\[.*\\])$`, 'gm'))].at(-1)?.[1]
    if (found === undefined) throw new Error(`${dockerfile} has no ${name} in its JSON form`)
    return JSON.parse(found) as string[]
  }
  return { entrypoint: last('ENTRYPOINT'), command: last('CMD') }
}

export function bytes(size: string): number {
  const [, amount, unit = ''] = /^(\d+)([kmg])$/.exec(size) ?? []
  const shift = { k: 10, m: 20, g: 30 }[unit]
  if (amount === undefined || shift === undefined) throw new Error(`${size} is no size`)
  return Number(amount) * 2 ** shift
}

export interface RunOptions {
  readonly service: Service
  /** A folder of the test's own for root file system, bundle and runc's state. */
  readonly folder: string
  readonly name: string
  readonly args: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** From a bind source of compose.yaml to the file or folder that stands in for it. */
  readonly source: (source: string) => string
  /** What the image would have brought: from here to there. */
  readonly files?: Readonly<Record<string, string>>
  /** Folder of the volume that services share. */
  readonly volume: string
  /** Process whose network this one joins (`network_mode: service:`); without it a new one with a loopback alone. */
  readonly joins?: number
}

export interface Contained {
  readonly process: Running
  /** Process id of the container's first process, as this machine sees it. */
  readonly pid: () => Promise<number>
  readonly exec: (args: readonly string[]) => ReturnType<typeof complete>
  readonly remove: () => Promise<void>
}

// Not /usr/local: the images have programs of their own there. Debian's awk and wget are links through /etc/alternatives.
const PROGRAMS = [
  '/usr/bin',
  '/usr/sbin',
  '/usr/lib',
  '/usr/lib64',
  '/usr/share',
  '/etc/alternatives',
].filter((name) => existsSync(name))

/** The part of the spec that compose.yaml decides; the test asserts none of it again, it runs it. */
function spec(options: RunOptions, rootfs: string): object {
  const { service, files = {}, joins } = options
  const [uid, gid] = service.user.split(':').map(Number)
  const seccomp = service.security_opt.find((option) => option.startsWith('seccomp='))?.slice(8)
  const none: string[] = service.cap_drop.includes('ALL') ? [] : ['CAP_NET_RAW']
  const bind = (destination: string, source: string, readOnly: boolean): object => ({
    destination,
    type: 'bind',
    source,
    options: ['rbind', readOnly ? 'ro' : 'rw', 'nosuid'],
  })
  const limits = { memory: bytes(service.mem_limit), swap: bytes(service.memswap_limit) }
  return {
    ociVersion: '1.0.2',
    process: {
      user: { uid, gid, additionalGids: [] },
      args: options.args,
      env: Object.entries({ PATH: '/usr/sbin:/usr/bin', ...service.environment, ...options.environment }).map(
        ([name, value]) => `${name}=${value}`,
      ),
      cwd: '/',
      capabilities: { bounding: none, effective: none, inheritable: none, permitted: none, ambient: none },
      noNewPrivileges: service.security_opt.includes('no-new-privileges:true'),
    },
    root: { path: rootfs, readonly: service.read_only },
    hostname: options.name,
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=64k'] },
      ...PROGRAMS.map((name) => bind(name, name, true)),
      ...Object.entries(files).map(([from, to]) => bind(to, from, true)),
      ...(service.volumes ?? []).map((mount) =>
        mount.type === 'volume'
          ? bind(mount.target, options.volume, false)
          : bind(mount.target, options.source(mount.source), mount.read_only === true),
      ),
      ...(service.tmpfs ?? []).map((entry) => {
        const [destination = '', wanted = ''] = entry.split(':')
        return { destination, type: 'tmpfs', source: 'tmpfs', options: wanted.split(',') }
      }),
    ],
    linux: {
      cgroupsPath: `/${options.name}`,
      resources: {
        devices: [{ allow: false, access: 'rwm' }],
        memory: { limit: limits.memory, swap: limits.swap },
        pids: { limit: service.pids_limit },
      },
      namespaces: [
        ...['pid', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
        joins === undefined ? { type: 'network' } : { type: 'network', path: `/proc/${joins}/ns/net` },
      ],
      ...(seccomp === undefined ? {} : { seccomp: JSON.parse(readFileSync(join(ROOT, seccomp), 'utf8')) }),
    },
  }
}

/** Links of a merged-usr system, the empty places that mounts need, and who is who. */
function makeRoot(rootfs: string): void {
  mkdirSync(join(rootfs, 'etc'), { recursive: true })
  for (const name of ['bin', 'sbin', 'lib', 'lib64'])
    if (lstatSync(`/${name}`, { throwIfNoEntry: false })?.isSymbolicLink() === true)
      symlinkSync(readlinkSync(`/${name}`), join(rootfs, name))
  for (const folder of ['proc', 'dev', 'usr']) mkdirSync(join(rootfs, folder))
  // Docker's own resolver knows the services by name.
  writeFileSync(join(rootfs, 'etc/hosts'), '127.0.0.1 localhost app\n')
}

export function run(options: RunOptions): Contained {
  const id = options.name
  const bundle = join(options.folder, id)
  const rootfs = join(bundle, 'rootfs')
  mkdirSync(rootfs, { recursive: true })
  makeRoot(rootfs)
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec(options, rootfs)))
  const runc = (...args: string[]): string[] => ['--root', join(options.folder, 'state'), ...args]
  const process = start(path('runc'), runc('run', '--bundle', bundle, id))
  return {
    process,
    pid: async () => {
      const { code, stdout, stderr } = await complete(path('runc'), runc('state', id))
      if (code !== 0) throw new Error(`runc state ${id}: ${stderr}${process.stderr()}`)
      return (JSON.parse(stdout) as { pid: number }).pid
    },
    exec: (args) => complete(path('runc'), runc('exec', '--user', options.service.user, id, ...args)),
    remove: async () => {
      await complete(path('runc'), runc('delete', '--force', id)).catch(() => undefined)
      await process.stop()
    },
  }
}
