// The stage `policy`: is this caller allowed this call? What a token's scopes and a tenant's keys allow is asked beside it (RFC 6750 3.1).
import type { Call, Verdict } from '../../core/call.ts'
import { deny } from '../../core/denials.ts'
import type { Json } from '../../core/json.ts'
import type { PolicyDecision, PolicyQuestion, Target } from '../../core/policy.ts'
import { type AuthMethod, type Principal, SCOPES } from '../../core/principal.ts'
import { visibleText } from '../../core/text.ts'
import type { Effect, PreparedCall } from '../../core/tool.ts'

export interface PolicyStageOptions {
  /** Headers that ask the caller for these scopes. */
  challenge(call: Call, scopes: readonly string[]): Record<string, string>
  /** False where the caller's tenant is bound to other Ductape keys. */
  credentialAllowed(principal: Principal, credentialId: string): boolean
  /** What of the call an operator has switched off; read from the newest state. */
  killed(call: Call): string | undefined
}

/** Refuses in this order, so that nobody is asked for a scope that would not help: kill switch, policy, scope, key. */
export function preparePolicy(options: PolicyStageOptions): (call: Call) => Verdict {
  return (call) => {
    const { prepared, principal } = call
    if (prepared === undefined) throw new Error('policy runs after validate')
    const off = options.killed(call)
    if (off !== undefined) return deny('killed', off)
    const { policy } = call.runtime
    if (policy === undefined) return deny('policy_missing')
    const decision = policy.decide(new Question(call, prepared))
    call.policy = decision
    if (!decision.allowed) return refusal(call, decision)

    const scope = missingScope(principal, prepared.operation.effect)
    if (scope !== undefined)
      return { code: 'scope_insufficient', detail: scope, headers: options.challenge(call, [scope]) }
    if (call.credentialId !== undefined && !options.credentialAllowed(principal, call.credentialId))
      return deny('credential_not_allowed')
    return undefined
  }
}

const MAX_ROLES_SHOWN = 200

function refusal({ toolName, principal }: Call, { refusal }: PolicyDecision): Verdict {
  if (refusal === 'error') return deny('policy_failed')
  const roles = visibleText(principal.roles.join(', '), MAX_ROLES_SHOWN).replaceAll('\n', ' ')
  // The sentence of seed 004 5.2, word for word.
  return deny('policy_denied', `tool "${toolName}" is not permitted for role "${roles || 'none'}"`)
}

/** Each scope holds for the effects before its own as well. */
const MUTATING: readonly Effect[] = ['write', 'destructive', 'admin']

const ACCEPTED = Object.fromEntries(
  MUTATING.map((effect, index) => [effect, MUTATING.slice(index).map((stronger) => SCOPES[stronger])]),
) as Partial<Record<Effect, readonly string[]>>

/** Without an authenticator there is nobody who could have given a scope. */
const hasScopes = (method: AuthMethod): boolean => method !== 'none' && method !== 'stdio'

/** The scope that the caller lacks for an effect; undefined = none. */
export function missingScope(principal: Principal, effect: Effect): string | undefined {
  const accepted = ACCEPTED[effect]
  if (accepted === undefined || !hasScopes(principal.method)) return undefined
  for (const scope of principal.scopes) if (accepted.includes(scope)) return undefined
  return SCOPES[effect]
}

// A class, so that the size can be a shared getter: only a condition on the arguments wants it.
class Question implements PolicyQuestion {
  readonly principal: Principal
  readonly tool: string
  readonly module: string | undefined
  readonly method: string | undefined
  readonly effect: Effect
  readonly base: Effect | undefined
  readonly env: Target
  readonly product: Target
  readonly path: Target
  readonly credentialId: string | undefined
  readonly args: Json
  readonly #text: string

  constructor(call: Call, { operation, arguments: args, text }: PreparedCall) {
    this.principal = call.principal
    this.tool = call.toolName
    this.module = operation.module
    this.method = operation.method
    this.effect = operation.effect
    this.base = operation.base
    this.env = operation.env
    this.product = operation.product
    this.path = operation.path
    this.credentialId = call.credentialId
    this.args = args
    this.#text = text
  }

  get size(): number {
    return Buffer.byteLength(this.#text)
  }
}
