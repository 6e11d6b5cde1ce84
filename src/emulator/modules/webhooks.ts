// App webhooks and their events; registration and links are recorded, nobody is called (contract 10.19).

import type { Handlers } from '../state.ts'
import { asObject, type Json, list } from '../values.ts'
import { eventParts, webhookParts } from './app.ts'
import { webhookEnable, webhookLink } from './product.ts'

export const handlers: Handlers = {
  create: webhookParts.create,
  list: webhookParts.list,
  fetch: webhookParts.fetch,
  update: webhookParts.update,
  createWithEvents(call, [app, data]) {
    const { events: _events, ...webhook } = asObject(data, 'data')
    const created = webhookParts.create(call, [app ?? null, webhook])
    const events: Json[] = list(asObject(data, 'data'), 'events')
    return { ...created, events: events.map((event) => eventParts.create(call, [app ?? null, event])) }
  },
  enable: webhookEnable,
  generateLink: webhookLink,
  'events.create': eventParts.create,
  'events.list': eventParts.list,
  'events.fetch': eventParts.fetch,
  'events.update': eventParts.update,
}
