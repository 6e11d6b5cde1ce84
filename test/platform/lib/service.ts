// Starts the emulator in this process and the service beside it, as `ductape-mcp serve --config FILE` from the sources.
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { type Emulator, startEmulator } from '../../../src/emulator/index.ts'
import { PUBLIC_URL, TRUST_DOMAIN } from './certs.ts'
import { sharedFolder } from './nginx.ts'
import { type Running, start } from './process.ts'
import { ROOT } from './tools.ts'

export const LISTENING = /listening on (http:\/\/127\.0\.0\.1:(\d+))/
export const LISTENING_UNIX = /listening on unix:(\/\S+)/
const READY = /"event":"started"/

export interface Service {
  readonly emulator: Emulator
  /** The MCP endpoint. */
  readonly url: string
  readonly process: Running
  readonly close: () => Promise<void>
}

/** The whole configuration on loopback without an authenticator. */
function configYaml(backendUrl: string, listen = '127.0.0.1:0'): string {
  return `version: 1\nlisten: "${listen}"\nops: "127.0.0.1:0"\nbackend:\n  url: "${backendUrl}"\n`
}

/** Who may what, for the certificates of agents: they may read. */
export const POLICY = `version: 1
roles:
  agent:
    allow:
      - tool: "*"
        effect: read
`

/** For tests that are not about limits. */
export const LIMITS = `version: 1
principal: { rate: "off", inputTokens: "off", outputTokens: "off" }
`

/** The section auth.mtls of the tests: SPIFFE IDs and DNS names of agents. */
export const mtlsSection = (caFile: string): object => ({
  ca: { file: caFile },
  trustDomains: [TRUST_DOMAIN],
  map: [
    { uri: `spiffe://${TRUST_DOMAIN}/ns/agents/sa/*`, tenant: 'acme', roles: ['agent'] },
    { dns: 'agent-*.example.com', roles: ['agent'] },
  ],
})

export interface UnixConfig {
  readonly backendUrl: string
  readonly socket: string
  readonly live: string
  readonly auth: object | undefined
}

/** The configuration of a service behind nginx; JSON, which is YAML. */
export function unixConfig({ backendUrl, socket, live, auth }: UnixConfig): string {
  return JSON.stringify({
    version: 1,
    publicUrl: PUBLIC_URL,
    listen: `unix:${socket}`,
    ops: '127.0.0.1:0',
    // A test that repeats a call until a change is in force is one peer that asks a lot.
    http: { peerRate: { perMinute: 10_000_000, burst: 1_000_000 } },
    backend: { url: backendUrl },
    live,
    receipts: { keys: 'boot' },
    auth,
  })
}

function run(folder: string, config: string, env: Record<string, string> = {}): Running {
  const file = join(folder, 'config.yaml')
  writeFileSync(file, config)
  return start(process.execPath, [join(ROOT, 'src/main.ts'), 'serve', '--config', file], {
    cwd: folder,
    env,
  })
}

export async function startService(): Promise<Service> {
  const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-service-'))
  const emulator = await startEmulator()
  const service = run(folder, configYaml(emulator.url))
  const close = async (): Promise<void> => {
    await service.stop()
    await emulator.close()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const match = await service.line(LISTENING)
    return { emulator, url: `${match[1]}/mcp`, process: service, close }
  } catch (error) {
    await close()
    throw error
  }
}

export interface UnixService {
  readonly socket: string
  readonly process: Running
  /** Puts a file of live/ in place whole, as a mounted ConfigMap does. */
  readonly writeLive: (name: string, text: string) => void
  /** Who made the call of this request id, as its record says; waits for the record. */
  readonly callerOf: (requestId: string) => Promise<Readonly<Record<string, unknown>>>
  readonly close: () => Promise<void>
}

/** A service on a unix socket that nginx can reach, in a folder of its own. */
export async function startUnixService(
  folder: string,
  backendUrl: string,
  auth: object,
  env: Record<string, string> = {},
): Promise<UnixService> {
  mkdirSync(folder)
  const live = join(folder, 'live')
  mkdirSync(live)
  const socket = join(sharedFolder(join(folder, 'run')), 'mcp.sock')
  const writeLive = (name: string, text: string): void => {
    writeFileSync(join(live, `.${name}`), text)
    renameSync(join(live, `.${name}`), join(live, name))
  }
  writeLive('policy.yaml', POLICY)
  writeLive('limits.yaml', LIMITS)
  const service = run(folder, unixConfig({ backendUrl, socket, live, auth }), env)
  try {
    await service.line(READY)
  } catch (error) {
    await service.stop()
    throw error
  }
  return {
    socket,
    process: service,
    writeLive,
    callerOf: async (requestId) => {
      for (;;) {
        const line = service
          .stdout()
          .split('\n')
          .find((text) => text.endsWith('}') && text.includes(requestId) && text.includes('"who":'))
        if (line !== undefined) return (JSON.parse(line) as { who: Record<string, unknown> }).who
        await once(service.child.stdout as Readable, 'data')
      }
    },
    close: () => service.stop(),
  }
}
