// The policy once more, as slowly and plainly as the documentation says it (docs/operate/policy.md): what the compiled one is compared with.
import { createHash } from 'node:crypto'
import type { PolicyDecision, PolicyQuestion, Target } from '../../../src/core/policy.ts'

export interface ReferenceRule {
  name?: string
  tool?: string | string[]
  module?: string | string[]
  method?: string | string[]
  effect?: string | string[]
  env?: string | string[]
  product?: string | string[]
  path?: string | string[]
  credentialId?: string | string[]
  when?: string
  approval?: string
  record?: string
}

export interface ReferenceFile {
  mode?: 'enforce' | 'observe'
  until?: string
  roles: Record<string, { allow: ReferenceRule[]; deny: ReferenceRule[] }>
  dangerous_tools?: { name: string; requires_approval?: boolean }[]
}

/** The conditions that the reference knows, by their text. */
export const CONDITIONS: Record<string, (question: PolicyQuestion) => boolean | 'error'> = {
  'args.x == 1': ({ args }) => argument(args, 'x'),
  'args.y == 1': ({ args }) => argument(args, 'y'),
  'has(args.x) && args.x == 1': ({ args }) => argument(args, 'x') === true,
  "call.env == ['dev']": ({ env }) => (env === 'unknown' ? 'error' : env.length === 1 && env[0] === 'dev'),
}

function argument(args: unknown, name: string): boolean | 'error' {
  const value = (args as Record<string, unknown>)[name]
  return value === undefined ? 'error' : value === 1
}

const list = (value: string | string[]): string[] => (typeof value === 'string' ? [value] : value)
const glob = (pattern: string, text: string): boolean =>
  new RegExp(`^${pattern.split('*').map(RegExp.escape).join('.*')}$`, 's').test(text)
const matchesOne = (patterns: string | string[], text: string): boolean =>
  list(patterns).some((pattern) => glob(pattern, text))

function matchesTarget(target: Target, isAllow: boolean, matches: (value: string) => boolean): boolean {
  if (target === 'unknown') return !isAllow
  if (target.length === 0) return false
  return isAllow ? target.every(matches) : target.some(matches)
}

function under(prefix: string, path: string, isAllow: boolean): boolean {
  const clean = (text: string): string => (isAllow ? text : text.replace(/^\//, ''))
  const folder = (text: string): string => (text === '' || text.endsWith('/') ? text : `${text}/`)
  const [outer, inside] = [clean(prefix), clean(path)]
  if (folder(inside).startsWith(folder(outer))) return true
  return !isAllow && inside.endsWith('/') && folder(outer).startsWith(inside)
}

function holds(rule: ReferenceRule, isAllow: boolean, asked: PolicyQuestion): boolean | 'error' {
  const unnamed = asked.module === undefined && asked.method === undefined && asked.effect === 'admin'
  const name = (patterns: string | string[], value: string | undefined): boolean =>
    value === undefined ? !isAllow && unnamed : matchesOne(patterns, value)
  const { tool, module, method, effect, env, product, path, credentialId, when } = rule
  if (tool !== undefined && !matchesOne(tool, asked.tool)) return false
  if (module !== undefined && !name(module, asked.module)) return false
  if (method !== undefined && !name(method, asked.method)) return false
  if (effect !== undefined && !list(effect).includes(asked.effect)) return false
  if (env !== undefined && !matchesTarget(asked.env, isAllow, (value) => matchesOne(env, value))) return false
  if (product !== undefined && !matchesTarget(asked.product, isAllow, (value) => matchesOne(product, value)))
    return false
  if (
    path !== undefined &&
    !matchesTarget(asked.path, isAllow, (value) => list(path).some((prefix) => under(prefix, value, isAllow)))
  )
    return false
  if (
    credentialId !== undefined &&
    (asked.credentialId === undefined || !matchesOne(credentialId, asked.credentialId))
  )
    return false
  if (when === undefined) return true
  const condition = CONDITIONS[when]
  if (condition === undefined) throw new Error(`no such condition: ${when}`)
  return condition(asked)
}

const RANKS = ['none', 'notify', 'confirm'] as const
const rank = (approval: string | undefined): number => RANKS.indexOf((approval ?? 'none') as 'none')

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
/** Members in order at every depth; the rules of the tests have no names beyond ASCII. */
const digestOf = (value: unknown): string =>
  sha256(
    JSON.stringify(value, (_, member: unknown) =>
      typeof member === 'object' && member !== null && !Array.isArray(member)
        ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
        : member,
    ),
  )

export function referenceDecision(file: ReferenceFile, asked: PolicyQuestion, now: number): PolicyDecision {
  const { principal } = asked
  const records = new Map<string | undefined, string | undefined>()
  const digests = new Map<string | undefined, string>()
  const recordOf = (rule?: string) => (records.get(rule) ?? 'safe-fields') as PolicyDecision['record']
  const refuse = (refusal: PolicyDecision['refusal'], rule?: string, approval = 'none'): PolicyDecision => ({
    allowed: false,
    refusal,
    rule,
    approval: approval as PolicyDecision['approval'],
    ruleDigest: digests.get(rule),
    wouldDeny: false,
    record: recordOf(rule),
  })
  if (principal.tools !== undefined) {
    const inside = principal.tools.some((entry) => {
      const [tool = '', operation] = entry.split(/:(.*)/s)
      if (!glob(tool, asked.tool)) return false
      if (operation === undefined || glob(operation, asked.effect.toUpperCase())) return true
      return asked.method !== undefined && glob(operation, `${asked.module}.${asked.method}`)
    })
    if (!inside) return refuse('role', 'credential/tools')
  }

  const roles = [...new Set(principal.roles)].filter((role) => Object.hasOwn(file.roles, role))
  const denies: { id: string; held: boolean | 'error'; block: boolean }[] = []
  const allows: { id: string; held: boolean | 'error'; rank: number }[] = []
  const required = file.dangerous_tools?.find(({ name }) => name === asked.tool)?.requires_approval
  const demanded = required === true ? 2 : 0
  const unsaid = required === undefined && asked.effect !== 'read' ? 'confirm' : 'none'
  const toolDigest =
    required === undefined ? undefined : digestOf({ name: asked.tool, requires_approval: required })
  const withTool = (digest?: string): string | undefined =>
    toolDigest === undefined ? digest : digest === undefined ? toolDigest : sha256(`${digest} ${toolDigest}`)
  for (const role of roles) {
    const { allow, deny } = file.roles[role]!
    for (const [index, rule] of allow.entries()) {
      const id = rule.name ?? `${role}/allow/${index}`
      records.set(id, rule.record)
      digests.set(id, digestOf({ role, allow: rule }))
      if (rule.approval === 'block') denies.push({ id, held: holds(rule, false, asked), block: true })
      else {
        const own = rank(rule.approval ?? unsaid)
        allows.push({ id, held: holds(rule, true, asked), rank: Math.max(demanded, own) })
      }
    }
    for (const [index, rule] of deny.entries()) {
      const id = rule.name ?? `${role}/deny/${index}`
      records.set(id, rule.record)
      digests.set(id, digestOf({ role, deny: rule }))
      denies.push({ id, held: holds(rule, false, asked), block: false })
    }
  }

  const matching = denies.filter(({ held }) => held === true)
  const deny = matching.find(({ block }) => block) ?? matching[0]
  const observing =
    file.mode === 'observe' &&
    now < Date.parse(file.until ?? '') &&
    (asked.effect === 'read' || asked.effect === 'write')
  if (deny !== undefined && (deny.block || !observing))
    return refuse('rule', deny.id, deny.block ? 'block' : 'none')
  const failedDeny = denies.find(({ held }) => held === 'error')
  if (failedDeny !== undefined) return refuse('error', failedDeny.id)

  const granted = allows.filter(({ held }) => held === true)
  const strongest = Math.max(-1, ...granted.map((rule) => rule.rank))
  const failed = allows.filter(({ held, rank }) => held === 'error' && rank > strongest)
  if (failed.length > 0) {
    const most = Math.max(...failed.map((rule) => rule.rank))
    return refuse('error', failed.find((rule) => rule.rank === most)?.id)
  }
  const allow = granted.find((rule) => rule.rank === strongest)
  if (deny === undefined && allow !== undefined)
    return {
      allowed: true,
      refusal: undefined,
      rule: allow.id,
      approval: RANKS[allow.rank]!,
      ruleDigest: withTool(digests.get(allow.id)),
      wouldDeny: false,
      record: recordOf(allow.id),
    }
  if (deny === undefined && !observing) return refuse('role')
  return {
    allowed: true,
    refusal: deny === undefined ? 'role' : 'rule',
    rule: deny?.id,
    approval: RANKS[allow?.rank ?? demanded]!,
    ruleDigest: withTool(allow === undefined ? undefined : digests.get(allow.id)),
    wouldDeny: true,
    record: recordOf(deny?.id),
  }
}
