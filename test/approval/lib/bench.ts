// One approvals object on a store of its own, with a clock that the test moves, and everything that was written to the store.
import {
  type ApprovalOptions,
  type Approvals,
  createApprovals,
} from '../../../src/admission/approval/index.ts'
import { createDigests } from '../../../src/audit/digests.ts'
import type { Call } from '../../../src/core/call.ts'
import type { Denial } from '../../../src/core/denials.ts'
import type { Store } from '../../../src/core/store.ts'
import { createMemoryStore } from '../../../src/store/index.ts'
import { seeded } from '../../store/lib/random.ts'
import { type Asking, askingCall, PEOPLE_CLIENT, PEOPLE_URL } from './callers.ts'
import { FLEET } from './world.ts'

export interface Bench {
  approvals: Approvals
  store: Store
  events: string[]
  now(): number
  pass(ms: number): void
  /** One more on the same store. */
  another(options?: Partial<ApprovalOptions>): Approvals
  ask(asking: Asking, at?: Approvals): Promise<{ call: Call; denial: Denial | undefined }>
  /** Asks, and gives the id. */
  idOf(asking: Asking): Promise<string>
  /** What the store holds under keys that begin so, opened. */
  held(area: string): unknown[]
}

export function bench(options: Partial<ApprovalOptions> = {}): Bench {
  let time = 1_700_000_000_000
  const dice = seeded(1)
  const events: string[] = []
  const written = new Map<string, string>()
  const memory = createMemoryStore({ now: () => time })
  const store: Store = {
    ...memory,
    setIfAbsent(key, value, ttl) {
      written.set(key, value)
      return memory.setIfAbsent(key, value, ttl)
    },
    compareAndSwap(key, expected, next, ttl) {
      if (next === undefined) written.delete(key)
      else written.set(key, next)
      return memory.compareAndSwap(key, expected, next, ttl)
    },
  }
  const another = (more: Partial<ApprovalOptions> = {}): Approvals =>
    createApprovals({
      store,
      fleet: FLEET,
      peopleUrl: PEOPLE_URL,
      people: { clients: [PEOPLE_CLIENT] },
      notifier: undefined,
      now: () => time,
      random: (size) => Buffer.from(Array.from({ length: size }, () => dice(256))),
      digest: createDigests({ fleet: FLEET, random: (size) => Buffer.alloc(size) }).request,
      onEvent: (name) => events.push(name),
      ...options,
      ...more,
    })
  const approvals = another()
  const ask: Bench['ask'] = async (asking, at = approvals) => {
    const call = askingCall(asking)
    return { call, denial: await at.stage(call) }
  }
  return {
    approvals,
    store,
    events,
    another,
    ask,
    now: () => time,
    pass: (ms) => {
      time += ms
    },
    async idOf(asking) {
      const { denial } = await ask(asking)
      if (denial?.approval === undefined) throw new Error(`refused ${denial?.code}`)
      return denial.approval.id
    },
    held: (area) =>
      [...written]
        .filter(([key]) => key.startsWith(area))
        .map(([key, value]) => JSON.parse(FLEET.open(value, key) ?? 'null') as unknown),
  }
}

export const OK = (): undefined => undefined
