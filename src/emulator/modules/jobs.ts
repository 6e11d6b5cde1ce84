// Jobs: definitions and the records that dispatch leaves; states change only when a call changes them (10.14).

import { definitions } from '../collection.ts'
import { failed, malformed, notFound } from '../refusal.ts'
import { type Call, type Handlers, store } from '../state.ts'
import {
  asObject,
  asText,
  instant,
  isObject,
  iso,
  type Json,
  type JsonObject,
  list,
  optionalText,
  pageOf,
  slice,
  text,
} from '../values.ts'
import { jobs, timing } from './dispatch.ts'

type Status = 'scheduled' | 'queued' | 'paused' | 'cancelled' | 'completed' | 'failed'

const OPEN: Status[] = ['scheduled', 'queued', 'paused']

function jobOf(call: Call, id: Json | undefined): JsonObject {
  const job = jobs(call).get(asText(id, 'jobId'))
  if (job === undefined) throw notFound('job')
  return job
}

function filtered(call: Call, value: Json | undefined): JsonObject[] {
  const filter = isObject(value) ? value : {}
  const from = instant(filter['from'], 'from') ?? Number.NEGATIVE_INFINITY
  const to = instant(filter['to'], 'to') ?? Number.POSITIVE_INFINITY
  const wanted = ['product', 'env', 'status', 'namespace', 'recurring'].filter(
    (name) => filter[name] !== undefined,
  )
  return [...jobs(call).values()].filter((job) => {
    const made = Date.parse(String(job['created_at']))
    return made >= from && made <= to && wanted.every((name) => job[name] === filter[name])
  })
}

function move(call: Call, job: JsonObject, from: Status[], to: Status, changes: JsonObject = {}): JsonObject {
  if (!from.some((status) => status === job['status'])) {
    throw failed('INVALID_STATE', `a job that is ${String(job['status'])} cannot become ${to}`)
  }
  const next = { ...job, ...changes, status: to, updated_at: iso(call.now()) }
  jobs(call).set(String(job['id']), next)
  return next
}

function moveMany(call: Call, filter: Json | undefined, from: Status[], to: Status) {
  const movable = filtered(call, filter).filter((job) => from.some((status) => status === job['status']))
  for (const job of movable) move(call, job, from, to)
  return { count: movable.length }
}

const resumed = (job: JsonObject): Status => (job['recurring'] === true ? 'scheduled' : 'queued')

export const handlers: Handlers = {
  ...definitions({ kind: 'jobs', what: 'job' }),
  get: (call, [id]) => jobOf(call, id),
  listJobs(call, [filter]) {
    const found = filtered(call, filter)
    const page = pageOf(isObject(filter) ? filter : {})
    return {
      jobs: slice(found, page),
      total: found.length,
      ...page,
      hasMore: page.page * page.limit < found.length,
    }
  },
  cancel(call, [id, options]) {
    const reason = isObject(options) ? optionalText(options, 'reason') : undefined
    return move(
      call,
      jobOf(call, id),
      OPEN,
      'cancelled',
      reason === undefined ? {} : { cancel_reason: reason },
    )
  },
  cancelMany: (call, [filter]) => moveMany(call, filter, OPEN, 'cancelled'),
  pause: (call, [id]) => move(call, jobOf(call, id), ['scheduled', 'queued'], 'paused'),
  pauseMany: (call, [filter]) => moveMany(call, filter, ['scheduled', 'queued'], 'paused'),
  resume(call, [id]) {
    const job = jobOf(call, id)
    return move(call, job, ['paused'], resumed(job))
  },
  resumeMany: (call, [filter]) => moveMany(call, filter, ['paused'], 'scheduled'),
  retry: (call, [id]) => move(call, jobOf(call, id), ['failed', 'cancelled'], 'queued'),
  retryMany: (call, [filter]) => moveMany(call, filter, ['failed'], 'queued'),
  reschedule(call, [id, options]) {
    const { at, recurring, fields } = timing(call, asObject(options, 'options'))
    const job = jobOf(call, id)
    return move(call, job, OPEN, 'scheduled', { scheduled_at: at, recurring, ...fields })
  },
  getHistory(call, [id]) {
    const job = jobOf(call, id)
    return {
      job_id: job['id'],
      total_executions: 0,
      successful_executions: 0,
      failed_executions: 0,
      executions: [],
    }
  },
  getStats(call, [filter]) {
    const found = filtered(call, filter)
    const count = (status: string) => found.filter((job) => job['status'] === status).length
    const [completed, lost] = [count('completed'), count('failed')]
    return {
      total: found.length,
      scheduled: count('scheduled'),
      running: count('running'),
      completed,
      failed: lost,
      success_rate: completed + lost === 0 ? 0 : completed / (completed + lost),
    }
  },
  setWebhook(call, [first]) {
    const config = asObject(first, 'config')
    const url = text(config, 'url')
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
      throw malformed('url must be an http(s) URL')
    const events = list(config, 'events')
    // Only remembered: the emulator sends nothing.
    store<JsonObject>(call.workspace, 'job-webhook').set('webhook', { url, events })
    return { url, events, active: true }
  },
}
