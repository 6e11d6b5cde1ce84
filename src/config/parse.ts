// The text of a config file to the resolved config, or to every problem in it at once.
import { isObject } from '../core/json.ts'
import { CROSS_CHECKS, type CrossCheck } from './cross.ts'
import { explain } from './explain.ts'
import type { ConfigResult, Problem } from './problem.ts'
import { type Reading, readYaml } from './read.ts'
import { type Config, configSchema, freeze } from './schema.ts'

const MAX_PROBLEMS = 100

export function parseConfig(text: string, source: string): ConfigResult {
  const reading = readYaml(text, source)
  if (reading.broken) return { ok: false, problems: ordered(reading.problems) }
  // A file of comments only is a file of defaults.
  const value = reading.value ?? {}
  const parsed = configSchema.safeParse(value)
  const problems = [...reading.problems, ...(parsed.success ? [] : explain(parsed.error.issues, reading))]
  const sound = parsed.success ? parsed.data : soundPart(value, parsed.error.issues)
  const unsound = new Set(parsed.success ? [] : parsed.error.issues.map((issue) => String(issue.path[0])))
  for (const [name] of reading.refused.filter((path) => path.length > 0)) unsound.add(String(name))
  const findings = (level: CrossCheck['level']) =>
    sound === undefined ? [] : cross(level, sound, unsound, reading)
  problems.push(...findings('problem'))
  if (!parsed.success || problems.length > 0) return { ok: false, problems: ordered(problems) }
  const warnings = ordered(findings('warning')).map(
    ({ line, column, path, message, fix }) => `${source}:${line}:${column}: ${path} ${message}. ${fix}`,
  )
  return { ok: true, config: freeze<Config>(parsed.data), warnings }
}

// What remains when each top-level key with a problem is left out, so that one fault does not hide another.
function soundPart(value: unknown, issues: readonly { path: readonly PropertyKey[] }[]): Config | undefined {
  if (!isObject(value)) return undefined
  const faulty = new Set(issues.map((issue) => String(issue.path[0])))
  const known = Object.entries(value).filter(
    ([name]) => Object.hasOwn(configSchema.shape, name) && !faulty.has(name),
  )
  return configSchema.safeParse(Object.fromEntries(known)).data
}

function cross(
  level: CrossCheck['level'],
  config: Config,
  unsound: ReadonlySet<string>,
  reading: Reading,
): Problem[] {
  return CROSS_CHECKS.filter((check) => check.level === level && !check.reads.some((key) => unsound.has(key)))
    .map((check) => check.check(config))
    .filter((finding) => finding !== undefined)
    .map(({ path, message, fix }) => reading.problemAt(path, 'value', message, fix))
}

export function ordered(problems: readonly Problem[]): readonly Problem[] {
  const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column)
  const [first] = sorted.slice(MAX_PROBLEMS)
  if (first === undefined) return sorted
  const rest = sorted.length - MAX_PROBLEMS
  return [
    ...sorted.slice(0, MAX_PROBLEMS),
    {
      ...first,
      path: '',
      message: `and ${rest} more problems from here on`,
      fix: 'Mend the ones above first.',
    },
  ]
}
