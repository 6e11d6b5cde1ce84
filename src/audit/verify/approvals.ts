// Whether each approval that a call used was given before: for this request, by somebody else, and used once. Plain data: a state can be copied and saved.
import { type Json, type JsonObject, member } from '../../core/json.ts'
import type { Place } from './chain.ts'
import { type Finding, finding } from './codes.ts'

/** Those members of a decision that an approval binds, of the one that gives it or of the one that uses it. */
interface Bound extends Place {
  readonly id: string
  readonly callId: string
  readonly chain: string
  readonly seq: number
  readonly request: Json | undefined
  readonly rule: Json | undefined
  /** Ids of principals; undefined where this record does not say it. */
  readonly requester: Json | undefined
  readonly approver: Json | undefined
  readonly who: Json | undefined
}

/** Grows with what people decide, not with the records. */
export interface ApprovalState {
  /** By id of the approval; several where two people decided at the same time, of which one came too late. */
  given: Map<string, readonly Bound[]>
  used: Map<string, Bound>
  /** Decisions to approve whose outcome has not come, by call. */
  waiting: Map<string, string>
}

export const newApprovals = (): ApprovalState => ({ given: new Map(), used: new Map(), waiting: new Map() })

export const copyApprovals = ({ given, used, waiting }: ApprovalState): ApprovalState => ({
  given: new Map(given),
  used: new Map(used),
  waiting: new Map(waiting),
})

/** Of a record that its chain has taken. */
export function takeApproval(state: ApprovalState, record: JsonObject, at: Place): Finding | undefined {
  if (record['type'] === 'outcome') return settle(state, record)
  if (record['type'] !== 'decision' || member(record['decision'], 'allowed') !== true) return undefined
  const note = member(record['decision'], 'approval')
  if (note === undefined) return undefined
  if (member(note, 'state') === 'used') {
    const use = boundBy(record, note, at)
    if (state.used.has(use.id)) return finding('approval_reused')
    state.used.set(use.id, use)
  } else if (
    member(note, 'state') === 'approved' &&
    member(record['what'], 'action') === 'approval.approve'
  ) {
    const given = boundBy(record, note, at)
    const { callId, id } = given
    state.given.set(id, [...(state.given.get(id) ?? []), given])
    state.waiting.set(callId, id)
  }
  return undefined
}

/** An approval that was refused after its record was written has not been given. */
function settle(state: ApprovalState, record: JsonObject): undefined {
  const callId = record['callId'] as string
  const id = state.waiting.get(callId)
  if (id === undefined) return
  state.waiting.delete(callId)
  const status = member(record['outcome'], 'status')
  if (status !== 'failed' && status !== 'cancelled') return
  const rest = (state.given.get(id) ?? []).filter((given) => given.callId !== callId)
  if (rest.length === 0) state.given.delete(id)
  else state.given.set(id, rest)
}

function boundBy(record: JsonObject, note: Json, at: Place): Bound {
  const { callId, chain, seq, what, who } = record
  const { actors, owner, principal, subject, tenant } = who as JsonObject
  const bound = {
    ...at,
    id: member(note, 'id'),
    callId,
    chain,
    seq,
    request: member(note, 'request') ?? member(what, 'requestDigest'),
    rule: member(note, 'rule'),
    requester: member(note, 'requester'),
    approver: member(note, 'approver'),
    who: { actors, owner, principal, subject, tenant },
  }
  // Strings cut out of a line keep the whole line in memory; a copy does not.
  return JSON.parse(JSON.stringify(bound)) as Bound
}

/** What only the whole can show; `whole`: the records of all replicas are here. */
export function settleApprovals(
  { given, used }: ApprovalState,
  whole: boolean,
): { finding: Finding | undefined; used: number; notShown: number } {
  let notShown = 0
  for (const [id, use] of used) {
    const all = given.get(id) ?? []
    const before = all.filter(({ chain, seq }) => chain !== use.chain || seq < use.seq)
    if (all.length === 0 && !whole) notShown++
    else {
      const faults = before.map((one) => faultOf(one, use))
      const code = before.length === 0 ? 'approval_unmatched' : faults.every(Boolean) ? faults[0] : undefined
      const { file, line, chain, seq } = use
      if (code !== undefined)
        return { finding: { ...finding(code), file, line, chain, seq }, used: used.size, notShown }
    }
  }
  return { finding: undefined, used: used.size, notShown }
}

function faultOf(given: Bound, use: Bound): 'approval_mismatch' | 'approval_self' | undefined {
  const principal = member(use.who, 'principal')
  const approver = member(given.who, 'principal')
  const isOther = (one: Json | undefined, other: Json | undefined): boolean =>
    one !== undefined && one !== other
  if (
    given.request !== use.request ||
    given.rule !== use.rule ||
    member(given.who, 'tenant') !== member(use.who, 'tenant') ||
    isOther(given.requester, principal) ||
    isOther(use.approver, approver)
  )
    return 'approval_mismatch'
  return isSelf(given.who, use.who) ? 'approval_self' : undefined
}

/** The caller, the owner of its key, or somebody in its `act` chain; byte by byte, where the service compares more loosely. */
function isSelf(approver: Json | undefined, requester: Json | undefined): boolean {
  const actors = member(requester, 'actors')
  const near = [
    ...['principal', 'subject', 'owner'].map((name) => member(requester, name)),
    ...(Array.isArray(actors) ? actors : []),
  ]
  return [member(approver, 'principal'), member(approver, 'subject')].some(
    (name) => name !== undefined && near.includes(name),
  )
}
