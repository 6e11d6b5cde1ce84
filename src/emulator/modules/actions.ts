// App actions: definitions, and runs answered by a fixed table; no third party is ever called (contract 10.4).

import { failed, notEmulated, notFound } from '../refusal.ts'
import { type Call, type Handlers, newId, type Product, parts, place, store } from '../state.ts'
import { asObject, isObject, type Json, type JsonObject, optionalObject, text } from '../values.ts'
import { actionParts } from './app.ts'
import { schedule } from './dispatch.ts'
import { resolveReferences } from './secrets.ts'

const SECTIONS = ['body', 'headers', 'params', 'query'] as const
type Input = Record<(typeof SECTIONS)[number], JsonObject>

type Canned = (call: Call, input: Input) => unknown

const customers = (call: Call) => store<JsonObject>(call.workspace, 'stripe-customers')
const KEPT_CUSTOMERS = 1000

function createCustomer(call: Call, { body }: Input): JsonObject {
  const customer: JsonObject = {
    id: newId(call, 'cus_'),
    object: 'customer',
    email: body['email'] ?? null,
    name: body['name'] ?? null,
    created: Math.floor(call.now() / 1000),
    livemode: false,
    metadata: body['metadata'] ?? {},
  }
  const all = customers(call)
  all.set(String(customer['id']), customer)
  const oldest = all.keys().next().value
  if (all.size > KEPT_CUSTOMERS && oldest !== undefined) all.delete(oldest)
  return customer
}

const CANNED: Record<string, Canned> = {
  'stripe/create-customer': createCustomer,
  'stripe/retrieve-customer'(call, { params }) {
    const customer = customers(call).get(String(params['id']))
    if (customer === undefined) throw failed('NOT_FOUND', 'No such customer')
    return customer
  },
  'stripe/list-customers'(call, { query }) {
    const limit = Math.max(1, Math.min(Number(query['limit']) || 10, 100))
    const all = [...customers(call).values()].reverse()
    return { object: 'list', data: all.slice(0, limit), has_more: all.length > limit }
  },
  'slack/post-message'(call, { body }) {
    const ts = (call.now() / 1000).toFixed(6)
    return { ok: true, channel: body['channel'] ?? null, ts, message: { text: body['text'] ?? '', ts } }
  },
}
export const CANNED_ACTIONS = Object.keys(CANNED)

// Flat with "body:" prefixes, flat and placed by the action's schema, or structured.
function sections(definition: JsonObject, input: JsonObject): Input {
  const made: Record<string, [string, Json][]> = { body: [], headers: [], params: [], query: [] }
  for (const [key, value] of Object.entries(input)) {
    const colon = key.indexOf(':')
    const prefix = colon > 0 ? key.slice(0, colon) : ''
    const section = SECTIONS.find((name) => name === prefix)
    const whole = SECTIONS.find((name) => name === key)
    if (section !== undefined) made[section]?.push([key.slice(colon + 1), value])
    else if (whole !== undefined && isObject(value)) made[whole]?.push(...Object.entries(value))
    else {
      const owner = SECTIONS.find(
        (name) => isObject(definition[name]) && Object.hasOwn(definition[name], key),
      )
      made[owner ?? 'body']?.push([key, value])
    }
  }
  const of = (name: string): JsonObject => Object.fromEntries(made[name] ?? [])
  return { body: of('body'), headers: of('headers'), params: of('params'), query: of('query') }
}

function connectedApp(call: Call, product: Product, name: string) {
  const connection = product.connections.get(name)
  const tag = typeof connection?.['app_tag'] === 'string' ? connection['app_tag'] : name
  const app = call.workspace.apps.get(tag)
  if (app === undefined) throw notFound('app')
  if (![...product.connections.values()].some((item) => item['app_tag'] === tag)) {
    throw failed('NOT_FOUND', 'app is not connected to the product')
  }
  return app
}

function find(call: Call, product: Product, data: JsonObject) {
  const app = connectedApp(call, product, text(data, 'app', 'access_tag'))
  const action = text(data, 'action', 'event')
  const definition = parts(app, 'actions').get(action)
  if (definition === undefined) throw notFound('action')
  return { app, action, definition }
}

export function runAction(call: Call, product: Product, env: string, data: JsonObject): unknown {
  const { app, action, definition } = find(call, product, data)
  const input = asObject(resolveReferences(call, optionalObject(data, 'input') ?? {}, env, app.tag), 'input')
  const name = `${app.tag}/${action}`
  const canned = Object.hasOwn(CANNED, name) ? CANNED[name] : undefined
  if (canned) return canned(call, sections(definition, input))
  // An action defined over the API answers with the sample that its definition carries.
  if (isObject(definition['response'])) return definition['response']
  throw notEmulated(
    `action ${JSON.stringify(action)} has no canned answer; there is one for ${CANNED_ACTIONS.join(', ')}`,
  )
}

export const handlers: Handlers = {
  ...actionParts,
  run(call, [first]) {
    const data = asObject(first, 'params[0]')
    const { product, env } = place(call, data)
    return runAction(call, product, env, data)
  },
  dispatch(call, [first]) {
    const data = asObject(first, 'params[0]')
    const { product, env } = place(call, data)
    find(call, product, data)
    return schedule(call, 'actions', data, product.tag, env)
  },
}
