// The vocabulary of a tool: what it declares, what it asks of the backend and what it makes of the answer.
import type { Denial } from './denials.ts'
import type { PlainEnvelope } from './envelope.ts'
import type { Json, JsonObject } from './json.ts'
import type { Target } from './policy.ts'

/** What an operation does to the platform, from the catalogue (ductape-backend.md 9.3). */
export type Effect = 'read' | 'write' | 'destructive' | 'admin'

/** Hints of the protocol; all four are mandatory here, because an absent hint is a silent gap (mcp.md 6). */
export interface ToolAnnotations {
  title: string
  readOnlyHint: boolean
  destructiveHint: boolean
  idempotentHint: boolean
  openWorldHint: boolean
}

/** What tools/list publishes. */
export interface ToolDeclaration {
  name: string
  title: string
  description: string
  inputSchema: JsonObject
  outputSchema?: JsonObject
  annotations: ToolAnnotations
}

/** A Ductape credential with the ids that belong to it (seed 001); in mode `passthrough` the tool takes it from the arguments. */
export interface Credential {
  readonly publishableKey: string | undefined
  readonly publicKey: string | undefined
  readonly workspaceId: string | undefined
  readonly userId: string | undefined
}

/** What the call would do, as far as the arguments tell; the values come from the catalogue, never from the caller's free text. */
export interface Operation {
  module: string | undefined
  method: string | undefined
  effect: Effect
  /** The catalogue's effect, where arguments have raised it: a deny rule for that one still holds. */
  base?: Effect
  /** The effect of a raw text among the arguments that the guards have not shown to be harmless; they take this away or raise `effect` to it. */
  unproven?: Effect | undefined
  env: Target
  product: Target
  path: Target
}

/** One POST to the backend. */
export interface BackendRequest {
  path: '/proxy/v1/sdk-proxy/execute' | '/integrations/v1/payloads/generate'
  /** Header that carries the credential. */
  keyHeader: 'x-publishable-key' | 'x-access-key'
  credential: string
  /** The credential stands in the body instead of the header. */
  credentialInBody: boolean
  /** The body as JSON text. */
  body: string
  /** Deadline in milliseconds. */
  timeout: number
  /** A generate call has no effect, so it is abandoned when its caller goes away (mcp.md 10.5). */
  abandonable: boolean
}

export interface ContentBlock {
  type: string
  [member: string]: unknown
}

/** What a tool answers; `value` is the answer of the REST path. */
export interface ToolResult {
  /** JSON texts of content and value that were made from the backend's own text; `content` and `value` are then not filled in. */
  written?: { content: string; value(): string }
  content: readonly ContentBlock[]
  value: unknown
  structuredContent?: unknown
  /** Members for `_meta` of an MCP result, as JSON text. */
  meta?: string
  isError?: true
  /** 2026-07-28: the call needs input first (MRTR); the client repeats it with the answers and the state. */
  inputRequired?: { inputRequests?: JsonObject; requestState?: string }
}

/** A call whose arguments have been checked. */
export interface PreparedCall {
  operation: Operation
  /** Credentials among the arguments; empty where they are injected. */
  credentials: readonly string[]
  /** The arguments without credentials: what conditions and digests see. */
  arguments: JsonObject
  /** The same as JSON text, written once for whoever measures or sends it. */
  text: string
  /** The same in canonical form; absent where nothing is known that would make it cheaper than `canonical(arguments)`. */
  canonical?(): string
  request(credential: Credential): BackendRequest
  /** Makes the result of the `data` of the backend's answer. Throws TypeError where the shape is not the tool's. */
  answer(data: Json): ToolResult
  /** The same from a plain answer, without parsing it; absent where a tool has to look inside. */
  answerPlain?(envelope: PlainEnvelope): ToolResult
}

/** A tool is a self-describing value; adding one is a file and a line in tools/index.ts. */
export interface ToolDefinition {
  declaration: ToolDeclaration
  /** Names of the arguments that hold credentials. */
  credentialArguments: readonly string[]
  /** Checks the arguments and fills in defaults. */
  validate(args: JsonObject): PreparedCall | Denial
  /** Text of a failed result, in the words of seed 001. */
  failure(denial: Denial): string
}
