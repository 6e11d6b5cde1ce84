// `ductape-mcp evidence`: verifies records and writes what an auditor asks for into a folder, with a signed manifest.
import { createHash, createPrivateKey, hash, type KeyObject } from 'node:crypto'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { compilePolicy, loadConditionsFor } from '../admission/policy/index.ts'
import {
  bundleFiles,
  createCollector,
  manifestOf,
  manifestPayload,
  type Period,
  type PolicyFacts,
} from '../audit/bundle.ts'
import { createSigner, readJws } from '../audit/jws.ts'
import { CODES, type KnownKey, type Report, type Source, verify } from '../audit/verify/index.ts'
import { formatProblems, loadLiveParser } from '../config/index.ts'
import { parseInstant } from '../core/instant.ts'
import { parseObject } from '../core/json.ts'
import { readTrust, readWhole, recordFiles } from './audit-files.ts'
import { EXIT, type ExitCode, type Io, UsageError } from './io.ts'
import { readKeys } from './key-file.ts'
import { keyFacts } from './key-list.ts'

export const EVIDENCE_HELP = `ductape-mcp evidence --from TIME --to TIME --out DIR FILE... --keys JWKS [options]
ductape-mcp evidence --check DIR --keys JWKS

Verifies records and writes an evidence bundle: verification, population, access review, approvals,
changes of policy and configuration, signing keys, and which file shows which criterion of SOC 2. It
holds no secret and no value of an argument. The same inputs give the same bytes.

  --from, --to TIME  the period: "2026-10-01", or "2026-10-01T12:00:00Z"; --to is not in it
  --out DIR          where it is written; a new or empty folder
  FILE...            all records of the period, as written or as a container runtime framed them
  --keys JWKS        what /.well-known/ductape-mcp/receipt-keys.json published
  --witness FILE     checkpoints that a witness kept, one JWS a line
  --receipts FILE    receipts of callers, one a line, to be found again in the records
  --policy FILE      live/policy.yaml: its roles are compared with those that were used
  --api-keys FILE    live/keys.yaml: its records, with the last use of each
  --sign-key FILE    Ed25519 private key in PEM: signs the manifest
  --all-replicas     FILEs are those of all replicas: a used approval that is not in them is a fault
  --self-asserted    take keys that a service made at its start
  --check DIR        compares a bundle with its manifest and, where there is one, its signature

Exit codes: 0 written and verified, or unchanged; 1 the records have a fault (the bundle names it),
or the bundle was changed; 2 wrong usage, or a file that cannot be read.
`

const OPTIONS = {
  from: { type: 'string' },
  to: { type: 'string' },
  out: { type: 'string' },
  keys: { type: 'string' },
  witness: { type: 'string' },
  receipts: { type: 'string' },
  policy: { type: 'string' },
  'api-keys': { type: 'string' },
  'sign-key': { type: 'string' },
  'all-replicas': { type: 'boolean' },
  'self-asserted': { type: 'boolean' },
  check: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

const MANIFEST = 'manifest.json'
const SIGNATURE = 'manifest.jws'
const TYPE = 'ductape-manifest+jwt'

export async function evidenceCommand(argv: string[], io: Io): Promise<ExitCode> {
  const { values, positionals: files } = parseArgs({ args: argv, allowPositionals: true, options: OPTIONS })
  if (values.help) {
    io.out(EVIDENCE_HELP)
    return EXIT.ok
  }
  if (values.keys === undefined) throw usage('--keys is missing: the key set that the service published')
  const trust = readTrust(values.keys, values['self-asserted'] === true)
  if (values.check !== undefined) {
    if (files.length > 0) throw usage('--check takes one folder and no files')
    return check(values.check, trust.keys, io)
  }
  if (values.out === undefined || files.length === 0)
    throw usage('say --out DIR and the FILEs of the records')
  const period = periodOf(values.from, values.to)
  const signKey = values['sign-key'] === undefined ? undefined : privateKey(values['sign-key'])
  const policy = values.policy === undefined ? undefined : await policyFacts(values.policy, () => period.from)
  const apiKeys =
    values['api-keys'] === undefined ? undefined : (await readKeys(values['api-keys'])).map(keyFacts)
  const given = (name: string | undefined) =>
    name === undefined ? undefined : { name, text: readWhole(name) }
  const sources = recordFiles(files)
  makeFolder(values.out)

  const inputs: { name: string; sha256: string; source: Source }[] = []
  for (const source of sources) inputs.push({ name: source.name, sha256: await digestOf(source), source })
  // What begins at the same moment is read in an order that does not hang on the order of the arguments.
  inputs.sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1))
  const collector = createCollector(period)
  const report = await verify(
    inputs.map(({ source }) => source),
    {
      trust,
      witness: given(values.witness),
      receipts: given(values.receipts),
      from: period.from,
      allReplicas: values['all-replicas'],
    },
    { onRecord: collector.add },
  )
  const bundle = bundleFiles({
    period,
    report,
    collected: collector.result(),
    inputs: inputs.map(({ name, sha256 }) => ({ name, sha256 })),
    policy,
    apiKeys,
  })
  const manifest = manifestOf(bundle, period)
  bundle.set(MANIFEST, manifest)
  if (signKey !== undefined)
    bundle.set(SIGNATURE, `${await createSigner(signKey, 'file').sign(TYPE, manifestPayload(manifest))}\n`)
  for (const [name, content] of bundle)
    writeFileSync(join(values.out, name), content, { flag: 'wx', mode: 0o600 })
  say(report, values.out, bundle.size, signKey !== undefined, io)
  return report.ok ? EXIT.ok : EXIT.finding
}

const usage = (message: string): UsageError =>
  new UsageError(`${message}.\n\nductape-mcp evidence --help shows how it is used.\n`)

function say({ finding, ok, witnessed }: Report, out: string, count: number, signed: boolean, io: Io): void {
  if (finding !== undefined)
    io.err(
      `The records do not verify: ${finding.code}, ${CODES[finding.code]}${finding.line === undefined ? '' : ` (line ${finding.line})`}. The bundle says where.\n`,
    )
  const verdict = ok ? (witnessed ? 'complete' : 'complete within the chains given') : 'not verified'
  io.out(`${out}: ${count} files, ${verdict}, ${signed ? 'signed' : 'not signed'}\n`)
}

function periodOf(from: string | undefined, to: string | undefined): Period {
  const [start, end] = [from, to].map((time) => (time === undefined ? undefined : parseInstant(time)))
  if (start === undefined || end === undefined)
    throw usage('--from and --to take a day or a time in UTC, such as 2026-10-01 or 2026-10-01T12:00:00Z')
  if (start >= end) throw usage('--to is not after --from')
  return { from: start, to: end }
}

async function digestOf(source: Source): Promise<string> {
  const digest = createHash('sha256')
  for await (const chunk of source.read()) digest.update(chunk)
  return digest.digest('hex')
}

function privateKey(path: string): KeyObject {
  const pem = readWhole(path)
  try {
    const key = createPrivateKey(pem)
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch {
    // Said below, without a word of the file.
  }
  throw new UsageError(
    `--sign-key: ${path} is no Ed25519 private key in PEM (openssl genpkey -algorithm ed25519).\n`,
  )
}

async function policyFacts(path: string, now: () => number): Promise<PolicyFacts> {
  const content = readWhole(path)
  await loadConditionsFor(content)
  const parsed = (await loadLiveParser())('policy.yaml', content, path)
  if (!parsed.ok) throw new UsageError(formatProblems(parsed.problems))
  const digest = hash('sha256', content)
  const compiled = compilePolicy(parsed.value, { digest, now, operations: [] })
  if (compiled.ok) return { digest, roles: compiled.policy.roles }
  const problems = compiled.problems.map((one) => ({ source: path, line: 0, column: 0, ...one }))
  throw new UsageError(formatProblems(problems))
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    if (readdirSync(path).length === 0) return
  } catch (error) {
    throw new UsageError(
      `--out: ${path} cannot be made (${(error as NodeJS.ErrnoException).code ?? 'unknown reason'}).\n`,
    )
  }
  throw new UsageError(`--out: ${path} is not empty, and a bundle is never mixed with another.\n`)
}

/** Whether a bundle is still what its manifest says, and the manifest what was signed. */
function check(folder: string, keys: ReadonlyMap<string, KnownKey>, io: Io): ExitCode {
  const manifest = readWhole(join(folder, MANIFEST))
  const listed = parseObject(manifest)?.['files']
  if (!Array.isArray(listed)) throw new UsageError(`${join(folder, MANIFEST)} is no manifest.\n`)
  const sums = new Map(listed.map((row) => Object.values(row as object).slice(0, 2) as [string, string]))
  const present = readdirSync(folder).filter((name) => name !== MANIFEST && name !== SIGNATURE)
  const changed = [
    ...[...sums.keys()].filter((name) => !present.includes(name)),
    ...present.filter((name) => hash('sha256', readWhole(join(folder, name))) !== sums.get(name)),
  ]
  for (const name of changed.sort()) io.err(`${JSON.stringify(name)} is not as the manifest says.\n`)
  if (changed.length > 0) return EXIT.finding
  if (!readdirSync(folder).includes(SIGNATURE)) {
    io.out(`${folder}: as its manifest says; the manifest is not signed\n`)
    return EXIT.ok
  }
  const jws = readJws(readWhole(join(folder, SIGNATURE)).trimEnd(), TYPE)
  const key = jws.ok ? keys.get(jws.kid) : undefined
  const holds =
    jws.ok &&
    key?.boot === false &&
    jws.payload['manifest'] === hash('sha256', manifest, 'base64url') &&
    jws.verify(key.key)
  if (holds) io.out(`${folder}: as its manifest says, signed by ${key.kid}\n`)
  else io.err('The signature of the manifest does not hold under these keys.\n')
  return holds ? EXIT.ok : EXIT.finding
}
