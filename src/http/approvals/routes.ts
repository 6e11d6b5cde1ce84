// The routes of the people who approve calls: the page, what it signs in with, and the approvals themselves.
import type { ApprovalNote, Call, Verdict } from '../../core/call.ts'
import { type Denial, deny } from '../../core/denials.ts'
import type { HttpAnswer } from '../../core/http.ts'
import { isObject, type Json, type JsonObject } from '../../core/json.ts'
import { APPROVE_SCOPE, type Principal } from '../../core/principal.ts'
import type { Route } from '../router.ts'
import { fileAnswer, PAGE_FILES, type PageSettings, pageAnswer } from './page.ts'

interface Requester {
  readonly id: string
  readonly method: string
  readonly subject: string
  readonly issuer: string | undefined
  readonly client: string | undefined
  readonly owner: string | undefined
  readonly actors: readonly string[]
}

interface Summary<Risk> {
  readonly id: string
  readonly requester: Requester
  readonly tenant: string | undefined
  readonly tool: string
  readonly module: string | undefined
  readonly method: string | undefined
  readonly effect: string
  readonly risks: readonly Risk[]
  readonly credentialId: string | undefined
  readonly requestDigest: string
  readonly rule: string
  readonly askedAt: number
  readonly expiresAt: number
  readonly mayDecide: boolean
}

interface View<Risk> extends Summary<Risk> {
  readonly state: string
  readonly arguments: string | undefined
}

export interface ApprovalRouteParts<Risk extends string> {
  approvals: {
    list(approver: Principal): Promise<readonly Summary<Risk>[] | Denial>
    view(id: string, approver: Principal): Promise<View<Risk> | Denial>
    decide(
      id: string,
      decision: 'approve' | 'deny',
      reason: string | undefined,
      approver: Principal,
      record: (note: ApprovalNote) => Verdict | Promise<Verdict>,
    ): Promise<View<Risk> | Denial>
  }
  /** The sentence of each risk. */
  risks: Readonly<Record<Risk, string>>
  /** Undefined where nobody can approve: then none of these paths is there. */
  people:
    | {
        challenges: { answer(denial: Denial, scopes: readonly string[]): Denial }
        signIn(): Promise<PageSettings | undefined>
      }
    | undefined
  /** Writes a decision before it takes effect, or refuses it after all. */
  decided(call: Call): Verdict | Promise<Verdict>
  /** Milliseconds since the epoch. */
  now(): number
}

const LIST = '/v1/approvals'
const ONE = '/v1/approvals/'

export function approvalRoutes<Risk extends string>(parts: ApprovalRouteParts<Risk>): readonly Route[] {
  const { approvals, people, risks } = parts
  const page = (
    path: string,
    answer: (given: NonNullable<typeof people>) => HttpAnswer | Denial | Promise<HttpAnswer | Denial>,
  ): Route => ({
    method: 'get',
    path,
    answer: async (call) => {
      const made = people === undefined ? deny('path_unknown') : await answer(people)
      return 'code' in made ? refuse(call, made) : made
    },
  })

  /** A person with the scope; anything else that is refused is refused by the approvals themselves. */
  const api = (
    method: Route['method'],
    path: string,
    answer: (call: Call, id: string) => Promise<JsonObject | Denial>,
  ): Route => ({
    method,
    path,
    answer: async (call) => {
      if (people === undefined) return refuse(call, deny('path_unknown'))
      const may = call.principal.scopes.includes(APPROVE_SCOPE)
      const id = call.request?.path.slice(path.length) ?? ''
      const made = may ? await answer(call, id) : deny('scope_insufficient', APPROVE_SCOPE)
      if (isDenial(made)) return refuse(call, people.challenges.answer(made, [APPROVE_SCOPE]))
      return { status: 200, headers: {}, body: JSON.stringify(made) }
    },
  })

  const summary = (one: Summary<Risk>): JsonObject => {
    const { requester } = one
    return {
      id: one.id,
      requester: {
        id: requester.id,
        method: requester.method,
        subject: requester.subject,
        ...given('issuer', requester.issuer),
        ...given('client', requester.client),
        ...given('owner', requester.owner),
        actors: [...requester.actors],
      },
      ...given('tenant', one.tenant),
      tool: one.tool,
      ...given('module', one.module),
      ...given('method', one.method),
      effect: one.effect,
      risks: one.risks.map((risk) => risks[risk]),
      ...given('credentialId', one.credentialId),
      requestDigest: one.requestDigest,
      rule: one.rule,
      askedAt: new Date(one.askedAt).toISOString(),
      expiresAt: new Date(one.expiresAt).toISOString(),
      mayDecide: one.mayDecide,
    }
  }
  const now = (): JsonObject => ({ now: new Date(parts.now()).toISOString() })
  const whole = (one: View<Risk>): JsonObject => ({
    ...summary(one),
    state: one.state,
    ...given('arguments', one.arguments),
    ...now(),
  })

  return [
    page('/approvals', async ({ signIn }) => pageAnswer(await signIn())),
    ...Object.keys(PAGE_FILES).map((path) => page(path, () => fileAnswer(path as keyof typeof PAGE_FILES))),
    page('/approvals/sign-in.json', async ({ signIn }) => {
      const settings = await signIn()
      return settings === undefined
        ? { ...deny('issuer_unavailable'), retryAfterMs: SIGN_IN_AGAIN }
        : { status: 200, headers: {}, body: JSON.stringify(settings) }
    }),
    api('get', LIST, async ({ principal }) => {
      const found = await approvals.list(principal)
      if (isDenial(found)) return found
      return {
        approver: { subject: principal.subject, ...given('tenant', principal.tenant) },
        approvals: found.map(summary),
        ...now(),
      }
    }),
    api('get', ONE, async ({ principal }, id) => {
      const found = await approvals.view(id, principal)
      return isDenial(found) ? found : whole(found)
    }),
    api('post', ONE, async (call, id) => {
      const wanted = readDecision(call.other)
      if (typeof wanted === 'string') return deny('admin_invalid', wanted)
      call.action = `approval.${wanted.decision}`
      const made = await approvals.decide(id, wanted.decision, wanted.reason, call.principal, (note) => {
        call.approval = note
        return parts.decided(call)
      })
      return isDenial(made) ? made : whole(made)
    }),
  ]
}

const SIGN_IN_AGAIN = 10_000
/** Longest reason, in characters. */
export const MAX_REASON = 500

const isDenial = (made: object): made is Denial => 'code' in made

const given = (name: string, value: string | undefined): JsonObject =>
  value === undefined ? {} : { [name]: value }

/** A route that refuses leaves the denial in the call. */
function refuse(call: Call, denial: Denial): undefined {
  call.denial = denial
  return undefined
}

/** What was asked for, or what is wrong with it. */
function readDecision(
  body: Json | undefined,
): { decision: 'approve' | 'deny'; reason: string | undefined } | string {
  if (!isObject(body)) return 'the body is not an object'
  const { decision, reason, ...rest } = body
  if (Object.keys(rest).length > 0) return 'the body has a member that is not decision or reason'
  if (decision !== 'approve' && decision !== 'deny') return 'decision is not "approve" or "deny"'
  if (reason === undefined) return { decision, reason }
  if (typeof reason !== 'string' || reason === '' || reason.length > MAX_REASON)
    return `reason is not a text of 1 to ${MAX_REASON} characters`
  return { decision, reason }
}
