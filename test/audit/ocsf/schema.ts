// The part of JSON Schema 2020-12 that the OCSF schema uses; an unknown keyword throws, so that none goes unchecked.
import { isObject, type Json, type JsonObject } from '../../../src/core/json.ts'

/** Undefined where the value fits; else where it does not. */
export function fits(root: JsonObject, value: Json): string | undefined {
  return check(root, value, root, '$')
}

const ANNOTATIONS = new Set(['$schema', '$id', '$defs', 'deprecated'])

function check(schema: JsonObject, value: Json, root: JsonObject, path: string): string | undefined {
  for (const [keyword, rule] of Object.entries(schema)) {
    if (ANNOTATIONS.has(keyword)) continue
    const fault = holds(keyword, rule, value, schema, root, path)
    if (fault !== undefined) return fault
  }
  return undefined
}

function holds(
  keyword: string,
  rule: Json,
  value: Json,
  schema: JsonObject,
  root: JsonObject,
  path: string,
): string | undefined {
  const fault = `${path}: ${keyword}`
  switch (keyword) {
    case '$ref': {
      const target = (root['$defs'] as JsonObject)[String(rule).replace('#/$defs/', '')]
      assertObject(target, String(rule))
      return check(target, value, root, path)
    }
    case 'type':
      return [rule].flat().some((type) => hasType(type, value)) ? undefined : fault
    case 'const':
      return value === rule ? undefined : fault
    case 'enum':
      return (rule as Json[]).includes(value) ? undefined : fault
    case 'minimum':
      return typeof value !== 'number' || value >= Number(rule) ? undefined : fault
    case 'maximum':
      return typeof value !== 'number' || value <= Number(rule) ? undefined : fault
    case 'maxLength':
      return typeof value !== 'string' || [...value].length <= Number(rule) ? undefined : fault
    case 'pattern':
      return typeof value !== 'string' || new RegExp(String(rule), 'u').test(value) ? undefined : fault
    case 'items':
      return Array.isArray(value)
        ? first(value.map((item, i) => check(rule as JsonObject, item, root, `${path}[${i}]`)))
        : undefined
    case 'anyOf':
      return (rule as JsonObject[]).some((one) => check(one, value, root, path) === undefined)
        ? undefined
        : fault
    case 'required':
      return isObject(value) && (rule as string[]).some((name) => !Object.hasOwn(value, name))
        ? fault
        : undefined
    case 'properties':
      return isObject(value)
        ? first(
            Object.entries(rule as JsonObject).map(([name, inner]) =>
              Object.hasOwn(value, name)
                ? check(inner as JsonObject, value[name] as Json, root, `${path}.${name}`)
                : undefined,
            ),
          )
        : undefined
    case 'additionalProperties':
      return rule === false && isObject(value)
        ? first(
            Object.keys(value).map((name) =>
              Object.hasOwn(schema['properties'] as JsonObject, name) ? undefined : `${fault} ${name}`,
            ),
          )
        : undefined
    default:
      throw new Error(`unknown keyword ${keyword}`)
  }
}

const first = (faults: readonly (string | undefined)[]): string | undefined =>
  faults.find((fault) => fault !== undefined)

function assertObject(value: Json | undefined, name: string): asserts value is JsonObject {
  if (!isObject(value)) throw new Error(`there is no ${name}`)
}

function hasType(type: Json, value: Json): boolean {
  if (type === 'object') return isObject(value)
  if (type === 'array') return Array.isArray(value)
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'null') return value === null
  return typeof value === type
}
