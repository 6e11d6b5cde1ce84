// What tests of limits need: a clock that the test moves, calls, rules from the text of a file, and a store that can be lost.
import { limitsSchema } from '../../../src/admission/limits/config.ts'
import {
  compileLimits,
  createLimiter,
  type Limiter,
  type LimiterOptions,
} from '../../../src/admission/limits/index.ts'
import { type Call, openCall, type Verdict } from '../../../src/core/call.ts'
import type { JsonObject } from '../../../src/core/json.ts'
import { makePrincipal, type Principal } from '../../../src/core/principal.ts'
import type { LimitRules, Runtime } from '../../../src/core/runtime.ts'
import { type Store, StoreUnavailable } from '../../../src/core/store.ts'
import type { PreparedCall } from '../../../src/core/tool.ts'
import { createMemoryStore } from '../../../src/store/index.ts'

/** A day in 2026, so that the time of day and the monotonic clock differ. */
const EPOCH = 1_790_000_000_000

export class Clock {
  time = 0
  readonly tick = (): number => this.time
  readonly now = (): number => EPOCH + this.time
  pass(ms: number): void {
    this.time += ms
  }
}

/** Everything off, so that a test sees only the limit that it sets. */
export const OFF = {
  rate: 'off',
  inputTokens: 'off',
  outputTokens: 'off',
  deadline: 'off',
} as const

export const rulesOf = (file: unknown): LimitRules => compileLimits(limitsSchema.parse(file), 'test')

export const runtimeOf = (file: unknown): Runtime => ({
  policy: undefined,
  apiKeys: { size: 0, find: () => undefined },
  limits: rulesOf(file),
})

export const caller = (id: string, more: Partial<Principal> = {}): Principal =>
  makePrincipal({ method: 'oauth', id, subject: id, ...more })

export interface CallOf {
  principal?: Principal
  tool?: string
  module?: string
  method?: string
  args?: JsonObject
}

export function callOf(runtime: Runtime, given: CallOf = {}): Call {
  const call = openCall({
    id: 'c',
    startedAt: EPOCH,
    startedTick: 0,
    channel: 'http',
    peer: 'test',
    principal: given.principal ?? caller('alice'),
    runtime,
  })
  call.toolName = given.tool ?? 'ductape_execute'
  call.module = given.module
  call.method = given.method
  call.arguments = given.args ?? {}
  call.prepared = { text: JSON.stringify(call.arguments) } as PreparedCall
  return call
}

/** A limiter alone with the memory store, whose answers are never promises. */
export function localLimiter(
  clock: Clock,
  more: Partial<LimiterOptions> = {},
): Limiter & { events: string[] } {
  const events: string[] = []
  const limiter = createLimiter({
    store: createMemoryStore({ now: clock.now }),
    instance: 'test',
    maxReplicas: 3,
    tick: clock.tick,
    now: clock.now,
    onEvent: (event) => void events.push(event),
    ...more,
  })
  return { ...limiter, events }
}

/** The verdict of a limiter that has nothing to wait for. */
export function atOnce(verdict: Verdict | Promise<Verdict>): Verdict {
  if (verdict instanceof Promise) throw new Error('the limiter waits for a store')
  return verdict
}

/** One limiter, one clock, and calls of one runtime. */
export function setUp(file: unknown, more: Parameters<typeof localLimiter>[1] = {}) {
  const clock = new Clock()
  const limiter = localLimiter(clock, more)
  const runtime = runtimeOf(file)
  const enter = (given: CallOf = {}): { call: Call; verdict: Verdict } => {
    const call = callOf(runtime, given)
    return { call, verdict: atOnce(limiter.reserve(call)) }
  }
  /** A whole call; its code where it was refused. */
  const code = (given: CallOf = {}, outTokens = 0, executed = true): string | undefined => {
    const { call, verdict } = enter(given)
    limiter.settle(call, outTokens, executed)
    return verdict?.code
  }
  return { clock, limiter, runtime, enter, code }
}

export const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make)

export interface LossyStore extends Store {
  /** Every operation fails from now on; with `quietly` the adapter has not noticed yet. */
  lose(quietly?: boolean): void
  heal(): void
  /** It is empty, as after a restart that kept nothing. */
  forget(): void
  /** Operations so far, by name. */
  readonly asked: Map<string, number>
}

/** A shared store in this process: what the redis adapter promises, on the clock of the test. */
export function sharedStore(clock: Clock): LossyStore {
  let memory = createMemoryStore({ now: clock.now })
  const asked = new Map<string, number>()
  let lost = false
  let noticed = false
  const guard =
    <A extends unknown[], T>(name: string, operation: (...args: A) => Promise<T>) =>
    async (...args: A): Promise<T> => {
      asked.set(name, (asked.get(name) ?? 0) + 1)
      // As over a network: the answer comes in a later turn.
      await new Promise((resolve) => setImmediate(resolve))
      if (lost) throw new StoreUnavailable('lost by the test')
      return operation(...args)
    }
  return {
    ...memory,
    kind: 'redis',
    get: guard('get', (...args: Parameters<Store['get']>) => memory.get(...args)),
    compareAndSwap: guard('compareAndSwap', (...args: Parameters<Store['compareAndSwap']>) =>
      memory.compareAndSwap(...args),
    ),
    lease: guard('lease', (...args: Parameters<Store['lease']>) => memory.lease(...args)),
    giveBack: guard('giveBack', (...args: Parameters<Store['giveBack']>) => memory.giveBack(...args)),
    acquire: guard('acquire', (...args: Parameters<Store['acquire']>) => memory.acquire(...args)),
    release: guard('release', (...args: Parameters<Store['release']>) => memory.release(...args)),
    available: () => !noticed,
    asked,
    lose(quietly = false) {
      lost = true
      noticed = !quietly
    },
    heal() {
      lost = false
      noticed = false
    },
    forget() {
      memory = createMemoryStore({ now: clock.now })
    },
  }
}

/** Replicas on one store. */
export function replicas(
  count: number,
  store: Store,
  clock: Clock,
  more: Partial<LimiterOptions> = {},
): (Limiter & { events: string[] })[] {
  return Array.from({ length: count }, (_, i) => {
    const events: string[] = []
    const limiter = createLimiter({
      store,
      instance: `replica-${i}`,
      maxReplicas: count,
      tick: clock.tick,
      now: clock.now,
      onEvent: (event) => void events.push(event),
      ...more,
    })
    return { ...limiter, events }
  })
}
