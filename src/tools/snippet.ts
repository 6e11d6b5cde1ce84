// ductape_generate_snippet: a payload as above and SDK source code for it, written here (seed 001, ductape-backend.md 6).
import { deny } from '../core/denials.ts'
import { createRedactor } from '../core/redact.ts'
import type { ToolDefinition } from '../core/tool.ts'
import type { CredentialMode } from '../credentials/index.ts'
import { type ArgumentRow, inputSchema, prepareArguments, rowsFor } from './arguments.ts'
import { generateFailure } from './failure.ts'
import {
  GENERATE_ANNOTATIONS,
  GENERATE_ARGUMENTS,
  type GenerateOptions,
  generateOperation,
  generateRequest,
  PAYLOAD_SCHEMA,
  payloadAndMeta,
} from './payload.ts'
import { findOperation, writeSnippet } from './snippet/index.ts'

const ARGUMENTS: readonly ArgumentRow[] = [
  ...GENERATE_ARGUMENTS,
  {
    name: 'language',
    type: 'string',
    required: false,
    enum: ['typescript', 'python'],
    default: 'typescript',
    description: 'typescript (default) or python',
  },
]

const DESCRIPTION = `Generate ready-to-copy Ductape SDK code, in TypeScript or Python, together with the payload it is built on. Nothing is executed, and the code holds no keys.

Use it to hand an engineer copy-paste SDK code or to scaffold integration boilerplate. To run a live operation use ductape_execute; for the payload alone use ductape_generate_payload.`

export function createSnippet(options: GenerateOptions, mode: CredentialMode): ToolDefinition {
  const rows = rowsFor(mode, ARGUMENTS)
  const check = prepareArguments(mode, rows)
  return {
    declaration: {
      name: 'ductape_generate_snippet',
      title: 'Generate a Ductape code snippet',
      description: DESCRIPTION,
      inputSchema: inputSchema(rows),
      outputSchema: {
        type: 'object',
        properties: {
          payload: PAYLOAD_SCHEMA,
          snippet: { type: 'string', description: 'TypeScript or Python source code' },
        },
        required: ['payload', 'snippet'],
      },
      annotations: { title: 'Generate a Ductape code snippet', ...GENERATE_ANNOTATIONS },
    },
    credentialArguments: ['public_key'],
    validate: (args) => {
      const checked = check(args)
      if (!checked.ok) return checked.denial
      const { values, credentials } = checked
      const { text } = createRedactor(credentials)
      const found = findOperation(
        text(values['operation_family'] as string),
        text(values['method'] as string),
      )
      if (!found.ok) return deny('operation_unsupported', found.message)
      return {
        operation: generateOperation(values),
        credentials,
        arguments: values,
        text: JSON.stringify(values),
        request: (credential) => generateRequest(values, credential, options.timeout),
        answer: (data) => {
          const generated = payloadAndMeta(data)
          const language = values['language'] as 'typescript' | 'python'
          const value = {
            payload: generated,
            snippet: writeSnippet(language, found.operation, generated.payload),
          }
          return {
            content: [{ type: 'text', text: JSON.stringify(value, null, 2) }],
            value,
            structuredContent: value,
          }
        },
      }
    },
    failure: generateFailure,
  }
}
