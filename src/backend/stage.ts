// The stage `backend`: the only I/O of a call.
import type { Call, Stage, Verdict } from '../core/call.ts'
import { type Denial, deny } from '../core/denials.ts'
import type { BackendRequest } from '../core/tool.ts'
import type { BackendAnswer, BackendClient } from './client.ts'

/** `asking` puts the trace context that the backend is to continue in place of the call's own. */
export function prepareBackend(
  client: BackendClient,
  asking?: (call: Call, request: BackendRequest) => void,
): Stage {
  return async (call): Promise<Verdict> => {
    const { prepared, credential } = call
    if (prepared === undefined || credential === undefined) throw new Error('backend runs after credentials')
    // 2026-07-28: a closed response stream is a cancellation; before that revision it is not (mcp.md 1.1, 10.5). On stdio the caller says it in words, in both eras.
    const cancellable = call.message?.era === 'modern' || call.channel === 'stdio'
    if (call.gone && cancellable) return deny('cancelled')
    call.progress?.(call, 1, 2, 'Forwarded to the Ductape backend')
    const request = prepared.request(credential)
    if (call.deadline !== undefined && call.deadline < request.timeout) request.timeout = call.deadline
    asking?.(call, request)
    const asked = client.ask(request, call)
    if (cancellable) call.underWay = asked
    const outcome = await asked.outcome
    call.underWay = undefined
    if (isDenial(outcome)) return outcome
    call.backendStatus = outcome.status
    call.reply = outcome
    call.progress?.(call, 2, 2, 'The Ductape backend has answered')
    return undefined
  }
}

const isDenial = (outcome: BackendAnswer | Denial): outcome is Denial => 'code' in outcome
