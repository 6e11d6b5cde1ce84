// Reads and edits a file of API key records in place: comments and order stay, and readers see the old file or the new one.
import {
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, resolve, sep } from 'node:path'
import { type Document, isMap, isSeq, parseDocument, type YAMLMap } from 'yaml'
import { formatProblems, type LiveValue, loadLiveParser, type Problem } from '../config/index.ts'
import { UsageError } from './io.ts'

/** A record as it stands in the file: times as text, what is absent left out. */
export interface KeyRow {
  id: string
  sha256: string
  owner: string
  purpose: string
  tenant?: string | undefined
  roles: readonly string[]
  scopes?: readonly string[] | undefined
  tools?: readonly string[] | undefined
  rate?: { perMinute: number; burst: number } | undefined
  createdAt?: string | undefined
  expiresAt?: string | undefined
}

export type KeyRecords = LiveValue<'keys.yaml'>['keys']

export interface KeyEditor {
  /** As the file was read. */
  readonly records: KeyRecords
  add(row: KeyRow): void
  expire(id: string, at: string): void
  remove(id: string): void
}

const TEMPLATE = `# API keys of ductape-mcp: records made by \`ductape-mcp key create\`, never the keys themselves.
version: 1
keys: []
`

type Parser = Awaited<ReturnType<typeof loadLiveParser>>

export async function readKeys(path: string): Promise<KeyRecords> {
  return recordsOf(await loadLiveParser(), readText(path), path)
}

function recordsOf(parse: Parser, text: string, path: string): KeyRecords {
  const parsed = parse('keys.yaml', text, path)
  if (!parsed.ok) throw new UsageError(formatProblems(parsed.problems.slice(0, 20)))
  return parsed.value.keys
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new UsageError(`--file: ${path} cannot be read (${codeOf(error)}).\n`)
  }
}

/**
 * Applies `edit` and replaces the file. The new file is made beside the old one under a fixed name, so that two commands at the same time
 * do not lose each other's records. Nothing changes where `edit` throws or the result would not hold.
 */
export async function editKeys<T>(path: string, create: boolean, edit: (editor: KeyEditor) => T): Promise<T> {
  const parse = await loadLiveParser()
  refuseMounted(path)
  const next = `${path}.new`
  const descriptor = openNew(path, next)
  let replaced = false
  try {
    const text = create && !exists(path) ? TEMPLATE : readText(path)
    const records = recordsOf(parse, text, path)
    const draft = text.startsWith('{') ? editJson(text) : editYaml(text)
    const result = edit({ records, ...draft.changes })
    const changed = draft.text()
    checkResult(parse('keys.yaml', changed, path), records.length)
    replace(descriptor, changed, next, path)
    replaced = true
    return result
  } finally {
    closeSync(descriptor)
    if (!replaced) unlinkSync(next)
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'

const exists = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined

/** A mounted ConfigMap or Secret is a symbolic link into `..data`: the next update of the volume would undo what is written there. */
function refuseMounted(path: string): void {
  let mounted: boolean
  try {
    const folder = realpathSync(dirname(resolve(path)))
    const linked = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true
    mounted = linked || folder.split(sep).some((name) => name.startsWith('..'))
  } catch (error) {
    throw new UsageError(`--file: the folder of ${path} cannot be read (${codeOf(error)}).\n`)
  }
  if (mounted) {
    throw new UsageError(
      `--file: ${path} is a symbolic link or a mounted ConfigMap or Secret. Change the file that it is made from, and apply that.\n`,
    )
  }
}

function openNew(path: string, next: string): number {
  try {
    return openSync(next, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
  } catch (error) {
    const code = codeOf(error)
    throw new UsageError(
      code === 'EEXIST'
        ? `--file: another command is changing ${path}. If none is, remove ${next}.\n`
        : `--file: ${path} cannot be replaced (${code}).\n`,
    )
  }
}

function replace(descriptor: number, text: string, next: string, path: string): void {
  try {
    writeFileSync(descriptor, text)
    fsyncSync(descriptor)
    renameSync(next, path)
  } catch (error) {
    throw new UsageError(`--file: ${path} cannot be replaced (${codeOf(error)}); it is as it was.\n`)
  }
}

/** What was wrong in the options shows in the new record. */
function checkResult(parsed: ReturnType<Parser>, before: number): void {
  if (parsed.ok) return
  const own = `keys[${before}].`
  const say = ({ path: key, message, fix }: Problem): string =>
    `${key.startsWith(own) ? key.slice(own.length) : key} ${message}. ${fix}\n`
  throw new UsageError(parsed.problems.slice(0, 20).map(say).join(''))
}

interface Draft {
  readonly changes: Omit<KeyEditor, 'records'>
  text(): string
}

function editYaml(text: string): Draft {
  const document: Document = parseDocument(text, { version: '1.2', schema: 'core' })
  const rowAt = (id: string): number => {
    const rows = document.get('keys')
    return isSeq(rows) ? rows.items.findIndex((row) => isMap(row) && row.get('id') === id) : -1
  }
  return {
    changes: {
      add(row) {
        const node = document.createNode(row) as YAMLMap
        for (const name of ['roles', 'scopes', 'tools', 'rate']) {
          const inner = node.get(name)
          if (isSeq(inner) || isMap(inner)) inner.flow = true
        }
        if (!isMap(document.contents)) document.contents = document.createNode({ version: 1 })
        const rows = document.get('keys')
        if (!isSeq(rows)) {
          document.set('keys', document.createNode([node]))
          return
        }
        if (rows.items.length === 0) rows.flow = false
        rows.add(node)
      },
      expire: (id, at) => document.setIn(['keys', rowAt(id), 'expiresAt'], at),
      remove: (id) => void document.deleteIn(['keys', rowAt(id)]),
    },
    // Folding would break a long purpose over lines.
    text: () => document.toString({ lineWidth: 0 }),
  }
}

/** A file that programs write: the service takes JSON for files too large for YAML. */
function editJson(text: string): Draft {
  const file = JSON.parse(text) as { keys?: KeyRow[] }
  file.keys ??= []
  const rows = file.keys
  const indexOf = (id: string): number => rows.findIndex((row) => row.id === id)
  return {
    changes: {
      add: (row) => void rows.push(row),
      expire(id, at) {
        const row = rows[indexOf(id)]
        if (row !== undefined) row.expiresAt = at
      },
      remove: (id) => void rows.splice(indexOf(id), 1),
    },
    text: () => `${JSON.stringify(file, null, 2)}\n`,
  }
}
