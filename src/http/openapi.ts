// The OpenAPI 3.1 description of the REST interface, generated from the tools and the denials table.
import { DENIALS } from '../core/denials.ts'
import type { JsonObject } from '../core/json.ts'
import { ADMIN_SCOPE } from '../core/principal.ts'
import type { ToolDeclaration } from '../core/tool.ts'
import { APPROVAL_SCHEMAS, approvalPaths, PERSON_SCHEME } from './approvals/openapi.ts'

export interface OpenApiOptions {
  tools: readonly ToolDeclaration[]
  version: string
  publicUrl: string | undefined
}

const JSON_TYPE = 'application/json'
const PROBLEM_TYPE = 'application/problem+json'

export function openApi({ tools, version, publicUrl }: OpenApiOptions): JsonObject {
  const paths: JsonObject = {
    '/v1/tools': {
      get: {
        operationId: 'listTools',
        summary: 'The tools with their argument and result schemas',
        responses: {
          '200': {
            description: 'The tools',
            content: { [JSON_TYPE]: { schema: { $ref: '#/components/schemas/ToolList' } } },
          },
          ...REFUSALS,
        },
      },
    },
    '/v1/admin/revocations': { post: REVOKE },
    '/v1/admin/kill': { post: KILL },
    ...approvalPaths(REFUSALS),
    '/.well-known/ductape-mcp/receipt-keys.json': { get: RECEIPT_KEYS },
  }
  for (const tool of tools) paths[`/v1/tools/${tool.name}`] = { post: operation(tool) }
  return {
    openapi: '3.1.0',
    info: {
      title: 'ductape-mcp',
      version,
      summary: 'Ductape tools for AI agents, over REST',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    ...(publicUrl !== undefined && { servers: [{ url: publicUrl }] }),
    paths,
    // One of them is enough; which ones a service takes is its configuration, and on loopback it may take none.
    security: [{ bearer: [] }, { mutualTLS: [] }, {}],
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description:
            'An OAuth 2.1 access token for this service, or an API key of it; a token that is bound to a DPoP key goes with the scheme DPoP (RFC 9449)',
        },
        person: PERSON_SCHEME,
        mutualTLS: { type: 'mutualTLS', description: 'A client certificate that the operator has mapped' },
      },
      schemas: { ToolList: TOOL_LIST, ...APPROVAL_SCHEMAS, Problem: problemSchema() },
      responses: {
        Problem: problem('The call was refused or failed; `code` says why'),
        Unauthorized: problem('Nobody was identified', {
          'WWW-Authenticate': 'How to get in (RFC 6750, RFC 9449, RFC 9728)',
        }),
        Forbidden: problem('The caller may not do this', {
          'WWW-Authenticate': 'The scopes of this operation, where one is missing',
        }),
        TooManyRequests: problem('A limit is used up', { 'Retry-After': 'Seconds to wait' }),
      },
    },
  }
}

/** Of every call of a tool, good or refused, after its caller is known. */
const RECEIPT = {
  'Ductape-Receipt':
    'Signed receipt of the call: base64url of {claims, head, path}; checked with the keys of /.well-known/ductape-mcp/receipt-keys.json',
  'Ductape-Receipt-Salts': 'base64url of {args, result}: the salts of the digests in the claims',
}

/** Of a result alone. */
const TRUNCATED = {
  'X-Ductape-Truncated':
    'Where the result was cut to the size that the service allows: from=BYTES, to=BYTES (RFC 9651), what it was and what it is',
}

const headersOf = (headers: Readonly<Record<string, string>>): JsonObject =>
  Object.fromEntries(
    Object.entries(headers).map(([name, text]) => [name, { description: text, schema: { type: 'string' } }]),
  )

const problem = (description: string, headers: Readonly<Record<string, string>> = {}): JsonObject => ({
  description,
  headers: headersOf({
    'X-Request-Id': 'Id of the request, also in the audit record',
    ...RECEIPT,
    ...headers,
  }),
  content: { [PROBLEM_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
})

const REFUSALS: JsonObject = {
  '401': { $ref: '#/components/responses/Unauthorized' },
  '403': { $ref: '#/components/responses/Forbidden' },
  '429': { $ref: '#/components/responses/TooManyRequests' },
  default: { $ref: '#/components/responses/Problem' },
}

const RECEIPT_KEYS: JsonObject = {
  operationId: 'receiptKeys',
  summary: 'The public keys that receipts and checkpoints are checked with, as a JWK Set (RFC 7517)',
  security: [],
  responses: {
    '200': {
      description: 'Keys in use, next ones and older ones, with their validity in nbf and exp',
      content: {
        [JSON_TYPE]: {
          schema: {
            type: 'object',
            required: ['keys'],
            properties: { keys: { type: 'array', items: { type: 'object' } } },
          },
        },
      },
    },
  },
}

const REVOKED_KINDS = ['jti', 'subject', 'key', 'fingerprint']
const UNTIL = { type: 'string', description: 'When it ends, in UTC; at most 366 days ahead' }
const KIND = { type: 'string', enum: REVOKED_KINDS, description: 'What the value is' }

const REVOKE: JsonObject = {
  operationId: 'revoke',
  summary: 'Refuses a credential on all replicas, within 5 seconds',
  description: `Needs the scope ${ADMIN_SCOPE}.`,
  requestBody: {
    required: true,
    content: {
      [JSON_TYPE]: {
        schema: {
          type: 'object',
          required: ['kind', 'value', 'until'],
          properties: {
            kind: KIND,
            value: {
              type: 'string',
              minLength: 1,
              maxLength: 512,
              description:
                'jti or sub of a token, owner or id of an API key, or SHA-256 of a certificate in hex; never a credential itself',
            },
            until: UNTIL,
          },
          additionalProperties: false,
        },
      },
    },
  },
  responses: {
    '200': {
      description: 'Revoked',
      content: {
        [JSON_TYPE]: {
          schema: {
            type: 'object',
            required: ['kind', 'until'],
            properties: { kind: KIND, until: UNTIL },
          },
        },
      },
    },
    ...REFUSALS,
  },
}

const KILL_ACTION = { type: 'string', enum: ['off', 'on'], description: 'Switch it off, or on again' }
const KILL_KIND = {
  type: 'string',
  enum: ['tool', 'module', 'principal', 'tenant', 'everything'],
  description: 'What the value names',
}
const KILL_TEXT = { type: 'string', minLength: 1, maxLength: 512 }

const KILL: JsonObject = {
  operationId: 'kill',
  summary: 'Switches something off on all replicas, or on again, within 5 seconds',
  description: `Needs the scope ${ADMIN_SCOPE}. What live/kill.yaml switches off stays off.`,
  requestBody: {
    required: true,
    content: {
      [JSON_TYPE]: {
        schema: {
          type: 'object',
          required: ['action', 'kind', 'reason'],
          properties: {
            action: KILL_ACTION,
            kind: KILL_KIND,
            value: {
              ...KILL_TEXT,
              description:
                'Name of the tool or module, the tenant, or the id of the principal as records show it; none for everything',
            },
            until: {
              type: 'string',
              description:
                'Of off: when it is on again by itself, in UTC; at most 366 days ahead, which is also the default',
            },
            reason: { ...KILL_TEXT, description: 'For the log; never shown to a caller' },
          },
          additionalProperties: false,
        },
      },
    },
  },
  responses: {
    '200': {
      description: 'Done',
      content: {
        [JSON_TYPE]: {
          schema: {
            type: 'object',
            required: ['action', 'kind', 'off'],
            properties: {
              action: KILL_ACTION,
              kind: KILL_KIND,
              until: { type: 'string', description: 'Of off: when it ends' },
              off: {
                type: 'boolean',
                description: 'Whether it is off now; after on, where live/kill.yaml says so',
              },
            },
          },
        },
      },
    },
    ...REFUSALS,
  },
}

function operation(tool: ToolDeclaration): JsonObject {
  return {
    operationId: tool.name,
    summary: tool.title,
    description: tool.description,
    parameters: [
      {
        name: 'X-Request-Id',
        in: 'header',
        required: false,
        description: 'A UUID of yours; it comes back and goes on to the backend',
        schema: { type: 'string', format: 'uuid' },
      },
      {
        name: 'Idempotency-Key',
        in: 'header',
        required: false,
        description: 'A new UUID for each operation: a repetition with the same key gets the first answer',
        schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,128}$' },
      },
      {
        name: 'traceparent',
        in: 'header',
        required: false,
        description: 'W3C Trace Context',
        schema: { type: 'string' },
      },
    ],
    requestBody: { required: true, content: { [JSON_TYPE]: { schema: withoutDialect(tool.inputSchema) } } },
    responses: {
      '200': {
        description:
          tool.outputSchema === undefined
            ? 'The JSON value that the operation returned; null for none'
            : 'The result',
        headers: headersOf({ ...RECEIPT, ...TRUNCATED }),
        content: { [JSON_TYPE]: { schema: tool.outputSchema ?? {} } },
      },
      ...REFUSALS,
    },
  }
}

// OpenAPI 3.1 fixes the dialect for the whole document.
function withoutDialect({ $schema: _, ...schema }: JsonObject): JsonObject {
  return schema
}

const TOOL_LIST: JsonObject = {
  type: 'object',
  required: ['tools'],
  properties: {
    tools: {
      type: 'array',
      items: {
        type: 'object',
        required: ['name', 'title', 'description', 'inputSchema', 'annotations'],
        properties: {
          name: { type: 'string' },
          title: { type: 'string' },
          description: { type: 'string' },
          inputSchema: { type: 'object' },
          outputSchema: { type: 'object' },
          annotations: { type: 'object' },
        },
      },
    },
  },
}

const problemSchema = (): JsonObject => ({
  type: 'object',
  description: 'RFC 9457 problem details',
  required: ['type', 'title', 'status', 'detail', 'code', 'retryable', 'requestId'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'What happened, in the words that an MCP caller reads' },
    code: { type: 'string', enum: Object.keys(DENIALS) },
    retryable: { type: 'boolean' },
    retryAfterMs: { type: 'integer' },
    requestId: { type: 'string' },
    remedy: { type: 'string', description: 'What to do' },
  },
})
