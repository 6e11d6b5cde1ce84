// `ductape-mcp receipt verify`: one receipt, offline, with what its holder discloses.
import { parseArgs } from 'node:util'
import {
  checkDisclosed,
  checkReceipt,
  compareDecision,
  compareOutcome,
  type Finding,
  findReceipt,
  type Receipt,
  readLine,
  type Trust,
} from '../audit/verify/index.ts'
import { canonical } from '../core/canonical.ts'
import { isObject, type Json, type JsonObject, member, parseExact } from '../core/json.ts'
import { terminalJson, terminalText } from '../core/terminal.ts'
import { CREDENTIAL_ARGUMENTS } from '../credentials/index.ts'
import { shownFinding } from './audit.ts'
import { readTrust, readWhole } from './audit-files.ts'
import { EXIT, type ExitCode, type Io, UsageError } from './io.ts'

export const RECEIPT_HELP = `ductape-mcp receipt verify FILE --keys KEYS [options]

Shows that a receipt was signed by the service, and what it says. No network is used. FILE is what
was kept of a call, or - for standard input: the answer of MCP, what ductape-mcp call --receipt
wrote, the receipt alone, or the headers of an answer (curl -D FILE).

  --keys KEYS       the key set of the service, /.well-known/ductape-mcp/receipt-keys.json, or a
                    PUBLIC KEY in PEM
  --args FILE       the arguments of the call as JSON, with their defaults (params: []); keys are left out
  --result FILE     the result: the answer or content of MCP, or the body of the REST answer
  --record FILE     the records of the call, which must say the same
  --self-asserted   accept a key that the service made at its start
  --json            what was found, as JSON

Exit codes: 0 verified, 1 something is wrong, 2 it could not look.
`

export async function receiptCommand(argv: string[], io: Io): Promise<ExitCode> {
  const [name, ...rest] = argv
  if (name === '--help' || name === '-h' || rest.includes('--help') || rest.includes('-h')) {
    io.out(RECEIPT_HELP)
    return EXIT.ok
  }
  if (name !== 'verify') throw new UsageError('Say verify; ductape-mcp receipt --help says more.\n')
  const { positionals, values } = parseArgs({
    args: rest,
    allowPositionals: true,
    options: {
      keys: { type: 'string' },
      args: { type: 'string' },
      result: { type: 'string' },
      record: { type: 'string' },
      'self-asserted': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  })
  const [file, ...others] = positionals
  if (file === undefined || others.length > 0)
    throw new UsageError('Name one file, or - for standard input.\n')
  const trust = readTrust(values.keys, values['self-asserted'])
  const source = readWhole(file)
  const receipt = findReceipt(source)
  if (receipt === undefined) throw new UsageError(`${file} holds no receipt.\n`)

  const judged = judge(receipt, trust, source, values)
  if (values.json) io.out(terminalJson(judged))
  else io.out(judged.ok ? shownReceipt(judged) : `NOT VERIFIED\n${shownFinding(judged.finding)}\n`)
  return judged.ok ? EXIT.ok : EXIT.finding
}

interface Good {
  readonly ok: true
  /** What was compared. */
  readonly checked: readonly string[]
  readonly claims: JsonObject
  /** The key was made by the service at its start. */
  readonly selfAsserted: boolean
}

type Judged = Good | { readonly ok: false; readonly finding: Finding }

interface Disclosed {
  args?: string | undefined
  result?: string | undefined
  record?: string | undefined
}

function judge(receipt: Receipt, trust: Trust, source: string, files: Disclosed): Judged {
  const checkedReceipt = checkReceipt(receipt, trust)
  if (!checkedReceipt.ok) return checkedReceipt
  const { claims, selfAsserted } = checkedReceipt
  const checked = ['signature and path']
  const own = contentOf(source)
  const checks: [name: string, check: () => Finding | undefined][] = []
  if (files.args !== undefined) {
    const text = argumentsText(readWhole(files.args))
    checks.push(['arguments', () => checkDisclosed(claims, receipt.salts, 'args', text)])
  }
  if (files.result !== undefined) {
    const text = readWhole(files.result)
    checks.push(['result', () => checkResult(claims, receipt.salts, resultTexts(text))])
  } else if (own !== undefined && 'result' in receipt.salts)
    checks.push(['result', () => checkResult(claims, receipt.salts, [own])])
  if (files.record !== undefined) {
    const lines = readWhole(files.record)
    checks.push(['record', () => checkRecords(claims, lines)])
  }
  for (const [name, check] of checks) {
    const found = check()
    if (found !== undefined) return { ok: false, finding: found }
    checked.push(name)
  }
  return { ok: true, checked, claims, selfAsserted }
}

function argumentsText(text: string): string {
  const parsed = parseExact(text)
  if (!parsed.ok || !isObject(parsed.value)) throw new UsageError('--args: the file is not a JSON object.\n')
  const args = { ...parsed.value }
  for (const name of CREDENTIAL_ARGUMENTS) delete args[name]
  return canonical(args)
}

/** JCS of the content of an MCP answer or result; undefined where there is none. */
function contentOf(text: string): string | undefined {
  const parsed = parseExact(text)
  if (!parsed.ok) return undefined
  const content: Json | undefined = member(member(parsed.value, 'result') ?? parsed.value, 'content')
  return content === undefined ? undefined : canonical(content)
}

/** The texts that a file with a result may stand for: a body as it is, the content of MCP however it was written. */
function resultTexts(text: string): string[] {
  const parsed = parseExact(text)
  const content = contentOf(text)
  return [
    text,
    text.replace(/\n$/, ''),
    ...(parsed.ok ? [canonical(parsed.value)] : []),
    ...(content === undefined ? [] : [content]),
  ]
}

function checkResult(claims: JsonObject, salts: JsonObject, texts: readonly string[]): Finding | undefined {
  let last: Finding | undefined
  for (const text of texts) {
    last = checkDisclosed(claims, salts, 'result', text)
    if (last === undefined) return undefined
  }
  return last
}

function checkRecords(claims: JsonObject, lines: string): Finding | undefined {
  let decision: JsonObject | undefined
  let outcome: JsonObject | undefined
  for (const line of lines.split('\n')) {
    const read = readLine(Buffer.from(line))
    if (!read.ok) continue
    if (read.record['hash'] === claims['record']) decision = read.record
    if (read.record['type'] === 'outcome' && read.record['callId'] === claims['jti']) outcome = read.record
  }
  if (decision === undefined)
    return { code: 'receipt_mismatch', detail: 'no record in the file has the hash that it names' }
  return (
    compareDecision(claims, decision) ?? (outcome === undefined ? undefined : compareOutcome(claims, outcome))
  )
}

function shownReceipt({ checked, claims, selfAsserted }: Good): string {
  const time = new Date((claims['iat'] as number) * 1000).toISOString()
  const rows = Object.entries(claims).map(
    ([name, value]) => `  ${name.padEnd(14)}${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  return terminalText(
    `${selfAsserted ? 'SELF-ASSERTED' : 'VERIFIED'} (${checked.join(', ')}), signed at ${time}\n${rows.join('\n')}\n`,
  )
}
