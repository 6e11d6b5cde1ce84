// `ductape-mcp health`: asks the ops listener whether the service is ready; small, because probes run it every few seconds.
import { parseArgs } from 'node:util'
import { EXIT, type ExitCode, type Io, UsageError } from '../cli/io.ts'
import { terminalJson, terminalPhrase } from '../core/terminal.ts'
import { ClientFailure } from './failure.ts'
import { get, serviceUrl } from './get.ts'

const DEFAULT_OPS = 'http://127.0.0.1:9464'

export const HEALTH_HELP = `ductape-mcp health [--url URL] [--timeout SECONDS] [--json]

Asks a running service for /readyz: exit 0 where it is ready, 1 where it is not or does not answer.
The ops listener needs no token, also where the main listener does or is a unix socket.

  --url URL          origin of the ops listener (default ${DEFAULT_OPS})
  --timeout SECONDS  how long to wait (default 2)
  --json             write { "ready": ..., "reasons": [...], "warnings": [...] }

Example, as a container's health check:
  ductape-mcp health
`

const DEFAULT_TIMEOUT = '2'
const MAX_TIMEOUT = 60

export async function healthCommand(argv: string[], io: Io): Promise<ExitCode> {
  const { values } = parseArgs({
    args: argv,
    options: {
      url: { type: 'string', default: DEFAULT_OPS },
      timeout: { type: 'string', default: DEFAULT_TIMEOUT },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) {
    io.out(HEALTH_HELP)
    return EXIT.ok
  }
  const url = serviceUrl(values.url)
  if (url === undefined) throw new UsageError('--url takes an http or https URL without a user name.\n')
  const timeout = Number(values.timeout)
  if (!(timeout > 0 && timeout <= MAX_TIMEOUT))
    throw new UsageError(`--timeout takes seconds, at most ${MAX_TIMEOUT}.\n`)

  const health = await readiness(url, timeout * 1000)
  if (values.json) io.out(terminalJson(health))
  else if (health.ready) io.out('ready\n')
  else io.err(`not ready: ${health.reasons.join(', ')}\n`)
  if (!values.json) for (const warning of health.warnings) io.err(`warning: ${warning}\n`)
  return health.ready ? EXIT.ok : EXIT.finding
}

export interface Readiness {
  ready: boolean
  reasons: string[]
  /** What an operator should mend although the service is ready. */
  warnings: string[]
}

/** Never rejects: a service that does not answer is not ready. */
export async function readiness(origin: URL, timeout: number): Promise<Readiness> {
  try {
    const { status, body } = await get(new URL('/readyz', origin), timeout)
    const { reasons, warnings } = parseReadiness(body)
    if (status === 200) return { ready: true, reasons: [], warnings }
    const why = reasons.length > 0 ? reasons : [`it answered with HTTP status ${status}`]
    return { ready: false, reasons: why, warnings }
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    return { ready: false, reasons: [error.message.replace(/\.$/, '')], warnings: [] }
  }
}

const MAX_SHOWN = 16

function parseReadiness(body: string): Pick<Readiness, 'reasons' | 'warnings'> {
  try {
    const value = JSON.parse(body) as { reasons?: unknown; warnings?: unknown } | null
    return { reasons: phrases(value?.reasons), warnings: phrases(value?.warnings) }
  } catch {
    return { reasons: [], warnings: [] }
  }
}

const phrases = (list: unknown): string[] =>
  Array.isArray(list) ? list.slice(0, MAX_SHOWN).map((text) => terminalPhrase(String(text))) : []
