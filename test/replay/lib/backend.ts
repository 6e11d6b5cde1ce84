// Backends that lose answers, and count what they have executed by the idempotency key that they were sent.
import type { Dispatcher } from 'undici'
import { type Fault, startEmulator } from '../../../src/emulator/index.ts'
import { dial } from '../../../src/outbound.ts'

export interface LossyBackend {
  url: string
  /** The way of one replica to it. */
  connect(): Promise<Pick<Dispatcher, 'dispatch' | 'destroy'>>
  /** Executions by key. */
  executed(): ReadonlyMap<string, number>
  close(): Promise<void>
}

const noWay = (handler: Dispatcher.DispatchHandler): boolean => {
  handler.onResponseError?.({} as Dispatcher.DispatchController, new Error('refused'))
  return true
}

/** Ways to lose an answer, each n-th request, with and without an effect. */
const faults = (deadline: number): readonly (readonly [number, Fault])[] => [
  [5, { kind: 'truncation' }],
  [7, { kind: 'latency', ms: 3 * deadline }],
  [9, { kind: 'reset', effect: true }],
  [11, { kind: 'hang' }],
  [13, { kind: 'reset', when: 'after-headers', effect: true }],
  [17, { kind: 'status', status: 503, effect: true }],
  [19, { kind: 'status', status: 429 }],
  [23, { kind: 'status', status: 500, effect: true }],
  [29, { kind: 'not-json' }],
  [31, { kind: 'drip', bytes: 8, ms: deadline / 2 }],
  [37, { kind: 'giant', bytes: 80_000 }],
  [41, { kind: 'reset' }],
]
/** Each n-th request finds no connection. */
const UNREACHABLE = 27

/** The emulator over real connections. How many of its answers come in time depends on the machine. */
export async function lossyEmulator(deadline: number): Promise<LossyBackend> {
  const emulator = await startEmulator()
  for (const [n, fault] of faults(deadline)) emulator.faults.every(n, fault, 'execute')
  let asked = 0
  return {
    url: emulator.url,
    async connect() {
      const pool = await dial('backend', {
        origin: emulator.url,
        connections: 256,
        ca: undefined,
        proxy: undefined,
        connectTimeout: 5000,
      })
      return {
        dispatch: (request, handler) =>
          ++asked % UNREACHABLE === 0 ? noWay(handler) : pool.dispatch(request, handler),
        destroy: () => pool.destroy(),
      }
    },
    executed: () => emulator.stats.keys,
    close: () => emulator.close(),
  }
}

type Way =
  | 'good'
  | 'unreachable'
  | 'silent'
  | 'broken'
  | 'cut'
  | 'giant'
  | 'malformed'
  | 200
  | 429
  | 500
  | 503
/** What becomes of an answer, and whether the operation runs before. */
const WAYS: readonly (readonly [way: Way, runs: boolean, of100: number])[] = [
  ['unreachable', false, 4],
  ['silent', true, 8],
  ['silent', false, 4],
  ['broken', true, 8],
  ['broken', false, 4],
  ['cut', true, 5],
  ['giant', true, 3],
  ['malformed', true, 4],
  [429, false, 4],
  [500, true, 3],
  [503, true, 3],
]

/** In this process: nothing depends on the machine, and what has been answered is answered before any timer fires. */
export function lossyScript(random: (below: number) => number): LossyBackend {
  const executed = new Map<string, number>()
  let answers = 0
  const dispatch: Dispatcher['dispatch'] = (request, handler) => {
    let [way, runs]: readonly [Way, boolean, ...unknown[]] = ['good', true]
    let dice = random(100)
    for (const row of WAYS) {
      if (dice < row[2]) {
        ;[way, runs] = row
        break
      }
      dice -= row[2]
    }
    if (way === 'unreachable') return noWay(handler)
    let given = false
    const controller = {
      abort() {
        given = true
      },
    } as unknown as Dispatcher.DispatchController
    handler.onRequestStart?.(controller, {})
    const headers = request.headers as readonly string[]
    const key = headers[headers.indexOf('idempotency-key') + 1] ?? ''
    if (runs) executed.set(key, (executed.get(key) ?? 0) + 1)
    if (way === 'silent') return true
    if (way === 'broken') {
      handler.onResponseError?.(controller, new Error('reset'))
      return true
    }
    const status = typeof way === 'number' ? way : 200
    const value = way === 'giant' ? `"${'x'.repeat(80_000)}"` : String(++answers)
    const good = `{"status":true,"data":{"data":${value},"execution_time_ms":0,"request_id":"r"}}`
    const body = way === 'malformed' ? '<html>' : status === 200 ? good : '{"status":false,"message":"no"}'
    handler.onResponseStart?.(controller, status, {}, '')
    handler.onResponseData?.(controller, Buffer.from(way === 'cut' ? body.slice(0, 20) : body))
    if (way === 'cut') handler.onResponseError?.(controller, new Error('reset'))
    else if (!given) handler.onResponseEnd?.(controller, {})
    return true
  }
  return {
    url: 'http://127.0.0.1:1',
    connect: async () => ({ dispatch, destroy: async () => undefined }),
    executed: () => executed,
    close: async () => undefined,
  }
}
