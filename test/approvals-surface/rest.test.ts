// The REST interface of the people who approve: list, look, decide; who may, what is recorded before, and whose tokens count where.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { bearer, call, PUBLIC_URL, type Secured, send } from '../live/lib/secured.ts'
import { DESK_CLIENT, type People, startPeople } from './lib/people.ts'
import { type Asking, askFor, asPerson, insertOf, startSurface } from './lib/service.ts'

let people: People
let service: Secured
let grace: string
let ada: string
let mallory: string
let rows = 4000

before(async () => {
  people = await startPeople()
  service = await startSurface(people)
  grace = await people.tokenOf('grace')
  ada = await people.tokenOf('ada')
  mallory = await people.tokenOf('mallory')
})
after(async () => {
  await service?.close()
  await people?.close()
})

const at = (path: string, asking?: Asking) => asPerson(service, people, path, asking)
const decide = (id: string, token: string, decision: string, reason?: string) =>
  at(`/v1/approvals/${id}`, {
    method: 'POST',
    token,
    body: { decision, ...(reason !== undefined && { reason }) },
  })
const newRow = () => ({ id: ++rows, name: 'Lin', email: `${rows}@example.com` })
const since = (count: number) => service.records().slice(count)
interface Listed {
  id: string
  mayDecide: boolean
}
const listed = async (token: string): Promise<Listed[]> =>
  (await at('/v1/approvals', { token })).body['approvals'] as Listed[]

describe('a call that waits', () => {
  test('is listed for its tenant alone, with who asks and what, and without its arguments', async () => {
    const id = await askFor(service, newRow())
    const answer = await at('/v1/approvals', { token: grace })
    assert.equal(answer.status, 200, answer.text)
    assert.deepEqual(answer.body['approver'], { subject: 'grace', tenant: 'acme' })
    const one = (answer.body['approvals'] as Record<string, unknown>[]).find((row) => row['id'] === id)
    assert.ok(one !== undefined)
    assert.deepEqual(
      [one['tool'], one['module'], one['method'], one['tenant'], one['effect'], one['mayDecide']],
      ['ductape_execute', 'databases', 'insert', 'acme', 'write', true],
    )
    assert.equal((one['requester'] as { id: string }).id, 'api-key:agent')
    assert.ok(!answer.text.includes('@example.com'))
    assert.deepEqual(await listed(mallory), [])
  })

  test('is shown whole: the canonical text of all arguments but the credential', async () => {
    const row = newRow()
    const id = await askFor(service, row)
    const { status, body, text } = await at(`/v1/approvals/${id}`, { token: grace })
    assert.equal(status, 200, text)
    const { publishable_key: key, ...args } = insertOf(row)
    assert.ok(typeof key === 'string' && !text.includes(key))
    assert.deepEqual(JSON.parse(String(body['arguments'])), args)
    assert.deepEqual([body['state'], body['risks']], ['pending', ['Low risk operation']])
    assert.ok(Date.parse(String(body['expiresAt'])) > Date.parse(String(body['now'])))
  })

  test('approved, runs once; the decision was recorded before, with who asked and the digest', async () => {
    const row = newRow()
    const id = await askFor(service, row)
    const count = service.records().length
    const answer = await decide(id, grace, 'approve', 'agreed on the phone')
    assert.deepEqual([answer.status, answer.body['state']], [200, 'approved'], answer.text)
    const [decision, outcome] = since(count)
    assert.equal(decision?.what?.['action'], 'approval.approve')
    assert.deepEqual([decision?.who?.['subject'], decision?.decision?.allowed], ['grace', true])
    assert.equal(outcome?.outcome?.status, 'executed')
    const run = () => call(service, 'rest', { headers: bearer('agent'), args: insertOf(row) })
    assert.equal((await run()).status, 200)
    assert.equal((await run()).body['code'], 'approval_required')
  })

  test('denied, is refused with the reason', async () => {
    const row = newRow()
    const id = await askFor(service, row)
    const answer = await decide(id, grace, 'deny', 'not today')
    assert.deepEqual([answer.status, answer.body['state']], [200, 'denied'], answer.text)
    const again = await call(service, 'rest', { headers: bearer('agent'), args: insertOf(row) })
    assert.equal(again.body['code'], 'approval_denied')
    assert.match(again.text, /not today/)
  })

  test('decided, cannot be decided again', async () => {
    const id = await askFor(service, newRow())
    assert.equal((await decide(id, grace, 'approve')).status, 200)
    const again = await decide(id, grace, 'deny')
    assert.deepEqual([again.status, again.body['code']], [409, 'approval_decided'], again.text)
  })

  test('is unknown to another tenant, like one that never was', async () => {
    const id = await askFor(service, newRow())
    const foreign = await decide(id, mallory, 'approve')
    const none = await decide(`${id.slice(0, -4)}AAAA`, mallory, 'approve')
    for (const { status, body } of [foreign, none, await at(`/v1/approvals/${id}`, { token: mallory })])
      assert.deepEqual([status, body['code']], [404, 'approval_unknown'])
    // The control: it is there.
    assert.equal((await decide(id, grace, 'approve')).status, 200)
  })

  test('cannot be decided by who answers for the key that asked, and says so beforehand', async () => {
    const id = await askFor(service, newRow(), 'ada-agent')
    assert.equal((await listed(ada)).find((one) => one.id === id)?.mayDecide, false)
    const own = await decide(id, ada, 'approve')
    assert.deepEqual([own.status, own.body['code']], [403, 'approver_refused'], own.text)
    assert.equal((await decide(id, grace, 'approve')).status, 200)
  })

  test('cannot be decided by the person whose own token asked', async () => {
    const scope = 'ductape:read ductape:write'
    const token = await people.tokenOf('ada', { resource: PUBLIC_URL, scope, client: DESK_CLIENT })
    const asked = await call(service, 'rest', {
      headers: { authorization: `Bearer ${token}` },
      args: insertOf(newRow()),
    })
    assert.equal(asked.body['code'], 'approval_required', asked.text)
    const id = (await listed(ada)).find(({ mayDecide }) => !mayDecide)?.id ?? ''
    const own = await decide(id, ada, 'approve')
    assert.deepEqual([own.status, own.body['code']], [403, 'approver_refused'], own.text)
  })
})

describe('a decision', () => {
  test('has to be one, and nothing else', async () => {
    const id = await askFor(service, newRow())
    for (const body of [
      [],
      {},
      { decision: 'maybe' },
      { decision: 'approve', reason: '' },
      { decision: 'approve', reason: 'x'.repeat(501) },
      { decision: 'approve', reason: 5 },
      { decision: 'approve', force: true },
    ]) {
      const answer = await at(`/v1/approvals/${id}`, { method: 'POST', token: grace, body })
      assert.deepEqual([answer.status, answer.body['code']], [400, 'admin_invalid'], JSON.stringify(body))
    }
    assert.equal((await decide(id, grace, 'approve', 'x'.repeat(500))).status, 200)
  })

  test('does not take effect where it cannot be recorded', async () => {
    let full = false
    const strict = await startSurface(people, {
      app: {
        config: { audit: { mode: 'strict' } },
        ports: {
          records: {
            write: () => !full,
            insert: () => !full,
            flush: async () => undefined,
            taken: async () => !full,
            hasRoom: () => !full,
            fault: () => undefined,
            stats: () => ({ written: 0, lost: 0, pendingBytes: 0 }),
          },
        },
      },
    })
    try {
      const row = newRow()
      const id = await askFor(strict, row)
      const on = (method: string, body?: object) =>
        asPerson(strict, people, `/v1/approvals/${id}`, { method, token: grace, body })
      full = true
      const refused = await on('POST', { decision: 'approve' })
      assert.deepEqual([refused.status, refused.body['code']], [503, 'audit_unavailable'], refused.text)
      full = false
      assert.equal((await on('GET')).body['state'], 'pending')
      assert.equal((await on('POST', { decision: 'approve' })).status, 200)
    } finally {
      await strict.close()
      people.forwardTo(service.url)
    }
  })
})

describe('whose tokens count where', () => {
  const CHALLENGE = (): RegExp =>
    new RegExp(
      `scope="ductape:approve", resource_metadata="${people.peopleUrl}/\\.well-known/oauth-protected-resource"`,
    )

  test('nobody unknown: 401 that leads to the metadata of the people', async () => {
    const answer = await at('/v1/approvals')
    assert.deepEqual([answer.status, answer.body['code']], [401, 'token_missing'])
    assert.match(String(answer.headers['www-authenticate']), CHALLENGE())
  })

  test('API keys and tokens of agents are refused at /v1/approvals, on either host', async () => {
    const agent = await people.tokenOf('grace', {
      resource: PUBLIC_URL,
      scope: 'ductape:approve ductape:read',
      client: DESK_CLIENT,
    })
    const { authorization } = bearer('agent')
    for (const headers of [{ authorization }, { authorization: `Bearer ${agent}` }]) {
      for (const host of [new URL(people.peopleUrl).host, new URL(PUBLIC_URL).host]) {
        for (const [method, path] of [
          ['GET', '/v1/approvals'],
          ['GET', '/v1/approvals/x'],
          ['POST', '/v1/approvals/x'],
        ] as const) {
          const answer = await at(path, {
            method,
            headers: { ...headers, host },
            ...(method === 'POST' && { body: {} }),
          })
          assert.deepEqual([answer.status, answer.body['code']], [401, 'token_invalid'], answer.text)
        }
      }
    }
    // The control: the same token is good for what it was issued for.
    const tools = await send(service, {
      method: 'GET',
      path: '/v1/tools',
      headers: { authorization: `Bearer ${agent}` },
    })
    assert.equal(tools.status, 200)
  })

  test('tokens of people are refused everywhere else, on either host', async () => {
    const token = await people.tokenOf('grace', { scope: 'ductape:approve ductape:read' })
    const headers = { authorization: `Bearer ${token}` }
    for (const host of [new URL(people.peopleUrl).host, new URL(PUBLIC_URL).host]) {
      for (const path of ['/v1/tools', '/openapi.json']) {
        const answer = await send(service, { method: 'GET', path, headers: { ...headers, host } })
        assert.deepEqual([answer.status, answer.body['code']], [401, 'token_invalid'], path)
      }
      for (const way of ['rest', 'legacy', 'modern'] as const) {
        const answer = await call(service, way, { headers: { ...headers, host } })
        assert.equal(answer.status, 401, way)
        assert.match(answer.text, /issued for another service/)
      }
    }
    assert.equal((await at('/v1/approvals', { token })).status, 200)
  })

  test('a token for both is for neither', async () => {
    const both = await people.sign({
      aud: [people.peopleUrl, PUBLIC_URL],
      scope: 'ductape:approve ductape:read',
    })
    const own = await people.sign({ aud: [people.peopleUrl, 'urn:else'], scope: 'ductape:approve' })
    const tools = (token: string) =>
      send(service, { method: 'GET', path: '/v1/tools', headers: { authorization: `Bearer ${token}` } })
    for (const answer of [await at('/v1/approvals', { token: both }), await tools(both)])
      assert.deepEqual([answer.status, answer.body['code']], [401, 'token_invalid'], answer.text)
    // The control: a second audience that is nobody's here does no harm.
    assert.equal((await at('/v1/approvals', { token: own })).status, 200)
  })

  test('a person without the scope is told which one', async () => {
    const token = await people.tokenOf('grace', { scope: 'ductape:other' })
    for (const [method, path] of [
      ['GET', '/v1/approvals'],
      ['GET', '/v1/approvals/x'],
      ['POST', '/v1/approvals/x'],
    ] as const) {
      const answer = await at(path, { method, token, ...(method === 'POST' && { body: {} }) })
      assert.deepEqual([answer.status, answer.body['code']], [403, 'scope_insufficient'])
      assert.match(String(answer.headers['www-authenticate']), /error="insufficient_scope"/)
      assert.match(String(answer.headers['www-authenticate']), CHALLENGE())
    }
  })

  test('a token that another client got does not make an approver', async () => {
    const token = await people.tokenOf('grace', { client: DESK_CLIENT })
    const answer = await at('/v1/approvals', { token })
    assert.deepEqual([answer.status, answer.body['code']], [403, 'approver_refused'], answer.text)
  })

  test('without auth.people none of the paths is there', async () => {
    const { people: _, ...auth } = people.auth
    const bare = await startSurface(
      { ...people, auth: auth as People['auth'] },
      {
        app: { config: {} },
      },
    )
    try {
      for (const path of ['/approvals', '/approvals/page.js', '/approvals/sign-in.json', '/v1/approvals']) {
        const answer = await send(bare, { method: 'GET', path, headers: bearer('agent') })
        assert.deepEqual([answer.status, answer.body['code']], [404, 'path_unknown'], path)
      }
    } finally {
      await bare.close()
      people.forwardTo(service.url)
    }
  })
})

describe('the metadata', () => {
  test('at the origin of the people is theirs, at the other that of the agents', async () => {
    const path = '/.well-known/oauth-protected-resource'
    const own = await at(path)
    assert.deepEqual(
      [own.body['resource'], own.body['scopes_supported'], own.body['authorization_servers']],
      [people.peopleUrl, ['ductape:approve'], [people.issuer]],
    )
    assert.equal((await at(`${path}/mcp`)).status, 404)
    const other = await send(service, { method: 'GET', path })
    assert.equal(other.body['resource'], PUBLIC_URL)
  })
})

test('without a port the routes are the same', async () => {
  const id = await askFor(service, newRow())
  const headers = { host: new URL(people.peopleUrl).host, authorization: `Bearer ${grace}` }
  const ask = async (path: string) => {
    const raw = Object.entries(headers).flat()
    const request = { method: 'GET', path, query: '', headers, raw, read: () => assert.fail('no body') }
    const { status, body } = await service.app.handle(request, '127.0.0.1')
    return [status, JSON.parse(body ?? '')['code']]
  }
  assert.deepEqual(await ask(`/v1/approvals/${id}`), [200, undefined])
  assert.deepEqual(await ask('/v1/approvals/none'), [404, 'approval_unknown'])
  assert.deepEqual(await ask(`/v1/approvals/${id}/more`), [404, 'path_unknown'])
})
