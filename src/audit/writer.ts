// Writes lines to a descriptor: an own bounded queue, one write under way at a time, a line counts as written when the kernel has taken it.
import fs from 'node:fs'
import { Socket } from 'node:net'

export interface LineWriter {
  /** Queues one line (without its line feed); false where the queue is full or the sink is broken, and the line is lost. */
  write(line: string): boolean
  /** Resolves when every queued line was taken by the kernel or given up. */
  flush(): Promise<void>
  stats(): { written: number; lost: number; pendingBytes: number }
}

export interface WriterOptions {
  /** Bytes that may wait. */
  maxQueue: number
  /** Told once for each time that lines begin to be lost. */
  onLoss?: (reason: 'full' | 'failed') => void
}

/** Bytes of one write; lines are put into a chunk as they come, so that nothing is joined or copied later. */
const CHUNK = 256 * 1024

/** How long lines are gathered before a write, in milliseconds: one system call then serves many calls. */
const GATHER = 20

type Put = (chunk: Buffer, done: (error: Error | null) => void) => void

interface Chunk {
  bytes: Buffer
  used: number
  lines: number
}

export function createLineWriter(descriptor: number, options: WriterOptions): LineWriter {
  const put = openSink(descriptor)
  const full: Chunk[] = []
  let current = newChunk(CHUNK)
  /** An emptied chunk that is kept for the next turn. */
  let spare: Chunk | undefined
  let pendingBytes = 0
  let written = 0
  let lost = 0
  let busy = false
  let timer: NodeJS.Timeout | undefined
  let losing = false
  let flushed: (() => void)[] = []

  const lose = (lines: number, reason: 'full' | 'failed'): void => {
    lost += lines
    if (!losing) options.onLoss?.(reason)
    losing = true
  }

  const seal = (): void => {
    if (current.lines === 0) return
    full.push(current)
    current = spare ?? newChunk(CHUNK)
    spare = undefined
  }

  const next = (): void => {
    clearTimeout(timer)
    timer = undefined
    if (busy) return
    if (full.length === 0) seal()
    const chunk = full.shift()
    if (chunk === undefined) {
      const done = flushed
      flushed = []
      for (const resolve of done) resolve()
      return
    }
    busy = true
    put(chunk.bytes.subarray(0, chunk.used), (error) => {
      busy = false
      pendingBytes -= chunk.used
      if (error === null) {
        written += chunk.lines
        losing = false
      } else lose(chunk.lines, 'failed')
      chunk.used = 0
      chunk.lines = 0
      if (chunk.bytes.length === CHUNK) spare = chunk
      if (flushed.length > 0 || full.length > 0) next()
      else if (current.lines > 0) timer ??= setTimeout(next, GATHER)
    })
  }

  /** The chunk that the line fits into, whatever its characters are. */
  const room = (line: string): Chunk => {
    const most = line.length * 3 + 1
    if (current.used + most > current.bytes.length) seal()
    if (most > current.bytes.length) current = newChunk(most)
    return current
  }

  return {
    write(line) {
      if (pendingBytes + line.length + 1 > options.maxQueue) {
        lose(1, 'full')
        return false
      }
      const chunk = room(line)
      const start = chunk.used
      chunk.used += chunk.bytes.write(line, start)
      chunk.bytes[chunk.used++] = 0x0a
      chunk.lines++
      pendingBytes += chunk.used - start
      if (!busy && timer === undefined) timer = setTimeout(next, GATHER)
      return true
    },
    flush() {
      if (!busy && pendingBytes === 0) return Promise.resolve()
      return new Promise((resolve) => {
        flushed.push(resolve)
        next()
      })
    },
    stats: () => ({ written, lost, pendingBytes }),
  }
}

const newChunk = (size: number): Chunk => ({ bytes: Buffer.allocUnsafeSlow(size), used: 0, lines: 0 })

// A pipe or socket is driven by the event loop: a thread blocked in write(2) on a stalled reader could not be ended (process.stdout has the same trouble).
// A file is written by the thread pool.
function openSink(descriptor: number): Put {
  const stat = fs.fstatSync(descriptor)
  if (stat.isFIFO() || stat.isSocket()) {
    const socket = new Socket({ fd: descriptor, readable: false, writable: true })
    // Each failed write reports to its own callback; without a listener the event would end the process.
    socket.on('error', () => undefined)
    return (chunk, done) => {
      socket.write(chunk, (error) => done(error ?? null))
    }
  }
  const put: Put = (chunk, done) => {
    fs.write(descriptor, chunk, 0, chunk.length, null, (error, count) => {
      if (error !== null) done(error)
      else if (count < chunk.length) put(chunk.subarray(count), done)
      else done(null)
    })
  }
  return put
}
