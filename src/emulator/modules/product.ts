// Products: records, environments and connected apps (contract 10.2).

import { created, found, updated } from '../collection.ts'
import { exists, malformed, notFound } from '../refusal.ts'
import {
  appOf,
  CAPS,
  type Call,
  components,
  type Handlers,
  newId,
  newUuid,
  type Product,
  parts,
  productOf,
  put,
  putNew,
} from '../state.ts'
import {
  asObject,
  asText,
  flag,
  isObject,
  iso,
  type Json,
  type JsonObject,
  optionalList,
  optionalText,
  text,
} from '../values.ts'

const KINDS: readonly [member: string, kind: string][] = [
  ['databases', 'databases'],
  ['graphs', 'graph'],
  ['vectors', 'vector'],
  ['storage', 'storage'],
  ['caches', 'caches'],
  ['sessions', 'sessions'],
  ['messageBrokers', 'messageBrokers'],
  ['notifications', 'notifications'],
  ['quota', 'quotas'],
  ['fallback', 'fallback'],
  ['jobs', 'jobs'],
  ['healthchecks', 'health'],
  ['features', 'features'],
]

function productRecord(product: Product): JsonObject {
  const lists = KINDS.map(([member, kind]) => [member, [...components(product, kind).values()]] as const)
  return {
    ...product.record,
    envs: [...product.environments.values()],
    apps: [...product.connections.values()],
    ...Object.fromEntries(lists),
  }
}

const ofTag = (call: Call, tag: Json | undefined): Product =>
  productOf(call.workspace, asText(tag, 'product_tag'))

function environment(call: Call, data: JsonObject): JsonObject {
  const slug = text(data, 'slug')
  if (!/^[a-z]{3}$/.test(slug)) throw malformed('slug must be three lower-case letters')
  return {
    _id: newId(call),
    env_name: text(data, 'env_name'),
    slug,
    description: optionalText(data, 'description') ?? '',
    active: flag(data, 'active', true),
  }
}

function tagFor(call: Call, data: JsonObject, name: string): string {
  const slug = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
  const tag = optionalText(data, 'tag') ?? slug
  const prefix = workspacePrefix(call)
  return tag.includes(':') ? tag : `${prefix}:${tag}`
}

// The workspace's own name is not in its credentials; its first product shows it, else its id does.
function workspacePrefix(call: Call): string {
  const first = call.workspace.products.keys().next().value
  return first?.split(':')[0] ?? call.workspace.workspaceId
}

function create(call: Call, [first]: Json[]): JsonObject {
  const data = asObject(first, 'data')
  const name = text(data, 'name')
  const tag = tagFor(call, data, name)
  const { products } = call.workspace
  if (flag(data, 'unique') && [...products.values()].some((other) => other.record['name'] === name)) {
    throw exists('product')
  }
  const environments = new Map<string, JsonObject>()
  for (const env of optionalList(data, 'envs') ?? []) {
    const record = environment(call, asObject(env, 'every item of envs'))
    putNew(environments, String(record['slug']), record, CAPS.environments, 'environment')
  }
  const record: JsonObject = {
    ...created(call, tag, { name, description: optionalText(data, 'description') ?? '' }),
    workspace_id: call.workspace.workspaceId,
    status: 'draft',
    active: true,
    private_key: newUuid(call),
    public_key: newUuid(call),
  }
  const product: Product = { record, tag, environments, connections: new Map(), components: new Map() }
  putNew(products, tag, product, CAPS.products, 'product')
  return productRecord(product)
}

function connection(call: Call, product: Json | undefined, access: Json | undefined): JsonObject {
  return found(ofTag(call, product).connections, asText(access, 'access_tag'), 'app')
}

const accessTag = (product: string, app: string): string => `${product.replace(':', '-')}:${app}`

function connectionWebhooks(call: Call, product: Json | undefined, access: Json | undefined): JsonObject[] {
  const { app_tag: tag } = connection(call, product, access)
  return [...parts(appOf(call.workspace, asText(tag, 'app_tag')), 'webhooks').values()]
}

export function webhookLink(call: Call, [first]: Json[]): string {
  const data = asObject(first, 'data')
  const product = productOf(call.workspace, text(data, 'product'))
  found(product.connections, text(data, 'access_tag', 'app'), 'app')
  if (!product.environments.has(text(data, 'env'))) throw notFound('environment')
  return `https://webhooks.ductape.app/webhooks/v1/process/${newUuid(call)}`
}

export function webhookEnable(call: Call, [first]: Json[]): JsonObject {
  const data = asObject(first, 'data')
  const product = text(data, 'product')
  const webhook = text(data, 'webhook_tag')
  const known = connectionWebhooks(call, product, text(data, 'access_tag'))
  if (!known.some((item) => item['tag'] === webhook)) throw notFound('webhook')
  // Registration at the third party is only recorded: the emulator calls nobody.
  return { enabled: true, webhook_tag: webhook, envs: optionalList(data, 'envs') ?? [] }
}

const health = (call: Call, product: Json | undefined) => components(ofTag(call, product), 'app-health')

export const handlers: Handlers = {
  create,
  fetch: (call, [tag]) => productRecord(ofTag(call, tag)),
  init: (call, [tag]) => productRecord(ofTag(call, tag)),
  update(call, [tag, data]) {
    const product = ofTag(call, tag)
    const { name, description } = asObject(data, 'data')
    const changes = Object.fromEntries(
      Object.entries({ name, description }).filter(([, v]) => v !== undefined),
    )
    product.record = updated(call, product.record, changes as JsonObject)
    return productRecord(product)
  },
  'environments.create'(call, [tag, data]) {
    const record = environment(call, asObject(data, 'data'))
    const { environments } = ofTag(call, tag)
    return putNew(environments, String(record['slug']), record, CAPS.environments, 'environment')
  },
  'environments.list': (call, [tag]) => [...ofTag(call, tag).environments.values()],
  'environments.fetch': (call, [tag, slug]) =>
    found(ofTag(call, tag).environments, asText(slug, 'slug'), 'environment'),
  'environments.update'(call, [tag, slug, data]) {
    const { environments } = ofTag(call, tag)
    const name = asText(slug, 'slug')
    const before = found(environments, name, 'environment')
    const record: JsonObject = { ...before, ...asObject(data, 'data'), _id: before['_id'] ?? '', slug: name }
    environments.set(name, record)
    return record
  },
  'apps.connect'(call, [product, app]) {
    const target = ofTag(call, product)
    const { tag } = appOf(call.workspace, asText(app, 'app_tag'))
    const access = accessTag(target.tag, tag)
    const at = iso(call.now())
    const record: JsonObject = { access_tag: access, app_tag: tag, envs: [], createdAt: at, updatedAt: at }
    put(target.connections, access, target.connections.get(access) ?? record, CAPS.apps, 'connected apps')
    return { access_tag: access }
  },
  'apps.add'(call, [product, app]) {
    const data = asObject(app, 'app')
    const record = connection(call, product, data['access_tag'])
    const next = { ...record, envs: optionalList(data, 'envs') ?? [], updatedAt: iso(call.now()) }
    ofTag(call, product).connections.set(text(data, 'access_tag'), next)
    return next
  },
  'apps.list': (call, [product]) => [...ofTag(call, product).connections.values()],
  'apps.fetch': (call, [product, access]) => connection(call, product, access),
  'apps.update'(call, [product, access, data]) {
    const record = connection(call, product, access)
    const next = updated(call, record, asObject(data, 'data'))
    const kept = { ...next, access_tag: record['access_tag'] ?? '', app_tag: record['app_tag'] ?? '' }
    ofTag(call, product).connections.set(asText(access, 'access_tag'), kept)
    return kept
  },
  'apps.webhooks.list': (call, [product, access]) => connectionWebhooks(call, product, access),
  'apps.webhooks.enable': webhookEnable,
  'apps.webhooks.generateLink': webhookLink,
  'apps.health.create'(call, [product, data]) {
    const fields = asObject(data, 'data')
    const tag = text(fields, 'tag')
    return putNew(health(call, product), tag, created(call, tag, fields), CAPS.items, 'health check')
  },
  'apps.health.update'(call, [product, tag, data]) {
    const all = health(call, product)
    const name = asText(tag, 'tag')
    const record = updated(call, found(all, name, 'health check'), asObject(data, 'data'))
    all.set(name, record)
    return record
  },
  'apps.health.fetch'(call, [product, access, tag]) {
    connection(call, product, access)
    return found(health(call, product), asText(tag, 'tag'), 'health check')
  },
  'apps.health.list'(call, [product, access]) {
    connection(call, product, access)
    const name = asText(access, 'access_tag')
    return [...health(call, product).values()].filter(
      (item) => !isObject(item) || (item['access_tag'] ?? name) === name,
    )
  },
}
