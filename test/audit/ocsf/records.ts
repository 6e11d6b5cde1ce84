// Records of every type in the native form, hashes and signatures made up: the mapping to OCSF reads them and does not verify.
import type { JsonObject } from '../../../src/core/json.ts'

const CHAIN = '019aa5a0-0000-7000-8000-000000000001'
const TIME = '2026-11-21T23:15:00.123Z'
const filled = (letter: string): string => letter.repeat(42).concat('A')

let seq = 0
const record = (type: string, members: JsonObject): JsonObject => ({
  chain: CHAIN,
  hash: filled('h'),
  instance: 'mcp-0',
  prev: filled('p'),
  seq: seq++,
  time: TIME,
  type,
  v: 1,
  ...members,
})

const callId = (): string => `019aa5a0-0001-7000-8000-${String(seq).padStart(12, '0')}`

const WHO: JsonObject = {
  actors: ['agent'],
  clientId: 'desk',
  issuer: 'https://issuer.example',
  method: 'oauth',
  peer: '192.0.2.7',
  principal: 'oauth:https://issuer.example:alice',
  roles: ['support', 'admin'],
  subject: 'alice@example.com',
  tenant: 'acme',
  tokenId: filled('t'),
}

const call = (effect: string, method: string): JsonObject => ({
  argsDigest: filled('a'),
  effect,
  mcpMethod: 'tools/call',
  method,
  module: 'databases',
  requestDigest: `k1.${filled('r')}`,
  requestId: '019aa5a0-0001-7000-8000-0000000000aa',
  revision: '2026-07-28',
  rpcId: 7,
  safe: { product: 'crm', table: 'orders' },
  surface: 'mcp',
  tool: 'ductape_execute',
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  transport: 'http',
})

const outcomeOf = (status: string): JsonObject => ({
  backendStatus: 200,
  bytesIn: 400,
  bytesOut: 900,
  durationMs: 12.345,
  httpStatus: 200,
  resultDigest: filled('d'),
  status,
  tokens: 225,
})

/** The two records of a call that deletes. */
export function deletion(status: string): JsonObject[] {
  const id = callId()
  return [
    record('decision', {
      callId: id,
      decision: { allowed: true, rule: 'support' },
      what: call('destructive', 'delete'),
      who: WHO,
    }),
    record('outcome', { callId: id, outcome: outcomeOf(status) }),
  ]
}

const refused = (code: string, stage: string, what: JsonObject, who: JsonObject): JsonObject =>
  record('decision', { callId: callId(), decision: { allowed: false, code, stage }, what, who })

const APPROVAL: JsonObject = {
  expiresAt: '2026-11-21T23:30:00.000Z',
  id: 'Zx3mLk0Qp8T2vYw6',
  rule: '0'.repeat(64),
}

/** A deletion with an approval, and the decision of the person before it. */
export function needed(): JsonObject[] {
  const [decision, outcome] = deletion('executed') as [JsonObject, JsonObject]
  const approval = { ...APPROVAL, approver: 'bob', state: 'used' }
  const guards = [{ at: '/params/0/query', found: 'unproven', guard: 'sql' }]
  return [
    record('decision', {
      callId: callId(),
      decision: { allowed: true, approval: { ...APPROVAL, requester: 'alice', state: 'approved' } },
      what: { action: 'approval.approve', surface: 'rest', transport: 'http' },
      who: { ...WHO, principal: 'bob', subject: 'bob' },
    }),
    { ...decision, decision: { allowed: true, approval, guards, rule: 'support' } },
    outcome,
  ]
}

/** The same deletion asked for again under its idempotency key. */
export function repeated(): JsonObject[] {
  const [decision, outcome] = deletion('replayed') as [JsonObject, JsonObject]
  return [{ ...decision, decision: { allowed: true, replayOf: CHAIN, rule: 'support' } }, outcome]
}

export const RECORDS: readonly JsonObject[] = [
  record('open', { configDigest: '0'.repeat(64), keyOrigin: 'file', mode: 'strict' }),
  ...['executed', 'failed', 'unknown', 'cancelled', 'fault'].flatMap(deletion),
  ...['read', 'write', 'admin'].flatMap((effect) => {
    const [decision, outcome] = deletion('executed') as [JsonObject, JsonObject]
    return [{ ...decision, what: call(effect, 'insert') }, outcome]
  }),
  ...needed(),
  ...repeated(),
  refused('policy_denied', 'policy', call('destructive', 'delete'), WHO),
  // Refused before anything is known of the caller or the call.
  refused('body_too_large', 'transport', { transport: 'http' }, { method: 'none', peer: 'unix' }),
  record('refusals', {
    refusals: {
      code: 'token_missing',
      count: 812,
      from: TIME,
      peer: '2001:db8::1',
      stage: 'identity',
      to: TIME,
    },
  }),
  record('checkpoint', { checkpoint: 'a.b.c' }),
  record('close', { close: { records: {} } }),
]
