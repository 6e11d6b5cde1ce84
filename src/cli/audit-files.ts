// The files that the commands of the auditor read: records as streams, everything else whole.
import { createReadStream, readdirSync, readFileSync, type Stats, statSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { readKeySet, type Source, type Trust } from '../audit/verify/index.ts'
import { UsageError } from './io.ts'

/** Bytes of one read. */
const CHUNK = 256 * 1024

export interface RecordFile extends Source {
  readonly bytes: number
}

/** The files as they are named; of a folder those in it. */
export function recordFiles(paths: readonly string[]): RecordFile[] {
  if (paths.length === 0) throw new UsageError('Name the files with the records, or their folder.\n')
  if (paths.length === 1 && paths[0] === '-')
    return [{ name: 'standard input', bytes: 0, read: () => readChunks('-') }]
  const files = paths.flatMap((path) => {
    const found = look(path)
    if (!found.isDirectory() && !found.isFile() && paths.length > 1)
      throw new UsageError(`${path} is no file: what can be read only once has to stand alone.\n`)
    if (!found.isDirectory()) return [{ path, bytes: found.size }]
    const inside = readdirSync(path)
      .sort()
      .map((name) => join(path, name))
    return inside.flatMap((file) => {
      const one = look(file)
      return one.isFile() ? [{ path: file, bytes: one.size }] : []
    })
  })
  if (files.length === 0) throw new UsageError('There are no files in this folder.\n')
  return files.map(({ bytes, path }) => ({ name: path, bytes, read: () => readChunks(path) }))
}

/** Old files are often packed by whoever keeps them. */
export const isPacked = (path: string): boolean => path.endsWith('.gz')

async function* readChunks(path: string): AsyncIterable<Buffer> {
  const file = createReadStream(path, { highWaterMark: CHUNK, ...(path === '-' && { fd: 0 }) })
  try {
    // Its errors come out of the stream that is read, so there is nothing for the callback to do.
    yield* isPacked(path) ? pipeline(file, createGunzip({ chunkSize: CHUNK }), () => undefined) : file
  } catch (error) {
    throw unreadable(path, error)
  }
}

function look(path: string): Stats {
  try {
    return statSync(path)
  } catch (error) {
    throw unreadable(path, error)
  }
}

export function readWhole(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8')
  } catch (error) {
    throw unreadable(path, error)
  }
}

function unreadable(path: string, error: unknown): UsageError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
  return new UsageError(`${path} cannot be read (${code}).\n`)
}

export function readTrust(keys: string | undefined, selfAsserted: boolean): Trust {
  if (keys === undefined) {
    if (selfAsserted) return { keys: new Map(), selfAsserted }
    throw new UsageError(
      '--keys is missing: name a file with the key set that the service publishes at /.well-known/ductape-mcp/receipt-keys.json.\n',
    )
  }
  const set = readKeySet(readWhole(keys))
  if (typeof set === 'string') throw new UsageError(`--keys: ${keys} ${set}.\n`)
  return { keys: set, selfAsserted }
}
