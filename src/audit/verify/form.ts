// The form of every type of record: which members it has and what each one looks like (docs/reference/evidence.md, "A record").
import { isObject, type Json, type JsonObject } from '../../core/json.ts'
import { decode, type Jwk } from '../jws.ts'

type Form = (value: Json) => boolean

const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const HEX = /^[0-9a-f]{64}$/
/** 43 characters hold 258 bits: the last one has two spare bits, which have to be zero. */
const DIGEST = /^[\w-]{42}[AEIMQUYcgkosw048]$/

const matches =
  (pattern: RegExp): Form =>
  (value) =>
    typeof value === 'string' && pattern.test(value)
const oneOf =
  (...values: readonly Json[]): Form =>
  (value) =>
    values.includes(value)

const text: Form = (value) => typeof value === 'string'
const bool: Form = (value) => typeof value === 'boolean'
const any: Form = () => true
const texts: Form = (value) => Array.isArray(value) && value.every(text)
const count: Form = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const number: Form = (value) => typeof value === 'number' && value >= 0
const uuid = matches(UUID7)
export const isDigest = matches(DIGEST)
const hex = matches(HEX)
const time: Form = (value) =>
  typeof value === 'string' && TIME.test(value) && !Number.isNaN(Date.parse(value))

/** Members with their forms; one whose name ends in `?` may be absent. */
type Shape = Readonly<Record<string, Form>>

interface Members {
  forms: ReadonlyMap<string, Form>
  demanded: number
}

function prepare(shape: Shape): (value: Json) => boolean {
  const members = membersOf(shape)
  return (value) => isObject(value) && fits(value, members)
}

function membersOf(shape: Shape): Members & { names: ReadonlySet<string> } {
  const forms = new Map<string, Form>()
  const names = new Set<string>()
  for (const [name, form] of Object.entries(shape)) {
    const optional = name.endsWith('?')
    forms.set(optional ? name.slice(0, -1) : name, form)
    if (!optional) names.add(name)
  }
  return { forms, names, demanded: names.size }
}

function fits(value: JsonObject, members: Members & { names: ReadonlySet<string> }): boolean {
  let demanded = 0
  for (const name in value) {
    const form = members.forms.get(name)
    if (form === undefined || !form(value[name] as Json)) return false
    if (members.names.has(name)) demanded++
  }
  return demanded === members.demanded
}

const jwkForm = prepare({ crv: oneOf('Ed25519'), kty: oneOf('OKP'), x: isDigest })
export const isJwk = (value: Json | undefined): value is JsonObject & Jwk =>
  value !== undefined && jwkForm(value)

const approval = prepare({
  'approver?': text,
  expiresAt: time,
  id: text,
  'request?': text,
  'requester?': text,
  rule: text,
  state: oneOf('asked', 'notified', 'used', 'approved', 'denied'),
})
const guard = prepare({ 'at?': text, 'count?': count, found: text, guard: text })
const scan = prepare({ action: text, count, detector: text, rule: text })

const decisionForm = prepare({
  allowed: bool,
  'approval?': approval,
  'code?': text,
  'guards?': (value) => Array.isArray(value) && value.every(guard),
  'replayOf?': uuid,
  'rule?': text,
  'stage?': text,
  'wouldDeny?': bool,
})

const STATUSES = ['executed', 'replayed', 'failed', 'unknown', 'cancelled', 'fault']

const HEADER: Shape = {
  chain: uuid,
  hash: isDigest,
  instance: text,
  seq: count,
  time,
  type: text,
  v: oneOf(1),
}

const TYPES: Readonly<Record<string, Shape>> = {
  open: {
    configDigest: hex,
    key: isJwk as Form,
    keyOrigin: oneOf('file', 'boot'),
    mode: oneOf('strict', 'best-effort'),
    'policyDigest?': hex,
    'previous?': prepare({ chain: uuid, checkpoint: text }),
    'registered?': texts,
    service: prepare({ name: text, version: text }),
  },
  decision: {
    callId: uuid,
    decision: (value) =>
      decisionForm(value) &&
      ((value as JsonObject)['allowed'] === true || text((value as JsonObject)['code'] ?? null)),
    what: prepare({
      'action?': text,
      'args?': isObject,
      'argsDigest?': isDigest,
      'credentialId?': text,
      'effect?': text,
      'idempotencyKey?': text,
      'mcpMethod?': text,
      'method?': text,
      'module?': text,
      'requestDigest?': text,
      'requestId?': text,
      'revision?': text,
      'rpcId?': (value) => typeof value === 'string' || typeof value === 'number',
      'safe?': isObject,
      'shape?': any,
      'surface?': text,
      'target?': text,
      'tool?': text,
      'toolDigest?': isDigest,
      'traceId?': text,
      transport: oneOf('http', 'stdio'),
    }),
    who: prepare({
      'actors?': texts,
      'binding?': text,
      'certificate?': text,
      'clientId?': text,
      'issuer?': text,
      'keyId?': text,
      method: text,
      'owner?': text,
      peer: text,
      'principal?': text,
      'roles?': texts,
      'spiffeId?': text,
      'subject?': text,
      'tenant?': text,
      'tokenId?': isDigest,
    }),
  },
  outcome: {
    callId: uuid,
    outcome: prepare({
      'backendRequestId?': text,
      'backendStatus?': count,
      'bytesIn?': count,
      'bytesOut?': count,
      'code?': text,
      'durationMs?': number,
      'httpStatus?': count,
      'resultDigest?': isDigest,
      'resultDigestRaw?': isDigest,
      'scan?': (value) => Array.isArray(value) && value.every(scan),
      status: oneOf(...STATUSES),
      'tokens?': count,
    }),
  },
  refusals: {
    refusals: prepare({ code: text, count, from: time, peer: text, stage: text, to: time }),
  },
  reload: {
    'policyDigest?': hex,
    reload: prepare({ applied: bool, 'digest?': hex, file: text }),
  },
  key: { key: prepare({ jwk: isJwk as Form, jws: text }) },
  lost: { lost: prepare({ from: time, records: count, to: time }) },
  checkpoint: { checkpoint: text },
  close: {
    close: prepare({ records: (value) => isObject(value) && Object.values(value).every(count) }),
  },
}

const RECORDS = new Map(
  Object.entries(TYPES).map(([type, shape]) => [
    type,
    membersOf({ ...HEADER, ...shape, ...(type !== 'open' && { prev: isDigest }) }),
  ]),
)

/** True where the object is a record of its type. */
export function isRecord(value: JsonObject): boolean {
  const { type } = value
  const members = typeof type === 'string' ? RECORDS.get(type) : undefined
  return members !== undefined && fits(value, members)
}

const claimsForm = prepare({
  'args_digest?': isDigest,
  chain: uuid,
  'client_id?': text,
  'code?': text,
  iat: count,
  iss: text,
  jti: uuid,
  'method?': text,
  'module?': text,
  'policy_digest?': hex,
  'record?': isDigest,
  'result_digest?': isDigest,
  'replay_of?': uuid,
  status: oneOf(...STATUSES, 'refused'),
  'sub?': text,
  'tenant?': text,
  'tool?': text,
})

export const isClaims = (value: Json | undefined): value is JsonObject =>
  value !== undefined && claimsForm(value)

export const isCheckpointPayload = prepare({ chain: uuid, iat: count, root: isDigest, size: count })
export const isHeadPayload = prepare({ iat: count, root: isDigest })
export const isKeyPayload = prepare({ chain: uuid, iat: count, jwk: isJwk as Form })

/** A salt: 16 bytes of base64url. */
export const isSalt = (value: Json | undefined): value is string =>
  typeof value === 'string' && decode(value)?.length === 16

/** Milliseconds since the epoch in which a UUIDv7 was made (RFC 9562 5.7). */
export const timeOfId = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
