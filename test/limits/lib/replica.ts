// One replica as a process of its own: a limiter on a real store, which floods it with calls when it is told to.
import { createLimiter } from '../../../src/admission/limits/index.ts'
import type { Call } from '../../../src/core/call.ts'
import { openStore } from '../../store/lib/server.ts'
import { caller, callOf, runtimeOf } from './limits.ts'

/** Told by the test: for how long, and how long to pause between two calls. */
export interface Flood {
  milliseconds: number
  pause: number
}

/** Told to the test. */
export interface Flooded {
  /** Calls that passed of the caller with a rate, and of the one with executions. */
  rate: number
  executions: number
  /** Calls under way of the caller with places: none of them ever ends. */
  places: number
  events: string[]
}

const [url = '', file = '{}', maxReplicas = '3'] = process.argv.slice(2)
const { store } = await openStore({ url })
const events: string[] = []
const limiter = createLimiter({
  store,
  instance: `replica-${process.pid}`,
  maxReplicas: Number(maxReplicas),
  tick: () => performance.now(),
  now: Date.now,
  onEvent: (event) => void events.push(event),
})
const runtime = runtimeOf(JSON.parse(file))
const timer = setInterval(() => void limiter.maintain(), 1000)

const endless: Call[] = []

async function enter(who: string): Promise<Call | undefined> {
  const call = callOf(runtime, { principal: caller(who) })
  return (await limiter.reserve(call)) === undefined ? call : undefined
}

async function flood({ milliseconds, pause }: Flood): Promise<Flooded> {
  const end = performance.now() + milliseconds
  const passed = { rate: 0, executions: 0 }
  while (performance.now() < end) {
    const [rate, executions, places] = await Promise.all(['rate', 'executions', 'places'].map(enter))
    if (rate !== undefined) {
      passed.rate++
      limiter.settle(rate, 0, true)
    }
    if (executions !== undefined) {
      passed.executions++
      limiter.settle(executions, 0, true)
    }
    if (places !== undefined) endless.push(places)
    await new Promise((resolve) => setTimeout(resolve, pause))
  }
  return { ...passed, places: endless.length, events: events.splice(0) }
}

process.on('message', (message: Flood) => {
  void flood(message).then((flooded) => process.send?.(flooded))
})
process.on('disconnect', () => {
  clearInterval(timer)
  void limiter.close().then(() => store.close())
})
process.send?.('ready')
