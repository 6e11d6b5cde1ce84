// What every dispatch does here: check the target, record a job, answer its receipt; jobs are not executed.

import { malformed, notFound } from '../refusal.ts'
import { CAPS, type Call, components, type Handler, newId, place, put, store } from '../state.ts'
import {
  asObject,
  instant,
  iso,
  type Json,
  type JsonObject,
  optionalNumber,
  optionalObject,
  optionalText,
  pick,
} from '../values.ts'

export const jobs = (call: Call): Map<string, JsonObject> => store<JsonObject>(call.workspace, 'jobs')

interface Timing {
  at: number
  later: boolean
  recurring: boolean
  fields: JsonObject
}

export function timing(call: Call, schedule: JsonObject): Timing {
  const now = call.now()
  const every = optionalNumber(schedule, 'every')
  const cron = optionalText(schedule, 'cron')
  if (every !== undefined && every < 1) throw malformed('every must be 1 or more')
  if (cron !== undefined && cron.trim().split(/\s+/).length !== 5)
    throw malformed('cron must have five fields')
  const delay = optionalNumber(schedule, 'delay')
  const start = instant(pick(schedule, ['start_at', 'at']), 'start_at') ?? now + (delay ?? 0)
  const recurring = every !== undefined || cron !== undefined
  const fields: JsonObject = {
    ...(cron === undefined ? {} : { cron }),
    ...(every === undefined ? {} : { every }),
    ...(typeof schedule['limit'] === 'number' ? { limit: schedule['limit'] } : {}),
    ...(typeof schedule['endDate'] === 'string' ? { end_date: schedule['endDate'] } : {}),
    ...(typeof schedule['tz'] === 'string' ? { tz: schedule['tz'] } : {}),
  }
  // A cron's next run is not computed; an interval's is plain arithmetic.
  if (every !== undefined) fields['next_run_at'] = start + every
  return { at: start, later: start > now || recurring, recurring, fields }
}

export function schedule(call: Call, namespace: string, data: JsonObject, product: string, env: string) {
  const { at, later, recurring, fields } = timing(call, optionalObject(data, 'schedule') ?? {})
  const id = newId(call, 'job_')
  const stamp = iso(call.now())
  const status = later ? 'scheduled' : 'queued'
  const record: JsonObject = {
    id,
    status,
    namespace,
    product,
    env,
    scheduled_at: at,
    recurring,
    ...fields,
    execution_count: 0,
    retries: optionalNumber(data, 'retries') ?? 0,
    retry_count: 0,
    input: pick(data, ['input']) ?? {},
    created_at: stamp,
    updated_at: stamp,
  }
  put(jobs(call), id, record, CAPS.jobs, 'jobs')
  const next = fields['next_run_at']
  return {
    job_id: id,
    status,
    scheduled_at: at,
    recurring,
    ...(next === undefined ? {} : { next_run_at: next }),
  }
}

// `member` names the component in the data; a dispatch to one that does not exist is refused now, not later.
export function dispatch(kind: string, what: string, ...members: string[]): Handler {
  return (call, [first]: Json[]) => {
    const data = asObject(first, 'params[0]')
    const { product, env } = place(call, data)
    const tag = pick(data, members)
    if (typeof tag !== 'string' || tag === '') throw malformed(`${members[0]} is required`)
    if (!components(product, kind).has(tag.split(':')[0] ?? tag) && !components(product, kind).has(tag)) {
      throw notFound(what)
    }
    return schedule(call, kind, data, product.tag, env)
  }
}
