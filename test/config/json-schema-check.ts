// The part of JSON Schema 2020-12 that the config schema uses; an unknown keyword throws, so that none goes unchecked.

type Schema = Readonly<Record<string, unknown>>

const ANNOTATIONS = new Set(['$schema', 'title', 'description', 'default'])

export function accepts(schema: Schema, value: unknown): boolean {
  return Object.entries(schema).every(([keyword, rule]) => {
    if (ANNOTATIONS.has(keyword)) return true
    const check = KEYWORDS[keyword]
    if (check === undefined) throw new Error(`unknown keyword ${keyword}`)
    return check(rule, value, schema)
  })
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function hasType(type: unknown, value: unknown): boolean {
  if (type === 'object') return isMap(value)
  if (type === 'array') return Array.isArray(value)
  if (type === 'integer') return Number.isInteger(value)
  return typeof value === type
}

const KEYWORDS: Readonly<Record<string, (rule: unknown, value: unknown, schema: Schema) => boolean>> = {
  type: hasType,
  const: (rule, value) => value === rule,
  enum: (rule, value) => (rule as unknown[]).includes(value),
  anyOf: (rule, value) => (rule as Schema[]).some((schema) => accepts(schema, value)),
  minimum: (rule, value) => typeof value !== 'number' || value >= Number(rule),
  maximum: (rule, value) => typeof value !== 'number' || value <= Number(rule),
  maxLength: (rule, value) => typeof value !== 'string' || [...value].length <= Number(rule),
  pattern: (rule, value) => typeof value !== 'string' || new RegExp(String(rule), 'u').test(value),
  maxItems: (rule, value) => !Array.isArray(value) || value.length <= Number(rule),
  items: (rule, value) => !Array.isArray(value) || value.every((item) => accepts(rule as Schema, item)),
  required: (rule, value) => !isMap(value) || (rule as string[]).every((name) => Object.hasOwn(value, name)),
  properties: (rule, value) =>
    !isMap(value) ||
    Object.entries(rule as Record<string, Schema>).every(
      ([name, schema]) => !Object.hasOwn(value, name) || accepts(schema, value[name]),
    ),
  propertyNames: (rule, value) =>
    !isMap(value) || Object.keys(value).every((name) => accepts(rule as Schema, name)),
  additionalProperties: (rule, value, schema) => {
    if (!isMap(value)) return true
    const known = (schema['properties'] ?? {}) as Record<string, Schema>
    const others = Object.keys(value).filter((name) => !Object.hasOwn(known, name))
    return rule === false ? others.length === 0 : others.every((name) => accepts(rule as Schema, value[name]))
  },
}
