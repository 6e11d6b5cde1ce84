// Puts one call to a policy as the service would, and says in words what came of it: the body of `ductape-mcp policy explain`.
import { type Inspection, inspect } from '../admission/guards/index.ts'
import { type CompiledPolicy, type Explanation, explain, missingScope } from '../admission/policy/index.ts'
import { LOOKUP } from '../catalogue/lookup.ts'
import { denialSentence, denialText } from '../core/denials.ts'
import { type Json, type JsonObject, parseExact } from '../core/json.ts'
import type { Approval, Capture, PolicyDecision, Target } from '../core/policy.ts'
import { type AuthMethod, makePrincipal, type Principal } from '../core/principal.ts'
import type { Operation, PreparedCall } from '../core/tool.ts'
import { createTools } from '../tools/index.ts'
import { UsageError } from './io.ts'

export interface ExplainedCall extends Explanation {
  readonly tool: string
  readonly operation: Operation
  /** The scope that the caller lacks; undefined = none. */
  readonly missingScope: string | undefined
  /** What the guards find in the arguments; an effect that they raise is the one that is judged. */
  readonly guards: Inspection
  /** Policy, guards, scope and approval let the call through. Limits and keys are not looked at. */
  readonly passes: boolean
}

/** `principal` and `call` are JSON texts. Throws UsageError where they do not hold. */
export async function explainCall(
  policy: CompiledPolicy,
  principal: string,
  call: string,
  catalogue: 'enforce' | 'warn' | 'off',
): Promise<ExplainedCall> {
  const caller = principalOf(readObject('--principal', principal))
  const asked = readObject('--call', call)
  refuseUnknown('--call', asked, ['tool', 'arguments', 'credentialId'])
  const name = optionalText('--call', asked, 'tool')
  const args = asked['arguments'] ?? {}
  if (name === undefined || !isObject(args))
    throw new UsageError('--call needs tool, a text, and arguments, an object.\n')
  const prepared = prepare(name, args, catalogue)
  const guards = await inspect(prepared, policy.guards)
  const { arguments: checked } = prepared
  const operation = {
    ...prepared.operation,
    effect: guards.effect ?? prepared.operation.effect,
    unproven: undefined,
  }
  const explanation = explain(policy, {
    principal: caller,
    tool: name,
    ...operation,
    credentialId: optionalText('--call', asked, 'credentialId'),
    args: checked,
    size: Buffer.byteLength(JSON.stringify(checked)),
  })
  const scope = missingScope(caller, operation.effect)
  const { allowed, approval } = explanation.decision
  return {
    ...explanation,
    tool: name,
    operation,
    missingScope: scope,
    guards,
    passes: allowed && guards.denial === undefined && scope === undefined && approval !== 'confirm',
  }
}

/** What the tool itself makes of the arguments; a key among them is left out, since nothing here needs it. */
function prepare(name: string, args: JsonObject, catalogue: 'enforce' | 'warn' | 'off'): PreparedCall {
  const options = {
    catalogue,
    lookup: LOOKUP,
    keyPlacement: 'header' as const,
    timeout: () => 0,
    generateTimeout: 0,
    warn: () => undefined,
  }
  const named = (mode: 'passthrough' | 'injected') =>
    createTools({ ...options, mode }).find(({ declaration }) => declaration.name === name)
  const tool = named('injected')
  if (tool === undefined) throw new UsageError('--call: there is no tool of this name.\n')
  const own = new Set(Object.keys(tool.declaration.inputSchema['properties'] as JsonObject))
  const ofCaller = Object.keys(named('passthrough')?.declaration.inputSchema['properties'] as JsonObject)
  const left = Object.fromEntries(
    Object.entries(args).filter(([member]) => own.has(member) || !ofCaller.includes(member)),
  )
  const checked = tool.validate(left)
  if ('code' in checked) {
    throw new UsageError(
      `--call: the service refuses these arguments before it asks the policy. ${denialSentence(checked)}\n`,
    )
  }
  return checked
}

const METHODS: readonly AuthMethod[] = ['oauth', 'api-key', 'mtls', 'stdio', 'none']
const PRINCIPAL_MEMBERS = [
  'roles',
  'scopes',
  'tools',
  'tenant',
  'id',
  'subject',
  'client',
  'issuer',
  'method',
] as const

function principalOf(given: JsonObject): Principal {
  const option = '--principal'
  refuseUnknown(option, given, PRINCIPAL_MEMBERS)
  const method = METHODS.find((known) => known === (given['method'] ?? 'oauth'))
  if (method === undefined) throw new UsageError(`${option}: method is one of ${METHODS.join(', ')}.\n`)
  return makePrincipal({
    method,
    id: optionalText(option, given, 'id') ?? 'explain',
    subject: optionalText(option, given, 'subject') ?? 'explain',
    issuer: optionalText(option, given, 'issuer'),
    client: optionalText(option, given, 'client'),
    tenant: optionalText(option, given, 'tenant'),
    roles: optionalTexts(option, given, 'roles') ?? [],
    scopes: optionalTexts(option, given, 'scopes') ?? [],
    tools: optionalTexts(option, given, 'tools'),
  })
}

function readObject(option: string, text: string): JsonObject {
  const parsed = parseExact(text)
  if (!parsed.ok) throw new UsageError(`${option} is not valid JSON: ${parsed.fault.reason}.\n`)
  if (!isObject(parsed.value)) throw new UsageError(`${option} is a JSON object.\n`)
  return parsed.value
}

const isObject = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function refuseUnknown(option: string, given: JsonObject, known: readonly string[]): void {
  // The name is not repeated: what was pasted may be anything.
  if (!Object.keys(given).every((name) => known.includes(name)))
    throw new UsageError(`${option} takes only ${known.join(', ')}.\n`)
}

function optionalText(option: string, given: JsonObject, name: string): string | undefined {
  const value = given[name]
  if (value !== undefined && typeof value !== 'string')
    throw new UsageError(`${option}: ${name} is a text.\n`)
  return value
}

function optionalTexts(option: string, given: JsonObject, name: string): readonly string[] | undefined {
  const value = given[name]
  if (value === undefined) return undefined
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
    throw new UsageError(`${option}: ${name} is a list of texts.\n`)
  return value
}

export function describeExplanation(explained: ExplainedCall): string {
  const { tool, operation, decision, rules, unknownRoles, narrowed } = explained
  const { module, method, effect, env, product, path } = operation
  const what = method === undefined ? tool : `${tool} ${module}.${method}`
  const width = Math.max(0, ...rules.map(({ rule }) => rule.length))
  return [
    `${what}: effect ${effect}; env ${shown(env)}; product ${shown(product)}; path ${shown(path)}`,
    ...explained.guards.notes.map(({ guard, at, found }) => `Guard ${guard}, ${at}: ${found}`),
    '',
    verdict(decision, narrowed),
    ...(explained.guards.denial === undefined
      ? []
      : [`The guards refuse it all the same: ${denialText(explained.guards.denial)}`]),
    ...(unknownRoles.length === 0
      ? []
      : [`The policy does not define ${unknownRoles.map((role) => JSON.stringify(role)).join(', ')}.`]),
    ...(decision.allowed
      ? [`Approval ${decision.approval}: ${explained.approvalBecause}.${APPROVALS[decision.approval]}`]
      : []),
    `The record shows of the arguments: ${CAPTURE_WORDS[decision.record]}.`,
    ...(explained.missingScope === undefined
      ? []
      : [
          `The caller lacks the scope ${explained.missingScope}${decision.allowed ? ', so the call is refused scope_insufficient' : ' as well'}.`,
        ]),
    '',
    ...(rules.length === 0
      ? ['No rule is for a role of this caller.']
      : ['The rules of this caller, in order:']),
    ...rules.map(({ rule, sense, matches, because, decides }) => {
      const held = matches === 'error' ? 'fails' : matches ? 'holds' : 'no'
      return `  ${sense.padEnd(6)}${rule.padEnd(width + 2)}${held.padEnd(7)}${because}${decides ? '  <- decides' : ''}`
    }),
    '',
  ].join('\n')
}

function verdict({ allowed, refusal, rule, wouldDeny }: PolicyDecision, narrowed: boolean): string {
  if (narrowed) return 'Refused: the credential itself is only for other tools or operations.'
  const why =
    refusal === undefined
      ? `by ${rule}`
      : {
          role: 'no rule of the caller allows it',
          rule: `${rule} denies it`,
          error: `the condition of ${rule} could not be evaluated, and it could have changed the decision`,
        }[refusal]
  if (wouldDeny) return `Allowed only because the policy observes: ${why}.`
  return allowed ? `Allowed ${why}.` : `Refused: ${why}.`
}

const APPROVALS: Readonly<Record<Approval, string>> = {
  none: '',
  notify: ' A person is told of it.',
  confirm: ' A person has to agree first.',
  block: '',
}

const CAPTURE_WORDS: Readonly<Record<Capture, string>> = {
  digest: 'only digests (record: digest)',
  shape: 'their shape (record: shape)',
  'safe-fields': 'names such as product and env (record: safe-fields)',
  redacted: 'all of them, secrets replaced (record: redacted)',
}

const shown = (target: Target): string =>
  target === 'unknown'
    ? 'unknown'
    : target.length === 0
      ? 'none'
      : target.map((one) => JSON.stringify(one)).join(', ')
