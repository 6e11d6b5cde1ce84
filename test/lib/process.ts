// Runs the command line as a process of its own: to its end, or as an MCP server whose lines a test writes and reads.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Readable, Writable } from 'node:stream'

export const ROOT = resolve(import.meta.dirname, '../..')
export const MAIN = join(ROOT, 'src/main.ts')
/** Every command has to work with these. */
export const HARDENED = ['--disallow-code-generation-from-strings', '--disable-proto=throw']

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export interface RunOptions {
  env?: Record<string, string>
  /** All of standard input. */
  input?: string | Buffer
  node?: readonly string[]
  main?: string
}

/** A directory of the test's own, removed by `remove`. */
export function temporary(): { path: string; file(name: string, text: string): string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'ductape-mcp-test-'))
  return {
    path,
    file(name, text) {
      const file = join(path, name)
      writeFileSync(file, text)
      return file
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  }
}

function start(
  args: readonly string[],
  { env = {}, node = HARDENED, main = MAIN }: RunOptions,
): ChildProcess {
  return spawn(process.execPath, [...node, main, ...args], { cwd: tmpdir(), env, stdio: 'pipe' })
}

const ended = (child: ChildProcess): Promise<Pick<Ended, 'code' | 'signal'>> =>
  new Promise((done) => child.once('close', (code, signal) => done({ code, signal })))

function collect(stream: Readable | null): () => string {
  let text = ''
  stream?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  return () => text
}

export async function run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const child = start(args, options)
  const stdout = collect(child.stdout)
  const stderr = collect(child.stderr)
  // A command that refuses before it reads closes the pipe.
  child.stdin?.on('error', () => undefined)
  child.stdin?.end(options.input ?? '')
  return { ...(await ended(child)), stdout: stdout(), stderr: stderr() }
}

export interface Message {
  jsonrpc?: unknown
  id?: unknown
  method?: string
  params?: Record<string, unknown>
  result?: Record<string, unknown>
  error?: { code: number; message: string; data?: Record<string, unknown> }
}

export interface Lines {
  child: ChildProcess
  stdin: Writable
  stdout: Readable
  send(...messages: unknown[]): void
  /** The next line that the process writes, parsed; rejects where it ends first. */
  next(): Promise<Message>
  /** Lines that came and that `next` has not given yet. */
  waiting(): Message[]
  /** Resolves when standard error holds the text. */
  said(text: string | RegExp): Promise<void>
  stderr(): string
  exit: Promise<Pick<Ended, 'code' | 'signal'>>
}

/** Starts `stdio`; reading starts at once unless `paused`. */
export function startLines(
  args: readonly string[],
  { paused = false, ...options }: RunOptions & { paused?: boolean } = {},
): Lines {
  const child = start(['stdio', ...args], options)
  const { stdin, stdout, stderr } = child
  if (stdin === null || stdout === null || stderr === null) throw new Error('the process has no pipes')
  stdin.on('error', () => undefined)
  const lines: Message[] = []
  let text = ''
  let err = ''
  let over = false
  let watchers: (() => void)[] = []
  const changed = (): void => {
    const told = watchers
    watchers = []
    for (const tell of told) tell()
  }
  const take = (chunk: Buffer): void => {
    text += chunk.toString('latin1')
    const parts = text.split('\n')
    text = parts.pop() ?? ''
    for (const part of parts) lines.push(JSON.parse(Buffer.from(part, 'latin1').toString('utf8')) as Message)
    changed()
  }
  if (!paused) stdout.on('data', take)
  stderr.setEncoding('utf8').on('data', (chunk: string) => {
    err += chunk
    changed()
  })
  const exit = ended(child).then((end) => {
    over = true
    changed()
    return end
  })
  const until = async <T>(find: () => T | undefined): Promise<T> => {
    for (;;) {
      const found = find()
      if (found !== undefined) return found
      if (over) throw new Error(`the process ended first; it said: ${err}`)
      await new Promise<void>((resolve) => watchers.push(resolve))
    }
  }
  return {
    child,
    stdin,
    stdout,
    send: (...messages) => {
      stdin.write(
        messages
          .map((message) => `${typeof message === 'string' ? message : JSON.stringify(message)}\n`)
          .join(''),
      )
    },
    next: () => {
      if (paused && stdout.listenerCount('data') === 0) stdout.on('data', take)
      return until(() => lines.shift())
    },
    waiting: () => lines,
    said: async (wanted) => {
      await until(() =>
        (typeof wanted === 'string' ? err.includes(wanted) : wanted.test(err)) ? true : undefined,
      )
    },
    stderr: () => err,
    exit,
  }
}
