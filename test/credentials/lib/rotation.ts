// Two tenants whose keys the service holds call side by side while both their key files are replaced; the backend may see no crossed key.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { DEMO } from '../../../src/emulator/index.ts'
import { credentialId } from '../../../src/keys/index.ts'
import { createClient, type Received } from '../../lib/http-client.ts'
import { FLEET, heldBoth, memoryFiles, startTenants, type TenantService } from './service.ts'

export interface RotationReport {
  count: number
  /** Calls by what was done, and how many of them the backend saw. */
  kinds: Map<string, number>
  asked: number
  /** Requests of the backend by tenant and generation of the key. */
  generations: Map<string, number>
  /** Calls that began before the change and reached the backend after it. */
  across: number
  problems: string[]
}

type Name = 'main' | 'other'
const NAMES: readonly Name[] = ['main', 'other']

interface Keys {
  publishable: string
  public: string
}

/** The first generation is the one of the demo workspaces. */
const GENERATIONS: readonly [Readonly<Record<Name, Keys>>, Readonly<Record<Name, Keys>>] = [
  {
    main: { publishable: DEMO.main.publishableKey, public: DEMO.main.publicKey },
    other: { publishable: DEMO.other.publishableKey, public: DEMO.other.publicKey },
  },
  {
    main: { publishable: 'pk_demo_second_0123456789', public: 'pub_demo_second_0123456789' },
    other: { publishable: 'pk_other_second_0123456789', public: 'pub_other_second_0123456789' },
  },
]
const ALL_KEYS = GENERATIONS.flatMap((generation) => NAMES.flatMap((name) => Object.values(generation[name])))

interface Sent {
  name: Name
  kind: string
  /** Whether the backend may see it. */
  sends: boolean
  /** Generations of keys that it may be sent with. */
  allowed: readonly number[]
}

const EXECUTE = { module: 'secrets', method: 'fetch', params: ['STRIPE_KEY'] }
const GENERATE = {
  product_tag: 'ductape:my-product',
  env_slug: 'prd',
  operation_family: 'database',
  method: 'query',
  targets: { database: 'main-db' },
}

/** What belongs to the other workspace of the demo. */
const FOREIGN: Readonly<Record<Name, RegExp>> = {
  main: /other-value-of-|ws_other_|usr_other_/,
  other: /demo-value-of-|ws_demo_|usr_demo_/,
}

const writeKeys = (files: TenantService['files'], generation: 0 | 1): void => {
  for (const name of NAMES) {
    const keys = GENERATIONS[generation][name]
    files.write(`/keys/${name}/publishable`, `${keys.publishable}\n`)
    files.write(`/keys/${name}/public`, keys.public)
  }
}

function plan(name: Name, dice: number): { kind: string; tool: string; args: unknown; refused?: string } {
  const foreign = GENERATIONS[dice % 16 < 8 ? 0 : 1][name === 'main' ? 'other' : 'main']
  switch (dice % 8) {
    case 0:
    case 1:
    case 2:
      return { kind: 'execute', tool: 'ductape_execute', args: EXECUTE }
    case 3:
    case 4:
      return { kind: 'payload', tool: 'ductape_generate_payload', args: GENERATE }
    case 5:
      return { kind: 'snippet', tool: 'ductape_generate_snippet', args: GENERATE }
    case 6:
      return {
        kind: 'key of the other tenant sent along',
        tool: 'ductape_execute',
        args: { ...EXECUTE, publishable_key: foreign.publishable },
        refused: 'credential_not_accepted',
      }
    default:
      return {
        kind: 'workspace of the other tenant sent along',
        tool: 'ductape_generate_payload',
        args: { ...GENERATE, workspace_id: DEMO[name === 'main' ? 'other' : 'main'].workspaceId },
        refused: 'credential_not_accepted',
      }
  }
}

const idOf = (index: number): string => `0a000000-0000-7000-8000-${index.toString(16).padStart(12, '0')}`

/** Runs `count` calls, both tenants in turn, at most `inFlight` at once, and replaces both tenants' files half way. */
export async function runRotation(options: {
  seed: number
  count: number
  inFlight?: number
}): Promise<RotationReport> {
  const inFlight = options.inFlight ?? 16
  const files = memoryFiles()
  writeKeys(files, 0)
  const service = await startTenants({ credentials: heldBoth, callers: NAMES, files })
  const { emulator } = service
  assert.ok(emulator)
  for (const name of NAMES) {
    const { publishable, public: publicKey } = GENERATIONS[1][name]
    const { workspaceId, userId } = DEMO[name]
    emulator.workspaces.add({ workspaceId, userId, publishableKey: publishable, publicKey })
  }
  // Slow answers keep calls of both tenants under way while the files are replaced.
  emulator.faults.every(3, { kind: 'latency', ms: 3 })
  const client = createClient(service.url, inFlight)
  const report: RotationReport = {
    count: 0,
    kinds: new Map(),
    asked: 0,
    generations: new Map(),
    across: 0,
    problems: [],
  }
  const sent = new Map<string, Sent>()
  let state: 'before' | 'during' | 'after' = 'before'
  let seenAtChange = 0
  const middle = Math.floor(options.count / 2)

  const one = async (index: number): Promise<void> => {
    const name = NAMES[index % 2] as Name
    const dice = createHash('sha256').update(`${options.seed} ${index}`).digest().readUInt16LE(0)
    const { kind, tool, args, refused } = plan(name, dice)
    const call: Sent = {
      name,
      kind,
      sends: refused === undefined,
      allowed: state === 'after' ? [1] : [0, 1],
    }
    sent.set(idOf(index), call)
    const received = await deliver(client, service.keyOf(name), idOf(index), tool, args, dice >> 8)
    // The file had not been replaced when the answer was already there.
    if (state === 'before') call.allowed = [0]
    report.count++
    report.kinds.set(kind, (report.kinds.get(kind) ?? 0) + 1)
    for (const problem of judge(call, received, refused))
      report.problems.push(`call ${index} of ${name} (${kind}): ${problem}: ${received.body.slice(0, 300)}`)
  }
  const change = async (): Promise<void> => {
    state = 'during'
    writeKeys(files, 1)
    await service.app.reload()
    seenAtChange = service.seen.length
    state = 'after'
  }
  try {
    let next = 0
    let changed: Promise<void> | undefined
    const worker = async (): Promise<void> => {
      for (let index = next++; index < options.count; index = next++) {
        if (index >= middle) changed ??= change()
        await one(index)
      }
    }
    await Promise.all(Array.from({ length: inFlight }, worker))
    await changed
    judgeBackend(service, sent, seenAtChange, report)
    for (const line of service.log())
      for (const key of ALL_KEYS) if (line.includes(key)) report.problems.push(`the log holds ${key}`)
  } finally {
    client.close()
    await service.close()
  }
  return report
}

function deliver(
  client: ReturnType<typeof createClient>,
  key: string,
  requestId: string,
  tool: string,
  args: unknown,
  way: number,
): Promise<Received> {
  const headers: [string, string][] = [
    ['content-type', 'application/json'],
    ['accept', 'application/json, text/event-stream'],
    ['authorization', `Bearer ${key}`],
    ['x-request-id', requestId],
  ]
  if (way % 2 === 0) return client.send({ path: `/v1/tools/${tool}`, headers, body: JSON.stringify(args) })
  const params = { name: tool, arguments: args }
  const body = JSON.stringify({ jsonrpc: '2.0', id: requestId, method: 'tools/call', params })
  return client.send({ path: '/mcp', headers, body })
}

function judge({ name }: Sent, { body }: Received, refused: string | undefined): string[] {
  const problems = ALL_KEYS.filter((key) => body.includes(key)).map((key) => `the answer holds ${key}`)
  if (FOREIGN[name].test(body)) problems.push('the answer holds what belongs to the other tenant')
  if (refused !== undefined && !body.includes(refused)) problems.push(`not refused ${refused}`)
  // The receipt beside the result has a member `policy_digest`.
  const said = body.replace(/"_meta":\{.*\}(?=\}$|\},)/, '')
  if (refused === undefined && /credential_|policy_|limited|internal_error|unauthorized/i.test(said))
    problems.push('refused')
  return problems
}

/** Each request of the backend carries keys and ids of one tenant, the caller's, and the very key that the record of the call names. */
function judgeBackend(
  { seen, records }: TenantService,
  sent: ReadonlyMap<string, Sent>,
  seenAtChange: number,
  report: RotationReport,
): void {
  const named = new Map<unknown, { tenant: unknown; credentialId: unknown }>()
  for (const line of records()) {
    const text = JSON.stringify(line)
    for (const key of ALL_KEYS) if (text.includes(key)) report.problems.push(`a record holds ${key}`)
    if (line.type === 'decision')
      named.set(line.what?.['requestId'], {
        tenant: line.who?.['tenant'],
        credentialId: line.what?.['credentialId'],
      })
  }
  const asked = new Set<string>()
  for (const [at, { headers, body }] of seen.entries()) {
    const requestId = String(headers['x-request-id'])
    const call = sent.get(requestId)
    const problem = (what: string): void => void report.problems.push(`the backend, ${requestId}: ${what}`)
    if (call === undefined) {
      problem('a request that nobody sent')
      continue
    }
    if (asked.has(requestId)) problem('asked twice')
    asked.add(requestId)
    if (!call.sends) problem('a refused call')
    const inText = ALL_KEYS.filter((key) => `${JSON.stringify(headers)} ${body}`.includes(key))
    const kind = headers['x-access-key'] === undefined ? 'publishable' : 'public'
    const key = String(headers['x-access-key'] ?? headers['x-publishable-key'])
    const generation = GENERATIONS.findIndex((one) => one[call.name][kind] === key)
    if (generation < 0 || inText.some((other) => other !== key))
      problem(`keys ${inText.join(', ')} of ${call.name}`)
    if (!call.allowed.includes(generation)) problem(`a key of generation ${generation}`)
    if (FOREIGN[call.name].test(body)) problem('ids of the other tenant')
    const record = named.get(requestId)
    if (record?.tenant !== call.name) problem(`recorded for the tenant ${record?.tenant}`)
    if (record?.credentialId !== credentialId(FLEET, key)) problem('the record names another key')
    const label = `${call.name}, key ${generation + 1}`
    report.generations.set(label, (report.generations.get(label) ?? 0) + 1)
    if (at >= seenAtChange && generation === 0) report.across++
  }
  report.asked = asked.size
  for (const [requestId, call] of sent)
    if (call.sends && !asked.has(requestId)) report.problems.push(`${requestId} never reached the backend`)
  if (named.size !== sent.size) report.problems.push(`${named.size} records of ${sent.size} calls`)
}
