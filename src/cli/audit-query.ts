// `ductape-mcp audit query`: the calls that an incident responder asks for, each from its two records.
import { parseArgs } from 'node:util'
import { createOcsf } from '../audit/ocsf.ts'
import { createLineCutter, inOrder, readLine } from '../audit/verify/index.ts'
import { parseInstant, parseSpan } from '../core/instant.ts'
import { type JsonObject, member } from '../core/json.ts'
import { terminalText } from '../core/terminal.ts'
import type { AuditPorts } from './audit.ts'
import { recordFiles } from './audit-files.ts'
import { EXIT, type ExitCode, type Io, UsageError } from './io.ts'

interface Wanted {
  principal: ReadonlySet<string>
  tool: ReadonlySet<string>
  code: ReadonlySet<string>
  call: ReadonlySet<string>
  approval: ReadonlySet<string>
  since: string
}

/** What is known of a call; a repeated refusal stands alone. */
interface Call {
  decision?: JsonObject | undefined
  outcome?: JsonObject | undefined
  refusals?: JsonObject
}

/** Calls under way at the same time; a crash leaves some without an outcome for ever. */
const MAX_OPEN = 100_000

const MANY = { type: 'string', multiple: true, default: [] as string[] } as const

export async function auditQuery(argv: string[], io: Io, ports: AuditPorts): Promise<ExitCode> {
  const { positionals, values } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      principal: MANY,
      tool: MANY,
      code: MANY,
      call: MANY,
      approval: MANY,
      since: { type: 'string' },
      form: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  })
  const { form = 'native' } = values
  if (form !== 'native' && form !== 'ocsf') throw new UsageError('--form is native or ocsf.\n')
  const wanted: Wanted = {
    principal: new Set(values.principal),
    tool: new Set(values.tool),
    code: new Set(values.code),
    call: new Set(values.call),
    approval: new Set(values.approval),
    since: sinceText(values.since, ports.now()),
  }
  const files = await inOrder(recordFiles(positionals))
  const isTable = !values.json && form === 'native'
  if (isTable) io.out(row('TIME', 'CALL', 'RESULT', 'OPERATION', 'CALLER'))
  const toOcsf = createOcsf()
  const emitRecord = (record: JsonObject): void => {
    const shown = form === 'ocsf' ? toOcsf(record) : record
    if (shown !== undefined) io.out(`${terminalText(JSON.stringify(shown))}\n`)
  }
  const emit = (call: Call): void => {
    if (!matches(call, wanted)) return
    if (isTable) io.out(shownCall(call))
    else
      for (const record of [call.decision, call.outcome, call.refusals])
        if (record !== undefined) emitRecord(record)
  }

  const open = new Map<string, JsonObject>()
  let unread = 0
  const take = (bytes: Buffer): void => {
    const read = readLine(bytes)
    if (!read.ok) {
      unread++
      return
    }
    const { record } = read
    const callId = record['callId'] as string
    if (record['type'] === 'refusals') emit({ refusals: record })
    else if (record['type'] === 'outcome') {
      emit({ decision: open.get(callId), outcome: record })
      open.delete(callId)
    } else if (record['type'] === 'decision') {
      if (member(record['decision'], 'allowed') !== true) emit({ decision: record })
      else {
        open.set(callId, record)
        if (open.size > MAX_OPEN) flush(1)
      }
    }
  }
  const flush = (count: number): void => {
    for (const [callId, decision] of open) {
      if (count-- <= 0) return
      open.delete(callId)
      emit({ decision })
    }
  }
  for (const file of files) {
    const cutter = createLineCutter({ line: take, rest: take })
    for await (const chunk of file.read()) cutter.feed(chunk)
    cutter.end()
  }
  flush(open.size)
  if (unread > 0)
    io.err(`${unread} lines are no records of ours; ductape-mcp audit verify says what is wrong.\n`)
  return EXIT.ok
}

function sinceText(since: string | undefined, now: number): string {
  if (since === undefined) return ''
  const span = parseSpan(since)
  const time = span === undefined ? parseInstant(since) : now - span
  if (time === undefined)
    throw new UsageError('--since is no time: write 2026-11-21, 2026-11-21T12:00:00Z, or 24h.\n')
  return new Date(time).toISOString()
}

const has = (set: ReadonlySet<string>, ...values: unknown[]): boolean =>
  set.size === 0 || values.some((value) => set.has(value as string))

function matches({ decision, outcome, refusals }: Call, wanted: Wanted): boolean {
  const first = decision ?? outcome ?? refusals
  // Times of one form compare as text.
  if (((outcome ?? first)?.['time'] as string) < wanted.since) return false
  const who = decision?.['who']
  return (
    has(wanted.call, first?.['callId']) &&
    has(wanted.approval, member(member(decision?.['decision'], 'approval'), 'id')) &&
    has(wanted.principal, member(who, 'principal'), member(who, 'subject')) &&
    has(wanted.tool, member(decision?.['what'], 'tool')) &&
    has(
      wanted.code,
      member(decision?.['decision'], 'code'),
      member(outcome?.['outcome'], 'code'),
      member(refusals?.['refusals'], 'code'),
    )
  )
}

function row(time: string, call: string, result: string, operation: string, caller: string): string {
  return `${time.padEnd(24)}  ${call.padEnd(36)}  ${result.padEnd(26)}  ${operation.padEnd(30)}  ${caller}\n`
}

function shownCall({ decision, outcome, refusals }: Call): string {
  const text = (value: unknown): string => (typeof value === 'string' ? value : '')
  if (refusals !== undefined) {
    const { code, count, peer } = refusals['refusals'] as JsonObject
    return terminalText(row(text(refusals['time']), '-', `${count} more ${code}`, '-', `peer ${peer}`))
  }
  const record = (decision ?? outcome) as JsonObject
  const what = decision?.['what']
  const module = text(member(what, 'module'))
  const named = [text(member(what, 'action')), text(member(what, 'target'))].filter(Boolean).join(' ')
  const operation =
    named !== ''
      ? named
      : module === ''
        ? text(member(what, 'tool'))
        : `${module}.${text(member(what, 'method'))}`
  const who = decision?.['who']
  return terminalText(
    row(
      text(record['time']),
      text(record['callId']),
      resultOf(decision, outcome),
      operation === '' ? '-' : operation,
      text(member(who, 'principal') ?? member(who, 'subject')) || '-',
    ),
  )
}

function resultOf(decision: JsonObject | undefined, outcome: JsonObject | undefined): string {
  const refused = member(decision?.['decision'], 'code')
  if (member(decision?.['decision'], 'allowed') === false) return `refused ${refused}`
  if (outcome === undefined) return 'no outcome'
  const code = member(outcome['outcome'], 'code')
  return `${member(outcome['outcome'], 'status')}${code === undefined ? '' : ` ${code}`}`
}
