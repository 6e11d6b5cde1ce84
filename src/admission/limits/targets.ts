// What the limits say of each tool and operation, looked up once for all calls of a runtime.
import type { LimitRules, Quota, Runtime } from '../../core/runtime.ts'
import { counts } from './accounts.ts'
import type { WindowBudget } from './meter.ts'
import { EXECUTION_WINDOW } from './rules.ts'

/** A tool or an operation that has limits of its own. */
export interface Target {
  /** Name in live/limits.yaml. */
  readonly name: string
  readonly whose: string
  /** What all callers share; undefined = nothing. */
  readonly shared: Quota | undefined
  /** What each caller has. */
  readonly executions: WindowBudget | undefined
  readonly deadline: number | undefined
}

export interface ToolTargets {
  readonly targets: readonly Target[]
  /** By `module.method`. */
  readonly operations: ReadonlyMap<string, readonly Target[]> | undefined
}

/** How often each caller may execute a tool in an hour, from the policy (seed 004: max_executions_per_session). */
export type ExecutionCaps = (runtime: Runtime) => ReadonlyMap<string, number>

export interface Targets {
  readonly rules: LimitRules
  readonly tools: ReadonlyMap<string, ToolTargets>
}

const NOTHING: readonly Target[] = []

/** Keeps what it has found for as long as calls hold the runtime. */
export function prepareTargets(caps: ExecutionCaps): (runtime: Runtime) => Targets {
  const known = new WeakMap<Runtime, Targets>()
  let last: { runtime: Runtime; targets: Targets } | undefined
  return (runtime) => {
    if (last?.runtime === runtime) return last.targets
    const targets = known.get(runtime) ?? findTargets(runtime.limits, caps(runtime))
    known.set(runtime, targets)
    last = { runtime, targets }
    return targets
  }
}

/** The targets of a call: its tool, the policy's cap on it, its operation; as far as they have limits. */
export function targetsOf(
  tool: ToolTargets | undefined,
  module: string | undefined,
  method: string | undefined,
): readonly Target[] {
  if (tool === undefined) return NOTHING
  if (tool.operations === undefined || module === undefined) return tool.targets
  return tool.operations.get(`${module}.${method}`) ?? tool.targets
}

function findTargets(rules: LimitRules, caps: ReadonlyMap<string, number>): Targets {
  const tools = new Map<string, { targets: Target[]; operations: Map<string, Target[]> | undefined }>()
  const at = (name: string): { targets: Target[]; operations: Map<string, Target[]> | undefined } => {
    const found = tools.get(name) ?? { targets: [], operations: undefined }
    tools.set(name, found)
    return found
  }
  for (const [name, quota] of rules.tools)
    if (!name.includes(':')) at(name).targets.push(targetOf(name, `the tool ${name}`, quota))
  for (const [name, count] of caps)
    at(name).targets.push({
      name: `${name} policy`,
      whose: `the tool ${name}`,
      shared: undefined,
      executions: { count, window: EXECUTION_WINDOW },
      deadline: undefined,
    })
  for (const [name, quota] of rules.tools) {
    const colon = name.indexOf(':')
    if (colon < 0) continue
    const tool = at(name.slice(0, colon))
    const operation = name.slice(colon + 1)
    tool.operations ??= new Map()
    // A call of the operation counts for its tool as well.
    tool.operations.set(operation, [...tool.targets, targetOf(name, `the operation ${operation}`, quota)])
  }
  return { rules, tools }
}

function targetOf(name: string, whose: string, quota: Quota): Target {
  const shared = { ...quota, executions: undefined }
  return {
    name,
    whose,
    shared: counts(shared) ? shared : undefined,
    executions: quota.executions,
    deadline: quota.deadline,
  }
}
