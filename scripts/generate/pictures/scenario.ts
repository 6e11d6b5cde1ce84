// Two replicas on one Redis with a Prometheus that scrapes them, and what happens to them for the pictures: calls of every kind, approvals, faults.
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Emulator, startEmulator } from '../../../src/emulator/index.ts'
import { type People, startPeople } from '../../../test/approvals-surface/lib/people.ts'
import { insertOf } from '../../../test/approvals-surface/lib/service.ts'
import { EXECUTE, GENERATE } from '../../../test/lib/calls.ts'
import { listenLocal } from '../../../test/lib/ports.ts'
import { MAIN, temporary } from '../../../test/lib/process.ts'
import { NO_LIMITS, type Served, serve } from '../../../test/lib/serve.ts'
import { bearer, call, keysFile, PUBLIC_URL, send, WAYS } from '../../../test/live/lib/secured.ts'
import { type Running, start } from '../../../test/platform/lib/process.ts'
import { type Prometheus, startPrometheus } from '../../../test/platform/lib/prometheus.ts'
import { seeded } from '../../../test/store/lib/random.ts'
import { startServer } from '../../../test/store/lib/server.ts'

/** How long it takes, and what the charts are over. */
export const SECONDS = 100

export interface Shown {
  readonly prometheus: Prometheus
  /** What `top` has written at its last look. */
  readonly top: string
  /** Values of the label `instance`. */
  readonly instances: readonly string[]
}

const SCOPES = ['ductape:read', 'ductape:write', 'ductape:destructive']
const POLICY = JSON.stringify({ roles: { all: { allow: [{ tool: '*' }] } } })
const database = { product: 'ductape:my-product', env: 'dev', database: 'main-db' }

const onDatabase = (params: object) => ({
  args: { ...EXECUTE, module: 'databases', method: 'query', params: [{ ...database, ...params }] },
})

/** What agents ask for all the time; the emulator has no raw SQL, so that one of them fails. */
const CALLS = [
  ...Array.from({ length: 4 }, () => ({ args: EXECUTE })),
  ...[1, 2, 3, 4].map((limit) => onDatabase({ entity: 'users', limit })),
  { tool: 'ductape_generate_payload', args: GENERATE },
  { args: { ...EXECUTE, module: 'nothing' } },
  onDatabase({ sql: 'SELECT 1' }),
]

interface Stage {
  readonly emulator: Emulator
  readonly people: People
  readonly replicas: readonly Served[]
  live(name: string, value: string | object): void
}

const usual = ({ emulator }: Stage): void => {
  emulator.faults.clear()
  emulator.faults.every(90, { kind: 'result', value: { note: `${'AKIA'}${'Q3EGRJ2LK7ZPN5XW'}` } })
  emulator.faults.every(17, { kind: 'latency', ms: 250 })
  emulator.faults.every(3, { kind: 'latency', ms: 40 })
}

/** Second by second; what lasts is ended by a later one. */
const EVENTS: Readonly<Record<number, (stage: Stage) => void>> = {
  0: usual,
  40: ({ emulator }) => emulator.faults.always({ kind: 'status', status: 503 }),
  46: usual,
  58: ({ live }) => live('policy.yaml', 'roles: ['),
  66: ({ live }) => live('policy.yaml', POLICY),
  70: ({ live }) => live('kill.yaml', { kill: [{ kind: 'module', value: 'product', reason: 'drill' }] }),
  78: ({ live }) => live('kill.yaml', {}),
}

async function agent({ replicas }: Stage, seed: number, isOver: () => boolean): Promise<void> {
  const dice = seeded(seed)
  for (let count = 0; !isOver(); count++) {
    const replica = replicas[dice(replicas.length)] as Served
    const chosen = CALLS[dice(CALLS.length)]
    const key = dice(3) === 0 ? { 'idempotency-key': `k${seed}-${Math.floor(count / 2)}` } : {}
    await call(replica, WAYS[dice(WAYS.length)] ?? 'rest', {
      ...chosen,
      headers: { ...bearer('agent'), ...key },
    }).catch(() => undefined)
    await sleep(20 + dice(80))
  }
}

/** Every three seconds a call that needs a person; people look later, and stop before the end. */
async function approvals({ replicas, people }: Stage, isOver: () => boolean): Promise<void> {
  const token = await people.tokenOf('grace')
  const headers = { host: new URL(people.peopleUrl).host, authorization: `Bearer ${token}` }
  for (let second = 0; !isOver(); second++) {
    const [one, other] = replicas as [Served, Served]
    if (second % 3 === 0)
      await call(one, 'rest', {
        headers: bearer('agent'),
        args: insertOf({ id: 9000 + second, name: 'Lin', email: `${second}@example.com` }),
      })
    if (second > 25 && second < 80 && second % 2 === 0) {
      const { body } = await send(other, { method: 'GET', path: '/v1/approvals', headers })
      const [waiting] = (body['approvals'] ?? []) as { id: string }[]
      const decision = second % 6 === 0 ? 'deny' : 'approve'
      if (waiting !== undefined)
        await send(other, {
          path: `/v1/approvals/${waiting.id}`,
          headers,
          body: JSON.stringify({ decision }),
        })
    }
    await sleep(1000)
  }
}

/** Somebody tries keys for some seconds. */
async function guesses({ replicas }: Stage, isOver: () => boolean): Promise<void> {
  await sleep(84_000)
  for (let count = 0; count < 60 && !isOver(); count++) {
    await call(replicas[0] as Served, 'rest', { headers: bearer(`guess ${count}`) })
    await sleep(100)
  }
}

/** The last picture of a running `top`; the service has to be there still. */
async function lastPicture(top: Running): Promise<string> {
  top.child.kill('SIGINT')
  await top.exit
  const last = top.stdout().trimEnd().lastIndexOf('ductape-mcp top, ')
  return top.stdout().slice(last)
}

export async function playScenario(show: (shown: Shown) => Promise<void>): Promise<void> {
  const folder = temporary()
  const live = (name: string, value: string | object): void =>
    void folder.file(name, typeof value === 'string' ? value : JSON.stringify(value))
  const fleet = folder.file(
    'fleet.txt',
    `k1 ${createHash('sha256').update('pictures').digest('base64url')}\n`,
  )
  live('limits.yaml', NO_LIMITS)
  live('policy.yaml', POLICY)
  live('keys.yaml', keysFile({ agent: { tenant: 'acme', scopes: SCOPES } }))
  const closing: (() => Promise<unknown> | unknown)[] = [folder.remove]
  const kept = <T>(value: T, close: (value: T) => unknown): T => {
    closing.unshift(() => close(value))
    return value
  }
  try {
    const emulator = kept(await startEmulator({}), (one) => one.close())
    const people = kept(await startPeople(), (one) => one.close())
    const redis = kept(await startServer('redis-server'), (one) => one.stop())
    const hook = kept(
      createServer((_, response) => response.end()),
      (one) => one.close(),
    )
    const config = {
      publicUrl: PUBLIC_URL,
      peopleUrl: people.peopleUrl,
      live: folder.path,
      backend: { url: emulator.url },
      auth: { apiKeys: {}, ...people.auth },
      store: { redis: { url: redis.url, timeout: '5s' } },
      keys: { fleet: { file: fleet } },
      outbound: {
        notifications: { url: `http://127.0.0.1:${await listenLocal(hook)}/`, privateNetwork: true },
      },
    }
    const replica = async (): Promise<Served> =>
      kept(await serve({ config }), async (one) => {
        one.child.kill()
        await one.exit
      })
    const replicas = [await replica(), await replica()]
    const prometheus = kept(await startPrometheus({ targets: replicas.map(({ ops }) => ops) }), (one) =>
      one.stop(),
    )
    const ops = replicas[0]?.ops ?? ''
    const top = kept(start(process.execPath, [MAIN, 'top', '--ops', ops]), (one) => one.stop())

    const stage: Stage = { emulator, people, replicas, live }
    let over = false
    const isOver = (): boolean => over
    const work = [
      ...[1, 2, 3, 4].map((seed) => agent(stage, seed, isOver)),
      approvals(stage, isOver),
      guesses(stage, isOver),
    ]
    const ended = Promise.all(work)
    for (let second = 0; second < SECONDS; second++) {
      EVENTS[second]?.(stage)
      // What goes wrong in the work ends the scenario instead of thinning it out.
      await Promise.race([sleep(1000), ended.then(() => sleep(1000))])
    }
    const picture = await lastPicture(top)
    await show({ prometheus, top: picture, instances: replicas.map(({ ops: url }) => new URL(url).host) })
    over = true
    await ended
  } finally {
    for (const close of closing) await close()
  }
}
