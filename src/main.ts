#!/usr/bin/env node
// The command line: argv to a command, its result to an exit code.
import { EXIT, type ExitCode, type Io, processIo, UsageError } from './cli/io.ts'

interface Command {
  summary: string
  run(argv: string[], io: Io): Promise<number>
}

// A command loads only what it needs: `serve` never loads the client, and a release has no emulator.
const COMMANDS: Record<string, Command> = {
  serve: {
    summary: 'run the service',
    run: async (argv, io) => (await import('./cli/serve.ts')).serveCommand(argv, io),
  },
  stdio: {
    summary: 'run the same tools over standard input and output',
    run: async (argv, io) => (await import('./cli/stdio.ts')).stdioCommand(argv, io),
  },
  emulator: {
    summary: 'run a local Ductape backend (development only)',
    run: async (argv, io) => (await import('./cli/dev.ts')).emulatorCommand(argv, io),
  },
  call: {
    summary: 'call a tool of a running service',
    run: async (argv, io) => (await import('./client/call.ts')).callCommand(argv, io),
  },
  doctor: {
    summary: 'check a configuration and a running service',
    run: async (argv, io) => (await import('./client/doctor.ts')).doctorCommand(argv, io),
  },
  config: {
    summary: 'check, print or describe the configuration',
    run: async (argv, io) => (await import('./config/command.ts')).configCommand(argv, io),
  },
  policy: {
    summary: 'check a policy, or explain what it decides',
    run: async (argv, io) => (await import('./cli/policy.ts')).policyCommand(argv, io),
  },
  key: {
    summary: 'create, list, rotate and revoke API keys',
    run: async (argv, io) => (await import('./cli/key.ts')).keyCommand(argv, io),
  },
  audit: {
    summary: 'show that records are complete and unaltered, or find calls in them',
    run: async (argv, io) => (await import('./cli/audit.ts')).auditCommand(argv, io),
  },
  receipt: {
    summary: 'show that a receipt is genuine, and what it says',
    run: async (argv, io) => (await import('./cli/receipt.ts')).receiptCommand(argv, io),
  },
  evidence: {
    summary: 'write what an auditor asks for, from verified records',
    run: async (argv, io) => (await import('./cli/evidence.ts')).evidenceCommand(argv, io),
  },
  approvals: {
    summary: 'list, approve and deny calls that wait for a person',
    run: async (argv, io) => (await import('./client/approvals.ts')).approvalsCommand(argv, io),
  },
  revoke: {
    summary: 'revoke a credential on all replicas',
    run: async (argv, io) => (await import('./cli/revoke.ts')).revokeCommand(argv, io),
  },
  health: {
    summary: 'ask a running service whether it is ready',
    run: async (argv, io) => (await import('./client/health.ts')).healthCommand(argv, io),
  },
  top: {
    summary: 'watch what a running service does',
    run: async (argv, io) => (await import('./client/top.ts')).topCommand(argv, io),
  },
}

const HELP = `ductape-mcp: Ductape tools for AI agents, as a service

Usage: ductape-mcp COMMAND [options]      COMMAND --help says more

${Object.entries(COMMANDS)
  .map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`)
  .join('\n')}

First steps: \`npm start\` runs the service against the emulator.
Exit codes: 0 ok, 1 finding or failure, 2 usage or configuration error.
`

async function main(argv: string[], io: Io): Promise<number> {
  const [name, ...rest] = argv
  if (name === undefined || name === 'help' || name === '--help') {
    ;(name === undefined ? io.err : io.out)(HELP)
    return name === undefined ? EXIT.usage : EXIT.ok
  }
  if (name === '--version') {
    const { IDENTITY } = await import('./cli/identity.ts')
    io.out(`${IDENTITY.name} ${IDENTITY.version}\n`)
    return EXIT.ok
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined) {
    io.err(`There is no such command.\n\n${HELP}`)
    return EXIT.usage
  }
  try {
    return await command.run(rest, io)
  } catch (error) {
    return explain(error, name, io)
  }
}

function explain(error: unknown, name: string, io: Io): ExitCode {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (error instanceof UsageError) {
    io.err(error.message)
    return EXIT.usage
  }
  if (code.startsWith('ERR_PARSE_ARGS')) {
    io.err(`${(error as Error).message}\n\nductape-mcp ${name} --help shows the options.\n`)
    return EXIT.usage
  }
  if (code === 'ERR_MODULE_NOT_FOUND' && (error as Error).message.includes('emulator')) {
    io.err('The emulator is for development and is not part of this build; run it from a checkout.\n')
    return EXIT.usage
  }
  throw error
}

// The exit is ours to make: a stalled pipe or an idle connection must not hold it.
const io = processIo()
main(process.argv.slice(2), io).then(
  async (code) => {
    await io.taken()
    process.exit(code)
  },
  (error: unknown) => {
    process.stderr.write(
      `ductape-mcp failed: ${error instanceof Error ? (error.stack ?? error.name) : 'unknown fault'}\n`,
    )
    process.exit(EXIT.finding)
  },
)
