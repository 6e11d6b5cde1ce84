// `ductape-mcp serve`: runs the HTTP service until a signal, then drains.
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { type App, createApp } from '../app.ts'
import type { Config } from '../config/index.ts'
import { IDENTITY } from './identity.ts'
import { EXIT, type ExitCode, type Io, UsageError } from './io.ts'
import { type Prepared, prepare } from './prepare.ts'

export const SERVE_HELP = `ductape-mcp serve [--config FILE] [--emulator]

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
  if (config.listen.kind === 'unix') {
    throw new UsageError(
      'listen: a unix socket is for requests that nginx has authenticated, and this configuration has no authenticator. Listen on 127.0.0.1 instead.\n',
    )
  }
  const app = await createApp(config, prepared.ports)
  const url = `http://${await listen(app.main, 'listen', config.listen)}`
  const ops = config.ops === undefined ? undefined : await listen(app.ops, 'ops', config.ops)
  io.err(banner(config, url, ops))
  if (emulator !== undefined) io.err(emulator.hints(url))
  prepared.log.info('started', { version: IDENTITY.version, node: process.version, url, ops })
  setTimeout(() => {
    app.preload().catch(() => prepared.log.error('preload_failed'))
  }, PRELOAD_AFTER).unref()
  return untilSignal(app, prepared, async () => emulator?.close())
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

const banner = (config: Config, url: string, ops: string | undefined): string =>
  [
    `ductape-mcp ${IDENTITY.version} listening on ${url}`,
    `  MCP     ${url}/mcp`,
    `  REST    ${url}/v1/tools   ${url}/openapi.json`,
    `  ops     ${ops === undefined ? 'off' : `http://${ops}/readyz   http://${ops}/metrics`}`,
    `  backend ${config.backend.url}`,
    '  policy  local: no authenticator on loopback, so all three tools are allowed to every local process',
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
