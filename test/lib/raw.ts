// HTTP/1.1 on a plain socket, so that tests can send what no HTTP client would.
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'

export interface RawAnswer {
  status: number
  /** Lower-case names; a header that occurs twice is joined by a comma. */
  headers: Record<string, string>
  body: string
}

export interface RawConnection {
  socket: Socket
  send(bytes: string | Buffer): void
  /** The next answer on this connection; rejects where the connection ends before it is whole. */
  answer(options?: { head?: boolean }): Promise<RawAnswer>
  /** Resolves when the service has closed its side, with the bytes that belong to no answer. */
  closed: Promise<string>
  end(): void
}

export async function open(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true, noDelay: true })
  let text = ''
  let ended = false
  let wake: () => void = () => undefined
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => {
    text += chunk
    wake()
  })
  const closed = new Promise<string>((resolve) => {
    const finish = (): void => {
      ended = true
      wake()
      resolve(text)
    }
    socket.on('end', finish)
    socket.on('close', finish)
  })
  // A reset after the answer is one way of closing; before it, answer() says so.
  socket.on('error', () => undefined)
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', () => resolve())
    socket.once('error', reject)
  })
  return {
    socket,
    closed,
    send: (bytes) => void socket.write(bytes),
    end: () => socket.destroy(),
    async answer({ head = false } = {}) {
      for (;;) {
        const parsed = parse(text, head)
        if (parsed !== undefined) {
          text = text.slice(parsed.length)
          if (parsed.answer.status !== 100) return parsed.answer
          continue
        }
        assert.ok(!ended, `the connection ended before a whole answer; it sent ${JSON.stringify(text)}`)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}

function parse(text: string, head: boolean): { answer: RawAnswer; length: number } | undefined {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [first = '', ...lines] = text.slice(0, end).split('\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(`${first} `)?.[1])
  assert.ok(Number.isInteger(status), `not a status line: ${JSON.stringify(first)}`)
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const [, name = '', value = ''] = /^([^:]+):[ \t]*(.*)$/.exec(line) ?? []
    const key = name.toLowerCase()
    headers[key] = headers[key] === undefined ? value : `${headers[key]}, ${value}`
  }
  const start = end + 4
  const bodyless = head || status === 204 || status < 200
  const length = bodyless ? 0 : Number(headers['content-length'] ?? Number.NaN)
  assert.ok(Number.isInteger(length), `an answer without content-length: ${JSON.stringify(first)}`)
  if (text.length < start + length) return undefined
  return { answer: { status, headers, body: text.slice(start, start + length) }, length: start + length }
}

/** Request text; header lines as given, Host and Content-Length added where they are not there. */
export function request(
  line: string,
  headers: readonly string[] = [],
  body: string | undefined = undefined,
): string {
  const has = (name: string): boolean => headers.some((item) => item.toLowerCase().startsWith(`${name}:`))
  const lines = [line.includes(' HTTP/') ? line : `${line} HTTP/1.1`, ...headers]
  if (!has('host')) lines.push('Host: 127.0.0.1')
  if (body !== undefined && !has('content-type')) lines.push('Content-Type: application/json')
  if (body !== undefined && !has('content-length') && !has('transfer-encoding'))
    lines.push(`Content-Length: ${Buffer.byteLength(body)}`)
  return `${lines.join('\r\n')}\r\n\r\n${body ?? ''}`
}
