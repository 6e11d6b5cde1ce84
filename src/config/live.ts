// The text of a file of live/ to its value or to every problem in it at once.
import { parseExact } from '../core/json.ts'
import { explain } from './explain.ts'
import type { LiveFile } from './live-files.ts'
import { LIVE_SCHEMAS, type LiveValue } from './live-schemas.ts'
import { ordered } from './parse.ts'
import { formatPath, type Problem } from './problem.ts'
import { type Reading, readYaml } from './read.ts'

export type LiveResult<File extends LiveFile> =
  | { readonly ok: true; readonly value: LiveValue<File> }
  | {
      readonly ok: false
      readonly problems: readonly Problem[]
      /** The file as far as it could be read, unchecked; undefined where it is no YAML at all. */
      readonly unchecked: unknown
    }

/** A key file for a whole company is written by a program, and then as JSON: YAML of that size would hold the loop for seconds. */
const MAX_YAML = 4 * 1024 * 1024
const MAX_JSON = 64 * 1024 * 1024

export function parseLive<File extends LiveFile>(file: File, text: string, source: string): LiveResult<File> {
  const reading = read(text, source)
  if (reading.broken) return { ok: false, problems: reading.problems, unchecked: undefined }
  const schema = LIVE_SCHEMAS[file]
  const value = reading.value ?? {}
  const parsed = schema.safeParse(value)
  const problems = [
    ...reading.problems,
    ...(parsed.success ? [] : explain(parsed.error.issues, reading, schema)),
  ]
  return parsed.success && problems.length === 0
    ? { ok: true, value: parsed.data as LiveValue<File> }
    : { ok: false, problems: ordered(problems), unchecked: value }
}

/** JSON where it is JSON; a YAML map in braces begins alike. */
function read(text: string, source: string): Reading {
  if (!text.startsWith('{')) return readYaml(text, source, MAX_YAML)
  const json = readJson(text, source)
  return json.broken && text.length <= MAX_YAML ? readYaml(text, source, MAX_YAML) : json
}

function readJson(text: string, source: string): Reading {
  const problemAt = (path: readonly PropertyKey[], _: unknown, message: string, fix: string): Problem => ({
    source,
    path: formatPath(path),
    line: 0,
    column: 0,
    message,
    fix,
  })
  const broken = (message: string): Reading => ({
    value: undefined,
    problems: [problemAt([], 'value', message, 'Write valid JSON, or YAML.')],
    broken: true,
    refused: [],
    problemAt,
  })
  if (text.length > MAX_JSON) return broken('is larger than 64 MiB')
  const parsed = parseExact(text)
  if (!parsed.ok) return broken('is not valid JSON')
  return { value: parsed.value, problems: [], broken: false, refused: [], problemAt }
}
