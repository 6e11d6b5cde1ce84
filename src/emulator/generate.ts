// The payload endpoint: credentials, a template for one operation and what is known about it (contract 5).

import { timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { SNIPPET_FAMILIES, snippetFamily } from '../catalogue/index.ts'
import { databaseAt } from './modules/databases.ts'
import { failed, malformed, unauthorized } from './refusal.ts'
import { type App, type Call, components, type Product, parts, type Workspace } from './state.ts'
import {
  asObject,
  depthWithin,
  flag,
  isObject,
  type Json,
  type JsonObject,
  optionalObject,
  optionalText,
  text,
} from './values.ts'

interface Family {
  kind: string // where the product keeps the component
  target: string // the member of targets that names it
  aliases?: string[]
  input: (method: string) => JsonObject
}

const row = { entity: '<entity>' }
const INPUTS: Record<string, JsonObject> = {
  insert: { ...row, data: {}, returning: true },
  update: { ...row, data: {}, where: {} },
  delete: { ...row, where: {} },
  upsert: { ...row, data: {}, conflictKeys: [] },
  count: { ...row, where: {} },
  aggregate: { ...row, aggregations: [{ type: 'count', alias: 'count' }] },
  dispatch: { operation: '<operation>', input: {} },
}
const VECTOR: Record<string, JsonObject> = {
  upsert: { vectors: [] },
  insert: { vectors: [] },
  delete: { ids: [] },
  dispatch: { operation: '<operation>', input: {} },
}
const STORAGE: Record<string, JsonObject> = {
  upload: { fileName: '<file name>', buffer: '<base64>', mimeType: 'application/octet-stream' },
  listFiles: { prefix: '', limit: 100 },
  stats: {},
  getSignedUrl: { fileName: '<file name>', expiresIn: 3600, action: 'read' },
  dispatch: { operation: '<operation>', input: {} },
}
const SESSION: Record<string, JsonObject> = {
  start: { data: {} },
  verify: { token: '<token>' },
  refresh: { refreshToken: '<refresh token>' },
  revoke: { sessionId: '<session id>' },
  listActive: { page: 1, limit: 20 },
}
const CACHE: Record<string, JsonObject> = {
  set: { key: '<key>', value: '<value>' },
  clearAll: {},
  fetchValues: { page: 1, limit: 20 },
  dispatch: { operation: '<operation>', input: {} },
}

const from =
  (table: Record<string, JsonObject>, fallback: JsonObject) =>
  (method: string): JsonObject =>
    (Object.hasOwn(table, method) ? table[method] : undefined) ?? fallback

const FAMILIES: Record<string, Family> = {
  actions: { kind: 'app', target: 'app', input: () => ({}) },
  features: { kind: 'features', target: 'feature', aliases: ['workflow', 'tag'], input: () => ({}) },
  databases: { kind: 'databases', target: 'database', input: from(INPUTS, { ...row, where: {}, limit: 10 }) },
  graph: { kind: 'graph', target: 'graph', input: () => ({}) },
  vector: {
    kind: 'vector',
    target: 'vector',
    aliases: ['tag'],
    input: from(VECTOR, { values: [], topK: 10 }),
  },
  storage: {
    kind: 'storage',
    target: 'storage',
    aliases: ['storage_tag'],
    input: from(STORAGE, { fileName: '<file name>' }),
  },
  notifications: {
    kind: 'notifications',
    target: 'notification',
    aliases: ['event'],
    input: () => ({ email: { recipients: [], subject: {}, template: {} } }),
  },
  messageBrokers: {
    kind: 'messageBrokers',
    target: 'broker',
    aliases: ['event'],
    input: () => ({ message: {} }),
  },
  quotas: { kind: 'quotas', target: 'tag', aliases: ['quota'], input: () => ({}) },
  fallback: { kind: 'fallback', target: 'tag', aliases: ['fallback'], input: () => ({}) },
  health: { kind: 'health', target: 'tag', aliases: ['health'], input: () => ({}) },
  sessions: { kind: 'sessions', target: 'tag', aliases: ['session'], input: from(SESSION, {}) },
  caches: { kind: 'caches', target: 'cache', aliases: ['cache_tag'], input: from(CACHE, { key: '<key>' }) },
}

interface Draft {
  product: Product | undefined
  targets: JsonObject
  missing: string[]
  warnings: string[]
  inferred: JsonObject
  schema: JsonObject
}

function authenticate(
  workspaces: Map<string, Workspace>,
  body: JsonObject,
  headers: IncomingHttpHeaders,
): Workspace {
  const key = headers['x-access-key']
  if (typeof key !== 'string' || key === '') throw unauthorized('Missing Auth Token')
  const workspace = workspaces.get(key)
  const copy = body['public_key']
  const same =
    workspace !== undefined &&
    body['workspace_id'] === workspace.workspaceId &&
    body['user_id'] === workspace.userId &&
    (copy === undefined || (typeof copy === 'string' && equal(copy, key)))
  if (!same) throw unauthorized('Invalid key access')
  return workspace
}

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}

// A lone component of the right kind is what the caller must have meant; several are only named.
function component(draft: Draft, family: Family): string | undefined {
  const named = [family.target, ...(family.aliases ?? [])]
    .map((name) => draft.targets[name])
    .find((v) => v !== undefined)
  const known = draft.product ? knownTags(draft.product, family.kind) : []
  if (named === undefined) {
    if (known.length === 1 && known[0] !== undefined) {
      draft.inferred[family.target] = known[0]
      return known[0]
    }
    draft.missing.push(`targets.${family.target}`)
    const hint = known.length ? `; the product has ${known.join(', ')}` : ''
    draft.warnings.push(`targets.${family.target} is not given${hint}`)
    return undefined
  }
  if (typeof named !== 'string' || named === '') throw malformed(`targets.${family.target} must be a string`)
  if (draft.product && !known.includes(named) && !known.includes(named.split(':')[0] ?? '')) {
    draft.missing.push(`targets.${family.target}`)
    draft.warnings.push(`${family.target} ${JSON.stringify(named)} is not in the product`)
  }
  return named
}

function knownTags(product: Product, kind: string): string[] {
  if (kind !== 'app') return [...components(product, kind).keys()]
  return [...product.connections.values()].flatMap(({ app_tag: tag }) =>
    typeof tag === 'string' ? [tag] : [],
  )
}

function actionPart(draft: Draft, app: App | undefined, payload: JsonObject): JsonObject {
  const { action } = draft.targets
  const known = app ? parts(app, 'actions') : undefined
  const definition = typeof action === 'string' ? known?.get(action) : undefined
  if (typeof action === 'string') payload['action'] = action
  if (definition === undefined) {
    draft.missing.push('targets.action')
    draft.warnings.push(
      action === undefined ? 'targets.action is not given' : `action ${JSON.stringify(action)} is unknown`,
    )
    return {}
  }
  const sections = ['body', 'headers', 'params', 'query'] as const
  for (const section of sections)
    if (isObject(definition[section])) draft.schema[section] = definition[section]
  const fields = sections.flatMap((section) => {
    const members = definition[section]
    return isObject(members)
      ? Object.keys(members).map((name): [string, Json] => [`${section}:${name}`, `<${name}>`])
      : []
  })
  return Object.fromEntries(fields)
}

function databasePart(draft: Draft, call: Call, payload: JsonObject, hint: JsonObject, env: string): void {
  const { database } = payload
  const { product } = draft
  const entity = hint['entity'] ?? draft.targets['entity']
  if (typeof entity !== 'string') {
    draft.missing.push('input_hint.entity')
    draft.warnings.push('no entity is named')
    return
  }
  if (!product?.environments.has(env) || typeof database !== 'string') return
  if (!components(product, 'databases').has(database)) return
  const table = databaseAt(call, { product: product.tag, env, database }).database.tables.get(entity)
  if (table === undefined) {
    draft.missing.push('input_hint.entity')
    draft.warnings.push(`entity ${JSON.stringify(entity)} is not in ${database}`)
    return
  }
  draft.schema[entity] = Object.fromEntries(table.columns.map(({ name, type }) => [name, type]))
}

export function generate(
  workspaces: Map<string, Workspace>,
  body: Json,
  headers: IncomingHttpHeaders,
  newCall: (workspace: Workspace) => Call,
): { payload: JsonObject; meta: JsonObject } {
  const request = asObject(body, 'the body')
  const workspace = authenticate(workspaces, request, headers)
  if (!depthWithin(request, 64)) throw malformed('the body nests at most 64 deep')
  const tag = text(request, 'product_tag')
  const env = text(request, 'env_slug')
  const method = text(request, 'method')
  const name = text(request, 'operation_family')
  const mode = optionalText(request, 'schema_mode') ?? 'best_effort'
  if (mode !== 'strict' && mode !== 'best_effort')
    throw malformed('schema_mode must be one of strict, best_effort')
  const found = snippetFamily(name)
  if (found === undefined) throw malformed(`operation_family must be one of ${SNIPPET_FAMILIES.join(', ')}`)
  if (!found.methods.includes(method)) throw malformed(`method must be one of ${found.methods.join(', ')}`)
  const family = FAMILIES[found.module]
  if (family === undefined) throw malformed(`operation_family ${name} has no template`)

  const hint = optionalObject(request, 'input_hint') ?? {}
  const draft: Draft = {
    product: workspace.products.get(tag),
    targets: optionalObject(request, 'targets') ?? {},
    missing: [],
    warnings: [],
    inferred: {},
    schema: {},
  }
  if (draft.product === undefined) {
    draft.missing.push('product_tag')
    draft.warnings.push('product not found')
  } else if (!draft.product.environments.has(env)) {
    draft.missing.push('env_slug')
    draft.warnings.push('environment not found')
  }

  const payload: JsonObject = { product: tag, env }
  const target = component(draft, family)
  if (target !== undefined) payload[family.target] = target
  let defaults = family.input(method)
  if (found.module === 'actions') {
    const app = target === undefined ? undefined : workspace.apps.get(target)
    defaults = actionPart(draft, app, payload)
  }
  if (found.module === 'databases') databasePart(draft, newCall(workspace), payload, hint, env)
  if (typeof draft.targets['event'] === 'string') payload['event'] = draft.targets['event']
  payload['input'] = { ...defaults, ...hint }
  addContext(draft, payload, request)
  if (mode === 'strict' && draft.missing.length > 0) {
    throw failed('SCHEMA_INSUFFICIENT', `metadata are insufficient: ${draft.missing.join(', ')}`)
  }
  return {
    payload,
    meta: {
      operation_family: name,
      method,
      schema_mode: mode,
      schema: draft.schema,
      validation: { valid: draft.missing.length === 0, missing: draft.missing },
      warnings: draft.warnings,
      inferred: draft.inferred,
    },
  }
}

function addContext(draft: Draft, payload: JsonObject, request: JsonObject): void {
  const first = (kind: string) =>
    draft.product ? components(draft.product, kind).keys().next().value : undefined
  const session = first('sessions')
  const cache = first('caches')
  if (flag(request, 'include_session', true) && session !== undefined) {
    payload['session'] = `${session}:<jwt>`
    draft.inferred['session'] = session
  }
  if (flag(request, 'include_cache', true) && cache !== undefined && payload['cache'] === undefined) {
    payload['cache'] = cache
    draft.inferred['cache'] = cache
  }
}
