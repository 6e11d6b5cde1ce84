// The table of all config keys, read off the schema: path, home, type, default, description.
import * as z from 'zod'
import { type Kind, kinds } from './fields.ts'
import { LIVE_SCHEMAS } from './live-schemas.ts'
import { configSchema } from './schema.ts'

/** Which file a key lives in: config.yaml is read at the start, the files of live/ whenever they change. */
export const HOMES = {
  'config.yaml': configSchema,
  'live/policy.yaml': LIVE_SCHEMAS['policy.yaml'],
  'live/keys.yaml': LIVE_SCHEMAS['keys.yaml'],
  'live/limits.yaml': LIVE_SCHEMAS['limits.yaml'],
  'live/revocations.yaml': LIVE_SCHEMAS['revocations.yaml'],
  'live/kill.yaml': LIVE_SCHEMAS['kill.yaml'],
  'live/scan.yaml': LIVE_SCHEMAS['scan.yaml'],
} as const

export type Home = keyof typeof HOMES

export interface ConfigKey {
  readonly path: string
  readonly home: Home
  readonly type: string
  readonly default: unknown // as it would stand in the file; undefined: not set
  readonly description: string
}

type AnySchema = z.core.$ZodType

export function unwrap(schema: AnySchema): AnySchema {
  return schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional ? unwrap(schema.unwrap()) : schema
}

const FLAG: Kind = {
  type: 'true or false',
  expects: 'true or false',
  fix: 'Write true or false, without quotes.',
}

/** What a value may be; a boolean needs no words of its own. */
export function kindOf(schema: AnySchema): Kind | undefined {
  const inner = unwrap(schema)
  return kinds.get(inner) ?? (inner instanceof z.ZodBoolean ? FLAG : undefined)
}

// The schema that a path of the file meets, if it has one.
export function schemaAt(root: AnySchema, path: readonly PropertyKey[]): AnySchema | undefined {
  let schema: AnySchema | undefined = root
  for (const segment of path) {
    schema = step(unwrap(schema), segment)
    if (schema === undefined) return undefined
  }
  return schema
}

function step(schema: AnySchema, segment: PropertyKey): AnySchema | undefined {
  if (schema instanceof z.ZodObject) {
    return Object.hasOwn(schema.shape, segment) ? schema.shape[String(segment)] : undefined
  }
  if (schema instanceof z.ZodArray) return schema.element
  if (schema instanceof z.ZodRecord) return schema.valueType
  if (schema instanceof z.ZodUnion) {
    const object = schema.options.find((option) => unwrap(option) instanceof z.ZodObject)
    return object === undefined ? undefined : step(unwrap(object), segment)
  }
  return undefined
}

export interface Section {
  readonly path: string
  readonly home: Home
  readonly description: string
}

function describe(schema: AnySchema): string {
  return z.globalRegistry.get(schema)?.description ?? ''
}

function walk(home: Home, schema: AnySchema, path: string, rows: ConfigKey[], sections: Section[]): void {
  const inner = unwrap(schema)
  const kind = kindOf(schema)
  if (kind === undefined && inner instanceof z.ZodObject) {
    if (path !== '') sections.push({ path, home, description: describe(schema) })
    for (const [name, member] of Object.entries<AnySchema>(inner.shape)) {
      walk(home, member, path === '' ? name : `${path}.${name}`, rows, sections)
    }
    return
  }
  rows.push({
    path,
    home,
    type: kind?.type ?? '',
    default: schema instanceof z.ZodPrefault ? schema.def.defaultValue : undefined,
    description: describe(schema),
  })
  const below = entryOf(inner)
  if (below === undefined) return
  for (const [name, member] of Object.entries<AnySchema>(below.object.shape))
    walk(home, member, `${path}${below.step}.${name}`, rows, sections)
}

/** What the entries of a list or map are made of, or the map that a value may be instead of a word. */
function entryOf(schema: AnySchema): { object: z.ZodObject; step: string } | undefined {
  const [entry, step] =
    schema instanceof z.ZodArray
      ? [unwrap(schema.element), '[]']
      : schema instanceof z.ZodRecord
        ? [unwrap(schema.valueType), '.<name>']
        : [schema, '']
  const object =
    entry instanceof z.ZodUnion
      ? entry.options.map(unwrap).find((option) => option instanceof z.ZodObject)
      : entry
  return object instanceof z.ZodObject && !isFileReference(object) ? { object, step } : undefined
}

/** `{ file: path }` is one value. */
const isFileReference = ({ shape }: z.ZodObject): boolean => Object.keys(shape).join() === 'file'

function table(): { keys: readonly ConfigKey[]; sections: readonly Section[] } {
  const keys: ConfigKey[] = []
  const sections: Section[] = []
  for (const [home, schema] of Object.entries(HOMES)) walk(home as Home, schema, '', keys, sections)
  return { keys, sections }
}

export const { keys: CONFIG_KEYS, sections: CONFIG_SECTIONS } = table()
