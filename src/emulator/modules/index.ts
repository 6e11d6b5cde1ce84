// The table of what is emulated: one line per module; what is absent answers NOT_EMULATED.

import type { Handler, Handlers } from '../state.ts'
import { handlers as actions } from './actions.ts'
import { handlers as app } from './app.ts'
import { handlers as caches } from './caches.ts'
import { handlers as databases } from './databases.ts'
import { handlers as features } from './features.ts'
import { handlers as graph } from './graph.ts'
import { handlers as health } from './health.ts'
import { handlers as jobs } from './jobs.ts'
import { handlers as logs } from './logs.ts'
import { handlers as messageBrokers } from './message-brokers.ts'
import { handlers as notifications } from './notifications.ts'
import { handlers as product } from './product.ts'
import { fallback, quotas, resilience } from './quotas.ts'
import { handlers as secrets } from './secrets.ts'
import { handlers as sessions } from './sessions.ts'
import { handlers as storage } from './storage.ts'
import { handlers as vector } from './vector.ts'
import { handlers as webhooks } from './webhooks.ts'

export type Modules = ReadonlyMap<string, ReadonlyMap<string, Handler>>

const TABLE: Record<string, Handlers> = {
  product,
  app,
  databases,
  graph,
  webhooks,
  notifications,
  messageBrokers,
  storage,
  vector,
  caches,
  sessions,
  quotas,
  actions,
  features,
  jobs,
  logs,
  resilience,
  health,
  fallback,
  secrets,
}

// Maps, because a plain object would find `constructor` and `toString` as methods.
export const MODULE_HANDLERS: Modules = new Map(
  Object.entries(TABLE).map(([name, handlers]) => [name, new Map(Object.entries(handlers))]),
)

const LIVE = 'the SDK returns a live object'
const CALLBACK = 'the SDK takes a callback'

export const NOT_SUPPORTED: ReadonlyMap<string, string> = new Map([
  ['databases.getAdapter', LIVE],
  ['databases.getService', LIVE],
  ['databases.connection', LIVE],
  ['databases.beginTransaction', 'the SDK returns a live object, and no allowlisted method ends it'],
  ['graph.getService', LIVE],
  ['graph.executeTransaction', CALLBACK],
  ['graph.query', 'the emulator runs no Cypher; use the structured methods'],
  ['vector.getService', LIVE],
  ['jobs.getService', LIVE],
  ['secrets.getService', LIVE],
  ['health.define', 'the SDK takes a builder with code'],
  ['fallback.define', 'the SDK takes a builder with code'],
  ['messageBrokers.subscribe', CALLBACK],
  ['logs.stream', 'it answers with a stream'],
])
