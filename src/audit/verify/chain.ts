// What is known of one chain while its records are read, and what the next record has to be. Plain data: a state can be copied and saved.
import type { JsonObject } from '../../core/json.ts'
import { type Jwk, thumbprint } from '../jws.ts'
import { type Finding, finding } from './codes.ts'
import { isCheckpointPayload, isKeyPayload } from './form.ts'
import { checkJws, type Trust } from './keys.ts'
import { addRecord, copyEdge, type Edge, newEdge, rootOf } from './tree.ts'

/** Where a line stands. */
export interface Place {
  file: string
  line: number
}

export interface ChainState {
  readonly id: string
  mode: 'strict' | 'best-effort'
  instance: string
  opened: string
  /** Time of the newest record. */
  time: string
  jwk: Jwk
  kid: string
  origin: 'file' | 'boot'
  replaced: string[]
  /** `hash` of the last record; its `seq` is the size of the tree less one. */
  last: string
  edge: Edge
  /** The last checkpoint: what it covers. */
  covered: { size: number; root: string }
  checkpoints: number
  /** Those that the witness has too. */
  witnessed: number
  /** Records since the last checkpoint, and the time between them, steps over 30 s cut to that. */
  uncovered: number
  stretch: number
  lastTime: number
  /** Calls that were allowed and have no outcome yet. */
  pending: Set<string>
  /** Calls decided lately: the newer half, and the half before it. */
  decided: Set<string>
  decidedBefore: Set<string>
  counts: Record<string, number>
  lost: number
  unmatched: number
  firstUnmatched: (Place & { seq: number }) | undefined
  /** Allowed calls without an outcome, known when the chain is closed. */
  unknown: number
  /** Digests of the last policies. */
  policies: string[]
  closed: boolean
  /** The checkpoint behind `close` has come. */
  finished: boolean
}

const MAX_UNCOVERED = 512
const MAX_STRETCH = 60_000
const MAX_STEP = 30_000
/** Between the time of a checkpoint record and the second that its JWS names. */
const MAX_SKEW = 5_000
/** Decisions of one half of those that are remembered. */
const REMEMBERED = 65_536
const POLICIES = 16

/** Strings cut out of a line keep the whole line in memory; a copy does not. */
const copy = (text: string): string => Buffer.from(text).toString()

export function openChain(record: JsonObject): ChainState {
  const jwk = record['key'] as unknown as Jwk
  const key: Jwk = { crv: 'Ed25519', kty: 'OKP', x: copy(jwk.x) }
  return {
    id: copy(record['chain'] as string),
    mode: record['mode'] as ChainState['mode'],
    instance: copy(record['instance'] as string),
    opened: copy(record['time'] as string),
    time: '',
    jwk: key,
    kid: thumbprint(key),
    origin: record['keyOrigin'] as ChainState['origin'],
    replaced: [],
    last: '',
    edge: newEdge(),
    covered: { size: 0, root: '' },
    checkpoints: 0,
    witnessed: 0,
    uncovered: 0,
    stretch: 0,
    lastTime: 0,
    pending: new Set(),
    decided: new Set(),
    decidedBefore: new Set(),
    counts: {},
    lost: 0,
    unmatched: 0,
    firstUnmatched: undefined,
    unknown: 0,
    policies: [],
    closed: false,
    finished: false,
  }
}

/** An independent state that stands where this one does. */
export const copyChain = (chain: ChainState): ChainState => ({
  ...chain,
  replaced: chain.replaced.slice(),
  edge: copyEdge(chain.edge),
  pending: new Set(chain.pending),
  decided: new Set(chain.decided),
  decidedBefore: new Set(chain.decidedBefore),
  counts: { ...chain.counts },
  policies: chain.policies.slice(),
})

/** Whether the record is the next one of its chain; then what its type demands. The state has taken it where nothing is returned. */
export function takeRecord(
  chain: ChainState,
  record: JsonObject,
  at: Place,
  trust: Trust,
): Finding | undefined {
  const type = record['type'] as string
  if (chain.finished || (chain.closed && type !== 'checkpoint')) return finding('chain_after_close')
  const seq = record['seq'] as number
  if (seq !== chain.edge.size) return finding('seq_gap', `${chain.edge.size} is expected`)
  if (seq > 0 && record['prev'] !== chain.last) return finding('prev_mismatch')
  if (record['instance'] !== chain.instance)
    return finding('record_schema', 'another instance than the one that opened the chain')
  return coverage(chain, record) ?? TYPES[type]?.(chain, record, at, trust) ?? add(chain, record)
}

function add(chain: ChainState, record: JsonObject): undefined {
  const type = record['type'] as string
  chain.last = record['hash'] as string
  chain.time = record['time'] as string
  chain.counts[type] = (chain.counts[type] ?? 0) + 1
  addRecord(chain.edge, chain.last)
}

/** Counts what no checkpoint covers. A clock that is set, or a machine that sleeps, makes one long step. */
function coverage(chain: ChainState, record: JsonObject): Finding | undefined {
  const time = Date.parse(record['time'] as string)
  const step = time - chain.lastTime
  chain.lastTime = time
  if (record['type'] === 'checkpoint') return undefined
  if (chain.uncovered > 0 && step > 0) chain.stretch += Math.min(step, MAX_STEP)
  chain.uncovered++
  return chain.uncovered > MAX_UNCOVERED || chain.stretch > MAX_STRETCH
    ? finding('checkpoint_missing')
    : undefined
}

type Take = (chain: ChainState, record: JsonObject, at: Place, trust: Trust) => Finding | undefined

const TYPES: Readonly<Record<string, Take>> = {
  open: notePolicy,
  reload: notePolicy,
  decision,
  outcome,
  key: changeKey,
  lost(chain, record) {
    if (chain.mode === 'strict') return finding('lost_records')
    chain.lost += (record['lost'] as JsonObject)['records'] as number
    return undefined
  },
  checkpoint,
  close,
}

function notePolicy(chain: ChainState, record: JsonObject): undefined {
  const { policyDigest } = record
  if (typeof policyDigest !== 'string' || chain.policies.includes(policyDigest)) return
  chain.policies.push(copy(policyDigest))
  if (chain.policies.length > POLICIES) chain.policies.shift()
}

function decision(chain: ChainState, record: JsonObject): Finding | undefined {
  const id = copy(record['callId'] as string)
  if (chain.decided.has(id) || chain.decidedBefore.has(id)) return finding('decision_repeated', `call ${id}`)
  chain.decided.add(id)
  if (chain.decided.size >= REMEMBERED) {
    chain.decidedBefore = chain.decided
    chain.decided = new Set()
  }
  if ((record['decision'] as JsonObject)['allowed'] === true) chain.pending.add(id)
  return undefined
}

function outcome(chain: ChainState, record: JsonObject, at: Place): Finding | undefined {
  const id = record['callId'] as string
  if (chain.pending.delete(id)) return undefined
  if (chain.mode === 'strict') return finding('outcome_unmatched', `call ${id}`)
  // Its decision may be one of those that a later record says are lost.
  chain.unmatched++
  chain.firstUnmatched ??= { ...at, seq: record['seq'] as number }
  return undefined
}

function changeKey(chain: ChainState, record: JsonObject, _at: Place, trust: Trust): Finding | undefined {
  const { jwk, jws } = record['key'] as JsonObject
  const checked = checkJws(jws as string, 'ductape-key+jwt', isKeyPayload, trust, chain)
  if (!checked.ok) return checked.finding
  const { payload } = checked
  const { x } = jwk as unknown as Jwk
  if (payload['chain'] !== chain.id || (payload['jwk'] as unknown as Jwk).x !== x)
    return finding('checkpoint_claims', 'it is about another chain or key')
  const old = chain.kid
  chain.jwk = { crv: 'Ed25519', kty: 'OKP', x: copy(x) }
  chain.kid = thumbprint(chain.jwk)
  // A key made at boot cannot follow: the service would have to start anew.
  chain.origin = 'file'
  chain.replaced = [...chain.replaced.filter((kid) => kid !== chain.kid), old]
  return undefined
}

function checkpoint(chain: ChainState, record: JsonObject, _at: Place, trust: Trust): Finding | undefined {
  const checked = checkJws(
    record['checkpoint'] as string,
    'ductape-checkpoint+jwt',
    isCheckpointPayload,
    trust,
    chain,
  )
  if (!checked.ok) return checked.finding
  const { size, root } = checked.payload as { size: number; root: string }
  if (checked.payload['chain'] !== chain.id || size !== chain.edge.size)
    return finding(
      'checkpoint_claims',
      `it is about ${size} records of the chain ${checked.payload['chain']}`,
    )
  // Nothing but its JWS covers the last checkpoint record of a chain.
  if (Math.abs(Date.parse(record['time'] as string) - 1000 * (checked.payload['iat'] as number)) > MAX_SKEW)
    return finding('checkpoint_claims', 'the record has another time than what it carries')
  if (size === 0 || root !== rootOf(chain.edge)) return finding('checkpoint_root')
  // The key set can say so of a key of which the chain does not.
  if (checked.selfAsserted) chain.origin = 'boot'
  chain.covered = { size, root }
  chain.checkpoints++
  chain.uncovered = 0
  chain.stretch = 0
  if (chain.closed) {
    chain.finished = true
    // No decision can follow, and there may be many chains.
    chain.decided = new Set()
    chain.decidedBefore = new Set()
  }
  return undefined
}

function close(chain: ChainState, record: JsonObject): Finding | undefined {
  const { records } = record['close'] as { records: Record<string, number> }
  const counts: Record<string, number> = { ...chain.counts, close: 1 }
  for (const type of new Set([...Object.keys(records), ...Object.keys(counts)]))
    if ((records[type] ?? 0) !== (counts[type] ?? 0))
      return finding('record_schema', `it counts ${type} wrongly`)
  chain.closed = true
  return settle(chain)
}

/** Outcomes without decision and decisions without outcome, which only lost records excuse. */
export function settle(chain: ChainState): Finding | undefined {
  const { firstUnmatched: first, unmatched, lost } = chain
  if (first !== undefined && unmatched > lost) return { ...finding('outcome_unmatched'), ...first }
  chain.unknown = chain.pending.size
  if (chain.closed && chain.pending.size > lost - unmatched) {
    const [id] = chain.pending
    return finding('outcome_missing', `call ${id}`)
  }
  return undefined
}
