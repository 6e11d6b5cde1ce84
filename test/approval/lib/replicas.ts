// Rounds of asking, approving and using over three processes on one real store, with the store and a process killed half way, and what went wrong.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { seeded } from '../../store/lib/random.ts'
import { openStore, type Server, until } from '../../store/lib/server.ts'
import { APPROVERS, type ApproverName, MAY_APPROVE, REQUESTERS, type RequesterName } from './callers.ts'
import type { Order, Told } from './replica.ts'

export interface RunOptions {
  server: Server
  seed: number
  rounds: number
  /** Rounds at the same time. */
  together?: number
}

export interface Run {
  readonly problems: readonly string[]
  /** Calls that passed, and rounds that nothing disturbed in which one had to. */
  readonly passed: number
  readonly undisturbed: number
  readonly ended: ReadonlyMap<string, number>
}

type Wanted = Order extends infer Each ? (Each extends Order ? Omit<Each, 'order' | 'round'> : never) : never

interface Replica {
  tell(round: number, wanted: Wanted): Promise<Told>
  kill(): Promise<void>
  close(): Promise<void>
}

const LOST = 'process killed'

async function startReplica(url: string): Promise<Replica> {
  const child: ChildProcess = fork(join(import.meta.dirname, 'replica.ts'), [url])
  await once(child, 'message')
  const waiting = new Map<number, (told: Told) => void>()
  let orders = 0
  let gone = false
  child.on('message', (told: Told) => {
    waiting.get(told.order)?.(told)
    waiting.delete(told.order)
  })
  const exit = once(child, 'exit').then(() => {
    gone = true
    for (const [order, resolve] of waiting) resolve({ order, ended: LOST, id: undefined })
  })
  return {
    tell: (round, wanted) =>
      new Promise((resolve) => {
        const order = orders++
        if (gone) return resolve({ order, ended: LOST, id: undefined })
        waiting.set(order, resolve)
        // Between its end and the news of it a process takes nothing: `exit` then answers.
        child.send({ order, round, ...wanted }, () => undefined)
      }),
    async kill() {
      child.kill('SIGKILL')
      await exit
    },
    async close() {
      if (!gone) child.disconnect()
      const late = setTimeout(() => child.kill('SIGKILL'), 5000)
      await exit
      clearTimeout(late)
    },
  }
}

export async function runReplicas({ server, seed, rounds, together = 20 }: RunOptions): Promise<Run> {
  const dice = seeded(seed)
  const pick = <T>(from: readonly T[]): T => from[dice(from.length)] as T
  const problems: string[] = []
  const ended = new Map<string, number>()
  const used = new Map<string, number>()
  const replicas = await Promise.all([1, 2, 3].map(() => startReplica(server.url)))
  let passed = 0
  let undisturbed = 0
  let disturbed = false

  async function round(number: number): Promise<void> {
    const requester = pick(Object.keys(REQUESTERS) as RequesterName[])
    const args = `round ${number}`
    const main = { ask: requester, args, credentialId: 'k1.own' }
    // All chances are drawn before the first wait.
    const askers = [pick(replicas), pick(replicas)]
    const unfit = pick(
      (Object.keys(APPROVERS) as ApproverName[]).filter((name) => !MAY_APPROVE[requester].includes(name)),
    )
    const fit = pick(MAY_APPROVE[requester])
    const decision = dice(5) === 0 ? 'deny' : 'approve'
    const deciders = [pick(replicas), pick(replicas), pick(replicas)]
    const users = Array.from({ length: 2 + dice(4) }, () => pick(replicas))
    const others = [
      { ...main, args: `${args} and more` },
      { ...main, credentialId: 'k1.other' },
      {
        ...main,
        ask: pick((Object.keys(REQUESTERS) as RequesterName[]).filter((name) => name !== requester)),
      },
    ].map((wanted) => ({ wanted, at: pick(replicas) }))
    const began = disturbed
    const all: Told[] = []
    const told = async (at: Replica | undefined, wanted: Wanted): Promise<Told> => {
      const one = (await at?.tell(number, wanted)) as Told
      ended.set(one.ended, (ended.get(one.ended) ?? 0) + 1)
      all.push(one)
      return one
    }
    const problem = (what: string): void => void problems.push(`round ${number} of ${requester}: ${what}`)

    const asked = await Promise.all(askers.map((at) => told(at, main)))
    if (asked.some((one) => one.ended === 'ok')) problem('passed before anybody approved')
    const id = asked.find((one) => one.id !== undefined)?.id
    if (id === undefined) return
    const early = await told(deciders[0], { decide: 'approve', id, approver: unfit })
    if (early.ended === 'approved') problem(`${unfit} approved`)
    if ((await told(deciders[1], main)).ended === 'ok') problem(`passed after ${unfit} tried to approve`)
    // Two people at the same time: one of them decides.
    const decisions = await Promise.all([
      told(deciders[1], { decide: decision, id, approver: fit }),
      told(deciders[2], { decide: decision, id, approver: pick(MAY_APPROVE[requester]) }),
    ])
    const [runs, strangers] = await Promise.all([
      Promise.all(users.map((at) => told(at, main))),
      Promise.all(others.map(({ wanted, at }) => told(at, wanted))),
    ])
    if (strangers.some((one) => one.ended === 'ok')) problem('another call passed with the approval')
    const passes = runs.filter((one) => one.ended === 'ok')
    passed += passes.length
    for (const pass of passes) {
      const times = (used.get(String(pass.id)) ?? 0) + 1
      used.set(String(pass.id), times)
      if (times > 1) problem('used twice')
      if (pass.id !== id) problem('passed with an approval that nobody gave')
    }
    if (decision === 'deny' && passes.length > 0) problem('passed although it was refused')
    const clean =
      !began && !disturbed && all.every((one) => one.ended !== LOST && one.ended !== 'store_unavailable')
    if (!clean || decision === 'deny') return
    undisturbed++
    if (decisions.filter((one) => one.ended === 'approved').length !== 1)
      problem('not one of two people decided')
    if (passes.length !== 1) problem(`${passes.length} calls passed`)
  }

  /** The store loses all that it held, and a process what it had under way. */
  async function disturb(): Promise<void> {
    disturbed = true
    await server.kill()
    const at = dice(3)
    await replicas[at]?.kill()
    await server.restart()
    replicas[at] = await startReplica(server.url)
    const probe = await openStore({ url: server.url })
    await until(probe.store, true)
    await probe.store.close()
    disturbed = false
  }

  try {
    let next = 0
    let disturbance: Promise<void> | undefined
    let amid = 0
    const worker = async (): Promise<void> => {
      while (next < rounds) {
        const number = next++
        if (number === Math.floor(rounds / 2)) disturbance = disturb()
        // Rounds without a store end at once: however long it is away, most rounds are to have one.
        if (disturbed && ++amid > rounds / 20) await disturbance
        await round(number)
      }
    }
    await Promise.all(Array.from({ length: together }, worker))
    await disturbance
  } finally {
    await Promise.all(replicas.map((replica) => replica.close()))
  }
  return { problems, passed, undisturbed, ended }
}
