// `ductape-mcp call`: calls a tool of a running service over MCP; never a way around it (design.md 3).
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { EXIT, type ExitCode, type Io, UsageError } from '../cli/io.ts'
import type { JsonObject } from '../core/json.ts'
import { terminalJson, terminalPhrase, terminalText } from '../core/terminal.ts'
import { ClientFailure } from './failure.ts'
import { get, serviceUrl } from './get.ts'
import { connectService, type Service, type Tool, type ToolAnswer } from './service.ts'
import { type ClientTls, readTls } from './tls.ts'
import { authorizationFor, TOKEN_VARIABLE } from './token.ts'
import { readHeaders, readNamed, readObject, readPairs } from './values.ts'

const DEFAULT_URL = 'http://127.0.0.1:3001/mcp'
const KEY_VARIABLE = 'DUCTAPE_PUBLISHABLE_KEY'
const KEYS_PATH = '/.well-known/ductape-mcp/receipt-keys.json'

export const CALL_HELP = `ductape-mcp call [options] TOOL [name=value ...]
ductape-mcp call [options] TOOL --arguments JSON|@FILE|-
ductape-mcp call [options] --list

Calls one tool of a running service and prints its text.

A value is read as JSON where it is JSON, and as text otherwise: limit=5 is a number,
params='["ductape:my-product"]' an array, method=environments.list text, tag='"5"' the text 5.

  --url URL             the MCP endpoint (default ${DEFAULT_URL})
  --arguments SOURCE    all arguments as one JSON object: the text itself, @FILE, or - for standard input
  --token-file FILE     who calls: an access token or API key of the service, sent as Authorization: Bearer
  --key-file FILE       the publishable key, sent as publishable_key where the tool takes one
  --client-cert FILE    certificate that says who calls, where nginx asks for one; with --client-key FILE
  --ca FILE             authorities that may vouch for the service, in place of the built-in ones
  --header NAME:VALUE   a header of every request; may be repeated
  --timeout SECONDS     how long to wait for each answer (default 120)
  --list                show the tools and their arguments
  --json                write the whole result as JSON
  --receipt FILE        save the signed receipt of the call, for ductape-mcp receipt verify
  --receipt-keys FILE   save the keys that the service publishes for it; keep those that you trust elsewhere
  --accept-refusal      exit 0 also where the service answers with a code of its own (helm test)

Other users of the machine see a command line, and the shell keeps it. So a token is read from a file only,
which the variable ${TOKEN_VARIABLE} may name too, and the publishable key belongs in a file or in the
variable ${KEY_VARIABLE}. A token is sent over https, or to this machine.

Exit codes: 0 the tool answered, 1 it answered with an error or the service refused or cannot be
reached, 2 wrong usage. Control characters and invisible ones in an answer are shown as \\uXXXX.

Examples:
  ductape-mcp call --list
  ductape-mcp call ductape_execute --key-file key.txt module=product method=environments.list \\
    params='["ductape:my-product"]'
  ductape-mcp call --url https://mcp.example.com/mcp --token-file token.txt --list
  ductape-mcp call ductape_generate_payload --arguments @payload.json --json
`

const DEFAULT_TIMEOUT = '120'
const MAX_TIMEOUT = 3600

interface Request {
  url: URL
  headers: Record<string, string>
  timeout: number
  json: boolean
  /** A refusal by the service is an answer too. */
  acceptRefusal: boolean
  /** File that the receipt is saved in. */
  receipt: string | undefined
  /** File that the service's keys are saved in. */
  receiptKeys: string | undefined
  tls: ClientTls | undefined
  /** Undefined for --list. */
  call: { tool: string; args: JsonObject } | undefined
  key: string | undefined
}

const standardInput = (): string => readFileSync(0, 'utf8')

export async function callCommand(
  argv: string[],
  io: Io,
  readInput: () => string = standardInput,
): Promise<ExitCode> {
  const request = readArguments(argv, io, readInput)
  if (request === undefined) {
    io.out(CALL_HELP)
    return EXIT.ok
  }
  let service: Service | undefined
  try {
    service = await connectService(request)
    const tools = await service.tools()
    if (request.call === undefined) {
      io.out(request.json ? terminalJson({ tools }) : tools.map(describe).join('\n'))
      return EXIT.ok
    }
    const { tool, args } = request.call
    const known = tools.find(({ name }) => name === tool)
    if (known === undefined) {
      const names = tools.map(({ name }) => terminalPhrase(name)).join(', ')
      throw new ClientFailure(
        names === ''
          ? 'The service shows this caller no tools; its policy gives no role that may use one.'
          : `The service has no tool of this name; it has ${names}.`,
      )
    }
    const answer = await service.call(tool, withKey(known, args, request.key))
    if (request.receipt !== undefined) saveReceipt(request.receipt, answer)
    if (request.receiptKeys !== undefined) await saveKeys(request.receiptKeys, request)
    const code = show(answer, request.json, io)
    const refused = answer._meta?.['app.ductape/refusal'] !== undefined
    return request.acceptRefusal && refused ? EXIT.ok : code
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    io.err(`${error.message}\n`)
    return request.acceptRefusal && error.refusal !== undefined ? EXIT.ok : EXIT.finding
  } finally {
    await service?.close()
  }
}

function readArguments(argv: string[], io: Io, readInput: () => string): Request | undefined {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      url: { type: 'string', default: DEFAULT_URL },
      arguments: { type: 'string' },
      'token-file': { type: 'string' },
      'key-file': { type: 'string' },
      header: { type: 'string', multiple: true, default: [] },
      timeout: { type: 'string', default: DEFAULT_TIMEOUT },
      'client-cert': { type: 'string' },
      'client-key': { type: 'string' },
      ca: { type: 'string' },
      'accept-refusal': { type: 'boolean', default: false },
      receipt: { type: 'string' },
      'receipt-keys': { type: 'string' },
      list: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return undefined
  const url = serviceUrl(values.url)
  if (url === undefined) throw new UsageError('--url takes an http or https URL without a user name.\n')
  const timeout = Number(values.timeout)
  if (!(timeout > 0 && timeout <= MAX_TIMEOUT))
    throw new UsageError(`--timeout takes seconds, at most ${MAX_TIMEOUT}.\n`)
  const [tool, ...pairs] = positionals
  const headers = { ...readHeaders(values.header), ...authorizationFor(url, values['token-file'], io) }
  const common = {
    url,
    timeout: timeout * 1000,
    json: values.json,
    acceptRefusal: values['accept-refusal'],
    receipt: values.receipt,
    receiptKeys: values['receipt-keys'],
    headers,
    tls: readTls(url, values, io),
  }
  if (values.list) {
    if (values.receipt !== undefined || values['receipt-keys'] !== undefined)
      throw new UsageError('--list is no call and has no receipt.\n')
    if (tool !== undefined || values.arguments !== undefined)
      throw new UsageError('--list takes no tool and no arguments.\n')
    return { ...common, call: undefined, key: undefined }
  }
  if (tool === undefined)
    throw new UsageError('Name a tool, or see what there is with: ductape-mcp call --list\n')
  if (tool.includes('=')) throw new UsageError('The name of the tool comes before its arguments.\n')
  if (values.arguments !== undefined && pairs.length > 0)
    throw new UsageError('Give the arguments as name=value or with --arguments, not both.\n')
  const args =
    values.arguments === undefined ? readPairs(pairs) : readObject(values.arguments, io.readFile, readInput)
  return { ...common, call: { tool, args }, key: readKey(values['key-file'], io) }
}

function readKey(path: string | undefined, io: Io): string | undefined {
  if (path === undefined) return io.env[KEY_VARIABLE] || undefined
  const key = readNamed(path, '--key-file', io.readFile).trim()
  if (key === '') throw new UsageError('--key-file: the file is empty.\n')
  return key
}

/** A key that is written out wins; a tool that takes none is sent none. */
function withKey(tool: Tool, args: JsonObject, key: string | undefined): JsonObject {
  const takes = Object.hasOwn(tool.inputSchema.properties ?? {}, 'publishable_key')
  return key === undefined || !takes || Object.hasOwn(args, 'publishable_key')
    ? args
    : { publishable_key: key, ...args }
}

function show(answer: ToolAnswer, json: boolean, io: Io): ExitCode {
  const failed = answer.isError === true
  if (json) io.out(terminalJson(answer))
  else {
    const text = answer.content.map((block) => block.text ?? JSON.stringify(block)).join('\n')
    ;(failed ? io.err : io.out)(`${terminalText(text)}\n`)
  }
  return failed ? EXIT.finding : EXIT.ok
}

/** The receipt with its salts, as `receipt verify` reads it. */
function saveReceipt(path: string, { _meta }: ToolAnswer): void {
  const receipt = _meta?.['app.ductape/receipt']
  const salts = _meta?.['app.ductape/receipt-salts']
  if (receipt === undefined) throw new ClientFailure('The service gave no receipt with its answer.')
  // The salts open the digests to whoever guesses the arguments, so the file is its owner's alone.
  save(path, '--receipt', `${JSON.stringify({ receipt, ...(salts !== undefined && { salts }) })}\n`)
}

async function saveKeys(path: string, { url, timeout, tls }: Request): Promise<void> {
  const { status, body } = await get(new URL(KEYS_PATH, url), timeout, undefined, tls)
  if (status !== 200)
    throw new ClientFailure(`${url.origin} answered HTTP ${status} where its receipt keys should be.`)
  save(path, '--receipt-keys', body)
}

function save(path: string, option: string, text: string): void {
  try {
    writeFileSync(path, text, { mode: 0o600 })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
    throw new ClientFailure(`${option}: the file ${path} cannot be written (${code}).`)
  }
}

function describe(tool: Tool): string {
  const required = new Set(tool.inputSchema.required)
  const rows = Object.entries(tool.inputSchema.properties ?? {}).map(([name, schema]) => {
    const { type, description } = schema as { type?: unknown; description?: unknown }
    const kind = `${typeof type === 'string' ? type : 'any'}${required.has(name) ? ', required' : ''}`
    return `  ${terminalPhrase(name).padEnd(18)}${terminalPhrase(kind).padEnd(19)}${terminalPhrase(String(description ?? ''))}\n`
  })
  const summary = terminalPhrase(tool.description?.split('\n', 1)[0] ?? tool.title ?? '')
  return `${terminalPhrase(tool.name)}\n  ${summary}\n${rows.join('')}`
}
