// Where lines end up: a descriptor that is there already, or a folder of files that are never renamed and belong to one chain each.
import fs from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { MAX_REGISTERED } from './registry.ts'

export interface Destination {
  /**
   * Offers bytes; `done` gets how many were taken and, where it could not go on, why. `fresh` = they begin with a line, and not in the middle
   * of one whose beginning was taken before.
   */
  put(bytes: Buffer, fresh: boolean, done: (count: number, code: string | undefined) => void): void
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'unknown'

/**
 * A pipe or socket is written without blocking, on this thread: one of the pool that blocks on a stalled reader could not be ended. What
 * it does not take now is offered again. A file is written by the pool.
 */
export function openDescriptor(descriptor: number): Destination {
  const stat = fs.fstatSync(descriptor)
  if (!stat.isFIFO() && !stat.isSocket())
    return { put: (bytes, _fresh, done) => append(descriptor, bytes, done) }
  // Only libuv can make a descriptor non-blocking. It is not written through the socket, which would end at the first error and close it.
  const keeper = new Socket({ fd: descriptor, readable: false, writable: true })
  return {
    put(bytes, _fresh, done) {
      keeper.unref()
      let count = 0
      let code: string | undefined
      try {
        count = fs.writeSync(descriptor, bytes)
      } catch (error) {
        code = codeOf(error)
      }
      done(count, code)
    },
  }
}

function append(
  descriptor: number,
  bytes: Buffer,
  done: (count: number, code: string | undefined) => void,
): void {
  fs.write(descriptor, bytes, 0, bytes.length, null, (error, count) => {
    if (error === null) done(count, undefined)
    else done(0, codeOf(error))
  })
}

export interface FolderOptions {
  directory: string
  /** What every name begins with; `audit` where it is missing. */
  prefix?: 'audit' | 'ocsf'
  /** Id of the chain, a part of every name. */
  chain: string
  /** Bytes at which the next file is begun. */
  maxFileSize: number
  /** `always`: nothing counts as taken before it is on the disk. */
  fsync: 'off' | 'second' | 'always'
  onEvent(name: string, fields: Record<string, string | number>): void
}

export interface Folder extends Destination {
  /** Begins the first file now; the code of what is in the way, else undefined. Otherwise the first write does. */
  open(): string | undefined
  /** Resolves when what was written is on the disk, as far as that was asked for. */
  close(): Promise<void>
}

// Nobody else can have a file of this chain; O_EXCL keeps a planted one, or a link, from being written to.
const NEW = fs.constants.O_WRONLY | fs.constants.O_APPEND | fs.constants.O_CREAT | fs.constants.O_EXCL
const SYNC_EVERY = 1000
/** How long to wait after a failed fsync, in milliseconds. */
const SYNC_RETRY = 1000

export function openFolder(options: FolderOptions): Folder {
  const { directory, chain, maxFileSize, fsync, prefix = 'audit' } = options
  let descriptor: number | undefined
  let size = 0
  let files = 0
  let dirty: NodeJS.Timeout | undefined

  const began = (opened: number): void => {
    if (descriptor !== undefined) finish(descriptor, () => undefined)
    descriptor = opened
    files++
    size = 0
    if (fsync !== 'off') syncDirectory(directory)
  }

  const finish = (old: number, done: () => void): void => {
    clearTimeout(dirty)
    dirty = undefined
    if (fsync === 'off') fs.close(old, done)
    else datasync(old, () => fs.close(old, done))
  }

  const sync = (file: number, done: () => void): void => {
    datasync(file, (error) => {
      if (error === null) return done()
      options.onEvent('audit_fsync_failed', { code: codeOf(error) })
      if (codeOf(error) === FORBIDDEN) return done()
      // The bytes are in the file: offering them again would write them twice.
      setTimeout(sync, SYNC_RETRY, file, done)
    })
  }

  const write = (file: number, bytes: Buffer, done: Parameters<Destination['put']>[2]): void => {
    append(file, bytes, (count, code) => {
      size += count
      if (count > 0 && fsync === 'second')
        dirty ??= setTimeout(() => {
          dirty = undefined
          datasync(file, reportSync)
        }, SYNC_EVERY).unref()
      if (count > 0 && fsync === 'always') sync(file, () => done(count, code))
      else done(count, code)
    })
  }

  const nextPath = (): string => join(directory, fileName(prefix, chain, files + 1))

  return {
    open() {
      try {
        began(fs.openSync(nextPath(), NEW, 0o600))
      } catch (error) {
        return codeOf(error)
      }
      return undefined
    },
    put(bytes, fresh, done) {
      if (descriptor !== undefined && !(fresh && size > 0 && size + bytes.length > maxFileSize))
        return write(descriptor, bytes, done)
      fs.open(nextPath(), NEW, 0o600, (error, opened) => {
        if (error !== null) return done(0, codeOf(error))
        began(opened)
        write(opened, bytes, done)
      })
    },
    close: () =>
      new Promise((resolve) => {
        if (descriptor === undefined) resolve()
        else finish(descriptor, resolve)
        descriptor = undefined
      }),
  }

  function reportSync(error: Error | null): void {
    if (error !== null) options.onEvent('audit_fsync_failed', { code: codeOf(error) })
  }
}

/** Node's permission model has no fsync, and says so by throwing. */
const FORBIDDEN = 'ERR_ACCESS_DENIED'

function datasync(descriptor: number, done: (error: Error | null) => void): void {
  try {
    fs.fdatasync(descriptor, done)
  } catch (error) {
    queueMicrotask(() => done(error as Error))
  }
}

/** A new name is on the disk only when its folder is. */
function syncDirectory(directory: string): void {
  if (process.permission !== undefined) return
  fs.open(directory, fs.constants.O_RDONLY, (error, folder) => {
    if (error === null) fs.fsync(folder, () => fs.close(folder, () => undefined))
  })
}

const fileName = (prefix: string, chain: string, number: number): string =>
  `${prefix}-${chain}-${String(number).padStart(4, '0')}.jsonl`

const NAME = /^audit-([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12})-(\d{4,9})\.jsonl$/
/** The end of a file that is read: more than 256 records at most take, and some. */
const TAIL = 1024 * 1024

export interface Earlier {
  /** Ids of the chains of the folder, the newest MAX_REGISTERED. */
  readonly chains: readonly string[]
  /** The last checkpoint of the newest one. */
  readonly previous: { readonly chain: string; readonly checkpoint: string } | undefined
}

/** What earlier starts have left in the folder; nothing where it cannot be read. */
export function readEarlier(directory: string): Earlier {
  let names: string[]
  try {
    names = fs.readdirSync(directory)
  } catch {
    return { chains: [], previous: undefined }
  }
  const files = names
    .map((name) => ({ name, match: NAME.exec(name) }))
    .flatMap(({ name, match }) =>
      match === null ? [] : [{ name, chain: match[1] as string, number: Number(match[2]) }],
    )
    // A UUIDv7 begins with its time.
    .sort((a, b) => (a.chain < b.chain ? -1 : a.chain > b.chain ? 1 : a.number - b.number))
  const chains = [...new Set(files.map(({ chain }) => chain))].slice(-MAX_REGISTERED)
  const newest = files.filter(({ chain }) => chain === chains.at(-1)).slice(-2)
  for (const { name, chain } of newest.reverse()) {
    const checkpoint = lastCheckpoint(join(directory, name), chain)
    if (checkpoint !== undefined) return { chains, previous: { chain, checkpoint } }
  }
  return { chains, previous: undefined }
}

const CHECKPOINT = /^\{"chain":"([0-9a-f-]{36})","checkpoint":"([\w-]+\.[\w-]+\.[\w-]+)",.*\}$/

function lastCheckpoint(path: string, chain: string): string | undefined {
  let descriptor: number | undefined
  try {
    // A FIFO of that name must not hold the start.
    descriptor = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
    const { size } = fs.fstatSync(descriptor)
    const bytes = Buffer.alloc(Math.min(size, TAIL))
    const count = fs.readSync(descriptor, bytes, 0, bytes.length, size - bytes.length)
    // The last piece is a line that a crash has torn, or empty.
    const lines = bytes.subarray(0, count).toString('utf8').split('\n').slice(0, -1)
    for (const line of lines.reverse()) {
      const [, owner, checkpoint] = CHECKPOINT.exec(line) ?? []
      if (owner === chain) return checkpoint
    }
    return undefined
  } catch {
    return undefined
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor)
  }
}
