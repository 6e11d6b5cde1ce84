// `ductape-mcp approvals`: what the approval page does, for people at a terminal: list the calls that wait, look at one, approve or deny it.
import { parseArgs } from 'node:util'
import { EXIT, type ExitCode, type Io, UsageError } from '../cli/io.ts'
import { table } from '../cli/table.ts'
import { DENIALS, type DenialCode } from '../core/denials.ts'
import { isObject, type Json, type JsonObject, parseObject } from '../core/json.ts'
import { terminalJson, terminalPhrase, terminalText } from '../core/terminal.ts'
import { ClientFailure } from './failure.ts'
import { exchange, serviceUrl } from './get.ts'
import { type ClientTls, readTls } from './tls.ts'
import { authorizationFor, TOKEN_VARIABLE } from './token.ts'

const DEFAULT_URL = 'http://127.0.0.1:3001'

export const APPROVALS_HELP = `ductape-mcp approvals list [ID] --url URL --token-file FILE [options]
ductape-mcp approvals approve ID --url URL --token-file FILE [--reason TEXT] [options]
ductape-mcp approvals deny ID --url URL --token-file FILE [--reason TEXT] [options]

Shows the calls of your tenant that wait for a person, and decides them, as the page /approvals does.

  list          those that wait, the oldest first
  list ID       one of them with all its arguments but credentials, as the approval is bound to them
  approve ID    lets the caller make this call once, with exactly these arguments
  deny ID       refuses it

  --url URL           origin of the people, peopleUrl of the service (default ${DEFAULT_URL})
  --token-file FILE   your access token for that origin, with the scope ductape:approve; tokens and
                      keys of agents do not count. The variable ${TOKEN_VARIABLE} may name it too
  --reason TEXT       for the caller and the records, at most 500 characters
  --ca FILE           authorities that may vouch for the service, in place of the built-in ones
  --timeout SECONDS   how long to wait for the answer (default 30)
  --json              write the answer of the service as JSON

Nobody can decide a call that was asked in their own name. Look at a call before you approve it.
Control characters, invisible ones and those that reorder text are shown as \\uXXXX.

Exit codes: 0 listed or decided, 1 the service refused or cannot be reached, 2 wrong usage.

Examples:
  ductape-mcp approvals list --url https://approve.example.com --token-file token.txt
  ductape-mcp approvals deny ID --url https://approve.example.com --token-file token.txt \\
    --reason "not before the backup"
`

const PATH = '/v1/approvals'
const MAX_REASON = 500
const MAX_TIMEOUT = 3600
/** A thousand calls that wait, or one with 64 KiB of arguments in which every character is escaped. */
const MAX_ANSWER = 4 << 20
const DASHED = /^-[A-Za-z0-9_-]{15,}$/
const ID = /^[A-Za-z0-9_-]{1,128}$/

interface Request {
  action: 'list' | 'approve' | 'deny'
  id: string | undefined
  reason: string | undefined
  url: URL
  headers: Record<string, string>
  timeout: number
  tls: ClientTls | undefined
  json: boolean
}

export async function approvalsCommand(argv: string[], io: Io): Promise<ExitCode> {
  const request = readArguments(argv, io)
  if (request === undefined) {
    io.out(APPROVALS_HELP)
    return EXIT.ok
  }
  try {
    const answer = await ask(request)
    if (request.json) io.out(terminalJson(answer))
    else io.out(terminalText(shown(request, answer)))
    return EXIT.ok
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    io.err(`${error.message}\n`)
    return EXIT.finding
  }
}

function readArguments(argv: string[], io: Io): Request | undefined {
  // An id may begin with a dash, which no option of this length does.
  const dashed = argv.find((word, index) => index === 1 && DASHED.test(word))
  const { values, positionals } = parseArgs({
    args: dashed === undefined ? argv : argv.toSpliced(1, 1),
    allowPositionals: true,
    options: {
      url: { type: 'string', default: DEFAULT_URL },
      'token-file': { type: 'string' },
      reason: { type: 'string' },
      ca: { type: 'string' },
      timeout: { type: 'string', default: '30' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return undefined
  const [action, id, ...rest] = dashed === undefined ? positionals : positionals.toSpliced(1, 0, dashed)
  if (action !== 'list' && action !== 'approve' && action !== 'deny')
    throw new UsageError('Say list, approve or deny; ductape-mcp approvals --help says more.\n')
  if (id === undefined && action !== 'list')
    throw new UsageError(`Say which one: ductape-mcp approvals ${action} ID; list shows the ids.\n`)
  if (rest.length > 0 || (id !== undefined && !ID.test(id)))
    throw new UsageError('Name one id, as ductape-mcp approvals list shows it.\n')
  const { reason } = values
  if (reason !== undefined && action === 'list') throw new UsageError('--reason is for approve and deny.\n')
  if (reason !== undefined && (reason.trim() === '' || reason.length > MAX_REASON))
    throw new UsageError(`--reason takes 1 to ${MAX_REASON} characters.\n`)
  const url = serviceUrl(values.url)
  if (url === undefined) throw new UsageError('--url takes an http or https URL without a user name.\n')
  const timeout = Number(values.timeout)
  if (!(timeout > 0 && timeout <= MAX_TIMEOUT))
    throw new UsageError(`--timeout takes seconds, at most ${MAX_TIMEOUT}.\n`)
  const headers = authorizationFor(url, values['token-file'], io)
  if (headers['authorization'] === undefined)
    throw new UsageError(
      `--token-file is missing, and the variable ${TOKEN_VARIABLE} names no file either.\n`,
    )
  const tls = readTls(url, values, io)
  return { action, id, reason, url, headers, timeout: timeout * 1000, tls, json: values.json }
}

async function ask({ action, id, reason, url, headers, timeout, tls }: Request): Promise<JsonObject> {
  const target = new URL(id === undefined ? PATH : `${PATH}/${id}`, url)
  const body =
    action === 'list'
      ? undefined
      : JSON.stringify({ decision: action, ...(reason !== undefined && { reason: reason.trim() }) })
  const answer = await exchange(target, {
    method: body === undefined ? 'GET' : 'POST',
    headers,
    timeout,
    tls,
    limit: MAX_ANSWER,
    ...(body !== undefined && { body }),
  })
  const value = parseObject(answer.body)
  if (answer.status === 200 && value !== undefined) return value
  throw refusal(url, answer.status, value)
}

function refusal(url: URL, status: number, problem: JsonObject | undefined): ClientFailure {
  const code = problem?.['code']
  // Only a code of the table may be believed; its words are ours, but for the detail in the sentence.
  if (typeof code !== 'string' || !Object.hasOwn(DENIALS, code))
    return new ClientFailure(
      `${terminalPhrase(url.origin)} answered HTTP ${status}, not as a service with approvals would.`,
    )
  const sentence = terminalPhrase(String(problem?.['title'] ?? '')).replace(/[.\s]+$/, '')
  return new ClientFailure(`Refused (${code}): ${sentence}. ${DENIALS[code as DenialCode].remedy}`, code)
}

const textAt = (value: Json | undefined, name: string): string => {
  const found = isObject(value) ? value[name] : undefined
  return typeof found === 'string' ? found.replaceAll(/[\n\t]/g, ' ') : ''
}

function shown({ action, id }: Request, answer: JsonObject): string {
  if (action !== 'list')
    return action === 'approve' ? 'Approved: the caller can make this call once.\n' : 'Denied.\n'
  return id === undefined ? shownList(answer) : shownOne(answer)
}

const nameOf = (one: Json): string =>
  textAt(one, 'module') === '' ? textAt(one, 'tool') : `${textAt(one, 'module')}.${textAt(one, 'method')}`

function shownList({ approvals }: JsonObject): string {
  if (!Array.isArray(approvals) || approvals.length === 0) return 'No call waits.\n'
  const rows = approvals.map((one) => {
    const { requester, risks } = isObject(one) ? one : {}
    return [
      textAt(one, 'id'),
      nameOf(one),
      textAt(one, 'effect'),
      textAt(requester, 'subject'),
      `until ${textAt(one, 'expiresAt')}`,
      Array.isArray(risks) ? risks.join('; ') : '',
    ].map(terminalText)
  })
  return table(rows)
}

function shownOne(one: JsonObject): string {
  const { requester, risks, mayDecide } = one
  const actors = isObject(requester) ? requester['actors'] : undefined
  const rows: [string, string][] = [
    ['operation', nameOf(one)],
    ['tool', textAt(one, 'tool')],
    ['effect', textAt(one, 'effect')],
    ['risk', Array.isArray(risks) ? risks.join('; ') : ''],
    ['who asks', textAt(requester, 'subject')],
    ['as', textAt(requester, 'id')],
    ['program', textAt(requester, 'client')],
    ['owner of its key', textAt(requester, 'owner')],
    ['acting through', Array.isArray(actors) ? actors.join(', ') : ''],
    ['tenant', textAt(one, 'tenant')],
    ['rule', textAt(one, 'rule')],
    ['Ductape key', textAt(one, 'credentialId')],
    ['digest', textAt(one, 'requestDigest')],
    ['state', textAt(one, 'state')],
    ['asked', textAt(one, 'askedAt')],
    ['expires', textAt(one, 'expiresAt')],
    ['you may decide', mayDecide === true ? 'yes' : 'no: it was asked in your own name'],
  ]
  const facts = table(
    rows.filter(([, value]) => value !== '').map(([name, value]) => [name, terminalText(value)]),
  )
  const args = one['arguments']
  // The canonical text itself on one line: line breaks of our own could pass for some of the caller's.
  return `${facts}\n${typeof args === 'string' ? args : 'The arguments are not kept any more.'}\n`
}
