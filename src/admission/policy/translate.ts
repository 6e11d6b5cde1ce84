// Turns both forms of the policy file, its own and that of seed 004 5.1, into one list of rules.
import { hash } from 'node:crypto'
import { canonical } from '../../core/canonical.ts'
import type { Json } from '../../core/json.ts'
import { DEFAULT_CAPTURE } from '../../core/policy.ts'
import type { FileRule, PolicyFile } from './config.ts'
import { compilePatterns, type Patterns } from './pattern.ts'
import { type Demand, type Rule, type ToolEntry, toolDemand } from './rule.ts'

export interface Translated {
  /** Names of all roles, also of those without a rule. */
  readonly roles: readonly string[]
  /** In the order of the file; those without a role first. */
  readonly rules: readonly Rule[]
  /** What tools say of approval themselves. */
  readonly demands: ReadonlyMap<string, Demand>
  /** Executions that a tool may have for each caller in a window. */
  readonly executionCaps: ReadonlyMap<string, number>
}

export function translate(file: PolicyFile): Translated {
  const rules: Rule[] = []
  for (const [index, tool] of file.dangerous_tools.entries()) {
    if (tool.allowed_operations === undefined) continue
    const entries = tool.allowed_operations.map((operation) => toolEntry(`${tool.name}:${operation}`))
    rules.push(
      makeRule({
        id: `dangerous_tools/${index}`,
        place: `dangerous_tools[${index}].allowed_operations`,
        role: undefined,
        sense: 'deny',
        tool: compilePatterns(tool.name),
        except: entries,
        approval: 'none',
        file: { dangerous_tools: tool },
      }),
    )
  }
  for (const [name, role] of Object.entries(file.roles)) {
    const place = `roles.${name}`
    for (const [index, rule] of role.allow.entries()) rules.push(ownRule(name, 'allow', index, place, rule))
    for (const [index, rule] of role.deny.entries()) rules.push(ownRule(name, 'deny', index, place, rule))
  }
  for (const [index, role] of file.policies.entries()) rules.push(...seedRules(role, `policies[${index}]`))

  const tools = file.dangerous_tools
  return {
    roles: [...Object.keys(file.roles), ...file.policies.map((policy) => policy.role)],
    rules,
    demands: new Map(
      tools.flatMap(({ name, requires_approval: isRequired }) =>
        isRequired === undefined
          ? []
          : [[name, toolDemand(isRequired, digestOf({ name, requires_approval: isRequired }))]],
      ),
    ),
    executionCaps: new Map(
      tools.flatMap(({ name, max_executions_per_session: cap }) => (cap === undefined ? [] : [[name, cap]])),
    ),
  }
}

function ownRule(
  role: string,
  list: 'allow' | 'deny',
  index: number,
  place: string,
  given: FileRule | Omit<FileRule, 'approval'>,
): Rule {
  const approval = list === 'deny' ? 'none' : (given as FileRule).approval
  return makeRule({
    id: given.name ?? `${role}/${list}/${index}`,
    place: `${place}.${list}[${index}]`,
    role,
    // An allow rule that nothing can satisfy is a deny rule.
    sense: approval === 'block' ? 'deny' : list,
    tool: optional(given.tool),
    module: optional(given.module),
    method: optional(given.method),
    effects: typeof given.effect === 'string' ? [given.effect] : given.effect,
    env: optional(given.env),
    product: optional(given.product),
    credentialId: optional(given.credentialId),
    paths: typeof given.path === 'string' ? [given.path] : given.path,
    when: given.when,
    approval,
    record: given.record ?? DEFAULT_CAPTURE,
    file: { role, [list]: { ...given, when: given.when?.source } },
  })
}

/** Seed 004 5.2: a denied tool beats an allowed one, and a denied "*" is whatever `allowed_tools` does not name. */
function seedRules(policy: PolicyFile['policies'][number], place: string): Rule[] {
  const { role } = policy
  const allowed = policy.allowed_tools.map(toolEntry)
  return [
    ...allowed.map((entry, index) =>
      makeRule({
        id: `${role}/allowed_tools/${index}`,
        place: `${place}.allowed_tools[${index}]`,
        role,
        sense: 'allow',
        entry,
        file: { role, allowed_tools: entry.source },
      }),
    ),
    ...policy.denied_tools.map((source, index) =>
      makeRule({
        id: `${role}/denied_tools/${index}`,
        place: `${place}.denied_tools[${index}]`,
        role,
        sense: 'deny',
        entry: toolEntry(source),
        // "*" among the allowed tools names none of them.
        except: source === '*' ? allowed.filter((entry) => entry.source !== '*') : undefined,
        approval: 'none',
        file: { role, denied_tools: source },
      }),
    ),
  ]
}

/** Reads `tool` or `tool:operation`. */
export function toolEntry(source: string): ToolEntry {
  const colon = source.indexOf(':')
  return colon < 0
    ? { source, tool: compilePatterns(source), operation: undefined }
    : {
        source,
        tool: compilePatterns(source.slice(0, colon)),
        operation: compilePatterns(source.slice(colon + 1)),
      }
}

const optional = (given: string | readonly string[] | undefined): Patterns | undefined =>
  given === undefined ? undefined : compilePatterns(given)

/** Members that are undefined are left out. */
const digestOf = (file: unknown): string => hash('sha256', canonical(file as Json))

type Given = Pick<Rule, 'id' | 'place' | 'role' | 'sense'> &
  Partial<Omit<Rule, 'digest'>> & {
    /** What the file says of it. */
    file: unknown
  }

const makeRule = ({ file, ...given }: Given): Rule => ({
  entry: undefined,
  except: undefined,
  tool: undefined,
  module: undefined,
  method: undefined,
  effects: undefined,
  env: undefined,
  product: undefined,
  credentialId: undefined,
  paths: undefined,
  when: undefined,
  approval: undefined,
  record: DEFAULT_CAPTURE,
  digest: digestOf(file),
  ...given,
})
