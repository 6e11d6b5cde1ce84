// Checks tool arguments against a table: one row an argument, used for the JSON Schema of tools/list and for the check itself.
import { type Denial, deny } from '../core/denials.ts'
import type { Json, JsonObject } from '../core/json.ts'
import { createRedactor, type Redactor } from '../core/redact.ts'
import { shownName } from '../core/text.ts'
import { CREDENTIAL_ARGUMENTS, type CredentialMode, isKey } from '../credentials/index.ts'

export interface ArgumentRow {
  name: string
  type: 'string' | 'array' | 'object' | 'boolean'
  required: boolean
  description: string
  /** Fixed choices of a string. */
  enum?: readonly string[]
  default?: Json
  /** A credential: never shown, 12 to 512 visible ASCII characters. */
  credential?: true
  maxLength?: number
}

/** Longest plain string argument: tags, slugs and ids, all far shorter in practice. */
const MAX_NAME = 512

/** The input schema of tools/list. */
export function inputSchema(rows: readonly ArgumentRow[]): JsonObject {
  const properties: JsonObject = {}
  for (const row of rows) properties[row.name] = propertySchema(row)
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    properties,
    required: rows.filter((row) => row.required).map((row) => row.name),
    additionalProperties: false,
  }
}

function propertySchema(row: ArgumentRow): JsonObject {
  const schema: JsonObject = { type: row.type, description: row.description }
  if (row.type === 'array') schema['items'] = {}
  if (row.enum !== undefined) schema['enum'] = [...row.enum]
  if (row.type === 'string' && row.required && row.enum === undefined) schema['minLength'] = 1
  if (row.default !== undefined) schema['default'] = row.default
  return schema
}

export type CheckedArguments =
  | {
      ok: true
      /** The arguments in the order of the table, defaults filled in, without the credentials. */
      values: JsonObject
      credentials: readonly string[]
    }
  | { ok: false; denial: Denial }

/** Of the credentials that came with the call: a caller may have put one where a name belongs. */
const held = (rows: readonly ArgumentRow[], args: JsonObject): Redactor =>
  createRedactor(
    rows.flatMap((row) => {
      const value = row.credential && Object.hasOwn(args, row.name) ? args[row.name] : undefined
      return typeof value === 'string' ? [value] : []
    }),
  )

const refuse = (denial: Denial): CheckedArguments => ({ ok: false, denial })

/** The rows of a tool as it is offered: where the service holds the keys, nothing that belongs to a credential is an argument. */
export const rowsFor = (mode: CredentialMode, rows: readonly ArgumentRow[]): readonly ArgumentRow[] =>
  mode === 'passthrough' ? rows : rows.filter((row) => !CREDENTIAL_ARGUMENTS.includes(row.name))

const NO_CREDENTIALS: readonly string[] = []

/** Prepares the check of one table of `rowsFor`. */
export function prepareArguments(
  mode: CredentialMode,
  rows: readonly ArgumentRow[],
): (args: JsonObject) => CheckedArguments {
  const known = new Set(rows.map((row) => row.name))
  const refused = mode === 'injected' ? CREDENTIAL_ARGUMENTS : []
  return (args) => {
    for (const name of refused) {
      if (Object.hasOwn(args, name)) return refuse(deny('credential_not_accepted', `\`${name}\``))
    }
    for (const name in args) {
      if (!known.has(name)) return refuse(deny('argument_unknown', shownName(held(rows, args).text(name))))
    }
    const values: JsonObject = {}
    let credentials = NO_CREDENTIALS
    for (const row of rows) {
      // Own members only: an argument named like a method of Object.prototype is absent, not inherited.
      const value = Object.hasOwn(args, row.name) ? args[row.name] : undefined
      if (value === undefined) {
        if (row.required) return refuse(deny('argument_missing', `\`${row.name}\``))
        if (row.default !== undefined) values[row.name] = row.default
        continue
      }
      const denial = checkValue(row, value)
      if (denial !== undefined) return refuse(denial)
      if (row.credential) credentials = [...credentials, value as string]
      else values[row.name] = value
    }
    return { ok: true, values, credentials }
  }
}

function checkValue(row: ArgumentRow, value: Json): Denial | undefined {
  const name = `\`${row.name}\``
  const actual = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
  if (actual !== row.type) {
    const article = row.type === 'array' || row.type === 'object' ? 'an' : 'a'
    return deny('argument_invalid', `${name} must be ${article} ${row.type}`)
  }
  if (typeof value !== 'string') return undefined
  if (row.credential) return isKey(value) ? undefined : deny('credential_malformed', name)
  if (row.enum !== undefined) {
    return row.enum.includes(value)
      ? undefined
      : deny('argument_invalid', `${name} must be one of ${row.enum.join(', ')}`)
  }
  if (row.required && value.trim() === '') return deny('argument_invalid', `${name} must not be empty`)
  const max = row.maxLength ?? MAX_NAME
  return value.length > max
    ? deny('argument_invalid', `${name} must have at most ${max} characters`)
    : undefined
}
