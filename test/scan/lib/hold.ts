// How long the stage holds the event loop with one answer, and how long it takes with a small one.
import { type Call, openCall } from '../../../src/core/call.ts'
import { readPlainEnvelope } from '../../../src/core/envelope.ts'
import { parseLossless } from '../../../src/core/json.ts'
import { ANONYMOUS } from '../../../src/core/principal.ts'
import type { PreparedCall, ToolResult } from '../../../src/core/tool.ts'
import { prepareScan, type ScanRules } from '../../../src/response/scan/index.ts'

const stage = prepareScan({ tokens: (text) => text.length / 4 })

/** The result of ductape_execute as `shape` leaves it. */
function resultOf(json: string): ToolResult {
  const plain = readPlainEnvelope(Buffer.from(`{"status":true,"data":{"data":${json}}}`))
  if (plain !== undefined) return answerPlain(plain)
  const value = parseLossless(json)
  return { content: [{ type: 'text', text: JSON.stringify(value, null, 2) }], value }
}

const answerPlain: NonNullable<PreparedCall['answerPlain']> = ({ escapedText, json }) => ({
  written: { content: `[{"type":"text","text":"${escapedText}"}]`, value: json },
  content: [],
  value: undefined,
})

export function scanCall(json: string, rules: ScanRules): Call {
  const call = openCall({
    id: 'x',
    startedAt: 0,
    startedTick: 0,
    channel: 'http',
    peer: 'test',
    principal: ANONYMOUS,
    runtime: { policy: undefined, apiKeys: { size: 0, find: () => undefined }, scan: rules } as never,
  })
  call.effect = 'read'
  call.prepared = { answerPlain } as PreparedCall
  call.result = resultOf(json)
  return call
}

/** Milliseconds that this thread has run: what else the machine does stays out of it. */
function threadTime(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

/** The longest time for which nothing else could run, in milliseconds. */
export async function longestHold(json: string, rules: ScanRules): Promise<number> {
  const call = scanCall(json, rules)
  let longest = 0
  let last = threadTime()
  let running = true
  const tick = (): void => {
    const now = threadTime()
    longest = Math.max(longest, now - last)
    last = now
    if (running) setImmediate(tick)
  }
  await new Promise((resolve) => setImmediate(resolve))
  last = threadTime()
  setImmediate(tick)
  await stage(call)
  longest = Math.max(longest, threadTime() - last)
  running = false
  return longest
}

/** Microseconds of CPU of the whole stage for one small answer: the median of rounds of 100,000. */
export function costOf(json: string, rules: ScanRules): number {
  // As many as the service could have under way, each with memory of its own.
  const calls = Array.from({ length: 1000 }, () => scanCall(json, rules))
  const results = calls.map(({ result }) => result)
  const rounds: number[] = []
  for (let round = 0; round < 5; round++) {
    const start = threadTime()
    for (let turn = 0; turn < 100; turn++)
      for (const [index, call] of calls.entries()) {
        call.result = results[index]
        void stage(call)
      }
    rounds.push(((threadTime() - start) / 100_000) * 1000)
  }
  return rounds.toSorted((a, b) => a - b)[2] ?? Number.NaN
}
