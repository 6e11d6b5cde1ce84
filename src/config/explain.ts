// What zod found wrong, as problems with a place, a sentence and a fix; no text value of the file is ever quoted.

import * as z from 'zod'
import { isObject } from '../core/json.ts'
import { CONFIG_KEYS, HOMES, kindOf, schemaAt, unwrap } from './keys.ts'
import { nearest } from './near.ts'
import { type Problem, printable } from './problem.ts'
import type { Reading } from './read.ts'
import { configSchema } from './schema.ts'

type Issue = z.core.$ZodIssue

export function explain(
  issues: readonly Issue[],
  reading: Reading,
  root: z.core.$ZodType = configSchema,
): Problem[] {
  return issues.flatMap((issue) => explainOne(issue, issue.path, reading, root))
}

function explainOne(
  issue: Issue,
  path: readonly PropertyKey[],
  reading: Reading,
  root: z.core.$ZodType,
): Problem[] {
  if (reading.refused.some((refused) => refused.every((segment, index) => path[index] === segment))) return []
  const value = valueAt(reading.value, path)
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key, reading, root))
  if (issue.code === 'invalid_union' && isObject(value)) {
    const inner = objectBranch(issue, path, root)
    if (inner.length > 0)
      return inner.flatMap((fault) => explainOne(fault, [...path, ...fault.path], reading, root))
  }
  const { message, fix } = sentence(issue, path, value, root)
  return [reading.problemAt(path, issue.code === 'invalid_key' ? 'key' : 'value', message, fix)]
}

function objectBranch(
  issue: z.core.$ZodIssueInvalidUnion,
  path: readonly PropertyKey[],
  root: z.core.$ZodType,
): readonly Issue[] {
  const union = unwrap(schemaAt(root, path) ?? root)
  if (!(union instanceof z.ZodUnion)) return []
  const index = union.options.findIndex((option) => unwrap(option) instanceof z.ZodObject)
  return issue.errors[index] ?? []
}

function sentence(
  issue: Issue,
  path: readonly PropertyKey[],
  value: unknown,
  root: z.core.$ZodType,
): { message: string; fix: string } {
  const schema = schemaAt(root, path) ?? root
  const kind = kindOf(schema)
  if (issue.code === 'custom')
    return { message: issue.message, fix: String(issue.params?.['fix'] ?? kind?.fix ?? '') }
  if (issue.code === 'invalid_key') {
    const record = kindOf(schemaAt(root, path.slice(0, -1)) ?? root)
    return { message: 'is not the name of a method', fix: record?.fix ?? '' }
  }
  const expects = kind?.expects ?? (path.length === 0 ? 'a map of config keys' : 'a map of keys')
  const fix =
    kind?.fix ??
    (path.length === 0
      ? 'Write one "key: value" a line.'
      : 'Write its keys below it, indented by two spaces.')
  if (value === undefined) return { message: 'is missing', fix }
  if (value === null)
    return { message: `has no value; it must be ${expects}`, fix: `${fix} Or remove the key.` }
  if (issue.code === 'too_big' && issue.origin === 'array') {
    return { message: `has more than ${issue.maximum} entries`, fix: 'Remove the ones that are not needed.' }
  }
  if (issue.code === 'too_big' && issue.origin === 'string') {
    return { message: `is longer than ${issue.maximum} characters`, fix }
  }
  const near =
    issue.code === 'invalid_value' && typeof value === 'string'
      ? nearest(value, issue.values.map(String))
      : undefined
  return {
    message: `must be ${expects}, not ${shown(value)}`,
    fix: near === undefined ? fix : `Did you mean ${near}? ${fix}`,
  }
}

// Numbers and booleans are shown; a text could be a secret that went into the wrong place.
function shown(value: unknown): string {
  if (typeof value === 'number') return `the number ${value}`
  if (typeof value === 'string') return 'this text'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'a map' : String(value)
}

function unknownKey(
  path: readonly PropertyKey[],
  key: string,
  reading: Reading,
  root: z.core.$ZodType,
): Problem {
  const full = [...path, key]
  const home = path.length === 0 ? otherHome(key, root) : undefined
  if (home !== undefined)
    return reading.problemAt(
      full,
      'key',
      `belongs in ${home}`,
      `Move it there; docs/reference/config.md lists the homes.`,
    )
  const schema = unwrap(schemaAt(root, path) ?? root)
  const objects = schema instanceof z.ZodUnion ? schema.options.map(unwrap) : [schema]
  const siblings = objects.flatMap((object) =>
    object instanceof z.ZodObject ? Object.keys(object.shape) : [],
  )
  return reading.problemAt(full, 'key', 'is not a known key', unknownFix(key, siblings, root))
}

/** The file that has this key at its top level, where it is not this one. */
function otherHome(key: string, root: z.core.$ZodType): string | undefined {
  return Object.entries(HOMES).find(
    ([, schema]) => schema !== root && key !== 'version' && Object.hasOwn(schema.shape, key),
  )?.[0]
}

function unknownFix(key: string, siblings: readonly string[], root: z.core.$ZodType): string {
  const sibling = nearest(key, siblings)
  if (sibling !== undefined) return `Did you mean ${sibling}?`
  // The right name one level off is the commonest slip of indentation.
  const elsewhere = CONFIG_KEYS.find(
    ({ path, home }) => HOMES[home] === root && (path === key || path.endsWith(`.${key}`)),
  )
  if (elsewhere !== undefined) return `Did you mean ${elsewhere.path}? It stands elsewhere in the file.`
  return `Remove it; the keys here are ${siblings.map(printable).join(', ')}.`
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root
  for (const segment of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) return undefined
    value = (value as Record<PropertyKey, unknown>)[segment]
  }
  return value
}
