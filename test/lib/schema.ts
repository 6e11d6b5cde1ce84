// Says where a value does not fit a JSON Schema, by the keywords that our own schemas use; an unknown keyword throws.
import { accepts } from '../config/json-schema-check.ts'

type Schema = Readonly<Record<string, unknown>>

/** Undefined where the value fits; else the deepest member that does not, for a message. */
export function misfit(schema: Schema, value: unknown, path = '$'): string | undefined {
  if (accepts(schema, value)) return undefined
  const properties = schema['properties'] as Record<string, Schema> | undefined
  if (properties !== undefined && typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      const inner = properties[name]
      if (inner === undefined) return `${path}.${name} is not in the schema`
      const found = misfit(inner, member, `${path}.${name}`)
      if (found !== undefined) return found
    }
    for (const name of (schema['required'] ?? []) as string[])
      if (!Object.hasOwn(value, name)) return `${path}.${name} is missing`
  }
  const branches = schema['anyOf'] as Schema[] | undefined
  const kind = (value as { type?: unknown } | null)?.type
  const branch = branches?.find(
    (item) => (item['properties'] as Record<string, Schema> | undefined)?.['type']?.['const'] === kind,
  )
  return branch === undefined ? `${path} is ${JSON.stringify(value)}` : misfit(branch, value, path)
}
