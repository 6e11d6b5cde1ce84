// Sessions: definitions, tokens signed with a key of this process, refresh, revocation and users (contract 10.9).

import { createHmac, timingSafeEqual } from 'node:crypto'
import { definitions } from '../collection.ts'
import { failed, malformed, notFound } from '../refusal.ts'
import { CAPS, type Call, components, type Handlers, locate, newId, productOf, put, store } from '../state.ts'
import {
  asObject,
  isObject,
  iso,
  type Json,
  type JsonObject,
  optionalText,
  pageOf,
  slice,
  text,
} from '../values.ts'

interface Session {
  id: string
  tag: string
  product: string
  env: string
  identifier: string
  data: JsonObject
  start: number
  end: number
  active: boolean
  refresh: string
}

const PERIODS: Record<string, number> = { seconds: 1000, minutes: 60_000, hours: 3_600_000, days: 86_400_000 }
const SELECTOR = /^\$Session\{([^{}]{1,100})\}$/

function check(data: JsonObject): void {
  const selector = optionalText(data, 'selector')
  if (selector !== undefined && !SELECTOR.test(selector))
    throw malformed('selector must look like $Session{field}')
  const period = optionalText(data, 'period')
  if (period !== undefined && !Object.hasOwn(PERIODS, period)) {
    throw malformed(`period must be one of ${Object.keys(PERIODS).join(', ')}`)
  }
}

const own = definitions({ kind: 'sessions', what: 'session', check })

const sessions = (call: Call) => store<Session>(call.workspace, 'sessions')
const isLive = (call: Call, session: Session): boolean => session.active && session.end > call.now()

const encode = (value: Buffer | string): string => Buffer.from(value).toString('base64url')
const signature = (call: Call, signed: string): Buffer =>
  createHmac('sha256', call.signingKey).update(signed).digest()

function jwt(call: Call, session: Session): string {
  const claims = {
    sid: session.id,
    sub: session.identifier,
    iss: call.workspace.workspaceId,
    iat: Math.floor(session.start / 1000),
    exp: Math.floor(session.end / 1000),
    jti: newId(call),
  }
  const signed = `${encode('{"alg":"HS256","typ":"JWT"}')}.${encode(JSON.stringify(claims))}`
  return `${signed}.${encode(signature(call, signed))}`
}

// The session that a token of this process and workspace names, live or not.
function sessionOf(call: Call, token: string): Session | undefined {
  const [header, claims, mac, ...rest] = token.slice(token.lastIndexOf(':') + 1).split('.')
  if (header === undefined || claims === undefined || mac === undefined || rest.length > 0) return undefined
  const given = Buffer.from(mac, 'base64url')
  const wanted = signature(call, `${header}.${claims}`)
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return undefined
  const { sid } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { sid: string }
  return sessions(call).get(sid)
}

function grant(call: Call, session: Session) {
  return {
    token: `${session.tag}:${jwt(call, session)}`,
    refreshToken: session.refresh,
    expiresAt: iso(session.end),
    sessionId: session.id,
  }
}

const at = (call: Call, [first]: Json[]) => {
  const data = asObject(first, 'data')
  return { data, ...locate(call, data, 'sessions', 'session', 'tag', 'session') }
}

function lifetime(definition: JsonObject): number {
  const unit = PERIODS[String(definition['period'])] ?? 3_600_000
  const count = typeof definition['expiry'] === 'number' ? definition['expiry'] : 1
  return Math.min(Math.max(count * unit, 1000), 3650 * 86_400_000)
}

function matchSchema(schema: JsonObject, data: JsonObject): void {
  const kind = (value: Json | undefined) =>
    Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value
  for (const [name, sample] of Object.entries(schema)) {
    const value = Object.hasOwn(data, name) ? data[name] : undefined
    if (value === undefined) throw failed('VALIDATION_ERROR', `data.${name} is required by the session`)
    if (kind(value) !== kind(sample))
      throw failed('VALIDATION_ERROR', `data.${name} must be a ${kind(sample)}`)
  }
}

function start(call: Call, args: Json[]) {
  const { data, product, env, tag, definition } = at(call, args)
  const fields = asObject(data['data'], 'data.data')
  if (isObject(definition['schema'])) matchSchema(definition['schema'], fields)
  const member = SELECTOR.exec(String(definition['selector']))?.[1] ?? ''
  const identifier = Object.hasOwn(fields, member) ? fields[member] : undefined
  if (typeof identifier !== 'string' && typeof identifier !== 'number') {
    throw failed('VALIDATION_ERROR', `data.${member} must be a string or a number: the selector points at it`)
  }
  forget(call)
  const session: Session = {
    id: newId(call, 'ses_'),
    tag,
    product: product.tag,
    env,
    identifier: String(identifier),
    data: fields,
    start: call.now(),
    end: call.now() + lifetime(definition),
    active: true,
    refresh: call.random(24).toString('base64url'),
  }
  put(sessions(call), session.id, session, CAPS.sessions, 'sessions')
  return grant(call, session)
}

// Ended sessions are kept for the users' history until room is needed.
function forget(call: Call): void {
  const all = sessions(call)
  if (all.size < CAPS.sessions) return
  for (const [id, session] of all) if (!isLive(call, session)) all.delete(id)
}

const same = (session: Session, found: { product: { tag: string }; env: string; tag: string }): boolean =>
  session.product === found.product.tag && session.env === found.env && session.tag === found.tag

const chosen = (call: Call, found: ReturnType<typeof at>): Session[] =>
  [...sessions(call).values()].filter((session) => same(session, found))

function ofUsers(call: Call, [first]: Json[]) {
  const data = asObject(first, 'data')
  const product = text(data, 'product', 'product_tag')
  const tag = text(data, 'session', 'tag')
  if (!components(productOf(call.workspace, product), 'sessions').has(tag)) throw notFound('session')
  const env = optionalText(data, 'env')
  const found = [...sessions(call).values()].filter(
    (item) => item.product === product && item.tag === tag && (env === undefined || item.env === env),
  )
  return { data, product, tag, found, users: Map.groupBy(found, (item) => `${item.env}/${item.identifier}`) }
}

const shown = (call: Call, item: Session) => ({
  session_id: item.id,
  start_at: iso(item.start),
  end_at: iso(item.end),
  active: isLive(call, item),
})

function user(list: Session[]) {
  const first = list[0] as Session
  const seen = iso(Math.max(...list.slice(-1000).map((item) => item.start)))
  return {
    _id: first.id.replace('ses_', ''),
    ductape_user_id: first.id.replace('ses_', 'usr_'),
    product_tag: first.product,
    session_tag: first.tag,
    identifier: first.identifier,
    env: first.env,
    first_seen: iso(first.start),
    last_seen: seen,
    createdAt: iso(first.start),
    updatedAt: seen,
  }
}

function fetchUsers(call: Call, args: Json[]) {
  const { data, users } = ofUsers(call, args)
  const page = pageOf(data)
  const list = slice([...users.values()], page).map(user)
  return { users: list, total: users.size, ...page, totalPages: Math.ceil(users.size / page.limit) }
}

function userDetails(call: Call, args: Json[]) {
  const { data, found } = ofUsers(call, args)
  const identifier = text(data, 'identifier')
  const own = found.filter((item) => item.identifier === identifier)
  if (own.length === 0) throw notFound('user')
  return {
    ...user(own),
    sessions: own.slice(-100).map((item) => shown(call, item)),
    totalSessions: own.length,
    activeSessionsCount: own.filter((item) => isLive(call, item)).length,
  }
}

function dashboard(call: Call, args: Json[]) {
  const { found, users } = ofUsers(call, args)
  const lists = [...users.values()]
  const active = lists.filter((list) => list.some((item) => isLive(call, item))).length
  const since = (days: number) =>
    lists.filter((list) => (list[0]?.start ?? 0) > call.now() - days * 86_400_000).length
  return {
    totalUsers: lists.length,
    activeUsers: active,
    inactiveUsers: lists.length - active,
    expiredUsers: lists.filter((list) => list.every((item) => item.end <= call.now())).length,
    newUsersToday: since(1),
    newUsersThisWeek: since(7),
    totalSessions: found.length,
    activeSessions: found.filter((item) => isLive(call, item)).length,
    averageSessionsPerUser: lists.length === 0 ? 0 : found.length / lists.length,
  }
}

export const handlers: Handlers = {
  ...own,
  start,
  verify(call, args) {
    const found = at(call, args)
    const token = text(found.data, 'token')
    const session =
      token.startsWith(`${found.tag}:`) || !token.includes(':') ? sessionOf(call, token) : undefined
    if (session === undefined || !same(session, found) || !isLive(call, session)) return { valid: false }
    return { valid: true, data: session.data, sessionId: session.id, expiresAt: iso(session.end) }
  },
  refresh(call, args) {
    const found = at(call, args)
    const token = text(found.data, 'refreshToken')
    const session = chosen(call, found).find((item) => item.refresh === token)
    if (session === undefined || !session.active)
      throw failed('SESSION_INVALID', 'the refresh token is not valid')
    session.refresh = call.random(24).toString('base64url')
    session.end = call.now() + lifetime(found.definition)
    return grant(call, session)
  },
  revoke(call, args) {
    const found = at(call, args)
    const id = optionalText(found.data, 'sessionId')
    const identifier = optionalText(found.data, 'identifier')
    if (id === undefined && identifier === undefined) throw malformed('sessionId or identifier is required')
    for (const session of chosen(call, found)) {
      if (session.id === id || session.identifier === identifier) session.active = false
    }
  },
  revokeAll(call, args) {
    const found = at(call, args)
    const identifier = optionalText(found.data, 'identifier')
    for (const session of chosen(call, found)) {
      if (identifier === undefined || session.identifier === identifier) session.active = false
    }
  },
  listActive(call, args) {
    const found = at(call, args)
    const identifier = optionalText(found.data, 'identifier')
    const live = chosen(call, found).filter(
      (item) => isLive(call, item) && (identifier === undefined || item.identifier === identifier),
    )
    const page = pageOf(found.data)
    const list = slice(live, page).map((item) => ({
      sessionId: item.id,
      startAt: iso(item.start),
      endAt: iso(item.end),
      active: true,
    }))
    return { sessions: list, total: live.length, ...page }
  },
  users: fetchUsers,
  fetchUsers,
  fetchUserDetails: userDetails,
  fetchUserDashboard: userDetails,
  fetchDashboard: dashboard,
}
