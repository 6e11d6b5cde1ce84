// What several requests make together: calls that a person approves or denies, keys that are sent again, and what an operator switches off and on.
import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import { type Answer, call, send } from '../../live/lib/secured.ts'
import { CAPABILITIES, modern, modernHeaders, request } from '../../mcp/lib/messages.ts'
import { anyWay, codeOf, DB, execute, insert, type Request, type Target, tagged, tool } from './requests.ts'

/** Of a call that nobody has made yet, so that it has an approval of its own. */
const fresh = () => insert({ id: randomInt(2 ** 40), name: 'Lin', email: `${randomUUID()}@example.com` })

const approvalOf = ({ body }: Answer): string => {
  const { approval, result } = body as {
    approval?: { id: string }
    result?: { _meta?: Record<string, { approval?: { id: string } }> }
  }
  return (approval ?? result?._meta?.['app.ductape/refusal']?.approval)?.id ?? ''
}

const decide = (target: Target, by: keyof Target['people']['tokens'], id: string, decision: string) =>
  send(target, {
    path: `/v1/approvals/${id}`,
    headers: {
      host: target.people.host,
      authorization: `Bearer ${target.people.tokens[by]}`,
      'x-request-id': randomUUID(),
    },
    body: JSON.stringify({ decision, reason: 'as agreed' }),
  })

type Step = readonly [by: keyof Target['people']['tokens'], decision: string]

/** A call that waits, what people make of it, and the same call again. */
const approval =
  (...steps: readonly Step[]): Request =>
  async (target, random) => {
    const way = anyWay(random)
    const args = fresh()
    const ask = () => call(target, way, { headers: tagged('careful'), args })
    const asked = await ask()
    const answers = [asked]
    for (const [by, decision] of steps) answers.push(await decide(target, by, approvalOf(asked), decision))
    answers.push(await ask())
    return answers.flatMap(codeOf)
  }

/** Nobody decides these, and twenty of them may wait. */
const eager: Request = async (target, random) =>
  (await Promise.all([1, 2, 3, 4, 5].map(() => tool('eager', fresh())(target, random)))).flat()

const withKey = (key: string, args: unknown): Request =>
  tool('agent', args, undefined, { 'idempotency-key': key })

/** The same key as often, one after the other. */
const repeated =
  (args: () => unknown, times = 2): Request =>
  async (target, random) => {
    const [key, sent] = [randomUUID(), args()]
    const codes: string[] = []
    for (let i = 0; i < times; i++) codes.push(...(await withKey(key, sent)(target, random)))
    return codes
  }

/** At the same time. */
const crowd: Request = async (target, random) => {
  const [key, args] = [randomUUID(), fresh()]
  const all = await Promise.all([1, 2, 3, 4].map(() => withKey(key, args)(target, random)))
  return all.flat()
}

const reused: Request = async (target, random) => {
  const key = randomUUID()
  return [...(await withKey(key, fresh())(target, random)), ...(await withKey(key, fresh())(target, random))]
}

const order = (target: Target, body: object, by: 'warden' | 'agent' = 'warden') =>
  send(target, { path: '/v1/admin/kill', headers: tagged(by), body: JSON.stringify(body) })

const DOOMED = { kind: 'principal', value: 'api-key:doomed', reason: 'a drill' }

/** Others may switch it on again in between: what the answers say counts. */
const switched: Request = async (target, random) => {
  const off = await order(target, { action: 'off', ...DOOMED })
  const refused = await tool('doomed', execute({}))(target, random)
  const on = await order(target, { action: 'on', ...DOOMED })
  return [...codeOf(off), ...refused, ...codeOf(on)]
}

/** A state that nobody has sealed. */
const forgedState: Request = async (target) => {
  const params = { name: 'ductape_execute', arguments: fresh(), requestState: 'AAAA' }
  return codeOf(
    await send(target, {
      path: '/mcp',
      headers: { ...modernHeaders('tools/call', 'ductape_execute'), ...tagged('careful') },
      body: JSON.stringify(
        request('tools/call', modern(params, { [CAPABILITIES]: { elicitation: { url: {} } } })),
      ),
    }),
  )
}

const raw = (sql: string, more: object = {}) =>
  execute({ module: 'databases', method: 'query', params: [{ ...DB, ...more, sql }] })
const file = (fileName: string) =>
  execute({ module: 'storage', method: 'download', params: [{ ...DB, storage: 'files', fileName }] })

export const FLOWS: readonly Request[] = [
  ...Array.from({ length: 3 }, () => approval(['grace', 'approve'])),
  approval(['grace', 'deny']),
  approval(['grace', 'approve'], ['grace', 'deny']),
  // Who answers for the key may not; somebody else then may.
  approval(['ada', 'approve'], ['grace', 'approve']),
  async (target) => codeOf(await decide(target, 'grace', randomBytes(12).toString('base64url'), 'approve')),
  eager,
  (target, random) => tool('careful', insert({ name: 'x'.repeat(70_000) }))(target, random),
  forgedState,
  ...Array.from({ length: 3 }, () => repeated(fresh)),
  repeated(fresh, 4),
  repeated(() => execute({})),
  repeated(() => execute({ params: ['ductape:nothing'] })),
  crowd,
  reused,
  tool('agent', execute({}), undefined, { 'idempotency-key': 'x'.repeat(129) }),
  tool(
    'agent',
    execute({ module: 'databases', method: 'delete', params: [{ ...DB, table: 'users', where: { id: 1 } }] }),
  ),
  switched,
  async (target) => codeOf(await order(target, { action: 'off', ...DOOMED }, 'agent')),
  async (target) => codeOf(await order(target, { action: 'off' })),
  tool('agent', raw('SELECT id FROM users WHERE id = 1')),
  tool('agent', raw('UPDATE users SET name = 1 WHERE id = 1')),
  tool('agent', raw('SELECT 1; DROP TABLE users')),
  // A rule wants proof there.
  tool('agent', raw('UPDATE users SET name = 1', { env: 'stg' })),
  tool(
    'agent',
    execute({
      module: 'graph',
      method: 'query',
      params: [{ ...DB, graph: 'g', query: "LOAD CSV FROM 'x' AS r RETURN r" }],
    }),
  ),
  tool('agent', file('../../etc/passwd')),
  tool('agent', file('reports/2026.csv')),
  tool(
    'agent',
    execute({
      module: 'graph',
      method: 'testConnection',
      params: [{ connection_url: 'bolt://169.254.169.254:7687' }],
    }),
  ),
  tool('agent', execute({ params: ['$Secret{DB}'] })),
]
