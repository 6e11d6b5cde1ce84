// Builds our images with buildah, without a daemon, a registry or the network: on bases made of what this machine has, npm from a cache.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { putProgram } from './oci.ts'
import { complete } from './process.ts'
import { path, ROOT } from './tools.ts'

const NPM_CACHE = join(ROOT, '.cache/npm')
/** An image's layers are tar files; this one is of no run in particular. */
export const EPOCH = 1_700_000_000
const BUILD_TIMEOUT_MS = 300_000

const RUNTIME = 'localhost/stand-in/runtime:26'
const BUILDER = 'localhost/stand-in/builder:26'

export interface Layer {
  /** Of the tar file, before compression. */
  readonly diffId: string
  /** Compressed, as a registry serves it. */
  readonly bytes: number
  /** Where the compressed layer lies. */
  readonly file: string
}

/** What the configuration of an image says, of what we set. */
export interface ImageConfig {
  readonly User: string
  readonly WorkingDir: string
  readonly Entrypoint: readonly string[]
  readonly Cmd: readonly string[]
  readonly Env: readonly string[]
  readonly ExposedPorts: Readonly<Record<string, object>>
  readonly Labels: Readonly<Record<string, string>>
  readonly StopSignal?: string
  readonly Healthcheck?: {
    readonly Test: readonly string[]
    readonly Interval: number
    readonly Timeout: number
    readonly Retries: number
  }
}

export interface Image {
  readonly name: string
  readonly config: ImageConfig
  /** From the first of the base to our last. */
  readonly layers: readonly Layer[]
  /** Unpacks the image's files into a folder. */
  readonly unpack: (folder: string) => Promise<void>
}

export interface ImageBuilder {
  /** The stand-ins' layers come first in each image. */
  readonly baseLayers: number
  readonly build: (target: 'release' | 'emulator', name: string, args?: readonly string[]) => Promise<Image>
  readonly buildProxy: (base: string, name: string) => Promise<Image>
  /** An image of a folder, to build on. */
  readonly base: (name: string, folder: string) => Promise<void>
  readonly close: () => Promise<void>
}

interface Manifest {
  readonly config: { readonly digest: string }
  readonly layers: readonly { readonly digest: string; readonly size: number }[]
}

function checkNpmCache(): void {
  const lock = createHash('sha256')
    .update(readFileSync(join(ROOT, 'package-lock.json')))
    .digest('hex')
  const stamp = join(NPM_CACHE, '.lock.sha256')
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8').trim() !== lock)
    throw new Error('.cache/npm does not hold what package-lock.json names: run scripts/tools')
}

/** As distroless has it: Node with its libraries and a folder for temporary files; no shell, no other program. */
function runtimeFiles(folder: string): void {
  putProgram(folder, process.execPath, '/nodejs/bin/node')
  mkdirSync(join(folder, 'tmp'))
  chmodSync(join(folder, 'tmp'), 0o1777)
}

/** What the builder's steps use of a distribution: a shell, env, Node and npm. */
function builderFiles(folder: string): void {
  runtimeFiles(folder)
  putProgram(folder, realpathSync('/bin/sh'), '/bin/sh')
  putProgram(folder, '/usr/bin/env', '/usr/bin/env')
  const npm = dirname(dirname(realpathSync(path('npm'))))
  const own = '/usr/local/lib/node_modules/npm'
  cpSync(npm, join(folder, own), { recursive: true })
  const bin = join(folder, 'usr/local/bin')
  mkdirSync(bin)
  symlinkSync('/nodejs/bin/node', join(bin, 'node'))
  symlinkSync(`${own}/bin/npm-cli.js`, join(bin, 'npm'))
}

/** `folder` is the builder's own; images, layers and stand-ins are kept there. */
export async function imageBuilder(folder: string): Promise<ImageBuilder> {
  checkNpmCache()
  mkdirSync(folder, { recursive: true })
  const store = ['--root', join(folder, 'store'), '--runroot', join(folder, 'run')]
  // No overlay mounts and no containers inside: so it works in a container too.
  const env = { ...process.env, STORAGE_DRIVER: 'vfs', BUILDAH_ISOLATION: 'chroot' }

  const buildah = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await complete(path('buildah'), [...store, ...args], {
      env,
      timeoutMs: BUILD_TIMEOUT_MS,
    })
    if (code !== 0) throw new Error(`buildah ${args.join(' ')}\n${stdout.slice(-4000)}\n${stderr}`)
    return stdout
  }

  const base = async (name: string, files: string): Promise<void> => {
    writeFileSync(
      join(folder, 'base.Dockerfile'),
      'FROM scratch\nCOPY . /\nENV PATH=/usr/local/bin:/usr/bin:/bin\n',
    )
    await buildah(
      'build',
      '--layers=false',
      '--timestamp',
      '0',
      '-f',
      join(folder, 'base.Dockerfile'),
      '-t',
      name,
      files,
    )
  }

  const image = (name: string): Promise<Image> =>
    readImage(name, join(folder, name.replace(/[^\w.-]/g, '-')), buildah)

  for (const [name, fill] of [
    [RUNTIME, runtimeFiles],
    [BUILDER, builderFiles],
  ] as const) {
    const files = join(folder, 'files')
    mkdirSync(files)
    fill(files)
    await base(name, files)
    rmSync(files, { recursive: true })
  }

  // The Docker format, because the OCI one has no health check.
  const common = [
    'build',
    '--format',
    'docker',
    '--layers',
    '--network',
    'none',
    '--timestamp',
    String(EPOCH),
  ]
  return {
    baseLayers: 1,
    base,
    build: async (target, name, args = []) => {
      const bases = ['--build-arg', `BUILDER=${BUILDER}`, '--build-arg', `RUNTIME=${RUNTIME}`]
      const npm = ['--build-context', `npm-cache=${NPM_CACHE}`, '--build-arg', 'NPM_FLAGS=--offline']
      const epoch = ['--build-arg', `SOURCE_DATE_EPOCH=${EPOCH}`]
      await buildah(...common, ...bases, ...npm, ...epoch, ...args, '--target', target, '-t', name, ROOT)
      return image(name)
    },
    buildProxy: async (from, name) => {
      const file = join(ROOT, 'nginx/Dockerfile')
      await buildah(...common, '--build-arg', `NGINX=${from}`, '-f', file, '-t', name, ROOT)
      return image(name)
    },
    close: async () => {
      await buildah('rmi', '--all', '--force').catch(() => undefined)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function readImage(
  name: string,
  layout: string,
  buildah: (...args: string[]) => Promise<string>,
): Promise<Image> {
  const { Docker } = JSON.parse(await buildah('inspect', '--type', 'image', name)) as {
    Docker: { config: ImageConfig; rootfs: { diff_ids: string[] } }
  }
  // The sizes are those of the compressed layers, as a registry serves them.
  await buildah('push', '--format', 'v2s2', name, `dir:${layout}`)
  const manifest = JSON.parse(readFileSync(join(layout, 'manifest.json'), 'utf8')) as Manifest
  return {
    name,
    config: Docker.config,
    layers: Docker.rootfs.diff_ids.map((diffId, index) => ({
      diffId,
      bytes: manifest.layers[index]?.size ?? Number.NaN,
      file: join(layout, manifest.layers[index]?.digest.replace('sha256:', '') ?? ''),
    })),
    unpack: async (target) => {
      mkdirSync(target, { recursive: true })
      for (const { digest } of manifest.layers)
        execFileSync('tar', [
          '--extract',
          '--gzip',
          '--same-permissions',
          '--same-owner',
          '--numeric-owner',
          '--file',
          join(layout, digest.replace('sha256:', '')),
          '--directory',
          target,
        ])
    },
  }
}
