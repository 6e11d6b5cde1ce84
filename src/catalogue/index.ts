// Answers what the Ductape catalogue knows: modules, methods and their effects, near names for refusals, and the text of its MCP resources.

import type { Effect } from '../core/tool.ts'
import data from './ductape.json' with { type: 'json' }
import { nearest } from './near.ts'

export { EFFECT_ROWS, effectOf, hasRawTexts, rawTexts, type ShownEffect, shownEffect } from './effects.ts'
export { targetsOf } from './targets.ts'
export type { Language, RawText } from './texts.ts'

/** One positional argument; `fields` are the known members of an object, never a complete list. */
export interface Positional {
  readonly name: string
  readonly type: string
  readonly required: boolean
  readonly fields?: Readonly<Record<string, string>>
}

/** What a call of this method takes and does. `paths` and `urls` are JSON pointers into `params`; `*` is each element of an array. */
interface MethodFacts {
  readonly params: string | null
  readonly positional: readonly Positional[]
  readonly effect: Effect
  readonly idempotent: boolean
  readonly sensitiveResult: boolean
  readonly rawQuery: 'sql' | 'cypher' | null
  readonly paths: readonly string[]
  readonly urls: readonly string[]
  readonly allowlisted: boolean
  readonly documented: boolean
  readonly note: string
}

export interface MethodEntry extends MethodFacts {
  readonly module: string
  readonly method: string
}

/** A family of operations that snippets exist for: `path` is the SDK's name, `module` the one of ductape_execute. */
export interface SnippetFamily {
  readonly family: string
  readonly path: string
  readonly module: string
  readonly methods: readonly string[]
}

interface CatalogueFile {
  readonly modules: Readonly<
    Record<string, { readonly summary: string; readonly methods: Readonly<Record<string, MethodFacts>> }>
  >
  readonly snippetFamilies: Readonly<
    Record<string, { readonly module: string; readonly methods: readonly string[] }>
  >
}

interface Module {
  readonly name: string
  readonly summary: string
  readonly entries: ReadonlyMap<string, MethodEntry>
  readonly allowed: readonly string[]
}

const file = data as unknown as CatalogueFile

// Maps, because a plain object would find `constructor` and `__proto__`.
const modules: ReadonlyMap<string, Module> = new Map(
  Object.entries(file.modules).map(([name, { summary, methods }]) => {
    const entries = new Map(
      Object.entries(methods).map(([method, facts]): [string, MethodEntry] => [
        method,
        { module: name, method, ...facts },
      ]),
    )
    const allowed = [...entries.values()].filter((entry) => entry.allowlisted).map((entry) => entry.method)
    return [name, { name, summary, entries, allowed }]
  }),
)

// The SDK's names before and after the rename of `workflow`; ductape_execute calls the same module `features`.
const EXECUTE_MODULE: ReadonlyMap<string, string> = new Map([
  ['workflow', 'features'],
  ['feature', 'features'],
])

const families: ReadonlyMap<string, SnippetFamily> = new Map(
  Object.entries(file.snippetFamilies).map(([family, { module: path, methods }]) => [
    family,
    { family, path, module: EXECUTE_MODULE.get(path) ?? path, methods },
  ]),
)

/** The modules of ductape_execute, in the catalogue's order. */
export const MODULES: readonly string[] = [...modules.keys()]

/** The operation families of ductape_generate_snippet, aliases included. */
export const SNIPPET_FAMILIES: readonly string[] = [...families.keys()]

/** The method's entry, also when it is not allowlisted: a caller that wants to run it checks `allowlisted`. */
export function findMethod(module: string, method: string): MethodEntry | undefined {
  return modules.get(module)?.entries.get(method)
}

/** The methods of a module that the backend lets through; empty for an unknown module. */
export function allowedMethods(module: string): readonly string[] {
  return modules.get(module)?.allowed ?? []
}

export function snippetFamily(name: string): SnippetFamily | undefined {
  return families.get(name)
}

/** Modules that an unknown name may have meant, best first; a snippet family's name finds its module. */
export function nearModules(name: string, limit = 3): readonly string[] {
  const family = families.get(name)
  if (family !== undefined) return [family.module].slice(0, limit)
  return nearest(name, MODULES, limit)
}

/** Allowed methods of a module that an unknown name may have meant, best first. */
export function nearMethods(module: string, name: string, limit = 5): readonly string[] {
  return nearest(name, allowedMethods(module), limit)
}

/** Modules that allow a method of exactly this name, for the hint that the caller has the wrong module. */
export function modulesWithMethod(method: string, limit = 3): readonly string[] {
  return MODULES.filter((module) => findMethod(module, method)?.allowlisted === true).slice(0, limit)
}

const EFFECTS: Readonly<Record<Effect, string>> = {
  read: 'changes nothing',
  write: 'creates or changes data, or causes an effect outside Ductape',
  destructive: 'removes or overwrites data',
  admin: 'changes definitions, access, connections or credentials',
}

const NOTATION =
  'params is the signature of the positional arguments: name:type for each, {...} the members of an object ' +
  '(a member without a type is a string; more members may exist), ? optional, [] array, {} object, num, bool, any, ' +
  'null when no source documents the arguments. Pass them to ductape_execute as the array params, in this order. ' +
  'sensitiveResult: the result may hold credentials, tokens, personal data or arbitrary rows. ' +
  'A note that begins with [sig:...] names the origin of a signature that the method reference lacks; ' +
  '[sig:none] means that none is known.'

let catalogueText: string | undefined
const moduleTexts = new Map<string, string>()

/** The JSON text of the resource ductape://catalogue. */
export function describeCatalogue(): string {
  catalogueText ??= JSON.stringify(
    {
      about:
        'The modules of ductape_execute. Read the resource of a module to see its methods with their signatures.',
      template: 'ductape://catalogue/{module}',
      effects: EFFECTS,
      modules: [...modules.values()].map((module) => ({
        module: module.name,
        resource: `ductape://catalogue/${module.name}`,
        summary: module.summary,
        methods: module.allowed.length,
        byEffect: countEffects(module),
      })),
    },
    null,
    2,
  )
  return catalogueText
}

/** The JSON text of the resource ductape://catalogue/{module}: every method that may be called; undefined for an unknown module. */
export function describeModule(name: string): string | undefined {
  const module = modules.get(name)
  if (module === undefined) return undefined
  let text = moduleTexts.get(name)
  if (text === undefined) {
    text = JSON.stringify(
      {
        module: name,
        summary: module.summary,
        notation: NOTATION,
        effects: EFFECTS,
        methods: allowedEntries(module).map(({ method, params, effect, sensitiveResult, note }) => ({
          method,
          params,
          effect,
          sensitiveResult,
          ...(note === '' ? {} : { note }),
        })),
      },
      null,
      2,
    )
    moduleTexts.set(name, text)
  }
  return text
}

function allowedEntries(module: Module): readonly MethodEntry[] {
  return [...module.entries.values()].filter((entry) => entry.allowlisted)
}

function countEffects(module: Module): Record<Effect, number> {
  const counts: Record<Effect, number> = { read: 0, write: 0, destructive: 0, admin: 0 }
  for (const entry of allowedEntries(module)) counts[entry.effect]++
  return counts
}
