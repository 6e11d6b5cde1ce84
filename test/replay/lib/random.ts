// A run of stubborn clients against several replicas on one store: every call is repeated, whatever it got, while the backend loses answers.
import { randomBytes } from 'node:crypto'
import type { Dispatcher } from 'undici'
import type { HttpRequest } from '../../../src/core/http.ts'
import { type Store, StoreUnavailable } from '../../../src/core/store.ts'
import { DEMO } from '../../../src/emulator/index.ts'
import { STAGES, type StageRow } from '../../../src/pipeline.ts'
import { createMemoryStore } from '../../../src/store/index.ts'
import {
  bearer,
  PUBLIC_URL,
  pathOf,
  type Secured,
  startSecured,
  WAYS,
  type Way,
} from '../../live/lib/secured.ts'
import { modern, modernHeaders, request } from '../../mcp/lib/messages.ts'
import { seeded } from '../../store/lib/random.ts'
import { setArgs } from './ask.ts'
import { type LossyBackend, lossyEmulator, lossyScript } from './backend.ts'

export interface RandomOptions {
  /** Calls in all, repetitions among them. */
  calls: number
  seed: number
  /** Of a replica; all of them lead to the same server. */
  store?: () => Promise<Store>
  /** False leaves the stage out: what would happen without it. */
  replay?: boolean
  concurrency?: number
  /** The emulator over real connections, in place of a script in this process. */
  emulator?: boolean
}

export interface RandomReport {
  calls: number
  operations: number
  /** Operations that the backend executed at least once. */
  effects: number
  /** Operations that it executed more than once. */
  duplicates: number
  /** Answers by code. */
  codes: ReadonlyMap<string, number>
  replayed: number
  /** Replicas that died with calls under way. */
  killed: number
  /** Two good answers to the same operation that are not the same, and other things that must not be. */
  problems: string[]
}

const DEADLINE = 20
const CALLERS = ['ann', 'ben', 'cem', 'dee'] as const

interface Replica {
  service: Secured
  /** From now on it reaches nothing any more, as if its process were gone. */
  die(): void
}

export async function runRandom(options: RandomOptions): Promise<RandomReport> {
  const { calls, seed, replay = true, concurrency = 48 } = options
  const random = seeded(seed)
  const backend = options.emulator ? await lossyEmulator(DEADLINE) : lossyScript(seeded(seed + 1))
  const memory = createMemoryStore({ now: Date.now })
  const open = options.store ?? (async () => ({ ...memory, close: async () => undefined }))
  const started: Replica[] = []
  const start = async (): Promise<Replica> => {
    const replica = await startReplica(backend, await open(), replay)
    started.push(replica)
    return replica
  }
  const running = [await start(), await start()]

  const report = { calls: 0, operations: 0, killed: 0, replayed: 0, problems: [] as string[] }
  const codes = new Map<string, number>()
  let killing: Promise<void> | undefined

  const attempt = async (operation: Operation): Promise<void> => {
    report.calls++
    const replica = running[random(running.length)] as Replica
    const answer = await send(replica.service, operation, WAYS[random(WAYS.length)] as Way)
    codes.set(answer.code, (codes.get(answer.code) ?? 0) + 1)
    if (answer.code !== 'ok') return
    if (operation.value !== undefined && operation.value !== answer.value)
      report.problems.push(`${operation.key}: ${operation.value} and ${answer.value}`)
    operation.value = answer.value
  }

  const client = async (): Promise<void> => {
    while (report.calls < calls) {
      const number = report.operations++
      const caller = CALLERS[random(CALLERS.length)] as string
      const operation: Operation = { key: `op-${number}`, caller, value: undefined }
      const together = random(4) === 0 ? 1 + random(3) : 1
      await Promise.all(Array.from({ length: together }, () => attempt(operation)))
      for (let more = 1 + random(3); more > 0; more--) await attempt(operation)
      // A replica dies at each quarter, and another one takes its place.
      if (report.killed < 3 && report.calls > ((report.killed + 1) * calls) / 4 && killing === undefined) {
        report.killed++
        killing = start().then((next) => {
          running.shift()?.die()
          running.push(next)
          killing = undefined
        })
      }
    }
  }

  try {
    await Promise.all(Array.from({ length: concurrency }, client))
    await killing
    for (const { service } of started)
      report.replayed += service.chain().filter((line) => line.includes('"status":"replayed"')).length
    const counts = [...backend.executed().values()]
    return {
      ...report,
      codes,
      effects: counts.length,
      duplicates: counts.filter((count) => count > 1).length,
    }
  } finally {
    for (const { service } of started) await service.close()
    await memory.close()
    await backend.close()
  }
}

interface Operation {
  key: string
  caller: string
  /** What the first good answer said. */
  value: string | undefined
}

async function startReplica(lossy: LossyBackend, store: Store, replay: boolean): Promise<Replica> {
  let dead = false
  const mortal = (name: keyof Store) => {
    const own = store[name] as (...args: unknown[]) => Promise<unknown>
    return async (...args: unknown[]) => {
      if (dead) throw new StoreUnavailable('this process is gone')
      return own(...args)
    }
  }
  const way = await lossy.connect()
  const backend: Pick<Dispatcher, 'dispatch' | 'destroy'> = {
    dispatch(request, handler) {
      // A process that is gone sends nothing any more; what it has sent is on its way.
      if (!dead) return way.dispatch(request, handler)
      handler.onResponseError?.({} as Dispatcher.DispatchController, new Error('gone'))
      return true
    },
    destroy: way.destroy,
  }
  const service = await startSecured({
    callers: Object.fromEntries(CALLERS.map((name) => [name, { scopes: ['ductape:configure'] }])),
    live: {
      'limits.yaml': { principal: { rate: 'off', inputTokens: 'off', outputTokens: 'off', concurrency: 20 } },
    },
    app: {
      backend: backend as Dispatcher,
      config: { backend: { url: lossy.url, timeout: DEADLINE, maxAnswer: 64 * 1024 } },
      ports: {
        store: {
          ...store,
          get: mortal('get') as Store['get'],
          setIfAbsent: mortal('setIfAbsent') as Store['setIfAbsent'],
          compareAndSwap: mortal('compareAndSwap') as Store['compareAndSwap'],
        },
        random: randomBytes,
      },
      ...(!replay && { stages: STAGES.map(leftOut) }),
    },
  })
  return {
    service,
    die() {
      dead = true
    },
  }
}

/** The stage that lets everything through, with the key that the backend counts by. */
const leftOut = (row: StageRow): StageRow =>
  row.name !== 'replay'
    ? row
    : {
        ...row,
        prepare: () => (call) => {
          call.backendKey = call.idempotencyKey
          return undefined
        },
      }

/** Without a port: the run is about what happens behind it. */
async function send(
  { app }: Secured,
  { key, caller }: Operation,
  way: Way,
): Promise<{ code: string; value: string }> {
  const tool = 'ductape_execute'
  const args = setArgs(key, DEMO.main.publishableKey)
  const params = { name: tool, arguments: args }
  const body = way === 'rest' ? args : request('tools/call', way === 'modern' ? modern(params) : params)
  const headers = {
    host: new URL(PUBLIC_URL).host,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'idempotency-key': key,
    ...bearer(caller),
    ...(way === 'modern' && modernHeaders('tools/call', tool)),
  }
  const bytes = Buffer.from(JSON.stringify(body))
  const sent: HttpRequest = {
    method: 'POST',
    path: pathOf(way, tool),
    query: '',
    headers,
    raw: Object.entries(headers).flat(),
    read: async () => ({ ok: true, body: bytes }),
  }
  const answer = await app.handle(sent, '127.0.0.1')
  const value = JSON.parse(answer.body ?? 'null') as {
    code?: string
    result?: { content: { text: string }[]; _meta?: Record<string, { code?: string }> }
    error?: { data?: { code?: string } }
  }
  const code = value?.code ?? value?.error?.data?.code ?? value?.result?._meta?.['app.ductape/refusal']?.code
  return { code: code ?? 'ok', value: value?.result?.content[0]?.text ?? JSON.stringify(value) }
}
