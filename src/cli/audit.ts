// `ductape-mcp audit`: shows that records are complete and unaltered, and finds records.
import { existsSync, renameSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { CODES, type Counts, type Finding, type Report, StateError, verify } from '../audit/verify/index.ts'
import { parseInstant } from '../core/instant.ts'
import { terminalJson, terminalText } from '../core/terminal.ts'
import { isPacked, readTrust, readWhole, recordFiles } from './audit-files.ts'
import { auditQuery } from './audit-query.ts'
import { EXIT, type ExitCode, type Io, UsageError } from './io.ts'
import { table } from './table.ts'

export const AUDIT_HELP = `ductape-mcp audit verify FILE... --keys KEYS [options]
ductape-mcp audit query FILE... [options]

FILE is a file with records (packed, where its name ends in .gz), a folder of them, or - for standard
input: as the service wrote them, or as a container runtime framed them (/var/log/pods). The order
does not matter. No network is used.

verify  shows that the records are complete, unaltered and in order, or names the first line that is not
  --keys KEYS       the key set of the service, /.well-known/ductape-mcp/receipt-keys.json, or a
                    PUBLIC KEY in PEM; get it another way than the records
  --witness FILE    what the witness has kept, one checkpoint a line: shows that no end of a chain
                    and no whole chain was left out
  --receipts FILE   receipts that callers handed over, one JSON a line: each must be in the records
  --from TIME       chains that began before it need not be given: 2026-10-01, or with a time in UTC
  --all-replicas    these are the records of all replicas: an approval that was used and is not
                    in them is a fault, and not one that another replica has recorded
  --self-asserted   accept what was signed by a key that the service made at its start
  --state FILE      write the state there after each file, and go on from it
  --json            the report as JSON

query   shows calls, one a line; it does not verify
  --principal NAME, --tool NAME, --code CODE, --call ID, --approval ID
                    only these; each may be repeated
  --since TIME      2026-11-21, 2026-11-21T12:00:00Z, or a span such as 30m, 24h or 90d
  --json            the records themselves, one a line
  --form ocsf       the same as OCSF events

Exit codes: 0 verified, 1 something is wrong, 2 it could not look.
`

export interface AuditPorts {
  /** Milliseconds since the epoch. */
  now(): number
  /** Somebody watches. */
  isTerminal: boolean
}

const systemPorts = (): AuditPorts => ({ now: Date.now, isTerminal: process.stderr.isTTY === true })

export async function auditCommand(argv: string[], io: Io, ports = systemPorts()): Promise<ExitCode> {
  const [name, ...rest] = argv
  if (name === '--help' || name === '-h' || rest.includes('--help') || rest.includes('-h')) {
    io.out(AUDIT_HELP)
    return EXIT.ok
  }
  if (name === 'verify') return auditVerify(rest, io, ports)
  if (name === 'query') return auditQuery(rest, io, ports)
  throw new UsageError('Say verify or query; ductape-mcp audit --help says more.\n')
}

async function auditVerify(argv: string[], io: Io, ports: AuditPorts): Promise<ExitCode> {
  const { positionals, values } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      keys: { type: 'string' },
      witness: { type: 'string' },
      receipts: { type: 'string' },
      from: { type: 'string' },
      state: { type: 'string' },
      'all-replicas': { type: 'boolean', default: false },
      'self-asserted': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  })
  const trust = readTrust(values.keys, values['self-asserted'])
  const files = recordFiles(positionals)
  const from = values.from === undefined ? undefined : parseInstant(values.from)
  if (values.from !== undefined && from === undefined)
    throw new UsageError('--from is no time: write 2026-10-01 or 2026-10-01T12:00:00Z.\n')
  const whole = (name: string | undefined) =>
    name === undefined ? undefined : { name, text: readWhole(name) }
  const { state } = values
  // How much a packed file holds is known at its end.
  const total = files.some(({ name }) => isPacked(name))
    ? 0
    : files.reduce((all, { bytes }) => all + bytes, 0)
  const progress = ports.isTerminal ? createProgress(io, ports, total) : undefined

  let report: Report
  try {
    report = await verify(
      files,
      {
        trust,
        witness: whole(values.witness),
        receipts: whole(values.receipts),
        from,
        allReplicas: values['all-replicas'],
      },
      {
        ...(progress !== undefined && { onProgress: progress.step }),
        ...(state !== undefined && { onState: (text) => keepState(state, text) }),
      },
      state !== undefined && existsSync(state) ? readWhole(state) : undefined,
    )
  } catch (error) {
    if (error instanceof StateError) throw new UsageError(`--state: ${error.message}.\n`)
    throw error
  } finally {
    progress?.end()
  }
  // Nothing is not the same as nothing wrong.
  if (report.ok && report.chains.length === 0) throw new UsageError('There are no records in these files.\n')
  io.out(values.json ? terminalJson(report) : shownReport(report))
  return report.ok ? EXIT.ok : EXIT.finding
}

/** Whole or not at all: a state that was cut would be of no use. */
function keepState(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

/** One line that is written over, at most twice a second. */
function createProgress(
  io: Io,
  { now }: AuditPorts,
  total: number,
): { step(file: string, bytes: number): void; end(): void } {
  let done = 0
  let current = ''
  let before = 0
  let last = now()
  let shown = false
  return {
    step(file, bytes) {
      if (file !== current) before = 0
      current = file
      done += bytes - before
      before = bytes
      const time = now()
      if (time - last < 500) return
      last = time
      shown = true
      const part = total === 0 ? '' : ` (${Math.floor((100 * done) / total)} %)`
      io.err(`\r${Math.ceil(done / 1e6)} MB read${part}`)
    },
    end() {
      if (shown) io.err('\r                              \r')
    },
  }
}

/** Where it is, what it is, and what is about it, on one line; texts of the records have been checked for their form or are escaped. */
export function shownFinding({ chain, code, detail, file, line, seq }: Finding): string {
  const place = [
    ...(file === undefined ? [] : [`${file}${line === undefined ? '' : ` line ${line}`}`]),
    ...(chain === undefined ? [] : [`chain ${chain}`]),
    ...(seq === undefined ? [] : [`seq ${seq}`]),
  ].join(', ')
  return terminalText(
    `${place === '' ? '' : `${place}: `}${code}: ${CODES[code]}${detail === undefined ? '' : ` (${detail})`}`,
  )
}

function shownReport(report: Report): string {
  const { approvals, chains, finding, population, torn, witnessed } = report
  const read = `${count(population.records, 'record')} in ${count(chains.length, 'chain')} and ${count(report.files, 'file')}`
  if (finding !== undefined)
    return `NOT VERIFIED\n${shownFinding(finding)}\n${read} were looked at and were good up to there.\n`
  const verdict = witnessed
    ? 'complete and unaltered, as the witness has seen them'
    : 'complete within the chains given; only a witness shows that no end and no whole chain is missing'
  const selfAsserted = chains.some((chain) => chain.selfAsserted)
  const notes = [
    ...(selfAsserted
      ? ['keys were made by the service at its start, and whoever forges records can make such keys too']
      : []),
    ...chains
      .filter(({ closed }) => !closed && !witnessed)
      .map(({ id }) => `chain ${id} is open: it goes on, a crash ended it, or its end was cut off`),
    ...chains
      .filter(({ uncovered }) => uncovered > 0)
      .map(({ id, uncovered }) => `chain ${id}: no signature covers its last ${count(uncovered, 'record')}`),
    ...chains
      .filter(({ unknown }) => unknown > 0)
      .map(
        ({ id, unknown }) =>
          `chain ${id}: ${count(unknown, 'allowed call')} without an outcome; the effect is unknown`,
      ),
    ...chains
      .filter(({ lost }) => lost > 0)
      .map(({ id, lost }) => `chain ${id}: ${count(lost, 'record')} lost, as its mode best-effort permits`),
    ...(approvals.notShown > 0
      ? [
          `${count(approvals.notShown, 'approval')} used that somebody gave in records that are not here; with those of all replicas, say --all-replicas`,
        ]
      : []),
    ...torn.map(({ file, line }) => `${file} line ${line}: the last line is cut off`),
  ]
  return terminalText(
    [
      `${selfAsserted ? 'SELF-ASSERTED' : 'VERIFIED'}: ${read}, ${verdict}.`,
      ...(report.receipts > 0 ? [`${count(report.receipts, 'receipt')}, each in the records.`] : []),
      ...(approvals.used > 0
        ? [
            `${count(approvals.used, 'approval')} used, each once; ${approvals.used - approvals.notShown} given before by somebody else.`,
          ]
        : []),
      ...notes.map((note) => `Note: ${note}.`),
      '',
      table([
        ['CHAIN', 'INSTANCE', 'OPENED', 'LAST RECORD', 'RECORDS', 'STATE'],
        ...chains.map(({ closed, id, instance, last, opened, records }) => [
          id,
          instance,
          opened,
          last,
          String(records),
          closed ? 'closed' : 'open',
        ]),
      ]),
      ...shownCounts('Decisions', population.decisions),
      ...shownCounts('Tools', population.tools),
      ...shownCounts('Callers', population.principals),
      ...shownCounts('Outcomes', population.outcomes),
      ...shownCounts('Hours (UTC)', population.hours),
    ].join('\n'),
  )
}

/** More than this is for --json. */
const SHOWN = 40

function shownCounts(title: string, counts: Counts): string[] {
  const rows = Object.entries(counts)
  if (rows.length === 0) return []
  const shown = rows.slice(0, SHOWN).map(([name, value]) => [`  ${name}`, String(value)])
  const more = rows.length > SHOWN ? [`  and ${rows.length - SHOWN} more; --json has all\n`] : []
  return [`${title}\n${table(shown)}${more.join('')}`]
}

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`
