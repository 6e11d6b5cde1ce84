// Writes examples/client/types.ts: the types of the REST interface for a TypeScript client, from the OpenAPI description.
import type { Json, JsonObject } from '../../src/core/json.ts'
import { openApiDocument } from './openapi.ts'

export const CLIENT_TYPES_PATH = 'examples/client/types.ts'

const HEAD = `// Types of the REST interface of ductape-mcp. Generated from docs/reference/openapi.json by \`npm run generate\`. Do not edit.

`

interface ToolOperation {
  operationId: string
  path: string
  arguments: JsonObject
  result: JsonObject
}

export function clientTypesText(document: JsonObject = openApiDocument()): string {
  const operations = toolOperations(document)
  const schemas = (document['components'] as { schemas: Record<string, JsonObject> }).schemas
  const parts = Object.entries(schemas).map(([name, schema]) => declare(name, schema))
  for (const operation of operations) {
    const name = pascalCase(operation.operationId)
    parts.push(declare(`${name}Arguments`, operation.arguments), declare(`${name}Result`, operation.result))
  }
  const rows = operations.map(({ operationId }) => {
    const name = pascalCase(operationId)
    return `  ${operationId}: { arguments: ${name}Arguments; result: ${name}Result }\n`
  })
  const paths = operations.map(({ operationId, path }) => `  ${operationId}: ${quote(path)},\n`)
  parts.push(
    `/** Arguments and result of each tool. */\nexport interface Tools {\n${rows.join('')}}\n`,
    `/** Where each tool is. */\nexport const PATHS = {\n${paths.join('')}} as const satisfies Record<keyof Tools, string>\n`,
  )
  return `${HEAD}${parts.join('\n')}`
}

function toolOperations(document: JsonObject): ToolOperation[] {
  const paths = document['paths'] as Record<string, { post?: JsonObject }>
  return Object.entries(paths).flatMap(([path, { post }]) => {
    // Administration is no tool.
    if (post === undefined || !path.startsWith('/v1/tools/')) return []
    const body = post['requestBody'] as { content: Record<string, { schema: JsonObject }> }
    const responses = post['responses'] as Record<string, { content: Record<string, { schema: JsonObject }> }>
    return [
      {
        operationId: String(post['operationId']),
        path,
        arguments: jsonSchema(body.content),
        result: jsonSchema(responses['200']?.content ?? {}),
      },
    ]
  })
}

const jsonSchema = (content: Record<string, { schema: JsonObject }>): JsonObject =>
  content['application/json']?.schema ?? {}

function declare(name: string, schema: JsonObject): string {
  const doc = comment(schema['description'], '')
  return schema['type'] === 'object' && schema['properties'] !== undefined
    ? `${doc}export interface ${name} ${typeOf(schema, '')}\n`
    : `${doc}export type ${name} = ${typeOf(schema, '')}\n`
}

/** The TypeScript type of a schema; throws on a keyword whose meaning it would lose. */
function typeOf(schema: JsonObject, indent: string): string {
  for (const keyword of Object.keys(schema)) {
    if (!KNOWN.has(keyword))
      throw new Error(`the client generator does not know the schema keyword ${keyword}`)
  }
  const options = schema['enum']
  if (Array.isArray(options)) return options.map((option) => literal(option)).join(' | ')
  switch (schema['type']) {
    case 'string':
      return 'string'
    case 'integer':
    case 'number':
      return 'number'
    case 'boolean':
      return 'boolean'
    case 'array': {
      const items = typeOf((schema['items'] ?? {}) as JsonObject, indent)
      return /^[\w.]+$/.test(items) || items.endsWith('}') ? `${items}[]` : `(${items})[]`
    }
    case 'object':
      return objectType(schema, indent)
    default:
      return 'unknown'
  }
}

const KNOWN = new Set([
  'type',
  'enum',
  'items',
  'properties',
  'required',
  'additionalProperties',
  'description',
  'default',
  'minLength',
  'maxLength',
  'format',
])

function objectType(schema: JsonObject, indent: string): string {
  const properties = schema['properties'] as Record<string, JsonObject> | undefined
  if (properties === undefined) return 'Record<string, unknown>'
  const required = new Set((schema['required'] ?? []) as string[])
  const inner = `${indent}  `
  const members = Object.entries(properties).map(([name, property]) => {
    const key = /^[A-Za-z_]\w*$/.test(name) ? name : quote(name)
    return `${comment(property['description'], inner)}${inner}${key}${required.has(name) ? '' : '?'}: ${typeOf(property, inner)}\n`
  })
  return `{\n${members.join('')}${indent}}`
}

const literal = (value: Json): string => (typeof value === 'string' ? quote(value) : JSON.stringify(value))

const quote = (text: string): string =>
  `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`

const comment = (description: Json | undefined, indent: string): string =>
  typeof description === 'string'
    ? `${indent}/** ${description.replaceAll('*/', '* /').replaceAll('\n', ' ')} */\n`
    : ''

const pascalCase = (name: string): string =>
  name
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('')
