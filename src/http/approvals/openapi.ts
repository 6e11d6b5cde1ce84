// What /openapi.json says of the paths of the people who approve calls.
import type { JsonObject } from '../../core/json.ts'
import { APPROVE_SCOPE } from '../../core/principal.ts'
import { MAX_REASON } from './routes.ts'

const TEXT: JsonObject = { type: 'string' }
const TIME: JsonObject = { type: 'string', format: 'date-time' }

const SUMMARY: JsonObject = {
  id: { type: 'string', description: 'Names the approval; it gives no right' },
  requester: {
    type: 'object',
    description: 'Who asks',
    required: ['id', 'method', 'subject', 'actors'],
    properties: {
      id: TEXT,
      method: TEXT,
      subject: TEXT,
      issuer: TEXT,
      client: TEXT,
      owner: { type: 'string', description: 'Who answers for its API key' },
      actors: { type: 'array', items: TEXT, description: 'Who acts for the subject, the newest first' },
    },
  },
  tenant: TEXT,
  tool: TEXT,
  module: TEXT,
  method: TEXT,
  effect: { type: 'string', enum: ['read', 'write', 'destructive', 'admin'] },
  risks: { type: 'array', items: TEXT, description: 'Sentences for people' },
  credentialId: { type: 'string', description: 'Names the Ductape key of the call; not the key' },
  requestDigest: { type: 'string', description: 'What the approval is bound to' },
  rule: { type: 'string', description: 'Rule of the policy that demands it' },
  askedAt: TIME,
  expiresAt: TIME,
  mayDecide: { type: 'boolean', description: 'False where this person is too near to who asks' },
}

const REQUIRED = [
  'id',
  'requester',
  'tool',
  'effect',
  'risks',
  'requestDigest',
  'rule',
  'askedAt',
  'expiresAt',
  'mayDecide',
]

export const APPROVAL_SCHEMAS: JsonObject = {
  ApprovalSummary: { type: 'object', required: REQUIRED, properties: SUMMARY },
  Approval: {
    type: 'object',
    required: [...REQUIRED, 'state', 'now'],
    properties: {
      ...SUMMARY,
      state: { type: 'string', enum: ['pending', 'approved', 'denied'] },
      arguments: {
        type: 'string',
        description:
          'Canonical JSON (RFC 8785) of all arguments but credentials, the text that the digest covers; not there once it is decided',
      },
      now: TIME,
    },
  },
}

const json = (schema: JsonObject): JsonObject => ({ content: { 'application/json': { schema } } })
const ONE: JsonObject = {
  '200': { description: 'The approval', ...json({ $ref: '#/components/schemas/Approval' }) },
}
const ID: JsonObject = {
  name: 'id',
  in: 'path',
  required: true,
  description: 'Id of the approval',
  schema: TEXT,
}
const SECURITY: JsonObject[] = [{ person: [] }]
const NEEDS = `Needs a token of a person for peopleUrl with the scope ${APPROVE_SCOPE}; tokens and keys of agents do not count here.`

export const PERSON_SCHEME: JsonObject = {
  type: 'http',
  scheme: 'bearer',
  description: 'An access token of a person, issued for peopleUrl; it counts at /v1/approvals alone',
}

/** `refusals`: the responses of every operation that can be refused. */
export const approvalPaths = (refusals: JsonObject): JsonObject => ({
  '/v1/approvals': {
    get: {
      operationId: 'listApprovals',
      summary: 'The calls of the tenant that wait for a person, the oldest first',
      description: NEEDS,
      security: SECURITY,
      responses: {
        '200': {
          description: 'Those that wait',
          ...json({
            type: 'object',
            required: ['approver', 'approvals', 'now'],
            properties: {
              approver: {
                type: 'object',
                required: ['subject'],
                properties: { subject: TEXT, tenant: TEXT },
              },
              approvals: { type: 'array', items: { $ref: '#/components/schemas/ApprovalSummary' } },
              now: TIME,
            },
          }),
        },
        ...refusals,
      },
    },
  },
  '/v1/approvals/{id}': {
    get: {
      operationId: 'getApproval',
      summary: 'One call with its arguments',
      description: NEEDS,
      security: SECURITY,
      parameters: [ID],
      responses: { ...ONE, ...refusals },
    },
    post: {
      operationId: 'decideApproval',
      summary: 'Approves the call once, or denies it',
      description: NEEDS,
      security: SECURITY,
      parameters: [ID],
      requestBody: {
        required: true,
        ...json({
          type: 'object',
          required: ['decision'],
          properties: {
            decision: { type: 'string', enum: ['approve', 'deny'] },
            reason: {
              type: 'string',
              minLength: 1,
              maxLength: MAX_REASON,
              description: 'For the caller and the records',
            },
          },
          additionalProperties: false,
        }),
      },
      responses: { ...ONE, ...refusals },
    },
  },
})
