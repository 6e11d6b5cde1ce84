// `ductape-mcp key`: makes, lists, replaces and ends API keys in a file of records, and names Ductape keys.
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { formatProblems, loadConfig } from '../config/index.ts'
import { formatInstant, parseInstant, parseSpan } from '../core/instant.ts'
import { hashKey, makeKey, SECRET_BYTES } from '../identity/apikey/index.ts'
import { credentialId } from '../keys/index.ts'
import { loadSharedFleet } from './fleet.ts'
import { EXIT, type ExitCode, type Io, UsageError } from './io.ts'
import { editKeys, type KeyRecords, type KeyRow, readKeys } from './key-file.ts'
import { describeKeys, lastUses, printKeys } from './key-list.ts'

export const KEY_HELP = `ductape-mcp key create --file FILE --owner WHO --purpose TEXT --role ROLE [options]
ductape-mcp key list --file FILE [--audit FILE ...] [--json]
ductape-mcp key rotate ID --file FILE [--overlap 24h] [--expires TIME]
ductape-mcp key revoke ID --file FILE [--remove]
ductape-mcp key id --file FILE [--config FILE]

API keys live as records in a file, live/keys.yaml: their SHA-256, never the key. These commands
change the file that --file names, nothing else; bring it to the service as you bring every file
of live/. They refuse a mounted ConfigMap or Secret.

create  prints a new key on standard output, once, and adds its record to FILE
  --owner WHO         person or team that answers for it
  --purpose TEXT      what it is for
  --role ROLE         role of the policy; may be repeated
  --scope SCOPE       scope such as ductape:write; may be repeated
  --tenant TENANT     tenant that calls with it act for
  --tool PATTERN      only these tools; may be repeated
  --rate 60/10        requests per minute / at once, lower than the limits of the service
  --expires TIME      90d (the default), 24h, "2027-01-31T12:00:00Z", or never

list    shows the records, never a key; with --audit when each key was last used
rotate  prints a new key with the same rights; the old one ends after --overlap (default 24h)
revoke  ends a key now; its record stays until --remove. To stop it on all replicas at once:
        ductape-mcp revoke key ID --until 24h
id      prints the credential id of a Ductape key in FILE, for policies and credentials.tenants;
        --config names the configuration with keys.fleet

Exit codes: 0 done, 1 no key has this ID or it has ended, 2 wrong usage.
`

export interface KeyPorts {
  /** Milliseconds since the epoch. */
  now(): number
  random(bytes: number): Buffer
}

const DEFAULT_EXPIRY = '90d'
const DEFAULT_OVERLAP = '24h'

type Action = (argv: string[], io: Io, ports: KeyPorts) => Promise<ExitCode>

const ACTIONS: ReadonlyMap<string, Action> = new Map<string, Action>([
  ['create', create],
  ['list', list],
  ['rotate', rotate],
  ['revoke', revoke],
  ['id', id],
])

export async function keyCommand(
  argv: string[],
  io: Io,
  ports: KeyPorts = { now: Date.now, random: randomBytes },
): Promise<ExitCode> {
  const [name, ...rest] = argv
  if (name === '--help' || name === '-h' || rest.includes('--help') || rest.includes('-h')) {
    io.out(KEY_HELP)
    return EXIT.ok
  }
  const action = name === undefined ? undefined : ACTIONS.get(name)
  // What was typed is not repeated: it may be a key.
  if (action === undefined)
    throw new UsageError('Say create, list, rotate, revoke or id; ductape-mcp key --help says more.\n')
  try {
    return await action(rest, io, ports)
  } catch (error) {
    if (!(error instanceof KeyFinding)) throw error
    io.err(error.message)
    return EXIT.finding
  }
}

/** Nothing is wrong with the command, but the file has no such key. */
class KeyFinding extends Error {}

const FILE = { type: 'string' } as const
const MANY = { type: 'string', multiple: true, default: [] as string[] } as const

async function create(argv: string[], io: Io, { now, random }: KeyPorts): Promise<ExitCode> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      file: FILE,
      owner: { type: 'string' },
      purpose: { type: 'string' },
      role: MANY,
      scope: MANY,
      tenant: { type: 'string' },
      tool: MANY,
      rate: { type: 'string' },
      expires: { type: 'string', default: DEFAULT_EXPIRY },
    },
  })
  refuseWords(positionals)
  const { owner, purpose, tenant, role, scope, tool } = values
  if (owner === undefined || purpose === undefined || role.length === 0)
    throw new UsageError("--owner, --purpose and --role are needed: an unowned key is nobody's to end.\n")
  const time = now()
  const key = makeKey(random(SECRET_BYTES))
  const row = await editKeys(fileOption(values.file), true, (file) => {
    const made: KeyRow = {
      id: newId(file.records, random),
      sha256: hashKey(key),
      owner,
      purpose,
      ...(tenant !== undefined && { tenant }),
      roles: role,
      ...(scope.length > 0 && { scopes: scope }),
      ...(tool.length > 0 && { tools: tool }),
      ...(values.rate !== undefined && { rate: rateOption(values.rate) }),
      createdAt: formatInstant(time),
      ...endOf(expiryOption(values.expires, time)),
    }
    file.add(made)
    return made
  })
  hand(key, row, io)
  return EXIT.ok
}

async function list(argv: string[], io: Io, { now }: KeyPorts): Promise<ExitCode> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: { file: FILE, audit: MANY, json: { type: 'boolean', default: false } },
  })
  // `--audit a.jsonl b.jsonl`, as a shell expands a pattern.
  const audit = [...values.audit, ...positionals]
  if (values.audit.length === 0) refuseWords(positionals)
  const records = await readKeys(fileOption(values.file))
  const used =
    audit.length === 0 ? undefined : await lastUses(audit, new Set(records.map((record) => record.id)))
  const keys = describeKeys(records, now(), used)
  if (values.json) io.out(`${JSON.stringify({ keys }, null, 2)}\n`)
  else printKeys(keys, used !== undefined, io)
  return EXIT.ok
}

async function rotate(argv: string[], io: Io, { now, random }: KeyPorts): Promise<ExitCode> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      file: FILE,
      overlap: { type: 'string', default: DEFAULT_OVERLAP },
      expires: { type: 'string' },
    },
  })
  const wanted = idArgument(positionals)
  const overlap = parseSpan(values.overlap)
  if (overlap === undefined) throw new UsageError('--overlap takes a time such as 30m, 24h or 7d.\n')
  const time = now()
  const key = makeKey(random(SECRET_BYTES))
  const done = await editKeys(fileOption(values.file), false, (file) => {
    const old = liveRecord(file.records, wanted, time)
    const end = Math.min(old.expiresAt ?? Number.POSITIVE_INFINITY, time + overlap)
    const made: KeyRow = {
      id: newId(file.records, random),
      sha256: hashKey(key),
      owner: old.owner,
      purpose: old.purpose,
      ...(old.tenant !== undefined && { tenant: old.tenant }),
      roles: old.roles,
      ...(old.scopes.length > 0 && { scopes: old.scopes }),
      ...(old.tools !== undefined && { tools: old.tools }),
      ...(old.rate !== undefined && { rate: old.rate }),
      createdAt: formatInstant(time),
      ...endOf(values.expires === undefined ? sameLife(old, time) : expiryOption(values.expires, time)),
    }
    file.add(made)
    file.expire(old.id, formatInstant(end))
    return { made, end }
  })
  hand(key, done.made, io)
  io.err(`The old key ${wanted} ends ${formatInstant(done.end)}; until then both are accepted.\n`)
  return EXIT.ok
}

async function revoke(argv: string[], io: Io, { now }: KeyPorts): Promise<ExitCode> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: { file: FILE, remove: { type: 'boolean', default: false } },
  })
  const wanted = idArgument(positionals)
  const path = fileOption(values.file)
  const time = now()
  await editKeys(path, false, (file) => {
    if (values.remove) {
      recordOf(file.records, wanted)
      file.remove(wanted)
    } else file.expire(liveRecord(file.records, wanted, time).id, formatInstant(time))
  })
  io.err(
    `${values.remove ? `The record ${wanted} is removed` : `The key ${wanted} has ended`}. The service refuses it within 2 seconds of reading the new ${path}.\n` +
      `To stop it on all replicas at once: ductape-mcp revoke key ${wanted} --until 24h\n`,
  )
  return EXIT.ok
}

const DUCTAPE_KEY = /^[\x21-\x7e]{12,512}$/

async function id(argv: string[], io: Io): Promise<ExitCode> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: { file: FILE, config: { type: 'string' } },
  })
  refuseWords(positionals)
  const path = fileOption(values.file)
  let key: string
  try {
    key = io.readFile(path).replace(/\r?\n$/, '')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
    throw new UsageError(`--file: ${path} cannot be read (${code}).\n`)
  }
  if (!DUCTAPE_KEY.test(key))
    throw new UsageError(
      `--file: ${path} does not hold a Ductape key alone: 12 to 512 visible ASCII characters.\n`,
    )
  const loaded = await loadConfig({ path: values.config, env: io.env, readFile: io.readFile })
  if (!loaded.ok) throw new UsageError(formatProblems(loaded.problems))
  io.out(`${credentialId(loadSharedFleet(loaded.config, io), key)}\n`)
  return EXIT.ok
}

/** The key goes to standard output alone, so that it can be piped into a secret store without being seen. */
function hand(key: string, { id, expiresAt }: KeyRow, io: Io): void {
  io.out(`${key}\n`)
  io.err(
    `This is the only time that the key ${id} is shown. ${expiresAt === undefined ? 'It never ends' : `It ends ${expiresAt}`}.\n`,
  )
}

function fileOption(file: string | undefined): string {
  if (file === undefined || file === '') throw new UsageError('--file is missing: name the file.\n')
  return file
}

function refuseWords(positionals: readonly string[]): void {
  if (positionals.length > 0)
    throw new UsageError('There is an argument too many; ductape-mcp key --help shows the options.\n')
}

function idArgument(positionals: readonly string[]): string {
  const [wanted, ...rest] = positionals
  if (wanted === undefined || rest.length > 0)
    throw new UsageError('Name one key by its ID; ductape-mcp key list shows them.\n')
  return wanted
}

/** `--rate 60/10`; whether the numbers are in range shows when the record is checked. */
function rateOption(text: string): { perMinute: number; burst: number } {
  const match = /^(\d{1,9})\/(\d{1,9})$/.exec(text)
  if (match === null)
    throw new UsageError('--rate takes requests per minute and requests at once, for example 60/10.\n')
  return { perMinute: Number(match[1]), burst: Number(match[2]) }
}

/** Milliseconds since the epoch; undefined = never. */
function expiryOption(text: string, now: number): number | undefined {
  if (text === 'never') return undefined
  const span = parseSpan(text)
  const time = span === undefined ? parseInstant(text) : now + span
  if (time === undefined || time <= now)
    throw new UsageError(
      '--expires takes 90d, 24h, a time to come such as "2027-01-31T12:00:00Z", or never.\n',
    )
  return time
}

const endOf = (time: number | undefined): { expiresAt?: string } =>
  time === undefined ? {} : { expiresAt: formatInstant(time) }

type KeyRecord = KeyRecords[number]

/** A new key lives as long as the old one was made to. */
const sameLife = ({ createdAt, expiresAt }: KeyRecord, now: number): number | undefined =>
  expiresAt === undefined || createdAt === undefined ? expiresAt : now + (expiresAt - createdAt)

function recordOf(records: KeyRecords, wanted: string): KeyRecord {
  const record = records.find((one) => one.id === wanted)
  if (record === undefined)
    throw new KeyFinding('No record of this file has this ID; ductape-mcp key list shows them.\n')
  return record
}

function liveRecord(records: KeyRecords, wanted: string, now: number): KeyRecord {
  const record = recordOf(records, wanted)
  if (record.expiresAt !== undefined && record.expiresAt <= now)
    throw new KeyFinding(`The key ${record.id} has ended already, ${formatInstant(record.expiresAt)}.\n`)
  return record
}

/** Short enough to type; the record is found by it, so it is not a secret. */
function newId(records: KeyRecords, random: (bytes: number) => Buffer): string {
  const taken = new Set(records.map((record) => record.id))
  for (;;) {
    const made = `key-${random(5).toString('hex')}`
    if (!taken.has(made)) return made
  }
}
