// The config file's JSON Schema (2020-12) for editors and the chart, generated from the zod sections.
import * as z from 'zod'
import { configSchema } from './schema.ts'

export function configJsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-2020-12' })
  return {
    $schema,
    title: 'ductape-mcp configuration',
    description: 'The static config file of ductape-mcp (config.yaml). Every key is optional.',
    ...schema,
  }
}
