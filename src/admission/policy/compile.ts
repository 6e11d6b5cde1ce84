// Compiles a policy file into an immutable Policy: default deny, deny wins, an error refuses where it could change the decision.
import type { Policy } from '../../core/policy.ts'
import type { Principal } from '../../core/principal.ts'
import { compileGuards } from '../guards/rules.ts'
import { judge, NARROWED } from './cell.ts'
import type { PolicyFile } from './config.ts'
import { createGrants } from './grant.ts'
import type { Demand, OperationRow, Rule } from './rule.ts'
import { translate } from './translate.ts'

/** A fault of a policy file, or a warning about it. */
export interface Finding {
  /** The key, `roles.reader.allow[0]`. */
  readonly path: string
  readonly message: string
  readonly fix: string
}

export interface CompileOptions {
  /** SHA-256 of the file's bytes, lower-case hex. */
  readonly digest: string
  /** Milliseconds since the epoch; asked only where `observe` could change a decision. */
  now(): number
  /** Every operation that this build can be asked for, with each effect that its arguments can give it: what `mayUse` looks through. */
  readonly operations: readonly OperationRow[]
}

/** A policy with what `explain` and `check` read from it. */
export interface CompiledPolicy extends Policy {
  readonly rules: readonly Rule[]
  /** What tools ask for themselves. */
  readonly demands: ReadonlyMap<string, Demand>
  /** The rules that hold for a caller, in the order in which they are looked at. */
  rulesOf(principal: Principal): readonly Rule[]
}

export type PolicyResult =
  | { readonly ok: true; readonly policy: CompiledPolicy; readonly warnings: readonly Finding[] }
  | { readonly ok: false; readonly problems: readonly Finding[] }

const DAY = 24 * 60 * 60 * 1000
const MAX_OBSERVE = 30 * DAY
const SOON = 3 * DAY

export function compilePolicy(file: PolicyFile, options: CompileOptions): PolicyResult {
  const until = file.until === undefined ? undefined : Date.parse(file.until)
  const left = until === undefined ? undefined : until - options.now()
  if (left === undefined) return { ok: true, policy: makePolicy(file, until, options), warnings: [] }
  if (left > MAX_OBSERVE) {
    const problem = {
      path: 'until',
      message: 'is more than 30 days ahead',
      fix: 'Write an earlier date; it can be moved again when it comes near.',
    }
    return { ok: false, problems: [problem] }
  }
  const warning = {
    path: 'until',
    message:
      left > 0
        ? 'is less than 3 days ahead; from then on the policy enforces'
        : 'has passed, so the policy enforces',
    fix: 'Write mode: enforce, or a later date.',
  }
  return { ok: true, policy: makePolicy(file, until, options), warnings: left < SOON ? [warning] : [] }
}

function makePolicy(file: PolicyFile, until: number | undefined, options: CompileOptions): CompiledPolicy {
  const { roles, rules, demands, executionCaps } = translate(file)
  const grants = createGrants({ roles, rules, demands, operations: options.operations })

  const observing = (): boolean => {
    if (until === undefined) return false
    const left = until - options.now()
    // A clock that was set back must not lengthen it.
    return left > 0 && left <= MAX_OBSERVE
  }

  return Object.freeze({
    digest: options.digest,
    get mode() {
      return observing() ? 'observe' : 'enforce'
    },
    roles,
    rules,
    demands,
    executionCaps,
    approvalExpiry: file.approvals.expiry,
    guards: compileGuards(file.guards),
    credentialIds: [...new Set(rules.flatMap((rule) => rule.credentialId?.sources ?? []))],
    decide(question) {
      const cell = grants.cell(grants.of(question.principal), question)
      if (cell === 'narrowed') return NARROWED
      return cell.fixed ?? judge(cell, question, observing)
    },
    mayUse(principal, tool) {
      const usable = grants.usable(grants.of(principal), tool)
      return usable.enforced || (usable.observed && observing())
    },
    rulesOf: (principal) => grants.of(principal).rules,
  } satisfies CompiledPolicy)
}
