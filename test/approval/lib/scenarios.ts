// How the refusals of approvals come about in the whole service: rows of the matrix in test/http/secured-scenarios.ts.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type Approvals, createApprovals } from '../../../src/admission/approval/index.ts'
import type { DenialCode } from '../../../src/core/denials.ts'
import { createMemoryStore } from '../../../src/store/index.ts'
import { FLEET } from '../../credentials/lib/service.ts'
import type { Scenario } from '../../http/secured-scenarios.ts'
import { EXECUTE } from '../../lib/calls.ts'
import { bearer, call, type Secured, startSecured } from '../../live/lib/secured.ts'
import { APPROVERS, PEOPLE_CLIENT, PEOPLE_URL } from './callers.ts'

/** Every call of every caller needs a person. */
let judged: Secured
/** What another replica would do. */
let elsewhere: Approvals

export async function startJudged(): Promise<Secured> {
  const store = createMemoryStore({ now: Date.now })
  judged = await startSecured({
    callers: Object.fromEntries(
      ['asker', 'refused', 'flooder', 'bulky'].map((name) => [name, { tenant: 'acme' }]),
    ),
    live: { 'policy.yaml': { roles: { all: { allow: [{ tool: '*', approval: 'confirm' }] } } } },
    auth: { apiKeys: {}, people: { issuer: 'https://login.example.com', clientId: PEOPLE_CLIENT } },
    app: { config: { peopleUrl: PEOPLE_URL }, ports: { store } },
  })
  elsewhere = createApprovals({
    store,
    fleet: FLEET,
    peopleUrl: PEOPLE_URL,
    people: { clients: [PEOPLE_CLIENT] },
    notifier: undefined,
    now: Date.now,
    random: randomBytes,
    digest: () => undefined,
    onEvent: () => undefined,
  })
  return judged
}

const by = (name: string): Pick<Scenario, 'service' | 'headers' | 'who'> => ({
  service: () => judged,
  headers: bearer(name),
  who: name,
})

async function refuseAll(): Promise<undefined> {
  await call(judged, 'rest', { headers: bearer('refused') })
  const waiting = await elsewhere.list(APPROVERS.alice)
  assert.ok(!('code' in waiting))
  for (const { id, requester } of waiting)
    if (requester.id === 'api-key:refused')
      await elsewhere.decide(id, 'deny', 'not on a Friday', APPROVERS.alice, () => undefined)
}

async function askTwenty(): Promise<undefined> {
  for (let at = 0; at < 20; at++)
    await call(judged, 'rest', { headers: bearer('flooder'), args: { ...EXECUTE, params: [`p:${at}`] } })
}

export const APPROVAL_SCENARIOS: Partial<Record<DenialCode, Scenario | Scenario[]>> = {
  approval_required: { ...by('asker'), waits: true },
  approval_denied: { ...by('refused'), first: refuseAll },
  approval_backlog: { ...by('flooder'), first: askTwenty, waits: true },
  approval_too_large: { ...by('bulky'), call: { args: { ...EXECUTE, params: ['x'.repeat(64 * 1024)] } } },
}
