// `ductape-mcp policy check|explain`: what a policy file means, without a running service.
import { parseArgs } from 'node:util'
import {
  type CompiledPolicy,
  compilePolicy,
  type Finding,
  lintPolicy,
  loadConditionsFor,
} from '../admission/policy/index.ts'
import { approvalRank, concerns, defaultDemand, type Rule } from '../admission/policy/rule.ts'
import { listOperations } from '../catalogue/operations.ts'
import { type Config, formatProblems, loadConfig, loadLiveParser, type Problem } from '../config/index.ts'
import { LOCAL_ROLE } from '../core/principal.ts'
import type { Effect } from '../core/tool.ts'
import { EXIT, type ExitCode, type Io, UsageError } from './io.ts'
import { describeExplanation, type ExplainedCall, explainCall } from './policy-explain.ts'

export const POLICY_HELP = `ductape-mcp policy check FILE [--json]
ductape-mcp policy check --config CONFIG [--json]
ductape-mcp policy explain --policy FILE --principal JSON --call JSON [--config CONFIG] [--json]

Says what a policy file (live/policy.yaml, or the form of a tool-policy.yaml) means.

check     every problem of the file at once, each with its line; then what it most likely does not
          mean: rules that never decide, roles that nobody has or that allow nothing, conditions
          that fail where they should ask has() first, names that no operation has.
          With --config it is the policy of that configuration: its roles are compared with
          those of keys.yaml, auth.mtls and auth.oauth, and rules that ask for the approval of a
          person are named where the configuration has no place to give it
explain   which rule decides about one call and why: what the guards find in its arguments, every
          rule of the caller in order, the scope that the call needs, the approval that it would
          wait for and why, what its record shows
            --principal '{"roles":["support"],"scopes":["ductape:write"],"tenant":"acme"}'
            --call '{"tool":"ductape_execute","arguments":{"module":"databases","method":"list"}}'
          principal takes roles, scopes, tools, tenant, id, subject, client, issuer and method
          (oauth, api-key, mtls, stdio or none; oauth where it is missing); call takes tool,
          arguments without keys, and credentialId. --config says whether methods outside the
          catalogue are let through

Exit codes: 0 the file holds, the call is allowed; 1 check has a warning, the call is refused;
2 the file does not hold, or wrong usage.
`

interface Options {
  readonly config?: string
  readonly policy?: string
  readonly principal?: string
  readonly call?: string
  readonly json?: boolean
  readonly help?: boolean
}

const OPTIONS = {
  config: { type: 'string' },
  policy: { type: 'string' },
  principal: { type: 'string' },
  call: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/** `now` in milliseconds since the epoch. */
export async function policyCommand(argv: string[], io: Io, now: () => number = Date.now): Promise<ExitCode> {
  const { values, positionals } = parseArgs({ args: argv, allowPositionals: true, options: OPTIONS })
  if (values.help) {
    io.out(POLICY_HELP)
    return EXIT.ok
  }
  const [action, ...files] = positionals
  if (action === 'check') return check(files, values, io, now)
  if (action === 'explain' && files.length === 0) return explain(values, io, now)
  throw usage(action === undefined ? 'say check or explain' : 'there is only check FILE and explain')
}

const usage = (message: string): UsageError =>
  new UsageError(`${message}.\n\nductape-mcp policy --help shows how it is used.\n`)

async function check(
  files: readonly string[],
  options: Options,
  io: Io,
  now: () => number,
): Promise<ExitCode> {
  if (files.length + (options.config === undefined ? 0 : 1) !== 1)
    throw usage('check takes one FILE, or --config CONFIG')
  const config = options.config === undefined ? undefined : await readConfig(options.config, io)
  const file = files[0] ?? livePath(config, 'policy.yaml')
  const result = await load(file, config, io, now)
  const given = config === undefined || !result.ok ? undefined : await rolesGiven(config, io)
  const findings = result.ok
    ? [
        ...result.warnings,
        ...lintPolicy(result.policy, { operations: operationsOf(config), given }),
        ...(config === undefined ? [] : unapprovable(result.policy, config)),
      ]
    : []
  const notes = given?.open
    ? ['Tokens bring role names of their own, so roles that nobody has cannot be told from others.']
    : []
  if (options.json) {
    const problems = result.ok ? [] : result.problems
    io.out(toJson({ ok: result.ok, file, problems, warnings: findings, notes }))
  } else if (result.ok) {
    for (const { path, message, fix } of findings) io.err(`${file}: ${path} ${message}. ${fix}\n`)
    for (const note of notes) io.err(`${note}\n`)
    io.out(`${file} holds: ${count(result.policy)}, mode ${result.policy.mode}\n`)
  } else {
    io.err(formatProblems(result.problems))
  }
  if (!result.ok) return EXIT.usage
  return findings.length > 0 ? EXIT.finding : EXIT.ok
}

/** Rules that lead to the approval of a person, by their own word or by that of the effect, where nobody can give it. */
function unapprovable(policy: CompiledPolicy, config: Config): readonly Finding[] {
  const missing = [
    ...(config.peopleUrl === undefined ? ['peopleUrl'] : []),
    ...(config.auth?.people === undefined ? ['auth.people'] : []),
  ].join(' and ')
  if (missing === '') return []
  const confirm = approvalRank('confirm')
  const needs = ({ approval }: Rule, tool: string, effect: Effect): boolean => {
    const { always, otherwise } = policy.demands.get(tool) ?? defaultDemand(effect)
    return Math.max(always, approval === undefined ? otherwise : approvalRank(approval)) === confirm
  }
  const operations = operationsOf(config)
  return policy.rules.flatMap((rule) => {
    if (rule.sense === 'deny') return []
    const asked = operations.find((one) => concerns(rule, one) && needs(rule, one.tool, one.effect))
    if (asked === undefined) return []
    const { effect, method, module, tool } = asked
    const name = module === undefined ? tool : `${module}.${method}`
    return [
      {
        path: rule.place,
        message: `asks for the approval of a person, as for ${name} (${effect}), and without ${missing} such a call is refused as approval_unavailable`,
        fix: `Set ${missing} in the configuration, or write approval: none or notify.`,
      },
    ]
  })
}

async function explain(options: Options, io: Io, now: () => number): Promise<ExitCode> {
  const { principal, call } = options
  if (options.policy === undefined || principal === undefined || call === undefined)
    throw usage('explain takes --policy FILE, --principal JSON and --call JSON')
  const config = options.config === undefined ? undefined : await readConfig(options.config, io)
  const result = await load(options.policy, config, io, now)
  if (!result.ok) {
    if (options.json) io.out(toJson({ ok: false, file: options.policy, problems: result.problems }))
    else io.err(formatProblems(result.problems))
    return EXIT.usage
  }
  const explained: ExplainedCall = await explainCall(
    result.policy,
    principal,
    call,
    config?.catalogue ?? 'enforce',
  )
  io.out(options.json ? toJson(explained) : describeExplanation(explained))
  return explained.passes ? EXIT.ok : EXIT.finding
}

type Loaded =
  | { readonly ok: true; readonly policy: CompiledPolicy; readonly warnings: readonly Finding[] }
  | { readonly ok: false; readonly problems: readonly Problem[] }

async function load(file: string, config: Config | undefined, io: Io, now: () => number): Promise<Loaded> {
  const parseLive = await loadLiveParser()
  const text = read(file, io)
  await loadConditionsFor(text)
  const parsed = parseLive('policy.yaml', text, file)
  if (!parsed.ok) return { ok: false, problems: parsed.problems }
  // The digest of the bytes belongs to a running service; nothing here shows it.
  const compiled = compilePolicy(parsed.value, { digest: '', now, operations: operationsOf(config) })
  if (compiled.ok) return compiled
  const problems = compiled.problems.map((one) => ({ source: file, line: 0, column: 0, ...one }))
  return { ok: false, problems }
}

const operationsOf = (config: Config | undefined) =>
  listOperations(config !== undefined && config.catalogue !== 'enforce')

async function readConfig(path: string, io: Io): Promise<Config> {
  const loaded = await loadConfig({ path, env: {}, readFile: io.readFile })
  if (!loaded.ok) throw new UsageError(formatProblems(loaded.problems))
  return loaded.config
}

function livePath(config: Config | undefined, name: string): string {
  if (config?.live === undefined)
    throw new UsageError('The configuration names no folder live, so it has no policy file.\n')
  return `${config.live}/${name}`
}

/** `absent` stands in for a file that may be missing. */
function read(path: string, io: Io, absent?: string): string {
  try {
    return io.readFile(path)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
    if (code === 'ENOENT' && absent !== undefined) return absent
    throw new UsageError(`${path} cannot be read (${code}).\n`)
  }
}

/** The roles that callers of this configuration can have. */
async function rolesGiven(config: Config, io: Io): Promise<{ names: ReadonlySet<string>; open: boolean }> {
  const { auth } = config
  const issuers = auth?.oauth?.issuers ?? []
  const names = new Set([
    ...(auth?.mtls?.map ?? []).flatMap((row) => row.roles),
    ...issuers.flatMap((issuer) => Object.values(issuer.roles ?? {}).flat()),
    ...(auth?.apiKeys === undefined ? [] : await rolesOfKeys(livePath(config, 'keys.yaml'), io)),
    ...(auth === undefined ? [LOCAL_ROLE] : []),
  ])
  return { names, open: issuers.some((issuer) => issuer.roles === undefined) }
}

async function rolesOfKeys(file: string, io: Io): Promise<readonly string[]> {
  const text = read(file, io, '')
  const parsed = (await loadLiveParser())('keys.yaml', text, file)
  if (!parsed.ok) throw new UsageError(formatProblems(parsed.problems))
  return parsed.value.keys.flatMap((key) => key.roles)
}

const count = ({ roles, rules }: CompiledPolicy): string =>
  `${roles.length} ${roles.length === 1 ? 'role' : 'roles'}, ${rules.length} ${rules.length === 1 ? 'rule' : 'rules'}`

const toJson = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`
