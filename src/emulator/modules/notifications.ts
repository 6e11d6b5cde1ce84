// Notifications: definitions, message templates and sends that are only recorded (contract 10.16).

import { definitions } from '../collection.ts'
import { failed, malformed, notFound } from '../refusal.ts'
import { CAPS, type Call, components, type Handlers, newId, newUuid, place, productOf } from '../state.ts'
import {
  asObject,
  asText,
  instant,
  isObject,
  iso,
  type Json,
  type JsonObject,
  optionalText,
  pageOf,
  slice,
  text,
} from '../values.ts'
import { dispatch } from './dispatch.ts'
import { resolveReferences } from './secrets.ts'

const CHANNELS = { email: 'email', push_notification: 'push', sms: 'sms', callback: 'callback' } as const
const RECIPIENTS: Record<string, string> = {
  email: 'recipients',
  push_notification: 'device_tokens',
  sms: 'recipients',
}

const sent = (call: Call): JsonObject[] => {
  const { stores } = call.workspace
  const kept = stores.get('sent') ?? new Map<string, unknown>([['list', []]])
  stores.set('sent', kept)
  return kept.get('list') as JsonObject[]
}

const messages = definitions({ kind: 'messages', what: 'message' })

function deliver(call: Call, channel: string, content: Json): JsonObject {
  if (!isObject(content)) throw malformed(`input.${channel} must be an object`)
  const member = RECIPIENTS[channel]
  const list = member === undefined ? undefined : content[member]
  if (member !== undefined && (!Array.isArray(list) || list.length === 0)) {
    throw malformed(`input.${channel}.${member} needs at least one member`)
  }
  const wrong =
    channel === 'email' && Array.isArray(list) && list.some((item) => !/^[^@\s]+@[^@\s]+$/.test(String(item)))
  const name = CHANNELS[channel as keyof typeof CHANNELS]
  if (wrong) return { success: false, channel: name, error: 'INVALID_EMAIL' }
  return { success: true, channel: name, messageId: newId(call, 'msg_') }
}

function send(call: Call, [first]: Json[]): JsonObject {
  const data = asObject(first, 'data')
  const { product, env } = place(call, data)
  const event = text(data, 'event')
  const [notification = ''] = event.split(':')
  if (!components(product, 'notifications').has(notification)) throw notFound('notification')
  if (!components(product, 'messages').has(event))
    throw failed('TEMPLATE_NOT_FOUND', 'the message does not exist')
  const input = asObject(resolveReferences(call, asObject(data['input'], 'input'), env), 'input')
  const channels = Object.keys(CHANNELS).filter((channel) => Object.hasOwn(input, channel))
  if (channels.length === 0) throw malformed(`input needs one of ${Object.keys(CHANNELS).join(', ')}`)
  const results = channels.map((channel) => deliver(call, channel, input[channel] ?? null))
  const success = results.some((result) => result['success'] === true)
  const record: JsonObject = {
    _id: newId(call),
    workspace_id: call.workspace.workspaceId,
    product_tag: product.tag,
    env,
    notification_tag: notification,
    input: asObject(data['input'], 'input'),
    status: success ? 'sent' : 'failed',
    type: results.length === 1 ? (results[0]?.['channel'] ?? 'notification') : 'notification',
    process_id: newUuid(call),
    error: null,
    retries: 0,
    created_at: iso(call.now()),
  }
  const all = sent(call)
  all.push(record)
  if (all.length > CAPS.messages) all.shift()
  const [only] = results
  if (results.length === 1 && only !== undefined) return only
  return {
    success,
    channels: Object.fromEntries(results.map((result) => [String(result['channel']), result])),
  }
}

function getMessages(call: Call, [first]: Json[]) {
  const options = asObject(first, 'options')
  const from = instant(options['start_date'], 'start_date') ?? Number.NEGATIVE_INFINITY
  const to = instant(options['end_date'], 'end_date') ?? Number.POSITIVE_INFINITY
  const wanted = ['product_tag', 'env', 'notification_tag', 'status', 'type'].filter((n) =>
    optionalText(options, n),
  )
  const found = sent(call).filter((item) => {
    const at = Date.parse(String(item['created_at']))
    return at >= from && at <= to && wanted.every((name) => item[name] === options[name])
  })
  const page = pageOf(options)
  return {
    items: slice(found.reverse(), page),
    total: found.length,
    ...page,
    hasMore: page.page * page.limit < found.length,
  }
}

export const handlers: Handlers = {
  ...definitions({ kind: 'notifications', what: 'notification' }),
  getMessages,
  'messages.create'(call, [product, data]) {
    const fields = asObject(data, 'data')
    const notification = optionalText(fields, 'notification') ?? text(fields, 'tag').split(':')[0] ?? ''
    const known = components(productOf(call.workspace, asText(product, 'product_tag')), 'notifications')
    if (!known.has(notification)) throw notFound('notification')
    const tag = text(fields, 'tag')
    const full = tag.includes(':') ? tag : `${notification}:${tag}`
    return messages.create(call, [product ?? null, { ...fields, notification, tag: full }])
  },
  'messages.list'(call, [product, notification]) {
    const tag = asText(notification, 'notification_tag')
    return messages.list(call, [product ?? null]).filter((item) => item['notification'] === tag)
  },
  'messages.fetch': messages.fetch,
  'messages.update': messages.update,
  send,
  dispatch: dispatch('notifications', 'notification', 'notification', 'event'),
}
