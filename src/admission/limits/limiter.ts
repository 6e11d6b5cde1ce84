// Decides whether a caller, a tool and a tenant may have one more call: takes what it needs before, settles what it used after.
import type { Call, Verdict } from '../../core/call.ts'
import { type Denial, deny } from '../../core/denials.ts'
import { retryAfter } from '../../core/http.ts'
import type { Quota } from '../../core/runtime.ts'
import type { Store } from '../../core/store.ts'
import {
  type Account,
  type Accounts,
  counts,
  createAccounts,
  fit,
  narrowStep,
  type Step,
  targetStep,
} from './accounts.ts'
import { estimateTokens } from './estimate.ts'
import { createKit } from './kit.ts'
import type { LimitsEvent } from './replica.ts'
import { type ExecutionCaps, prepareTargets, type Target, targetsOf } from './targets.ts'

export interface LimiterOptions {
  /** The memory adapter: everything is counted here and without a promise. Another one: shared with all replicas that use it. */
  store: Store
  /** Unique among replicas and starts: places are held in the store under this name. */
  instance: string
  /** By how much a quota is divided while the store is lost. */
  maxReplicas: number
  /** Monotonic milliseconds. */
  tick(): number
  /** Milliseconds since the epoch; replicas have to agree on it to within a small part of a window. */
  now(): number
  onEvent(event: LimitsEvent, fields: Readonly<Record<string, string | number>>): void
  /** Caps of the policy on executions of a tool, for each caller and hour. */
  caps?: ExecutionCaps
  /** Callers that are remembered at one time, and tenants. */
  maxAccounts?: number
}

export interface Limiter {
  /** Takes what the call needs into `call.reservation`, or refuses it and takes nothing. A promise only where the store has to be asked. */
  reserve(call: Call): Verdict | Promise<Verdict>
  /**
   * Ends the call, however it ended; a second time does nothing. `outTokens`: estimate of the answer. `executed`: it reached the backend, so
   * that its execution and its tokens stay used.
   */
  settle(call: Call, outTokens: number, executed: boolean): void
  /** False where no budget asks for the tokens of the answer: counting them costs as much as writing the answer. */
  countsAnswer(call: Call): boolean
  /** To be called each second: forgets what is idle, gives back and renews what is held in the store. Never rejects. */
  maintain(): Promise<void>
  /** Gives back everything that is held in the store. Never rejects. */
  close(): Promise<void>
  stats(): { principals: number; tenants: number; tools: number }
}

interface Pending {
  readonly step: Step
  readonly wait: Promise<number>
}

interface Reservation {
  readonly tick: number
  readonly accounts: Account[]
  /** Estimated tokens of the arguments; counted when the first budget asks. */
  input: number
  readonly taken: Step[]
  /** Steps that wait for the store. */
  pending: Pending[] | undefined
}

/** Accounts that one round of `maintain` looks at: all of a full map within a minute. */
const SWEEP = 2000
const MAX_ACCOUNTS = 100_000
/** When one of the callers that fill the map becomes idle nobody knows. */
const FULL_RETRY = 60_000
const NO_CAPS: ReadonlyMap<string, number> = new Map()

export function createLimiter(options: LimiterOptions): Limiter {
  const { tick: clock, onEvent, maxAccounts = MAX_ACCOUNTS } = options
  const { kit, replica } = createKit(options)
  const principals = createAccounts(kit, 'p', maxAccounts)
  const tenants = createAccounts(kit, 't', maxAccounts)
  const tools = createAccounts(kit, 'o', maxAccounts)
  const targetsFor = prepareTargets(options.caps ?? (() => NO_CAPS))
  let full = false

  const noRoom = (): Denial => {
    if (!full) onEvent('limits_full', { accounts: maxAccounts })
    full = true
    return refusal('rate_limited', 'new callers', FULL_RETRY)
  }

  const reserve = (call: Call): Verdict | Promise<Verdict> => {
    const tick = clock()
    const { principal } = call
    const { rules, tools: toolTargets } = targetsFor(call.runtime)
    const targets = targetsOf(toolTargets.get(call.toolName), call.module, call.method)
    const own = principals.open(principal.id, tick)
    if (own === undefined) return noRoom()

    const reservation: Reservation = { tick, accounts: [own], input: -1, taken: [], pending: undefined }
    own.calls++
    const quota = rules.principals.get(principal.id) ?? rules.principal
    fit(kit, own, quota, 'this caller', tick)
    let { deadline } = quota
    let denial = takeAll(call, reservation, own.steps)
    if (denial === undefined && principal.rate !== undefined)
      denial = take(call, reservation, narrowStep(kit, own, principal.rate, 'this caller', tick))

    for (let i = 0; denial === undefined && i < targets.length; i++) {
      const { name, whose, shared, executions, deadline: longest } = targets[i] as Target
      if (executions !== undefined)
        denial = take(call, reservation, targetStep(kit, own, name, executions, whose, tick))
      if (denial === undefined && shared !== undefined)
        denial = enter(call, reservation, tools, name, shared, whose)
      deadline = shorter(deadline, longest)
    }
    if (denial === undefined && principal.tenant !== undefined) {
      const shared = rules.tenants.get(principal.tenant) ?? rules.tenant
      if (counts(shared)) denial = enter(call, reservation, tenants, principal.tenant, shared, 'this tenant')
      deadline = shorter(deadline, shared.deadline)
    }
    if (denial !== undefined) {
      undo(reservation)
      return denial
    }
    call.deadline = deadline
    if (reservation.pending !== undefined) return awaitPending(call, reservation, reservation.pending)
    call.reservation = reservation
    return undefined
  }

  /** Takes what the account of a tool or tenant asks. */
  const enter = (
    call: Call,
    reservation: Reservation,
    accounts: Accounts,
    id: string,
    quota: Quota,
    whose: string,
  ): Denial | undefined => {
    const account = accounts.open(id, reservation.tick)
    if (account === undefined) return noRoom()
    account.calls++
    reservation.accounts.push(account)
    fit(kit, account, quota, whose, reservation.tick)
    return takeAll(call, reservation, account.steps)
  }

  const undo = (reservation: Reservation): void => {
    const tick = clock()
    for (const step of reservation.taken) giveBack(reservation, step, tick)
    for (const account of reservation.accounts) account.calls--
    for (const { step, wait } of reservation.pending ?? [])
      void wait.then((ms) => {
        if (ms === 0) giveBack(reservation, step, clock())
      })
  }

  const awaitPending = async (
    call: Call,
    reservation: Reservation,
    pending: readonly Pending[],
  ): Promise<Verdict> => {
    let denial: Denial | undefined
    for (const { step, wait } of pending) {
      const ms = await wait
      if (ms === 0) reservation.taken.push(step)
      else denial ??= refusal(step.code, step.whose, ms)
    }
    reservation.pending = undefined
    if (denial !== undefined) undo(reservation)
    else call.reservation = reservation
    return denial
  }

  return {
    reserve,
    countsAnswer: ({ reservation }) =>
      (reservation as Reservation | undefined)?.taken.some(isOutput) === true,
    settle(call, outTokens, executed) {
      const reservation = call.reservation as Reservation | undefined
      if (reservation === undefined) return
      call.reservation = undefined
      const tick = clock()
      for (const step of reservation.taken) {
        if (step.kind === 'output') step.meter.charge(outTokens, tick)
        else if (step.kind === 'place' || (step.kind !== 'call' && !executed))
          giveBack(reservation, step, tick)
      }
      for (const account of reservation.accounts) account.calls--
    },
    async maintain() {
      const tick = clock()
      full = false
      principals.sweep(SWEEP, tick)
      tenants.sweep(SWEEP, tick)
      tools.sweep(SWEEP, tick)
      await replica?.tend(tick, false)
    },
    close: async () => replica?.tend(clock(), true),
    stats: () => ({ principals: principals.size(), tenants: tenants.size(), tools: tools.size() }),
  }
}

function takeAll(call: Call, reservation: Reservation, steps: readonly Step[]): Denial | undefined {
  for (let i = 0; i < steps.length; i++) {
    const denial = take(call, reservation, steps[i] as Step)
    if (denial !== undefined) return denial
  }
  return undefined
}

function take(call: Call, reservation: Reservation, step: Step): Denial | undefined {
  if (step.kind === 'input' && reservation.input < 0) reservation.input = estimateTokens(preparedText(call))
  const wait = step.meter.take(amountOf(reservation, step), reservation.tick)
  if (wait === 0) reservation.taken.push(step)
  else if (typeof wait === 'number') return refusal(step.code, step.whose, wait)
  else {
    reservation.pending ??= []
    reservation.pending.push({ step, wait })
  }
  return undefined
}

const isOutput = ({ kind }: Step): boolean => kind === 'output'

function preparedText({ prepared }: Call): string {
  if (prepared === undefined) throw new Error('limits runs after validate')
  return prepared.text
}

const giveBack = (reservation: Reservation, step: Step, tick: number): void =>
  step.meter.giveBack(amountOf(reservation, step), reservation.tick, tick)

const amountOf = ({ input }: Reservation, { kind }: Step): number =>
  kind === 'input' ? input : kind === 'output' ? 0 : 1

const shorter = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : b === undefined || a < b ? a : b

/** `wait` in milliseconds; Infinity = it will never fit, so there is nothing to wait for. */
function refusal(code: Step['code'], whose: string, wait: number): Denial {
  if (wait === Number.POSITIVE_INFINITY) return deny(code, whose)
  const retryAfterMs = Math.max(1, Math.ceil(wait))
  return { code, detail: whose, retryAfterMs, headers: retryAfter(retryAfterMs) }
}
