// Compiles live/scan.yaml: all rules into one gate, and for each effect what is done where one of them finds something.
import type { RE2JS } from 're2js'
import { once } from '../../core/once.ts'
import type { Effect } from '../../core/tool.ts'
import type { Mode, ScanFile } from './config.ts'
import { compileGate } from './gate.ts'
import type { Plan } from './look.ts'
import { PERSONAL } from './personal.ts'
import type { Action, Range, Rule } from './rule.ts'
import { SECRETS } from './secrets.ts'
import { INSTRUCTIONS, linkRules } from './signals.ts'
import { UNSEEN_ROWS } from './unseen.ts'

export interface ScanRules {
  /** Undefined where nothing is looked for; made at the first call of the effect. */
  plan(effect: Effect | undefined): Plan | undefined
  readonly maxBytes: number
  readonly maxTokens: number
  readonly provenance: boolean
}

/** What is wrong with the file that its schema cannot say. */
export interface ScanFault {
  path: string
  message: string
  fix: string
}

export const DEFAULTS: ScanFile = {
  version: 1,
  secret: 'redact',
  personal: 'flag',
  invisible: 'flag',
  ansi: 'flag',
  instruction: 'flag',
  link: 'flag',
  rules: {},
  patterns: [],
  links: { allow: [] },
  truncate: {},
  provenance: true,
}

const OWN: readonly Rule[] = [
  ...SECRETS,
  ...PERSONAL,
  ...INSTRUCTIONS,
  ...linkRules(() => true),
  ...UNSEEN_ROWS,
]
export const RULE_IDS: ReadonlySet<string> = new Set(OWN.map(({ id }) => id))

let engine: typeof RE2JS | undefined
/** The engine of configured rules; a service without any starts without it. */
export const loadPatternEngine = once(async () => {
  engine = (await import('re2js')).RE2JS
})

/** Instructions: what one character of the text can cost. */
const MAX_SIZE = 1000
/** Bytes of states that the engine may remember for one pattern. */
const STATE_MEMORY = 128 * 1024

export function compileScan(
  file: ScanFile,
): { ok: true; rules: ScanRules } | { ok: false; faults: readonly ScanFault[] } {
  const faults: ScanFault[] = []
  const configured: Rule[] = []
  file.patterns.forEach((row, index) => {
    const at = `patterns[${index}]`
    if (RULE_IDS.has(row.id) || configured.some(({ id }) => id === row.id))
      faults.push({ path: `${at}.id`, message: 'is the id of another rule', fix: 'Write another id.' })
    const search = compilePattern(row.pattern)
    if (typeof search === 'string')
      faults.push({
        path: `${at}.pattern`,
        message: search,
        fix: 'Write a smaller one, without look-around.',
      })
    else
      configured.push({
        detector: row.detector,
        id: row.id,
        triggers: row.keywords,
        find: () => undefined,
        search,
      })
  })
  const known = new Set([...RULE_IDS, ...configured.map(({ id }) => id)])
  for (const id of Object.keys(file.rules))
    if (!known.has(id))
      faults.push({
        path: `rules[${JSON.stringify(id)}]`,
        message: 'is no rule of this service or of this file',
        fix: 'docs/operate/scanning.md has the ids.',
      })
  if (faults.length > 0) return { ok: false, faults }

  const rules = [
    ...SECRETS,
    ...PERSONAL,
    ...INSTRUCTIONS,
    ...linkRules(allowedBy(file.links.allow)),
    ...configured,
    ...UNSEEN_ROWS,
  ]
  const gate = compileGate(
    rules.map((rule) =>
      EFFECTS.some((effect) => actionOf(file, rule, effect) !== undefined) ? rule : undefined,
    ),
  )
  const unseen = rules.indexOf(UNSEEN_ROWS[0] as Rule)
  const planFor = (effect: Effect | undefined): Plan | undefined => {
    // A call whose effect nobody knows is judged as the most severe of them.
    const actions = rules.map((rule) =>
      effect === undefined
        ? strongest(EFFECTS.map((one) => actionOf(file, rule, one)))
        : actionOf(file, rule, effect),
    )
    return actions.every((action) => action === undefined) ? undefined : { gate, rules, actions, unseen }
  }
  const plans = new Map<Effect | undefined, Plan | undefined>()
  return {
    ok: true,
    rules: {
      plan(effect) {
        if (!plans.has(effect)) plans.set(effect, planFor(effect))
        return plans.get(effect)
      },
      maxBytes: file.truncate.maxBytes ?? Number.POSITIVE_INFINITY,
      maxTokens: file.truncate.maxTokens ?? Number.POSITIVE_INFINITY,
      provenance: file.provenance,
    },
  }
}

const EFFECTS: readonly Effect[] = ['read', 'write', 'destructive', 'admin']
const STRENGTH: readonly (Action | undefined)[] = ['block', 'redact', 'flag', undefined]
const strongest = (actions: readonly (Action | undefined)[]): Action | undefined =>
  STRENGTH.find((action) => actions.includes(action))

function actionOf(file: ScanFile, rule: Rule, effect: Effect): Action | undefined {
  const own = Object.hasOwn(file.rules, rule.id) ? modeFor(file.rules[rule.id], effect) : undefined
  const mode = own ?? (rule.quiet ? 'off' : modeFor(file[rule.detector], effect))
  // An effect that is not named has the detector's default.
  const settled = mode ?? (DEFAULTS[rule.detector] as Action)
  return settled === 'off' ? undefined : settled
}

const modeFor = (mode: Mode | undefined, effect: Effect): 'off' | Action | undefined =>
  typeof mode === 'object' ? mode[effect] : mode

function allowedBy(patterns: readonly string[]): (host: string) => boolean {
  const exact = new Set(patterns.filter((one) => !one.startsWith('*.')))
  const below = patterns.filter((one) => one.startsWith('*.')).map((one) => one.slice(1))
  return (host) => exact.has(host) || below.some((end) => host.endsWith(end))
}

/** A string is what is wrong with it. */
function compilePattern(source: string): ((text: string) => Iterable<Range>) | string {
  if (engine === undefined) throw new Error('the engine of configured rules was not loaded')
  try {
    const compiled = engine.compile(source)
    if (compiled.programSize() > MAX_SIZE) return 'is too large: fewer or smaller repetitions, please'
    if (compiled.test('')) return 'matches the empty text'
    const { dfa } = compiled.re2()
    dfa.stateBudget = STATE_MEMORY
    dfa.memBudget = STATE_MEMORY
    return function* (text) {
      const matcher = compiled.matcher(text)
      while (matcher.find())
        if (matcher.end() > matcher.start()) yield { from: matcher.start(), to: matcher.end() }
    }
  } catch {
    return 'is no regular expression of RE2 (no back-references, no look-around)'
  }
}
