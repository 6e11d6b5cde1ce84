// Logs: what this workspace's own calls left, newest first, in a bounded list (contract 10.18).

import { notFound } from '../refusal.ts'
import type { Call, Handlers } from '../state.ts'
import { instant, isObject, type Json, optionalText, pageOf, slice } from '../values.ts'

function query(call: Call, [first]: Json[]) {
  const options = isObject(first) ? first : {}
  const from = instant(options['start_date'], 'start_date') ?? Number.NEGATIVE_INFINITY
  const to = instant(options['end_date'], 'end_date') ?? Number.POSITIVE_INFINITY
  const status = optionalText(options, 'status')
  const search = optionalText(options, 'search')
  const found = call.workspace.logs
    .filter((entry) => {
      const at = Date.parse(String(entry['timestamp']))
      if (at < from || at > to || (status !== undefined && entry['status'] !== status)) return false
      return search === undefined || `${String(entry['name'])} ${String(entry['message'])}`.includes(search)
    })
    .reverse()
  const page = pageOf(options)
  const count = (name: string) => found.filter((entry) => entry['status'] === name).length
  return {
    metrics: { total: found.length, success: count('success'), fail: count('fail') },
    logs: {
      metadata: { total: found.length, ...page, totalPages: Math.ceil(found.length / page.limit) },
      data: slice(found, page),
    },
  }
}

export const handlers: Handlers = {
  query,
  list: query,
  fetch(call, args) {
    const [first] = args
    if (typeof first !== 'string') return query(call, args)
    const entry = call.workspace.logs.find((item) => item['_id'] === first)
    if (entry === undefined) throw notFound('log')
    return entry
  },
}
