// Apps and their parts: environments, variables, constants, auths, actions, webhooks and events (contract 10.3).

import { appParts, created, updated } from '../collection.ts'
import { exists } from '../refusal.ts'
import { type App, appOf, CAPS, type Call, type Handlers, parts, putNew } from '../state.ts'
import { asObject, asText, flag, type Json, type JsonObject, optionalText, text } from '../values.ts'

const ofTag = (call: Call, tag: Json | undefined): App => appOf(call.workspace, asText(tag, 'app_tag'))

function record(app: App): JsonObject {
  const kinds = ['environments', 'variables', 'constants', 'auths', 'actions', 'webhooks'] as const
  const lists = kinds.map((kind): [string, Json] => [
    kind === 'environments' ? 'envs' : kind,
    [...parts(app, kind).values()],
  ])
  return { ...app.record, ...Object.fromEntries(lists) }
}

function create(call: Call, [first]: Json[]): JsonObject {
  const data = asObject(first, 'data')
  const name = text(data, 'app_name', 'name')
  const { apps } = call.workspace
  if (flag(data, 'unique') && [...apps.values()].some((app) => app.record['app_name'] === name))
    throw exists('app')
  const slug = name.toLowerCase().replace(/[^a-z0-9]+/g, '-')
  const tag = optionalText(data, 'tag') ?? slug
  const fields: JsonObject = { app_name: name, description: optionalText(data, 'description') ?? '' }
  const app: App = {
    record: { ...created(call, tag, fields), workspace_id: call.workspace.workspaceId },
    tag,
    parts: new Map(),
  }
  putNew(apps, tag, app, CAPS.apps, 'app')
  return record(app)
}

const prefixed = (prefix: string, handlers: Handlers, ...names: string[]): Handlers =>
  Object.fromEntries(
    Object.entries(handlers)
      .filter(([name]) => names.length === 0 || names.includes(name))
      .map(([name, handler]) => [`${prefix}.${name}`, handler]),
  )

const four = ['create', 'list', 'fetch', 'update']

export const actionParts = appParts('actions', 'action')
export const webhookParts = appParts('webhooks', 'webhook')
const allEvents = appParts('events', 'event')
export const eventParts = {
  ...allEvents,
  // Events are listed per webhook; their tags begin with the webhook's.
  list: (call: Call, [app, webhook]: Json[]) => {
    const start = `${asText(webhook, 'webhook_tag')}:`
    return allEvents.list(call, [app ?? null]).filter((event) => String(event['tag']).startsWith(start))
  },
}

export const handlers: Handlers = {
  create,
  fetch: (call, [tag]) => record(ofTag(call, tag)),
  init: (call, [tag]) => record(ofTag(call, tag)),
  update(call, [tag, data]) {
    const app = ofTag(call, tag)
    app.record = updated(call, app.record, asObject(data, 'data'))
    return record(app)
  },
  ...prefixed('environments', appParts('environments', 'environment', 'slug'), ...four),
  ...prefixed('variables', appParts('variables', 'variable', 'key'), ...four),
  ...prefixed('constants', appParts('constants', 'constant', 'key'), ...four),
  ...prefixed('auths', appParts('auths', 'auth'), ...four),
  ...prefixed('actions', actionParts),
  ...prefixed('webhooks', webhookParts, ...four),
  ...prefixed('webhooks.events', eventParts, ...four),
}
