// What one workspace holds, its caps, and how a call finds its product, environment and component.

import { exists, notFound, overLimit } from './refusal.ts'
import type { Database } from './sql/store.ts'
import { type Json, type JsonObject, text } from './values.ts'

export const CAPS = {
  workspaces: 100,
  products: 100,
  environments: 20,
  apps: 100,
  items: 500, // definitions of one kind in one product or app
  databases: 16,
  tables: 100,
  columns: 100,
  rows: 10_000,
  databaseBytes: 16 * 1024 * 1024,
  cacheValues: 10_000,
  files: 1000,
  fileBytes: 8 * 1024 * 1024,
  storageBytes: 64 * 1024 * 1024,
  sessions: 10_000,
  secrets: 500,
  vectors: 10_000,
  dimensions: 4096,
  jobs: 10_000,
  messages: 10_000,
  logs: 1000,
  graphItems: 10_000,
  textBytes: 1024 * 1024,
  keptBytes: 64 * 1024 * 1024, // text held outside SQLite and storage, by one workspace
} as const

export interface Credentials {
  workspaceId: string
  userId: string
  publishableKey: string
  publicKey: string
}

export type Collection = Map<string, JsonObject>

export interface Product {
  record: JsonObject // _id, name, description, tag, ...
  tag: string
  environments: Collection
  connections: Collection // connected apps by access tag
  components: Map<string, Collection> // kind -> tag -> definition
}

export interface App {
  record: JsonObject
  tag: string
  parts: Map<string, Collection> // environments, variables, constants, auths, actions, webhooks, events
}

export interface Target {
  product: string
  env: string
  tag: string
}

export interface Workspace extends Credentials {
  products: Map<string, Product>
  apps: Map<string, App>
  secrets: Collection
  databases: Map<string, Database>
  connection: Map<string, Target> // kind -> the context set by connect
  stores: Map<string, Map<string, unknown>> // runtime state by name: cache values, files, sessions, ...
  logs: JsonObject[]
  kept: number
  seed: (database: Database, target: Target) => void
}

export interface Call {
  workspace: Workspace
  now: () => number
  random: (bytes: number) => Buffer
  signingKey: Buffer
  requestId: string
}

export type Handler = (call: Call, args: Json[]) => unknown
export type Handlers = Record<string, Handler>

export const newId = (call: Call, prefix = ''): string => prefix + call.random(12).toString('hex')

export function newUuid(call: Call): string {
  const bytes = call.random(16)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

export function createWorkspace(credentials: Credentials, seed: Workspace['seed']): Workspace {
  return {
    ...credentials,
    products: new Map(),
    apps: new Map(),
    secrets: new Map(),
    databases: new Map(),
    connection: new Map(),
    stores: new Map(),
    logs: [],
    kept: 0,
    seed,
  }
}

// Keys made of caller-chosen parts are JSON, so that no choice of names can make two keys equal.
export const keyOf = (...parts: string[]): string => JSON.stringify(parts)

export function store<T>(workspace: Workspace, name: string): Map<string, T> {
  let found = workspace.stores.get(name)
  if (found === undefined) {
    found = new Map()
    workspace.stores.set(name, found)
  }
  return found as Map<string, T>
}

export function put<T>(map: Map<string, T>, key: string, value: T, cap: number, what: string): T {
  if (!map.has(key) && map.size >= cap) throw overLimit(`the emulator keeps at most ${cap} ${what}`)
  map.set(key, value)
  return value
}

export function putNew<T>(map: Map<string, T>, key: string, value: T, cap: number, what: string): T {
  if (map.has(key)) throw exists(what)
  return put(map, key, value, cap, `${what} items`)
}

export function productOf(workspace: Workspace, tag: string): Product {
  const product = workspace.products.get(tag)
  if (product === undefined) throw notFound('product')
  return product
}

export function appOf(workspace: Workspace, tag: string): App {
  const app = workspace.apps.get(tag)
  if (app === undefined) throw notFound('app')
  return app
}

export function components(product: Product, kind: string): Collection {
  let found = product.components.get(kind)
  if (found === undefined) {
    found = new Map()
    product.components.set(kind, found)
  }
  return found
}

export function parts(app: App, kind: string): Collection {
  let found = app.parts.get(kind)
  if (found === undefined) {
    found = new Map()
    app.parts.set(kind, found)
  }
  return found
}

// Product and environment of the first options object, both of which must exist.
export function place(call: Call, data: JsonObject): { product: Product; env: string } {
  const product = productOf(call.workspace, text(data, 'product', 'product_tag'))
  const env = text(data, 'env', 'env_slug')
  if (!product.environments.has(env)) throw notFound('environment')
  return { product, env }
}

export function locate(call: Call, data: JsonObject, kind: string, what: string, ...names: string[]) {
  const { product, env } = place(call, data)
  const tag = text(data, ...names)
  const definition = components(product, kind).get(tag)
  if (definition === undefined) throw notFound(what)
  return { product, env, tag, definition, key: keyOf(product.tag, env, tag) }
}
