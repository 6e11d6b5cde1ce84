// Keeps what a set of roles may do, found once for each operation, so that a call looks at no rule that cannot concern it.
import type { PolicyQuestion } from '../../core/policy.ts'
import type { Principal } from '../../core/principal.ts'
import type { Effect } from '../../core/tool.ts'
import { type Cell, inner, isRelaxable, makeCell, refine } from './cell.ts'
import {
  concerns,
  type Demand,
  defaultDemand,
  dependsOnCall,
  namesOperation,
  type OperationRow,
  type Rule,
  type ToolEntry,
} from './rule.ts'
import { toolEntry } from './translate.ts'

/** What one set of roles may do, under one narrowing of the credential. */
interface Grant {
  /** In the order of the caller's roles; those that hold for everybody first. */
  readonly rules: readonly Rule[]
  readonly narrowing: readonly ToolEntry[] | undefined
  readonly cells: Map<string, ByModule>
  readonly usable: Map<string, Usable>
}

type ByModule = Map<string | undefined, ByMethod>
type ByMethod = Map<string | undefined, Map<Effect, Cell | 'narrowed'>>

/** Whether some call of a tool can be allowed, and whether one can be while the policy observes. */
export interface Usable {
  readonly enforced: boolean
  readonly observed: boolean
}

export interface Grants {
  of(principal: Principal): Grant
  /** `narrowed`: the credential itself is for other operations. */
  cell(grant: Grant, question: PolicyQuestion): Cell | 'narrowed'
  usable(grant: Grant, tool: string): Usable
}

export interface GrantOptions {
  readonly roles: readonly string[]
  readonly rules: readonly Rule[]
  /** Of tools that ask for an approval of their own, or for none. */
  readonly demands: ReadonlyMap<string, Demand>
  readonly operations: readonly OperationRow[]
}

/** Sets of roles and narrowings that are kept ready; a credential that is narrowed makes one of its own. */
const MAX_GRANTS = 2000
/** In references of 8 bytes: all cells together, and one without its rules. */
const MAX_WEIGHT = 4_000_000
const CELL_WEIGHT = 64
const UNKNOWN_TOOL: Usable = { enforced: false, observed: false }

interface Memo {
  readonly byKey: Map<string, Grant>
  /** Callers with one role and no narrowing, which is most: nothing is kept for each of them. */
  readonly byRole: Map<string, Grant>
  readonly byPrincipal: WeakMap<Principal, Grant>
  weight: number
}

const newMemo = (): Memo => ({ byKey: new Map(), byRole: new Map(), byPrincipal: new WeakMap(), weight: 0 })

export function createGrants({ roles, rules, demands, operations }: GrantOptions): Grants {
  const known = new Set(roles)
  const ofRole = Map.groupBy(rules, (rule) => rule.role)
  const ofTool = Map.groupBy(operations, (operation) => operation.tool)

  let memo = newMemo()
  // Callers choose the names that make it grow, so it has an end: all is dropped, and what is in use is found again.
  const keepBounded = (): void => {
    if (memo.byKey.size > MAX_GRANTS || memo.weight > MAX_WEIGHT) memo = newMemo()
  }
  const count = (cell: Cell | 'narrowed'): void => {
    memo.weight += CELL_WEIGHT + (cell === 'narrowed' ? 0 : cell.denies.length + cell.allows.length)
    keepBounded()
  }

  const grantFor = (principal: Principal): Grant => {
    keepBounded()
    const names = [...new Set(principal.roles)].filter((role) => known.has(role))
    const key = JSON.stringify([names, principal.tools ?? null])
    let grant = memo.byKey.get(key)
    if (grant === undefined) {
      grant = {
        rules: [undefined, ...names].flatMap((name) => ofRole.get(name) ?? []),
        narrowing: principal.tools?.map(toolEntry),
        cells: new Map(),
        usable: new Map(),
      }
      memo.byKey.set(key, grant)
    }
    if (principal.roles.length === 1 && names.length === 1 && principal.tools === undefined)
      memo.byRole.set(names[0] as string, grant)
    else memo.byPrincipal.set(principal, grant)
    return grant
  }

  const addCell = (
    grant: Grant,
    { tool, module, method, effect, base }: PolicyQuestion,
  ): Cell | 'narrowed' => {
    // Not part of the key: the catalogue has one for each method.
    const operation = { tool, module, method, effect, base }
    const demand = demands.get(tool) ?? defaultDemand(effect)
    const made = isWithin(grant.narrowing, operation) ? makeCell(grant.rules, operation, demand) : 'narrowed'
    count(made)
    inner(inner(inner(grant.cells, tool), module), method).set(effect, made)
    return made
  }

  const look = (grant: Grant, tool: string): Usable => {
    const rows = ofTool.get(tool)
    if (rows === undefined) return UNKNOWN_TOOL
    const reachable = rows.filter((row) => isWithin(grant.narrowing, row))
    const usable = {
      enforced: reachable.some((row) => isAllowable(grant.rules, row)),
      observed: reachable.some((row) => isRelaxable(row.effect) && !isBlocked(grant.rules, row)),
    }
    grant.usable.set(tool, usable)
    return usable
  }

  return {
    of: (principal) =>
      (principal.roles.length === 1 && principal.tools === undefined
        ? memo.byRole.get(principal.roles[0] as string)
        : undefined) ??
      memo.byPrincipal.get(principal) ??
      grantFor(principal),
    cell(grant, question) {
      const found =
        grant.cells.get(question.tool)?.get(question.module)?.get(question.method)?.get(question.effect) ??
        addCell(grant, question)
      return found === 'narrowed' ? found : refine(found, question, count)
    },
    usable: (grant, tool) => grant.usable.get(tool) ?? look(grant, tool),
  }
}

const isWithin = (narrowing: readonly ToolEntry[] | undefined, operation: OperationRow): boolean =>
  narrowing === undefined || narrowing.some((entry) => namesOperation(entry, operation, 'allow'))

/** An allow rule remains that no unconditional deny rule takes away whatever the arguments are. */
const isAllowable = (rules: readonly Rule[], operation: OperationRow): boolean =>
  rules.some((rule) => rule.sense === 'allow' && concerns(rule, operation)) &&
  !rules.some((rule) => rule.sense === 'deny' && !dependsOnCall(rule) && concerns(rule, operation))

const isBlocked = (rules: readonly Rule[], operation: OperationRow): boolean =>
  rules.some((rule) => rule.approval === 'block' && !dependsOnCall(rule) && concerns(rule, operation))
