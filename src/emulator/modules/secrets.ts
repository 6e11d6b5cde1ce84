// Workspace secrets: metadata, values, and $Secret{key} references with scope, environment and expiry (contract 10.10).

import { failed, malformed, notFound, Refusal } from '../refusal.ts'
import { CAPS, type Call, type Handlers, newId, put } from '../state.ts'
import {
  asObject,
  asText,
  isObject,
  iso,
  type Json,
  type JsonObject,
  optionalList,
  optionalNumber,
  optionalText,
  text,
  textList,
} from '../values.ts'

const TYPES = ['api', 'access', 'password', 'certificate', 'credential']
const REFERENCE = /\$Secret\{([^{}]{0,200})\}/g
const MAX_RESOLVED = 1024 * 1024

function metadata({ value: _value, ...rest }: JsonObject): JsonObject {
  return rest
}

function secretOf(call: Call, key: Json | undefined): JsonObject {
  const secret = call.workspace.secrets.get(asText(key, 'key'))
  if (secret === undefined) throw notFound('secret')
  return secret
}

function fields(data: JsonObject): JsonObject {
  const type = optionalText(data, 'token_type')
  if (type !== undefined && !TYPES.includes(type))
    throw malformed(`token_type must be one of ${TYPES.join(', ')}`)
  const description = optionalText(data, 'description')
  const scope = optionalList(data, 'scope')
  const envs = optionalList(data, 'envs')
  const expires = optionalNumber(data, 'expires_at')
  return {
    ...(description === undefined ? {} : { description }),
    ...(type === undefined ? {} : { token_type: type }),
    ...(scope ? { scope: textList(scope, 'scope') } : {}),
    ...(envs ? { envs: textList(envs, 'envs') } : {}),
    ...(expires === undefined ? {} : { expires_at: expires }),
  }
}

function create(call: Call, [first]: Json[]): JsonObject {
  const data = asObject(first, 'data')
  const key = text(data, 'key')
  if (!/^\w{1,128}$/.test(key)) throw malformed('key must be letters, digits and underscores')
  const { secrets } = call.workspace
  if (secrets.has(key)) throw new Refusal('sdk', 'ALREADY_EXISTS', 409, 'secret already exists')
  const at = iso(call.now())
  const secret: JsonObject = {
    _id: newId(call),
    workspace_id: call.workspace.workspaceId,
    key,
    description: '',
    token_type: 'api',
    scope: [],
    envs: [],
    expires_at: null,
    ...fields(data),
    value: text(data, 'value'),
    createdAt: at,
    updatedAt: at,
  }
  put(secrets, key, secret, CAPS.secrets, 'secrets')
  return metadata(secret)
}

function change(call: Call, key: Json | undefined, changes: JsonObject): JsonObject {
  const next = { ...secretOf(call, key), ...changes, updatedAt: iso(call.now()) }
  call.workspace.secrets.set(asText(key, 'key'), next)
  return metadata(next)
}

const expired = (call: Call, secret: JsonObject): boolean =>
  typeof secret['expires_at'] === 'number' && secret['expires_at'] * 1000 <= call.now()

function secretValue(call: Call, key: string, env?: string, app?: string): string {
  const secret = call.workspace.secrets.get(key)
  if (secret === undefined) throw failed('NOT_FOUND', `Secret '${key}' not found`)
  const { scope, envs, value } = secret
  if (app !== undefined && Array.isArray(scope) && scope.length > 0 && !scope.includes(app)) {
    throw failed('FORBIDDEN', `Secret '${key}' is not accessible by app '${app}'`)
  }
  if (env !== undefined && Array.isArray(envs) && envs.length > 0 && !envs.includes(env)) {
    throw failed('FORBIDDEN', `Secret '${key}' is not available in environment '${env}'`)
  }
  if (expired(call, secret)) throw failed('FORBIDDEN', `Secret '${key}' has expired`)
  return String(value)
}

// The result is bounded, because one short reference can stand for a long value many times.
export function resolveReferences(call: Call, value: Json, env?: string, app?: string): Json {
  let size = 0
  const replace = (text: string): string =>
    text.replace(REFERENCE, (_match, key: string) => {
      const secret = secretValue(call, key, env, app)
      size += secret.length
      if (size > MAX_RESOLVED) throw failed('LIMIT_EXCEEDED', 'the resolved value is too large')
      return secret
    })
  const walk = (item: Json): Json => {
    if (typeof item === 'string') return item.includes('$Secret{') ? replace(item) : item
    if (Array.isArray(item)) return item.map(walk)
    if (isObject(item))
      return Object.fromEntries(Object.entries(item).map(([key, child]) => [key, walk(child)]))
    return item
  }
  return walk(value)
}

function references(value: Json): string[] {
  const source = JSON.stringify(value)
  return [...new Set([...source.matchAll(REFERENCE)].map((match) => match[1] ?? ''))]
}

export const handlers: Handlers = {
  create,
  list: (call) => [...call.workspace.secrets.values()].map(metadata),
  fetch: (call, [key]) => secretOf(call, key),
  update(call, [key, first]) {
    const data = asObject(first, 'data')
    const value = optionalText(data, 'value')
    return change(call, key, { ...fields(data), ...(value === undefined ? {} : { value }) })
  },
  delete(call, [key]) {
    secretOf(call, key)
    call.workspace.secrets.delete(asText(key, 'key'))
    return { deleted: true }
  },
  exists: (call, [key]) => call.workspace.secrets.has(asText(key, 'key')),
  revoke: (call, [key]) => change(call, key, { expires_at: Math.floor(call.now() / 1000) - 1 }),
  resolve(call, [value, options]) {
    const place = isObject(options) ? options : {}
    return resolveReferences(call, value ?? null, optionalText(place, 'env'), optionalText(place, 'app'))
  },
  validate(call, [value]) {
    const keys = references(value ?? null)
    const missing = keys.filter((key) => !call.workspace.secrets.has(key))
    return { valid: missing.length === 0, references: keys, missing }
  },
}
