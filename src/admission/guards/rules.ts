// Compiles the guards section of a policy and finds the settings that hold for a call: where that cannot be seen, all that might hold have to be met.
import type { GuardRule, GuardRules, UrlGuard } from '../../core/guards.ts'
import type { Target } from '../../core/policy.ts'
import type { Operation } from '../../core/tool.ts'
import { compilePatterns, matchesPattern, matchesTarget, type Patterns } from '../policy/pattern.ts'
import type { GuardsFile } from './config.ts'
import { stepsOf } from './places.ts'

type Texts = string | readonly string[] | undefined

interface Calls {
  readonly module?: Texts
  readonly method?: Texts
  readonly env?: Texts
  readonly product?: Texts
  readonly also?: Texts
}

export function compileGuards(file: GuardsFile): GuardRules {
  return {
    sql: rules(file.sql, ({ unproven = 'policy', union = false }) => ({ unproven, union })),
    cypher: rules(file.cypher, ({ allow = 'reads' }) => ({ allow })),
    path: rules(file.path, ({ absolute = false, metacharacters = false }) => ({ absolute, metacharacters })),
    url: rules(file.url, urlSettings),
    secrets: rules(file.secrets, ({ allow = false }) => ({ allow })),
    further: [file.sql, file.cypher, file.path, file.url].some((list) =>
      list.some(({ also }) => also !== undefined),
    ),
  }
}

function rules<Given extends Calls, Settings>(
  given: readonly Given[],
  settings: (rule: Partial<Given>) => Settings,
): readonly GuardRule<Settings>[] {
  const everyCall = { holds: () => 'yes' as const, also: [], settings: settings({}) }
  return [
    ...given.map((rule) => ({
      holds: prepareHolds(rule),
      also: listOf(rule.also).map(stepsOf),
      settings: settings(rule),
    })),
    everyCall,
  ]
}

const listOf = (given: Texts): readonly string[] =>
  given === undefined ? [] : typeof given === 'string' ? [given] : given

const optional = (given: Texts): Patterns | undefined =>
  given === undefined ? undefined : compilePatterns(given)

function prepareHolds(rule: Calls): (operation: Operation) => 'yes' | 'maybe' | 'no' {
  const [module, method, env, product] = [rule.module, rule.method, rule.env, rule.product].map(optional)
  return (operation) => {
    if (module !== undefined && !matchesName(module, operation.module)) return 'no'
    if (method !== undefined && !matchesName(method, operation.method)) return 'no'
    const byEnv = matchOf(env, operation.env)
    const byProduct = matchOf(product, operation.product)
    if (byEnv === 'no' || byProduct === 'no') return 'no'
    return byEnv === 'yes' && byProduct === 'yes' ? 'yes' : 'maybe'
  }
}

const matchesName = (patterns: Patterns, name: string | undefined): boolean =>
  name !== undefined && matchesPattern(patterns, name)

function matchOf(patterns: Patterns | undefined, target: Target): 'yes' | 'maybe' | 'no' {
  if (patterns === undefined || matchesTarget(patterns, target, 'allow')) return 'yes'
  return matchesTarget(patterns, target, 'deny') ? 'maybe' : 'no'
}

/** The settings that have to be met, nearly always one: those of the first rule that holds, and of each before it that might. */
export function settingsFor<Settings>(
  list: readonly GuardRule<Settings>[],
  operation: Operation,
): readonly Settings[] {
  const found: Settings[] = []
  for (const { holds, settings } of list) {
    const held = holds(operation)
    if (held !== 'no') found.push(settings)
    if (held === 'yes') break
  }
  return found
}

const NO_PLACES: readonly (readonly string[])[] = []

/** The further arguments that rules name for this call. */
export function alsoFor<Settings>(
  list: readonly GuardRule<Settings>[],
  operation: Operation,
): readonly (readonly string[])[] {
  // The last one has none.
  if (list.length === 1) return NO_PLACES
  return list.flatMap((rule) => (rule.also.length > 0 && rule.holds(operation) !== 'no' ? rule.also : []))
}

/** What is sent in the clear is left out, but for databases and brokers, whose schemes say nothing of it. */
const SCHEMES = [
  ...['https', 'wss', 'sftp', 'ftps', 's3', 'gs', 'smtps'],
  ...['postgres', 'postgresql', 'mysql', 'mysql2', 'mariadb', 'sqlserver', 'mssql', 'oracle', 'cockroachdb'],
  ...[
    'mongodb',
    'mongodb+srv',
    'redis',
    'rediss',
    'valkey',
    'valkeys',
    'memcached',
    'cassandra',
    'couchbases',
  ],
  ...['neo4j', 'neo4j+s', 'neo4j+ssc', 'bolt', 'bolt+s', 'bolt+ssc', 'arangodb', 'nebula'],
  ...[
    'amqp',
    'amqps',
    'sb',
    'kafka',
    'nats',
    'mqtts',
    'pulsar',
    'pulsar+ssl',
    'clickhouse',
    'clickhouses',
    'dsn',
    'host',
  ],
]

function urlSettings({ schemes, hosts }: { schemes?: Texts; hosts?: Texts }): UrlGuard {
  const patterns = optional(hosts)
  return {
    schemes: new Set(schemes === undefined ? SCHEMES : listOf(schemes)),
    allowsHost: (host) => patterns === undefined || matchesPattern(patterns, host),
    namesHost: (host) => patterns?.literals.has(host) === true,
  }
}
