// `ductape-mcp stdio`: MCP over standard input and output, one JSON-RPC message a line, through the same stages as HTTP (specification 2026-07-28, transports/stdio).
import { parseArgs } from 'node:util'
import { type App, createApp } from '../app.ts'
import { createLineWriter, type LineWriter } from '../audit/writer.ts'
import type { Call, ProgressSink } from '../core/call.ts'
import { type Denial, deny } from '../core/denials.ts'
import type { HttpAnswer } from '../core/http.ts'
import { isObject, type Json, type JsonObject } from '../core/json.ts'
import { parseBody } from '../http/protocol.ts'
import { progressNotification } from '../mcp/encode.ts'
import type { Log } from '../telemetry/log.ts'
import { IDENTITY } from './identity.ts'
import { EXIT, type ExitCode, type Io } from './io.ts'
import { prepare } from './prepare.ts'

const STDIO_HELP = `ductape-mcp stdio [--config FILE]

Runs the three tools over standard input and output, for a client that starts its servers itself.
Nothing listens; the stages, answers and records are those of \`serve\`. A client config:

  { "mcpServers": { "ductape": { "command": "ductape-mcp", "args": ["stdio"] } } }

  --config FILE   the configuration (docs/reference/config.md); DUCTAPE_MCP_CONFIG names a file too

Standard output carries the protocol only. Audit records go to the folder of audit.sink, else to
standard error, where the log goes as well.
A line may be as long as http.maxBody. End of input: the calls in flight finish, exit 0.
docs/reference/stdio.md says more, and how to run it under Node's permission model.
`

/** Messages that may be under way; beyond that, reading waits. */
export const MAX_IN_FLIGHT = 64
/** Bytes of answers that may wait for a slow reader before reading waits. */
const MAX_BACKLOG = 1 << 20
/** How long a reader that takes nothing may hold the exit after a signal, in milliseconds. */
const STALL_LIMIT = 2000

export async function stdioCommand(argv: string[], io: Io): Promise<ExitCode> {
  const { values } = parseArgs({
    args: argv,
    options: { config: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) {
    io.out(STDIO_HELP)
    return EXIT.ok
  }
  if (process.stdin.isTTY) io.err('Waiting for MCP messages, one a line; end with Ctrl-D.\n')
  const prepared = await prepare({ configPath: values.config, io, recordsTo: 2 })
  const { config, log } = prepared
  const app = await createApp(config, prepared.ports)
  let broken = false
  /** Nobody takes the answers any more. */
  let gone = false
  const output = createLineWriter(1, {
    // Waiting is done by not reading: an answer is never dropped for want of room.
    maxQueue: Number.POSITIVE_INFINITY,
    onFault: (code) => {
      // A reader that pauses comes back; one that is gone does not.
      if (code === undefined || code === 'stalled') return
      gone = true
      stop('output_closed')
    },
  })
  const session = createSession({ app, output, log, maxLine: config.http.maxBody })
  let signalled = false
  let stopping = false
  const stop = (reason: string): void => {
    if (stopping) return
    stopping = true
    log.info('draining', { reason, inFlight: app.inFlight() })
    session.stop()
    process.stdin.destroy()
  }
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.on(signal, () => {
      // A second signal: whoever sends it does not want to wait.
      if (signalled) process.exit(EXIT.finding)
      signalled = true
      stop(signal)
    })
  }
  for (const event of ['uncaughtException', 'unhandledRejection']) {
    process.on(event, (error: unknown) => {
      log.error('crash', { kind: event, name: error instanceof Error ? error.name : typeof error })
      broken = true
      stop('crash')
    })
  }
  log.info('started', { version: IDENTITY.version, node: process.version, transport: 'stdio' })

  await session.serve(process.stdin)
  stop('end_of_input')
  const left = await app.drain()
  if (left === 0) await session.idle()
  const written =
    !gone && (await settle(output, signalled || broken ? STALL_LIMIT : config.http.drainTimeout))
  log.info('stopped', { unfinished: left })
  const flushed = await prepared.flush(app.close())
  return left === 0 && written && flushed && !broken ? EXIT.ok : EXIT.finding
}

export interface SessionParts {
  app: Pick<App, 'message'>
  output: LineWriter
  log: Log
  maxLine: number
}

export interface Session {
  /** Takes lines until the input ends or `stop` is called. */
  serve(input: AsyncIterable<Buffer>): Promise<void>
  /** Takes no more lines. */
  stop(): void
  /** Resolves when every message taken has been answered. */
  idle(): Promise<void>
}

/** A message under way. */
interface Pending {
  id: Json | undefined
  call: Call | undefined
  cancelled: boolean
}

export function createSession({ app, output, log, maxLine }: SessionParts): Session {
  const pending = new Set<Pending>()
  let stopped = false
  /** The revision that an `initialize` settled on: in that era the other messages do not name one. */
  let revision: string | undefined
  let wake: () => void = () => undefined

  const woken = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve
    })

  const progress: ProgressSink = (call, done, total, text) => {
    const notification = progressNotification(call, done, total, text)
    if (notification !== undefined && !call.gone) output.write(notification)
  }

  async function room(): Promise<void> {
    while (!stopped && pending.size >= MAX_IN_FLIGHT) await woken()
    while (!stopped && output.stats().pendingBytes > MAX_BACKLOG)
      await Promise.race([output.flush(), woken()])
  }

  function take(line: Buffer | undefined): void {
    const parsed = line === undefined ? deny('body_too_large', `${maxLine} bytes`) : parseBody(line)
    const fault: Denial | undefined = 'code' in parsed ? parsed : undefined
    const body = 'code' in parsed ? undefined : parsed.value
    if (isCancellation(body)) {
      cancel(body)
      return
    }
    const message = objectOf(body)
    const entry: Pending = { id: message?.['id'], call: undefined, cancelled: false }
    pending.add(entry)
    const opened = (call: Call): void => {
      entry.call = call
      call.bytesIn = line?.length ?? maxLine
      if (call.message?.era === 'legacy' && revision !== undefined) call.message.revision = revision
      call.progress = progress
    }
    app
      .message(body, fault, opened)
      .then(
        (answer) => {
          if (message?.['method'] === 'initialize') revision = negotiated(answer) ?? revision
          if (!entry.cancelled && expectsAnswer(body)) for (const text of linesOf(answer)) output.write(text)
        },
        () => {
          log.error('fault', { stage: 'stdio' })
          if (!entry.cancelled && expectsAnswer(body)) output.write(failure(entry.id))
        },
      )
      .finally(() => {
        pending.delete(entry)
        wake()
      })
  }

  // Not for the SDK: it makes a server for each message and would know nothing of the others.
  function cancel(notification: JsonObject): void {
    const id = objectOf(notification['params'])?.['requestId']
    if (typeof id !== 'string' && typeof id !== 'number') return
    for (const entry of pending) {
      if (entry.id !== id || entry.cancelled) continue
      entry.cancelled = true
      if (entry.call === undefined) continue
      entry.call.gone = true
      entry.call.underWay?.abandon()
    }
  }

  return {
    async serve(input) {
      try {
        for await (const line of readLines(input, maxLine)) {
          if (line !== undefined && isBlank(line)) continue
          await room()
          if (stopped) return
          take(line)
        }
      } catch {
        // The input broke or was closed by `stop`: both are its end.
      }
    },
    stop() {
      stopped = true
      wake()
    },
    async idle() {
      while (pending.size > 0) await woken()
    },
  }
}

const LINE_FEED = 0x0a

/** The lines of a stream of bytes; undefined stands once for a line over the limit, whose bytes are dropped as they come. */
export async function* readLines(
  input: AsyncIterable<Buffer>,
  limit: number,
): AsyncGenerator<Buffer | undefined> {
  let held = Buffer.alloc(0)
  let used = 0
  let skipping = false
  for await (const chunk of input) {
    let from = 0
    while (from < chunk.length) {
      const end = chunk.indexOf(LINE_FEED, from)
      const piece = chunk.subarray(from, end < 0 ? chunk.length : end)
      from += piece.length + 1
      if (!skipping && used + piece.length > limit) {
        skipping = true
        used = 0
        held = Buffer.alloc(0)
        yield undefined
      }
      if (!skipping && end >= 0) {
        yield used === 0 ? piece : Buffer.concat([held.subarray(0, used), piece])
        used = 0
      } else if (!skipping) {
        held = append(held, used, piece)
        used += piece.length
      }
      if (end >= 0) skipping = false
    }
  }
  if (used > 0) yield held.subarray(0, used)
}

/** Doubles the buffer when it is full, so that a line that comes byte by byte costs no object for each byte. */
function append(held: Buffer<ArrayBuffer>, used: number, piece: Buffer): Buffer<ArrayBuffer> {
  let buffer = held
  if (used + piece.length > buffer.length) {
    buffer = Buffer.allocUnsafe(Math.max(used + piece.length, held.length * 2, 4096))
    held.copy(buffer, 0, 0, used)
  }
  piece.copy(buffer, used)
  return buffer
}

const isBlank = (line: Buffer): boolean =>
  line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d)

const objectOf = (value: Json | undefined): JsonObject | undefined => (isObject(value) ? value : undefined)

const isCancellation = (body: Json | undefined): body is JsonObject => {
  const message = objectOf(body)
  return message?.['method'] === 'notifications/cancelled' && !Object.hasOwn(message, 'id')
}

/** JSON-RPC 2.0, 4.1 and 5: neither a notification nor a response has an answer. */
function expectsAnswer(body: Json | undefined): boolean {
  const message = objectOf(body)
  if (message === undefined) return true
  if (typeof message['method'] === 'string') return Object.hasOwn(message, 'id')
  return !Object.hasOwn(message, 'result') && !Object.hasOwn(message, 'error')
}

/** The messages of an answer: what the SDK sends as an event stream is one line for each event here. */
function linesOf(answer: HttpAnswer): string[] {
  const { body } = answer
  if (body === undefined || body === '') return []
  if (answer.headers['content-type']?.startsWith('text/event-stream') !== true) return [body]
  return body
    .split('\n')
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(5).trim())
    .filter((line) => line !== '')
}

function negotiated(answer: HttpAnswer): string | undefined {
  const message = JSON.parse(answer.body ?? 'null') as { result?: { protocolVersion?: unknown } } | null
  const version = message?.result?.protocolVersion
  return typeof version === 'string' ? version : undefined
}

const failure = (id: Json | undefined): string =>
  JSON.stringify({
    jsonrpc: '2.0',
    id: typeof id === 'string' || typeof id === 'number' ? id : null,
    error: { code: -32603, message: 'The service failed on this request.' },
  })

/** Waits until all output is taken; false where the reader took nothing for `limit` milliseconds. */
async function settle(output: LineWriter, limit: number): Promise<boolean> {
  const done = output.flush().then(() => true)
  for (let taken = -1; ; ) {
    const { written, pendingBytes } = output.stats()
    if (pendingBytes > 0 && written === taken) return false
    taken = written
    const late = new Promise<false>((resolve) => {
      setTimeout(() => resolve(false), limit).unref()
    })
    if (await Promise.race([done, late])) return true
  }
}
