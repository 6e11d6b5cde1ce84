// Stand-ins for the bases that the Dockerfiles name, in a store of buildah's own, so that the commands of a page build without a registry.
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { imageBuilder } from '../../../test/platform/lib/image.ts'
import { path, unless } from '../../../test/platform/lib/tools.ts'
import { ROOT } from '../../cluster/lib/paths.ts'
import { must } from '../../cluster/lib/wait.ts'

function argument(dockerfile: string, name: string): string {
  const text = readFileSync(join(ROOT, dockerfile), 'utf8')
  const value = new RegExp(`^ARG ${name}=(\\S+)$`, 'm').exec(text)?.[1]
  if (value === undefined) throw new Error(`${dockerfile} has no ARG ${name}`)
  return value
}

/** A program with the libraries that the loader takes for it; one that is linked statically has none. */
function put(folder: string, program: string, place: string): void {
  const { stdout } = spawnSync('ldd', [program], { encoding: 'utf8' })
  const libraries = [...stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, library = '']) => [
    library,
    library,
  ])
  for (const [from = '', to = ''] of [[program, place], ...libraries]) {
    mkdirSync(dirname(join(folder, to)), { recursive: true })
    copyFileSync(from, join(folder, to))
    chmodSync(join(folder, to), 0o755)
  }
}

/** What the proxy's files ask of their base: nginx, and a shell with the tools of its watcher. */
function nginxFiles(folder: string): void {
  put(folder, path(unless('nginx-mainline') === false ? 'nginx-mainline' : 'nginx'), '/usr/bin/nginx')
  const busybox = path('busybox')
  put(folder, busybox, '/bin/busybox')
  for (const applet of execFileSync(busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n'))
    if (applet !== 'busybox') symlinkSync('busybox', join(folder, 'bin', applet))
}

function program(folder: string, name: string, lines: readonly string[]): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, name), `#!/bin/sh\nset -e\n${lines.join('\n')}\n`)
  chmodSync(join(folder, name), 0o755)
}

export interface StandIns {
  /** PATH with a `buildah` in front: the real one, on a store that holds the bases; its builds take npm's packages from a cache. */
  readonly path: string
  /** The same with `docker` and `kind`: buildah, and what kind does with an image, done to the one node. */
  readonly pathWithKind: string
}

/** All of it lies below `folder`. */
export async function standIns(folder: string): Promise<StandIns> {
  const images = join(folder, 'images')
  const builder = await imageBuilder(images)
  const files = join(folder, 'nginx')
  mkdirSync(files, { recursive: true })
  nginxFiles(files)
  await builder.base(argument('nginx/Dockerfile', 'NGINX'), files)
  const buildah = path('buildah')
  const store = ['--root', join(images, 'store'), '--runroot', join(images, 'run')]
  for (const [standIn, name] of [
    ['localhost/stand-in/builder:26', argument('Dockerfile', 'BUILDER')],
    ['localhost/stand-in/runtime:26', argument('Dockerfile', 'RUNTIME')],
  ] as const)
    await must(buildah, [...store, 'tag', standIn, name], {
      env: { ...process.env, STORAGE_DRIVER: 'vfs' },
    })

  const offline = `--build-context npm-cache=${join(ROOT, '.cache/npm')} --build-arg NPM_FLAGS=--offline`
  program(join(folder, 'bin'), 'buildah', [
    // No overlay mounts and no containers inside: so it works in a container too.
    'export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot',
    `[ "$1" != build ] || { shift && set -- build ${offline} "$@"; }`,
    `exec ${buildah} ${store.join(' ')} "$@"`,
  ])
  program(join(folder, 'kind'), 'docker', [
    '[ "$1" = build ]',
    'shift',
    'exec buildah build --network host "$@"',
  ])
  program(join(folder, 'kind'), 'kind', [
    'case "$1 $2" in "create cluster" | "delete cluster") exit ;; "load docker-image") ;; *) exit 2 ;; esac',
    '[ "$3" = --name ]',
    'shift 4',
    `for image; do rm -f ${folder}/image.tar`,
    `buildah push "$image" "docker-archive:${folder}/image.tar:$image"`,
    `ctr --namespace k8s.io images import ${folder}/image.tar; done`,
  ])
  const found = [join(folder, 'bin'), process.env['PATH'] ?? ''].join(delimiter)
  return { path: found, pathWithKind: [join(folder, 'kind'), found].join(delimiter) }
}
