// Finds the raw query texts among the arguments of a call, wherever a source lets one stand (ductape-backend.md 10.5, 10.6).
import { isObject, type Json, member } from '../core/json.ts'

/** What a text is written in; undefined = nobody can tell, so nobody can show that it is harmless. */
export type Language = 'sql' | 'sql-expression' | 'cypher'

export interface RawText {
  /** JSON Pointer into the positional arguments, made of the names below and of numbers. */
  readonly at: string
  /** Anything but a string is no text that could be shown to be harmless. */
  readonly text: Json
  readonly language: Language | undefined
}

/** Members that hold one. */
const NAMES = ['query', 'sql', 'cypher'] as const

const LANGUAGES: ReadonlyMap<string, Language> = new Map([
  ['databases query', 'sql'],
  ['databases sql', 'sql'],
  ['databases template', 'sql'],
  ['databases where', 'sql-expression'],
  ['databases expression', 'sql-expression'],
  ['graph query', 'cypher'],
  ['graph cypher', 'cypher'],
  ['graph template', 'cypher'],
])

/** Nothing is made for a call without one, which is nearly every call. */
type Found = RawText[] | undefined
type Finder = (params: readonly Json[], module: string) => readonly RawText[]
const NONE: readonly RawText[] = []

function add(found: Found, module: string, at: string, name: string, text: Json): RawText[] {
  const list = found ?? []
  list.push({ at, text, language: LANGUAGES.get(`${module} ${name}`) })
  return list
}

/** What of `value` has one of the names. */
function named(
  found: Found,
  module: string,
  at: string,
  value: Json | undefined,
  names: readonly string[] = NAMES,
): Found {
  if (!isObject(value)) return found
  let list = found
  for (const name of names)
    if (Object.hasOwn(value, name)) list = add(list, module, `${at}/${name}`, name, value[name] as Json)
  return list
}

/** Members of every argument, and a first argument that is the text itself. */
const inQuery: Finder = (params, module) => {
  const [first] = params
  let found: Found
  if (typeof first === 'string') found = add(found, module, '/0', 'query', first)
  for (let i = 0; i < params.length; i++) found = named(found, module, `/${i}`, params[i])
  return found ?? NONE
}

const inPredicate: Finder = (params, module) => {
  let found: Found
  for (let i = 0; i < params.length; i++)
    found = named(found, module, `/${i}`, params[i], ['where', 'expression'])
  return found ?? NONE
}

const inTransaction: Finder = (params, module) => {
  let found: Found
  for (const [i, item] of params.entries())
    for (const [j, operation] of listOf(item).entries()) {
      const at = `/${i}/${j}`
      found =
        typeof operation === 'string'
          ? add(found, module, at, 'query', operation)
          : named(found, module, at, operation)
    }
  return found ?? NONE
}

/** The input of an operation that is named beside it; a saved action takes any input. */
const inDispatch: Finder = (params, module) => {
  let found: Found
  for (let i = 0; i < params.length; i++)
    if (member(params[i], 'operation') !== undefined)
      found = named(found, module, `/${i}/input`, member(params[i], 'input'))
  return found ?? NONE
}

/** The definition stands in the argument itself or in its `data`. */
const inSavedAction: Finder = (params, module) => {
  let found: Found
  for (const [i, item] of params.entries())
    for (const [at, definition] of [
      [`/${i}`, item],
      [`/${i}/data`, member(item, 'data')],
    ] as const) {
      found = named(found, module, at, definition)
      const template = member(definition, 'template')
      found =
        typeof template === 'string'
          ? add(found, module, `${at}/template`, 'template', template)
          : named(found, module, `${at}/template`, template)
    }
  return found ?? NONE
}

/** Module that a step of a feature works on; steps of other types have no operation. */
const STEP_MODULES: ReadonlyMap<string, string> = new Map([
  ['database', 'databases'],
  ['graph', 'graph'],
  ['vector', 'vector'],
  ['storage', 'storage'],
])

export const stepModule = (step: Json): string | undefined => {
  const type = member(step, 'type')
  return typeof type === 'string' ? STEP_MODULES.get(type) : undefined
}

const inSteps: Finder = (params) => {
  let found: Found
  for (const [i, item] of params.entries())
    for (const [j, step] of listOf(member(item, 'steps')).entries()) {
      const module = stepModule(step)
      if (module !== undefined || member(step, 'operation') !== undefined)
        found = named(found, module ?? '', `/${i}/steps/${j}/input`, member(step, 'input'))
    }
  return found ?? NONE
}

/** The operations of migrations: `up` and `down` of the argument, of its data.value, or of each element of a list of migrations. */
const inMigration: Finder = (params, module) => {
  let found: Found
  for (const [i, item] of params.entries()) {
    const value = member(member(item, 'data'), 'value')
    for (const [at, migration] of [
      [`/${i}`, item],
      [`/${i}/data/value`, value],
      ...listOf(item).flatMap((one, j): [string, Json | undefined][] => [
        [`/${i}/${j}`, one],
        [`/${i}/${j}/value`, member(one, 'value')],
      ]),
    ] as [string, Json | undefined][])
      for (const way of ['up', 'down'])
        found = inOperations(found, module, `${at}/${way}`, member(migration, way))
  }
  return found ?? NONE
}

function inOperations(before: Found, module: string, at: string, value: Json | undefined): Found {
  if (typeof value === 'string') return add(before, module, at, 'query', value)
  let found = named(before, module, at, value)
  for (const [i, operation] of listOf(value).entries())
    found =
      typeof operation === 'string'
        ? add(found, module, `${at}/${i}`, 'query', operation)
        : named(found, module, `${at}/${i}`, operation)
  return found
}

export const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : [])

export const TEXTS = {
  inQuery,
  inPredicate,
  inTransaction,
  inDispatch,
  inSavedAction,
  inSteps,
  inMigration,
} as const
