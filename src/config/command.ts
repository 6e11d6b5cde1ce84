// The command `config check|print|schema`: what a config file says, without starting anything.
import { parseArgs } from 'node:util'
import { CONFIG_VARIABLE, configPath, loadConfig } from './index.ts'
import { configJsonSchema } from './json-schema.ts'
import { configInput, printConfig } from './print.ts'
import { type ConfigResult, formatProblems } from './problem.ts'

export interface CommandIo {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly env: Readonly<Record<string, string | undefined>>
  readonly readFile: (path: string) => string
}

const OK = 0
const FINDING = 1
const USAGE = 2

const CONFIG_HELP = `Usage: ductape-mcp config check [FILE] [--json]
       ductape-mcp config print [FILE] [--json]
       ductape-mcp config schema

Says what a config file means, without opening a listener or a connection.

  check    reads the file and reports every problem at once, each with its line,
           the key and what to write instead; then settings without effect
  print    writes the effective config: every key, "# set" where it differs from
           the default, "# default" where it does not. The output is a config file
           itself. Secrets are never in it, only the names of their files
  schema   writes the JSON Schema of the file, for editors, CI and the chart.
           In an editor: # yaml-language-server: $schema=config.schema.json

FILE is the config file; else --config FILE, else the variable ${CONFIG_VARIABLE},
else no file: every key has a default, so the service runs without one.

Options:
  --config FILE   the config file
  --json          write JSON for programs
  -h, --help      this text

Exit codes:
  0   the config holds
  1   the config holds, but check has a warning (a setting without effect)
  2   the config does not hold, or the command line is wrong

Examples:
  ductape-mcp config check config.yaml
  ductape-mcp config print config.yaml | grep '# set'
  ductape-mcp config schema > config.schema.json

Every key is described in docs/reference/config.md.
`

interface Request {
  readonly action: 'check' | 'print' | 'schema'
  readonly path: string | undefined
  readonly json: boolean
}

export async function configCommand(argv: readonly string[], io: CommandIo): Promise<number> {
  const request = parseArguments(argv, io.env)
  if (typeof request === 'string') {
    if (request === CONFIG_HELP) {
      io.out(CONFIG_HELP)
      return OK
    }
    io.err(`ductape-mcp config: ${request}\nSee: ductape-mcp config --help\n`)
    return USAGE
  }
  if (request.action === 'schema') {
    io.out(toJson(configJsonSchema()))
    return OK
  }
  const result = await loadConfig({ ...request, readFile: io.readFile, env: {} })
  return request.action === 'check' ? check(request, result, io) : print(request, result, io)
}

// A request, the help text, or what is wrong with the command line.
function parseArguments(argv: readonly string[], env: CommandIo['env']): Request | string {
  let parsed: { values: { config?: string; json?: boolean; help?: boolean }; positionals: string[] }
  try {
    parsed = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        config: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    return error instanceof Error ? error.message : 'wrong arguments'
  }
  const { values, positionals } = parsed
  if (values.help === true) return CONFIG_HELP
  const [action, file, ...rest] = positionals
  if (action !== 'check' && action !== 'print' && action !== 'schema') {
    return action === undefined ? 'say check, print or schema' : 'there is only check, print and schema'
  }
  if (rest.length > 0) return 'takes one FILE'
  if (action === 'schema' && (file ?? values.config) !== undefined) return 'schema takes no FILE'
  if (file !== undefined && values.config !== undefined) return 'takes FILE or --config, not both'
  return { action, path: configPath({ path: file ?? values.config, env }), json: values.json === true }
}

function check({ path, json }: Request, result: ConfigResult, io: CommandIo): number {
  const problems = result.ok ? [] : result.problems
  const warnings = result.ok ? result.warnings : []
  if (json) {
    io.out(toJson({ ok: result.ok, file: path ?? null, problems, warnings }))
  } else if (!result.ok) {
    io.err(formatProblems(problems))
    io.err(problems.length === 1 ? '1 problem\n' : `${problems.length} problems\n`)
  } else {
    for (const warning of warnings) io.err(`${warning}\n`)
    io.out(path === undefined ? 'no config file: the defaults hold\n' : `${path} holds\n`)
  }
  if (!result.ok) return USAGE
  return warnings.length > 0 ? FINDING : OK
}

function print({ path, json }: Request, result: ConfigResult, io: CommandIo): number {
  if (!result.ok) {
    if (json) io.out(toJson({ ok: false, file: path ?? null, problems: result.problems, warnings: [] }))
    else io.err(formatProblems(result.problems))
    return USAGE
  }
  for (const warning of result.warnings) io.err(`${warning}\n`)
  io.out(json ? toJson(configInput(result.config)) : printConfig(result.config))
  return OK
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
