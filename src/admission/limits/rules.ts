// The limits as compiled: every quota complete, so that a call looks up and never merges.
import type { Rate } from '../../core/principal.ts'
import type { LimitRules, Quota } from '../../core/runtime.ts'
import { type LimitsFile, limitsSchema } from './config.ts'

type Given = Omit<LimitsFile['tools'][string], 'dangerous'>

/** Window of a cap on executions that names none: seed 004 counts them per session, and there are no sessions here. */
export const EXECUTION_WINDOW = 3_600_000
const DANGEROUS = { count: 5, window: EXECUTION_WINDOW }

const NONE: Quota = {
  rate: undefined,
  concurrency: undefined,
  executions: undefined,
  inputTokens: undefined,
  outputTokens: undefined,
  deadline: undefined,
}

/** `digest`: SHA-256 of the file's bytes, lower-case hex. */
export function compileLimits(file: LimitsFile, digest: string): LimitRules {
  const principal = complete(file.principal, NONE)
  const tenant = complete(file.tenant, NONE)
  return {
    digest,
    principal,
    principals: mapOf(file.principals, (given) => complete(given, principal)),
    tools: mapOf(file.tools, ({ dangerous, ...given }) =>
      complete(given, dangerous === true ? { ...NONE, executions: DANGEROUS } : NONE),
    ),
    tenant,
    tenants: mapOf(file.tenants, (given) => complete(given, tenant)),
  }
}

/** What holds without a file: the values of seed 004 section 8. */
export const defaultLimits = (): LimitRules =>
  compileLimits(limitsSchema.parse({}, { jitless: true }), 'default')

function complete(given: Given, base: Quota): Quota {
  const rate = pick(given.rate, undefined)
  return {
    rate: given.rate === undefined ? base.rate : rate && withBurst(rate.perMinute, rate.burst),
    concurrency: pick(given.concurrency, base.concurrency),
    executions: pick(given.executions, base.executions),
    inputTokens: pick(given.inputTokens, base.inputTokens),
    outputTokens: pick(given.outputTokens, base.outputTokens),
    deadline: pick(given.deadline, base.deadline),
  }
}

const pick = <T>(given: T | 'off' | undefined, base: T | undefined): T | undefined =>
  given === undefined ? base : given === 'off' ? undefined : given

/** Ten seconds' worth, as seed 004 has it: 60 a minute, 10 at once. */
const withBurst = (perMinute: number, burst: number | undefined): Rate => ({
  perMinute,
  burst: burst ?? Math.max(1, Math.ceil(perMinute / 6)),
})

const mapOf = <T>(record: Readonly<Record<string, T>>, compile: (value: T) => Quota): Map<string, Quota> =>
  new Map(Object.entries(record).map(([name, value]) => [name, compile(value)]))
