// The way of one SDK call: key, allowlist, params, mode, handler, envelope (contract 3).

import { findMethod, MODULES } from '../catalogue/index.ts'
import type { Effect } from '../core/tool.ts'
import { reserve } from './measure.ts'
import { type Modules, NOT_SUPPORTED } from './modules/index.ts'
import { checkParams } from './params.ts'
import { malformed, notEmulated, notSupported, Refusal, unauthorized } from './refusal.ts'
import { CAPS, type Call, type Workspace } from './state.ts'
import { depthWithin, isObject, iso, type Json, type JsonObject } from './values.ts'

export type Mode = 'seed-permissive' | 'strict-publishable'

const MAX_DEPTH = 64

export interface Request {
  module: string
  method: string
  params: Json[]
}

export function readRequest(body: Json): Request {
  if (!isObject(body)) throw malformed('the body must be a JSON object')
  const { module, method, params = [] } = body
  if (typeof module !== 'string' || !MODULES.includes(module)) {
    throw malformed(`module must be one of ${MODULES.join(', ')}`)
  }
  if (typeof method !== 'string' || method === '') throw malformed('method is required')
  if (!Array.isArray(params)) throw malformed('params must be an array')
  if (!depthWithin(params, MAX_DEPTH)) throw malformed(`params nest at most ${MAX_DEPTH} deep`)
  return { module, method, params }
}

// What a key that only identifies a browser may not do (contract 4, statements b and d).
const DEFINITION = /(^|\.)(create|update|fetch|fetchAll|list|delete|init)$/
const SESSION_FREE = new Set(['sessions.start', 'sessions.verify', 'sessions.refresh'])

function checkMode(
  mode: Mode,
  name: string,
  effect: Effect,
  firstName: string | undefined,
  params: Json[],
): void {
  if (mode === 'seed-permissive' || SESSION_FREE.has(name)) return
  const definition = DEFINITION.test(name) && typeof params[0] === 'string'
  const positional = firstName === 'product_tag' || firstName === 'app_tag'
  if (effect === 'admin' || definition || positional) throw unauthorized('Authentication failed')
  const session = isObject(params[0]) ? params[0]['session'] : undefined
  if (typeof session !== 'string' || session === '') throw malformed('session is required')
}

export interface Outcome {
  name: string
  effect: Effect
  result: unknown
}

export function runCall(modules: Modules, mode: Mode, call: Call, request: Request): Outcome {
  const { module, method, params } = request
  const name = `${module}.${method}`
  const entry = findMethod(module, method)
  if (!entry?.allowlisted) {
    throw new Refusal('proxy', 'FORBIDDEN', 403, `method ${printableMethod(name)} is not allowed`)
  }
  checkParams(module, method, entry.params === null ? undefined : entry.positional, params)
  checkMode(mode, name, entry.effect, entry.positional[0]?.name, params)
  const why = NOT_SUPPORTED.get(name)
  if (why !== undefined) throw notSupported(`${name} is not supported: ${why}`)
  const handler = modules.get(module)?.get(method)
  if (handler === undefined) {
    const known = [...(modules.get(module)?.keys() ?? [])]
    const some = known.length
      ? `emulated in ${module}: ${known.join(', ')}`
      : `nothing in ${module} is emulated`
    throw notEmulated(`${name} is not emulated; ${some}`)
  }
  if (entry.effect === 'write' || entry.effect === 'admin')
    reserve(call.workspace, JSON.stringify(params).length)
  return { name, effect: entry.effect, result: handler(call, params) }
}

const printableMethod = (name: string): string => name.replace(/[^\w.-]/g, '?').slice(0, 100)

export function log(workspace: Workspace, call: Call, name: string, status: string, message: string): void {
  const entry: JsonObject = {
    _id: call.requestId,
    type: 'sdk',
    name,
    process_id: call.requestId,
    status,
    message,
    timestamp: iso(call.now()),
  }
  workspace.logs.push(entry)
  if (workspace.logs.length > CAPS.logs) workspace.logs.shift()
}
