// The OpenAPI 3.1 description of the REST interface, generated from the tools and the denials table.
import { DENIALS } from '../core/denials.ts'
import type { JsonObject } from '../core/json.ts'
import type { ToolDeclaration } from '../core/tool.ts'

export interface OpenApiOptions {
  tools: readonly ToolDeclaration[]
  version: string
  publicUrl: string | undefined
}

const JSON_TYPE = 'application/json'
const PROBLEM_TYPE = 'application/problem+json'

export function openApi({ tools, version, publicUrl }: OpenApiOptions): JsonObject {
  const paths: JsonObject = {
    '/v1/tools': {
      get: {
        operationId: 'listTools',
        summary: 'The tools with their argument and result schemas',
        responses: {
          '200': {
            description: 'The tools',
            content: { [JSON_TYPE]: { schema: { $ref: '#/components/schemas/ToolList' } } },
          },
          default: { $ref: '#/components/responses/Problem' },
        },
      },
    },
  }
  for (const tool of tools) paths[`/v1/tools/${tool.name}`] = { post: operation(tool) }
  return {
    openapi: '3.1.0',
    info: {
      title: 'ductape-mcp',
      version,
      summary: 'Ductape tools for AI agents, over REST',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    ...(publicUrl !== undefined && { servers: [{ url: publicUrl }] }),
    paths,
    components: {
      schemas: { ToolList: TOOL_LIST, Problem: problemSchema() },
      responses: {
        Problem: {
          description: 'The call was refused or failed; `code` says why',
          headers: {
            'X-Request-Id': {
              description: 'Id of the request, also in the audit record',
              schema: { type: 'string' },
            },
          },
          content: { [PROBLEM_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
    },
  }
}

function operation(tool: ToolDeclaration): JsonObject {
  return {
    operationId: tool.name,
    summary: tool.title,
    description: tool.description,
    parameters: [
      {
        name: 'X-Request-Id',
        in: 'header',
        required: false,
        description: 'A UUID of yours; it comes back and goes on to the backend',
        schema: { type: 'string', format: 'uuid' },
      },
      {
        name: 'traceparent',
        in: 'header',
        required: false,
        description: 'W3C Trace Context',
        schema: { type: 'string' },
      },
    ],
    requestBody: { required: true, content: { [JSON_TYPE]: { schema: withoutDialect(tool.inputSchema) } } },
    responses: {
      '200': {
        description:
          tool.outputSchema === undefined
            ? 'The JSON value that the operation returned; null for none'
            : 'The result',
        content: { [JSON_TYPE]: { schema: tool.outputSchema ?? {} } },
      },
      default: { $ref: '#/components/responses/Problem' },
    },
  }
}

// OpenAPI 3.1 fixes the dialect for the whole document.
function withoutDialect({ $schema: _, ...schema }: JsonObject): JsonObject {
  return schema
}

const TOOL_LIST: JsonObject = {
  type: 'object',
  required: ['tools'],
  properties: {
    tools: {
      type: 'array',
      items: {
        type: 'object',
        required: ['name', 'title', 'description', 'inputSchema', 'annotations'],
        properties: {
          name: { type: 'string' },
          title: { type: 'string' },
          description: { type: 'string' },
          inputSchema: { type: 'object' },
          outputSchema: { type: 'object' },
          annotations: { type: 'object' },
        },
      },
    },
  },
}

const problemSchema = (): JsonObject => ({
  type: 'object',
  description: 'RFC 9457 problem details',
  required: ['type', 'title', 'status', 'detail', 'code', 'retryable', 'requestId'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'What happened, in the words that an MCP caller reads' },
    code: { type: 'string', enum: Object.keys(DENIALS) },
    retryable: { type: 'boolean' },
    retryAfterMs: { type: 'integer' },
    requestId: { type: 'string' },
    remedy: { type: 'string', description: 'What to do' },
  },
})
