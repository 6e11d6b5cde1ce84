// A real fault for every alert: how the service is started, what is done to it, and which alerts then have to fire that did not before.
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { type Emulator, startEmulator } from '../../../src/emulator/index.ts'
import { callTool, EXECUTE } from '../../lib/calls.ts'
import { freePort } from '../../lib/ports.ts'
import { NO_LIMITS, type Served, serve } from '../../lib/serve.ts'
import { ALLOW_ALL, bearer, call, keysFile, PUBLIC_URL } from '../../live/lib/secured.ts'
import { rawClient, type Server, startServer } from '../../store/lib/server.ts'

export interface Bench {
  emulator: Emulator
  /** The folder live/. */
  folder: string
  service: Served
  redis: Server | undefined
  /** Nothing listens there. */
  deadUrl: string
  /** Runs again and again until the alert has fired. */
  during: (() => Promise<unknown>) | undefined
}

export interface Fault {
  what: string
  alerts: readonly string[]
  /** Fast enough for every run of the platform tests. */
  quick?: true
  redis?: true
  /** Members of the configuration, with addresses of this run. */
  config?(at: { folder: string; dead: string; redis: string }): Record<string, unknown>
  live?: Readonly<Record<string, unknown>>
  env?(at: { dead: string }): Record<string, string>
  stdout?(): number
  breakIt(bench: Bench): Promise<unknown> | unknown
}

const each = (count: number, run: (index: number) => Promise<unknown>): Promise<unknown> =>
  Promise.all(Array.from({ length: count }, (_, index) => run(index)))
const execute = ({ service }: Bench, args: object = EXECUTE): Promise<unknown> =>
  callTool(service.url, 'ductape_execute', args)
const again = (bench: Bench, run: () => Promise<unknown>): void => {
  bench.during = run
}

const insertOf = (id: number) => ({
  ...EXECUTE,
  module: 'databases',
  method: 'insert',
  params: [{ product: 'ductape:my-product', env: 'dev', database: 'main-db', table: 'users', data: { id } }],
})

/** Callers with keys, and a person's place for approvals that nobody looks at. */
const secured = ({ dead }: { dead: string }): Record<string, unknown> => ({
  publicUrl: PUBLIC_URL,
  peopleUrl: 'https://people.example.com',
  auth: { apiKeys: {}, people: { issuer: 'https://login.example.com', clientId: 'page' } },
  outbound: { notifications: { url: `${dead}/notices`, privateNetwork: true } },
})
const SECURED_LIVE = {
  'policy.yaml': { roles: { all: { allow: [{ tool: '*' }] } } },
  'keys.yaml': keysFile({
    agent: { tenant: 'acme', scopes: ['ductape:read', 'ductape:write', 'ductape:destructive'] },
  }),
}
const fleet = (folder: string) => ({
  keys: {
    fleet: {
      file: write(folder, 'fleet.txt', `k1 ${createHash('sha256').update('alerts').digest('base64url')}\n`),
    },
  },
})

function write(folder: string, name: string, text: string): string {
  const file = join(folder, name)
  fs.writeFileSync(file, text)
  return file
}

function subfolder(folder: string, name: string): string {
  const directory = join(folder, name)
  fs.mkdirSync(directory)
  return directory
}

const full = (): number => fs.openSync('/dev/full', 'w')
const strangeToken = (issuer: string): string =>
  [
    { alg: 'ES256', typ: 'at+jwt', kid: 'k' },
    {
      iss: issuer,
      sub: 'a',
      aud: PUBLIC_URL,
      exp: Math.floor(Date.now() / 1000) + 300,
      iat: Math.floor(Date.now() / 1000),
      jti: 'x',
      client_id: 'c',
    },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .concat(Buffer.alloc(64, 1).toString('base64url'))
    .join('.')

const BROKEN_SIGN = `import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
const real = crypto.sign
setTimeout(() => {
  crypto.sign = (algorithm, data, key) => {
    const head = Buffer.from(String(data).split('.')[0], 'base64url').toString()
    if (head.includes('receipt')) throw new Error('broken')
    return real(algorithm, data, key)
  }
  syncBuiltinESMExports()
}, 10_000).unref()`

export const FAULTS: readonly Fault[] = [
  {
    what: 'the only replica is killed',
    alerts: ['DuctapeMcpAbsent'],
    quick: true,
    breakIt: ({ service }) => service.child.kill('SIGKILL'),
  },
  {
    what: 'the reader of the records has stopped, in mode strict',
    alerts: ['DuctapeMcpNotReady'],
    config: () => ({ audit: { mode: 'strict', maxQueue: '64KiB', timeout: '300ms' } }),
    breakIt(bench) {
      bench.service.child.stdout?.pause()
      again(bench, () => each(50, () => execute(bench)))
    },
  },
  {
    what: 'the records go to a full device, in mode best-effort',
    alerts: [
      'DuctapeMcpAuditSinkFailing',
      'DuctapeMcpAuditRecordsLost',
      'DuctapeMcpAuditQueueFilling',
      'DuctapeMcpCheckpointLate',
    ],
    config: () => ({ audit: { mode: 'best-effort', maxQueue: '64KiB', timeout: '300ms' } }),
    stdout: full,
    breakIt: (bench) => again(bench, () => each(50, () => execute(bench))),
  },
  {
    what: 'the witness cannot be reached',
    alerts: ['DuctapeMcpWitnessFailing'],
    config: ({ dead }) => ({ audit: { witness: { url: `${dead}/checkpoints` } } }),
    breakIt: (bench) => again(bench, () => execute(bench)),
  },
  {
    what: 'the signature of receipts fails',
    alerts: ['DuctapeMcpReceiptsFailing'],
    // It works until the first look at the alerts, which have to be silent then.
    env: () => ({ NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(BROKEN_SIGN)}` }),
    breakIt: (bench) => again(bench, () => execute(bench)),
  },
  {
    what: 'the folder of the events of OCSF is taken away, and the next file cannot be begun',
    alerts: ['DuctapeMcpOcsfEventsLost'],
    config: ({ folder }) => ({
      audit: { maxFileSize: '1MiB', ocsf: { directory: subfolder(folder, 'ocsf') } },
    }),
    breakIt(bench) {
      fs.rmSync(join(bench.folder, 'ocsf'), { recursive: true })
      again(bench, () => each(50, () => execute(bench)))
    },
  },
  {
    what: 'Redis is killed',
    alerts: ['DuctapeMcpStoreUnavailable'],
    quick: true,
    redis: true,
    config: ({ folder, redis }) => ({ store: { redis: { url: redis } }, ...fleet(folder) }),
    breakIt: ({ redis }) => redis?.kill(),
  },
  {
    what: 'somebody else writes into the store',
    alerts: ['DuctapeMcpStoreTampered'],
    redis: true,
    config: ({ folder, redis }) => ({ store: { redis: { url: redis } }, ...fleet(folder) }),
    async breakIt({ redis }) {
      const intruder = await rawClient(redis?.url ?? '')
      await intruder.send('PUBLISH', 'ductape-mcp:{events}:kill', 'tool ductape_execute 1 9999999999999')
      await intruder.send('PUBLISH', 'ductape-mcp:kill', 'tool ductape_execute 1 9999999999999')
      intruder.close()
    },
  },
  {
    what: 'policy.yaml is not valid',
    alerts: ['DuctapeMcpLiveConfigStale'],
    breakIt: ({ folder }) => write(folder, 'policy.yaml', 'roles: ['),
  },
  {
    what: 'the kill switch is thrown in kill.yaml',
    alerts: ['DuctapeMcpKillSwitchOn'],
    quick: true,
    breakIt: ({ folder }) =>
      write(folder, 'kill.yaml', JSON.stringify({ kill: [{ kind: 'everything', reason: 'drill' }] })),
  },
  {
    what: 'the key file of a tenant is overwritten with nonsense',
    alerts: ['DuctapeMcpCredentialsUnusable'],
    config: ({ folder }) => ({
      ...fleet(folder),
      publicUrl: PUBLIC_URL,
      auth: { apiKeys: {} },
      credentials: {
        mode: 'injected',
        tenants: {
          acme: { publishableKey: { file: write(folder, 'acme.key', `${EXECUTE.publishable_key}\n`) } },
        },
      },
    }),
    live: SECURED_LIVE,
    breakIt: ({ folder }) => write(folder, 'acme.key', 'no key\n'),
  },
  {
    what: 'the process is stopped for a quarter of a second, again and again',
    alerts: ['DuctapeMcpEventLoopLag'],
    breakIt(bench) {
      const { child } = bench.service
      again(bench, async () => {
        child.kill('SIGSTOP')
        const from = performance.now()
        while (performance.now() - from < 260) await new Promise((resolve) => setImmediate(resolve))
        child.kill('SIGCONT')
        // Shorter than the scrape may take, and often enough for each scrape to see one.
        await setTimeout(120)
      })
    },
  },
  {
    what: 'large bodies are sent and never ended',
    alerts: ['DuctapeMcpMemoryHigh'],
    config: () => ({ http: { maxBody: '64MiB', bodyTimeout: '10m' } }),
    breakIt: ({ service }) =>
      each(12, async () => {
        const request = http.request(`${service.url}/mcp`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
        })
        request.on('error', () => undefined)
        for (let sent = 0; sent < 48; sent++)
          await new Promise<void>((resolve) => void request.write(Buffer.alloc(1 << 20, 32), () => resolve()))
      }),
  },
  {
    what: 'the collector of traces is down',
    alerts: ['DuctapeMcpSpansLost'],
    env: ({ dead }) => ({
      OTEL_EXPORTER_OTLP_ENDPOINT: dead,
      OTEL_TRACES_SAMPLER: 'always_on',
      OTEL_BSP_SCHEDULE_DELAY: '200',
      OTEL_EXPORTER_OTLP_TIMEOUT: '500',
    }),
    breakIt: (bench) => again(bench, () => execute(bench)),
  },
  {
    what: 'the backend is gone',
    alerts: ['DuctapeMcpBackendFailing', 'DuctapeMcpAvailabilityFastBurn', 'DuctapeMcpAvailabilitySlowBurn'],
    quick: true,
    async breakIt(bench) {
      await bench.emulator.close()
      again(bench, () => each(10, () => execute(bench)))
    },
  },
  {
    what: 'the backend answers after more than five seconds',
    alerts: ['DuctapeMcpLatencyFastBurn', 'DuctapeMcpLatencySlowBurn'],
    breakIt(bench) {
      bench.emulator.faults.always({ kind: 'latency', ms: 5500 })
      again(bench, () => each(30, () => execute(bench)))
    },
  },
  {
    what: 'the backend is slow and there is one connection to it',
    alerts: ['DuctapeMcpBackendPoolFull'],
    config: () => ({ backend: { connections: 1 } }),
    breakIt(bench) {
      bench.emulator.faults.always({ kind: 'latency', ms: 1000 })
      again(bench, () => each(8, () => execute(bench)))
    },
  },
  {
    what: 'a caller keeps calling with arguments that are refused',
    alerts: ['DuctapeMcpRefusalSpike'],
    quick: true,
    breakIt: (bench) => again(bench, () => each(5, () => execute(bench, { ...EXECUTE, module: 'nothing' }))),
  },
  {
    what: 'somebody tries keys',
    alerts: ['DuctapeMcpAuthFailures'],
    config: () => ({ publicUrl: PUBLIC_URL, auth: { apiKeys: {} } }),
    live: SECURED_LIVE,
    breakIt: (bench) =>
      again(bench, () => each(5, () => call(bench.service, 'rest', { headers: bearer('guessed') }))),
  },
  {
    what: 'the authorization server is down',
    alerts: ['DuctapeMcpIssuerUnavailable'],
    config: ({ dead }) => ({
      publicUrl: PUBLIC_URL,
      auth: { oauth: { issuers: [{ issuer: dead, jwksUri: `${dead}/jwks` }] } },
    }),
    live: { 'policy.yaml': ALLOW_ALL },
    breakIt: (bench) =>
      again(bench, () =>
        call(bench.service, 'rest', {
          headers: { authorization: `Bearer ${strangeToken(bench.deadUrl)}` },
        }),
      ),
  },
  {
    what: 'nobody decides, the announcement fails, and the agent asks for more and more',
    alerts: ['DuctapeMcpApprovalsUndecided', 'DuctapeMcpApprovalBacklog', 'DuctapeMcpNotificationsFailing'],
    config: secured,
    live: SECURED_LIVE,
    breakIt(bench) {
      let id = 0
      again(bench, () =>
        each(5, () => call(bench.service, 'rest', { headers: bearer('agent'), args: insertOf(++id) })),
      )
    },
  },
  {
    what: 'the backend answers with a key of a cloud',
    alerts: ['DuctapeMcpSecretsFound'],
    breakIt(bench) {
      bench.emulator.faults.always({ kind: 'result', value: { note: `key ${'AKIA'}${'Q3EGRJ2LK7ZPN5XW'}` } })
      again(bench, () => execute(bench))
    },
  },
]

/** Starts what the fault needs; `close` ends all of it. */
export async function prepare(fault: Fault, folder: string): Promise<Bench & { close(): Promise<void> }> {
  const emulator = await startEmulator({})
  const redis = fault.redis ? await startServer('redis-server') : undefined
  const dead = `http://127.0.0.1:${await freePort()}`
  write(folder, 'limits.yaml', JSON.stringify(NO_LIMITS))
  for (const [name, value] of Object.entries(fault.live ?? {})) write(folder, name, JSON.stringify(value))
  const stdout = fault.stdout?.()
  const own = fault.config?.({ folder, dead, redis: redis?.url ?? '' }) ?? {}
  const service = await serve({
    config: {
      live: folder,
      http: { peerRate: { perMinute: 10_000_000, burst: 1_000_000 } },
      ...own,
      backend: { url: emulator.url, ...(own['backend'] as object | undefined) },
    },
    ...(fault.env && { env: fault.env({ dead }) }),
    ...(stdout !== undefined && { stdout }),
  })
  return {
    emulator,
    folder,
    service,
    redis,
    deadUrl: dead,
    during: undefined,
    async close() {
      service.child.kill('SIGKILL')
      await service.exit
      await redis?.stop()
      // The fault may have been to close it.
      await emulator.close().catch(() => undefined)
      if (stdout !== undefined) fs.closeSync(stdout)
    },
  }
}
