// One call on its way through the stages: each stage fills in what it finds out and later ones read it.
import type { Denial, StageName } from './denials.ts'
import type { HttpRequest } from './http.ts'
import type { Json, JsonObject } from './json.ts'
import type { PolicyDecision } from './policy.ts'
import type { Principal } from './principal.ts'
import type { Redactor } from './redact.ts'
import type { Runtime } from './runtime.ts'
import type { Credential, Effect, PreparedCall, ToolDefinition, ToolResult } from './tool.ts'

/** A shared function rather than a closure of each call. */
export type ProgressSink = (call: Call, progress: number, total: number, message: string) => void

/** The MCP request that a call came in, or undefined for REST. */
export interface McpMessage {
  era: 'modern' | 'legacy'
  /** Protocol revision that the client named, one of the supported ones. */
  revision: string
  id: string | number
  /** Token of a client that asked for progress. */
  progressToken: string | number | undefined
  /** 2026-07-28: what the client can be asked for, and what it answered. */
  capabilities: JsonObject | undefined
  inputResponses: JsonObject | undefined
  requestState: string | undefined
}

/** The backend's answer, before it is shaped. */
export interface BackendReply {
  status: number
  body: Buffer
  retryAfter: string | undefined
}

/** The receipt of a call as JSON texts (docs/reference/evidence.md); its salts stand beside it. */
export interface Receipt {
  readonly text: string
  readonly salts: string
}

/** What the records say of an approval. */
export interface ApprovalNote {
  readonly id: string
  /** `asked`, `notified` and `used` by the call that needs it; `approved` and `denied` by the person. */
  readonly state: 'asked' | 'notified' | 'used' | 'approved' | 'denied'
  /** Id of the principal who decided; in the record of the decision itself it is the caller. */
  readonly approver: string | undefined
  /** Id of the principal who asked; in the record of the call itself it is the caller. */
  readonly requester: string | undefined
  /** requestDigest of the call. */
  readonly request: string
  /** Digest of the rule that demands it. */
  readonly rule: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** What the scan of an answer has found: never the text itself. */
export interface ScanNote {
  readonly detector: 'secret' | 'personal' | 'invisible' | 'ansi' | 'instruction' | 'link'
  /** Id of the rule, of ours or of live/scan.yaml. */
  readonly rule: string
  readonly count: number
  readonly action: 'flag' | 'redact' | 'block'
}

/** What a guard has found in an argument: names of ours, never a text of the caller. */
export interface GuardNote {
  readonly guard: 'sql' | 'cypher' | 'path' | 'url' | 'secret'
  /** JSON Pointer of the argument within the call's arguments; its member names are the catalogue's or the rule's. */
  readonly at: string
  /** `read-only`, or why it is not, such as `unproven` or `unparsable`. */
  readonly found: string
}

export interface Call {
  /** UUIDv7. */
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** Monotonic milliseconds. */
  readonly startedTick: number
  readonly channel: 'http' | 'stdio'
  /** What the caller's process is known by before anybody has vouched for it: an address, a certificate's SHA-256, or `stdio`. */
  peer: string
  readonly request: HttpRequest | undefined
  /** Policy, keys and limits as they were when the call began. */
  readonly runtime: Runtime
  /** The caller's X-Request-Id where it has the form of an id, else the call's own. */
  requestId: string
  /** W3C trace context of the caller: params._meta first, else the headers. */
  traceparent: string | undefined
  tracestate: string | undefined
  /** The traceparent of the headers, where params._meta had another one. */
  ambientTrace: string | undefined
  principal: Principal

  /** Filled in by protocol. */
  surface: 'mcp' | 'rest' | undefined
  mcpMethod: string | undefined
  message: McpMessage | undefined
  /** The parsed body of a message that is not tools/call: the SDK answers it. */
  other: Json | undefined
  toolName: string
  arguments: JsonObject
  bytesIn: number
  /** As it was sent, in `_meta` or the header Idempotency-Key. */
  idempotencyKey: string | undefined

  /** Filled in by resolve and validate. */
  tool: ToolDefinition | undefined
  prepared: PreparedCall | undefined
  module: string | undefined
  method: string | undefined
  effect: Effect | undefined
  /** Credentials handed in this call: replaced wherever they turn up in answers, errors and records. */
  credentials: readonly string[]
  /** Made of them by whoever needs it first (core/redact.ts). */
  ownRedactor: Redactor | undefined

  /** What an administrative request does, a word of ours; undefined for everything else. */
  action: string | undefined
  /** What it is done to, where that can be said: a kind, and a name that has been checked. */
  target: string | undefined

  /** Filled in by policy. */
  credentialId: string | undefined
  policy: PolicyDecision | undefined
  /** Filled in by guards; undefined where the stage has not run. */
  guarded: readonly GuardNote[] | undefined
  /** What replay keeps until the call is settled; nobody else looks at it. */
  replay: unknown
  /** Id of the call whose answer this one repeats. */
  replayOf: string | undefined
  /** Filled in by replay: the idempotency key that the backend gets, which no other caller can have. */
  backendKey: string | undefined
  /** Filled in by approval, and by the person's decision. */
  approval: ApprovalNote | undefined
  /** What limits has reserved; settled when the call is closed. */
  reservation: unknown
  /** Milliseconds that the backend may take, where a limit is shorter than the tool's own deadline. */
  deadline: number | undefined
  /** Filled in by credentials: what goes to the backend with the call, and what replaces the keys of the service in the answer. */
  credential: Credential | undefined
  held: Redactor | undefined

  /** What the records say of the contents, and the receipt repeats: a keyed digest that is equal for equal requests, salted ones, and their salts (base64url). */
  requestDigest: string | undefined
  argsDigest: string | undefined
  argsSalt: string | undefined
  resultDigest: string | undefined
  /** Of the result before credentials were replaced in it, where they were. */
  resultDigestRaw: string | undefined
  resultSalt: string | undefined
  /** `hash` of the decision record. */
  recordHash: string | undefined
  receipt: Receipt | undefined

  /** Filled in by backend and shape. */
  backendStatus: number | undefined
  backendRequestId: string | undefined
  reply: BackendReply | undefined
  result: ToolResult | undefined
  /** Filled in by scan; undefined where the stage has not run. */
  scanned: readonly ScanNote[] | undefined

  /** Set when the decision has been recorded: from then on there is an outcome to record. */
  decided: boolean
  /** Where the call stands, and what ended it early. */
  stage: StageName
  denial: Denial | undefined
  /** Set when the caller has gone away. */
  gone: boolean
  /** What can be given up when the caller goes away. */
  underWay: { abandon(): void } | undefined
  progress: ProgressSink | undefined
  /** Number of each stage that has ended (core/stages.ts) and the monotonic milliseconds then, in turn; undefined where nobody measures. */
  marks: number[] | undefined
  /** What tracing keeps with the call, and what the rim does; nobody else looks at it. */
  span: unknown
  rim: unknown
}

export interface CallOrigin {
  id: string
  startedAt: number
  startedTick: number
  channel: 'http' | 'stdio'
  peer: string
  principal: Principal
  runtime: Runtime
  request?: HttpRequest
}

const NO_CREDENTIALS: readonly string[] = []

/** Opens a call; every member exists from the start, so that all calls have one shape. */
export function openCall(origin: CallOrigin): Call {
  return {
    id: origin.id,
    startedAt: origin.startedAt,
    startedTick: origin.startedTick,
    channel: origin.channel,
    peer: origin.peer,
    request: origin.request,
    runtime: origin.runtime,
    requestId: origin.id,
    traceparent: undefined,
    tracestate: undefined,
    ambientTrace: undefined,
    principal: origin.principal,
    surface: undefined,
    mcpMethod: undefined,
    message: undefined,
    other: undefined,
    toolName: '',
    arguments: {},
    bytesIn: 0,
    idempotencyKey: undefined,
    tool: undefined,
    prepared: undefined,
    module: undefined,
    method: undefined,
    effect: undefined,
    credentials: NO_CREDENTIALS,
    ownRedactor: undefined,
    action: undefined,
    target: undefined,
    credentialId: undefined,
    policy: undefined,
    guarded: undefined,
    replay: undefined,
    replayOf: undefined,
    backendKey: undefined,
    approval: undefined,
    reservation: undefined,
    deadline: undefined,
    credential: undefined,
    held: undefined,
    requestDigest: undefined,
    argsDigest: undefined,
    argsSalt: undefined,
    resultDigest: undefined,
    resultDigestRaw: undefined,
    resultSalt: undefined,
    recordHash: undefined,
    receipt: undefined,
    backendStatus: undefined,
    backendRequestId: undefined,
    reply: undefined,
    result: undefined,
    scanned: undefined,
    decided: false,
    stage: 'transport',
    denial: undefined,
    gone: false,
    underWay: undefined,
    progress: undefined,
    marks: undefined,
    span: undefined,
    rim: undefined,
  }
}

/** A stage's answer: nothing = go on, or the denial that ends the call. Faults are thrown. */
export type Verdict = Denial | undefined
export type Stage = (call: Call) => Verdict | Promise<Verdict>
