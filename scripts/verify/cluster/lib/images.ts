// The images of the run: those that the caller names, or on the one-node cluster ones laid out from this tree and pushed to its registry.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { path, unless } from '../../../../test/platform/lib/tools.ts'
import { type Image, pushImage } from '../../../cluster/lib/image.ts'
import { ROOT } from '../../../cluster/lib/paths.ts'
import { must } from '../../../cluster/lib/wait.ts'
import type { Images } from './proof.ts'

/** The program with the libraries that the loader would take for it; ldd refuses one that is linked statically. */
function withLibraries(program: string, at: string): Record<string, string> {
  const { stdout } = spawnSync('ldd', [program], { encoding: 'utf8' })
  const libraries = [...stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, library = '']) => library)
  return { [at]: program, ...Object.fromEntries(libraries.map((library) => [library, library])) }
}

/** The flags and the start command stand in the Dockerfile alone. */
function fromDockerfile(text: string): { entrypoint: string[]; env: string[] } {
  const entrypoint = /^ENTRYPOINT (\[.*\])$/m.exec(text.replaceAll(/\\\n\s*/g, ' '))?.[1]
  if (entrypoint === undefined) throw new Error('the Dockerfile has no ENTRYPOINT in JSON')
  return {
    entrypoint: JSON.parse(entrypoint) as string[],
    env: [...text.matchAll(/^ENV (DUCTAPE_\S+)$/gm)].map((match) => String(match[1])),
  }
}

/** A stand-in for the published images, whose bases are on a registry that a test does not reach: the same files, users and start commands. */
export async function makeImages(folder: string): Promise<Images> {
  const out = join(folder, 'images')
  mkdirSync(out, { recursive: true })
  await must(process.execPath, ['scripts/image/stage.ts', out], { cwd: ROOT })
  const node = withLibraries(process.execPath, '/nodejs/bin/node')
  const { entrypoint, env } = fromDockerfile(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'))
  const service = (name: string, target: string, command: readonly string[]): Image => ({
    name,
    tag: 'verify',
    files: { ...node, '/app': join(out, target, 'app') },
    entrypoint,
    command,
    env,
    workdir: '/app',
    user: '10001:10001',
  })
  const busybox = path('busybox')
  const applets = execFileSync(busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n')
  const nginx = path(unless('nginx-mainline') === false ? 'nginx-mainline' : 'nginx')
  const proxy: Image = {
    name: 'ductape-mcp-proxy',
    tag: 'verify',
    files: {
      ...withLibraries(busybox, '/bin/busybox'),
      ...withLibraries(nginx, '/usr/sbin/nginx'),
      '/etc/nginx/ductape-mcp.conf.template': join(ROOT, 'nginx/ductape-mcp.conf.template'),
      '/usr/local/bin/ductape-mcp-proxy': join(ROOT, 'nginx/entrypoint'),
    },
    links: Object.fromEntries(
      applets.filter((name) => name !== 'busybox').map((name) => [`/bin/${name}`, 'busybox']),
    ),
    entrypoint: ['/usr/local/bin/ductape-mcp-proxy'],
    env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'],
    user: '10101:10001',
  }
  const redis: Image = {
    name: 'redis',
    tag: 'verify',
    files: withLibraries(path('redis-server'), '/usr/bin/redis-server'),
    entrypoint: ['/usr/bin/redis-server'],
    user: '10002:10002',
  }
  return {
    app: await pushImage(service('ductape-mcp', 'release', ['serve'])),
    emulator: await pushImage(service('ductape-mcp-emulator', 'emulator', ['emulator', '--port', '4311'])),
    proxy: await pushImage(proxy),
    redis: await pushImage(redis),
  }
}
