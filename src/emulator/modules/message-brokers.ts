// Message brokers: definitions, topics, and published messages that no consumer takes (contract 10.15).

import { definitions } from '../collection.ts'
import { failed } from '../refusal.ts'
import { CAPS, type Call, components, type Handlers, newUuid, place, productOf, store } from '../state.ts'
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

const topics = definitions({ kind: 'topics', what: 'topic' })
const published = (call: Call) => store<JsonObject>(call.workspace, 'published')

const noBroker = () => failed('BROKER_NOT_FOUND', 'broker not found')

function publish(call: Call, [first]: Json[]) {
  const data = asObject(first, 'data')
  const { product, env } = place(call, data)
  const event = text(data, 'event')
  const [broker = ''] = event.split(':')
  if (!components(product, 'messageBrokers').has(broker)) throw noBroker()
  if (!components(product, 'topics').has(event)) throw failed('TOPIC_NOT_FOUND', 'topic not found')
  const id = newUuid(call)
  const all = published(call)
  all.set(id, {
    message_id: id,
    product: product.tag,
    env,
    brokerTag: broker,
    topicTag: event,
    producerTag: 'sdk',
    status: 'success',
    message: asObject(data['message'] ?? null, 'message'),
    deliveries: [],
    created_at: iso(call.now()),
  })
  const oldest = all.keys().next().value
  if (all.size > CAPS.messages && oldest !== undefined) all.delete(oldest)
  return { success: true, process_id: id }
}

function found(call: Call, [first]: Json[]) {
  const data = asObject(first, 'data')
  const { product, env } = place(call, data)
  const broker = text(data, 'brokerTag', 'broker')
  if (!components(product, 'messageBrokers').has(broker)) throw noBroker()
  const topic = optionalText(data, 'topicTag')
  const status = optionalText(data, 'status')
  const producer = optionalText(data, 'producerTag')
  const from = instant(data['startDate'], 'startDate') ?? Number.NEGATIVE_INFINITY
  const to = instant(data['endDate'], 'endDate') ?? Number.POSITIVE_INFINITY
  const messages = [...published(call).values()]
    .filter((item) => {
      const at = Date.parse(String(item['created_at']))
      return (
        item['product'] === product.tag &&
        item['env'] === env &&
        item['brokerTag'] === broker &&
        at >= from &&
        at <= to &&
        (topic === undefined || item['topicTag'] === topic || item['topicTag'] === `${broker}:${topic}`) &&
        (status === undefined || item['status'] === status) &&
        (producer === undefined || item['producerTag'] === producer)
      )
    })
    .reverse()
  return { data, messages }
}

const paged = <T>(name: string, data: JsonObject, items: T[]) => {
  const page = pageOf(data)
  return {
    [name]: slice(items, page),
    total: items.length,
    ...page,
    hasMore: page.page * page.limit < items.length,
  }
}

function producers(messages: JsonObject[]) {
  const groups = Map.groupBy(messages, (item) => String(item['producerTag']))
  return [...groups].map(([producerTag, list]) => ({ producerTag, messages: list.length }))
}

const tally = (messages: JsonObject[], member: string) =>
  Object.fromEntries(
    [...Map.groupBy(messages, (item) => String(item[member]))].map(([key, list]) => [key, list.length]),
  )

function stats(messages: JsonObject[]) {
  const count = (status: string) => messages.filter((item) => item['status'] === status).length
  return {
    total: messages.length,
    pending: count('pending'),
    success: count('success'),
    failed: count('failed'),
    partial: count('partial'),
    producer_count: producers(messages).length,
    consumer_count: 0,
    dead_letter_count: 0,
    messages_by_topic: tally(messages, 'topicTag'),
    messages_by_producer: tally(messages, 'producerTag'),
  }
}

export const handlers: Handlers = {
  ...definitions({ kind: 'messageBrokers', what: 'broker' }),
  'topics.create'(call, args) {
    const [first, second] = args
    const data = asObject(isObject(first) ? first : second, 'data')
    const product = isObject(first) ? text(first, 'product', 'product_tag') : asText(first, 'product_tag')
    const tag = text(data, 'tag')
    const broker = optionalText(data, 'broker') ?? tag.split(':')[0] ?? ''
    if (!components(productOf(call.workspace, product), 'messageBrokers').has(broker)) throw noBroker()
    return topics.create(call, [
      product,
      { ...data, broker, tag: tag.includes(':') ? tag : `${broker}:${tag}` },
    ])
  },
  'topics.list'(call, [product, broker]) {
    const tag = asText(broker, 'broker_tag')
    return topics.list(call, [product ?? null]).filter((item) => item['broker'] === tag)
  },
  'topics.fetch': topics.fetch,
  'topics.update': topics.update,
  'topics.delete': topics.delete,
  publish,
  dispatch: dispatch('messageBrokers', 'broker', 'broker', 'event'),
  'messages.query'(call, args) {
    const { data, messages } = found(call, args)
    return paged('messages', data, messages)
  },
  'messages.getProducers'(call, args) {
    const { data, messages } = found(call, args)
    return paged('producers', data, producers(messages))
  },
  'messages.getConsumers': (call, args) => paged('consumers', found(call, args).data, []),
  'messages.getDeadLetters': (call, args) => paged('dead_letters', found(call, args).data, []),
  'messages.getStats': (call, args) => stats(found(call, args).messages),
  'messages.getDashboard'(call, args) {
    const { messages } = found(call, args)
    const by = (from: number, to: number) =>
      tally(
        messages.map((item) => ({ at: String(item['created_at']).slice(from, to) })),
        'at',
      )
    return {
      stats: stats(messages),
      recent_messages: messages.slice(0, 10),
      top_producers: producers(messages).slice(0, 10),
      top_consumers: [],
      daily_activity: by(0, 10),
      hourly_distribution: by(11, 13),
    }
  },
}
