// How the refusals of guards come about in the whole service: rows of the matrix in test/http/secured-scenarios.ts.
import type { DenialCode } from '../../../src/core/denials.ts'
import type { Scenario } from '../../http/secured-scenarios.ts'
import { EXECUTE } from '../../lib/calls.ts'
import { ALLOW_ALL, bearer, type Secured, startSecured } from '../../live/lib/secured.ts'

/** Raw SQL in production has to be shown to read. */
let guarded: Secured

export async function startGuarded(): Promise<Secured> {
  guarded = await startSecured({
    callers: { agent: { scopes: ['ductape:configure'] } },
    live: { 'policy.yaml': { ...ALLOW_ALL, guards: { sql: [{ env: 'prd', unproven: 'refuse' }] } } },
  })
  return guarded
}

const sent = (module: string, method: string, ...params: unknown[]): Scenario => ({
  service: () => guarded,
  headers: bearer('agent'),
  who: 'agent',
  call: { args: { ...EXECUTE, module, method, params } },
})

const shop = { product: 'ductape:my-product', env: 'prd', database: 'main' }

export const GUARD_SCENARIOS: Partial<Record<DenialCode, Scenario | Scenario[]>> = {
  sql_refused: [
    sent('databases', 'query', { ...shop, sql: 'SELECT 1; DROP TABLE users' }),
    sent('databases', 'dispatch', { ...shop, operation: 'query', input: { sql: 'SELECT a INTO b FROM c' } }),
  ],
  sql_unparsable: [
    sent('databases', 'query', { ...shop, sql: 'DELETE FROM users WHERE id = 1' }),
    // Where the environment cannot be seen, both have to be met.
    sent('databases', 'query', { ...shop, env: undefined, sql: 'DELETE FROM users WHERE id = 1' }),
  ],
  cypher_refused: sent('graph', 'query', 'MATCH (n) DETACH DELETE n'),
  path_refused: sent('storage', 'download', { ...shop, storage: 'files', fileName: '../other/keys.pem' }),
  url_refused: sent('webhooks', 'generateLink', { ...shop, url: 'http://169.254.169.254/latest/meta-data/' }),
  secret_reference_refused: [
    sent('actions', 'run', { ...shop, app: 'a', action: 'b', input: { key: '$Secret{STRIPE}' } }),
    sent('secrets', 'resolve', '$Secret{STRIPE}'),
  ],
}
