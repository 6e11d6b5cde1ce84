// The second file, which proves nothing: events of OCSF, made from records that the kernel has taken, best-effort whatever the mode is.
import { setImmediate } from 'node:timers/promises'
import { isObject, type JsonObject } from '../core/json.ts'
import { type Destination, openDescriptor, openFolder } from './sink.ts'
import { createLineWriter } from './writer.ts'

export interface OcsfOptions {
  directory: string
  /** Id of the chain, a part of every name. */
  chain: string
  /** Bytes at which the next file is begun. */
  maxFileSize: number
  /** Monotonic milliseconds. */
  tick(): number
  onEvent(name: string, fields: Record<string, string | number>): void
}

export interface OcsfFile {
  /** The sink of the records: it is offered the same bytes, and those that it takes become events later. */
  tap(sink: number | Destination): Destination
  stats(): { written: number; lost: number; failing: boolean }
  /** After the records were flushed. What the file does not take at once is lost: it never holds the exit. */
  close(): Promise<void>
}

/** Bytes of records that may wait to become events, and of events that may wait for the disk. */
const MAX_RECORDS = 4 * 1024 * 1024
const MAX_EVENTS = 8 * 1024 * 1024
/** Calls under way in one process; where outcomes were lost, their decisions have to make room. */
const MAX_DECISIONS = 4096
/** Milliseconds after which calls have their turn. */
const SLICE = 1
const TIMEOUT = 500
const LF = 0x0a
const NOTHING = Buffer.alloc(0)

export function openOcsfFile({ directory, chain, maxFileSize, tick, onEvent }: OcsfOptions): OcsfFile {
  const folder = openFolder({ directory, chain, maxFileSize, prefix: 'ocsf', fsync: 'off', onEvent })
  const code = folder.open()
  if (code !== undefined) onEvent('audit_ocsf_failed', { reason: code })
  const writer = createLineWriter(folder, {
    maxQueue: MAX_EVENTS,
    timeout: TIMEOUT,
    onLoss: () => onEvent('audit_ocsf_lost', {}),
    onFault: (reason) =>
      reason === undefined ? onEvent('audit_ocsf_again', {}) : onEvent('audit_ocsf_failed', { reason }),
  })

  const waiting: Buffer[] = []
  let waitingBytes = 0
  /** Lines of records that became no event. */
  let lost = 0
  /** Whether what is offered now, from a beginning of a line to the next, is kept. */
  let keeping = true
  /** Since the last time that nothing waited. */
  let losing = false
  let working: Promise<void> | undefined
  let toOcsf: ((record: JsonObject) => JsonObject | undefined) | undefined
  let rest: Buffer = NOTHING

  const keep = (taken: Buffer): void => {
    if (!keeping) {
      if (!losing) onEvent('audit_ocsf_lost', {})
      losing = true
      for (const byte of taken) if (byte === LF) lost++
      return
    }
    // The writer uses its bytes again.
    waiting.push(Buffer.from(taken))
    waitingBytes += taken.length
    working ??= convertAll()
  }

  const convertAll = async (): Promise<void> => {
    toOcsf ??= (await import('./ocsf.ts')).createOcsf(MAX_DECISIONS)
    // Not in the turn of the write: somebody may wait for it.
    await setImmediate()
    let until = tick() + SLICE
    for (let piece = waiting.shift(); piece !== undefined; piece = waiting.shift()) {
      const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece])
      let from = 0
      for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, from)) {
        convert(toOcsf, bytes.toString('utf8', from, end))
        from = end + 1
        if (tick() < until) continue
        await setImmediate()
        until = tick() + SLICE
      }
      rest = bytes.subarray(from)
      waitingBytes -= piece.length
    }
    losing = false
    working = undefined
  }

  const convert = (make: NonNullable<typeof toOcsf>, line: string): void => {
    try {
      const record: unknown = JSON.parse(line)
      const event = isObject(record) ? make(record) : undefined
      if (event !== undefined) writer.write(JSON.stringify(event))
    } catch {
      lost++
    }
  }

  return {
    tap(to) {
      const sink = typeof to === 'number' ? openDescriptor(to) : to
      return {
        put(bytes, fresh, done) {
          if (fresh) keeping = waitingBytes + bytes.length <= MAX_RECORDS
          sink.put(bytes, fresh, (count, fault) => {
            // First: the writer may fill these bytes anew.
            if (count > 0) keep(bytes.subarray(0, count))
            done(count, fault)
          })
        },
      }
    },
    stats: () => ({
      written: writer.stats().written,
      lost: lost + writer.stats().lost,
      failing: writer.fault() !== undefined,
    }),
    async close() {
      await working
      await writer.taken()
      await folder.close()
    },
  }
}
