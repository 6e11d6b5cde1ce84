// The create, list, fetch, update and delete methods that every kind of definition shares.

import { notFound } from './refusal.ts'
import {
  appOf,
  CAPS,
  type Call,
  type Collection,
  components,
  type Handlers,
  newId,
  parts,
  productOf,
  putNew,
} from './state.ts'
import { asObject, asText, isObject, iso, type Json, type JsonObject, merge, text } from './values.ts'

const FIXED = ['_id', 'tag', 'createdAt']

export function created(call: Call, tag: string, data: JsonObject): JsonObject {
  const at = iso(call.now())
  return { _id: newId(call), ...data, tag, createdAt: at, updatedAt: at }
}

// Identity survives an update: the fixed members of the stored record win over what was sent.
export function updated(call: Call, record: JsonObject, changes: JsonObject): JsonObject {
  const kept = Object.fromEntries(
    FIXED.filter((name) => Object.hasOwn(record, name)).map((n) => [n, record[n]]),
  )
  return { ...merge(record, changes), ...(kept as JsonObject), updatedAt: iso(call.now()) }
}

export function found(collection: Collection, tag: string, what: string): JsonObject {
  const record = collection.get(tag)
  if (record === undefined) throw notFound(what)
  return record
}

interface Spelling {
  product: Json | undefined
  tag: Json | undefined
  data: JsonObject
}

// The reference has both (product, tag, data) and one object with the same members.
function spelling(args: Json[], withTag: boolean): Spelling {
  const [first, second, third] = args
  if (isObject(first)) {
    const { product, product_tag, ...rest } = first
    const changes = isObject(first['data']) && withTag ? first['data'] : (rest as JsonObject)
    return { product: product ?? product_tag, tag: first['tag'], data: changes }
  }
  if (withTag) return { product: first, tag: second, data: isObject(third) ? third : {} }
  return { product: first, tag: undefined, data: isObject(second) ? second : {} }
}

export interface Kind {
  kind: string // key in Product.components
  what: string // for messages
  check?: (data: JsonObject) => void
  onDelete?: (call: Call, product: string, tag: string) => void
}

export function definitions({ kind, what, check, onDelete }: Kind) {
  const of = (call: Call, product: Json | undefined) =>
    components(productOf(call.workspace, asText(product, 'product')), kind)
  return {
    create(call: Call, args: Json[]) {
      const { product, data } = spelling(args, false)
      check?.(data)
      const tag = text(data, 'tag')
      return putNew(of(call, product), tag, created(call, tag, data), CAPS.items, what)
    },
    list: (call: Call, args: Json[]) => [...of(call, spelling(args, false).product).values()],
    fetch(call: Call, args: Json[]) {
      const { product, tag } = spelling(args, true)
      return found(of(call, product), asText(tag, 'tag'), what)
    },
    update(call: Call, args: Json[]) {
      const { product, tag, data } = spelling(args, true)
      const collection = of(call, product)
      const name = asText(tag, 'tag')
      const record = updated(call, found(collection, name, what), data)
      collection.set(name, record)
      return record
    },
    delete(call: Call, args: Json[]) {
      const { product, tag } = spelling(args, true)
      const collection = of(call, product)
      const name = asText(tag, 'tag')
      found(collection, name, what)
      collection.delete(name)
      onDelete?.(call, asText(product, 'product'), name)
      return { deleted: true }
    },
  } satisfies Handlers
}

// The same for the parts of an app; `id` names the member that identifies an item.
export function appParts(kind: string, what: string, id = 'tag') {
  const of = (call: Call, app: Json | undefined) => parts(appOf(call.workspace, asText(app, 'app_tag')), kind)
  return {
    create(call: Call, [app, data]: Json[]) {
      const fields = asObject(data, 'data')
      const tag = text(fields, id, 'tag')
      const at = iso(call.now())
      const record: JsonObject = { _id: newId(call), ...fields, createdAt: at, updatedAt: at }
      return putNew(of(call, app), tag, record, CAPS.items, what)
    },
    list: (call: Call, [app]: Json[]) => [...of(call, app).values()],
    fetch: (call: Call, [app, tag]: Json[]) => found(of(call, app), asText(tag, id), what),
    update(call: Call, [app, tag, data]: Json[]) {
      const collection = of(call, app)
      const name = asText(tag, id)
      const before = found(collection, name, what)
      const record = { ...updated(call, before, asObject(data, 'data')), [id]: before[id] ?? name }
      collection.set(name, record)
      return record
    },
    delete(call: Call, [app, tag]: Json[]) {
      const collection = of(call, app)
      const name = asText(tag, id)
      found(collection, name, what)
      collection.delete(name)
      return { deleted: true }
    },
  } satisfies Handlers
}
