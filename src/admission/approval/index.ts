// Asks a person before a call that a rule sets under approval: one approval for one request of one caller, used once.
import type { ApprovalNote, Call, Stage, Verdict } from '../../core/call.ts'
import { canonicalArguments } from '../../core/canonical.ts'
import { type Denial, deny } from '../../core/denials.ts'
import type { Fleet } from '../../core/fleet.ts'
import type { Principal } from '../../core/principal.ts'
import { type Store, StoreUnavailable } from '../../core/store.ts'
import { visibleText } from '../../core/text.ts'
import type { ApprovalState, Asked, Claim, Decided, Found } from './entry.ts'
import { requesterOf, tooNear, unfit } from './four-eyes.ts'
import { type Binding, createLedger } from './ledger.ts'
import type { Notifier, NotifierStats } from './notify.ts'
import { risksOf } from './risk.ts'
import { isOfThisCall, sealState } from './state.ts'

export { DEFAULT_EXPIRY } from './config.ts'
export type { ApprovalState, Asked } from './entry.ts'
export type { Requester } from './four-eyes.ts'
export { createNotifier, type Notifier, type NotifierPorts } from './notify.ts'
export { RISKS, type Risk, riskText } from './risk.ts'

export interface ApprovalOptions {
  store: Store
  fleet: Fleet
  /** Origin of the approvers' page; undefined = nobody can approve. */
  peopleUrl: string | undefined
  /** The OAuth clients with which people sign in (`auth.people`); undefined = nobody can approve. */
  people: { readonly clients: readonly string[] } | undefined
  /** Undefined = nobody is told. */
  notifier: Notifier | undefined
  /** Milliseconds since the epoch. */
  now(): number
  /** So many random bytes. */
  random(size: number): Buffer
  /** Fills in `call.requestDigest`. */
  digest(call: Call): void
  onEvent(name: string, fields?: Record<string, string | number>): void
}

/** One that waits, as a list shows it. */
export interface ApprovalSummary extends Omit<Asked, 'ruleDigest'> {
  /** False where this approver is too near to who asks; `decide` then refuses with the reason. */
  readonly mayDecide: boolean
}

export interface ApprovalView extends ApprovalSummary {
  readonly state: ApprovalState
  /** Canonical JSON of all arguments but credentials: the text that requestDigest covers. Undefined once it is decided. */
  readonly arguments: string | undefined
}

export type ApprovalDecision = 'approve' | 'deny'

export interface ApprovalStats {
  readonly asked: number
  readonly approved: number
  readonly denied: number
  readonly used: number
  /** Entries of the store that this fleet has not written, or cannot read. */
  readonly forged: number
  readonly notifications: NotifierStats
  /** How many wait now, by the store: of every replica that shares it; undefined where it cannot be asked. */
  pending(): Promise<number | undefined>
}

/**
 * All that an approver asks for is refused with `approval_unavailable`, `scope_insufficient` or `approver_refused` where that caller
 * could decide nothing, whatever the id; with `approval_unknown` where the id is unknown, of another tenant, used or expired; with
 * `store_unavailable`.
 */
export interface Approvals {
  readonly stage: Stage
  /** Those of the approver's tenant that wait, the oldest first; at most 1,000. */
  list(approver: Principal): Promise<readonly ApprovalSummary[] | Denial>
  view(id: string, approver: Principal): Promise<ApprovalView | Denial>
  /**
   * `record` is called with what the records say of the decision when nothing but the store could still refuse it, and before it takes
   * effect; a denial of it ends the matter. Also refused with `approval_decided`.
   */
  decide(
    id: string,
    decision: ApprovalDecision,
    reason: string | undefined,
    approver: Principal,
    record: (note: ApprovalNote) => Verdict | Promise<Verdict>,
  ): Promise<ApprovalView | Denial>
  stats(): ApprovalStats
  close(): void
}

/** Longest reason, in characters. */
const MAX_REASON = 500
/** A person needs longer than this to read; less often would be felt after the decision. */
const ASK_AGAIN = 5000
const BACKLOG_AGAIN = 60_000
const NOBODY_TOLD: NotifierStats = { sent: 0, failed: 0, dropped: 0 }

export function createApprovals(options: ApprovalOptions): Approvals {
  const { fleet, now, notifier, people, peopleUrl } = options
  const counts = { asked: 0, approved: 0, denied: 0, used: 0, forged: 0 }
  const ledger = createLedger({
    ...options,
    onForged: () => {
      counts.forged++
      options.onEvent('approval_forged', { count: counts.forged })
    },
  })
  const urlOf = (id: string): string => `${peopleUrl}/approvals#${id}`

  async function confirm(call: Call): Promise<Verdict> {
    if (peopleUrl === undefined || people === undefined) return deny('approval_unavailable')
    const binding = bindingOf(call)
    const state = call.message?.requestState
    if (state !== undefined && !isOfThisCall(fleet, call, state, now())) return deny('state_invalid')
    const claim = await ledger.claim(binding, () => describe(call, binding, now()))
    if (claim.state === 'too_large') return deny('approval_too_large', '64 KiB')
    if (claim.state === 'backlog')
      return { ...deny('approval_backlog', claim.whose), retryAfterMs: BACKLOG_AGAIN }
    call.approval = noteOf(claim, binding)
    if (claim.state === 'pending') return waitFor(call, claim)
    if (claim.state === 'denied')
      return deny('approval_denied', claim.reason === undefined ? '' : `: ${claim.reason}`)
    counts.used++
    return undefined
  }

  function waitFor(call: Call, { id, expiresAt, isNew }: Extract<Claim, { state: 'pending' }>): Denial {
    const url = urlOf(id)
    if (isNew) {
      counts.asked++
      const risks = risksOf(effectOf(call), call.prepared?.text ?? '')
      notifier?.tell({ type: 'approval.asked', id, url, risks, expiresAt })
    }
    return {
      ...deny('approval_required', url),
      retryAfterMs: ASK_AGAIN,
      approval: {
        id,
        url,
        expiresAt: new Date(expiresAt).toISOString(),
        state: sealState(fleet, call, expiresAt),
      },
    }
  }

  /** The call goes on, whether or not anybody can be told. */
  function notify(call: Call): undefined {
    if (notifier === undefined) return undefined
    const binding = bindingOf(call)
    const { id, startedAt } = call
    call.approval = {
      id,
      state: 'notified',
      approver: undefined,
      requester: undefined,
      request: binding.request,
      rule: binding.rule,
      expiresAt: startedAt,
    }
    const risks = risksOf(effectOf(call), call.prepared?.text ?? '')
    notifier.tell({ type: 'approval.notified', id, url: undefined, risks, expiresAt: undefined })
    return undefined
  }

  function bindingOf(call: Call): Binding {
    options.digest(call)
    const { policy, principal, requestDigest: request } = call
    if (request === undefined || policy?.ruleDigest === undefined)
      throw new Error('approval runs after validate and policy')
    return { tenant: principal.tenant, principal: principal.id, request, rule: policy.ruleDigest }
  }

  /** What is there for an approver, unless nothing is or the store is lost. */
  async function forApprover<T>(approver: Principal, answer: () => Promise<T>): Promise<T | Denial> {
    if (peopleUrl === undefined || people === undefined) return deny('approval_unavailable')
    return unfit(approver, people.clients) ?? unlessLost(answer)
  }

  async function pending(): Promise<number | undefined> {
    // Who looks at metrics does not wait for a store that is known to be lost.
    if (!options.store.available()) return undefined
    try {
      return await ledger.pending()
    } catch (error) {
      if (error instanceof StoreUnavailable) return undefined
      throw error
    }
  }

  return {
    stage(call) {
      const approval = call.policy?.approval
      if (approval === 'confirm') return unlessLost(() => confirm(call))
      return approval === 'notify' ? notify(call) : undefined
    },
    list: (approver) =>
      forApprover(approver, async () =>
        (await ledger.waiting(approver.tenant)).map((asked) => summaryOf(asked, approver)),
      ),
    view: (id, approver) =>
      forApprover(approver, async () => {
        const found = await ledger.find(approver.tenant, id)
        return found === undefined ? deny('approval_unknown') : viewOf(found, found.state, approver)
      }),
    decide: (id, decision, reason, approver, record) =>
      forApprover(approver, async () => {
        const found = await ledger.find(approver.tenant, id)
        if (found === undefined) return deny('approval_unknown')
        const near = tooNear(found.asked.requester, approver)
        if (near !== undefined) return deny('approver_refused', near)
        if (found.state !== 'pending') return deny('approval_decided')
        const decided: Decided = {
          state: decision === 'approve' ? 'approved' : 'denied',
          approver: approver.id,
          reason: reason === undefined ? undefined : safeReason(reason),
        }
        const late = await record(decisionNote(found.asked, decided))
        if (late !== undefined) return late
        if (await ledger.decide(found, decided)) {
          counts[decided.state]++
          return viewOf(found, decided.state, approver)
        }
        return deny(
          (await ledger.find(approver.tenant, id)) === undefined ? 'approval_unknown' : 'approval_decided',
        )
      }),
    stats: () => ({ ...counts, notifications: notifier?.stats() ?? NOBODY_TOLD, pending }),
    close() {
      ledger.close()
      notifier?.close()
    },
  }
}

async function unlessLost<T>(answer: () => Promise<T>): Promise<T | Denial> {
  try {
    return await answer()
  } catch (error) {
    if (error instanceof StoreUnavailable) return deny('store_unavailable')
    throw error
  }
}

const effectOf = (call: Call) => call.effect ?? 'destructive'

function describe(
  call: Call,
  { request, rule }: Binding,
  askedAt: number,
): { asked: Omit<Asked, 'id'>; arguments: string } {
  const { method, module, policy, prepared, principal, runtime, toolName } = call
  if (prepared === undefined) throw new Error('approval runs after validate')
  const effect = effectOf(call)
  const args = canonicalArguments(prepared)
  return {
    asked: {
      requester: requesterOf(principal),
      tenant: principal.tenant,
      tool: toolName,
      module,
      method,
      effect,
      risks: risksOf(effect, args),
      credentialId: call.credentialId,
      requestDigest: request,
      rule: policy?.rule ?? '',
      ruleDigest: rule,
      askedAt,
      expiresAt: askedAt + (runtime.policy?.approvalExpiry ?? 0),
    },
    arguments: args,
  }
}

/** What the record of the call says; who asks is its caller. */
const noteOf = (claim: Extract<Claim, { id: string }>, { request, rule }: Binding): ApprovalNote => ({
  id: claim.id,
  state: claim.state === 'pending' ? 'asked' : claim.state === 'approved' ? 'used' : 'denied',
  approver: claim.state === 'pending' ? undefined : claim.approver,
  requester: undefined,
  request,
  rule,
  expiresAt: claim.expiresAt,
})

/** What the record of the decision says; who decides is its caller. */
const decisionNote = (asked: Asked, { state }: Decided): ApprovalNote => ({
  id: asked.id,
  state,
  approver: undefined,
  requester: asked.requester.id,
  request: asked.requestDigest,
  rule: asked.ruleDigest,
  expiresAt: asked.expiresAt,
})

const summaryOf = ({ ruleDigest: _, ...shown }: Asked, approver: Principal): ApprovalSummary => ({
  ...shown,
  mayDecide: tooNear(shown.requester, approver) === undefined,
})

const viewOf = (found: Found, state: ApprovalState, approver: Principal): ApprovalView => ({
  ...summaryOf(found.asked, approver),
  state,
  arguments: state === 'pending' ? found.arguments : undefined,
})

/** It is read by agents: one line, visible. */
function safeReason(reason: string): string | undefined {
  const text = visibleText(reason, MAX_REASON).replaceAll(/\s+/g, ' ').trim()
  return text === '' ? undefined : text
}
