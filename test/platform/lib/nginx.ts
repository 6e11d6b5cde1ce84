// Runs nginx/entrypoint with a real nginx in a folder of its own, on free loopback ports.
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../lib/ports.ts'
import type { Certificates } from './certs.ts'
import { complete, type Running, start } from './process.ts'
import { path, ROOT } from './tools.ts'

const TEMPLATE = 'ductape-mcp.conf.template'
const ENTRYPOINT = 'entrypoint'
// The proxy's own user in the pod; as root we take it here too, so that a path only root can reach shows up.
const PROXY_UID = 10101

/** A folder whose files belong to the proxy's group, as an emptyDir under a pod's fsGroup: the service's socket stands there. */
export function sharedFolder(folder: string, owner?: number): string {
  mkdirSync(folder)
  if (process.getuid?.() === 0) chownSync(folder, owner ?? 0, PROXY_UID)
  // Set-group-id: what is made inside takes the folder's group.
  chmodSync(folder, 0o2770)
  return folder
}

/** The nginx of Debian 12 and a current one; the directives of the template are such that both take it. */
export const NGINX_PROGRAMS = ['nginx', 'nginx-mainline'] as const
export type NginxProgram = (typeof NGINX_PROGRAMS)[number]

/** Where the tools of the entrypoint come from: this machine, or busybox alone as in an Alpine image. */
export type Shell = 'dash' | 'busybox'

export interface NginxOptions {
  readonly program?: NginxProgram
  readonly shell?: Shell
  /** Host of the people's server, which has the agents' server certificate here; without it there is none. */
  readonly peopleHost?: string
  /** Further MCP_ variables of the entrypoint. */
  readonly env?: Readonly<Record<string, string>>
}

export interface Nginx {
  readonly port: number
  readonly peoplePort: number
  /** Of the plain listener for probes and metrics. */
  readonly healthPort: number
  readonly process: Running
  readonly accessLog: () => Record<string, unknown>[]
  /** What the entrypoint has said: its own lines, without those of nginx. */
  readonly events: () => Record<string, unknown>[]
  /** Ends nginx at once; open connections are cut. */
  readonly close: () => Promise<void>
}

/** Only busybox and its names, so that a tool that Alpine lacks is missed here too. */
export async function toolsFor(
  shell: Shell,
  folder: string,
): Promise<readonly [program: string, PATH: string]> {
  if (shell === 'dash') return [path('dash'), process.env['PATH'] ?? '']
  const applets = join(folder, 'applets')
  mkdirSync(applets, { recursive: true })
  const { code, stderr } = await complete(path('busybox'), ['--install', '-s', applets])
  if (code !== 0) throw new Error(stderr)
  return [join(applets, 'sh'), applets]
}

/** The folder becomes the proxy user's, with all that is in it. */
export function giveToProxy(folder: string): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  chmodSync(folder, 0o755)
  chownSync(folder, PROXY_UID, PROXY_UID)
  for (const name of readdirSync(folder)) chownSync(join(folder, name), PROXY_UID, PROXY_UID)
  return { uid: PROXY_UID, gid: PROXY_UID }
}

export const jsonLines = (text: string): Record<string, unknown>[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)

/** What `startNginx` sets, for a test that starts the entrypoint by itself. */
export function proxyEnv(folder: string, certs: Certificates): Record<string, string> {
  return {
    MCP_TEMPLATE: join(folder, TEMPLATE),
    MCP_WATCH_SECONDS: '1',
    MCP_RUN_DIR: folder,
    MCP_ACCESS_LOG: join(folder, 'access.log'),
    MCP_OPS: '127.0.0.1:9',
    MCP_TLS_CERT: certs.server.certFile,
    MCP_TLS_KEY: certs.server.keyFile,
    MCP_CLIENT_CA: certs.caFile,
  }
}

/** `upstream` is the path of the service's socket. */
export async function startNginx(
  folder: string,
  certs: Certificates,
  upstream: string,
  { program = 'nginx', shell = 'dash', peopleHost, env = {} }: NginxOptions = {},
): Promise<Nginx> {
  for (const name of [TEMPLATE, ENTRYPOINT]) copyFileSync(join(ROOT, 'nginx', name), join(folder, name))
  const binary = join(folder, program)
  if (!existsSync(binary)) copyFileSync(path(program), binary)
  chmodSync(binary, 0o755)
  const [interpreter, PATH] = await toolsFor(shell, folder)
  const user = giveToProxy(folder)
  // Another process may take a port between our look and nginx's bind: then look again.
  for (let attempt = 1; ; attempt++) {
    const [port, healthPort, peoplePort] = [await freePort(), await freePort(), await freePort()]
    const running = start(interpreter, [join(folder, ENTRYPOINT)], {
      cwd: folder,
      env: {
        PATH,
        ...proxyEnv(folder, certs),
        MCP_NGINX: binary,
        MCP_UPSTREAM: `unix:${upstream}`,
        MCP_LISTEN: `127.0.0.1:${port}`,
        MCP_HEALTH_LISTEN: `127.0.0.1:${healthPort}`,
        ...(peopleHost === undefined
          ? {}
          : {
              MCP_PEOPLE_HOST: peopleHost,
              MCP_PEOPLE_LISTEN: `127.0.0.1:${peoplePort}`,
              MCP_PEOPLE_TLS_CERT: certs.server.certFile,
              MCP_PEOPLE_TLS_KEY: certs.server.keyFile,
            }),
        ...(program === 'nginx' ? { MCP_KEEPALIVE_MIN: '' } : {}),
        ...env,
      },
      ...user,
    })
    try {
      await running.line(/start worker process \d+/)
    } catch (error) {
      await running.stop()
      if (attempt < 5 && /Address already in use/.test(running.stderr())) continue
      throw error
    }
    const pidFile = join(folder, 'nginx.pid')
    return {
      port,
      peoplePort,
      healthPort,
      process: running,
      accessLog: () => {
        const file = join(folder, 'access.log')
        return jsonLines(existsSync(file) ? readFileSync(file, 'utf8') : '')
      },
      events: () => jsonLines(running.stderr()),
      close: async () => {
        if (running.child.exitCode !== null) return
        // Not the entrypoint: it would let nginx wait for its open connections.
        if (existsSync(pidFile)) process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGTERM')
        await running.exitWithin(10_000).catch(() => undefined)
        await running.stop()
      },
    }
  }
}
