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
// The lines are put together as text: an object made for JSON.stringify costs three times as much, twice a call.
export function createRecordWriter(writer: LineWriter, options: RecordOptions): RecordWriter {
  let seq = 0
  const instance = JSON.stringify(options.instance)
  const time = prepareTime(options.now)
  const stamp = (type: 'decision' | 'outcome'): string =>
    `"seq":${seq++},"time":"${time()}","type":"${type}","v":${RECORD_VERSION}`

  return {
    decision(call) {
      const { denial, principal } = call
      const decision =
        denial === undefined
          ? '"allowed":true'
          : `"allowed":false,"code":"${denial.code}","stage":"${denialRow(denial).stage}"`
      writer.write(
        `{"callId":"${call.id}","decision":{${decision}},"instance":${instance},${stamp('decision')},"what":{${what(call)}},` +
          `"who":{"method":"${principal.method}","peer":${JSON.stringify(call.peer)},"subject":${JSON.stringify(principal.subject)}}}`,
      )
    },
    outcome(call, answer) {
      const duration = Math.round((options.tick() - call.startedTick) * 1000) / 1000
      const outcome =
        word('backendRequestId', call.backendRequestId) +
        number('backendStatus', call.backendStatus ?? call.denial?.backendStatus) +
        number('bytesIn', call.bytesIn) +
        number('bytesOut', answer.bytes) +
        word('code', call.denial?.code) +
        number('durationMs', duration) +
        number('httpStatus', answer.status) +
        `"status":"${outcomeStatus(call)}"`
      writer.write(
        `{"callId":"${call.id}","instance":${instance},"outcome":{${outcome}},${stamp('outcome')}}`,
      )
    },
  }
}

/** A member of words that need no escape: they come from closed sets or have been checked for their form. */
const word = (name: string, value: string | undefined): string =>
  value === undefined ? '' : `"${name}":"${value}",`

const number = (name: string, value: number | undefined): string =>
  value === undefined ? '' : `"${name}":${value},`

function what(call: Call): string {
  const id = shownRpcId(call.message?.id)
  return (
    word('effect', call.effect) +
    word('mcpMethod', shownMethod(call)) +
    word('method', call.method) +
    word('module', call.module) +
    word('requestId', call.requestId) +
    word('revision', call.message?.revision) +
    (id === undefined ? '' : `"rpcId":${JSON.stringify(id)},`) +
    word('surface', call.surface) +
    word('tool', call.tool?.declaration.name) +
    word('traceId', traceIdOf(call)) +
    `"transport":"${call.channel}"`
  )
}

/** Many records share a millisecond; its text is made once. */
function prepareTime(now: () => number): () => string {
  let last = Number.NaN
  let text = ''
  return () => {
    const at = now()
    if (at !== last) {
      last = at
      text = new Date(at).toISOString()
    }
    return text
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
    case 'backend_refused':
      // A fault of the backend may have come after the effect.
      return (call.denial.backendStatus ?? 0) >= 500 ? 'unknown' : 'failed'
    default:
      return 'failed'
  }
}

// Caller's text stays out of records unless it has a form that no secret has.
const PLAIN_ID = /^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{1,15})$/i

const shownRpcId = (id: string | number | undefined): string | number | undefined =>
  typeof id === 'string' && !PLAIN_ID.test(id) ? undefined : id
