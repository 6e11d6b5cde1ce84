// Usage limits per identifier and period, and ordered fallbacks over the canned actions (contract 10.12).

import { definitions } from '../collection.ts'
import { failed, malformed } from '../refusal.ts'
import { CAPS, type Call, type Handler, type Handlers, keyOf, locate, put, store } from '../state.ts'
import {
  asObject,
  isObject,
  iso,
  type Json,
  type JsonObject,
  optionalNumber,
  optionalText,
} from '../values.ts'
import { runAction } from './actions.ts'
import { schedule } from './dispatch.ts'

interface Usage {
  used: number
  resetsAt: number
}
const PERIODS: Record<string, number> = {
  second: 1000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000,
  month: 2_592_000_000,
}
const DEFAULT_LIMIT = 100

const usages = (call: Call) => store<Usage>(call.workspace, 'quota-usage')

// Product, env and tag are required here although FE leaves the first two to the SDK's defaults.
function at(call: Call, [first]: Json[]) {
  const data = asObject(first, 'data')
  const { definition, key } = locate(call, data, 'quotas', 'quota', 'tag', 'quota')
  const limit = typeof definition['total_quota'] === 'number' ? definition['total_quota'] : DEFAULT_LIMIT
  const period = String(definition['period'] ?? 'day').replace(/s$/, '')
  const length = (Object.hasOwn(PERIODS, period) ? PERIODS[period] : undefined) ?? 86_400_000
  const id = keyOf(key, optionalText(data, 'identifier') ?? '')
  const kept = usages(call).get(id)
  const usage = kept && kept.resetsAt > call.now() ? kept : { used: 0, resetsAt: call.now() + length }
  const amount = optionalNumber(data, 'amount') ?? 1
  if (!(amount >= 0)) throw malformed('amount must be 0 or more')
  return { id, key, limit, period, usage, amount }
}

function state(place: ReturnType<typeof at>, allowed: boolean) {
  const { limit, period, usage } = place
  return {
    allowed,
    exceeded: !allowed,
    limit,
    used: usage.used,
    remaining: Math.max(0, limit - usage.used),
    period,
    resetsAt: iso(usage.resetsAt),
  }
}

const fits = (place: ReturnType<typeof at>): boolean => place.usage.used + place.amount <= place.limit

const check: Handler = (call, args) => {
  const place = at(call, args)
  return state(place, fits(place))
}

const consume: Handler = (call, args) => {
  const place = at(call, args)
  if (!fits(place)) return state(place, false)
  place.usage = { ...place.usage, used: place.usage.used + place.amount }
  put(usages(call), place.id, place.usage, CAPS.items * 10, 'quota counters')
  return state(place, true)
}

const reset: Handler = (call, args) => {
  const { id } = at(call, args)
  usages(call).delete(id)
  return check(call, args)
}

const quotaDefinitions = definitions({ kind: 'quotas', what: 'quota' })
const fallbackDefinitions = definitions({ kind: 'fallback', what: 'fallback' })

export const quotas: Handlers = {
  ...quotaDefinitions,
  check,
  consume,
  reset,
  getUsage(call, args) {
    const { limit, usage, period } = at(call, args)
    return { used: usage.used, limit, remaining: Math.max(0, limit - usage.used), period }
  },
}

// Options in order; an option that fails is tried again as often as it says, then the next is tried.
const runFallback: Handler = (call, [first]) => {
  const data = asObject(first, 'data')
  const { product, env, definition } = locate(call, data, 'fallback', 'fallback', 'tag', 'fallback')
  const options = Array.isArray(definition['options']) ? definition['options'].filter(isObject) : []
  if (options.length === 0) throw failed('NOT_FOUND', 'No providers available')
  const providersTried: string[] = []
  for (const option of options.slice(0, 20)) {
    const provider = String(option['provider'] ?? option['app'] ?? option['type'] ?? 'unknown').slice(0, 100)
    providersTried.push(provider)
    const input: JsonObject = isObject(data['input']) ? data['input'] : {}
    try {
      const request: JsonObject = { app: option['app'] ?? '', action: option['event'] ?? '', input }
      return {
        provider,
        latency: 0,
        providersTried,
        wasHealthy: true,
        data: runAction(call, product, env, request),
      }
    } catch {
      // Every refusal of an option counts as its failure; the last option's ends in the error below.
    }
  }
  throw failed('SERVICE_UNAVAILABLE', 'All retries failed')
}

export const fallback: Handlers = {
  ...fallbackDefinitions,
  run: runFallback,
  dispatch(call, [first]) {
    const data = asObject(first, 'data')
    const { product, env } = locate(call, data, 'fallback', 'fallback', 'tag', 'fallback')
    return schedule(call, 'fallback', data, product.tag, env)
  },
}

const prefixed = (prefix: string, handlers: Handlers): Handlers =>
  Object.fromEntries(Object.entries(handlers).map(([name, handler]) => [`${prefix}.${name}`, handler]))

export const resilience: Handlers = {
  ...prefixed('quotas', { ...quotaDefinitions, check, consume, reset }),
  ...prefixed('fallbacks', { ...fallbackDefinitions, execute: runFallback }),
}
