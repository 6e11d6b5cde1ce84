// Reads the tool arguments of a command line: name=value words, one JSON object, a file or standard input.
import { UsageError } from '../cli/io.ts'
import { isObject, type Json, type JsonObject, parseExact } from '../core/json.ts'
import { terminalPhrase } from '../core/terminal.ts'

/** A value is JSON where it is JSON and else the text itself; quote a number to keep it text: name='"1"'. */
export function readPairs(words: readonly string[]): JsonObject {
  const values = new Map<string, Json>()
  for (const word of words) {
    const at = word.indexOf('=')
    if (at < 1) {
      throw new UsageError(
        `${shown(word)} is no argument of the form name=value; a whole JSON object goes with --arguments.\n`,
      )
    }
    const name = word.slice(0, at)
    if (values.has(name)) throw new UsageError(`The argument ${shown(name)} is given twice.\n`)
    values.set(name, readValue(name, word.slice(at + 1)))
  }
  return Object.fromEntries(values)
}

function readValue(name: string, text: string): Json {
  const parsed = parseExact(text)
  if (parsed.ok) return parsed.value
  if (parsed.fault.kind === 'syntax') return text
  throw new UsageError(
    `The argument ${shown(name)}: ${parsed.fault.reason}. Put it in double quotes to send it as text.\n`,
  )
}

/** The object behind --arguments: JSON text, @FILE, or - for standard input. */
export function readObject(
  source: string,
  readFile: (path: string) => string,
  readInput: () => string,
): JsonObject {
  const parsed = parseExact(sourceText(source, readFile, readInput))
  if (!parsed.ok) throw new UsageError(`--arguments is not usable JSON: ${parsed.fault.reason}.\n`)
  const { value } = parsed
  if (!isObject(value)) throw new UsageError('--arguments takes a JSON object.\n')
  return value
}

function sourceText(source: string, readFile: (path: string) => string, readInput: () => string): string {
  if (source === '-') return readInput()
  return source.startsWith('@') ? readNamed(source.slice(1), '--arguments', readFile) : source
}

export function readNamed(path: string, option: string, readFile: (path: string) => string): string {
  try {
    return readFile(path)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
    throw new UsageError(`${option}: the file ${shown(path)} cannot be read (${code}).\n`)
  }
}

const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e]*?)[ \t]*$/

/** Headers given as name:value; a refused one is not repeated, because it may hold a token. */
export function readHeaders(words: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const word of words) {
    const match = HEADER.exec(word)
    if (match === null) throw new UsageError('--header takes name:value in visible ASCII characters.\n')
    const name = (match[1] as string).toLowerCase()
    if (name === 'authorization')
      throw new UsageError(
        '--header takes no Authorization: others would see the token. Put it into a file and name that with --token-file.\n',
      )
    headers[name] = match[2] as string
  }
  return headers
}

const shown = (text: string): string => JSON.stringify(terminalPhrase(text).slice(0, 64))
