// `ductape-mcp doctor`: looks at this machine, a configuration and a running service, and says what to do about what it finds.
import { parseArgs } from 'node:util'
import { EXIT, type ExitCode, type Io, UsageError } from '../cli/io.ts'
import { type Config, configPath, formatProblems, loadConfig } from '../config/index.ts'
import { terminalJson, terminalText } from '../core/terminal.ts'
import {
  type Check,
  checkBackend,
  checkClock,
  checkListener,
  checkMcp,
  checkNode,
  checkReady,
  checkSocket,
  checkTelemetry,
} from './checks.ts'
import { serviceUrl } from './get.ts'
import { authorizationFor, TOKEN_VARIABLE } from './token.ts'
import { readNamed } from './values.ts'

export const DOCTOR_HELP = `ductape-mcp doctor [--config FILE] [--url URL] [--token-file FILE] [--json]

Checks what has to hold for the service to work, and changes nothing:

  node      the version of Node.js
  config    the configuration holds
  listen    its main listener is free, or this service answers there
  ops       the same for the ops listener
  ready     the running service says that it is ready
  live      each file of live/ holds
  store     Redis or Valkey can be reached, keeps what it is given and allows what the service does
  issuers   the authorization servers publish keys; no token is sent
  mtls      the file of the certificate authorities of the clients can be read
  mcp       the running service lists its tools over MCP
  backend   the Ductape backend accepts a connection; no request and no key is sent
  otel      the OTEL_* variables make sense
  clock     the clock is right, as far as can be seen from here

  --config FILE      the configuration; DUCTAPE_MCP_CONFIG names a file too
  --url URL          MCP endpoint of a running service, where it is not on the listener of the configuration
  --token-file FILE  access token or API key for that; the variable ${TOKEN_VARIABLE} may name it too
  --timeout SECONDS  how long to wait for each answer (default 5)
  --json             write { "ok": ..., "checks": [...] }

Exit codes: 0 nothing found, 1 a finding, 2 wrong usage or a configuration that does not hold.
`

const DEFAULT_TIMEOUT = '5'
const MAX_TIMEOUT = 60

export async function doctorCommand(
  argv: string[],
  io: Io,
  now: () => number = Date.now,
  version = process.version,
): Promise<ExitCode> {
  const { values } = parseArgs({
    args: argv,
    options: {
      config: { type: 'string' },
      url: { type: 'string' },
      'token-file': { type: 'string' },
      timeout: { type: 'string', default: DEFAULT_TIMEOUT },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) {
    io.out(DOCTOR_HELP)
    return EXIT.ok
  }
  const url = values.url === undefined ? undefined : serviceUrl(values.url)
  if (values.url !== undefined && url === undefined)
    throw new UsageError('--url takes an http or https URL without a user name.\n')
  const seconds = Number(values.timeout)
  if (!(seconds > 0 && seconds <= MAX_TIMEOUT))
    throw new UsageError(`--timeout takes seconds, at most ${MAX_TIMEOUT}.\n`)

  const asked: Asked = {
    url,
    headersFor: (target) => authorizationFor(target, values['token-file'], io),
    timeout: seconds * 1000,
  }
  const { check, config } = await readConfig(values.config, io)
  const checks = [checkNode(version), check]
  if (config === undefined) {
    if (url !== undefined) checks.push(await checkMcp(url, asked.headersFor(url), asked.timeout))
    checks.push(checkTelemetry(io.env), await checkClock(now, undefined, 0))
  } else checks.push(...(await checkService(config, asked, io, now)))

  const found = checks.some(({ status }) => status === 'finding')
  io.out(values.json ? terminalJson({ ok: !found, checks }) : table(checks))
  if (config === undefined) return EXIT.usage
  return found ? EXIT.finding : EXIT.ok
}

async function readConfig(
  option: string | undefined,
  io: Io,
): Promise<{ check: Check; config: Config | undefined }> {
  const path = configPath({ path: option, env: io.env })
  const shown = path ?? 'no file: the defaults hold'
  const loaded = await loadConfig({ path: option, env: io.env, readFile: io.readFile })
  if (!loaded.ok) {
    const found = formatProblems(loaded.problems).trimEnd()
    return {
      check: {
        name: 'config',
        status: 'finding',
        found,
        remedy: 'Correct the file; `ductape-mcp config check` reads it again.',
      },
      config: undefined,
    }
  }
  const { config, warnings } = loaded
  const check: Check =
    warnings.length === 0
      ? { name: 'config', status: 'ok', found: shown }
      : {
          name: 'config',
          status: 'finding',
          found: warnings.join('\n'),
          remedy: 'Take the setting out, or give it what it needs.',
        }
  return { check, config }
}

interface Asked {
  /** Undefined = the service on the listener of the configuration. */
  url: URL | undefined
  headersFor(url: URL): Record<string, string>
  /** Of each question, in milliseconds. */
  timeout: number
}

async function checkService(
  config: Config,
  { url, headersFor, timeout }: Asked,
  io: Io,
  now: () => number,
): Promise<Check[]> {
  const listen =
    config.listen.kind === 'unix'
      ? { check: await unixListener(config, config.listen.path, timeout), running: undefined }
      : await checkListener('listen', config.listen, timeout)
  const ops =
    config.ops === undefined
      ? {
          check: { name: 'ops', status: 'skipped', found: 'off in the configuration' } as const,
          running: undefined,
        }
      : await checkListener('ops', config.ops, timeout)
  const service = url ?? (listen.running === undefined ? undefined : new URL('/mcp', listen.running))
  const ca =
    config.backend.ca === undefined ? undefined : readNamed(config.backend.ca.file, 'backend.ca', io.readFile)
  const { checkConfigured } = await import('./config-checks.ts')
  return [
    listen.check,
    ops.check,
    await checkReady(ops.running, timeout),
    ...(await checkConfigured(config, { io, now, timeout })),
    await checkMcp(service, service === undefined ? {} : headersFor(service), timeout),
    await checkBackend(config, ca, timeout),
    checkTelemetry(io.env),
    await checkClock(now, ops.running ?? service, timeout),
  ]
}

const unixListener = async ({ auth }: Config, path: string, timeout: number): Promise<Check> =>
  auth === undefined
    ? {
        name: 'listen',
        status: 'finding',
        found: `unix:${path} is for requests that nginx has authenticated, and there is no authenticator`,
        remedy: 'Set auth, or listen on 127.0.0.1 instead.',
      }
    : checkSocket(path, timeout)

function table(checks: readonly Check[]): string {
  const lines = checks.map(({ name, status, found, remedy }) => {
    const text = remedy === undefined ? found : `${found}\n-> ${remedy}`
    return `${name.padEnd(9)}${status.padEnd(9)}${terminalText(text).replaceAll('\n', `\n${' '.repeat(18)}`)}\n`
  })
  const found = checks.filter(({ status }) => status === 'finding').length
  const sum = found === 0 ? 'Nothing found.' : found === 1 ? '1 finding.' : `${found} findings.`
  return `${lines.join('')}\n${sum}\n`
}
