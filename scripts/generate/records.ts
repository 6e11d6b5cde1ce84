// Writes schema/record.schema.json: the two records of a call, closed, with every set of values that is closed.
import { MODULES } from '../../src/catalogue/index.ts'
import { DENIALS } from '../../src/core/denials.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { MCP_METHODS } from '../../src/core/methods.ts'
import { LEGACY_VERSIONS, MODERN } from '../../src/mcp/decode.ts'
import { toolDeclarations } from './tools.ts'

export const RECORD_SCHEMA_PATH = 'schema/record.schema.json'

const closed = (properties: JsonObject, optional: readonly string[] = []): JsonObject => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  additionalProperties: false,
})
const oneOf = (values: readonly string[]): JsonObject => ({ type: 'string', enum: [...values] })
const text = (pattern: string, description: string): JsonObject => ({ type: 'string', pattern, description })
const count = (description: string): JsonObject => ({ type: 'integer', minimum: 0, description })

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'
const UUID_V7 = '[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}'
const CODES = Object.keys(DENIALS)
const STAGES = [...new Set(Object.values(DENIALS).map((row) => row.stage))]

const header = (type: string): JsonObject => ({
  callId: text(`^${UUID_V7}$`, 'UUIDv7, the same in both records of a call'),
  instance: { type: 'string', description: 'Host or pod, and the id of this start of the process' },
  seq: count('Number of the record since the start of the process, without gaps'),
  time: text('^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$', 'When the record was made, UTC'),
  type: { const: type },
  v: { const: 1 },
})

const RULE: JsonObject = { type: 'string', description: 'Rule of the policy that decided' }
const WOULD_DENY: JsonObject = {
  const: true,
  description: 'The policy observes: it let through what it would refuse when it enforces',
}

const decision = closed({
  ...header('decision'),
  decision: {
    anyOf: [
      closed({ allowed: { const: true }, rule: RULE, wouldDeny: WOULD_DENY }, ['rule', 'wouldDeny']),
      closed(
        {
          allowed: { const: false },
          code: oneOf(CODES),
          rule: RULE,
          stage: oneOf(STAGES),
          wouldDeny: WOULD_DENY,
        },
        ['rule', 'wouldDeny'],
      ),
    ],
  },
  what: closed(
    {
      action: { ...oneOf(['revoke']), description: 'An administrative request' },
      credentialId: text('^[a-z0-9]{1,16}\\.[A-Za-z0-9_-]{43}$', 'Keyed hash of the Ductape key of the call'),
      effect: oneOf(['read', 'write', 'destructive', 'admin']),
      mcpMethod: oneOf([...MCP_METHODS, 'other']),
      method: text(
        '^[A-Za-z][A-Za-z0-9_.]*$',
        'Method of the Ductape catalogue; absent where it is not in it',
      ),
      module: oneOf(MODULES),
      requestId: text(
        '^[0-9A-Za-z-]{16,36}$',
        'X-Request-Id of the caller where it has the form of an id, else the callId',
      ),
      revision: oneOf([MODERN, ...LEGACY_VERSIONS]),
      rpcId: {
        anyOf: [{ type: 'number' }, text(`^(${UUID}|\\d{1,15})$`, '')],
        description: 'Id of the JSON-RPC request where it is a number or has the form of an id',
      },
      surface: oneOf(['mcp', 'rest']),
      tool: oneOf(toolDeclarations().map(({ name }) => name)),
      traceId: text('^[0-9a-f]{32}$', 'W3C trace id'),
      transport: oneOf(['http', 'stdio']),
    },
    [
      'action',
      'credentialId',
      'effect',
      'mcpMethod',
      'method',
      'module',
      'revision',
      'rpcId',
      'surface',
      'tool',
      'traceId',
    ],
  ),
  who: closed(
    {
      actors: {
        type: 'array',
        items: { type: 'string' },
        description: 'Subjects of the act chain, the newest first',
      },
      binding: oneOf(['mtls', 'dpop']),
      certificate: text('^[0-9a-f]{64}$', 'SHA-256 of the client certificate'),
      clientId: { type: 'string', description: 'client_id or azp of the token' },
      issuer: { type: 'string', description: 'iss of the token' },
      keyId: { type: 'string', description: 'Id of the API key record; never the key' },
      method: oneOf(['none', 'stdio', 'oauth', 'api-key', 'mtls']),
      owner: { type: 'string', description: 'Who answers for the API key' },
      peer: {
        type: 'string',
        description: 'SHA-256 of the client certificate, else the address of the peer; `unix` or `stdio`',
      },
      principal: {
        type: 'string',
        description: 'One name over all issuers and methods; limits are counted by it',
      },
      roles: { type: 'array', items: { type: 'string' } },
      spiffeId: text('^spiffe://', 'SPIFFE ID of the client certificate'),
      subject: { type: 'string', description: 'Whom the caller was taken for' },
      tenant: { type: 'string' },
      tokenId: text('^[A-Za-z0-9_-]{43}$', 'SHA-256 of the jti of the token'),
    },
    [
      'actors',
      'binding',
      'certificate',
      'clientId',
      'issuer',
      'keyId',
      'owner',
      'roles',
      'spiffeId',
      'tenant',
      'tokenId',
    ],
  ),
})

const outcome = closed({
  ...header('outcome'),
  outcome: closed(
    {
      backendRequestId: text('^[A-Za-z0-9_.:-]{1,64}$', 'request_id of the backend'),
      backendStatus: { type: 'integer', minimum: 100, maximum: 999 },
      bytesIn: count('Bytes of the request body'),
      bytesOut: count('Bytes of the answer'),
      code: oneOf(CODES),
      durationMs: { type: 'number', minimum: 0 },
      httpStatus: { type: 'integer', minimum: 200, maximum: 599 },
      status: {
        ...oneOf(['executed', 'failed', 'unknown', 'cancelled', 'fault']),
        description:
          'executed: it ran; failed: the backend said no; unknown: it may have taken effect; cancelled: nothing was sent; fault: this service failed',
      },
    },
    ['backendRequestId', 'backendStatus', 'code'],
  ),
})

export const RECORD_SCHEMA: JsonObject = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'ductape-mcp record',
  description:
    'One line of the audit records: the decision before a call has an effect, the outcome after; a refused call has a decision only',
  anyOf: [decision, outcome],
}

export const recordSchemaText = (): string => `${JSON.stringify(RECORD_SCHEMA, null, 2)}\n`
