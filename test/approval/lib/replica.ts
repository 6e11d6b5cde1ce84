// One replica as a process of its own: approvals on a real store, which ask and decide as they are told.
import { createHash, randomBytes } from 'node:crypto'
import { type ApprovalDecision, createApprovals } from '../../../src/admission/approval/index.ts'
import { createDigests } from '../../../src/audit/digests.ts'
import type { Principal } from '../../../src/core/principal.ts'
import { createFleet } from '../../../src/keys/index.ts'
import { openStore } from '../../store/lib/server.ts'
import {
  APPROVERS,
  type ApproverName,
  askingCall,
  PEOPLE_CLIENT,
  PEOPLE_URL,
  REQUESTERS,
  type RequesterName,
} from './callers.ts'

/** Told by the test; `order` names the answer. Each round has tenants of its own, because only so many may wait in one. */
export type Order = { order: number; round: number } & (
  | { ask: RequesterName; args: string; credentialId: string }
  | { decide: ApprovalDecision; id: string; approver: ApproverName }
)

/** Told to the test: `ok` where a call passed, else a code or the state of an approval. */
export interface Told {
  order: number
  ended: string
  /** Of the approval. */
  id: string | undefined
}

const [url = ''] = process.argv.slice(2)
const { store } = await openStore({ url, timeout: 2000 })
const fleet = createFleet([{ id: 'k1', secret: createHash('sha256').update('replicas').digest() }], true)
const approvals = createApprovals({
  store,
  fleet,
  peopleUrl: PEOPLE_URL,
  people: { clients: [PEOPLE_CLIENT] },
  notifier: undefined,
  now: Date.now,
  random: randomBytes,
  digest: createDigests({ fleet, random: randomBytes }).request,
  onEvent: () => undefined,
})

async function carryOut(order: Order): Promise<Told> {
  const inRound = (principal: Principal): Principal => ({
    ...principal,
    tenant: `${principal.tenant} ${order.round}`,
  })
  if ('ask' in order) {
    const call = askingCall({
      requester: inRound(REQUESTERS[order.ask]),
      args: { params: [order.args] },
      credentialId: order.credentialId,
    })
    const denial = await approvals.stage(call)
    return { order: order.order, ended: denial?.code ?? 'ok', id: call.approval?.id }
  }
  const done = await approvals.decide(
    order.id,
    order.decide,
    undefined,
    inRound(APPROVERS[order.approver]),
    () => undefined,
  )
  return { order: order.order, ended: 'code' in done ? done.code : done.state, id: order.id }
}

process.on('message', (order: Order) => {
  void carryOut(order).then((told) => process.send?.(told))
})
// Whatever the store is doing: the test is over.
process.on('disconnect', () => void store.close().finally(() => process.exit(0)))
process.send?.('ready')
