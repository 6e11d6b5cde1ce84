// Types of the REST interface of ductape-mcp. Generated from docs/reference/openapi.json by `npm run generate`. Do not edit.

export interface ToolList {
  tools: {
    name: string
    title: string
    description: string
    inputSchema: Record<string, unknown>
    outputSchema?: Record<string, unknown>
    annotations: Record<string, unknown>
  }[]
}

export interface ApprovalSummary {
  /** Names the approval; it gives no right */
  id: string
  /** Who asks */
  requester: {
    id: string
    method: string
    subject: string
    issuer?: string
    client?: string
    /** Who answers for its API key */
    owner?: string
    /** Who acts for the subject, the newest first */
    actors: string[]
  }
  tenant?: string
  tool: string
  module?: string
  method?: string
  effect: 'read' | 'write' | 'destructive' | 'admin'
  /** Sentences for people */
  risks: string[]
  /** Names the Ductape key of the call; not the key */
  credentialId?: string
  /** What the approval is bound to */
  requestDigest: string
  /** Rule of the policy that demands it */
  rule: string
  askedAt: string
  expiresAt: string
  /** False where this person is too near to who asks */
  mayDecide: boolean
}

export interface Approval {
  /** Names the approval; it gives no right */
  id: string
  /** Who asks */
  requester: {
    id: string
    method: string
    subject: string
    issuer?: string
    client?: string
    /** Who answers for its API key */
    owner?: string
    /** Who acts for the subject, the newest first */
    actors: string[]
  }
  tenant?: string
  tool: string
  module?: string
  method?: string
  effect: 'read' | 'write' | 'destructive' | 'admin'
  /** Sentences for people */
  risks: string[]
  /** Names the Ductape key of the call; not the key */
  credentialId?: string
  /** What the approval is bound to */
  requestDigest: string
  /** Rule of the policy that demands it */
  rule: string
  askedAt: string
  expiresAt: string
  /** False where this person is too near to who asks */
  mayDecide: boolean
  state: 'pending' | 'approved' | 'denied'
  /** Canonical JSON (RFC 8785) of all arguments but credentials, the text that the digest covers; not there once it is decided */
  arguments?: string
  now: string
}

/** RFC 9457 problem details */
export interface Problem {
  type: string
  title: string
  status: number
  /** What happened, in the words that an MCP caller reads */
  detail: string
  code: 'http_malformed' | 'headers_too_large' | 'request_timeout' | 'draining' | 'path_unknown' | 'method_not_allowed' | 'host_not_allowed' | 'origin_not_allowed' | 'header_repeated' | 'media_type_unsupported' | 'encoding_unsupported' | 'not_acceptable' | 'body_too_large' | 'body_incomplete' | 'peer_rate_limited' | 'token_missing' | 'authorization_malformed' | 'token_in_query' | 'token_invalid' | 'token_revoked' | 'key_invalid' | 'certificate_refused' | 'credential_missing' | 'identity_conflict' | 'proof_invalid' | 'proof_nonce' | 'issuer_unavailable' | 'store_unavailable' | 'scope_insufficient' | 'admin_invalid' | 'json_malformed' | 'json_not_exact' | 'batch_unsupported' | 'message_invalid' | 'header_mismatch' | 'envelope_invalid' | 'capability_missing' | 'version_unsupported' | 'mcp_refused' | 'params_invalid' | 'arguments_not_object' | 'tool_unknown' | 'not_authenticated' | 'argument_unknown' | 'argument_missing' | 'argument_invalid' | 'credential_malformed' | 'module_unknown' | 'method_unknown' | 'operation_unsupported' | 'credential_not_accepted' | 'policy_missing' | 'policy_denied' | 'policy_failed' | 'credential_not_allowed' | 'killed' | 'sql_refused' | 'sql_unparsable' | 'cypher_refused' | 'path_refused' | 'url_refused' | 'secret_reference_refused' | 'idempotency_key_invalid' | 'idempotency_key_required' | 'idempotency_key_reused' | 'in_progress' | 'already_executed' | 'approval_required' | 'approval_denied' | 'approval_backlog' | 'approval_too_large' | 'approval_unavailable' | 'state_invalid' | 'approval_unknown' | 'approval_decided' | 'approver_refused' | 'rate_limited' | 'concurrency_limited' | 'executions_exhausted' | 'tokens_exhausted' | 'audit_unavailable' | 'credential_unavailable' | 'backend_refused' | 'backend_failed' | 'backend_busy' | 'backend_timeout' | 'backend_unreachable' | 'backend_interrupted' | 'backend_malformed' | 'backend_too_large' | 'cancelled' | 'result_too_large' | 'result_blocked' | 'internal_error'
  retryable: boolean
  retryAfterMs?: number
  requestId: string
  /** What to do */
  remedy?: string
}

export interface DuctapeExecuteArguments {
  /** Workspace publishable key for authentication */
  publishable_key: string
  /** SDK module name */
  module: 'product' | 'app' | 'databases' | 'graph' | 'webhooks' | 'notifications' | 'messageBrokers' | 'storage' | 'vector' | 'caches' | 'sessions' | 'quotas' | 'actions' | 'features' | 'jobs' | 'logs' | 'resilience' | 'health' | 'fallback' | 'secrets'
  /** Method name; use dot notation for nested methods (e.g. schema.create, messages.query) */
  method: string
  /** Positional arguments matching the SDK signature. Defaults to []. */
  params?: unknown[]
}

export type DuctapeExecuteResult = unknown

export interface DuctapeGeneratePayloadArguments {
  /** Workspace ID */
  workspace_id: string
  /** User ID */
  user_id: string
  /** Workspace public key (sent as x-access-key) */
  public_key: string
  /** Product tag (e.g. ductape:my-product) */
  product_tag: string
  /** Environment slug (prd, stg, etc.) */
  env_slug: string
  /** Executable family */
  operation_family: string
  /** Execution method (run, dispatch, query, etc.) */
  method: string
  /** Component targeting (database tag, action tag, etc.) */
  targets?: Record<string, unknown>
  /** strict or best_effort (default: best_effort) */
  schema_mode?: 'strict' | 'best_effort'
  /** Include session tags/context (default: true) */
  include_session?: boolean
  /** Include cache tags/context (default: true) */
  include_cache?: boolean
  /** Optional schema/input hint for payload generation */
  input_hint?: Record<string, unknown>
}

export interface DuctapeGeneratePayloadResult {
  /** Canonical executable payload template */
  payload: Record<string, unknown>
  /** Schema context, validation info, warnings, inferred tags */
  meta: Record<string, unknown>
}

export interface DuctapeGenerateSnippetArguments {
  /** Workspace ID */
  workspace_id: string
  /** User ID */
  user_id: string
  /** Workspace public key (sent as x-access-key) */
  public_key: string
  /** Product tag (e.g. ductape:my-product) */
  product_tag: string
  /** Environment slug (prd, stg, etc.) */
  env_slug: string
  /** Executable family */
  operation_family: string
  /** Execution method (run, dispatch, query, etc.) */
  method: string
  /** Component targeting (database tag, action tag, etc.) */
  targets?: Record<string, unknown>
  /** strict or best_effort (default: best_effort) */
  schema_mode?: 'strict' | 'best_effort'
  /** Include session tags/context (default: true) */
  include_session?: boolean
  /** Include cache tags/context (default: true) */
  include_cache?: boolean
  /** Optional schema/input hint for payload generation */
  input_hint?: Record<string, unknown>
  /** typescript (default) or python */
  language?: 'typescript' | 'python'
}

export interface DuctapeGenerateSnippetResult {
  payload: {
    /** Canonical executable payload template */
    payload: Record<string, unknown>
    /** Schema context, validation info, warnings, inferred tags */
    meta: Record<string, unknown>
  }
  /** TypeScript or Python source code */
  snippet: string
}

/** Arguments and result of each tool. */
export interface Tools {
  ductape_execute: { arguments: DuctapeExecuteArguments; result: DuctapeExecuteResult }
  ductape_generate_payload: { arguments: DuctapeGeneratePayloadArguments; result: DuctapeGeneratePayloadResult }
  ductape_generate_snippet: { arguments: DuctapeGenerateSnippetArguments; result: DuctapeGenerateSnippetResult }
}

/** Where each tool is. */
export const PATHS = {
  ductape_execute: '/v1/tools/ductape_execute',
  ductape_generate_payload: '/v1/tools/ductape_generate_payload',
  ductape_generate_snippet: '/v1/tools/ductape_generate_snippet',
} as const satisfies Record<keyof Tools, string>
