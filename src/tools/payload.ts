// ductape_generate_payload: canonical payload templates from POST /integrations/v1/payloads/generate (seed 001, ductape-backend.md 5).
import { isObject, type Json, type JsonObject } from '../core/json.ts'
import type { BackendRequest, Credential, Operation, ToolDefinition, ToolResult } from '../core/tool.ts'
import type { CredentialMode } from '../credentials/index.ts'
import { type ArgumentRow, inputSchema, prepareArguments, rowsFor } from './arguments.ts'
import { generateFailure } from './failure.ts'

/** Arguments of both generate tools, with the words of seed 001. */
export const GENERATE_ARGUMENTS: readonly ArgumentRow[] = [
  { name: 'workspace_id', type: 'string', required: true, description: 'Workspace ID' },
  { name: 'user_id', type: 'string', required: true, description: 'User ID' },
  {
    name: 'public_key',
    type: 'string',
    required: true,
    credential: true,
    description: 'Workspace public key (sent as x-access-key)',
  },
  {
    name: 'product_tag',
    type: 'string',
    required: true,
    description: 'Product tag (e.g. ductape:my-product)',
  },
  { name: 'env_slug', type: 'string', required: true, description: 'Environment slug (prd, stg, etc.)' },
  { name: 'operation_family', type: 'string', required: true, description: 'Executable family' },
  {
    name: 'method',
    type: 'string',
    required: true,
    description: 'Execution method (run, dispatch, query, etc.)',
  },
  {
    name: 'targets',
    type: 'object',
    required: false,
    description: 'Component targeting (database tag, action tag, etc.)',
  },
  {
    name: 'schema_mode',
    type: 'string',
    required: false,
    enum: ['strict', 'best_effort'],
    default: 'best_effort',
    description: 'strict or best_effort (default: best_effort)',
  },
  {
    name: 'include_session',
    type: 'boolean',
    required: false,
    default: true,
    description: 'Include session tags/context (default: true)',
  },
  {
    name: 'include_cache',
    type: 'boolean',
    required: false,
    default: true,
    description: 'Include cache tags/context (default: true)',
  },
  {
    name: 'input_hint',
    type: 'object',
    required: false,
    description: 'Optional schema/input hint for payload generation',
  },
]

export interface GenerateOptions {
  timeout: number
}

const DESCRIPTION = `Generate the canonical executable payload template of a Ductape operation, with its schema context, validation info and warnings. Nothing is executed.

Use it to understand a payload's shape before coding. To run a live operation use ductape_execute; for copy-paste SDK code use ductape_generate_snippet.`

/** Schema of {payload, meta}: the keys inside are the backend's (ductape-backend.md 5). */
export const PAYLOAD_SCHEMA: JsonObject = {
  type: 'object',
  properties: {
    payload: { type: 'object', description: 'Canonical executable payload template' },
    meta: { type: 'object', description: 'Schema context, validation info, warnings, inferred tags' },
  },
  required: ['payload', 'meta'],
}

/** The POST of both generate tools; the defaults are sent explicitly, an absent optional argument is not. */
export function generateRequest(values: JsonObject, credential: Credential, timeout: number): BackendRequest {
  const { publicKey, workspaceId, userId } = credential
  if (publicKey === undefined || workspaceId === undefined || userId === undefined)
    throw new Error('a call without a whole public credential got past credentials')
  const { language: _, ...rest } = values
  return {
    path: '/integrations/v1/payloads/generate',
    keyHeader: 'x-access-key',
    credential: publicKey,
    credentialInBody: false,
    // The documented body repeats the public key; whether the backend needs that copy is not known, so it is sent (ductape-backend.md 5).
    body: JSON.stringify({ workspace_id: workspaceId, user_id: userId, public_key: publicKey, ...rest }),
    timeout,
    abandonable: true,
  }
}

/** The backend's `data` as {payload, meta}. Throws TypeError where either is missing. */
export function payloadAndMeta(data: Json): { payload: JsonObject; meta: JsonObject } {
  if (isObject(data) && isObject(data['payload']) && isObject(data['meta']))
    return { payload: data['payload'], meta: data['meta'] }
  throw new TypeError('the answer has no payload and meta')
}

export const GENERATE_ANNOTATIONS = {
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false,
}

/** What a generate call does: it reads; its family is the caller's text and stays out of records. */
export const generateOperation = (values: JsonObject): Operation => ({
  module: undefined,
  method: undefined,
  effect: 'read',
  env: [values['env_slug'] as string],
  product: [values['product_tag'] as string],
  path: NO_PATH,
})

const NO_PATH: readonly string[] = []

function answer(data: Json): ToolResult {
  const value = payloadAndMeta(data)
  return {
    content: [{ type: 'text', text: JSON.stringify(value, null, 2) }],
    value,
    structuredContent: value,
  }
}

export function createPayload(options: GenerateOptions, mode: CredentialMode): ToolDefinition {
  const rows = rowsFor(mode, GENERATE_ARGUMENTS)
  const check = prepareArguments(mode, rows)
  return {
    declaration: {
      name: 'ductape_generate_payload',
      title: 'Generate a Ductape payload',
      description: DESCRIPTION,
      inputSchema: inputSchema(rows),
      outputSchema: PAYLOAD_SCHEMA,
      annotations: { title: 'Generate a Ductape payload', ...GENERATE_ANNOTATIONS },
    },
    credentialArguments: ['public_key'],
    validate: (args) => {
      const checked = check(args)
      if (!checked.ok) return checked.denial
      const { values, credentials } = checked
      return {
        operation: generateOperation(values),
        credentials,
        arguments: values,
        text: JSON.stringify(values),
        request: (credential) => generateRequest(values, credential, options.timeout),
        answer,
      }
    },
    failure: generateFailure,
  }
}
