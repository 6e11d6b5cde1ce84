// Writes lines to a sink: an own bounded queue, one write under way at a time; a line counts as written when the kernel has taken it.
import { performance } from 'node:perf_hooks'
import { type Destination, openDescriptor } from './sink.ts'

export interface LineWriter {
  /** Queues one line (without its line feed); false where the queue has no room, and the line is lost. */
  write(line: string): boolean
  /** Resolves when every queued line was taken by the kernel. */
  flush(): Promise<void>
  stats(): { written: number; lost: number; pendingBytes: number }
}

/** The writer of the records: strict mode waits for it. */
export interface SinkWriter extends LineWriter {
  /**
   * Queues one line of two parts with what `pieceOf` makes of their bytes between them, at most MAX_PIECE characters of ASCII: a text that
   * is hashed becomes bytes once. `reserved` lines find room for RESERVE bytes more.
   */
  insert(before: string, after: string, pieceOf: (line: Buffer) => string, reserved: boolean): boolean
  /** Resolves when everything queued so far was taken by the kernel (true), or could not be within the timeout (false); at once where that is known. */
  taken(): Promise<boolean>
  /** True where there is room for new calls again, and not for one line alone. */
  hasRoom(): boolean
  /** Why nothing is taken at the moment; undefined while all is well. */
  fault(): string | undefined
}

export interface WriterOptions {
  /** Bytes that may wait. */
  maxQueue: number
  /** Milliseconds after which a sink that takes nothing is told, and nobody waits for it any more. */
  timeout?: number
  /** Told once for each time that lines begin to be lost. */
  onLoss?: () => void
  /** Told why the sink begins to fail, and with undefined that it takes lines again. */
  onFault?: (code: string | undefined) => void
}

export const MAX_PIECE = 64
/** Bytes of one write; lines are put into a chunk as they come, so that nothing is joined or copied later. */
const CHUNK = 256 * 1024
/** For the outcomes of calls under way, of some 1 KiB each, while the queue is full. */
const RESERVE = 4 * 1024 * 1024
/** How long lines are gathered before a write where nobody waits for it, in milliseconds: one system call then serves many calls. */
const GATHER = 20
const TIMEOUT = 2000
/** Milliseconds between attempts, doubled from the first to the last: for a reader that is slow, and for a sink that fails. */
const SLOW = { first: 2, last: 50 }
const FAILING = { first: 100, last: 5000 }

interface Chunk {
  bytes: Buffer
  used: number
  /** Bytes that the sink has taken: a write that was cut short goes on there, so that no line is torn. */
  done: number
  lines: number
  waiting: Waiting | undefined
}

/** Everybody who waits for the same write. */
interface Waiting {
  promise: Promise<boolean>
  resolve(taken: boolean): void
  since: number
}

const YES = Promise.resolve(true)
const NO = Promise.resolve(false)

export function createLineWriter(to: number | Destination, options: WriterOptions): SinkWriter {
  const { maxQueue, timeout = TIMEOUT, onLoss, onFault } = options
  const sink = typeof to === 'number' ? openDescriptor(to) : to
  /** Chunks that wait for their write; the first one may be under way. */
  const full: Chunk[] = []
  let current = newChunk(CHUNK)
  /** An emptied chunk that is kept for the next turn. */
  let spare: Chunk | undefined
  let pendingBytes = 0
  let written = 0
  let lost = 0
  let losing = false
  /** A write is under way, or waits to be tried again. */
  let busy = false
  let progressAt = 0
  let fault: string | undefined
  let delay = 0
  let gathering: NodeJS.Timeout | undefined
  let soon: NodeJS.Immediate | undefined
  let watching: NodeJS.Timeout | undefined
  let retrying: NodeJS.Timeout | undefined
  let flushed: (() => void)[] = []

  const seal = (): void => {
    if (current.lines === 0) return
    full.push(current)
    current = spare ?? newChunk(CHUNK)
    spare = undefined
  }

  const next = (): void => {
    clearTimeout(gathering)
    clearImmediate(soon)
    gathering = undefined
    soon = undefined
    if (busy) return
    if (full.length === 0) seal()
    const [chunk] = full
    if (chunk === undefined) {
      const done = flushed
      flushed = []
      for (const resolve of done) resolve()
      return
    }
    busy = true
    progressAt = performance.now()
    put(chunk)
    if (busy) watch()
  }

  const put = (chunk: Chunk): void => {
    sink.put(chunk.bytes.subarray(chunk.done, chunk.used), chunk.done === 0, (count, code) => {
      if (count > 0) progress()
      chunk.done += count
      if (chunk.done === chunk.used) taken(chunk)
      else if (code === undefined) put(chunk)
      else again(chunk, code)
    })
  }

  const progress = (): void => {
    progressAt = performance.now()
    delay = 0
    losing = false
    if (fault === undefined) return
    fault = undefined
    onFault?.(undefined)
  }

  const taken = (chunk: Chunk): void => {
    full.shift()
    busy = false
    pendingBytes -= chunk.used
    written += chunk.lines
    chunk.waiting?.resolve(true)
    if (chunk.bytes.length === CHUNK) spare = emptied(chunk)
    if (flushed.length > 0 || full.length > 0 || current.waiting !== undefined) next()
    else if (current.lines > 0) gathering ??= setTimeout(next, GATHER)
  }

  const again = (chunk: Chunk, code: string): void => {
    const { first, last } = code === 'EAGAIN' ? SLOW : FAILING
    if (code !== 'EAGAIN') failed(code)
    delay = Math.min(last, Math.max(first, delay * 2))
    // A sink that fails for good must not hold the exit; somebody who waits may.
    retrying = setTimeout(put, delay, chunk)
    if (flushed.length === 0) retrying.unref()
  }

  const failed = (code: string): void => {
    if (fault !== undefined) return
    fault = code
    onFault?.(code)
  }

  /** Looks after `timeout` whether the sink still takes something; one timer for all writes and all who wait. */
  const watch = (): void => {
    watching ??= setTimeout(look, timeout).unref()
  }

  const look = (): void => {
    watching = undefined
    if (!busy) return
    const now = performance.now()
    if (now - progressAt >= timeout) failed('stalled')
    let oldest = now
    for (const chunk of [...full, current]) {
      const { waiting } = chunk
      if (waiting === undefined) continue
      if (now - waiting.since < timeout) oldest = Math.min(oldest, waiting.since)
      else {
        chunk.waiting = undefined
        waiting.resolve(false)
      }
    }
    watching = setTimeout(look, Math.max(1, oldest + timeout - now))
    if (oldest === now) watching.unref()
  }

  /** The chunk that a line of this length fits into, whatever its characters are; undefined where the queue has no room. */
  const roomFor = (length: number, limit: number): Chunk | undefined => {
    if (pendingBytes + length + 1 > limit) {
      lost++
      if (!losing) onLoss?.()
      losing = true
      return undefined
    }
    const most = length * 3 + 1
    if (current.used + most > current.bytes.length) seal()
    if (most > current.bytes.length) current = newChunk(most)
    return current
  }

  const added = (chunk: Chunk, end: number): void => {
    chunk.bytes[end] = 0x0a
    pendingBytes += end + 1 - chunk.used
    chunk.used = end + 1
    chunk.lines++
    if (!busy) gathering ??= setTimeout(next, GATHER)
  }

  const writeSoon = (): void => {
    if (!busy) soon ??= setImmediate(next)
  }

  return {
    write(line) {
      const chunk = roomFor(line.length, maxQueue)
      if (chunk === undefined) return false
      added(chunk, chunk.used + chunk.bytes.write(line, chunk.used))
      return true
    },
    insert(before, after, pieceOf, reserved) {
      const length = before.length + after.length + MAX_PIECE
      const chunk = roomFor(length, reserved ? maxQueue + RESERVE : maxQueue)
      if (chunk === undefined) return false
      const { bytes, used } = chunk
      const middle = used + bytes.write(before, used)
      const end = middle + bytes.write(after, middle)
      const piece = pieceOf(bytes.subarray(used, end))
      bytes.copyWithin(middle + piece.length, middle, end)
      bytes.write(piece, middle, 'latin1')
      added(chunk, end + piece.length)
      return true
    },
    taken() {
      if (pendingBytes === 0) return YES
      if (busy && performance.now() - progressAt >= timeout) return NO
      const chunk = current.lines > 0 ? current : (full.at(-1) as Chunk)
      if (chunk.waiting === undefined) {
        const { promise, resolve } = Promise.withResolvers<boolean>()
        chunk.waiting = { promise, resolve, since: performance.now() }
        watch()
        watching?.ref()
        writeSoon()
      }
      return chunk.waiting.promise
    },
    flush() {
      if (!busy && pendingBytes === 0) return Promise.resolve()
      return new Promise((resolve) => {
        flushed.push(resolve)
        retrying?.ref()
        next()
      })
    },
    hasRoom: () => pendingBytes < maxQueue / 2,
    fault: () => fault,
    stats: () => ({ written, lost, pendingBytes }),
  }
}

const newChunk = (size: number): Chunk => ({
  bytes: Buffer.allocUnsafeSlow(size),
  used: 0,
  done: 0,
  lines: 0,
  waiting: undefined,
})

function emptied(chunk: Chunk): Chunk {
  chunk.used = 0
  chunk.done = 0
  chunk.lines = 0
  chunk.waiting = undefined
  return chunk
}
