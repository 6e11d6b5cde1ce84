// Maps records to events of OCSF 1.8.0, class API Activity (6003) with the profiles ai_operation and trace: what a SIEM reads of them, the chain aside.
import { isIP } from 'node:net'
import { isObject, type Json, type JsonObject } from '../core/json.ts'

export const OCSF_VERSION = '1.8.0'

const CLASS = 6003
const ACTIVITY = { unknown: 0, create: 1, read: 2, update: 3, delete: 4, other: 99 } as const
const ACTIVITY_NAMES: Readonly<Record<number, string>> = {
  0: 'Unknown',
  1: 'Create',
  2: 'Read',
  3: 'Update',
  4: 'Delete',
  99: 'Other',
}
const STATUS = {
  unknown: [0, 'Unknown'],
  success: [1, 'Success'],
  failure: [2, 'Failure'],
  // Neither: the answer of an earlier call was given again, which has its own events.
  replayed: [99, 'Replayed'],
} as const
const INFORMATIONAL = 1
const LOW = 2
const SHA256 = 3
const ROLE_TOOL = 3
/** Decisions that are remembered for their outcomes: far over the calls in flight of a few hundred replicas. */
const MAX_DECISIONS = 65_536

/**
 * A decision, an outcome or a flood of refusals gives one event, every other record none. An outcome says who and what only where its
 * decision has been seen before; `metadata.correlation_uid` joins the two in any case.
 */
export function createOcsf(maxDecisions = MAX_DECISIONS): (record: JsonObject) => JsonObject | undefined {
  const decisions = new Map<Json | undefined, JsonObject>()
  return (record) => {
    const id = record['callId']
    if (record['type'] === 'decision') {
      if (part(record, 'decision')['allowed'] === true) {
        decisions.set(id, record)
        const [oldest] = decisions.keys()
        if (decisions.size > maxDecisions) decisions.delete(oldest)
      }
      return decisionEvent(record)
    }
    if (record['type'] === 'outcome') {
      const decision = decisions.get(id)
      decisions.delete(id)
      return outcomeEvent(record, decision)
    }
    return record['type'] === 'refusals' ? refusalsEvent(record) : undefined
  }
}

const part = (record: JsonObject | undefined, name: string): JsonObject => {
  const value = record?.[name]
  return isObject(value) ? value : {}
}

function decisionEvent(record: JsonObject): JsonObject {
  const { allowed, code, rule, stage } = part(record, 'decision')
  // Whether the call took effect is said by its outcome, so an allowed decision has no success yet.
  const [statusId, status] = allowed === true ? STATUS.unknown : STATUS.failure
  return compact({
    ...head(record, record, allowed === true ? INFORMATIONAL : LOW),
    ...caller(record, { allowed, rule }),
    status_id: statusId,
    status: allowed === true ? 'Allowed' : status,
    status_code: code,
    status_detail: stage,
  })
}

function outcomeEvent(record: JsonObject, decision: JsonObject | undefined): JsonObject {
  const outcome = part(record, 'outcome')
  const { allowed, rule } = part(decision, 'decision')
  const [statusId, status] =
    outcome['status'] === 'executed'
      ? STATUS.success
      : outcome['status'] === 'unknown'
        ? STATUS.unknown
        : outcome['status'] === 'replayed'
          ? STATUS.replayed
          : STATUS.failure
  const { httpStatus, bytesOut, durationMs } = outcome
  return compact({
    ...head(record, decision, outcome['status'] === 'fault' ? LOW : INFORMATIONAL, outcome),
    ...caller(decision, { allowed, rule }),
    status_id: statusId,
    status,
    status_code: outcome['code'],
    status_detail: outcome['status'],
    duration: typeof durationMs === 'number' ? Math.round(durationMs) : undefined,
    http_response: httpStatus === undefined ? undefined : compact({ code: httpStatus, length: bytesOut }),
  })
}

function refusalsEvent(record: JsonObject): JsonObject {
  const { code, count, from, peer, stage, to } = part(record, 'refusals')
  const [statusId, status] = STATUS.failure
  return compact({
    ...head(record, undefined, LOW),
    actor: { app_name: 'unknown' },
    src_endpoint: endpoint(peer),
    count,
    start_time: milliseconds(from),
    end_time: milliseconds(to),
    status_id: statusId,
    status,
    status_code: code,
    status_detail: stage,
  })
}

/** What every event has, and what the call was. */
function head(
  record: JsonObject,
  decision: JsonObject | undefined,
  severity: number,
  outcome: JsonObject = {},
): Loose {
  const what = part(decision, 'what')
  const { approval, guards, replayOf } = part(decision, 'decision')
  const { action, module, method, tool, mcpMethod, revision, requestId, traceId, safe, target } = what
  const activity = activityOf(what)
  const name = ACTIVITY_NAMES[activity]
  return {
    activity_id: activity,
    activity_name: name,
    api: compact({
      operation: action ?? method ?? tool ?? mcpMethod ?? 'unknown',
      request: requestId === undefined ? undefined : { uid: requestId },
      service: module === undefined ? undefined : { name: module },
      version: revision,
    }),
    category_name: 'Application Activity',
    category_uid: 6,
    class_name: 'API Activity',
    class_uid: CLASS,
    message_context: compact({
      ai_role: 'Tool',
      ai_role_id: ROLE_TOOL,
      service: { name: tool ?? 'ductape-mcp' },
      total_tokens: outcome['tokens'],
      uid: record['callId'],
    }),
    metadata: compact({
      correlation_uid: record['callId'],
      event_code: record['type'],
      log_name: record['chain'],
      log_version: String(record['v']),
      // The hash of the record: whoever has the event finds the line that proves it.
      original_event_uid: record['hash'],
      original_time: record['time'],
      product: { name: 'ductape-mcp', vendor_name: 'ductape-mcp' },
      profiles: ['ai_operation', 'trace'],
      sequence: record['seq'],
      uid: `${String(record['chain'])}:${String(record['seq'])}`,
      version: OCSF_VERSION,
    }),
    raw_data_hash: compact({ algorithm: 'SHA-256', algorithm_id: SHA256, value: record['hash'] }),
    resources: isObject(safe)
      ? Object.entries(safe).map(([type, item]) => ({ name: String(item), type }))
      : undefined,
    severity: severity === LOW ? 'Low' : 'Informational',
    severity_id: severity,
    time: milliseconds(record['time']),
    trace: traceId === undefined ? undefined : { uid: traceId },
    type_name: `API Activity: ${name}`,
    type_uid: CLASS * 100 + activity,
    unmapped: compact({
      approval,
      argsDigest: what['argsDigest'],
      credentialId: what['credentialId'],
      effect: what['effect'],
      guards,
      instance: record['instance'],
      prev: record['prev'],
      replayOf,
      requestDigest: what['requestDigest'],
      resultDigest: outcome['resultDigest'],
      scan: outcome['scan'],
      target,
    }),
  }
}

function caller(decision: JsonObject | undefined, { allowed, rule }: Loose): Loose {
  const { clientId, issuer, keyId, peer, principal, roles, subject, tenant, tokenId } = part(decision, 'who')
  if (decision === undefined) return { actor: { app_name: 'unknown' }, src_endpoint: endpoint(undefined) }
  return {
    actor: compact({
      app_uid: clientId,
      authorizations: [
        compact({
          decision: allowed === true ? 'allowed' : 'denied',
          policy: rule === undefined ? undefined : { uid: rule },
        }),
      ],
      session: issuer === undefined && tokenId === undefined ? undefined : compact({ issuer, uid: tokenId }),
      user: compact({
        credential_uid: keyId,
        groups: Array.isArray(roles) ? roles.map((name) => ({ name })) : undefined,
        name: subject ?? 'unknown',
        org: tenant === undefined ? undefined : { uid: tenant },
        uid: principal,
      }),
    }),
    src_endpoint: endpoint(peer),
  }
}

const endpoint = (peer: Json | undefined): JsonObject =>
  typeof peer === 'string' && isIP(peer) !== 0 ? { ip: peer } : { uid: String(peer ?? 'unknown') }

function activityOf({ action, effect, method }: JsonObject): number {
  if (action !== undefined) return ACTIVITY.other
  switch (effect) {
    case 'read':
      return ACTIVITY.read
    case 'destructive':
      return ACTIVITY.delete
    case 'write':
      return typeof method === 'string' && /^(?:create|insert|add|upload)/.test(method)
        ? ACTIVITY.create
        : ACTIVITY.update
    case 'admin':
      return ACTIVITY.other
    default:
      return ACTIVITY.unknown
  }
}

const milliseconds = (time: Json | undefined): number | undefined =>
  typeof time === 'string' ? Date.parse(time) : undefined

type Loose = { [name: string]: Json | undefined }

const compact = (value: Loose): JsonObject =>
  Object.fromEntries(Object.entries(value).filter((entry): entry is [string, Json] => entry[1] !== undefined))
