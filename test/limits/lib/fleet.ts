// Three replicas on one store in this process, on a clock that the test moves, and the flood that they are put under.
import assert from 'node:assert/strict'
import type { Limiter } from '../../../src/admission/limits/index.ts'
import type { Runtime } from '../../../src/core/runtime.ts'
import { seeded } from '../../store/lib/random.ts'
import { Clock, callOf, type LossyStore, OFF, replicas, runtimeOf, sharedStore } from './limits.ts'

export const SECOND = 1000
export const HOUR = 3_600_000

export interface Fleet {
  clock: Clock
  store: LossyStore
  limiters: (Limiter & { events: string[] })[]
  /** A whole call at a replica; its code where it was refused. */
  call(replica: number, runtime: Runtime, outTokens?: number, executed?: boolean): Promise<string | undefined>
  maintain(): Promise<void>
}

export function fleet(count = 3): Fleet {
  const clock = new Clock()
  const store = sharedStore(clock)
  const limiters = replicas(count, store, clock)
  return {
    clock,
    store,
    limiters,
    async call(replica, runtime, outTokens = 0, executed = true) {
      const limiter = limiters[replica] as Limiter
      const call = callOf(runtime)
      const verdict = await limiter.reserve(call)
      limiter.settle(call, outTokens, executed)
      return verdict?.code
    },
    maintain: async () => void (await Promise.all(limiters.map((limiter) => limiter.maintain()))),
  }
}

export const rate = (perMinute: number, burst: number): Runtime =>
  runtimeOf({ principal: { ...OFF, rate: { perMinute, burst } } })

/** More calls than are allowed, at random replicas, for so many seconds; the times of those that passed. */
export async function flood(
  { clock, call, maintain }: Fleet,
  runtime: Runtime,
  seconds: number,
  perTick: number,
  replica: (random: (below: number) => number) => number,
): Promise<number[]> {
  const random = seeded(20_260_404)
  const passed: number[] = []
  for (let tick = 0; tick < seconds * 10; tick++) {
    const codes = await Promise.all(Array.from({ length: perTick }, () => call(replica(random), runtime)))
    for (const code of codes) if (code === undefined) passed.push(clock.time)
    clock.pass(100)
    if (tick % 10 === 9) await maintain()
  }
  return passed
}

export const any = (random: (below: number) => number): number => random(3)

/** Between any two moments never more than the burst and the refill, with a twentieth of tolerance. */
export function assertBounded(passed: readonly number[], perMinute: number, burst: number): void {
  for (let first = 0; first < passed.length; first++) {
    for (let last = first; last < passed.length; last += 7) {
      const during = (passed[last] as number) - (passed[first] as number)
      const most = (burst + (during * perMinute) / 60_000) * 1.05
      assert.ok(last - first + 1 <= most + 1e-6, `${last - first + 1} in ${during} ms, not ${most}`)
    }
  }
}
