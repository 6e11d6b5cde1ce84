// Writes the records of calls, decision before the side effect and outcome after, and of the files that came into force (docs/reference/evidence.md).
import { hash } from 'node:crypto'
import type { ApprovalNote, Call } from '../core/call.ts'
import { type Denial, denialRow } from '../core/denials.ts'
import { shownMethod } from '../core/methods.ts'
import { CAPTURES, DEFAULT_CAPTURE, type PolicyDecision } from '../core/policy.ts'
import type { Principal } from '../core/principal.ts'
import type { ToolDefinition } from '../core/tool.ts'
import { traceIdOf } from '../core/trace.ts'
import { redactedArgs, safeOf, shapeOf } from './capture.ts'
import type { Chain } from './chain.ts'
import { type Digests, toolDigest } from './digests.ts'
import type { Refusals } from './floods.ts'
import { guardsText } from './guards.ts'
import { scansText } from './scans.ts'

export interface RecordOptions {
  digests: Digests
  /** Monotonic milliseconds. */
  tick(): number
}

/** Each gives the hash of the record; undefined where it could not be appended (see Chain.append). */
export interface RecordWriter {
  /** Also fills in the digests of the request and `recordHash`. */
  decision(call: Call): string | undefined
  /** `tokens`: of the result, where a budget counted them. */
  outcome(
    call: Call,
    answer: { status: number; bytes: number; tokens?: number | undefined },
  ): string | undefined
  /** Further refusals of one peer in a window. */
  refusals(refusals: Refusals): string | undefined
  reload(change: LiveChange): string | undefined
}

/** A file of live/ that came into force, or was refused. */
export interface LiveChange {
  file: string
  applied: boolean
  /** SHA-256 of its bytes, lower-case hex; undefined where it is gone. */
  digest: string | undefined
  /** Of the policy that is in force now. */
  policyDigest: string | undefined
}

/**
 * How a decided call ended; `unknown` = the effect may or may not have happened, `replayed` = it got the answer of an earlier call and
 * nothing was executed.
 */
export type OutcomeStatus = 'executed' | 'replayed' | 'failed' | 'unknown' | 'cancelled' | 'fault'

// Members stand in RFC 8785 order (by UTF-16 units), so that the hash over a line needs no canonicaliser; absent members are left out.
// The lines are put together as text: an object made for JSON.stringify costs three times as much, twice a call.
export function createRecordWriter(
  chain: Pick<Chain, 'append'>,
  { digests, tick }: RecordOptions,
): RecordWriter {
  return {
    decision(call) {
      digests.request(call)
      call.recordHash = chain.append('decision', {
        callId: call.id,
        head: `"decision":{${decision(call, call.denial)}},`,
        tail: `,"what":{${what(call, digests)}},"who":{${who(call.principal, call.peer)}}`,
      })
      return call.recordHash
    },
    outcome(call, answer) {
      const duration = Math.round((tick() - call.startedTick) * 1000) / 1000
      const outcome =
        word('backendRequestId', call.backendRequestId) +
        number('backendStatus', call.backendStatus ?? call.denial?.backendStatus) +
        number('bytesIn', call.bytesIn) +
        number('bytesOut', answer.bytes) +
        word('code', call.denial?.code) +
        number('durationMs', duration) +
        number('httpStatus', answer.status) +
        word('resultDigest', call.resultDigest) +
        word(
          'resultDigestRaw',
          call.resultDigestRaw === call.resultDigest ? undefined : call.resultDigestRaw,
        ) +
        (call.scanned?.length ? `"scan":${scansText(call.scanned)},` : '') +
        `"status":"${outcomeStatus(call)}"` +
        (answer.tokens === undefined ? '' : `,"tokens":${answer.tokens}`)
      return chain.append('outcome', { callId: call.id, body: `"outcome":{${outcome}},` })
    },
    refusals: ({ code, count, from, peer, stage, to }) =>
      chain.append('refusals', {
        more: `"refusals":{"code":"${code}","count":${count},"from":"${from}","peer":${quoted(peer)},"stage":"${stage}","to":"${to}"},`,
      }),
    reload: ({ file, applied, digest, policyDigest }) =>
      chain.append('reload', {
        body: word('policyDigest', policyDigest),
        more: `"reload":{"applied":${applied},${word('digest', digest)}"file":${JSON.stringify(file)}},`,
      }),
  }
}

/** A member of words that need no escape: they come from closed sets or have been checked for their form. */
const word = (name: string, value: string | undefined): string =>
  value === undefined ? '' : `"${name}":"${value}",`

const number = (name: string, value: number | undefined): string =>
  value === undefined ? '' : `"${name}":${value},`

/** A claim of a token can hold half of a surrogate pair, for which there is no canonical JSON. */
const quoted = (text: string): string => JSON.stringify(text.toWellFormed())

/** A member of a text that was made in canonical form. */
const part = (name: string, json: string | undefined): string =>
  json === undefined ? '' : `"${name}":${json},`

function decision(call: Call, denial: Denial | undefined): string {
  const { approval, guarded, policy, replayOf } = call
  if (denial === undefined && approval === undefined && replayOf === undefined && !guarded?.length)
    return policy === undefined ? '"allowed":true' : allowed(policy)
  return (
    `"allowed":${denial === undefined}` +
    (approval === undefined ? '' : `,"approval":{${approvalText(approval, call.requestDigest)}}`) +
    (denial === undefined ? '' : `,"code":"${denial.code}"`) +
    (guarded?.length ? `,"guards":${guardsText(guarded)}` : '') +
    (replayOf === undefined ? '' : `,"replayOf":"${replayOf}"`) +
    (policy?.rule === undefined ? '' : `,"rule":${quoted(policy.rule)}`) +
    (denial === undefined ? '' : `,"stage":"${denialRow(denial).stage}"`) +
    (policy?.wouldDeny ? ',"wouldDeny":true' : '')
  )
}

/** In the record of the call itself the request stands in `what`, and who asks in `who`. */
const approvalText = (note: ApprovalNote, request: string | undefined): string =>
  (note.approver === undefined ? '' : `"approver":${quoted(note.approver)},`) +
  `"expiresAt":"${new Date(note.expiresAt).toISOString()}","id":${quoted(note.id)},` +
  (note.request === request ? '' : `"request":${quoted(note.request)},`) +
  (note.requester === undefined ? '' : `"requester":${quoted(note.requester)},`) +
  `"rule":${quoted(note.rule)},"state":"${note.state}"`

// A decision is the same object for every call that a rule decides.
const decisions = new WeakMap<PolicyDecision, string>()

function allowed(policy: PolicyDecision): string {
  let text = decisions.get(policy)
  if (text === undefined) {
    text =
      '"allowed":true' +
      (policy.rule === undefined ? '' : `,"rule":${quoted(policy.rule)}`) +
      (policy.wouldDeny ? ',"wouldDeny":true' : '')
    decisions.set(policy, text)
  }
  return text
}

function what(call: Call, digests: Digests): string {
  const id = shownRpcId(call.message?.id)
  const level = CAPTURES.indexOf(call.policy?.record ?? DEFAULT_CAPTURE)
  const key = call.idempotencyKey
  return (
    word('action', call.action) +
    part('args', level >= REDACTED ? redactedArgs(call) : undefined) +
    word('argsDigest', call.argsDigest) +
    word('credentialId', call.credentialId) +
    word('effect', call.effect) +
    word('idempotencyKey', key === undefined ? undefined : digests.idempotencyKey(key)) +
    operation(shownMethod(call), call.method, call.module) +
    word('requestDigest', call.requestDigest) +
    word('requestId', call.requestId) +
    word('revision', call.message?.revision) +
    (id === undefined ? '' : `"rpcId":${JSON.stringify(id)},`) +
    part('safe', level >= SAFE_FIELDS ? safeOf(call) : undefined) +
    part('shape', level >= SHAPE ? shapeOf(call) : undefined) +
    way(call.surface, call.target, call.tool, traceIdOf(call), call.channel)
  )
}

const SHAPE = CAPTURES.indexOf('shape')
const SAFE_FIELDS = CAPTURES.indexOf('safe-fields')
const REDACTED = CAPTURES.indexOf('redacted')

// Most calls are like the one before, so these parts of a line are kept as one piece of text.
const operation = keepLast(
  (mcpMethod: Part, method: Part, module: Part) =>
    word('mcpMethod', mcpMethod) + word('method', method) + word('module', module),
)

const way = keepLast(
  (surface: Part, target: Part, tool: ToolDefinition | undefined, traceId: Part, channel: Part) =>
    word('surface', surface) +
    (target === undefined ? '' : `"target":${quoted(target)},`) +
    word('tool', tool?.declaration.name) +
    word('toolDigest', tool === undefined ? undefined : toolDigest(tool)) +
    word('traceId', traceId) +
    `"transport":"${channel}"`,
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
    value === undefined ? '' : `"${name}":${quoted(value)},`
  const list = (name: string, values: readonly string[]): string =>
    values.length === 0 ? '' : `"${name}":[${values.map(quoted).join()}],`
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
    `"peer":${quoted(peer)},` +
    // What live/limits.yaml counts by.
    member('principal', principal.id) +
    list('roles', principal.roles) +
    member('spiffeId', principal.spiffeId) +
    `"subject":${quoted(principal.subject)}` +
    (principal.tenant === undefined ? '' : `,"tenant":${quoted(principal.tenant)}`) +
    (tokenId === undefined ? '' : `,"tokenId":"${tokenId}"`)
  )
}

type Part = string | undefined

/** Remembers the last arguments and what they gave. */
function keepLast<Args extends readonly unknown[]>(make: (...args: Args) => string): typeof make {
  let last: Args | undefined
  let text = ''
  return (...args) => {
    if (last === undefined || !isSame(args, last)) {
      text = make(...args)
      last = args
    }
    return text
  }
}

function isSame(one: readonly unknown[], other: readonly unknown[]): boolean {
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false
  return true
}

export function outcomeStatus(call: Call): OutcomeStatus {
  switch (call.denial?.code) {
    case undefined:
      return call.replayOf === undefined ? 'executed' : 'replayed'
    case 'result_too_large':
    case 'result_blocked':
      return 'executed'
    case 'cancelled':
    case 'backend_unreachable':
    case 'audit_unavailable':
      return 'cancelled'
    case 'backend_timeout':
    case 'backend_interrupted':
    case 'backend_malformed':
    case 'backend_too_large':
      return 'unknown'
    // An administrative request; what timed out in the store may have been done.
    case 'store_unavailable':
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
