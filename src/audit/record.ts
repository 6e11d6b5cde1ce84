// Writes the two records of a call, decision before the side effect and outcome after, as JSON lines (evidence.md, "Records").
import { hash } from 'node:crypto'
import type { Call } from '../core/call.ts'
import { type Denial, denialRow } from '../core/denials.ts'
import { shownMethod } from '../core/methods.ts'
import type { Principal } from '../core/principal.ts'
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
      const { denial } = call
      writer.write(
        `{"callId":"${call.id}","decision":{${decision(call, denial)}},"instance":${instance},${stamp('decision')},"what":{${what(call)}},` +
          `"who":{${who(call.principal, call.peer)}}}`,
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

function decision({ policy }: Call, denial: Denial | undefined): string {
  const outcome = denial === undefined ? '"allowed":true' : `"allowed":false,"code":"${denial.code}"`
  if (policy === undefined)
    return denial === undefined ? outcome : `${outcome},"stage":"${denialRow(denial).stage}"`
  return (
    outcome +
    (policy.rule === undefined ? '' : `,"rule":${JSON.stringify(policy.rule)}`) +
    (denial === undefined ? '' : `,"stage":"${denialRow(denial).stage}"`) +
    (policy.wouldDeny ? ',"wouldDeny":true' : '')
  )
}

function what(call: Call): string {
  const id = shownRpcId(call.message?.id)
  return (
    word('action', call.action) +
    word('credentialId', call.credentialId) +
    operation(call.effect, shownMethod(call), call.method, call.module) +
    `"requestId":"${call.requestId}",` +
    word('revision', call.message?.revision) +
    (id === undefined ? '' : `"rpcId":${JSON.stringify(id)},`) +
    way(call.surface, call.tool?.declaration.name, traceIdOf(call), call.channel)
  )
}

// Most calls are like the one before, so these parts of a line are kept as one piece of text.
const operation = keepLast(
  (effect, mcpMethod, method, module) =>
    word('effect', effect) + word('mcpMethod', mcpMethod) + word('method', method) + word('module', module),
)

const way = keepLast(
  (surface, tool, traceId, channel) =>
    `${word('surface', surface)}${word('tool', tool)}${word('traceId', traceId)}"transport":"${channel}"`,
)

// A principal is the same object as long as its credential is kept, and its text with it.
const callers = new WeakMap<Principal, { peer: string; text: string }>()

function who(principal: Principal, peer: string): string {
  const known = callers.get(principal)
  if (known?.peer === peer) return known.text
  const text = whoText(principal, peer)
  callers.set(principal, { peer, text })
  return text
}

function whoText(principal: Principal, peer: string): string {
  const member = (name: string, value: string | undefined): string =>
    value === undefined ? '' : `"${name}":${JSON.stringify(value)},`
  const list = (name: string, values: readonly string[]): string =>
    values.length === 0 ? '' : `"${name}":${JSON.stringify(values)},`
  // A token's id lets its holder be followed through other systems, so only its hash is kept (evidence.md, "who").
  const tokenId = principal.tokenId === undefined ? undefined : hash('sha256', principal.tokenId, 'base64url')
  return (
    list('actors', principal.actors) +
    (principal.binding === 'none' ? '' : `"binding":"${principal.binding}",`) +
    member('certificate', principal.fingerprint) +
    member('clientId', principal.client) +
    member('issuer', principal.issuer) +
    member('keyId', principal.keyId) +
    `"method":"${principal.method}",` +
    member('owner', principal.owner) +
    `"peer":${JSON.stringify(peer)},` +
    // What live/limits.yaml counts by.
    member('principal', principal.id) +
    list('roles', principal.roles) +
    member('spiffeId', principal.spiffeId) +
    `"subject":${JSON.stringify(principal.subject)}` +
    (principal.tenant === undefined ? '' : `,"tenant":${JSON.stringify(principal.tenant)}`) +
    (tokenId === undefined ? '' : `,"tokenId":"${tokenId}"`)
  )
}

type Part = string | undefined

/** Remembers the last arguments and what they gave. */
function keepLast(make: (a: Part, b: Part, c: Part, d: Part) => string): typeof make {
  let [lastA, lastB, lastC, lastD]: Part[] = []
  let text = make(lastA, lastB, lastC, lastD)
  return (a, b, c, d) => {
    if (a !== lastA || b !== lastB || c !== lastC || d !== lastD) {
      text = make(a, b, c, d)
      lastA = a
      lastB = b
      lastC = c
      lastD = d
    }
    return text
  }
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

function outcomeStatus(call: Call): OutcomeStatus {
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
