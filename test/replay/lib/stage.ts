// The replay of one replica without the rest of the service: calls made by hand, a clock that the test moves, and a store that is watched.
import { createReplay, type Replay, type ReplayOptions } from '../../../src/admission/replay/index.ts'
import { type Call, openCall, type Verdict } from '../../../src/core/call.ts'
import type { Denial } from '../../../src/core/denials.ts'
import type { JsonObject } from '../../../src/core/json.ts'
import { makePrincipal, type Principal } from '../../../src/core/principal.ts'
import { type Store, StoreUnavailable } from '../../../src/core/store.ts'
import type { Effect, PreparedCall, ToolResult } from '../../../src/core/tool.ts'
import { credentialId } from '../../../src/keys/index.ts'
import { createMemoryStore } from '../../../src/store/index.ts'
import { FLEET } from '../../credentials/lib/service.ts'
import { RUNTIME } from '../../lib/runtime.ts'

export const HOUR = 3_600_000
export const DEADLINE = 30_000
export const KEY = 'order-1'
export const DUCTAPE_KEY = 'pk_demo_0123456789ab'
export const ALICE = makePrincipal({ method: 'oauth', id: 'oauth:i|alice', subject: 'alice', tenant: 'acme' })

export class Clock {
  time = 1_790_000_000_000
  readonly now = (): number => this.time
}

export interface Operation {
  readonly name: string
  readonly key: string
}

/** A store that tells what it was asked, fails where it is told to, and can be spoiled. */
export interface Watched extends Store {
  readonly operations: Operation[]
  /** Operations of this name fail as long as this is set; `after` = they are done all the same. */
  fails: { readonly name: keyof Store; readonly after?: boolean } | undefined
}

const WATCHED = ['get', 'setIfAbsent', 'compareAndSwap', 'take'] as const

export function watched(inner: Store): Watched {
  const store: Watched = { ...inner, operations: [], fails: undefined }
  for (const name of WATCHED) {
    const own = inner[name] as (...args: unknown[]) => Promise<unknown>
    const watching = async (...args: unknown[]): Promise<unknown> => {
      store.operations.push({ name, key: String(args[0]) })
      const { fails } = store
      if (fails?.name !== name) return own(...args)
      if (fails.after) await own(...args)
      throw new StoreUnavailable('lost')
    }
    Object.assign(store, { [name]: watching })
  }
  return store
}

export interface Bench {
  clock: Clock
  store: Watched
  replay: Replay
  events: string[]
}

export function bench(options: Partial<ReplayOptions> & { clock?: Clock; shared?: Watched } = {}): Bench {
  const { clock = new Clock(), shared, ...rest } = options
  const store = shared ?? watched(createMemoryStore({ now: clock.now }))
  const events: string[] = []
  const replay = createReplay({
    store,
    fleet: FLEET,
    settings: { retention: HOUR, require: 'none' },
    now: clock.now,
    deadline: () => DEADLINE,
    keyOf: (call) => call.credentials[0],
    onEvent: (name, fields) => void events.push([name, ...Object.values(fields ?? {})].join(' ')),
    ...rest,
  })
  return { clock, store, replay, events }
}

export interface CallOptions {
  key?: string | undefined
  args?: JsonObject
  principal?: Principal
  ductapeKey?: string | undefined
  tool?: string
  effect?: Effect
}

let calls = 0

/** A call that policy has let through. */
export function callOf(options: CallOptions = {}, fleet = FLEET): Call {
  const { args = { row: 1 }, principal = ALICE, ductapeKey = DUCTAPE_KEY, effect = 'write' } = options
  const call = openCall({
    id: `018f0000-0000-7000-8000-${(++calls).toString(16).padStart(12, '0')}`,
    startedAt: 0,
    startedTick: 0,
    channel: 'http',
    peer: '127.0.0.1',
    principal,
    runtime: RUNTIME,
  })
  call.toolName = options.tool ?? 'ductape_execute'
  call.idempotencyKey = 'key' in options ? options.key : KEY
  call.credentials = [ductapeKey]
  call.credentialId = credentialId(fleet, ductapeKey)
  call.effect = effect
  call.prepared = { operation: { effect }, arguments: args } as unknown as PreparedCall
  return call
}

export const resultOf = (text: string): ToolResult => ({ content: [{ type: 'text', text }], value: { text } })

/** What became of a call that got through the stage. */
export type Ended = { stage?: Call['stage']; denial?: Denial; result?: ToolResult }

/** The way of a call through the stage and, where it got through, to its end. */
export async function run({ replay }: Pick<Bench, 'replay'>, call: Call, ended?: Ended): Promise<Verdict> {
  const verdict = await replay.stage(call)
  if (verdict !== undefined || call.result !== undefined) return verdict
  Object.assign(call, { stage: 'shape', result: ended?.denial ? undefined : resultOf('done'), ...ended })
  await replay.settle(call)
  return undefined
}
