// Tells a witness outside the log of every checkpoint, in order and off the way of calls; what it cannot take waits, and the newest win.
import fs from 'node:fs'
import { promisify } from 'node:util'

export interface Witness {
  /** Takes a checkpoint and returns at once. */
  tell(jws: string): void
  /** Resolves when nothing waits, or nothing can be told at the moment. */
  settled(): Promise<void>
  /** `failing`: since when (milliseconds since the epoch) the oldest attempt fails; undefined while all is well. */
  stats(): { told: number; failures: number; dropped: number; failing: number | undefined }
  close(): void
}

export interface WitnessOptions {
  /** Hands over one checkpoint; rejects where it was not taken. */
  send(jws: string): Promise<void>
  /** Milliseconds since the epoch. */
  now(): number
  onEvent(name: string, fields: Record<string, string | number>): void
}

/** A newer checkpoint covers what an older one does. */
const MAX_WAITING = 64
const FIRST_RETRY = 1000
const LAST_RETRY = 60_000

export function createWitness({ send, now, onEvent }: WitnessOptions): Witness {
  const waiting: string[] = []
  let sending: Promise<void> | undefined
  let retry: NodeJS.Timeout | undefined
  let delay = 0
  let told = 0
  let failures = 0
  let dropped = 0
  let failing: number | undefined
  let closed = false

  const run = async (): Promise<void> => {
    while (waiting.length > 0) {
      const jws = waiting[0] as string
      try {
        await send(jws)
      } catch (error) {
        failed(error)
        return
      }
      // While it was under way, newer ones may have taken its place.
      if (waiting[0] === jws) waiting.shift()
      told++
      delay = 0
      if (failing === undefined) continue
      failing = undefined
      onEvent('witness_again', { told })
    }
  }

  const failed = (error: unknown): void => {
    failures++
    if (failing === undefined)
      onEvent('witness_failed', {
        reason: error instanceof Error && 'code' in error ? String(error.code) : 'refused',
      })
    failing ??= now()
    delay = Math.min(LAST_RETRY, Math.max(FIRST_RETRY, delay * 2))
    if (!closed) retry = setTimeout(start, delay).unref()
  }

  const start = (): void => {
    clearTimeout(retry)
    retry = undefined
    sending ??= run().finally(() => {
      sending = undefined
    })
  }

  return {
    tell(jws) {
      waiting.push(jws)
      if (waiting.length > MAX_WAITING) {
        waiting.shift()
        dropped++
      }
      if (retry === undefined) start()
    },
    async settled() {
      if (waiting.length > 0) start()
      await sending
    },
    stats: () => ({ told, failures, dropped, failing }),
    close() {
      closed = true
      clearTimeout(retry)
    },
  }
}

const open = promisify(fs.open)
const close = promisify(fs.close)
const write = promisify(fs.writeFile)
const sync = promisify(fs.fsync)

/** Appends a checkpoint, one a line, and forces it to the disk. Opened anew each time, so that the file may be moved away. */
export const appendTo =
  (path: string): WitnessOptions['send'] =>
  async (jws) => {
    const { O_WRONLY, O_APPEND, O_CREAT } = fs.constants
    const descriptor = await open(path, O_WRONLY | O_APPEND | O_CREAT, 0o600)
    try {
      await write(descriptor, `${jws}\n`)
      await sync(descriptor)
    } finally {
      await close(descriptor)
    }
  }
