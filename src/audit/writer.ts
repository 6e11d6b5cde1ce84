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

type Put = (chunk: Buffer, done: (error: Error | null) => void) => void

export function createLineWriter(descriptor: number, options: WriterOptions): LineWriter {
  const put = openSink(descriptor)
  const waiting: Buffer[] = []
  let pendingBytes = 0
  let written = 0
  let lost = 0
  let busy = false
  let scheduled = false
  let losing = false
  let flushed: (() => void)[] = []

  const lose = (lines: number, reason: 'full' | 'failed'): void => {
    lost += lines
    if (!losing) options.onLoss?.(reason)
    losing = true
  }

  const next = (): void => {
    scheduled = false
    if (busy) return
    const lines: Buffer[] = []
    let bytes = 0
    for (const line of waiting) {
      if (bytes > 0 && bytes + line.length > MAX_WRITE) break
      lines.push(line)
      bytes += line.length
    }
    if (lines.length === 0) {
      const done = flushed
      flushed = []
      for (const resolve of done) resolve()
      return
    }
    waiting.splice(0, lines.length)
    busy = true
    put(lines.length === 1 ? (lines[0] as Buffer) : Buffer.concat(lines, bytes), (error) => {
      busy = false
      pendingBytes -= bytes
      if (error === null) {
        written += lines.length
        losing = false
      } else lose(lines.length, 'failed')
      next()
    })
  }

  return {
    write(line) {
      const chunk = Buffer.from(`${line}\n`)
      if (pendingBytes + chunk.length > options.maxQueue) {
        lose(1, 'full')
        return false
      }
      pendingBytes += chunk.length
      waiting.push(chunk)
      // All lines of one turn of the event loop go out in one write.
      if (!busy && !scheduled) {
        scheduled = true
        setImmediate(next)
      }
      return true
    },
    flush() {
      if (!busy && waiting.length === 0) return Promise.resolve()
      return new Promise((resolve) => flushed.push(resolve))
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
