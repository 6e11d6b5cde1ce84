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

/** Largest single write; a longer queue is written in turns, so that memory for joining stays bounded. */
const MAX_WRITE = 1 << 20

/** How long lines are gathered before a write, in milliseconds: one system call then serves many calls. */
const GATHER = 20

type Put = (chunk: Buffer, done: (error: Error | null) => void) => void

export function createLineWriter(descriptor: number, options: WriterOptions): LineWriter {
  const put = openSink(descriptor)
  let waiting: string[] = []
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

  /** The lines of the next write: all that wait, or as many as fit. */
  const take = (): string[] => {
    let bytes = 0
    let count = 0
    for (const line of waiting) {
      bytes += line.length
      if (count > 0 && bytes > MAX_WRITE) break
      count++
    }
    const lines = count === waiting.length ? waiting : waiting.slice(0, count)
    waiting = count === waiting.length ? [] : waiting.slice(count)
    return lines
  }

  const next = (): void => {
    clearTimeout(timer)
    timer = undefined
    if (busy) return
    if (waiting.length === 0) {
      const done = flushed
      flushed = []
      for (const resolve of done) resolve()
      return
    }
    const lines = take()
    const text = lines.join('')
    busy = true
    put(Buffer.from(text), (error) => {
      busy = false
      pendingBytes -= text.length
      if (error === null) {
        written += lines.length
        losing = false
      } else lose(lines.length, 'failed')
      if (flushed.length > 0) next()
      else if (waiting.length > 0) timer ??= setTimeout(next, GATHER)
    })
  }

  return {
    write(line) {
      // Lines are ASCII but for operator's own text, so a UTF-16 unit counts as a byte.
      const bytes = line.length + 1
      if (pendingBytes + bytes > options.maxQueue) {
        lose(1, 'full')
        return false
      }
      pendingBytes += bytes
      waiting.push(`${line}\n`)
      if (!busy && timer === undefined) timer = setTimeout(next, GATHER)
      return true
    },
    flush() {
      if (!busy && waiting.length === 0) return Promise.resolve()
      return new Promise((resolve) => {
        flushed.push(resolve)
        next()
      })
    },
    stats: () => ({ written, lost, pendingBytes }),
  }
}

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
