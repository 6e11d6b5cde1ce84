// Decides which products, environments and paths a call aims at, as far as its arguments tell (ductape-backend.md 10.1); what cannot be seen is `unknown`.

import { isObject, type Json, type JsonObject } from '../core/json.ts'
import type { Target } from '../core/policy.ts'
import type { MethodEntry } from './index.ts'

export interface Targets {
  readonly env: Target
  readonly product: Target
  readonly path: Target
}

/** Member names of an identification, by the sources that use them. */
const PRODUCT_NAMES = ['product', 'product_tag'] as const
const ENV_NAMES = ['env', 'env_slug'] as const
/** Names of the environment in an item of `envs`. */
const ENV_ITEM_NAMES = ['product_env_slug', 'slug', 'env', 'env_slug'] as const

/**
 * Where the catalogue's signature does not say which argument names a product or an environment: a number is the place of a string, a
 * name is a member of the object at that place.
 */
const NAMED_OTHERWISE: ReadonlyMap<
  string,
  { product?: readonly [number, string]; env?: readonly [number, string?] }
> = new Map([
  ['product.create', { product: [0, 'tag'] }],
  ['product.environments.create', { env: [1, 'slug'] }],
  ['product.environments.fetch', { env: [1] }],
  ['product.environments.update', { env: [1] }],
])

/** Second call shapes that begin with the product's tag where the first one has an object (ductape-backend.md 10; the Workbench). */
const PRODUCT_FIRST: ReadonlySet<string> = new Set([
  'databases.create',
  'databases.update',
  'databases.delete',
  'caches.create',
  'storage.create',
  'messageBrokers.create',
])

/** The sources disagree about which of two strings is the product, so both count. */
const EITHER_ORDER: ReadonlySet<string> = new Set([
  'graph.delete',
  'features.fetch',
  'features.update',
  'features.delete',
])

/** Definitions that are only read have no environment; these modules read what belongs to one under the same names. */
const DEFINITION_READ: ReadonlySet<string> = new Set(['list', 'fetch', 'fetchAll'])
const READS_INSTANCES: ReadonlySet<string> = new Set(['jobs', 'logs', 'secrets'])
/** Objects without known fields that take the place of the identification. */
const OPAQUE: ReadonlySet<string> = new Set(['data', 'options', 'config'])

/** How one kind of target is read. All places are indexes into the arguments. */
interface Plan {
  /** Known whatever the arguments are. */
  readonly fixed: Target | undefined
  readonly names: readonly string[]
  /** Whether `envs` is read too. */
  readonly lists: boolean
  /** Strings that are one. */
  readonly texts: readonly number[]
  /** Objects that name one by the signature, and those that have `envs` by the signature: each has to. */
  readonly named: readonly number[]
  readonly listed: readonly number[]
  /** Objects without known fields: what they name counts. */
  readonly opaque: readonly number[]
  /** The call may begin with the product's tag instead of the object at 0. */
  readonly productFirst: boolean
}

interface Pointer {
  readonly steps: readonly string[]
  /** A listing starts at it. */
  readonly prefix: boolean
}

interface Prepared {
  readonly product: Plan
  readonly env: Plan
  readonly pointers: readonly Pointer[]
  /** Set where nothing depends on the arguments. */
  readonly always: Targets | undefined
}

const NOTHING: readonly string[] = Object.freeze([])

// An entry of the catalogue is one object for ever.
const plans = new WeakMap<MethodEntry, Prepared>()

/** What a call of this method aims at. Any arguments are answered. */
export function targetsOf(entry: MethodEntry, params: readonly Json[]): Targets {
  const plan = plans.get(entry) ?? prepare(entry)
  if (plan.always !== undefined) return plan.always
  return {
    env: plan.env.fixed ?? read(plan.env, params),
    product: plan.product.fixed ?? read(plan.product, params),
    path: plan.pointers.length === 0 ? NOTHING : readPaths(plan.pointers, params),
  }
}

function prepare(entry: MethodEntry): Prepared {
  const product = planProduct(entry)
  const env = planEnv(entry, product)
  const pointers = entry.paths.map((text): Pointer => {
    const steps = text.slice(1).split('/')
    return { steps, prefix: steps.at(-1) === 'prefix' }
  })
  const always =
    product.fixed !== undefined && env.fixed !== undefined && pointers.length === 0
      ? Object.freeze({ env: env.fixed, product: product.fixed, path: NOTHING })
      : undefined
  const prepared = { product, env, pointers, always }
  plans.set(entry, prepared)
  return prepared
}

function planProduct(entry: MethodEntry): Plan {
  const name = `${entry.module}.${entry.method}`
  const plan = planFor(entry, PRODUCT_NAMES, false, NAMED_OTHERWISE.get(name)?.product)
  if (hasNoProduct(entry)) return { ...plan, fixed: NOTHING }
  if (EITHER_ORDER.has(name)) return { ...plan, texts: [0, 1] }
  return isDocumented(plan) ? plan : { ...plan, fixed: 'unknown' }
}

/** Apps belong to a workspace, and so do secrets. */
const hasNoProduct = ({ module, method, positional }: MethodEntry): boolean =>
  module === 'app' ||
  module === 'secrets' ||
  positional[0]?.name === 'app_tag' ||
  (module === 'actions' && method === 'import')

function planEnv(entry: MethodEntry, product: Plan): Plan {
  const { module, method, effect } = entry
  const plan = planFor(entry, ENV_NAMES, true, NAMED_OTHERWISE.get(`${module}.${method}`)?.env)
  // The environments of an app are not those of a product.
  if (hasNoProduct(entry) && module !== 'secrets') return { ...plan, fixed: NOTHING }
  if (isDocumented(plan)) return plan
  if (module === 'product') return { ...plan, fixed: NOTHING }
  const definitionRead =
    effect === 'read' &&
    product.fixed !== 'unknown' &&
    !READS_INSTANCES.has(module) &&
    DEFINITION_READ.has(method.split('.').at(-1) ?? '')
  // Everything else runs in a connection context, or changes a definition in all its environments, or reads what belongs to one.
  return { ...plan, fixed: definitionRead ? NOTHING : 'unknown' }
}

const isDocumented = (plan: Plan): boolean =>
  plan.texts.length + plan.named.length + plan.listed.length + plan.opaque.length > 0

function planFor(
  { module, method, params, positional }: MethodEntry,
  names: readonly string[],
  lists: boolean,
  otherwise: readonly [number, string?] | undefined,
): Plan {
  const member = otherwise?.[1]
  const own = member === undefined ? names : [member]
  const texts = otherwise !== undefined && member === undefined ? [otherwise[0]] : []
  const named: number[] = []
  const listed: number[] = []
  const opaque: number[] = []
  // In the connection context of `databases` and `graph` nobody promises that a member nobody documents is heeded.
  const mayBeContext =
    (module === 'databases' || module === 'graph') && !/(^|\.)(dispatch|register)$/.test(method)
  for (const [index, { name, type, fields }] of positional.entries()) {
    if (type === 'string' && names.includes(name)) texts.push(index)
    else if (fields !== undefined) {
      const known = Object.keys(fields).map((field) => field.replace(/\?$/, ''))
      if (known.some((field) => own.includes(field))) named.push(index)
      if (lists && known.includes('envs')) listed.push(index)
    } else if (type === 'object' && OPAQUE.has(name) && !mayBeContext) opaque.push(index)
  }
  // No source documents the arguments.
  if (params === null) opaque.push(0)
  const productFirst = PRODUCT_FIRST.has(`${module}.${method}`)
  return { fixed: undefined, names: own, lists, texts, named, listed, opaque, productFirst }
}

function read(plan: Plan, params: readonly Json[]): Target {
  const first = params[0]
  if (plan.productFirst && typeof first === 'string') return readShifted(plan, first, params)
  const values: string[] = []
  let established = false
  for (const index of plan.texts) {
    const value = params[index]
    if (typeof value !== 'string' || value === '') return 'unknown'
    values.push(value)
    established = true
  }
  for (const index of plan.named) if (!isObject(params[index])) return 'unknown'
  for (const index of plan.listed) if (!isObject(params[index])) return 'unknown'
  // Every object is looked at, because a name more can only make the decision stricter; only some of them settle the question.
  for (let index = 0; index < params.length; index++) {
    const item = params[index]
    if (!isObject(item)) continue
    const before = values.length
    if (!collect(plan.names, item, values)) return 'unknown'
    const names = values.length
    if (plan.lists && !collectList(item, values)) return 'unknown'
    const isNamed = plan.named.includes(index)
    const isListed = plan.listed.includes(index)
    if ((isNamed && names === before) || (isListed && values.length === names)) return 'unknown'
    if (isNamed || isListed || (values.length > before && plan.opaque.includes(index))) established = true
  }
  return established ? values : 'unknown'
}

/** (product_tag, ..., data): a definition, whose environments are those of `envs` and no others. */
function readShifted(plan: Plan, product: string, params: readonly Json[]): Target {
  const values = plan.lists || product === '' ? [] : [product]
  for (const item of params) {
    if (!isObject(item)) continue
    if (!(plan.lists ? collectList(item, values) : collect(plan.names, item, values))) return 'unknown'
  }
  return values.length === 0 ? 'unknown' : values
}

/** Adds what an object names; false where it names something that is no text. */
function collect(names: readonly string[], item: JsonObject, values: string[]): boolean {
  for (const name of names) {
    if (!Object.hasOwn(item, name)) continue
    const value = item[name]
    if (typeof value !== 'string' || value === '') return false
    values.push(value)
  }
  return true
}

/** Adds what `envs` names: slugs, or objects that have one. False for an empty list, which can mean all of them (secrets, 10.10). */
function collectList(item: JsonObject, values: string[]): boolean {
  if (!Object.hasOwn(item, 'envs')) return true
  const list = item['envs']
  if (!Array.isArray(list) || list.length === 0) return false
  for (const entry of list) {
    const before = values.length
    if (typeof entry === 'string' && entry !== '') values.push(entry)
    else if (!isObject(entry) || !collect(ENV_ITEM_NAMES, entry, values) || values.length === before)
      return false
  }
  return true
}

// Two names of one file would get past a prefix: dot segments, empty segments, backslashes, escapes, and what nobody can see.
const UNCLEAN = /\.\.|\/\/|(?:^|\/)\.(?:\/|$)|[\\%\p{Cc}\p{Cf}]/u

function readPaths(pointers: readonly Pointer[], params: readonly Json[]): Target {
  const values: string[] = []
  for (const { steps, prefix } of pointers) {
    for (const value of valuesAt(params as Json[], steps, 0)) {
      if (typeof value !== 'string' || UNCLEAN.test(value)) return 'unknown'
      // A prefix that ends inside a name covers more than one folder.
      if (prefix && !value.endsWith('/')) return 'unknown'
      if (value === '' || value === '/') return 'unknown'
      values.push(value)
    }
  }
  // None given: a listing of everything, or a shape that nobody documents.
  return values.length === 0 ? 'unknown' : values
}

/** What stands at a JSON pointer (RFC 6901) whose `*` is each element of an array. */
function valuesAt(value: Json | undefined, steps: readonly string[], from: number): readonly Json[] {
  const step = steps[from]
  if (value === undefined) return []
  if (step === undefined) return [value]
  if (step === '*')
    return Array.isArray(value) ? value.flatMap((item) => valuesAt(item, steps, from + 1)) : [null]
  if (Array.isArray(value)) return valuesAt(value[Number(step)], steps, from + 1)
  return isObject(value) && Object.hasOwn(value, step) ? valuesAt(value[step], steps, from + 1) : []
}
