// `ductape-mcp serve`: runs the HTTP service until a signal, then drains.
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { type App, createApp } from '../app.ts'
import type { Config } from '../config/index.ts'
import { isLoopback } from '../core/loopback.ts'
import { IDENTITY } from './identity.ts'
import { EXIT, type ExitCode, type Io, UsageError } from './io.ts'
import { type Prepared, prepare } from './prepare.ts'
import { listenUnix } from './socket.ts'

const SERVE_HELP = `ductape-mcp serve [--config FILE] [--emulator]

Runs the service: MCP at /mcp, REST at /v1/tools, probes and metrics on the ops listener.
Without a file every setting has a safe default; DUCTAPE_MCP_CONFIG names a file too.

  --config FILE   the configuration (docs/reference/config.md)
  --emulator      start the Ductape emulator as well and use it as the backend (development only)

Standard output carries the audit records, one JSON object a line; log and hints go to standard error.
SIGTERM or SIGINT: no new requests, those in flight finish, exit 0.
`

/** How long the service waits with loading what the first call does not need, in milliseconds. */
const PRELOAD_AFTER = 250

export async function serveCommand(argv: string[], io: Io): Promise<ExitCode> {
  const { values } = parseArgs({
    args: argv,
    options: { config: { type: 'string' }, emulator: { type: 'boolean' }, help: { type: 'boolean' } },
  })
  if (values.help) {
    io.out(SERVE_HELP)
    return EXIT.ok
  }
  const emulator = values.emulator ? await (await import('./dev.ts')).startDevEmulator() : undefined
  const prepared = await prepare({
    configPath: values.config,
    io,
    recordsTo: 1,
    ...(emulator !== undefined && { backendUrl: emulator.url }),
  })
  const { config } = prepared
  if (config.listen.kind === 'unix' && !hasAuthenticator(config)) {
    throw new UsageError(
      'listen: a unix socket is for requests that nginx has authenticated, and this configuration has no authenticator. Set auth, or listen on 127.0.0.1.\n',
    )
  }
  if (signsForOthers(config) && config.receipts.keys === undefined) {
    throw new UsageError(
      'receipts.keys: a key made at the start signs for callers on loopback only, and this service has others. Make one with "openssl genpkey -algorithm ed25519 -out receipt-keys.pem" and write receipts: { keys: { file: ... } }, the same for all replicas. For a try-out write keys: boot; its receipts verify as self-asserted only.\n',
    )
  }
  const app = await createApp(config, prepared.ports)
  const url =
    config.listen.kind === 'unix'
      ? `unix:${await listenUnix(app.main, config.listen.path)}`
      : `http://${await listen(app.main, 'listen', config.listen)}`
  app.watch()
  const ops = config.ops === undefined ? undefined : await listen(app.ops, 'ops', config.ops)
  // Who reads the banner may send the signal at once.
  const ended = untilSignal(app, prepared, async () => emulator?.close())
  io.err(banner(app, config, url, ops))
  if (emulator !== undefined) io.err(emulator.hints(url))
  prepared.log.info('started', { version: IDENTITY.version, node: process.version, url, ops })
  setTimeout(() => {
    app.preload().catch(() => prepared.log.error('preload_failed'))
  }, PRELOAD_AFTER).unref()
  return ended
}

async function listen(server: Server, key: string, address: { host: string; port: number }): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason =
        error.code === 'EADDRINUSE' ? 'another process has this port' : (error.code ?? 'unknown reason')
      reject(new UsageError(`${key}: cannot listen on ${address.host}:${address.port}: ${reason}.\n`))
    })
    server.listen(address.port, address.host, resolve)
  })
  const { port } = server.address() as AddressInfo
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${port}`
}

const hasAuthenticator = ({ auth }: Config): boolean =>
  auth?.oauth !== undefined || auth?.apiKeys !== undefined || auth?.mtls !== undefined

/** Whoever is identified, and does not sit on this machine, takes receipts to people who cannot ask this process. */
function signsForOthers({ auth, listen, publicUrl }: Config): boolean {
  if (auth === undefined) return false
  const host = publicUrl === undefined ? undefined : new URL(publicUrl).hostname.replace(/^\[|\]$/g, '')
  return listen.kind === 'unix' || (host !== undefined && !isLoopback(host))
}

const policyLine = (app: App, config: Config): string => {
  const policy = app.policy()
  if (policy === undefined)
    return 'none: every call is refused until live/policy.yaml is there and valid; /readyz says why'
  if (policy.mode === 'observe')
    return 'OBSERVES: reads and writes that it would refuse are let through and marked wouldDeny in the records'
  if (config.live === undefined && !hasAuthenticator(config))
    return 'local: no authenticator on loopback, so all three tools are allowed to every local process'
  return `${policy.roles.length} roles, enforced`
}

const banner = (app: App, config: Config, url: string, ops: string | undefined): string =>
  [
    `ductape-mcp ${IDENTITY.version} listening on ${url}`,
    `  MCP     ${config.publicUrl ?? url}/mcp`,
    `  REST    ${config.publicUrl ?? url}/v1/tools   ${config.publicUrl ?? url}/openapi.json`,
    `  ops     ${ops === undefined ? 'off' : `http://${ops}/readyz   http://${ops}/metrics`}`,
    `  backend ${config.backend.url}`,
    `  policy  ${policyLine(app, config)}`,
    '',
  ].join('\n')

function untilSignal(app: App, prepared: Prepared, stopOthers: () => Promise<void>): Promise<ExitCode> {
  return new Promise((resolve) => {
    let stopping = false
    const stop = (reason: string, code: ExitCode): void => {
      if (stopping) {
        // A second signal: whoever sends it does not want to wait.
        process.exit(EXIT.finding)
      }
      stopping = true
      prepared.log.info('draining', { reason, inFlight: app.inFlight() })
      app
        .drain()
        .catch(() => 1)
        .then(async (left) => {
          prepared.log.info('stopped', { unfinished: left })
          const flushed = await prepared.flush(Promise.all([app.close(), stopOthers()]))
          resolve(left === 0 && flushed ? code : EXIT.finding)
        })
    }
    process.on('SIGTERM', () => stop('SIGTERM', EXIT.ok))
    process.on('SIGINT', () => stop('SIGINT', EXIT.ok))
    for (const event of ['uncaughtException', 'unhandledRejection']) {
      process.on(event, (error: unknown) => {
        prepared.log.error('crash', { kind: event, name: error instanceof Error ? error.name : typeof error })
        stop('crash', EXIT.finding)
      })
    }
  })
}
