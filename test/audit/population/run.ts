// The population run: mixed calls against real `serve` processes, one of which is killed, and whether records, counters and effects agree.
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { createReadStream, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { publicJwk, thumbprint } from '../../../src/audit/jws.ts'
import { type Report, readKeySet, verify } from '../../../src/audit/verify/index.ts'
import type { JsonObject } from '../../../src/core/json.ts'
import { type Emulator, startEmulator } from '../../../src/emulator/index.ts'
import { type People, startPeople } from '../../approvals-surface/lib/people.ts'
import { type Served, serve } from '../../lib/serve.ts'
import { ALLOW_ALL, keysFile, PUBLIC_URL } from '../../live/lib/secured.ts'
import { seeded } from '../../store/lib/random.ts'
import { FLOWS } from './flows.ts'
import { CALLERS, KNOWN, type Request, type Target, UNKNOWN } from './requests.ts'

export interface PopulationOptions {
  calls: number
  seed: number
  /** An empty folder; afterwards records/, witness.txt and keys.json are in it. */
  folder: string
  concurrency?: number
}

type Counts = Map<string, number>

export interface Instance {
  chain: string
  killed: boolean
  /** What the answers said, by code. */
  answered: Counts
  /** Requests that got no whole answer. */
  unanswered: number
  recorded: Counts
  /** `ductape_mcp_decisions_total` of the last scrape. */
  counted: Counts
}

export interface PopulationReport {
  seed: number
  calls: number
  instances: Instance[]
  codes: string[]
  /** Executions that the emulator saw, and those of them without an allowed decision before them; one that only repeats an answer allows none. */
  effects: number
  unrecorded: string[]
  verification: Report
  /** Numbers that do not agree. */
  problems: string[]
}

const add = (counts: Counts, name: string, by = 1): void =>
  void counts.set(name, (counts.get(name) ?? 0) + by)

/** Waits until it is so; the state is read again each time. */
async function until(what: string, so: () => boolean | Promise<boolean>, within = 30_000): Promise<void> {
  const end = performance.now() + within
  while (!(await so())) {
    if (performance.now() > end) throw new Error(`not within ${within} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export async function runPopulation(options: PopulationOptions): Promise<PopulationReport> {
  const { calls, folder, seed } = options
  const random = seeded(seed)
  const seen: string[] = []
  const emulator = await startEmulator({
    observe: ({ headers, path }) => {
      if (path.endsWith('/execute')) seen.push(String(headers['x-request-id']))
    },
  })
  // What a backend does now and then; numbers without a common divisor, so that each of them has its turn.
  emulator.faults.every(23, { kind: 'reset' })
  emulator.faults.every(29, { kind: 'not-json' })
  emulator.faults.every(31, { kind: 'status', status: 503 })
  emulator.faults.every(37, { kind: 'status-false', message: 'no' })
  emulator.faults.every(41, { kind: 'truncation' })
  emulator.faults.every(43, { kind: 'hang' })
  const people = await startPeople()
  const tokens = { grace: await people.tokenOf('grace'), ada: await people.tokenOf('ada') }
  const setup = prepare(folder, emulator, people)
  const target = (served: Served): Target => ({
    url: served.url,
    people: { host: new URL(people.peopleUrl).host, tokens },
  })
  const instances: Instance[] = []
  try {
    const half = Math.floor(calls / 2)
    const first = await start(setup)
    const killed = begin(first)
    instances.push(killed)
    // Floods first: what is still being counted when the process dies is in no record, as documented.
    const mix = [...KNOWN, ...FLOWS, ...UNKNOWN]
    await load(target(first.served), killed, requests(random, half >> 1, mix), options, random)
    await until(
      'the counts of all floods are written',
      () => sum(recordedIn(setup.records, killed.chain)) >= sum(killed.answered),
    )
    killed.counted = await scrape(first.served)
    // It dies with calls under way.
    const rest = requests(random, half - (half >> 1), [...KNOWN, ...FLOWS])
    const cut = Math.floor(rest.length / 2)
    let sent = 0
    await load(target(first.served), killed, rest, options, random, () => {
      if (++sent === cut) first.served.child.kill('SIGKILL')
    })
    await first.served.exit
    killed.killed = true

    const second = await start(setup)
    const drained = begin(second)
    instances.push(drained)
    await load(target(second.served), drained, requests(random, calls - half, mix), options, random)
    drained.counted = await scrape(second.served)
    second.served.child.kill('SIGTERM')
    await second.served.exit
  } finally {
    await Promise.all([emulator.close(), people.close()])
  }
  for (const instance of instances) instance.recorded = recordedIn(setup.records, instance.chain)
  const verification = await verify(sources(setup.records), {
    trust: { keys: setup.keys, selfAsserted: false },
    witness: { name: 'witness', text: readFileSync(setup.witness, 'utf8') },
    allReplicas: true,
  })
  const allowed = new Set(allowedIn(setup.records))
  const unrecorded = seen.filter((id) => !allowed.has(id))
  return {
    seed,
    calls,
    instances,
    codes: [...new Set(instances.flatMap(({ answered }) => [...answered.keys()]))].sort(),
    effects: seen.length,
    unrecorded,
    verification,
    problems: [...instances.flatMap(disagreements), ...verificationProblems(verification)],
  }
}

interface Setup {
  config: Record<string, unknown>
  records: string
  witness: string
  keys: Exclude<ReturnType<typeof readKeySet>, string>
}

function prepare(folder: string, emulator: Emulator, people: People): Setup {
  const at = (name: string): string => join(folder, name)
  mkdirSync(at('live'))
  mkdirSync(at('records'))
  const put = (name: string, value: unknown): void =>
    writeFileSync(at(name), JSON.stringify(value), { mode: 0o600 })
  put('live/keys.yaml', keysFile(CALLERS))
  const careful = { allow: [{ tool: '*', approval: 'confirm' }] }
  put('live/policy.yaml', {
    roles: { ...ALLOW_ALL.roles, reader: { allow: [{ effect: 'read' }] }, careful },
    guards: { sql: [{ env: 'stg', unproven: 'refuse' }] },
  })
  writeFileSync(at('fleet.keys'), `k1 ${randomBytes(32).toString('base64')}\n`, { mode: 0o600 })
  const off = { rate: 'off', concurrency: 'off', executions: 'off', inputTokens: 'off', outputTokens: 'off' }
  put('live/limits.yaml', {
    principal: off,
    principals: { 'api-key:slow': { ...off, rate: { perMinute: 1, burst: 1 } } },
  })
  const { privateKey } = generateKeyPairSync('ed25519')
  writeFileSync(at('receipts.pem'), privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 })
  const set = jwkSet(privateKey)
  writeFileSync(at('keys.json'), set)
  const keys = readKeySet(set)
  if (typeof keys === 'string') throw new Error(keys)
  return {
    keys,
    records: at('records'),
    witness: at('witness.txt'),
    config: {
      publicUrl: PUBLIC_URL,
      live: at('live'),
      peopleUrl: people.peopleUrl,
      auth: { apiKeys: {}, ...people.auth },
      keys: { fleet: { file: at('fleet.keys') } },
      replay: { require: 'destructive' },
      backend: { url: emulator.url, timeout: '1s' },
      http: { allowedHosts: ['127.0.0.1'], peerRate: { perMinute: 10_000_000, burst: 1_000_000 } },
      audit: { mode: 'strict', sink: { directory: at('records') }, witness: { file: at('witness.txt') } },
      receipts: { keys: { file: at('receipts.pem') } },
    },
  }
}

function jwkSet(privateKey: KeyObject): string {
  const jwk = publicJwk(createPublicKey(privateKey))
  return JSON.stringify({ keys: [{ alg: 'EdDSA', ...jwk, kid: thumbprint(jwk), use: 'sig' }] })
}

async function start({ config, records }: Setup): Promise<{ served: Served; chain: string }> {
  const before = new Set(readdirSync(records))
  const served = await serve({ config })
  let name: string | undefined
  await until('it writes its records', () => {
    name = readdirSync(records).find((file) => !before.has(file))
    return name !== undefined
  })
  return { served, chain: /^audit-(.{36})-/.exec(name ?? '')?.[1] ?? '' }
}

const begin = ({ chain }: { chain: string }): Instance => ({
  chain,
  killed: false,
  answered: new Map(),
  unanswered: 0,
  recorded: new Map(),
  counted: new Map(),
})

const requests = (random: (below: number) => number, count: number, from: readonly Request[]): Request[] =>
  // Each kind once, then at random.
  Array.from({ length: count }, (_, i) => (from[i] ?? from[random(from.length)]) as Request)

async function load(
  target: Target,
  instance: Instance,
  list: readonly Request[],
  { concurrency = 16 }: PopulationOptions,
  random: (below: number) => number,
  onSent: () => void = () => undefined,
): Promise<void> {
  const queue = list.values()
  const worker = async (): Promise<void> => {
    for (const request of queue) {
      const answer = request(target, random)
      onSent()
      try {
        for (const code of await answer) add(instance.answered, code)
      } catch {
        instance.unanswered++
      }
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
}

/** A request may be counted a moment after its answer. */
async function scrape({ ops }: Served): Promise<Counts> {
  const text = await (await fetch(`${ops}/metrics`)).text()
  const counts: Counts = new Map()
  for (const [, labels = '', value] of text.matchAll(/^ductape_mcp_decisions_total\{(.*)\} (\d+)$/gm))
    add(counts, /code="(\w+)"/.exec(labels)?.[1] ?? '', Number(value))
  return counts
}

const sources = (folder: string) =>
  readdirSync(folder).map((name) => ({
    name,
    read: () => createReadStream(join(folder, name)) as AsyncIterable<Buffer>,
  }))

function* recordsIn(folder: string, chain = ''): Generator<JsonObject> {
  for (const name of readdirSync(folder)) {
    if (!name.includes(chain)) continue
    const lines = readFileSync(join(folder, name), 'utf8').split('\n')
    // What stands behind the last line feed is still being written, or was torn.
    lines.pop()
    for (const line of lines) yield JSON.parse(line) as JsonObject
  }
}

/** By how they ended: refused decisions and repeated refusals by their code, outcomes by theirs or `ok`. */
function recordedIn(folder: string, chain: string): Counts {
  const counts: Counts = new Map()
  for (const record of recordsIn(folder, chain)) {
    const part = record[String(record['type'])] as { allowed?: boolean; code?: string; count?: number }
    if (record['type'] === 'decision' && part.allowed === false) add(counts, part.code ?? '')
    else if (record['type'] === 'outcome') add(counts, part.code ?? 'ok')
    else if (record['type'] === 'refusals') add(counts, part.code ?? '', part.count)
  }
  return counts
}

function* allowedIn(folder: string): Generator<string> {
  for (const { decision, what } of recordsIn(folder)) {
    const { allowed, replayOf } = (decision ?? {}) as JsonObject
    if (allowed === true && replayOf === undefined) yield String((what as JsonObject)['requestId'])
  }
}

const sum = (counts: Counts): number => [...counts.values()].reduce((all, one) => all + one, 0)

function disagreements({ answered, chain, counted, killed, recorded, unanswered }: Instance): string[] {
  const problems: string[] = []
  for (const code of new Set([...answered.keys(), ...recorded.keys(), ...counted.keys()])) {
    const [said, written, metric] = [answered, recorded, counted].map((counts) => counts.get(code) ?? 0) as [
      number,
      number,
      number,
    ]
    const line = `${chain} ${code}: answered ${said}, recorded ${written}, counted ${metric}`
    if (killed ? written < metric : written !== metric || written !== said) problems.push(line)
  }
  if (!killed && unanswered > 0) problems.push(`${chain}: ${unanswered} requests had no answer`)
  return problems
}

const verificationProblems = ({ chains, finding }: Report): string[] => [
  ...(finding === undefined ? [] : [`audit verify: ${JSON.stringify(finding)}`]),
  ...(chains.length === 2 && !chains[0]?.closed && chains[1]?.closed
    ? []
    : ['not one open and one closed chain']),
]
