// Cuts bytes into the lines of records and takes off the frame that a container runtime puts around them (the CRI log format).

export interface LineSink {
  /** A whole line without its line feed, and the number of the line it ends in. The bytes are good until the next call. */
  line(bytes: Buffer, number: number): void
  /** What stands at the end without a line feed. */
  rest(bytes: Buffer, number: number): void
}

export interface LineCutter {
  feed(chunk: Buffer): void
  end(): void
}

/** Bytes of a record; the same bound holds for the parts of one together. */
export const MAX_LINE = 64 * 1024
/** A frame is about 40 bytes. */
const MAX_FRAMED = MAX_LINE + 256

const LF = 0x0a
const BRACE = 0x7b
const FRAME = /^\d{4}-\d\d-\d\dT[\d:.]{8,20}(?:Z|[+-]\d\d:\d\d) (stdout|stderr) ([FP]) /
const NOTHING = Buffer.alloc(0)

export function createLineCutter(sink: LineSink): LineCutter {
  /** The beginning of a line that goes on in the next chunk. */
  let rest: Buffer = NOTHING
  /** Parts of a framed line. */
  let parts: Buffer[] = []
  let partBytes = 0
  let number = 0

  const flushParts = (last: Buffer): Buffer => {
    if (parts.length === 0) return last
    parts.push(last)
    const whole = Buffer.concat(parts)
    parts = []
    partBytes = 0
    return whole
  }

  const take = (bytes: Buffer, ended: boolean): void => {
    number++
    const frame = bytes[0] === BRACE ? null : FRAME.exec(bytes.toString('latin1', 0, 80))
    if (frame === null) {
      const line = flushParts(bytes)
      if (ended) sink.line(line, number)
      else sink.rest(line, number)
      return
    }
    if (frame[1] === 'stderr') return
    const body = bytes.subarray(frame[0].length)
    if (frame[2] === 'F') {
      const line = flushParts(body)
      if (ended) sink.line(line, number)
      else sink.rest(line, number)
    } else if (partBytes <= MAX_LINE) {
      // Copied: the chunk is used again before the last part comes. What is over the bound already needs no more parts to be refused.
      parts.push(Buffer.from(body))
      partBytes += body.length
    }
  }

  return {
    feed(chunk) {
      let from = 0
      for (;;) {
        const end = chunk.indexOf(LF, from)
        if (end < 0) break
        const piece = chunk.subarray(from, end)
        take(rest.length === 0 ? piece : Buffer.concat([rest, piece]), true)
        rest = NOTHING
        from = end + 1
      }
      // A line over the bound is refused whatever follows, so its end need not be kept.
      if (from < chunk.length && rest.length <= MAX_FRAMED) rest = Buffer.concat([rest, chunk.subarray(from)])
    },
    end() {
      if (rest.length > 0) take(rest, false)
      if (parts.length > 0) sink.rest(flushParts(NOTHING), number)
    },
  }
}
