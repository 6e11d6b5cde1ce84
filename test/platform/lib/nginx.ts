// Renders nginx/ductape-mcp.conf.template into a folder and runs a real nginx from it on a free loopback port.
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../lib/ports.ts'
import type { Certificates } from './certs.ts'
import { type Running, start } from './process.ts'
import { path, ROOT } from './tools.ts'

const TEMPLATE = join(ROOT, 'nginx/ductape-mcp.conf.template')
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

export interface Nginx {
  readonly port: number
  readonly process: Running
  readonly accessLog: () => Record<string, unknown>[]
  readonly close: () => Promise<void>
}

/** Fills `${NAME}` and refuses a name that has no value, as well as a value that the template does not use. */
function render(template: string, values: Readonly<Record<string, string>>): string {
  const used = new Set<string>()
  const text = template.replace(/\$\{([A-Z_]+)\}/g, (_, name: string) => {
    const value = values[name]
    if (value === undefined) throw new Error(`the template needs ${name}`)
    used.add(name)
    return value
  })
  const unused = Object.keys(values).filter((name) => !used.has(name))
  if (unused.length > 0) throw new Error(`the template does not use ${unused.join(', ')}`)
  return text
}

/** `upstream` is the path of the service's socket. */
export async function startNginx(folder: string, certs: Certificates, upstream: string): Promise<Nginx> {
  const asRoot = process.getuid?.() === 0
  if (asRoot) {
    chmodSync(folder, 0o755)
    chownSync(folder, PROXY_UID, PROXY_UID)
    for (const name of readdirSync(folder)) chownSync(join(folder, name), PROXY_UID, PROXY_UID)
  }
  const accessLog = join(folder, 'access.log')
  const config = join(folder, 'nginx.conf')
  // Another process may take the port between our look and nginx's bind: then look again.
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const values = {
      MCP_RUN_DIR: folder,
      MCP_ACCESS_LOG: accessLog,
      MCP_LISTEN: `127.0.0.1:${port}`,
      MCP_UPSTREAM: `unix:${upstream}`,
      MCP_TLS_CERT: certs.server.certFile,
      MCP_TLS_KEY: certs.server.keyFile,
      MCP_CLIENT_CA: certs.caFile,
    }
    writeFileSync(config, render(readFileSync(TEMPLATE, 'utf8'), values))
    const running = start(path('nginx'), ['-p', folder, '-c', config, '-e', 'stderr', '-g', 'daemon off;'], {
      cwd: folder,
      env: {},
      ...(asRoot ? { uid: PROXY_UID, gid: PROXY_UID } : {}),
    })
    try {
      await running.line(/start worker process \d+/)
    } catch (error) {
      await running.stop()
      if (attempt < 5 && /Address already in use/.test(running.stderr())) continue
      throw error
    }
    return {
      port,
      process: running,
      accessLog: () =>
        (existsSync(accessLog) ? readFileSync(accessLog, 'utf8') : '')
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line) as Record<string, unknown>),
      close: () => running.stop(),
    }
  }
}
