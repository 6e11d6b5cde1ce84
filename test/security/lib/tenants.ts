// Two tenants call one service at the same time over shared connections; whatever comes back to one must be its own.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { DEMO } from '../../../src/emulator/index.ts'
import { type RecordLine, startApp } from '../../lib/app.ts'
import { createClient, type HttpClient, type Received } from '../../lib/http-client.ts'

export interface TenantReport {
  count: number
  /** Calls by what was expected of them. */
  kinds: Map<string, number>
  /** Most calls of both tenants that were open at one time. */
  overlap: number
  problems: string[]
}

interface Tenant {
  name: 'main' | 'other'
  credentials: typeof DEMO.main
  /** Stands in everything that this tenant writes. */
  marker: string
  /** What only the answers of this tenant may hold. */
  own: readonly RegExp[]
}

const TENANTS: readonly Tenant[] = [
  {
    name: 'main',
    credentials: DEMO.main,
    marker: 'alpha-7c1f',
    own: [/alpha-7c1f/, /@example\.com/, /\bdemo-value-of-/, /demo-private-key-of-ws_demo/, /"id": ?"ord_/],
  },
  {
    name: 'other',
    credentials: DEMO.other,
    marker: 'beta-9d2e',
    own: [/beta-9d2e/, /other\.example/, /\bother-value-of-/, /demo-private-key-of-ws_other/, /"id": ?"oth_/],
  },
]

interface Planned {
  kind: string
  tool: string
  arguments: Record<string, unknown>
  /** What the answer of this very call must hold. */
  expects: RegExp
  fails?: true
}

const PLACE = { product: 'ductape:my-product', env: 'prd' }

function plan(tenant: Tenant, index: number, dice: number): Planned {
  const { credentials, marker } = tenant
  const stamp = `${marker}-${index}`
  const execute = (
    kind: string,
    module: string,
    method: string,
    params: unknown[],
    expects: RegExp,
    fails?: true,
  ): Planned => ({
    kind,
    tool: 'ductape_execute',
    arguments: { publishable_key: credentials.publishableKey, module, method, params },
    expects,
    ...(fails && { fails }),
  })
  const main = tenant.name === 'main'
  switch (dice % 10) {
    case 0:
      return execute(
        'rows',
        'databases',
        'query',
        [{ ...PLACE, database: 'main-db', entity: 'users', where: {}, limit: 3 }],
        main ? /@example\.com/ : /other\.example/,
      )
    case 1:
      return execute(
        'secret',
        'secrets',
        'fetch',
        ['STRIPE_KEY'],
        main ? /demo-value-of-STRIPE_KEY/ : /other-value-of-STRIPE_KEY/,
      )
    case 2:
      return execute(
        'product',
        'product',
        'fetch',
        [credentials.product],
        new RegExp(`private-key-of-${credentials.workspaceId}`),
      )
    case 3:
      return execute(
        'orders',
        'databases',
        'query',
        [{ ...PLACE, database: 'main-db', entity: 'orders', where: {}, limit: 2 }],
        main ? /"ord_/ : /"oth_/,
      )
    case 4:
      return execute(
        'backend says no',
        'databases',
        'query',
        [{ ...PLACE, database: 'main-db', entity: stamp, where: {} }],
        new RegExp(`entity \\S*${stamp}\\b.* does not exist`),
        true,
      )
    case 5:
      return execute('unknown method', 'databases', 'no.such.method', [stamp], /method_unknown/, true)
    case 6:
      return {
        ...execute('no key', 'product', 'fetch', [stamp], /Not authenticated/, true),
        arguments: { module: 'product', method: 'fetch', params: [stamp] },
      }
    case 7:
      return {
        kind: 'payload',
        tool: 'ductape_generate_payload',
        arguments: generate(tenant, stamp),
        expects: new RegExp(`${stamp}\\b`),
      }
    case 8:
      return {
        kind: 'snippet',
        tool: 'ductape_generate_snippet',
        arguments: { ...generate(tenant, stamp), language: index % 2 ? 'python' : 'typescript' },
        expects: new RegExp(`${stamp}\\b`),
      }
    default:
      return execute('wrong key', 'product', 'fetch', [stamp], /Proxy request failed: 401/, true)
  }
}

const generate = ({ credentials }: Tenant, stamp: string): Record<string, unknown> => ({
  workspace_id: credentials.workspaceId,
  user_id: credentials.userId,
  public_key: credentials.publicKey,
  product_tag: credentials.product,
  env_slug: 'prd',
  operation_family: 'database',
  method: 'query',
  targets: { database: 'main-db' },
  input_hint: { entity: 'users', note: stamp },
})

/** Even bits of a hash: which call comes when depends on the seed alone. */
const roll = (seed: number, index: number): number =>
  createHash('sha256').update(`${seed} ${index}`).digest().readUInt16LE(0)

const requestId = (tenant: number, index: number): string =>
  `0a000000-0000-7000-800${tenant}-${index.toString(16).padStart(12, '0')}`

interface Sent {
  tenant: Tenant
  planned: Planned
  id: string
  requestId: string
}

/** Runs `count` calls, both tenants in turn, at most `inFlight` at once over half as many connections. */
export async function runTenants(options: {
  seed: number
  count: number
  inFlight?: number
}): Promise<TenantReport> {
  const inFlight = options.inFlight ?? 16
  const service = await startApp({})
  assert.ok(service.emulator)
  const { faults } = service.emulator
  // Slow answers and broken connections keep calls of both tenants waiting side by side.
  faults.every(7, { kind: 'latency', ms: 4 })
  faults.every(31, { kind: 'drip', bytes: 64, ms: 1 })
  faults.every(53, { kind: 'reset' })
  faults.every(59, { kind: 'status', status: 503, headers: { 'retry-after': '1' } })
  const client = createClient(service.url, inFlight)
  const report: TenantReport = { count: 0, kinds: new Map(), overlap: 0, problems: [] }
  const open = new Map<Tenant, number>()
  const sent: Sent[] = []
  const one = async (index: number): Promise<void> => {
    const side = index % 2
    const tenant = TENANTS[side] as Tenant
    const dice = roll(options.seed, index)
    const planned = plan(tenant, index, dice)
    if (planned.kind === 'wrong key')
      planned.arguments['publishable_key'] = `pk_wrong_${tenant.marker}-${index}`
    const call: Sent = { tenant, planned, id: `${tenant.marker}-${index}`, requestId: requestId(side, index) }
    sent.push(call)
    open.set(tenant, (open.get(tenant) ?? 0) + 1)
    report.overlap = Math.max(report.overlap, Math.min(...TENANTS.map((each) => open.get(each) ?? 0)))
    const received = await deliver(client, call, dice >> 4)
    open.set(tenant, (open.get(tenant) ?? 0) - 1)
    report.count++
    report.kinds.set(planned.kind, (report.kinds.get(planned.kind) ?? 0) + 1)
    for (const problem of judge(call, received)) {
      report.problems.push(
        `call ${index} of ${tenant.name} (${planned.kind}): ${problem}: ${received.body.slice(0, 400)}`,
      )
    }
  }
  try {
    let next = 0
    const worker = async (): Promise<void> => {
      for (let index = next++; index < options.count; index = next++) await one(index)
    }
    await Promise.all(Array.from({ length: inFlight }, worker))
    report.problems.push(...judgeRecords(sent, service.records()))
    for (const line of service.log()) report.problems.push(...foreign('the log', line, []))
  } finally {
    client.close()
    await service.close()
  }
  return report
}

const MODERN_META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}

function deliver(client: HttpClient, call: Sent, way: number): Promise<Received> {
  const { planned } = call
  const headers: [string, string][] = [
    ['content-type', 'application/json'],
    ['accept', 'application/json, text/event-stream'],
    ['x-request-id', call.requestId],
  ]
  if (way % 4 === 0)
    return client.send({
      path: `/v1/tools/${planned.tool}`,
      headers,
      body: JSON.stringify(planned.arguments),
    })
  const modern = way % 4 === 1
  if (modern)
    headers.push(
      ['mcp-protocol-version', '2026-07-28'],
      ['mcp-method', 'tools/call'],
      ['mcp-name', planned.tool],
    )
  // Every other one asks for progress, so that event streams are open beside plain answers.
  const meta = { ...(modern && MODERN_META), ...(way % 8 > 3 && { progressToken: call.id }) }
  const params = { name: planned.tool, arguments: planned.arguments, _meta: meta }
  return client.send({
    path: '/mcp',
    headers,
    body: JSON.stringify({ jsonrpc: '2.0', id: call.id, method: 'tools/call', params }),
  })
}

/** An ordered fault may stand in place of the planned answer. */
const DISTURBED =
  /backend_interrupted|backend_busy|connection to the Ductape backend broke|request failed: 503/

function judge(call: Sent, received: Received): string[] {
  const { body, headers } = received
  const problems = foreign('the answer', body, [call.tenant])
  if (headers['x-request-id'] !== call.requestId) problems.push(`x-request-id ${headers['x-request-id']}`)
  if (body.includes('"jsonrpc"') && !body.includes(`"id":"${call.id}"`))
    problems.push('the id of another call')
  for (const other of stamps(body)) if (other !== call.id) problems.push(`the mark of another call, ${other}`)
  const credentials = call.tenant.credentials
  if (body.includes(credentials.publishableKey) || body.includes(credentials.publicKey))
    problems.push('a key')
  if (!call.planned.expects.test(body) && !DISTURBED.test(body)) problems.push('not the planned answer')
  const failed = body.includes('"isError":true') || headers['content-type'] === 'application/problem+json'
  if (failed !== (call.planned.fails === true) && !DISTURBED.test(body))
    problems.push('success and failure are exchanged')
  return problems
}

const stamps = (text: string): Set<string> => new Set(text.match(/(?:alpha-7c1f|beta-9d2e)-\d+/g))

/** What belongs to a tenant that is not among `allowed`. */
function foreign(place: string, text: string, allowed: readonly Tenant[]): string[] {
  return TENANTS.filter((tenant) => !allowed.includes(tenant)).flatMap((tenant) => {
    const { publishableKey, publicKey } = tenant.credentials
    const marks = [...tenant.own, new RegExp(publishableKey), new RegExp(publicKey)]
    return marks.filter((mark) => mark.test(text)).map((mark) => `${place} holds ${mark} of ${tenant.name}`)
  })
}

/** Each call has its two records, under its own request id, and none holds a mark of anybody. */
function judgeRecords(sent: readonly Sent[], records: readonly RecordLine[]): string[] {
  const problems: string[] = []
  const decisions = new Map<unknown, RecordLine>()
  const outcomes = new Map(
    records.filter((line) => line.type === 'outcome').map((line) => [line.callId, line]),
  )
  for (const line of records) {
    problems.push(...foreign('a record', JSON.stringify(line), []))
    if (line.type !== 'decision') continue
    if (decisions.has(line.what?.['requestId']))
      problems.push(`two decisions for ${line.what?.['requestId']}`)
    decisions.set(line.what?.['requestId'], line)
  }
  for (const call of sent) {
    const decision = decisions.get(call.requestId)
    if (decision === undefined) problems.push(`no decision for ${call.requestId}`)
    else {
      if (decision.what?.['tool'] !== call.planned.tool)
        problems.push(`${call.requestId} is recorded as ${decision.what?.['tool']}`)
      const known = call.planned.kind !== 'unknown method' && call.planned.kind !== 'no key'
      if (decision.decision?.allowed !== known)
        problems.push(`${call.requestId} is recorded with the decision of another call`)
      if (known !== outcomes.has(decision.callId))
        problems.push(`${call.requestId} has a wrong number of records`)
    }
  }
  if (records.length !== decisions.size + outcomes.size) problems.push('records that belong to no call')
  return problems
}
