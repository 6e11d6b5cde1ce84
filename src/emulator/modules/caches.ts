// Caches: definitions and values that end at their expiry, by the emulator's clock (contract 10.8).

import { definitions } from '../collection.ts'
import { failed, malformed, notFound } from '../refusal.ts'
import { CAPS, type Call, components, type Handlers, newId, productOf, put, store } from '../state.ts'
import {
  asObject,
  instant,
  iso,
  type Json,
  type JsonObject,
  optionalText,
  pageOf,
  pick,
  slice,
  text,
} from '../values.ts'
import { dispatch } from './dispatch.ts'

const values = (call: Call) => store<JsonObject>(call.workspace, 'cache-values')
const expiryOf = (record: JsonObject): number | undefined =>
  typeof record['expiry'] === 'string' ? Date.parse(record['expiry']) : undefined
const ended = (call: Call, record: JsonObject): boolean =>
  (expiryOf(record) ?? Number.POSITIVE_INFINITY) <= call.now()

const own = definitions({
  kind: 'caches',
  what: 'cache',
  onDelete(call, product, tag) {
    for (const [key, record] of values(call)) {
      if (record['product_tag'] === product && record['cache_tag'] === tag) values(call).delete(key)
    }
  },
})

function live(call: Call, key: string): JsonObject | undefined {
  const record = values(call).get(key)
  if (record === undefined || !ended(call, record)) return record
  values(call).delete(key)
  return undefined
}

function cacheOf(call: Call, data: JsonObject) {
  const product = text(data, 'product', 'product_tag')
  const cache = text(data, 'cache', 'cache_tag')
  const definition = components(productOf(call.workspace, product), 'caches').get(cache)
  if (definition === undefined) throw notFound('cache')
  return { product, cache, definition }
}

const inCache = (call: Call, product: string, cache: string): JsonObject[] =>
  [...values(call).values()].filter(
    (record) => record['product_tag'] === product && record['cache_tag'] === cache,
  )

function set(call: Call, [first]: Json[]): boolean {
  const data = asObject(first, 'data')
  const { product, cache, definition } = cacheOf(call, data)
  const key = text(data, 'key')
  const value = data['value']
  if (typeof value !== 'string') throw malformed('value must be a string')
  if (key.length > 512) throw malformed('key has at most 512 characters')
  if (value.length > CAPS.textBytes)
    throw failed('SET_VALUE_FAILED', `a value has at most ${CAPS.textBytes} characters`)
  const lifetime = definition['expiry']
  const expiry =
    instant(data['expiry'], 'expiry') ?? (typeof lifetime === 'number' ? call.now() + lifetime : undefined)
  const at = iso(call.now())
  const before = live(call, key)
  const record: JsonObject = {
    _id: before?.['_id'] ?? newId(call),
    key,
    value,
    cache_tag: cache,
    product_tag: product,
    component_tag: optionalText(data, 'componentTag') ?? cache,
    component_type: optionalText(data, 'componentType') ?? 'cache',
    ...(expiry === undefined ? {} : { expiry: iso(Math.min(expiry, 8.64e15)) }),
    createdAt: before?.['createdAt'] ?? at,
    updatedAt: at,
  }
  put(values(call), key, record, CAPS.cacheValues, 'cache values')
  return true
}

const keyOf = (args: Json[]): string => text(asObject(args[0], 'data'), 'key')

function clear(call: Call, args: Json[]): boolean {
  const data = asObject(args[0], 'data')
  if (pick(data, ['key']) !== undefined) {
    const found = live(call, keyOf(args)) !== undefined
    values(call).delete(keyOf(args))
    return found
  }
  // The web console's form without a key empties one cache.
  const { product, cache } = cacheOf(call, data)
  for (const record of inCache(call, product, cache)) values(call).delete(String(record['key']))
  return true
}

const FILTERS: Record<string, (call: Call, record: JsonObject) => boolean> = {
  all: () => true,
  expiring: (call, record) => expiryOf(record) !== undefined && !ended(call, record),
  permanent: (_call, record) => expiryOf(record) === undefined,
  expired: ended,
}

export const handlers: Handlers = {
  ...own,
  get: (call, args) => live(call, keyOf(args)) ?? null,
  set,
  has: (call, args) => live(call, keyOf(args)) !== undefined,
  del: (call, args) => live(call, keyOf(args)) !== undefined && values(call).delete(keyOf(args)),
  clear,
  ttl(call, args) {
    const record = live(call, keyOf(args))
    if (record === undefined) return -2
    const expiry = expiryOf(record)
    return expiry === undefined ? -1 : Math.ceil((expiry - call.now()) / 1000)
  },
  expire(call, args) {
    const record = live(call, keyOf(args))
    const expiry = instant(asObject(args[0], 'data')['expiry'], 'expiry')
    if (expiry === undefined) throw malformed('expiry is required')
    if (record === undefined) return false
    values(call).set(keyOf(args), { ...record, expiry: iso(expiry), updatedAt: iso(call.now()) })
    live(call, keyOf(args))
    return true
  },
  keys(call, [first]) {
    const { product, cache } = cacheOf(call, asObject(first, 'data'))
    return inCache(call, product, cache)
      .filter((record) => !ended(call, record))
      .map((record) => record['key'])
  },
  fetchValues(call, [first]) {
    const data = asObject(first, 'data')
    const { product, cache } = cacheOf(call, data)
    const name = optionalText(data, 'expiryFilter') ?? 'all'
    const filter = Object.hasOwn(FILTERS, name) ? FILTERS[name] : undefined
    if (filter === undefined)
      throw malformed(`expiryFilter must be one of ${Object.keys(FILTERS).join(', ')}`)
    const found = inCache(call, product, cache).filter((record) => filter(call, record))
    const page = pageOf(data)
    return {
      values: slice(found, page),
      total: found.length,
      ...page,
      totalPages: Math.ceil(found.length / page.limit),
    }
  },
  dispatch: dispatch('caches', 'cache', 'cache', 'cache_tag'),
}
