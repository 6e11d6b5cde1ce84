// One keep-alive HTTP/1.1 client connection on a bare socket, one request in flight (RFC 9112 framing), so that the load
// generator costs a fraction of what the servers cost.
import net from 'node:net'
import type { Answer } from './calls.ts'

const headEnd = Buffer.from('\r\n\r\n')
const headLimit = 65_536

/** What is known of the answer so far; `undefined` from `feed` means that bytes are still missing. */
export type Reader = { readonly feed: (chunk: Buffer) => (Answer & { readonly close: boolean }) | undefined }

/** Reads answers one after the other; throws on what is no HTTP/1.1 answer with a length or chunks. */
export function reader(): Reader {
  let parts: Buffer[] = []
  let have = 0
  let head: { status: number; close: boolean; length: number; start: number } | undefined

  const take = (body: Buffer) => {
    const { status = 0, close = true } = head ?? {}
    parts = []
    have = 0
    head = undefined
    return { status, body, close }
  }

  return {
    feed(chunk) {
      parts.push(chunk)
      have += chunk.length
      if (head === undefined) {
        if (parts.length > 1) parts = [Buffer.concat(parts)]
        const all = parts[0] ?? chunk
        const end = all.indexOf(headEnd)
        if (end < 0 && have > headLimit) throw new Error('the answer has no end of head')
        if (end < 0) return undefined
        head = parseHead(all.toString('latin1', 0, end), end + 4)
      }
      if (head.length >= 0) {
        if (have < head.start + head.length) return undefined
        if (have > head.start + head.length) throw new Error('more bytes than the answer declares')
        const all = parts.length === 1 ? (parts[0] ?? chunk) : Buffer.concat(parts)
        return take(all.subarray(head.start))
      }
      if (parts.length > 1) parts = [Buffer.concat(parts)]
      const body = dechunk(parts[0] ?? chunk, head.start)
      return body && take(body)
    },
  }
}

function parseHead(text: string, start: number) {
  if (!text.startsWith('HTTP/1.1 ')) throw new Error('not an HTTP/1.1 answer')
  const status = Number(text.slice(9, 12))
  const declared = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1]
  const chunked = declared === undefined && /\r\ntransfer-encoding: *chunked/i.test(text)
  if (declared === undefined && !chunked && status !== 202 && status !== 204) {
    throw new Error(`an answer ${status} without a length`)
  }
  const close = /\r\nconnection: *close/i.test(text)
  return { status, close, length: chunked ? -1 : Number(declared ?? 0), start }
}

function dechunk(bytes: Buffer, start: number): Buffer | undefined {
  const pieces: Buffer[] = []
  for (let at = start; ; ) {
    const line = bytes.indexOf('\r\n', at)
    if (line < 0) return undefined
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16)
    if (!(size >= 0)) throw new Error('a chunk without a size')
    const next = line + 2 + size + 2
    if (next > bytes.length) return undefined
    if (size === 0) return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces)
    pieces.push(bytes.subarray(line + 2, line + 2 + size))
    at = next
  }
}

export type Connection = {
  /** Sends one request; the answer, or the reason why none came, goes to the callback of `connect`. */
  readonly send: (bytes: Buffer) => void
  /** Sends one request and hangs up as soon as the kernel has it; the callback gets `undefined`. */
  readonly sendAndLeave: (bytes: Buffer) => void
  readonly close: () => void
}

/**
 * A connection that dials again when the server closed it between two calls. The callback is called exactly once for
 * every request that was sent.
 */
export function connect(
  port: number,
  onOpen: (error?: Error) => void,
  onAnswer: (result: Answer | Error | undefined) => void,
): Connection {
  let socket: net.Socket | undefined
  let waiting = false
  let opened = false

  const settle = (result: Answer | Error | undefined) => {
    if (!waiting) return
    waiting = false
    onAnswer(result)
  }

  const dial = (): net.Socket => {
    const dialled = net.connect({ port, host: '127.0.0.1', noDelay: true })
    const answers = reader()
    let fault: Error | undefined
    socket = dialled
    dialled.on('connect', () => {
      if (!opened) onOpen()
      opened = true
    })
    dialled.on('data', (chunk: Buffer) => {
      try {
        const answer = answers.feed(chunk)
        if (answer === undefined) return
        if (answer.close) {
          socket = undefined
          dialled.destroy()
        }
        settle(answer)
      } catch (error) {
        fault = error as Error
        dialled.destroy()
      }
    })
    dialled.on('error', (error) => {
      fault ??= error
    })
    dialled.on('close', () => {
      if (socket !== dialled) return
      socket = undefined
      if (!opened) onOpen(fault ?? new Error('closed before it was open'))
      opened = true
      settle(fault ?? new Error('closed before the answer'))
    })
    return dialled
  }

  dial()
  return {
    send(bytes) {
      waiting = true
      ;(socket ?? dial()).write(bytes)
    },
    sendAndLeave(bytes) {
      waiting = true
      const leaving = socket ?? dial()
      leaving.write(bytes, () => {
        if (socket === leaving) socket = undefined
        leaving.destroy()
        settle(undefined)
      })
    },
    close() {
      const last = socket
      socket = undefined
      last?.destroy()
    },
  }
}
