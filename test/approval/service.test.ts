// Approvals in the whole service, as callers of every protocol see them; the decision is given on another replica with the same store.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, beforeEach, describe, test } from 'node:test'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { type Approvals, createApprovals } from '../../src/admission/approval/index.ts'
import { createMemoryStore } from '../../src/store/index.ts'
import { FLEET } from '../credentials/lib/service.ts'
import { DB } from '../emulator/helper.ts'
import { EXECUTE } from '../lib/calls.ts'
import {
  type Answer,
  bearer,
  codeOf,
  type Secured,
  send,
  startSecured,
  call as toolCall,
} from '../live/lib/secured.ts'
import { CAPABILITIES, modern, modernHeaders, request } from '../mcp/lib/messages.ts'
import { APPROVERS, PEOPLE_CLIENT, PEOPLE_URL } from './lib/callers.ts'

const CONFIRM = { roles: { all: { allow: [{ tool: '*', approval: 'confirm' }] } } }
const URL_CLIENT = { elicitation: { url: {} } }
const { alice, bob } = APPROVERS

const store = createMemoryStore({ now: Date.now })
/** Bodies of what people were told. */
const told: string[] = []
const notify = {
  send: async (_: readonly string[], body: string) => told.push(body) && 200,
  sign: async () => 'signature',
}
let service: Secured
/** What another replica would do with a decision. */
let elsewhere: Approvals

before(async () => {
  service = await startSecured({
    callers: { agent: { tenant: 'acme', owner: 'bob' }, other: { tenant: 'acme' } },
    live: { 'policy.yaml': CONFIRM },
    auth: { apiKeys: {}, people: { issuer: 'https://login.example.com', clientId: PEOPLE_CLIENT } },
    app: { config: { peopleUrl: PEOPLE_URL }, ports: { store, notify } },
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
})
after(() => service.close())

/** A request that no test has made yet. */
let args: Record<string, unknown> & { params: unknown[] }
let fresh = 0
beforeEach(() => {
  service.nextWindow()
  args = {
    ...EXECUTE,
    module: 'databases',
    method: 'query',
    params: [{ ...DB, entity: 'users', limit: ++fresh }],
  }
})

const executions = (): number =>
  service.records().filter(({ outcome }) => outcome?.status === 'executed').length

interface Body {
  error?: { code: number; message: string; data: { code: string } }
  result?: {
    resultType?: string
    isError?: boolean
    content?: { text: string }[]
    inputRequests?: Record<string, unknown>
    requestState?: string
    _meta: Record<string, { code: string; approval?: { id: string; url: string; expiresAt: string } }>
  }
}
const bodyOf = (answer: Answer): Body => answer.body as unknown as Body

/** tools/call of 2026-07-28 by a client with these capabilities. */
const modernCall = (
  capabilities: object,
  more: Record<string, unknown> = {},
  by = 'agent',
): Promise<Answer> =>
  send(service, {
    path: '/mcp',
    headers: { ...modernHeaders('tools/call', 'ductape_execute'), ...bearer(by) },
    body: JSON.stringify(
      request(
        'tools/call',
        modern({ name: 'ductape_execute', arguments: args, ...more }, { [CAPABILITIES]: capabilities }),
      ),
    ),
  })

const approve = async (id: string | undefined): Promise<void> => {
  const done = await elsewhere.decide(String(id), 'approve', undefined, alice, () => undefined)
  assert.equal('state' in done && done.state, 'approved', JSON.stringify(done))
}

for (const way of ['rest', 'legacy', 'modern'] as const) {
  test(`${way}: the first call says where it can be approved; after that the same call runs once`, async () => {
    const headers = bearer('agent')
    const run = () => toolCall(service, way, { args, headers })
    const first = await run()
    const [shown, text] =
      way === 'rest'
        ? [first.body['approval'] as { id: string }, String(first.body['detail'])]
        : [
            bodyOf(first).result?._meta['app.ductape/refusal']?.approval,
            String(bodyOf(first).result?.content?.[0]?.text),
          ]
    assert.equal(codeOf(first), 'approval_required')
    assert.equal(first.status, way === 'rest' ? 403 : 200)
    if (way !== 'rest') assert.match(text, /^\[approval_required\] /)
    const { id, url, expiresAt, ...rest } = shown as { id: string; url: string; expiresAt: string }
    assert.deepEqual(rest, {})
    assert.equal(url, `${PEOPLE_URL}/approvals#${id}`)
    assert.ok(text.includes(url))
    assert.ok(Date.parse(expiresAt) > Date.now())
    assert.equal(
      codeOf(await toolCall(service, way, { args, headers: bearer('other') })),
      'approval_required',
    )

    // Who answers for the key may not.
    const own = await elsewhere.decide(id, 'approve', undefined, bob, () => undefined)
    assert.equal('code' in own && own.code, 'approver_refused')
    assert.equal(codeOf(await run()), 'approval_required')
    await approve(id)
    const before = executions()
    assert.notEqual(codeOf(await toolCall(service, way, { args, headers: bearer('other') })), 'ok')
    assert.equal(codeOf(await run()), 'ok')
    assert.equal(codeOf(await run()), 'approval_required')
    assert.equal(executions(), before + 1)
  })
}

test('people are told once of each question, without an argument of it', async () => {
  const headers = bearer('agent')
  const before = told.length
  const first = await toolCall(service, 'rest', { args, headers })
  await toolCall(service, 'rest', { args, headers })
  const { id, url } = first.body['approval'] as { id: string; url: string }
  const [body = '', ...more] = told.slice(before)
  assert.deepEqual(more, [])
  assert.deepEqual((JSON.parse(body) as { data: object }).data, {
    id,
    risk: ['low'],
    url,
    expiresAt: (first.body['approval'] as { expiresAt: string }).expiresAt,
  })
  assert.doesNotMatch(body, /databases|users|ductape_execute|acme/)
})

test('with an idempotency key it is asked for, runs once, and is answered again without another person', async () => {
  const headers = { ...bearer('agent'), 'idempotency-key': `key-${fresh}` }
  const run = () => toolCall(service, 'rest', { args, headers })
  const first = await run()
  assert.equal(codeOf(first), 'approval_required')
  await approve((first.body['approval'] as { id: string }).id)
  const before = executions()
  const done = await run()
  assert.equal(done.status, 200, done.text)
  const again = await run()
  assert.deepEqual([again.status, again.text], [200, done.text])
  assert.equal(executions(), before + 1)
})

describe('a client of 2026-07-28 that can open a URL', () => {
  test('is asked to, gets a sealed state, and is asked again until somebody has approved', async () => {
    const first = bodyOf(await modernCall(URL_CLIENT)).result
    const { id, url } = first?._meta['app.ductape/refusal']?.approval ?? {}
    assert.equal(first?.resultType, 'input_required')
    assert.deepEqual(first?.inputRequests, {
      approval: {
        method: 'elicitation/create',
        params: { mode: 'url', message: `A person has to approve this call first: ${url}`, url },
      },
    })
    assert.equal(first?.content, undefined)
    assert.equal(first?.isError, undefined)
    const { requestState } = first ?? {}
    assert.match(String(requestState), /^k1\./)
    const repeated = { requestState, inputResponses: { approval: { action: 'accept' } } }
    const second = bodyOf(await modernCall(URL_CLIENT, repeated)).result
    assert.equal(second?.resultType, 'input_required', 'an accept proves nothing')
    assert.equal(second?._meta['app.ductape/refusal']?.approval?.id, id)
    await approve(id)
    const done = bodyOf(await modernCall(URL_CLIENT, repeated)).result
    assert.deepEqual([done?.resultType, done?.isError], ['complete', undefined])
    assert.equal(bodyOf(await modernCall(URL_CLIENT, repeated)).result?.resultType, 'input_required')
  })

  test('whose person does not want to is not asked again', async () => {
    const first = bodyOf(await modernCall(URL_CLIENT)).result
    for (const action of ['decline', 'cancel', 7]) {
      const more = { requestState: first?.requestState, inputResponses: { approval: { action } } }
      const { result } = bodyOf(await modernCall(URL_CLIENT, more))
      assert.deepEqual([result?.resultType, result?.isError], ['complete', true])
      assert.match(String(result?.content?.[0]?.text), /^\[approval_required\]/)
    }
  })

  test('that changes the state, or sends that of another call, gets -32602', async () => {
    const { requestState = '' } = bodyOf(await modernCall(URL_CLIENT)).result ?? {}
    const refused = async (answer: Promise<Answer>) => {
      const { status, body } = await answer
      const { error } = body as unknown as Body
      assert.deepEqual([status, error?.code, error?.data.code], [200, -32602, 'state_invalid'])
    }
    await refused(modernCall(URL_CLIENT, { requestState: `${requestState}A` }))
    await refused(modernCall(URL_CLIENT, { requestState }, 'other'))
    args.params.push('another')
    await refused(modernCall(URL_CLIENT, { requestState }))
  })

  test('of other or no such capability gets the plain refusal', async () => {
    for (const capabilities of [{}, { elicitation: {} }, { elicitation: { form: {} } }, { sampling: {} }]) {
      const { result } = bodyOf(await modernCall(capabilities))
      assert.deepEqual([result?.resultType, result?.isError], ['complete', true])
    }
  })
})

describe('the official client, 2.x', () => {
  const connect = async (onUrl: (url: string) => Promise<'accept' | 'decline'>): Promise<Client> => {
    const client = new Client(
      { name: 'test', version: '1' },
      { capabilities: { elicitation: { url: {} } }, versionNegotiation: { mode: { pin: '2026-07-28' } } },
    )
    client.setRequestHandler('elicitation/create', async ({ params }) => {
      assert.equal(params.mode, 'url')
      return { action: await onUrl((params as { url: string }).url) }
    })
    await client.connect(
      new StreamableHTTPClientTransport(new URL(service.mcp), { requestInit: { headers: bearer('agent') } }),
    )
    return client
  }
  const run = (client: Client) =>
    client.callTool({ name: 'ductape_execute', arguments: args }) as Promise<{
      isError?: boolean
      content: { text: string }[]
    }>

  test('completes a call: it opens the page, a person approves, and one callTool brings the result', async () => {
    const opened: string[] = []
    const client = await connect(async (url) => {
      opened.push(url)
      // The first time nobody is quick enough.
      if (opened.length === 2) await approve(url.split('#')[1])
      return 'accept'
    })
    try {
      const before = executions()
      const result = await run(client)
      assert.equal(result.isError, undefined)
      assert.match(result.content[0]?.text ?? '', /Ada Moreno/)
      assert.equal(opened.length, 2)
      assert.equal(executions(), before + 1)
      // The next one needs a person again.
      const { promise, resolve } = Promise.withResolvers<void>()
      const other = await connect(async () => {
        resolve()
        return 'decline'
      })
      const declined = await run(other)
      await promise
      assert.equal(declined.isError, true)
      assert.match(declined.content[0]?.text ?? '', /^\[approval_required\]/)
      assert.equal(executions(), before + 1)
      await other.close()
    } finally {
      await client.close()
    }
  })
})
