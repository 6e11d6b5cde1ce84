// `ductape-mcp top`: asks /metrics of a running service again and again and shows rates, refusals, latency, approvals, evidence, store and backend.
import { parseArgs } from 'node:util'
import { EXIT, type ExitCode, type Io, UsageError } from '../cli/io.ts'
import { terminalJson, terminalPhrase, terminalText } from '../core/terminal.ts'
import { parseExposition } from './exposition.ts'
import { ClientFailure } from './failure.ts'
import { exchange, serviceUrl } from './get.ts'
import { figuresOf, isOurs, type Look, linesOf } from './top-view.ts'

const DEFAULT_OPS = 'http://127.0.0.1:9464'

export const TOP_HELP = `ductape-mcp top [--ops URL] [--interval SECONDS] [--once] [--json]

Shows what a running service does, from its metrics: calls a second, refusals by code, latency,
approvals, evidence, store and backend. On a terminal the picture is drawn anew each time; q or
Ctrl-C ends it. Elsewhere each picture is written below the one before, until it is stopped.

  --ops URL           origin of the ops listener (default ${DEFAULT_OPS})
  --interval SECONDS  time between two looks, 0.5 to 3600 (default 2)
  --once              one look: counts and latency since the service started
  --json              write figures in place of the picture; one JSON document for each look

One replica is shown: give the address of its own ops listener, for one through
kubectl port-forward POD 9464. Nothing is asked but /metrics, which needs no token.

Exit codes: 0 shown, 1 the first look found no ductape-mcp there, 2 wrong usage.

Examples:
  ductape-mcp top --once
  ductape-mcp top --interval 5 --json
`

/** Of one answer; the labels of the service are closed sets, so that it is a fraction of this. */
const MAX_ANSWER = 8 << 20
const TIMEOUT = 5000

/** What the command needs of a terminal, or of what stands in its place. */
export interface Terminal {
  /** undefined = no terminal: nothing but text is written. */
  readonly size: () => { columns: number; rows: number } | undefined
  now(): number
  /** False where the person wants no more. */
  wait(milliseconds: number): Promise<boolean>
  close(): void
}

export async function topCommand(argv: string[], io: Io, terminal?: Terminal): Promise<ExitCode> {
  const { values } = parseArgs({
    args: argv,
    options: {
      ops: { type: 'string', default: DEFAULT_OPS },
      interval: { type: 'string', default: '2' },
      once: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) {
    io.out(TOP_HELP)
    return EXIT.ok
  }
  const ops = serviceUrl(values.ops)
  if (ops === undefined) throw new UsageError('--ops takes an http or https URL without a user name.\n')
  const interval = Number(values.interval)
  if (!(interval >= 0.5 && interval <= 3600)) throw new UsageError('--interval takes 0.5 to 3600 seconds.\n')

  const screen = terminal ?? processTerminal()
  const drawn = !values.once && !values.json && screen.size() !== undefined
  try {
    let last = await look(ops, screen.now)
    let shown = figuresOf(last, undefined)
    const show = (failure?: string): void => {
      if (values.json) io.out(failure === undefined ? terminalJson(shown) : terminalJson({ failure }))
      else
        io.out(
          picture(ops, failure === undefined ? linesOf(shown) : [failure], drawn ? screen.size() : undefined),
        )
    }
    if (drawn) io.out(ENTER)
    show()
    while (!values.once && (await screen.wait(interval * 1000))) {
      try {
        const next = await look(ops, screen.now)
        shown = figuresOf(next, last)
        last = next
        show()
      } catch (error) {
        // A restart is what somebody may be watching for.
        if (!(error instanceof ClientFailure)) throw error
        show(error.message)
      }
    }
    return EXIT.ok
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    io.err(`${error.message}\n`)
    return EXIT.finding
  } finally {
    if (drawn) io.out(LEAVE)
    screen.close()
  }
}

async function look(ops: URL, now: () => number): Promise<Look> {
  const { status, body } = await exchange(new URL('/metrics', ops), {
    method: 'GET',
    timeout: TIMEOUT,
    limit: MAX_ANSWER,
    headers: { accept: 'text/plain' },
  })
  const metrics = parseExposition(body)
  if (status !== 200 || !isOurs(metrics))
    throw new ClientFailure(
      `${terminalPhrase(ops.origin)} answered HTTP ${status}, not with the metrics of a ductape-mcp.`,
    )
  return { at: now(), metrics }
}

// The alternate screen leaves what was there before; the cursor would blink in the picture.
const ENTER = '\u001b[?1049h\u001b[?25l'
const LEAVE = '\u001b[?25h\u001b[?1049l'
const HOME = '\u001b[H'
const REST = '\u001b[J'
const LINE_END = '\u001b[K'

function picture(
  ops: URL,
  lines: readonly string[],
  size: { columns: number; rows: number } | undefined,
): string {
  const all = [`ductape-mcp top, ${ops.origin}`, '', ...lines].map(terminalText)
  if (size === undefined) return `${all.join('\n')}\n\n`
  // The last row stays free: a line feed on it would scroll.
  const fitting = all.slice(0, Math.max(1, size.rows - 1)).map((line) => line.slice(0, size.columns))
  return `${HOME}${fitting.join(`${LINE_END}\n`)}${LINE_END}${REST}`
}

const STOPS = new Set(['q', 'Q', '\u0003', '\u0004'])

function processTerminal(): Terminal {
  const { stdin, stdout } = process
  let stop = (): void => undefined
  let stopped = false
  const end = (): void => {
    stopped = true
    stop()
  }
  const onKeys = (keys: Buffer): void => {
    if ([...keys.toString('latin1')].some((key) => STOPS.has(key))) end()
  }
  const isRaw = stdin.isTTY === true && stdout.isTTY === true
  if (isRaw) stdin.setRawMode(true).on('data', onKeys)
  process.once('SIGINT', end).once('SIGTERM', end)
  // A reader that has gone wants no more pictures.
  stdout.once('error', end)
  return {
    size: () => (stdout.isTTY ? { columns: stdout.columns, rows: stdout.rows } : undefined),
    now: Date.now,
    wait: (milliseconds) =>
      new Promise((resolve) => {
        if (stopped) return resolve(false)
        const timer = setTimeout(() => resolve(true), milliseconds)
        stop = () => {
          clearTimeout(timer)
          resolve(false)
        }
      }),
    close() {
      process.off('SIGINT', end).off('SIGTERM', end)
      if (isRaw) stdin.off('data', onKeys).setRawMode(false).pause()
    },
  }
}
