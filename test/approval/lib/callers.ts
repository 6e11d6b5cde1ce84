// Who asks and who approves in the tests of approvals, and calls as they come to the stage.

import { type Call, openCall } from '../../../src/core/call.ts'
import type { JsonObject } from '../../../src/core/json.ts'
import type { Policy } from '../../../src/core/policy.ts'
import { APPROVE_SCOPE, makePrincipal, type Principal } from '../../../src/core/principal.ts'
import type { PreparedCall, ToolDefinition } from '../../../src/core/tool.ts'
import { RUNTIME } from '../../lib/runtime.ts'

export const PEOPLE_CLIENT = 'approvals-page'
export const PEOPLE_URL = 'https://people.example.com'

const token = (subject: string, tenant: string | undefined, client: string, more: Partial<Principal> = {}) =>
  makePrincipal({
    method: 'oauth',
    id: `oauth:https://login.example.com|${subject}`,
    subject,
    issuer: 'https://login.example.com',
    client,
    tenant,
    ...more,
  })

const person = (subject: string, tenant: string, more: Partial<Principal> = {}): Principal =>
  token(subject, tenant, PEOPLE_CLIENT, { scopes: [APPROVE_SCOPE], ...more })

export const REQUESTERS = {
  /** A program with a token of its own. */
  agent: token('agent', 'acme', 'agent'),
  other: token('other', 'acme', 'other'),
  /** The same name in another tenant. */
  foreign: token('agent', 'umbra', 'agent', { id: 'oauth:https://login.umbra.example|agent' }),
  /** A program that a person has sent. */
  sent: token('bob', 'acme', 'assistant', { actors: ['dave', 'router'] }),
  /** A key that olga answers for. */
  key: makePrincipal({
    method: 'api-key',
    id: 'api-key:k7',
    subject: 'Olga',
    owner: 'Olga',
    keyId: 'k7',
    tenant: 'acme',
  }),
} as const

export const APPROVERS = {
  alice: person('alice', 'acme'),
  bob: person('bob', 'acme'),
  dave: person('dave', 'acme'),
  olga: person('olga', 'acme'),
  carol: person('carol', 'umbra'),
  /** A token that a program got for itself. */
  robot: person(PEOPLE_CLIENT, 'acme'),
  /** Through a client that is not for people. */
  elsewhere: token('alice', 'acme', 'assistant', { scopes: [APPROVE_SCOPE] }),
  /** Somebody acts for alice. */
  delegate: person('alice', 'acme', { actors: ['agent'] }),
  unscoped: token('alice', 'acme', PEOPLE_CLIENT),
} as const

export type RequesterName = keyof typeof REQUESTERS
export type ApproverName = keyof typeof APPROVERS

/** Written by hand, so that it is no copy of what it judges. */
export const MAY_APPROVE: Readonly<Record<RequesterName, readonly ApproverName[]>> = {
  agent: ['alice', 'bob', 'dave', 'olga'],
  other: ['alice', 'bob', 'dave', 'olga'],
  foreign: ['carol'],
  sent: ['alice', 'olga'],
  key: ['alice', 'bob', 'dave'],
}

export interface Asking {
  requester: Principal
  args?: JsonObject
  credentialId?: string
  rule?: string
  approval?: 'none' | 'notify' | 'confirm'
  expiry?: number
  requestState?: string
  id?: string
}

const TOOL = { declaration: { name: 'ductape_execute' } } as ToolDefinition

/** A call that has come as far as the stage `approval`. */
export function askingCall(asking: Asking): Call {
  const { requester, args = { module: 'databases' }, rule = 'r1', approval = 'confirm' } = asking
  const { credentialId, expiry, requestState } = asking
  const policy = RUNTIME.policy as Policy
  const call = openCall({
    id: asking.id ?? 'call',
    startedAt: 0,
    startedTick: 0,
    channel: 'http',
    peer: 'test',
    principal: requester,
    runtime: { ...RUNTIME, policy: { ...policy, approvalExpiry: expiry ?? policy.approvalExpiry } },
  })
  call.tool = TOOL
  call.toolName = TOOL.declaration.name
  call.module = 'databases'
  call.method = 'delete'
  call.effect = 'destructive'
  call.credentialId = credentialId
  call.prepared = { arguments: args, text: JSON.stringify(args) } as unknown as PreparedCall
  call.policy = {
    allowed: true,
    refusal: undefined,
    rule: `role/allow/${rule}`,
    approval,
    ruleDigest: rule,
    wouldDeny: false,
    record: 'digest',
  }
  if (requestState !== undefined)
    call.message = {
      era: 'modern',
      revision: '2026-07-28',
      id: 1,
      progressToken: undefined,
      capabilities: undefined,
      inputResponses: undefined,
      requestState,
    }
  return call
}
