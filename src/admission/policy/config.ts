// The file live/policy.yaml: its own form, and beside it the form of seed 004 5.1 as it stands there.
import * as z from 'zod'
import { choice, count, kinds, list, version } from '../../config/fields.ts'
import { CAPTURES } from '../../core/policy.ts'
import { approvalsSection } from '../approval/config.ts'
import { guardsSection } from '../guards/config.ts'
import type { Condition } from './cel.ts'
import { compileCondition } from './conditions.ts'

const MAX_ROLES = 1000
const MAX_RULES = 10_000
const MAX_PATTERNS = 1000

/** A condition with its source, compiled when the file is read, so that a fault in it has a line. */
export interface When {
  readonly source: string
  readonly condition: Condition
}

// No control or invisible character: two names that look the same are the same.
const plain = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\ufffd]+$/u)

function named(noun: string, fix: string, { max = 256, form }: { max?: number; form?: RegExp } = {}) {
  const schema = form === undefined ? plain(max) : plain(max).regex(form)
  kinds.add(schema, { type: noun.replace(/^an? |^the /, ''), expects: noun, fix })
  return schema
}

function oneOrMany<T extends z.ZodType>(item: T, noun: string, fix: string) {
  const schema = z.union([item, z.array(item).min(1).max(MAX_PATTERNS)])
  kinds.add(schema, {
    type: `${noun.replace(/^an? /, '')}, or a list of them`,
    expects: `${noun} or a list of them`,
    fix,
  })
  return schema
}

const pattern = (noun: string, example: string) => {
  const fix = `Write a text such as "${example}", or a list; * stands for any run of characters.`
  return oneOrMany(named(noun, fix), noun, fix)
}

const WHEN_FIX =
  'Write a CEL expression that is true or false, such as "call.env == [\'prd\']"; docs/reference/cel.md has the language.'
const when = z.codec(
  z.string().min(1).max(4096),
  z.custom<When>(() => true),
  {
    decode: (source, context) => {
      const compiled = compileCondition(source)
      if (compiled.ok) return { source, condition: compiled.condition }
      context.issues.push({
        code: 'custom',
        input: source,
        message: `is not a valid condition: ${compiled.message}`,
        params: { fix: WHEN_FIX },
      })
      return z.NEVER
    },
    encode: (value) => value.source,
  },
)
kinds.add(when, { type: 'CEL expression', expects: 'a CEL expression', fix: WHEN_FIX })

const EFFECTS = ['read', 'write', 'destructive', 'admin'] as const
const effect = choice(EFFECTS)

const PATH_FIX =
  'Write a path such as "reports/", or a list; it covers what is below it. It has no *, %, \\, // or .. in it.'
// A path that has one of these is never matched, so a prefix with one would silently hold for nothing.
const CLEAN_PATH = /^(?!.*(?:\/\/|\.\.))(?!(?:.*\/)?\.(?:\/|$))[^*%\\]+$/

const selectors = {
  name: named('a rule name', 'Write up to 64 characters, without "/".', { max: 64, form: /^[^/]+$/ })
    .optional()
    .describe('Name of the rule in records and in policy explain; default role/allow/0 and so on'),
  tool: pattern('a tool pattern', 'ductape_*').optional().describe('Tools of this service'),
  module: pattern('a module pattern', 'databases').optional().describe('Ductape modules'),
  method: pattern('a method pattern', 'schema.*').optional().describe('Methods, without the module'),
  effect: oneOrMany(effect, 'an effect', `Write one or more of ${EFFECTS.join(', ')}.`)
    .optional()
    .describe('What the operation does, by the catalogue and its arguments'),
  env: pattern('an environment pattern', 'dev').optional().describe('Environment slugs'),
  product: pattern('a product pattern', 'acme:*').optional().describe('Product tags'),
  path: oneOrMany(
    named('a path prefix', PATH_FIX, { max: 1024, form: CLEAN_PATH }),
    'a path prefix',
    PATH_FIX,
  )
    .optional()
    .describe('Paths that the arguments name, with everything below them'),
  credentialId: pattern('a credential id', 'k1.4Jq0...')
    .optional()
    .describe('Ids of Ductape keys, as ductape-mcp key id prints them'),
  when: when.optional().describe('Condition over principal, call and args'),
  record: choice(CAPTURES)
    .optional()
    .describe(
      'What the record shows of the arguments of calls that the rule decides, default safe-fields: only digests, their shape, names such as product and env too, or all of them with secrets replaced',
    ),
}

/** Keys that say what follows from a rule, not which calls it holds for. */
const NO_SELECTORS: ReadonlySet<string> = new Set(['name', 'approval', 'record'])

const NAMES_NOTHING = 'names nothing, so it would hold for every call'

function mustSelect(rule: Readonly<Record<string, unknown>>, context: z.RefinementCtx): void {
  if (Object.keys(rule).some((key) => !NO_SELECTORS.has(key))) return
  context.addIssue({
    code: 'custom',
    message: NAMES_NOTHING,
    params: { fix: 'Write tool: "*" if that is meant.' },
  })
}

const allowRule = z
  .strictObject({
    ...selectors,
    approval: choice(['none', 'notify', 'confirm', 'block'])
      .optional()
      .describe(
        'What a person has to do first: nothing, be told, agree, or nothing helps (block = a deny rule); default confirm for every effect but read',
      ),
  })
  .superRefine(mustSelect)
const denyRule = z.strictObject(selectors).superRefine(mustSelect)

const role = z.strictObject({
  description: named('one line of text', 'Write up to 1000 characters.', { max: 1000 })
    .optional()
    .describe('Who the role is for'),
  allow: list(allowRule, 'rules', MAX_RULES).prefault([]).describe('Calls that the role may make'),
  deny: list(denyRule, 'rules', MAX_RULES).prefault([]).describe('Calls that nobody with this role may make'),
})

const roleName = named('the name of a role', 'Write up to 128 characters, without a space at either end.', {
  max: 128,
  form: /^\S(?:.*\S)?$/,
})

const roles = z.record(z.string().max(128), role)
kinds.add(roles, {
  type: 'map of role name to its rules',
  expects: 'a map of role name to its rules',
  fix: 'Write one role a line, and allow and deny below it.',
})

const until = z.union([z.iso.date(), z.iso.datetime({ offset: true })])
kinds.add(until, {
  type: 'date or time (ISO 8601)',
  expects: 'a date such as "2026-12-24", or a time such as "2026-12-24T18:00:00Z"',
  fix: 'Write a date (it ends as that day begins, UTC), or a time with Z or an offset.',
})

const toolEntry = named('a tool, or tool:operation', 'Write "ductape_execute" or "ductape_execute:READ".', {
  form: /^[^:]+(?::.+)?$/,
})

const seedRole = z.strictObject({
  role: roleName.describe('Name of the role'),
  allowed_tools: list(toolEntry, 'tools', MAX_RULES)
    .prefault([])
    .describe('Tools that the role may use; tool:OPERATION for one operation of it'),
  denied_tools: list(toolEntry, 'tools', MAX_RULES)
    .prefault([])
    .describe('Tools that it may not use; "*" = all that allowed_tools does not name'),
})

const seedTool = z.strictObject({
  name: named('the name of a tool', 'Write the name of one tool, without a pattern.', {
    form: /^[^*:]+$/,
  }).describe('Name of one tool'),
  risk: choice(['low', 'medium', 'high', 'critical'])
    .optional()
    .describe('For the reader; it changes nothing'),
  requires_approval: z
    .boolean()
    .optional()
    .describe(
      'A person has to agree to each call; false: to none of which no rule says it. Default: to all but reads',
    ),
  max_executions_per_session: count({ min: 1, max: 1_000_000 })
    .optional()
    .describe('Executions of one caller in a window of the limits'),
  allowed_operations: list(
    named('an operation', 'Write READ, WRITE, DESTRUCTIVE, ADMIN or module.method.'),
    'operations',
    MAX_PATTERNS,
  )
    .optional()
    .describe('Every other operation of the tool is denied, whatever a role allows'),
})

export const policySchema = z
  .strictObject({
    version: version().prefault(1).describe('Format of the file'),
    mode: choice(['enforce', 'observe'])
      .prefault('enforce')
      .describe('observe lets reads and writes pass that a role or rule refuses, and records would_deny'),
    until: until
      .optional()
      .describe('End of observe, at most 30 days ahead; from then on the policy enforces'),
    roles: roles.prefault({}).describe('The roles and what each may do; no role and no rule = refused'),
    policies: list(seedRole, 'roles', MAX_ROLES)
      .prefault([])
      .describe('Roles in the form of a list of tools'),
    dangerous_tools: list(seedTool, 'tools', MAX_ROLES)
      .prefault([])
      .describe('Tools that need approval, are counted, or have operations that nobody may use'),
    guards: guardsSection
      .prefault({})
      .describe('What guards let pass of raw texts, paths, URLs and references to secrets'),
    approvals: approvalsSection.prefault({}).describe('Calls that a person has to approve'),
  })
  .superRefine((file, context) => {
    const problem = (path: PropertyKey[], message: string, fix: string): void =>
      context.addIssue({ code: 'custom', path, message, params: { fix } })

    if (file.mode === 'observe' && file.until === undefined)
      problem(['mode'], 'observe needs an end', 'Add until: with a date at most 30 days ahead.')
    if (file.mode === 'enforce' && file.until !== undefined)
      problem(['until'], 'says nothing without mode: observe', 'Remove it.')

    const names = Object.keys(file.roles)
    if (names.length > MAX_ROLES)
      problem(['roles'], `has more than ${MAX_ROLES} roles`, 'Merge some of them.')
    for (const name of names) {
      if (!isRoleName(name))
        problem(['roles', name], 'is not the name of a role', 'Use up to 128 visible characters.')
    }
    const seen = new Set(names)
    for (const [index, { role: name }] of file.policies.entries()) {
      if (seen.has(name))
        problem(['policies', index, 'role'], 'names a role that stands above', 'Write each role once.')
      seen.add(name)
    }

    const all = Object.entries(file.roles).flatMap(([name, { allow, deny }]) => [
      ...allow.map((rule, index) => ({ rule, path: ['roles', name, 'allow', index] })),
      ...deny.map((rule, index) => ({ rule, path: ['roles', name, 'deny', index] })),
    ])
    if (all.length > MAX_RULES)
      problem(['roles'], `has more than ${MAX_RULES} rules`, 'Use patterns and lists.')
    const ruleNames = new Set<string>()
    for (const { rule, path } of all) {
      if (rule.name === undefined) continue
      if (ruleNames.has(rule.name))
        problem([...path, 'name'], 'is the name of another rule', 'Give each rule a name of its own.')
      ruleNames.add(rule.name)
    }
    const tools = new Set<string>()
    for (const [index, { name }] of file.dangerous_tools.entries()) {
      if (tools.has(name))
        problem(['dangerous_tools', index, 'name'], 'stands twice', 'Write each tool once.')
      tools.add(name)
    }
  })

const isRoleName = (name: string): boolean => roleName.safeParse(name).success

export type PolicyFile = z.output<typeof policySchema>
/** A rule as the file has it; `approval` on allow rules only. */
export type FileRule = z.output<typeof allowRule>
