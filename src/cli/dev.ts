// Development only: the Ductape emulator behind `serve --emulator` and the command `emulator`. Not part of the release bundle.
import { parseArgs } from 'node:util'
import { DEMO, startEmulator } from '../emulator/index.ts'
import { EXIT, type ExitCode, type Io } from './io.ts'

const EMULATOR_HELP = `ductape-mcp emulator [--port PORT] [--mode seed-permissive|strict-publishable] [--error-form status-false|http]

Runs a local Ductape backend on loopback with a demo workspace, in memory (docs/reference/emulator.md).
`

export interface DevEmulator {
  url: string
  /** Lines that can be copied and work as they stand. */
  hints(serviceUrl: string): string
  close(): Promise<void>
}

export async function startDevEmulator(): Promise<DevEmulator> {
  const emulator = await startEmulator({})
  return { url: emulator.url, hints, close: () => emulator.close() }
}

function hints(url: string): string {
  const message = {
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: {
      name: 'ductape_execute',
      arguments: {
        publishable_key: DEMO.main.publishableKey,
        module: 'product',
        method: 'environments.list',
        params: ['ductape:my-product'],
      },
    },
  }
  const client = { mcpServers: { ductape: { type: 'http', url: `${url}/mcp` } } }
  return `
The backend is the emulator; its demo workspace has the publishable key ${DEMO.main.publishableKey}.

Try it:
  curl -s ${url}/mcp -H 'content-type: application/json' -d '${JSON.stringify(message)}'

Client configuration:
  ${JSON.stringify(client)}

`
}

export async function emulatorCommand(argv: string[], io: Io): Promise<ExitCode> {
  const { values } = parseArgs({
    args: argv,
    options: {
      port: { type: 'string' },
      mode: { type: 'string' },
      'error-form': { type: 'string' },
      help: { type: 'boolean' },
    },
  })
  if (values.help) {
    io.out(EMULATOR_HELP)
    return EXIT.ok
  }
  const port = Number(values.port ?? 4311)
  const mode = values.mode ?? 'seed-permissive'
  const errorForm = values['error-form'] ?? 'status-false'
  const known =
    (mode === 'seed-permissive' || mode === 'strict-publishable') &&
    (errorForm === 'status-false' || errorForm === 'http')
  if (!known || !Number.isInteger(port) || port < 0 || port > 65_535) {
    io.err(EMULATOR_HELP)
    return EXIT.usage
  }
  const emulator = await startEmulator({ port, mode, errorForm })
  io.err(`Ductape emulator listening on ${emulator.url}, publishable key ${DEMO.main.publishableKey}\n`)
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', () => resolve())
    process.once('SIGINT', () => resolve())
  })
  await emulator.close()
  return EXIT.ok
}
