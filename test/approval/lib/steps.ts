// Interleaves the store operations of several replicas, one at a time in an order that a seed draws; operations fail, take effect without an answer, or are never answered.
import { type Store, StoreUnavailable } from '../../../src/core/store.ts'

interface Step {
  readonly replica: number
  run(): Promise<unknown>
  resolve(value: unknown): void
  reject(error: unknown): void
}

const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

export interface Steps {
  /** The store as this replica has it. */
  storeOf(replica: number): Store
  waiting(): number
  /** Takes one operation; resolves when whoever waited for it has gone on as far as it can. */
  next(): Promise<void>
  /** From now on operations fail, half of them after they took effect. */
  lose(lost: boolean): void
  /** What this replica waits for is never answered; half of it takes effect. */
  kill(replica: number): Promise<void>
}

/** `base` gives the store of the moment: one that was restarted is another one. */
export function createSteps(base: () => Store, dice: (below: number) => number): Steps {
  const waiting: Step[] = []
  let lost = false

  const enqueue = (replica: number, run: () => Promise<unknown>): Promise<never> =>
    new Promise((resolve, reject) => {
      waiting.push({ replica, run, resolve: resolve as Step['resolve'], reject })
    })

  return {
    storeOf: (replica) =>
      new Proxy({} as Store, {
        get: (_, name: keyof Store) =>
          name === 'kind'
            ? 'redis'
            : (...args: unknown[]) =>
                enqueue(replica, () => (base()[name] as (...given: unknown[]) => Promise<unknown>)(...args)),
      }),
    waiting: () => waiting.length,
    async next() {
      const [step] = waiting.splice(dice(waiting.length), 1)
      if (step === undefined) return
      if (lost) {
        if (dice(2) === 0) await step.run().catch(() => undefined)
        step.reject(new StoreUnavailable('lost'))
      } else {
        await step.run().then(step.resolve, step.reject)
      }
      await settled()
    },
    lose(now) {
      lost = now
    },
    async kill(replica) {
      for (let at = waiting.length - 1; at >= 0; at--) {
        if (waiting[at]?.replica !== replica) continue
        const [step] = waiting.splice(at, 1)
        if (dice(2) === 0) await step?.run().catch(() => undefined)
      }
    },
  }
}
