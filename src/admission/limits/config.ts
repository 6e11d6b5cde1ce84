// The file live/limits.yaml: how much each caller, tool and tenant may use.
import * as z from 'zod'
import { count, duration, faultsOf, kinds, version } from '../../config/fields.ts'

const MAX_ENTRIES = 10_000
const MAX_COUNT = 1_000_000_000

const perWindow = () => duration({ min: '1s', max: '744h' })

/** One kind of limit: its value, or `off` for none. */
function limit<T extends z.ZodType>(value: T, type: string, example: string) {
  const schema = z.union([z.literal('off'), value])
  kinds.add(schema, {
    type: `${type}, or off`,
    expects: `${type}, or off`,
    fix: `Write ${example}, or off for no limit.`,
  })
  return schema
}

const rate = () =>
  limit(
    z.strictObject({
      perMinute: count({ min: 1, max: 10_000_000 }).describe('Calls a minute'),
      burst: count({ min: 1, max: 1_000_000 })
        .optional()
        .describe('Calls that may come at once; a sixth of perMinute where it is left out'),
    }),
    '{ perMinute, burst }',
    '{ perMinute: 60, burst: 10 }',
  )

const concurrency = () => limit(count({ min: 1, max: 100_000 }), 'a whole number of calls', '10')

const executions = () =>
  limit(
    z.strictObject({
      count: count({ min: 1, max: MAX_COUNT }).describe('Calls that reach the backend, in one window'),
      window: perWindow().prefault('1h').describe('Length of the window'),
    }),
    '{ count, window }',
    '{ count: 5, window: 1h }',
  )

const tokens = () =>
  limit(
    z.strictObject({
      count: count({ min: 1, max: MAX_COUNT }).describe('Estimated tokens in one window'),
      window: perWindow().prefault('24h').describe('Length of the window'),
    }),
    '{ count, window }',
    '{ count: 500000, window: 24h }',
  )

const deadline = () => limit(duration({ min: '100ms', max: '30m' }), 'a duration from 100ms to 30m', '30s')

const TEXTS = {
  rate: 'Calls a minute, and how many of them may come at once',
  concurrency: 'Calls at the same time',
  executions: 'Calls that reach the backend, in a window',
  inputTokens: 'Estimated tokens of the arguments, in a window',
  outputTokens: 'Estimated tokens of the answers, in a window',
  deadline: 'Longest time of a call',
} as const

const quota = z.strictObject({
  rate: rate().optional().describe(TEXTS.rate),
  concurrency: concurrency().optional().describe(TEXTS.concurrency),
  executions: executions().optional().describe(TEXTS.executions),
  inputTokens: tokens().optional().describe(TEXTS.inputTokens),
  outputTokens: tokens().optional().describe(TEXTS.outputTokens),
  deadline: deadline().optional().describe(TEXTS.deadline),
})

const toolQuota = quota.extend({
  dangerous: z
    .boolean()
    .optional()
    .describe('5 executions an hour for each caller, where executions is left out'),
})

const TOOL = /^[a-z][a-z0-9_]{0,63}(?::[A-Za-z][\w-]{0,63}(?:\.[A-Za-z][\w-]{0,63}){1,4})?$/

/** A map of quotas; every name has to be one that can occur, because a name that fits nothing limits nothing. */
function quotas<T extends z.ZodType>(value: T, name: RegExp, what: string, example: string) {
  const schema = z.record(z.string(), value).check((context) => {
    const names = Object.keys(context.value)
    const refuse = faultsOf(context)
    if (names.length > MAX_ENTRIES)
      refuse([], `has more than ${MAX_ENTRIES} entries`, 'Put callers together in tenants or roles.')
    for (const one of names) if (!name.test(one)) refuse([one], `is not ${what}`, `Write ${example}.`)
  })
  kinds.add(schema, {
    type: `map of ${what} to limits`,
    expects: `a map of ${what} to limits`,
    fix: `Write one entry a line, for example ${example}.`,
  })
  return schema
}

export const limitsSchema = z.strictObject({
  version: version().prefault(1).describe('Format of the file'),
  principal: z
    .strictObject({
      rate: rate().prefault({ perMinute: 60, burst: 10 }).describe(TEXTS.rate),
      concurrency: concurrency().optional().describe(TEXTS.concurrency),
      executions: executions().optional().describe(TEXTS.executions),
      inputTokens: tokens().prefault({ count: 500_000, window: '24h' }).describe(TEXTS.inputTokens),
      outputTokens: tokens().prefault({ count: 100_000, window: '24h' }).describe(TEXTS.outputTokens),
      // Without it backend.timeout holds, 30 s, and the longer times of slow methods that stand beside it.
      deadline: deadline()
        .optional()
        .describe(`${TEXTS.deadline}; where it is left out, backend.timeout and backend.methodTimeouts hold`),
    })
    .prefault({})
    .describe('Limits of every caller'),
  principals: quotas(quota, /^.{1,1024}$/su, 'the id of a caller', '"key:reports-bot": { rate: off }')
    .prefault({})
    .describe('Limits of single callers, in place of those of principal where they say something'),
  tools: quotas(
    toolQuota,
    TOOL,
    'a tool, or a tool and its operation',
    '"ductape_execute:databases.migration.run": { dangerous: true }',
  )
    .prefault({})
    .describe(
      'Limits of tools and of single operations; executions count for each caller, the rest for all together',
    ),
  tenant: quota.prefault({}).describe('Limits of every tenant, all its callers together'),
  tenants: quotas(quota, /^.{1,256}$/su, 'the name of a tenant', '"acme": { rate: { perMinute: 600 } }')
    .prefault({})
    .describe('Limits of single tenants, in place of those of tenant where they say something'),
})

export type LimitsFile = z.output<typeof limitsSchema>
