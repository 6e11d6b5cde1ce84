// One seeded run of asking, approving, refusing, using and expiring on three replicas while the store is lost, emptied and tampered with, and what must never happen in it.
import { createHash } from 'node:crypto'
import {
  type ApprovalOptions,
  type Approvals,
  createApprovals,
} from '../../../src/admission/approval/index.ts'
import { createDigests } from '../../../src/audit/digests.ts'
import type { ApprovalNote } from '../../../src/core/call.ts'
import type { Fleet } from '../../../src/core/fleet.ts'
import type { Principal } from '../../../src/core/principal.ts'
import type { Store } from '../../../src/core/store.ts'
import { createFleet } from '../../../src/keys/index.ts'
import { createMemoryStore } from '../../../src/store/index.ts'
import { seeded } from '../../store/lib/random.ts'
import {
  APPROVERS,
  type ApproverName,
  askingCall,
  MAY_APPROVE,
  PEOPLE_CLIENT,
  PEOPLE_URL,
  REQUESTERS,
  type RequesterName,
} from './callers.ts'
import { createSteps } from './steps.ts'

const REPLICAS = 3
const EXPIRY = 60_000
export const WORLD_KEY = { id: 'k1', secret: createHash('sha256').update('world').digest() }
export const FLEET = createFleet([WORLD_KEY], true)

/** What a mutant puts in place of the real part. */
export interface Mutant {
  store?(store: Store): Store
  options?(options: ApprovalOptions): ApprovalOptions
  approver?(approver: Principal): Principal
}

/** Who can decide something at all. */
const FIT: ReadonlySet<ApproverName> = new Set(Object.values(MAY_APPROVE).flat())

export interface Outcome {
  readonly problems: readonly string[]
  /** How calls and decisions ended, by code; `used` = a call that passed. */
  readonly ended: ReadonlyMap<string, number>
  readonly steps: number
}

/** What a call is, whole: two calls are the same request only where all of it is. */
interface Request {
  readonly requester: RequesterName
  readonly args: number
  readonly credential: number
  readonly rule: number
}

const nameOf = ({ requester, args, credential, rule }: Request): string =>
  `${requester} args ${args} key ${credential} rule ${rule}`

export async function runWorld(seed: number, mutant: Mutant = {}): Promise<Outcome> {
  const dice = seeded(seed)
  const problems: string[] = []
  const ended = new Map<string, number>()
  const count = (code: string): void => void ended.set(code, (ended.get(code) ?? 0) + 1)
  let time = 1_000_000
  let steps = 0
  const freshStore = (): Store => {
    const store = createMemoryStore({ now: () => time })
    return mutant.store?.(store) ?? store
  }
  let base = freshStore()
  const schedule = createSteps(() => base, dice)

  const start = (replica: number): Approvals => {
    const options: ApprovalOptions = {
      store: recording(schedule.storeOf(replica)),
      fleet: FLEET as Fleet,
      peopleUrl: PEOPLE_URL,
      people: { clients: [PEOPLE_CLIENT] },
      notifier: undefined,
      now: () => time,
      random: (size) => Buffer.from(Array.from({ length: size }, () => dice(256))),
      digest: createDigests({ fleet: FLEET, random: (size) => Buffer.alloc(size) }).request,
      onEvent: () => undefined,
    }
    return createApprovals(mutant.options?.(options) ?? options)
  }
  /** Everything that was ever written, for whoever copies it to where it does not belong. */
  const written: [key: string, value: string][] = []
  const recording = (store: Store): Store =>
    new Proxy(store, {
      get(target, name: keyof Store) {
        if (name !== 'compareAndSwap') return target[name]
        return (key: string, ...rest: [string | undefined, string | undefined, number | undefined]) => {
          if (rest[1] !== undefined) written.push([key, rest[1]])
          return target.compareAndSwap(key, ...rest)
        }
      },
    })
  const replicas = Array.from({ length: REPLICAS }, (_, replica) => start(replica))
  const anyReplica = (): Approvals => replicas[dice(REPLICAS)] as Approvals

  // What is true, by what was done and shown: not by what the code under test keeps.
  const asked = new Map<string, Request>()
  const approved = new Map<string, { shown: string | undefined; expiresAt: number; approver: ApproverName }>()
  const used = new Set<string>()
  const underWay = new Set<Promise<void>>()
  const launch = (work: Promise<void>): void => {
    const guarded = work
      .catch((error: unknown) => void problems.push(`threw ${String(error)}`))
      .finally(() => underWay.delete(guarded))
    underWay.add(guarded)
  }

  async function ask(request: Request): Promise<void> {
    const call = askingCall({
      requester: REQUESTERS[request.requester],
      args: { module: 'databases', params: [request.args] },
      credentialId: `k1.key-${request.credential}`,
      rule: `rule-${request.rule}`,
      expiry: EXPIRY,
    })
    const denial = await anyReplica().stage(call)
    count(denial?.code ?? 'used')
    const { id } = call.approval ?? {}
    if (id !== undefined) {
      const first = asked.get(id) ?? request
      asked.set(id, first)
      if (nameOf(first) !== nameOf(request))
        problems.push(`${nameOf(request)} was given the approval of ${nameOf(first)}`)
    }
    if (denial !== undefined) return
    const grant = approved.get(id ?? '')
    if (id === undefined || grant === undefined) return void problems.push('passed without an approval')
    if (used.has(id)) problems.push('used twice')
    used.add(id)
    if (time >= grant.expiresAt) problems.push('used after its end')
    if (!MAY_APPROVE[request.requester].includes(grant.approver))
      problems.push(`${grant.approver} has approved a call of ${request.requester}`)
    if (grant.shown !== `{"module":"databases","params":[${request.args}]}`)
      problems.push('the arguments are not those that were shown')
  }

  async function decide(approverName: ApproverName): Promise<void> {
    const real = APPROVERS[approverName]
    const approver = mutant.approver?.(real) ?? real
    const ids = [...asked.keys()]
    const id = ids[dice(ids.length)]
    if (id === undefined) return
    const replica = anyReplica()
    const view = await replica.view(id, approver)
    const shown = 'code' in view ? undefined : view.arguments
    if ('code' in view) {
      count(view.code)
      // Nobody decides what could not be shown; what the service does with those who try all the same is the point.
      if (view.code === 'store_unavailable') return
    }
    const decision = dice(4) === 0 ? 'deny' : 'approve'
    const record = (note: ApprovalNote): undefined => {
      // Whether it takes effect is known only to the store; whatever uses it must have been approved by then.
      if (decision === 'approve')
        approved.set(id, { shown, expiresAt: note.expiresAt, approver: approverName })
    }
    const done = await replica.decide(id, decision, 'because', approver, record)
    const end = 'code' in done ? done.code : done.state
    count(end)
    const foreign =
      FIT.has(approverName) && real.tenant !== REQUESTERS[(asked.get(id) as Request).requester].tenant
    if (foreign && !['approval_unknown', 'store_unavailable'].includes(end))
      problems.push(`another tenant learns of an approval: ${end}`)
  }

  const main: Request = {
    requester: pick(Object.keys(REQUESTERS) as RequesterName[], dice),
    args: 0,
    credential: 0,
    rule: 0,
  }
  const request = (): Request => {
    const kind = dice(12)
    if (kind === 0) return { ...main, requester: pick(Object.keys(REQUESTERS) as RequesterName[], dice) }
    if (kind === 1) return { ...main, args: 1 + dice(3) }
    if (kind === 2) return { ...main, credential: 1 }
    if (kind === 3) return { ...main, rule: 1 }
    return main
  }
  const event = async (): Promise<void> => {
    const kind = dice(100)
    if (kind < 48) return launch(ask(request()))
    if (kind < 78) {
      const fit = dice(3) > 0 ? MAY_APPROVE[main.requester] : (Object.keys(APPROVERS) as ApproverName[])
      return launch(decide(pick(fit, dice)))
    }
    if (kind < 86) {
      time += dice(4) === 0 ? EXPIRY : dice(EXPIRY / 3)
    } else if (kind < 90) {
      schedule.lose(dice(2) === 0)
    } else if (kind < 92) {
      base = freshStore()
    } else if (kind < 95) {
      const replica = dice(REPLICAS)
      await schedule.kill(replica)
      replicas[replica] = start(replica)
    } else if (written.length > 1) {
      // Somebody writes to the store: an entry of one place into another one, or a broken one.
      const [from, value] = pick(written, dice)
      const [key] = pick(written, dice)
      if (from !== key || dice(4) === 0) {
        await base.take(key)
        await base.setIfAbsent(key, from === key ? value.slice(0, -2) : value, EXPIRY)
      }
    }
  }

  for (let left = 10 + dice(16); left > 0 || schedule.waiting() > 0; ) {
    steps++
    if (left > 0 && (schedule.waiting() === 0 || dice(4) === 0)) {
      left--
      await event()
    } else {
      if (left === 0) schedule.lose(false)
      await schedule.next()
    }
  }
  return { problems, ended, steps }
}

const pick = <T>(from: readonly T[], dice: (below: number) => number): T => from[dice(from.length)] as T

/** Runs `count` worlds from a seed on, some at the same time; stops early where `enough` says so. */
export async function runWorlds(
  seed: number,
  count: number,
  mutant?: Mutant,
  enough: (problems: readonly string[]) => boolean = () => false,
): Promise<{ problems: string[]; ended: Map<string, number>; steps: number; worlds: number }> {
  const problems: string[] = []
  const ended = new Map<string, number>()
  let steps = 0
  let worlds = 0
  while (worlds < count && !enough(problems)) {
    const batch = Array.from({ length: Math.min(BATCH, count - worlds) }, (_, at) => seed + worlds + at)
    worlds += batch.length
    for (const [at, outcome] of (await Promise.all(batch.map((one) => runWorld(one, mutant)))).entries()) {
      problems.push(...outcome.problems.map((problem) => `world ${batch[at]}: ${problem}`))
      for (const [code, number] of outcome.ended) ended.set(code, (ended.get(code) ?? 0) + number)
      steps += outcome.steps
    }
  }
  return { problems, ended, steps, worlds }
}

const BATCH = 100
