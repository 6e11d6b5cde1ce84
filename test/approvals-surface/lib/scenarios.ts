// How the refusals of a person who decides come about: rows of the matrix in test/http/secured-scenarios.ts.
import type { DenialCode } from '../../../src/core/denials.ts'
import type { Scenario } from '../../http/secured-scenarios.ts'
import type { Secured } from '../../live/lib/secured.ts'
import { type People, startPeople } from './people.ts'
import { askFor, asPerson, startSurface } from './service.ts'

let people: People
let surface: Secured
let token: string
/** Of the approval that the next request is about. */
let id = 'unknown'
let rows = 0

export async function startPeopleSurface(): Promise<Pick<Secured, 'close'>> {
  people = await startPeople()
  surface = await startSurface(people)
  return {
    async close() {
      await surface.close()
      await people.close()
    },
  }
}

/** A person decides about the approval that `first` has left. */
const decision = (who: 'grace' | 'ada', first: () => Promise<unknown>): Scenario => ({
  service: () => surface,
  headers: () => ({ host: new URL(people.peopleUrl).host, authorization: `Bearer ${token}` }),
  get path() {
    return { path: `/v1/approvals/${id}`, body: '{"decision":"approve"}' }
  },
  action: 'approval.approve',
  first: async () => {
    token = await people.tokenOf(who)
    await first()
    return undefined
  },
  who: 'oauth',
})

const ask = async (who?: string): Promise<void> => {
  id = await askFor(surface, { id: ++rows }, who)
}

export const SURFACE_SCENARIOS: Partial<Record<DenialCode, Scenario | Scenario[]>> = {
  approval_unknown: decision('grace', async () => {
    id = 'A'.repeat(22)
  }),
  approval_decided: decision('grace', async () => {
    await ask()
    await asPerson(surface, people, `/v1/approvals/${id}`, {
      method: 'POST',
      token,
      body: { decision: 'deny' },
    })
  }),
  approver_refused: decision('ada', () => ask('ada-agent')),
}
