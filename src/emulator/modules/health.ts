// Health checks: definitions and an answer that is always "available", since nothing is probed (contract 10.13).

import { definitions } from '../collection.ts'
import { type Call, type Handlers, locate, store } from '../state.ts'
import { asObject, iso, type Json } from '../values.ts'

const checked = (call: Call) => store<number>(call.workspace, 'health-checked')

const at = (call: Call, [first]: Json[]) =>
  locate(call, asObject(first, 'data'), 'health', 'health check', 'tag')

const status = (call: Call, args: Json[]) => {
  const { key } = at(call, args)
  const last = checked(call).get(key)
  const stamp = last === undefined ? null : iso(last)
  return { status: 'available', lastAvailable: stamp, lastChecked: stamp, lastLatency: 0, averageLatency: 0 }
}

export const handlers: Handlers = {
  ...definitions({ kind: 'health', what: 'health check' }),
  status,
  check: status,
  run(call, args) {
    const { key } = at(call, args)
    checked(call).set(key, call.now())
    return { status: 'available', checkedAt: iso(call.now()), latency: 0 }
  },
}
