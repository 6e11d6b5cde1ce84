// The servers that a run compares: the floor, the two SDKs and ours, each with how it is started.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { entrypoint } from '../../scripts/image/entrypoint.ts'
import { type Access, prepareAccess } from './access.ts'
import type { Era } from './calls.ts'
import { root } from './process.ts'

export type Start = {
  readonly args: readonly string[]
  readonly env?: Record<string, string>
  readonly stdout?: string
  /** Value of the Authorization header of its calls. */
  readonly authorization?: string
}
export type Target = {
  readonly name: string
  readonly what: string
  readonly eras: readonly Era[]
  /** `dir` is a folder of this run for config and records. */
  readonly start: (port: number, backendPort: number, dir: string) => Start
}

/** The flags of the image; of the file system everything is allowed, because the folders are others. */
export const imageFlags: readonly string[] = [
  ...entrypoint().filter((arg) => arg.startsWith('--') && !arg.startsWith('--allow-fs-')),
  '--allow-fs-read=*',
  '--allow-fs-write=*',
]
/** Those of V8 among them, which the floor has too: it shall not win or lose by another setting of the collector. */
export const engineFlags: readonly string[] = imageFlags.filter((flag) => /semi-space|pretenuring/.test(flag))

function peer(name: string, what: string, eras: readonly Era[], flags: readonly string[] = []): Target {
  return {
    name,
    what,
    eras,
    start: (port, backendPort) => ({
      args: [...flags, `bench/peers/${name}.ts`],
      env: { PORT: String(port), BACKEND: `http://127.0.0.1:${backendPort}` },
    }),
  }
}

export const floor = peer(
  'floor',
  'node:http and undici dispatch, no MCP SDK, no control',
  ['legacy', 'modern'],
  engineFlags,
)
export const sdk1 = peer('sdk1', 'SDK 1.x stock stateless example: express, server and transport per call', [
  'legacy',
])
export const sdk2 = peer('sdk2', 'SDK 2.x createMcpHandler behind node:http', ['legacy', 'modern'])
export const peers: readonly Target[] = [floor, sdk1, sdk2]

const bundle = 'dist/ductape-mcp.mjs'
export const sources = 'src/main.ts'

/** A run is one caller, and as fast as it can be. */
const NO_LIMITS =
  'principal: { rate: off, concurrency: off, executions: off, inputTokens: off, outputTokens: off, deadline: off }\n'
const ANY_RATE = 'peerRate: { perMinute: 10000000, burst: 1000000 }'

/** What the runs start as ours: the bundle when it was built, else the sources; nothing when neither is there. */
export function entry(): string | undefined {
  return [bundle, sources].find((file) => existsSync(path.join(root, file)))
}

export type Variant = {
  readonly name?: string
  readonly what?: string
  readonly entry?: string
  /** Lines of config.yaml beside the listeners, the backend, the limits and `http`. */
  readonly config?: readonly string[]
  /** Records go to a file in the run's folder, or are thrown away by the kernel. */
  readonly records?: 'file' | 'null'
  /** Beside those of the image. */
  readonly nodeArgs?: readonly string[]
  /** Identity, policy and limits; without it they are off. */
  readonly access?: Access
  readonly env?: Record<string, string>
}

/** Ours with the reference configuration, or a variant of it. */
export function ours(variant: Variant = {}): Target {
  const name = variant.name ?? 'ours'
  const file = variant.entry ?? entry() ?? bundle
  const records = variant.records ?? 'file'
  const sink = records === 'file' ? 'to a file' : 'to /dev/null'
  return {
    name,
    what: variant.what ?? `ductape-mcp serve from ${file}, catalogue enforced, two records a call ${sink}`,
    eras: ['legacy', 'modern'],
    start(port, backendPort, dir) {
      const config = path.join(dir, `config-${port}.yaml`)
      const live = path.join(dir, `live-${port}`)
      mkdirSync(live, { recursive: true })
      if (variant.access === undefined) writeFileSync(path.join(live, 'limits.yaml'), NO_LIMITS)
      const access = variant.access === undefined ? undefined : prepareAccess(live, variant.access)
      const lines = [
        'version: 1',
        `listen: "127.0.0.1:${port}"`,
        'ops: "127.0.0.1:0"',
        `backend: { url: "http://127.0.0.1:${backendPort}" }`,
        `live: ${JSON.stringify(live)}`,
        `http: { ${ANY_RATE} }`,
        ...(access?.config ?? variant.config ?? ['catalogue: enforce']),
      ]
      writeFileSync(config, `${lines.join('\n')}\n`)
      return {
        args: [...imageFlags, ...(variant.nodeArgs ?? []), file, 'serve', '--config', config],
        ...(variant.env === undefined ? {} : { env: variant.env }),
        ...(access !== undefined && { authorization: access.authorization }),
        stdout: records === 'file' ? path.join(dir, `records-${port}.jsonl`) : '/dev/null',
      }
    },
  }
}
