// Writes schema/record.schema.json: the records of every type, closed, with every set of values that is closed.
import { MODULES } from '../../src/catalogue/index.ts'
import { LIVE_FILES } from '../../src/config/index.ts'
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

const sha256 = (description: string): JsonObject => text('^[A-Za-z0-9_-]{43}$', description)
const fileDigest = (description: string): JsonObject => text('^[0-9a-f]{64}$', description)
const keyed = (description: string): JsonObject =>
  text(
    '^[a-z0-9]{1,16}\\.[A-Za-z0-9_-]{43}$',
    `${description}; HMAC under the fleet key that its first part names`,
  )
const time = (description: string): JsonObject =>
  text('^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$', `${description}, UTC`)
const jws = (description: string): JsonObject =>
  text('^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]{86}$', description)
const JWK: JsonObject = closed({ crv: { const: 'Ed25519' }, kty: { const: 'OKP' }, x: sha256('Public key') })

const CHAIN = text(`^${UUID_V7}$`, 'UUIDv7 of the start of the process that wrote it')
const CALL = { callId: text(`^${UUID_V7}$`, 'UUIDv7, the same in both records of a call') }
const POLICY_DIGEST = fileDigest('SHA-256 of the policy file in force; absent where there is none')

/** A record of one type: what every record has, and its own members. */
function record(type: string, members: JsonObject, optional: readonly string[] = []): JsonObject {
  return closed(
    {
      chain: CHAIN,
      hash: sha256('SHA-256 of the line without this member'),
      instance: { type: 'string', description: 'Host or pod' },
      ...(type !== 'open' && { prev: sha256('hash of the record before it') }),
      seq: count('Number of the record in its chain, without gaps'),
      time: time('When the record was made'),
      type: { const: type },
      v: { const: 1 },
      ...members,
    },
    optional,
  )
}

const RULE: JsonObject = { type: 'string', description: 'Rule of the policy that decided' }
const WOULD_DENY: JsonObject = {
  const: true,
  description: 'The policy observes: it let through what it would refuse when it enforces',
}

const principal = (description: string): JsonObject => ({ type: 'string', description })
const APPROVAL = closed(
  {
    approver: principal('Who decided; in the record of the decision itself it is the caller'),
    expiresAt: time('When it ends'),
    id: { type: 'string', description: 'Id of the approval' },
    request: keyed('requestDigest of the call; absent where it is that of this record'),
    requester: principal('Who asked; in the record of the call itself it is the caller'),
    rule: { type: 'string', description: 'SHA-256 of the rule that demands it' },
    state: {
      ...oneOf(['asked', 'notified', 'used', 'approved', 'denied']),
      description: 'asked, notified, used: by the call; approved, denied: by the person',
    },
  },
  ['approver', 'request', 'requester'],
)
const GUARDS: JsonObject = {
  type: 'array',
  items: closed(
    {
      at: text('^(/[A-Za-z0-9_$:.~-]+)+$', 'JSON Pointer of the first argument of which it was found'),
      count: count('Arguments of which it was found, where there are several'),
      found: text('^[a-z][a-z0-9-]*$', 'What it was found to be'),
      guard: oneOf(['sql', 'cypher', 'path', 'url', 'secret']),
    },
    ['at', 'count'],
  ),
  maxItems: 8,
  description: 'What the guards have found in the arguments',
}
const SCANS: JsonObject = {
  type: 'array',
  items: closed({
    action: oneOf(['flag', 'redact', 'block']),
    count: count('How often the rule has found something'),
    detector: oneOf(['secret', 'personal', 'invisible', 'ansi', 'instruction', 'link']),
    rule: text('^[a-z][a-z0-9-]*$', 'Id of the rule, of the service or of live/scan.yaml'),
  }),
  maxItems: 16,
  description: 'What the scan has found in the answer',
}
const ANY_DECISION: JsonObject = {
  approval: APPROVAL,
  guards: GUARDS,
  replayOf: text(`^${UUID_V7}$`, 'callId of the call whose answer this one repeats'),
  rule: RULE,
  wouldDeny: WOULD_DENY,
}

const decision = record('decision', {
  ...CALL,
  decision: {
    anyOf: [
      closed({ allowed: { const: true }, ...ANY_DECISION }, Object.keys(ANY_DECISION)),
      closed(
        { allowed: { const: false }, code: oneOf(CODES), stage: oneOf(STAGES), ...ANY_DECISION },
        Object.keys(ANY_DECISION),
      ),
    ],
  },
  what: closed(
    {
      action: {
        ...oneOf(['revoke', 'kill', 'restore', 'approval.approve', 'approval.deny']),
        description: 'An administrative request, or what a person decides on a call',
      },
      args: {
        type: 'object',
        description: 'The arguments, secrets replaced; only where a rule says record: redacted',
      },
      argsDigest: sha256('SHA-256 of the salt of the call and the arguments without credentials'),
      credentialId: keyed('The Ductape key of the call'),
      effect: oneOf(['read', 'write', 'destructive', 'admin']),
      idempotencyKey: keyed('The idempotency key of the call'),
      mcpMethod: oneOf([...MCP_METHODS, 'other']),
      method: text(
        '^[A-Za-z][A-Za-z0-9_.]*$',
        'Method of the Ductape catalogue; absent where it is not in it',
      ),
      module: oneOf(MODULES),
      requestDigest: keyed('Arguments, key id, tenant and tool: equal for equal requests'),
      requestId: text(
        '^[0-9A-Za-z-]{16,36}$',
        'X-Request-Id of the caller where it has the form of an id, else the callId',
      ),
      revision: oneOf([MODERN, ...LEGACY_VERSIONS]),
      rpcId: {
        anyOf: [{ type: 'number' }, text(`^(${UUID}|\\d{1,15})$`, '')],
        description: 'Id of the JSON-RPC request where it is a number or has the form of an id',
      },
      safe: {
        type: 'object',
        additionalProperties: text('^[A-Za-z][A-Za-z0-9_:,-]*$', ''),
        description:
          'Names of the parts of a product that the call is about; several with commas between them',
      },
      shape: {
        type: 'object',
        description:
          'The arguments with values replaced by their types, lists by [shape of the first, count]; ... counts what is not shown',
      },
      surface: oneOf(['mcp', 'rest']),
      target: { type: 'string', description: 'What an administrative request is about' },
      tool: oneOf(toolDeclarations().map(({ name }) => name)),
      toolDigest: sha256('SHA-256 of what tools/list says of the tool'),
      traceId: text('^[0-9a-f]{32}$', 'W3C trace id'),
      transport: oneOf(['http', 'stdio']),
    },
    [
      'action',
      'args',
      'argsDigest',
      'credentialId',
      'effect',
      'idempotencyKey',
      'mcpMethod',
      'method',
      'module',
      'requestDigest',
      'revision',
      'rpcId',
      'safe',
      'shape',
      'surface',
      'target',
      'tool',
      'toolDigest',
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

const outcome = record('outcome', {
  ...CALL,
  outcome: closed(
    {
      backendRequestId: text('^[A-Za-z0-9_.:-]{1,64}$', 'request_id of the backend'),
      backendStatus: { type: 'integer', minimum: 100, maximum: 999 },
      bytesIn: count('Bytes of the request body'),
      bytesOut: count('Bytes of the answer'),
      code: oneOf(CODES),
      durationMs: { type: 'number', minimum: 0 },
      httpStatus: { type: 'integer', minimum: 200, maximum: 599 },
      resultDigest: sha256('SHA-256 of another salt and the result as it was delivered'),
      resultDigestRaw: sha256(
        'The same of the result before credentials were replaced in it, where they were',
      ),
      scan: SCANS,
      status: {
        ...oneOf(['executed', 'replayed', 'failed', 'unknown', 'cancelled', 'fault']),
        description:
          'executed: it ran; replayed: it got the answer of an earlier call, and nothing ran; failed: the backend said no; unknown: it may have taken effect; cancelled: nothing was sent; fault: this service failed',
      },
      tokens: count('Estimated tokens of the result, where a budget counted them'),
    },
    ['backendRequestId', 'backendStatus', 'code', 'resultDigest', 'resultDigestRaw', 'scan', 'tokens'],
  ),
})

const others: readonly JsonObject[] = [
  record(
    'open',
    {
      configDigest: fileDigest('SHA-256 of the config file; of nothing where there is none'),
      key: JWK,
      keyOrigin: oneOf(['file', 'boot']),
      mode: oneOf(['strict', 'best-effort']),
      policyDigest: POLICY_DIGEST,
      previous: closed({ chain: CHAIN, checkpoint: jws('Its last checkpoint') }),
      registered: { type: 'array', items: CHAIN, description: 'Chains that the store or the folder knows' },
      service: closed({ name: { type: 'string' }, version: { type: 'string' } }),
    },
    ['policyDigest', 'previous', 'registered'],
  ),
  record('refusals', {
    refusals: closed({
      code: oneOf(CODES),
      count: count('Refusals after the first one, which has a decision of its own'),
      from: time('When the first one was'),
      peer: { type: 'string', description: 'As in who; other = of many peers' },
      stage: oneOf(STAGES),
      to: time('When the last one was'),
    }),
  }),
  record(
    'reload',
    {
      policyDigest: POLICY_DIGEST,
      reload: closed(
        {
          applied: { type: 'boolean', description: 'Whether it came into force' },
          digest: fileDigest('SHA-256 of the file; absent where it is gone'),
          file: oneOf(LIVE_FILES),
        },
        ['digest'],
      ),
    },
    ['policyDigest'],
  ),
  record('key', { key: closed({ jwk: JWK, jws: jws('Signed by the key before') }) }),
  record('lost', {
    lost: closed({
      from: time('When the first was lost'),
      records: count('How many'),
      to: time('When there was room again'),
    }),
  }),
  record('checkpoint', { checkpoint: jws('Merkle tree head over all records before it') }),
  record('close', {
    close: closed({
      records: {
        type: 'object',
        additionalProperties: count(''),
        description: 'Records of each type, this one counted',
      },
    }),
  }),
]

export const RECORD_SCHEMA: JsonObject = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'ductape-mcp record',
  description:
    'One line of the audit records. A call has a decision before its effect and an outcome after; a refused one has a decision only',
  anyOf: [decision, outcome, ...others],
}

export const recordSchemaText = (): string => `${JSON.stringify(RECORD_SCHEMA, null, 2)}\n`
