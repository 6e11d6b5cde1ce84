// Decides what a decision record shows of a call's arguments: their shape, names that were declared safe, or all of them without secrets.
import { allowedMethods, findMethod, type MethodEntry, MODULES } from '../catalogue/index.ts'
import type { Call } from '../core/call.ts'
import { canonical } from '../core/canonical.ts'
import { isObject, type Json, type JsonObject } from '../core/json.ts'
import type { Target } from '../core/policy.ts'
import { MIN_CREDENTIAL, ownRedactor, redactorFor } from '../core/redact.ts'
import { KEY_PREFIX, looksLikeKey, REDACTED } from '../core/text.ts'
import type { PreparedCall } from '../core/tool.ts'

/** What stands for members that are not shown. */
const REST = '...'

const MAX_MEMBERS = 32
const MAX_OBJECTS = 4
const MAX_NAME = 64

// An identifier, as a caller's schema has it, in front of it what the arguments of Ductape have there. Digits in the middle are what keys, card numbers and names of persons' accounts have.
const NAME = /^(?:(?:body|headers|params|query):)?\$?[A-Za-z_]+\d{0,2}$/

/** Members that may still be looked at; the walk is synchronous. */
let left = 0

/** The arguments as JSON text with each value replaced by its type, a list by [shape of the first, count]; what is not shown is counted under `...`. */
export function shapeOf(call: Call): string | undefined {
  const { prepared } = call
  if (prepared === undefined) return undefined
  left = MAX_MEMBERS
  return shapeText(prepared.arguments, 0, call)
}

function shapeText(value: Json, objects: number, call: Call): string {
  if (typeof value === 'string') return '"string"'
  if (typeof value === 'number') return '"number"'
  if (typeof value === 'boolean') return '"boolean"'
  if (value === null) return '"null"'
  if (Array.isArray(value)) {
    if (value.length === 0) return '[0]'
    return `[${shapeText(value[0] as Json, objects, call)},${value.length}]`
  }
  return objects < MAX_OBJECTS ? shapeOfObject(value, objects + 1, call) : `"${REST}"`
}

function shapeOfObject(value: JsonObject, objects: number, call: Call): string {
  const all = Object.keys(value)
  // Its own members come before those of its members.
  const names = all.length > left ? all.slice(0, left) : all
  left -= names.length
  let hidden = all.length - names.length
  // Only names with a dollar sign stand before `...`.
  let front = ''
  let back = ''
  for (const name of inOrder(names)) {
    const known = KNOWN.get(name)
    const quoted = known?.quoted ?? shownName(name, call)
    if (quoted === undefined) {
      hidden++
      continue
    }
    const inner = value[name] as Json
    const member =
      known !== undefined && typeof inner === 'string'
        ? known.ofString
        : quoted + shapeText(inner, objects, call)
    if (name < REST) front += member
    else back += member
  }
  if (hidden > 0) front += `,"${REST}":${hidden}`
  return `{${(front + back).slice(1)}}`
}

function inOrder(names: string[]): readonly string[] {
  for (let i = 1; i < names.length; i++)
    if ((names[i - 1] as string) > (names[i] as string)) return names.sort()
  return names
}

const shownName = (name: string, call: Call): string | undefined =>
  name.length <= MAX_NAME && NAME.test(name) && !isSecret(name, call) ? `,"${name}":` : undefined

/** Names of the catalogue, as they are written behind a comma: nothing that a caller made up, and most of what there is to look at. */
const KNOWN: ReadonlyMap<string, { quoted: string; ofString: string }> = new Map(
  MODULES.flatMap((module) =>
    allowedMethods(module).flatMap((method) =>
      (findMethod(module, method)?.positional ?? []).flatMap(({ fields = {} }) => Object.keys(fields)),
    ),
  )
    .concat(['module', 'method', 'params'])
    .map((field) => field.replace(/\?$/, ''))
    .map((name) => [name, { quoted: `,"${name}":`, ofString: `,"${name}":"string"` }]),
)

/** Nothing that may be a key, and no part of a text that could hold a credential of this call. */
const isSecret = (text: string, call: Call): boolean =>
  looksLikeKey(text) ||
  (text.length >= MIN_CREDENTIAL && call.credentials.length > 0 && ownRedactor(call).text(text) !== text)

// A tag, slug or name of a table: words with few digits, each behind its letters. No address, path, sentence, number, date or account.
const PLAIN = /^(?!(?:\D*\d){7})_*[A-Za-z]+\d{0,4}(?:[_:-]+(?:[A-Za-z]+\d{0,4}|\d{1,4}))*$/
const MAX_PLAIN = 128

/** Arguments whose values are names of a product's parts, and what the record calls them. */
const SAFE: ReadonlyMap<string, string> = new Map([
  ...[
    ...['action', 'app', 'broker', 'cache', 'collection', 'database', 'entity', 'event', 'fallback'],
    ...['feature', 'graph', 'health', 'job', 'namespace', 'notification', 'operation', 'quota', 'storage'],
    ...['table', 'tag', 'topic', 'vector', 'webhook'],
  ].map((name): [string, string] => [name, name]),
  ...[
    ...['access_tag', 'action_tag', 'app_tag', 'broker_tag', 'cache_tag', 'database_tag', 'event_tag'],
    ...['fallback_tag', 'feature_tag', 'graph_tag', 'health_tag', 'job_tag', 'message_tag'],
    ...['notification_tag', 'quota_tag', 'session_tag', 'storage_tag', 'topic_tag', 'webhook_tag'],
  ].map((name): [string, string] => [name, name.slice(0, -'_tag'.length)]),
  ...['actionTag', 'brokerTag', 'graphTag', 'topicTag'].map((name): [string, string] => [
    name,
    name.slice(0, -'Tag'.length),
  ]),
  ['collection_name', 'collection'],
])

/** One member of `safe`: where a call has it. */
interface SafeRow {
  readonly name: string
  read(prepared: PreparedCall): Json | undefined
}

const targetRows: readonly SafeRow[] = [
  { name: 'env', read: ({ operation }) => named(operation.env) },
  { name: 'product', read: ({ operation }) => named(operation.product) },
]

/** Several are written with commas, which no plain name has. */
const named = (target: Target): Json | undefined =>
  target === 'unknown' ? undefined : target.length === 1 ? target[0] : [...new Set(target)]

/** Where the catalogue does not say which member is what, the object `targets` does. */
const withTargets: readonly SafeRow[] = byName([
  ...targetRows,
  ...[...SAFE].map(
    ([field, name]): SafeRow => ({ name, read: ({ arguments: args }) => own(args['targets'], field) }),
  ),
])

// An entry of the catalogue is one object for ever.
const rowsOf = new WeakMap<MethodEntry, readonly SafeRow[]>()

/** The names that the catalogue declares safe in this call, as a JSON text; undefined where there is none. */
export function safeOf(call: Call): string | undefined {
  const { prepared, module, method } = call
  if (prepared === undefined) return undefined
  const entry = module === undefined || method === undefined ? undefined : findMethod(module, method)
  const rows = entry === undefined ? withTargets : (rowsOf.get(entry) ?? prepareRows(entry))
  let text = ''
  let last = ''
  for (const { name, read } of rows) {
    if (name === last) continue
    const value = read(prepared)
    const shown = value === undefined ? undefined : plainNames(value, call)
    if (shown === undefined) continue
    last = name
    text += text === '' ? `"${name}":"${shown}"` : `,"${name}":"${shown}"`
  }
  return text === '' ? undefined : `{${text}}`
}

function prepareRows(entry: MethodEntry): readonly SafeRow[] {
  const rows = [...targetRows]
  const params = ({ arguments: args }: PreparedCall): Json[] => args['params'] as Json[]
  for (const [index, { name, type, fields }] of entry.positional.entries()) {
    const safe = type === 'string' ? SAFE.get(name) : undefined
    if (safe !== undefined) rows.push({ name: safe, read: (prepared) => params(prepared)[index] })
    for (const declared of Object.keys(fields ?? {})) {
      const field = declared.replace(/\?$/, '')
      const member = SAFE.get(field)
      if (member !== undefined)
        rows.push({ name: member, read: (prepared) => own(params(prepared)[index], field) })
    }
  }
  const ordered = byName(rows)
  rowsOf.set(entry, ordered)
  return ordered
}

function byName(rows: readonly SafeRow[]): readonly SafeRow[] {
  return rows.toSorted((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0))
}

const own = (value: Json | undefined, name: string): Json | undefined =>
  isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined

const MAX_SEVERAL = 8

function plainNames(value: Json, call: Call): string | undefined {
  if (!Array.isArray(value)) return isPlain(value, call) ? value : undefined
  if (value.length === 0 || value.length > MAX_SEVERAL) return undefined
  return value.every((one) => isPlain(one, call)) ? value.join() : undefined
}

const isPlain = (value: Json, call: Call): value is string =>
  typeof value === 'string' && value.length <= MAX_PLAIN && PLAIN.test(value) && !isSecret(value, call)

/** Bytes of `args`. */
const MAX_ARGS = 16 * 1024
/** Characters of one string in it. */
const MAX_STRING = 1000

// The seeds look for these anywhere in a name: accessToken, client-secret and x_api_key have them too.
const SECRET_NAME =
  /password|passwd|passphrase|pwd|secret|token|key|credential|authorization|cookie|bearer|connectionurl|connectionstring/
const SECRET_NAMES: ReadonlySet<string> = new Set([
  'auth',
  'cvc',
  'cvv',
  'dsn',
  'jwt',
  'otp',
  'pin',
  'session',
  'ssn',
])

function isSecretName(name: string): boolean {
  const letters = name
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '')
  return SECRET_NAME.test(letters) || SECRET_NAMES.has(letters)
}

/** Says what a `value` beside it is: {name: "password", value: ...}. */
const NAMING = ['name', 'key', 'field', 'header', 'variable'] as const
const URL_WITH_PASSWORD = /\/\/[^\s/@]*:[^\s/@]*@/

/** All arguments as JSON text, secrets replaced. */
export function redactedArgs(call: Call): string | undefined {
  const { prepared, module } = call
  if (prepared === undefined) return undefined
  const args = redactorFor(call).value(prepared.arguments)
  // What this module takes and gives are secrets, under whatever name.
  const text = canonical(withoutSecrets(module === 'secrets' ? { ...args, params: REDACTED } : args))
  if (Buffer.byteLength(text) <= MAX_ARGS) return text
  return `{"${REST}":"[${Buffer.byteLength(canonical(prepared.arguments))} bytes]"}`
}

function withoutSecrets(value: Json): Json {
  if (typeof value === 'string') return shownText(value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(withoutSecrets)
  const hidesValue = Object.hasOwn(value, 'key') || NAMING.some((name) => namesSecret(value, name))
  // Without a prototype, a member named __proto__ is one like any other.
  const copy = Object.create(null) as JsonObject
  for (const [name, member] of Object.entries(value))
    copy[shownText(name)] =
      isSecretName(name) || (hidesValue && name.toLowerCase() === 'value') ? REDACTED : withoutSecrets(member)
  return copy
}

function namesSecret(value: JsonObject, naming: (typeof NAMING)[number]): boolean {
  const name = own(value, naming)
  return typeof name === 'string' && isSecretName(name)
}

function shownText(text: string): string {
  if (text.length > MAX_STRING) return `[${text.length} chars]`
  const shown = text.replace(LONG_WORD, (word) => (/\d/.test(word) && !UUID.test(word) ? REDACTED : word))
  return KEY_PREFIX.test(shown) || URL_WITH_PASSWORD.test(shown) ? REDACTED : shown
}

// What a key is most often, also in base64 or percent-encoded; ids of rows have a form of their own.
const LONG_WORD = /[\w+/=.%~-]{20,}/g
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
