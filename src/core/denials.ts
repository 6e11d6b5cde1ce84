// The closed table of everything that ends a call early: code, stage, forms, sentence and what the reader should do (design.md 5, "Refusals").

/** Names of the stages, the same string in spans, metrics, records and documents. */
export type StageName =
  | 'transport'
  | 'identity'
  | 'protocol'
  | 'resolve'
  | 'validate'
  | 'policy'
  | 'guards'
  | 'replay'
  | 'limits'
  | 'approval'
  | 'record'
  | 'credentials'
  | 'backend'
  | 'shape'
  | 'scan'

/**
 * How a refusal looks over MCP: `http` = an HTTP status with a JSON-RPC error, `error` = a JSON-RPC error under HTTP 200,
 * `result` = a tool result with isError.
 */
export type DenialForm = 'http' | 'error' | 'result'

export interface DenialRow {
  stage: StageName
  /** Status of the REST answer, and of the MCP answer where form is `http`. */
  status: number
  form: DenialForm
  /** JSON-RPC error code; our own start at -31000, outside the reserved range of JSON-RPC 2.0. */
  rpc: number
  /** Exit code of a command that ends with it. */
  exit: 1 | 2
  retryable: boolean
  /** Public sentence; `{detail}` is filled with words of ours or with a value that has been made safe to show. */
  text: string
  /** What the reader should do. */
  remedy: string
  /** A sentence of the seeds: shown without its code in front. */
  bare?: true
}

const row = (
  stage: StageName,
  status: number,
  form: DenialForm,
  rpc: number,
  retryable: boolean,
  text: string,
  remedy: string,
): DenialRow => ({ stage, status, form, rpc, exit: 1, retryable, text, remedy })

const PARSE_ERROR = -32700
const INVALID_REQUEST = -32600
const INVALID_PARAMS = -32602
const INTERNAL_ERROR = -32603

// biome-ignore format: a table, one row a line
export const DENIALS = {
  http_malformed: row('transport', 400, 'http', INVALID_REQUEST, false, 'The request is not valid HTTP/1.1.', 'Use a standard HTTP client; send each header once and end lines with CR LF.'),
  headers_too_large: row('transport', 431, 'http', -31001, false, 'The request headers are too large.', 'Send fewer or shorter headers; all together have to stay under 16 KiB.'),
  request_timeout: row('transport', 408, 'http', -31002, true, 'The request did not arrive in time.', 'Send the whole request at once, or raise http.headersTimeout and http.bodyTimeout.'),
  draining: row('transport', 503, 'http', -31003, true, 'This replica is shutting down.', 'Repeat the request; another replica will take it.'),
  path_unknown: row('transport', 404, 'http', -31004, false, 'There is nothing at this path.', 'POST to /mcp, or see /openapi.json for the REST paths.'),
  method_not_allowed: row('transport', 405, 'http', -31005, false, 'This path does not take this HTTP method.', 'Use the method that the Allow header names. /mcp takes POST only: there is no event stream to open and no session to delete.'),
  host_not_allowed: row('transport', 403, 'http', -31006, false, 'The Host header names a host that this service does not serve.', 'Set publicUrl, or add the host to http.allowedHosts.'),
  origin_not_allowed: row('transport', 403, 'http', -31007, false, 'Requests from this web origin are not allowed.', 'Add the origin to http.allowedOrigins if a browser client of yours needs it.'),
  header_repeated: row('transport', 400, 'http', INVALID_REQUEST, false, 'The header {detail} was sent more than once.', 'Send it once.'),
  media_type_unsupported: row('transport', 415, 'http', -31008, false, 'The body must be sent as Content-Type: application/json.', 'Set the Content-Type header.'),
  encoding_unsupported: row('transport', 415, 'http', -31009, false, 'The body must not be compressed.', 'Send it without Content-Encoding.'),
  not_acceptable: row('transport', 406, 'http', -31010, false, 'The Accept header leaves no answer that this service can give.', 'Send Accept: application/json, text/event-stream.'),
  body_too_large: row('transport', 413, 'http', -31011, false, 'The request body is larger than {detail}.', 'Send less at once, or raise http.maxBody.'),
  body_incomplete: row('transport', 400, 'http', INVALID_REQUEST, true, 'The request body ended early.', 'Repeat the request.'),
  peer_rate_limited: row('transport', 429, 'http', -31013, true, 'Too many requests from this peer.', 'Wait as long as Retry-After says; the operator can raise http.peerRate.'),
  token_missing: row('identity', 401, 'http', -31050, false, 'This service needs an access token, an API key or a client certificate.', 'Send Authorization: Bearer with a token for this service; the WWW-Authenticate header says where to get one.'),
  authorization_malformed: row('identity', 400, 'http', -31051, false, 'The Authorization header is not valid: {detail}.', 'Send one header of the form Authorization: Bearer TOKEN.'),
  token_in_query: row('identity', 400, 'http', -31052, false, 'A credential was sent in the query of the URL, where logs and proxies keep it. It is never read from there.', 'Send it in the Authorization header, and have this credential revoked.'),
  token_invalid: row('identity', 401, 'http', -31053, false, 'The access token was refused: {detail}.', 'Get a new token for this service from its authorization server.'),
  token_revoked: row('identity', 401, 'http', -31054, false, 'This credential has been revoked.', 'Ask the operator of this service.'),
  key_invalid: row('identity', 401, 'http', -31055, false, 'The API key is not known, has expired or was revoked.', 'Ask the operator for a key; ductape-mcp key list shows those that exist.'),
  certificate_refused: row('identity', 401, 'http', -31056, false, 'The client certificate was refused: {detail}.', 'Use a certificate that the operator has mapped to a caller.'),
  credential_missing: row('identity', 401, 'http', -31057, false, 'This service asks for more than one proof of identity, and one is missing: {detail}.', 'Send both; auth.require names them.'),
  identity_conflict: row('identity', 401, 'http', -31058, false, 'The token and the client certificate belong to different tenants.', 'Use a token and a certificate of the same tenant.'),
  proof_invalid: row('identity', 401, 'http', -31059, false, 'The token is bound to its sender, and the proof was refused: {detail}.', 'Send the proof that the token is bound to: a fresh DPoP proof (RFC 9449) or the client certificate (RFC 8705).'),
  proof_nonce: row('identity', 401, 'http', -31060, true, 'The DPoP proof needs the nonce of this service.', 'Repeat the request with the nonce of the DPoP-Nonce header in the proof.'),
  issuer_unavailable: row('identity', 503, 'http', -31061, true, 'The keys of the authorization server could not be fetched, so the token cannot be checked.', 'Repeat the request later; the operator can run ductape-mcp doctor.'),
  store_unavailable: row('identity', 503, 'http', -31062, true, 'The shared store cannot be reached, and without it this request cannot be judged.', 'Repeat the request later.'),
  scope_insufficient: row('policy', 403, 'http', -31063, false, 'This operation needs the scope {detail}.', 'Get a token with that scope.'),
  admin_invalid: row('protocol', 400, 'http', -31064, false, 'The request is not valid: {detail}.', 'See the description of this path in /openapi.json.'),
  json_malformed: row('protocol', 400, 'http', PARSE_ERROR, false, 'The body is not valid JSON: {detail}.', 'Send one JSON value in UTF-8.'),
  json_not_exact: row('protocol', 400, 'http', -31012, false, 'The body is JSON that two readers could understand differently: {detail}.', 'Name each member once, send long numbers as strings and nest less than 64 levels.'),
  batch_unsupported: row('protocol', 400, 'http', INVALID_REQUEST, false, 'JSON-RPC batches are not part of this protocol.', 'Send one message per request.'),
  message_invalid: row('protocol', 400, 'http', INVALID_REQUEST, false, 'The body is not a JSON-RPC 2.0 request or notification: {detail}.', 'Send {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{...}}.'),
  header_mismatch: row('protocol', 400, 'http', -32020, false, 'The HTTP headers and the body do not say the same: {detail}.', 'From 2026-07-28 on, send MCP-Protocol-Version, Mcp-Method and Mcp-Name with the values of the body.'),
  envelope_invalid: row('protocol', 400, 'http', INVALID_PARAMS, false, 'The request metadata is not complete: {detail}.', 'From 2026-07-28 on, params._meta has to carry the protocol version and the client capabilities.'),
  capability_missing: row('protocol', 400, 'http', -32021, false, 'The call needs input from the client, and the client did not declare that it can give it.', 'Declare the capabilities that data.requiredCapabilities names, or use a client that has them.'),
  version_unsupported: row('protocol', 400, 'http', -32022, false, 'This protocol version is not supported; supported are {detail}.', 'Use one of the supported versions.'),
  mcp_refused: row('protocol', 400, 'http', INVALID_REQUEST, false, 'The MCP message was refused.', 'Read the JSON-RPC error of the answer.'),
  params_invalid: row('protocol', 400, 'error', INVALID_PARAMS, false, 'The parameters of tools/call are not valid: {detail}.', 'Send params with name (a string) and arguments (an object).'),
  arguments_not_object: row('protocol', 400, 'http', INVALID_PARAMS, false, 'The body of this path is the object of the tool arguments.', 'Send a JSON object.'),
  tool_unknown: row('resolve', 404, 'error', INVALID_PARAMS, false, 'Unknown tool: {detail}', 'List the tools with tools/list or GET /v1/tools.'),
  not_authenticated: { ...row('validate', 400, 'result', -31020, false, 'Not authenticated. Please provide the `publishable_key` in your tool invocation arguments.', 'Pass the publishable key of your workspace as `publishable_key` with every call.'), bare: true,
  },
  argument_unknown: row('validate', 400, 'result', -31021, false, 'This tool has no argument named {detail}.', 'Leave it out; tools/list shows the arguments.'),
  argument_missing: row('validate', 400, 'result', -31022, false, 'The argument {detail} is required.', 'Add it; tools/list shows the arguments.'),
  argument_invalid: row('validate', 400, 'result', -31023, false, 'The argument {detail}.', 'Correct it; tools/list shows the arguments.'),
  credential_malformed: row('validate', 400, 'result', -31024, false, 'The argument {detail} cannot be a Ductape key: a key has 12 to 512 visible ASCII characters.', 'Pass the key as the Ductape console shows it.'),
  module_unknown: row('validate', 400, 'result', -31025, false, 'Ductape has no module of this name. {detail}', 'Read the resource ductape://catalogue for the modules.'),
  method_unknown: row('validate', 400, 'result', -31026, false, 'This module has no method of this name. {detail}', 'Read the resource ductape://catalogue/{module} for the methods of a module.'),
  operation_unsupported: { ...row('validate', 400, 'result', -31027, false, '{detail}', 'Use one of the operations that the message lists.'), bare: true,
  },
  credential_not_accepted: row('validate', 400, 'result', -31028, false, 'This service holds the Ductape keys itself; the argument {detail} is not accepted.', 'Leave it out, and never send keys to this service.'),
  policy_missing: row('policy', 403, 'result', -31070, false, 'This service has no policy yet, so every call is refused.', 'Ask the operator to write live/policy.yaml; ductape-mcp policy check shows what is missing.'),
  policy_denied: { ...row('policy', 403, 'result', -31071, false, 'Access denied: {detail}.', 'Ask the operator for a role that permits it; ductape-mcp policy explain shows which rule decides.'), bare: true },
  policy_failed: row('policy', 403, 'result', -31072, false, 'The policy could not be evaluated for this call, so it is refused.', 'Ask the operator to run ductape-mcp policy explain with this call.'),
  credential_not_allowed: row('policy', 403, 'result', -31073, false, 'This Ductape key does not belong to the caller.', 'Use a key of your own workspace; the operator lists the allowed ones in credentials.tenants.'),
  killed: row('policy', 503, 'result', -31075, false, 'An operator has switched off {detail}.', 'Ask the operator; the kill switch says why and until when.'),
  sql_refused: row('guards', 403, 'result', -31090, false, 'The SQL text is refused: {detail}.', 'Use the structured form of the method, or a plain SELECT; docs/operate/guards.md says what a text may hold.'),
  sql_unparsable: row('guards', 403, 'result', -31091, false, 'The SQL text cannot be shown to only read: {detail}.', 'Write it in the common subset of docs/operate/guards.md, or use the structured form of the method.'),
  cypher_refused: row('guards', 403, 'result', -31092, false, 'The Cypher text is refused: {detail}.', 'Use the structured methods of the module, or only the clauses that read; docs/operate/guards.md lists them.'),
  path_refused: row('guards', 403, 'result', -31093, false, 'The path in {detail}.', 'Send a plain relative path, such as reports/2026/may.csv.'),
  url_refused: row('guards', 403, 'result', -31094, false, 'The URL in {detail}.', 'Use a host that the operator has allowed in live/policy.yaml.'),
  secret_reference_refused: row('guards', 403, 'result', -31095, false, 'The argument {detail} holds a secret reference, which this operation does not take.', 'Leave out $Secret{...}, or ask the operator to allow it in live/policy.yaml.'),
  idempotency_key_invalid: row('replay', 400, 'result', -31100, false, 'The idempotency key is not valid: {detail}.', 'Send 1 to 128 visible ASCII characters, best a new UUID for each operation.'),
  idempotency_key_required: row('replay', 400, 'result', -31101, false, 'This operation needs an idempotency key.', 'Send the header Idempotency-Key, or params._meta["app.ductape/idempotency-key"], with a new UUID; keep it when you repeat the call.'),
  idempotency_key_reused: row('replay', 422, 'result', -31102, false, 'This idempotency key belongs to another request of yours.', 'Use a new key for each operation; a repetition has the same tool and arguments.'),
  in_progress: row('replay', 409, 'result', -31103, true, 'A call with this idempotency key is still running.', 'Repeat the call with the same key later; the answer will be that of the first call.'),
  already_executed: row('replay', 409, 'result', -31104, false, 'The call with this idempotency key has been, or may have been, sent to the backend already, and its answer is not kept.', 'Look at its effect; do not repeat it under another key before.'),
  approval_required: row('approval', 403, 'result', -31110, true, 'A person has to approve this call first: {detail}', 'Have it approved at that address, then repeat the same call.'),
  approval_denied: row('approval', 403, 'result', -31111, false, 'A person has refused this call{detail}.', 'Do not repeat it; ask the person who refused it.'),
  approval_backlog: row('approval', 429, 'result', -31112, true, 'Too many calls of {detail} wait for an approval.', 'Wait until some are decided or have expired.'),
  approval_too_large: row('approval', 413, 'result', -31113, false, 'The arguments are larger than {detail}, too large to be shown to the person who would approve them.', 'Send less at once.'),
  approval_unavailable: row('approval', 403, 'result', -31074, false, 'A rule demands the approval of a person for this call, and this service has no place where it could be given.', 'Ask the operator to set peopleUrl and auth.people, or to change the rule.'),
  state_invalid: row('protocol', 400, 'error', INVALID_PARAMS, false, 'The requestState was not given for this call.', 'Send back the requestState of the last answer as it was, with the same call; or leave it out.'),
  approval_unknown: row('approval', 404, 'http', -31114, false, 'There is no such approval.', 'It may have expired, been used, or belong to others; list those that wait.'),
  approval_decided: row('approval', 409, 'http', -31115, false, 'This approval has been decided already.', 'List those that wait.'),
  approver_refused: row('approval', 403, 'http', -31116, false, 'You cannot decide this approval: {detail}.', 'Another person of the same tenant has to.'),
  rate_limited: row('limits', 429, 'result', -31080, true, 'Too many calls: the rate of {detail} is used up.', 'Wait as long as retryAfterMs says.'),
  concurrency_limited: row('limits', 429, 'result', -31081, true, 'Too many calls at the same time for {detail}.', 'Wait for one of them to end.'),
  executions_exhausted: row('limits', 429, 'result', -31082, true, 'The executions of {detail} are used up for now.', 'Wait as long as retryAfterMs says.'),
  tokens_exhausted: row('limits', 429, 'result', -31083, true, 'The token budget of {detail} is used up for now.', 'Wait as long as retryAfterMs says, and ask for less at once.'),
  audit_unavailable: row('record', 503, 'result', -31085, true, 'This call could not be recorded, and nothing is done here without a record.', 'Repeat the call later; nothing was sent to the backend. The operator can look at the audit sink: its disk, or who reads it.'),
  credential_unavailable: row('credentials', 503, 'result', -31084, true, 'This service has no Ductape key for the tenant of this caller.', 'Ask the operator to mount one; nothing was sent to the backend.'),
  // The backend works and said no: a 5xx here would blame this service for a wrong key or a missing row.
  backend_refused: row('backend', 424, 'result', -31030, false, 'The Ductape backend answered with HTTP status {detail}.', 'Read the message of the backend below it: it refused the key, the method or the parameters.'),
  backend_failed: row('backend', 422, 'result', -31031, false, 'The Ductape backend reported a failure.', 'Read the message: the operation ran and failed.'),
  backend_busy: row('backend', 503, 'result', -31032, true, 'The Ductape backend answered with HTTP status {detail}.', 'Wait and repeat the call.'),
  backend_timeout: row('backend', 504, 'result', -31033, false, 'The Ductape backend gave no answer within {detail}. The operation may have taken effect.', 'Check its effect before you repeat it.'),
  backend_unreachable: row('backend', 502, 'result', -31034, true, 'The Ductape backend could not be reached; nothing was sent.', 'Repeat the call later; the operator can run `ductape-mcp doctor`.'),
  backend_interrupted: row('backend', 502, 'result', -31035, false, 'The connection to the Ductape backend broke before its answer was complete. The operation may have taken effect.', 'Check its effect before you repeat it.'),
  backend_malformed: row('backend', 502, 'result', -31036, false, 'The answer of the Ductape backend was not understood. The operation may have taken effect.', 'Check its effect; report it to the operator with the request id.'),
  backend_too_large: row('backend', 502, 'result', -31037, false, 'The answer of the Ductape backend is larger than {detail}. The operation may have taken effect.', 'Ask for less: select fewer fields, or use limit and offset.'),
  cancelled: row('backend', 499, 'result', -31038, true, 'The caller went away before the call was sent.', 'Repeat the call.'),
  result_too_large: row('shape', 502, 'result', -31040, false, 'The result is larger than {detail}. The operation took effect.', 'Ask for less: select fewer fields, or use limit and offset.'),
  result_blocked: row('scan', 502, 'result', -31041, false, 'The result holds {detail}, which must not leave this service. The operation took effect.', 'Ask for less: select only the fields that are needed, or ask the operator about the scan rules.'),
  internal_error: row('shape', 500, 'http', INTERNAL_ERROR, false, 'The service failed on this request. It has been recorded.', 'Report it to the operator with the request id.'),
} satisfies Record<string, DenialRow>

export type DenialCode = keyof typeof DENIALS

/** An approval that a call waits for. */
export interface AskedApproval {
  id: string
  /** Page where a person decides. */
  url: string
  /** RFC 3339. */
  expiresAt: string
  /** Sealed; for `requestState`. */
  state: string
}

/** What every caller is shown of it. */
export const shownApproval = ({ id, url, expiresAt }: AskedApproval): Omit<AskedApproval, 'state'> => ({
  id,
  url,
  expiresAt,
})

/** A refusal or failure of one call. */
export interface Denial {
  code: DenialCode
  /** Fills `{detail}` of the public sentence. */
  detail?: string
  /** Message of the backend, already redacted, stripped and cut. */
  backendMessage?: string
  /** Status of the backend's answer, where there was one. */
  backendStatus?: number
  retryAfterMs?: number
  /** Headers of the HTTP answer, for `http` forms. */
  headers?: Record<string, string>
  /** Of `approval_required`: where it can be given, and what a client that can open a URL has to send back (2026-07-28, MRTR). */
  approval?: AskedApproval
  /** `data` of the JSON-RPC error, for `http` and `error` forms. */
  data?: unknown
}

export const deny = (code: DenialCode, detail?: string): Denial =>
  detail === undefined ? { code } : { code, detail }

export const denialRow = (denial: Denial): DenialRow => DENIALS[denial.code]

/** A lost store can refuse before a tool is known and after; from `resolve` on every refusal is a result of the tool (design.md 5). */
export const formOf = (denial: Denial, resolved: boolean): DenialForm =>
  resolved && denial.code === 'store_unavailable' ? 'result' : denialRow(denial).form

/** The public sentence, without code. */
export function denialSentence(denial: Denial): string {
  const { text } = denialRow(denial)
  // A function, because a detail may hold "$&", which a replacement string would expand.
  return text.includes('{detail}') ? text.replace('{detail}', () => denial.detail ?? '') : text
}

/** The sentence as a tool result shows it: `[code] sentence`, a seed's sentence bare. */
export function denialText(denial: Denial): string {
  return denialRow(denial).bare ? denialSentence(denial) : `[${denial.code}] ${denialSentence(denial)}`
}
