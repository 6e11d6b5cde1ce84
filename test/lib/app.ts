// Builds the service for tests: records and log in memory, the emulator or a given dispatcher as backend, on a free loopback port.
import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import type { Dispatcher } from 'undici'
import { type App, createApp, type Overrides, type Ports } from '../../src/app.ts'
import { createChain } from '../../src/audit/chain.ts'
import { bootRing, createSigningKeys } from '../../src/audit/keys.ts'
import type { SinkWriter } from '../../src/audit/writer.ts'
import { diskFiles } from '../../src/cli/disk.ts'
import { type Config, defaultConfig } from '../../src/config/index.ts'
import type { LimitRules, Quota } from '../../src/core/runtime.ts'
import { type Emulator, type EmulatorOptions, startEmulator } from '../../src/emulator/index.ts'
import { bootKeys } from '../../src/keys/index.ts'
import { dial, fetchBytes } from '../../src/outbound.ts'
import { createMemoryStore } from '../../src/store/index.ts'
import { createLog } from '../../src/telemetry/log.ts'

type Sections = { [Name in 'http' | 'backend' | 'response' | 'audit' | 'replay']?: Partial<Config[Name]> }
type Whole = 'publicUrl' | 'peopleUrl' | 'catalogue' | 'auth' | 'credentials' | 'keys' | 'live' | 'listen'

export interface TestAppOptions extends Overrides {
  config?: Sections & Partial<Pick<Config, Whole>>
  emulator?: EmulatorOptions
  /** Takes the place of the emulator: a dispatcher, or the origin of a server of the test. */
  backend?: Dispatcher | string
  ports?: Partial<Ports>
}

/** A decision or an outcome, as far as tests look at them. */
export interface RecordLine {
  callId: string
  type: 'decision' | 'outcome'
  decision?: { allowed: boolean; code?: string; stage?: string; rule?: string; wouldDeny?: true }
  outcome?: {
    status: string
    code?: string
    httpStatus: number
    backendStatus?: number
    resultDigest?: string
  }
  what?: Record<string, unknown>
  who?: Record<string, unknown>
}

export interface TestApp {
  app: App
  /** Origin of the main listener. */
  url: string
  mcp: string
  /** Undefined where another backend was given. */
  emulator: Emulator | undefined
  records: () => RecordLine[]
  /** All lines, as they were written. */
  chain: () => readonly string[]
  log: () => string[]
  /** Ends the window in which further refusals of the same kind are only counted. */
  nextWindow(): void
  close(): Promise<void>
}

const UNLIMITED = { perMinute: 10_000_000, burst: 1_000_000 }
const NO_QUOTA: Quota = {
  rate: undefined,
  concurrency: undefined,
  executions: undefined,
  inputTokens: undefined,
  outputTokens: undefined,
  deadline: undefined,
}

/** For tests that are not about limits. */
export const NO_LIMITS: LimitRules = {
  digest: '',
  principal: NO_QUOTA,
  principals: new Map(),
  tools: new Map(),
  tenant: NO_QUOTA,
  tenants: new Map(),
}

/** Of every chain that a test application writes. */
export const CHAIN = '018f0000-0000-7000-8000-00000000cafe'
const NO_DIGEST = '0'.repeat(64)

/** Takes every line at once. */
export const memorySink = (lines: string[]): SinkWriter => ({
  write: (line) => lines.push(line) > 0,
  insert(before, after, pieceOf) {
    const line = before + pieceOf(Buffer.from(before + after)) + after
    // As bytes, like the kernel: a text that is put together holds on to the request from which its parts were cut.
    return lines.push(Buffer.from(line).toString()) > 0
  },
  flush: async () => undefined,
  taken: async () => true,
  hasRoom: () => true,
  fault: () => undefined,
  stats: () => ({ written: lines.length, lost: 0, pendingBytes: 0 }),
})

/** The decisions and outcomes of a chain. */
export const recordsOf = (lines: readonly string[]): RecordLine[] =>
  lines
    .map((line) => JSON.parse(line) as RecordLine)
    .filter(({ type }) => type === 'decision' || type === 'outcome')

/** The defaults with single members replaced. */
export function configOf(sections: TestAppOptions['config'] = {}, backendUrl?: string): Config {
  const base = defaultConfig()
  return {
    ...base,
    ...sections,
    // A test is one peer, and as fast as it can be.
    http: { ...base.http, drainTimeout: 2000, peerRate: UNLIMITED, ...sections.http },
    backend: { ...base.backend, ...(backendUrl !== undefined && { url: backendUrl }), ...sections.backend },
    response: { ...base.response, ...sections.response },
    audit: { ...base.audit, ...sections.audit },
    replay: { ...base.replay, ...sections.replay },
  }
}

export async function startApp(options: TestAppOptions = {}): Promise<TestApp> {
  const { backend } = options
  const emulator = backend === undefined ? await startEmulator(options.emulator) : undefined
  const config = configOf(options.config, typeof backend === 'string' ? backend : emulator?.url)
  const records: string[] = []
  const log: string[] = []
  const signingKeys = createSigningKeys(bootRing(), Date.now)
  let ids = 0
  let later = 0
  const ports: Ports = {
    now: Date.now,
    tick: () => performance.now() + later,
    newId: () => `018f0000-0000-7000-8000-${(++ids).toString(16).padStart(12, '0')}`,
    log: createLog('debug', Date.now, (line) => log.push(line)),
    records: memorySink(records),
    openChain: (policyDigest) =>
      createChain({
        id: CHAIN,
        instance: 'test',
        mode: config.audit.mode,
        writer: ports.records,
        key: signingKeys.current(),
        now: ports.now,
        tick: ports.tick,
        onEvent: (name, fields) => ports.log.warn(name, fields),
        open: { configDigest: NO_DIGEST, policyDigest: policyDigest ?? NO_DIGEST, service: ports.server },
      }),
    signingKeys,
    random: randomBytes,
    tracing: undefined,
    backend:
      typeof backend === 'object'
        ? backend
        : await dial('backend', {
            origin: config.backend.url,
            connections: config.backend.connections,
            ca: undefined,
            proxy: undefined,
            connectTimeout: 5000,
          }),
    store: createMemoryStore({ now: Date.now }),
    files: diskFiles,
    fetch: (url) =>
      fetchBytes('issuer', {
        url,
        limit: 256 * 1024,
        timeout: 5000,
        connectTimeout: 5000,
        ca: undefined,
        proxy: undefined,
      }),
    fleet: [bootKeys(randomBytes), false],
    instance: 'test/boot',
    server: { name: 'ductape-mcp', version: '0.0.0-test' },
    ...options.ports,
  }
  const app = await createApp(config, ports, {
    ...(options.tools !== undefined && { tools: options.tools }),
    ...(options.stages !== undefined && { stages: options.stages }),
    limits: 'limits' in options ? options.limits : NO_LIMITS,
  })
  await new Promise<void>((resolve, reject) => {
    app.main.once('error', reject)
    if (config.listen.kind === 'unix') app.main.listen(config.listen.path, resolve)
    else app.main.listen(0, '127.0.0.1', resolve)
  })
  const address = app.main.address()
  const url =
    typeof address === 'string' ? `unix:${address}` : `http://127.0.0.1:${(address as AddressInfo).port}`
  return {
    app,
    url,
    mcp: `${url}/mcp`,
    emulator,
    records: () => recordsOf(records),
    chain: () => records,
    log: () => log,
    nextWindow: () => {
      later += 11_000
    },
    async close() {
      await app.drain()
      await app.close()
      await emulator?.close()
    },
  }
}
