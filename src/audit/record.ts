// Writes the two records of a call, decision before the side effect and outcome after, as JSON lines (evidence.md, "Records").
import type { Call } from '../core/call.ts'
import { denialRow } from '../core/denials.ts'
import { shownMethod } from '../core/methods.ts'
import { traceIdOf } from '../core/trace.ts'
import type { LineWriter } from './writer.ts'

export interface RecordOptions {
  /** Pod or host, and boot id. */
  instance: string
  /** Milliseconds since the epoch. */
  now(): number
  /** Monotonic milliseconds. */
  tick(): number
}

export interface RecordWriter {
  decision(call: Call): void
  outcome(call: Call, answer: { status: number; bytes: number }): void
}

/** How an executed call ended; `unknown` = the effect may or may not have happened. */
export type OutcomeStatus = 'executed' | 'failed' | 'unknown' | 'cancelled' | 'fault'

const RECORD_VERSION = 1

// Members stand in RFC 8785 order (by UTF-16 units), so that later a hash over a line needs no canonicaliser; absent members are left out.
export function createRecordWriter(writer: LineWriter, options: RecordOptions): RecordWriter {
  let seq = 0
  const line = (record: object): void => {
    writer.write(JSON.stringify(record))
  }

  return {
    decision(call) {
      const { denial } = call
      const row = denial === undefined ? undefined : denialRow(denial)
      line({
        callId: call.id,
        decision:
          row === undefined ? { allowed: true } : { allowed: false, code: denial?.code, stage: row.stage },
        instance: options.instance,
        seq: seq++,
        time: new Date(options.now()).toISOString(),
        type: 'decision',
        v: RECORD_VERSION,
        what: {
          effect: call.effect,
          mcpMethod: shownMethod(call),
          method: call.method,
          module: call.module,
          requestId: call.requestId,
          revision: call.message?.revision,
          rpcId: shownRpcId(call.message?.id),
          surface: call.surface,
          tool: call.tool?.declaration.name,
          traceId: traceIdOf(call),
          transport: call.channel,
        },
        who: { method: call.principal.method, peer: call.peer, subject: call.principal.subject },
      })
    },
    outcome(call, answer) {
      line({
        callId: call.id,
        instance: options.instance,
        outcome: {
          backendRequestId: call.backendRequestId,
          backendStatus: call.backendStatus ?? call.denial?.backendStatus,
          bytesIn: call.bytesIn,
          bytesOut: answer.bytes,
          code: call.denial?.code,
          durationMs: Math.round((options.tick() - call.startedTick) * 1000) / 1000,
          httpStatus: answer.status,
          status: outcomeStatus(call),
        },
        seq: seq++,
        time: new Date(options.now()).toISOString(),
        type: 'outcome',
        v: RECORD_VERSION,
      })
    },
  }
}

export function outcomeStatus(call: Call): OutcomeStatus {
  switch (call.denial?.code) {
    case undefined:
    case 'result_too_large':
      return 'executed'
    case 'cancelled':
    case 'backend_unreachable':
      return 'cancelled'
    case 'backend_timeout':
    case 'backend_interrupted':
    case 'backend_malformed':
    case 'backend_too_large':
      return 'unknown'
    case 'internal_error':
      return 'fault'
    default:
      return 'failed'
  }
}

// Caller's text stays out of records unless it has a form that no secret has.
const PLAIN_ID = /^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{1,15})$/i

const shownRpcId = (id: string | number | undefined): string | number | undefined =>
  typeof id === 'string' && !PLAIN_ID.test(id) ? undefined : id
