// A service whose writes need an approval, with callers of two tenants, behind the origin of the people.
import assert from 'node:assert/strict'
import { EXECUTE } from '../../lib/calls.ts'
import {
  type Answer,
  bearer,
  call,
  type Secured,
  type SecuredOptions,
  send,
  startSecured,
} from '../../live/lib/secured.ts'
import type { People } from './people.ts'

const SCOPES = ['ductape:read', 'ductape:write', 'ductape:destructive']

export async function startSurface(people: People, options: SecuredOptions = {}): Promise<Secured> {
  const service = await startSecured({
    ...options,
    auth: { apiKeys: {}, ...people.auth },
    // No rule says what needs an approval: all but reads do.
    live: { 'policy.yaml': { roles: { all: { allow: [{ tool: '*' }] } } }, ...options.live },
    callers: {
      agent: { tenant: 'acme', scopes: SCOPES },
      'ada-agent': { tenant: 'acme', owner: 'ada', scopes: SCOPES },
      stranger: { tenant: 'umbrella', scopes: SCOPES },
      ...options.callers,
    },
    app: { ...options.app, config: { peopleUrl: people.peopleUrl, ...options.app?.config } },
  })
  people.forwardTo(service.url)
  return service
}

export const insertOf = (data: object): Record<string, unknown> => ({
  ...EXECUTE,
  module: 'databases',
  method: 'insert',
  params: [{ product: 'ductape:my-product', env: 'dev', database: 'main-db', table: 'users', data }],
})

/** A call that waits, and the id of its approval. */
export async function askFor(service: Secured, data: object, who = 'agent'): Promise<string> {
  const answer = await call(service, 'modern', { headers: bearer(who), args: insertOf(data) })
  const { _meta: meta } = answer.body['result'] as {
    _meta: Record<string, { code?: string; approval?: { id: string } }>
  }
  const refusal = meta['app.ductape/refusal']
  assert.equal(refusal?.code, 'approval_required', answer.text)
  assert.ok(refusal?.approval?.id !== undefined, answer.text)
  return refusal.approval.id
}

export interface Asking {
  method?: string
  token?: string
  body?: unknown
  headers?: Record<string, string>
}

/** A request at the origin of the people. */
export const asPerson = (
  service: Secured,
  people: People,
  path: string,
  { method = 'GET', token, body, headers }: Asking = {},
): Promise<Answer> =>
  send(service, {
    method,
    path,
    headers: {
      host: new URL(people.peopleUrl).host,
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
