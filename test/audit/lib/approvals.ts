// Chains with approvals: asked on one replica, given by a person on another, used on a third; and each way in which that can be wrong.
import { ChainBuilder, type Members, START, sha256 } from './builder.ts'
import { bad, KEYS, linesFile, type Vector, type VectorFile } from './vector.ts'

export const ID = 'Zx3mLk0Qp8T2vYw6'
const REQUEST = `k1.${sha256('request').toString('base64url')}`
const RULE = sha256('rule').toString('hex')
const REQUESTER = 'oauth:https://login.example#agent-7'
const APPROVER = 'people:https://login.example#bob'
const BOB: Members = {
  clientId: 'approvals',
  method: 'oauth',
  principal: APPROVER,
  roles: undefined,
  subject: 'bob',
}
const EXPIRES = new Date(START + 900_000).toISOString()

const note = (state: string, more: Members = {}): Members => ({
  expiresAt: EXPIRES,
  id: ID,
  rule: RULE,
  state,
  ...more,
})

const WRITE: Members = { effect: 'write', method: 'insert', module: 'databases', requestDigest: REQUEST }

/** The call that was told to wait. */
function ask(chain: ChainBuilder): void {
  const decision = {
    allowed: false,
    approval: note('asked'),
    code: 'approval_required',
    rule: 'writer/allow/1',
    stage: 'approval',
  }
  chain.decision(chain.callId(), decision, WRITE)
}

interface Person {
  action?: string
  note?: Members
  who?: Members
  outcome?: Members
}

/** What a person decides; the record stands before the decision holds. */
function decide(
  chain: ChainBuilder,
  { action = 'approval.approve', note: over, outcome, who }: Person = {},
): void {
  const callId = chain.callId()
  const approval = note(action === 'approval.approve' ? 'approved' : 'denied', {
    request: REQUEST,
    requester: REQUESTER,
    ...over,
  })
  const what = { ...NO_TOOL, action, surface: 'rest' }
  chain.decision(callId, { allowed: true, approval }, what, { ...BOB, ...who })
  chain.outcome(callId, { resultDigest: undefined, ...outcome })
}

const NO_TOOL: Members = {
  argsDigest: undefined,
  effect: undefined,
  method: undefined,
  module: undefined,
  rpcId: undefined,
  tool: undefined,
}

/** The call that goes through; the line of its decision is what a finding names. */
function use(chain: ChainBuilder, over: { note?: Members; what?: Members; who?: Members } = {}): number {
  const callId = chain.callId()
  const decision = {
    allowed: true,
    approval: note('used', { approver: APPROVER, ...over.note }),
    rule: 'writer/allow/1',
  }
  chain.decision(callId, decision, { ...WRITE, ...over.what }, over.who)
  const line = chain.lines.length
  chain.outcome(callId)
  return line
}

function closed(build: (chain: ChainBuilder) => void, options: { mode?: 'best-effort' } = {}): ChainBuilder {
  const chain = new ChainBuilder(options)
  build(chain)
  chain.close()
  return chain
}

/** Two that were asked for: one is approved, after somebody who came too late, and used; the other is denied. */
export function approvalChain(number = 1): ChainBuilder {
  const chain = new ChainBuilder({ number })
  ask(chain)
  ask(chain)
  chain.time += 60_000
  chain.checkpoint()
  decide(chain)
  decide(chain, { who: { principal: 'people:https://login.example#eve', subject: 'eve' }, outcome: LATE })
  decide(chain, { action: 'approval.deny', note: { id: 'denied' } })
  const callId = chain.callId()
  const what = { ...NO_TOOL, action: 'kill', surface: 'rest', target: 'module databases' }
  chain.decision(callId, { allowed: true }, what, BOB)
  chain.outcome(callId, { resultDigest: undefined })
  use(chain)
  chain.close()
  return chain
}

/** Asked on the first, given on the second, used on the third. */
function replicas(): VectorFile[] {
  const [first, second, third] = [1, 2, 3].map(
    (number) => new ChainBuilder({ number, start: START + number }),
  ) as [ChainBuilder, ChainBuilder, ChainBuilder]
  ask(first)
  decide(second)
  use(third)
  return [third, first, second].map((chain, i) => {
    chain.close()
    return linesFile(chain.lines, `${i}.jsonl`)
  })
}

/** Of these, what the first and the third have recorded. */
export const unapproved = (): VectorFile[] => replicas().slice(0, 2)

export function goodApprovalVectors(): Vector[] {
  const [third, first, second] = replicas() as [VectorFile, VectorFile, VectorFile]
  const vector = (name: string, files: VectorFile[], more: Partial<Vector> = {}): Vector => ({
    name,
    files,
    keys: KEYS,
    expect: { ok: true },
    ...more,
  })
  const one = (name: string, chain: ChainBuilder, more: Partial<Vector> = {}): Vector =>
    vector(name, [linesFile(chain.lines)], { allReplicas: true, ...more })
  const lossy = closed(
    (chain) => {
      const time = new Date(chain.time).toISOString()
      chain.add('lost', { lost: { from: time, records: 1, to: time } })
      use(chain)
    },
    { mode: 'best-effort' },
  )
  return [
    vector('an approval over three replicas', [third, first, second], { allReplicas: true }),
    vector('an approval whose records are on a replica that is not given', [third, first], {
      expect: { ok: true, notShown: 1 },
    }),
    one(
      'an approval that was asked for, given and used',
      closed((chain) => {
        ask(chain)
        decide(chain)
        use(chain)
      }),
    ),
    one(
      'two people who approve at the same time, and one comes too late',
      closed((chain) => {
        decide(chain, {
          who: { principal: 'people:https://login.example#eve', subject: 'eve' },
          outcome: LATE,
        })
        decide(chain)
        use(chain)
      }),
    ),
    one(
      'approvals that were denied, notified of, or never used',
      closed((chain) => {
        ask(chain)
        decide(chain, { action: 'approval.deny' })
        const callId = chain.callId()
        chain.decision(callId, { allowed: true, approval: note('notified', { id: 'other' }) }, WRITE)
        chain.outcome(callId)
        decide(chain, { note: { id: 'unused' }, who: { principal: REQUESTER } })
      }),
    ),
    one(
      'a refusal of a call that had an approval, which is then used',
      closed((chain) => {
        decide(chain)
        const refused = { allowed: false, approval: note('used'), code: 'token_revoked', stage: 'identity' }
        chain.decision(chain.callId(), refused, WRITE)
        use(chain)
      }),
    ),
    one('an approval among records that were lost', lossy, { expect: { ok: true, lost: 1, notShown: 1 } }),
    one(
      'guards, and an answer that was given before',
      closed((chain) => {
        const [first, again] = [chain.callId(), chain.callId()]
        const guards = [
          { at: '/params/0/query', found: 'read-only', guard: 'sql' },
          { count: 2, found: 'unproven', guard: 'path' },
        ]
        chain.decision(first, { allowed: true, guards, rule: 'reader/allow/1' })
        chain.outcome(first)
        chain.decision(again, { allowed: true, replayOf: first, rule: 'reader/allow/1' })
        chain.outcome(again, { status: 'replayed' })
      }),
    ),
  ]
}

/** People and calls in any order on two replicas; every second one is as it should be, the others differ in one thing. */
export function randomApprovals(random: (below: number) => number): Vector {
  const chains = [1, 2].map((number) => new ChainBuilder({ number, start: START + number }))
  const one = <T>(list: readonly T[]): T => list[random(list.length)] as T
  const id = (): string => `id${random(3)}`
  const people: readonly Members[] = [
    BOB,
    BOB,
    { ...BOB, principal: 'people:https://login.example#eve', subject: 'eve' },
    { ...BOB, subject: 'agent-7' },
    { ...BOB, principal: REQUESTER, subject: 'x' },
  ]
  const outcomes: readonly Members[] = [{}, {}, { status: 'unknown' }, { ...LATE }, { status: 'cancelled' }]
  const uses: readonly Parameters<typeof use>[1][] = [
    {},
    {},
    {},
    { what: { requestDigest: `${REQUEST}x` } },
    { who: { owner: 'bob' } },
    { who: { actors: ['eve'] } },
    { who: { principal: 'api-key:other' } },
  ]
  for (let i = 2 + random(5); i > 0; i--) {
    const chain = one(chains)
    if (random(3) === 0) {
      const { note: over, ...more } = one(uses) ?? {}
      use(chain, { ...more, note: { approver: undefined, ...over, id: id() } })
    } else
      decide(chain, {
        action: one(['approval.approve', 'approval.approve', 'approval.deny']),
        note: { id: id() },
        who: one(people),
        outcome: one(outcomes),
      })
  }
  for (const chain of chains) chain.close()
  return {
    name: 'approvals in any order',
    files: chains.map((chain, i) => linesFile(chain.lines, `${i}.jsonl`)),
    keys: KEYS,
    allReplicas: random(2) === 0,
    expect: { ok: true },
  }
}

const LATE: Members = { code: 'approval_decided', httpStatus: 409, status: 'failed' }

export function badApprovalVectors(): Vector[] {
  const vector = (
    name: string,
    code: Parameters<typeof bad>[1],
    build: (chain: ChainBuilder) => number,
    more: Partial<Vector> = {},
  ): Vector => {
    let line = 0
    const { lines } = closed((chain) => {
      line = build(chain)
    })
    return bad(name, code, lines, line, more)
  }
  /** Given in a way that does not fit, and used. */
  const unfit = (
    name: string,
    code: Parameters<typeof bad>[1],
    person: Person,
    over?: Parameters<typeof use>[1],
  ) =>
    vector(name, code, (chain) => {
      decide(chain, person)
      return use(chain, over)
    })
  const schema = (name: string, decision: Members): Vector =>
    vector(name, 'record_schema', (chain) => {
      chain.decision(chain.callId(), { allowed: true, ...decision })
      return chain.lines.length
    })
  return [
    vector('an approval used twice', 'approval_reused', (chain) => {
      decide(chain)
      use(chain)
      return use(chain)
    }),
    unfit(
      'an approval for another request',
      'approval_mismatch',
      {},
      { what: { requestDigest: `${REQUEST}x` } },
    ),
    unfit('an approval for another caller', 'approval_mismatch', {}, { who: { principal: 'api-key|other' } }),
    unfit('an approval under another rule', 'approval_mismatch', {}, { note: { rule: '0'.repeat(64) } }),
    unfit('an approval of another tenant', 'approval_mismatch', { who: { tenant: 'umbrella' } }),
    unfit('an approval that names another approver', 'approval_mismatch', {}, { note: { approver: 'x' } }),
    unfit(
      'an approval by the caller',
      'approval_self',
      { who: { principal: REQUESTER, subject: 'x' } },
      { note: { approver: REQUESTER } },
    ),
    unfit('an approval by the subject of the caller', 'approval_self', { who: { subject: 'agent-7' } }),
    unfit('an approval by the owner of the key', 'approval_self', {}, { who: { owner: 'bob' } }),
    unfit(
      'an approval by one for whom the caller acts',
      'approval_self',
      {},
      { who: { actors: ['x', 'bob'] } },
    ),
    vector('an approval given after it was used', 'approval_unmatched', (chain) => {
      const line = use(chain)
      decide(chain)
      return line
    }),
    {
      ...bad('an approval that nobody gave, with the records of all replicas', 'approval_unmatched', [], 3),
      files: unapproved(),
      allReplicas: true,
      expect: { code: 'approval_unmatched', file: '0.jsonl', line: 3 },
    },
    vector(
      'an approval that was denied and used',
      'approval_unmatched',
      (chain) => {
        decide(chain, { action: 'approval.deny' })
        return use(chain)
      },
      { allReplicas: true },
    ),
    vector(
      'an approval that was refused to the approver and used',
      'approval_unmatched',
      (chain) => {
        decide(chain, { outcome: { ...LATE, code: 'approver_refused', httpStatus: 403 } })
        return use(chain)
      },
      { allReplicas: true },
    ),
    schema('an approval of a state that there is not', { approval: note('given') }),
    schema('an approval without its rule', { approval: note('used', { rule: undefined }) }),
    schema('a finding of a guard without what it found', { guards: [{ guard: 'sql' }] }),
    schema('an answer of a call that is no UUIDv7', { replayOf: 'x' }),
  ]
}
