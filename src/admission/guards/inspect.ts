// Looks into the arguments of a call that hold raw text, paths, addresses and secret references, as far as the catalogue and the rules mark them.
import { findMethod, hasRawTexts, type MethodEntry, type RawText, rawTexts } from '../../catalogue/index.ts'
import type { GuardNote } from '../../core/call.ts'
import { type Denial, deny } from '../../core/denials.ts'
import type { GuardRules } from '../../core/guards.ts'
import type { Json } from '../../core/json.ts'
import type { Effect, Operation, PreparedCall } from '../../core/tool.ts'
import { judgePath } from './path/index.ts'
import { stepsOf, visitPlaces } from './places.ts'
import { alsoFor, settingsFor } from './rules.ts'
import { holdsSecret, isWholeReference, mayHoldSecret, withoutReferences } from './secrets/index.ts'
import { type JudgedText, judgeText, type TextArgument } from './text.ts'
import { judgeUrl } from './url/index.ts'

/** What the catalogue marks in the arguments of a method. */
interface Marks {
  readonly texts: boolean
  readonly paths: readonly (readonly string[])[]
  readonly urls: readonly (readonly string[])[]
}

/** One for all methods without any. */
const UNMARKED: Marks = { texts: false, paths: [], urls: [] }
const NO_NOTES: readonly GuardNote[] = Object.freeze([])
/** Where the catalogue's arguments stand in those of ductape_execute. */
const PARAMS = '/params'

// An entry of the catalogue is one object for ever.
const marks = new WeakMap<MethodEntry, Marks>()

function marksOf(entry: MethodEntry): Marks {
  let found = marks.get(entry)
  if (found === undefined) {
    const texts = hasRawTexts(entry)
    const isUnmarked = !texts && entry.paths.length === 0 && entry.urls.length === 0
    found = isUnmarked ? UNMARKED : { texts, paths: entry.paths.map(stepsOf), urls: entry.urls.map(stepsOf) }
    marks.set(entry, found)
  }
  return found
}

export interface Inspection {
  readonly notes: readonly GuardNote[]
  readonly denial: Denial | undefined
  /** The stronger effect of what has not been shown to be harmless; undefined = everything has. */
  readonly effect: Effect | undefined
}

const NOTHING: Inspection = { notes: NO_NOTES, denial: undefined, effect: undefined }

/** Looks into the arguments of a call; a promise only where the SQL parser has to be loaded first. */
export function inspect(prepared: PreparedCall, rules: GuardRules): Inspection | Promise<Inspection> {
  const { operation } = prepared
  const entry = entryOf(operation.module, operation.method)
  const marked = entry === undefined ? UNMARKED : marksOf(entry)
  // Most calls end here.
  if (marked === UNMARKED && !rules.further && !mayHoldSecret(prepared.text))
    return operation.unproven === undefined ? NOTHING : { ...NOTHING, effect: operation.unproven }

  const notes: GuardNote[] = []
  const denial =
    checkSecrets(prepared, rules, notes) ??
    checkPaths(prepared, rules, marked.paths, notes) ??
    checkUrls(prepared, rules, marked.urls, notes)
  if (denial !== undefined) return { notes, denial, effect: undefined }

  const { params } = prepared.arguments
  const raw = marked.texts && entry !== undefined && Array.isArray(params) ? rawTexts(entry, params) : []
  const texts = [...raw.map((one) => placed(one, operation.unproven)), ...furtherTexts(prepared, rules)]
  // A text that policy has seen and nobody can find stays what it is.
  const effect = raw.length === 0 ? operation.unproven : undefined
  return texts.length === 0
    ? { notes, denial: undefined, effect }
    : judgeTexts(texts, operation, rules, notes, effect)
}

const entryOf = (module: string | undefined, method: string | undefined): MethodEntry | undefined =>
  module === undefined || method === undefined ? undefined : findMethod(module, method)

function checkSecrets(
  { operation, arguments: args, text }: PreparedCall,
  { secrets }: GuardRules,
  notes: GuardNote[],
): Denial | undefined {
  if (!mayHoldSecret(text) || !holdsSecret(args)) return undefined
  const isAllowed = settingsFor(secrets, operation).every(({ allow }) => allow)
  const at = placeOfSecret(args)
  notes.push({ guard: 'secret', at, found: isAllowed ? 'allowed' : 'refused' })
  return isAllowed ? undefined : deny('secret_reference_refused', at)
}

/** The argument of the tool, and of `params` which one: what is below has names of the caller. */
function placeOfSecret(args: PreparedCall['arguments']): string {
  const name = Object.keys(args).find((member) => holdsSecret(args[member])) ?? ''
  const value = args[name]
  if (name !== 'params' || !Array.isArray(value)) return `/${name}`
  return `${PARAMS}/${value.findIndex(holdsSecret)}`
}

function checkPaths(
  { operation, arguments: args }: PreparedCall,
  { path }: GuardRules,
  marked: Marks['paths'],
  notes: GuardNote[],
): Denial | undefined {
  const also = alsoFor(path, operation)
  if (marked.length === 0 && also.length === 0) return undefined
  const settings = settingsFor(path, operation)
  return check('path', 'path_refused', args, marked, also, notes, (text) => {
    for (const one of settings) {
      const reason = judgePath(text, one)
      if (reason !== undefined) return reason
    }
    return undefined
  })
}

function checkUrls(
  { operation, arguments: args }: PreparedCall,
  { url }: GuardRules,
  marked: Marks['urls'],
  notes: GuardNote[],
): Denial | undefined {
  const also = alsoFor(url, operation)
  if (marked.length === 0 && also.length === 0) return undefined
  const settings = settingsFor(url, operation)
  return check('url', 'url_refused', args, marked, also, notes, (text, at) => {
    // The guard of secret references has let it pass, and what stands for it cannot be seen.
    if (isWholeReference(text)) return undefined
    const shown = withoutReferences(text)
    for (const one of settings) {
      const reason = judgeUrl(shown, one, { resource: at.endsWith('/resource') })
      if (reason !== undefined) return reason
    }
    return undefined
  })
}

/** Looks at every value at the places; the first that is refused ends the call. */
function check(
  guard: 'path' | 'url',
  code: 'path_refused' | 'url_refused',
  args: PreparedCall['arguments'],
  marked: readonly (readonly string[])[],
  also: readonly (readonly string[])[],
  notes: GuardNote[],
  judge: (text: string, at: string) => string | undefined,
): Denial | undefined {
  let refused: Denial | undefined
  const visit = (at: string, value: Json): void => {
    // Nothing is no path: the prefix of a listing of everything, a logo that is taken away.
    if (refused !== undefined || value === null || value === '') return
    const reason = typeof value === 'string' ? judge(value, at) : 'is no text'
    notes.push({ guard, at, found: reason === undefined ? 'allowed' : 'refused' })
    if (reason !== undefined) refused = deny(code, `${at} ${reason}`)
  }
  const params = args['params']
  if (params !== undefined) for (const steps of marked) visitPlaces(params, steps, visit, PARAMS)
  for (const steps of also) visitPlaces(args, steps, visit)
  return refused
}

const placed = ({ at, text, language }: RawText, raisesTo: Effect | undefined): TextArgument => ({
  at: PARAMS + at,
  text,
  language,
  raisesTo,
})

const NO_TEXTS: readonly TextArgument[] = []

/** What a rule names is raw text as well, so it makes the call worse as long as it is not shown to read. */
function furtherTexts(
  { operation, arguments: args }: PreparedCall,
  { sql, cypher, further }: GuardRules,
): readonly TextArgument[] {
  if (!further) return NO_TEXTS
  const found: TextArgument[] = []
  const raisesTo = operation.unproven ?? (MILD.has(operation.effect) ? 'destructive' : undefined)
  for (const [language, list] of [
    ['sql', alsoFor(sql, operation)],
    ['cypher', alsoFor(cypher, operation)],
  ] as const)
    for (const steps of list)
      visitPlaces(args, steps, (at, text) => void found.push({ at, text, language, raisesTo }))
  return found
}

const MILD: ReadonlySet<Effect> = new Set(['read', 'write'])

/** Texts one after the other; a promise only where the parser has to be loaded first. */
function judgeTexts(
  texts: readonly TextArgument[],
  operation: Operation,
  rules: GuardRules,
  notes: GuardNote[],
  before: Effect | undefined,
  from = 0,
): Inspection | Promise<Inspection> {
  const settings = { sql: settingsFor(rules.sql, operation), cypher: settingsFor(rules.cypher, operation) }
  let effect = before
  for (let i = from; i < texts.length; i++) {
    const argument = texts[i] as TextArgument
    const take = ({ note, denial, isRead }: JudgedText): Denial | undefined => {
      if (note !== undefined) notes.push(note)
      if (!isRead) effect ??= argument.raisesTo
      return denial
    }
    const judged = judgeText(argument, settings)
    if (judged instanceof Promise)
      return judged.then((found) => {
        const denial = take(found)
        return denial === undefined
          ? judgeTexts(texts, operation, rules, notes, effect, i + 1)
          : { notes, denial, effect }
      })
    const denial = take(judged)
    if (denial !== undefined) return { notes, denial, effect }
  }
  return { notes, denial: undefined, effect }
}
