// Settles what `limits` has reserved when a call is over: what it has used up stays used, the rest is given back.
import type { Call } from '../../core/call.ts'
import type { StageName } from '../../core/denials.ts'
import { estimateTokens } from './estimate.ts'
import type { Limiter } from './limiter.ts'

/** The estimated tokens of the result, where a budget counts them. */
export function settleCall(limiter: Limiter, call: Call): number | undefined {
  if (call.reservation === undefined) return undefined
  const delivered = call.result !== undefined && call.denial === undefined ? call.reply?.body : undefined
  const counted = delivered !== undefined && limiter.countsAnswer(call)
  const tokens = counted ? estimateTokens(delivered) : undefined
  limiter.settle(call, tokens ?? 0, isSpent(call))
  return tokens
}

/** Stages from the effect on. */
const SENT: ReadonlySet<StageName> = new Set(['backend', 'shape', 'scan'])

/** An operation that reached the backend is used up, whether or not it worked; one that was not sent is not. */
function isSpent(call: Call): boolean {
  if (!call.decided || !SENT.has(call.stage)) return false
  return call.denial?.code !== 'backend_unreachable' && call.denial?.code !== 'cancelled'
}
