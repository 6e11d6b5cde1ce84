// Turns a policy question into what a condition reads: the objects principal and call, and args as maps.
import { type Json, MAX_DEPTH } from '../../core/json.ts'
import type { PolicyQuestion, Target } from '../../core/policy.ts'
import type { Principal } from '../../core/principal.ts'

/** Arguments of more bytes of JSON than this are not offered to a condition. */
export const MAX_ARGS_SIZE = 64 * 1024

/** Type of each field; a name that is not here is refused when the condition is compiled. */
export const PRINCIPAL_FIELDS = {
  id: 'string',
  subject: 'string',
  issuer: 'string',
  client: 'string',
  tenant: 'string',
  roles: 'list<string>',
  scopes: 'list<string>',
  method: 'string',
} as const satisfies Partial<Record<keyof Principal, string>>

export const CALL_FIELDS = {
  tool: 'string',
  module: 'string',
  method: 'string',
  effect: 'string',
  env: 'list<string>',
  product: 'list<string>',
  path: 'list<string>',
  credentialId: 'string',
} as const satisfies Partial<Record<keyof PolicyQuestion, string>>

/** Fields that a caller or a call may lack: reading one that is absent is an error, has() asks. */
export const OPTIONAL_FIELDS: ReadonlySet<string> = new Set([
  'principal.issuer',
  'principal.client',
  'principal.tenant',
  'call.module',
  'call.method',
  'call.credentialId',
])

// Classes, because the library knows the type of an object by its constructor.
export class PrincipalView {
  readonly id: string
  readonly subject: string
  readonly issuer: string | undefined
  readonly client: string | undefined
  readonly tenant: string | undefined
  readonly roles: readonly string[]
  readonly scopes: readonly string[]
  readonly method: string

  constructor(principal: Principal) {
    this.id = principal.id
    this.subject = principal.subject
    this.issuer = principal.issuer
    this.client = principal.client
    this.tenant = principal.tenant
    this.roles = principal.roles
    this.scopes = principal.scopes
    this.method = principal.method
  }
}

export class CallView {
  readonly #question: PolicyQuestion
  readonly tool: string
  readonly module: string | undefined
  readonly method: string | undefined
  readonly effect: string
  readonly credentialId: string | undefined

  constructor(question: PolicyQuestion) {
    this.#question = question
    this.tool = question.tool
    this.module = question.module
    this.method = question.method
    this.effect = question.effect
    this.credentialId = question.credentialId
  }

  get env(): readonly string[] {
    return known(this.#question.env)
  }

  get product(): readonly string[] {
    return known(this.#question.product)
  }

  get path(): readonly string[] {
    return known(this.#question.path)
  }
}

const UNKNOWN_TARGET = new Error('what the call aims at is not known')

/** Throws what is no error of the library, so that neither has() nor `.?` takes an unknown target for an absent one. */
function known(target: Target): readonly string[] {
  if (target === 'unknown') throw UNKNOWN_TARGET
  return target
}

/** The variables of one question, and the units that its conditions have used up together. */
export interface Sheet {
  readonly variables: {
    readonly principal: PrincipalView
    readonly call: CallView
    args: CelValue | undefined
  }
  spent: number
}

const sheets = new WeakMap<PolicyQuestion, Sheet>()
// One principal serves every call of a cached credential.
const principals = new WeakMap<Principal, PrincipalView>()

/** The sheet of a question: made once, however many rules have a condition. Throws RangeError where arguments are nested too deeply. */
export function sheetOf(question: PolicyQuestion, withArgs: boolean): Sheet {
  let sheet = sheets.get(question)
  if (sheet === undefined) {
    let principal = principals.get(question.principal)
    if (principal === undefined) {
      principal = new PrincipalView(question.principal)
      principals.set(question.principal, principal)
    }
    sheet = { variables: { principal, call: new CallView(question), args: undefined }, spent: 0 }
    sheets.set(question, sheet)
  }
  if (withArgs) sheet.variables.args ??= toCel(question.args, MAX_DEPTH)
  return sheet
}

export type CelValue = null | boolean | number | string | CelValue[] | Map<string, CelValue>

/**
 * Maps at every level: in a plain object an own key `constructor` hides the object's type, and `.?` then takes the resulting error for
 * an absent value. In a Map it is a key like any other.
 */
function toCel(value: Json, depth: number): CelValue {
  if (typeof value !== 'object' || value === null) return value
  if (depth === 0) throw new RangeError('the arguments are nested too deeply')
  if (Array.isArray(value)) return value.map((item) => toCel(item, depth - 1))
  const map = new Map<string, CelValue>()
  for (const key of Object.keys(value)) map.set(key, toCel(value[key] as Json, depth - 1))
  return map
}
