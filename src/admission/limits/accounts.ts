// The accounts of callers, tools and tenants: a bounded map that forgets only what has no effect any more.
import { createSweep } from '../../core/bounded.ts'
import type { DenialCode } from '../../core/denials.ts'
import type { Rate } from '../../core/principal.ts'
import type { Quota } from '../../core/runtime.ts'
import type { Meter, WindowBudget } from './meter.ts'

/** How the meters are made: here alone, or sharing through the store. */
export interface MeterKit {
  rate(key: string, rate: Rate, tick: number): Meter<Rate>
  window(key: string, budget: WindowBudget, tick: number): Meter<WindowBudget>
  places(key: string, places: number): Meter<number>
  /** Key of an account in the store. */
  key(kind: string, id: string): string
}

/** What a step takes of its meter when a call begins, and what becomes of it when the call ends. */
export type StepKind =
  /** One, which stays used. */
  | 'call'
  /** One, given back at the end. */
  | 'place'
  /** One, given back unless the call reached the backend. */
  | 'execution'
  /** The tokens of the arguments, given back unless the call reached the backend. */
  | 'input'
  /** Nothing: it has to have some left, and the answer is charged to it. */
  | 'output'

export interface Step {
  readonly name: string
  /** What the meter was configured with last. */
  readonly setting: unknown
  readonly kind: StepKind
  readonly meter: Meter
  readonly code: DenialCode
  /** Whose limit it is, as the refusal says it. */
  readonly whose: string
}

export interface Account {
  readonly key: string
  /** Calls under way, whose ends will still be counted. */
  calls: number
  /** The quota that `steps` were made for. */
  quota: Quota | undefined
  /** What every call of the account takes. */
  steps: readonly Step[]
  /** What some calls take, and limits that were switched off: they may come back and have not been forgotten. */
  others: readonly Step[]
}

export interface Accounts {
  /** The account, made where there is none; undefined where there is no room: all others are in use. */
  open(id: string, tick: number): Account | undefined
  /** Forgets idle ones among the next `count`. */
  sweep(count: number, tick: number): void
  size(): number
}

/** How many are looked at to make room for one. */
const LOOK = 64
const NO_STEPS: readonly Step[] = []

export function createAccounts(kit: MeterKit, kind: string, max: number): Accounts {
  const accounts = new Map<string, Account>()
  const sweep = createSweep(accounts, isIdle)
  return {
    open(id, tick) {
      const known = accounts.get(id)
      if (known !== undefined) return known
      if (accounts.size >= max) sweep(LOOK, tick)
      if (accounts.size >= max) return undefined
      const account: Account = {
        key: kit.key(kind, id),
        calls: 0,
        quota: undefined,
        steps: NO_STEPS,
        others: NO_STEPS,
      }
      accounts.set(id, account)
      return account
    },
    sweep,
    size: () => accounts.size,
  }
}

function isIdle(account: Account, tick: number): boolean {
  if (account.calls > 0) return false
  const isStepIdle = ({ meter }: Step): boolean => meter.isIdle(tick)
  return account.steps.every(isStepIdle) && account.others.every(isStepIdle)
}

/** False where a quota has nothing to count, so that it needs no account. */
export const counts = (quota: Quota): boolean =>
  quota.rate !== undefined ||
  quota.concurrency !== undefined ||
  quota.executions !== undefined ||
  quota.inputTokens !== undefined ||
  quota.outputTokens !== undefined

/** Makes the account's steps those of this quota, if they are not; what was used stays used. */
export function fit(kit: MeterKit, account: Account, quota: Quota, whose: string, tick: number): void {
  if (account.quota === quota) return
  account.quota = quota
  const { rate, concurrency, executions, inputTokens, outputTokens } = quota
  const steps = [
    rate && rateStep(kit, account, 'rate', rate, whose, tick),
    concurrency &&
      stepOf(account, 'places', concurrency, tick, {
        kind: 'place',
        code: 'concurrency_limited',
        whose,
        make: (key) => kit.places(key, concurrency),
      }),
    executions && executionStep(kit, account, 'executions', executions, whose, tick),
    inputTokens && tokenStep(kit, account, 'input', inputTokens, whose, tick),
    outputTokens && tokenStep(kit, account, 'output', outputTokens, whose, tick),
  ].filter((step) => step !== undefined && step !== 0)
  const before = [...account.steps, ...account.others]
  // A copy of the exact size: there is one for each caller.
  account.steps = steps.slice()
  account.others = before.filter(({ name }) => !steps.some((step) => step.name === name))
}

/** The step of a credential whose own rate is lower: beside the account's, so that the lower of both holds. */
export const narrowStep = (kit: MeterKit, account: Account, rate: Rate, whose: string, tick: number): Step =>
  known(account, 'narrow', rate) ?? keep(account, rateStep(kit, account, 'narrow', rate, whose, tick))

/** The step of a caller's executions of a tool or operation. */
export const targetStep = (
  kit: MeterKit,
  account: Account,
  name: string,
  budget: WindowBudget,
  whose: string,
  tick: number,
): Step =>
  known(account, name, budget) ?? keep(account, executionStep(kit, account, name, budget, whose, tick))

function known(account: Account, name: string, setting: unknown): Step | undefined {
  for (const step of account.others) if (step.name === name && step.setting === setting) return step
  return undefined
}

function keep(account: Account, step: Step): Step {
  account.others = [...account.others.filter(({ name }) => name !== step.name), step]
  return step
}

const rateStep = (
  kit: MeterKit,
  account: Account,
  name: string,
  rate: Rate,
  whose: string,
  tick: number,
): Step =>
  stepOf(account, name, rate, tick, {
    kind: 'call',
    code: 'rate_limited',
    whose,
    make: (key) => kit.rate(key, rate, tick),
  })

const executionStep = (
  kit: MeterKit,
  account: Account,
  name: string,
  budget: WindowBudget,
  whose: string,
  tick: number,
): Step =>
  stepOf(account, name, budget, tick, {
    kind: 'execution',
    code: 'executions_exhausted',
    whose,
    make: (key) => kit.window(key, budget, tick),
  })

const tokenStep = (
  kit: MeterKit,
  account: Account,
  kind: 'input' | 'output',
  budget: WindowBudget,
  whose: string,
  tick: number,
): Step =>
  stepOf(account, kind, budget, tick, {
    kind,
    code: 'tokens_exhausted',
    whose,
    make: (key) => kit.window(key, budget, tick),
  })

interface Plan<Setting> extends Pick<Step, 'kind' | 'code' | 'whose'> {
  make(key: string): Meter<Setting>
}

function stepOf<Setting>(
  account: Account,
  name: string,
  setting: Setting,
  tick: number,
  { kind, code, whose, make }: Plan<Setting>,
): Step {
  const has = (step: Step): boolean => step.name === name
  const before = account.steps.find(has) ?? account.others.find(has)
  before?.meter.configure(setting, tick)
  const meter = before?.meter ?? (make(`${account.key}:${name}`) as Meter)
  return { name, setting, kind, meter, code, whose }
}
