// The evidence bundle: what an auditor asks for, as files made from verified records alone; the same inputs give the same bytes.
import { hash } from 'node:crypto'
import { canonical } from '../core/canonical.ts'
import { isObject, type Json, type JsonObject } from '../core/json.ts'
import { terminalJson } from '../core/terminal.ts'
import { type ApprovalReview, createApprovalList } from './approval-list.ts'
import { CRITERIA } from './criteria.ts'
import { type Jwk, thumbprint } from './jws.ts'
import { createTally, type Population, type Report } from './verify/index.ts'

/** Milliseconds since the epoch; the end is not in it. */
export interface Period {
  readonly from: number
  readonly to: number
}

export interface PolicyFacts {
  /** SHA-256 of the file's bytes, hex. */
  readonly digest: string
  readonly roles: readonly string[]
}

/** A record of an API key, never the key. */
export interface ApiKeyFacts {
  readonly id: string
  readonly owner: string
  readonly purpose: string
  readonly tenant?: string | undefined
  readonly roles: readonly string[]
  readonly expires?: string | undefined
}

export interface BundleInput {
  readonly period: Period
  readonly report: Report
  readonly collected: Collected
  /** What was read, by name, with its SHA-256. */
  readonly inputs: readonly { readonly name: string; readonly sha256: string }[]
  readonly policy?: PolicyFacts | undefined
  readonly apiKeys?: readonly ApiKeyFacts[] | undefined
}

interface Use {
  readonly principal: Json
  readonly subject: Json
  readonly method: Json
  readonly tenant: Json
  readonly roles: readonly string[]
  readonly tool: Json
  allowed: number
  refused: number
  lastUse: string
}

interface KeyUse {
  kid: string
  origin: string
  firstChain: string
  from: string
  replaced?: string
}

export interface Collected {
  readonly population: Population
  readonly uses: readonly Use[]
  /** Uses that had no room in the list. */
  readonly omitted: number
  readonly changes: readonly JsonObject[]
  readonly keys: readonly KeyUse[]
  readonly approvals: ApprovalReview
  /** Time of the newest decision under each API key. */
  readonly keyUses: ReadonlyMap<string, string>
}

export interface Collector {
  add(record: JsonObject): void
  result(): Collected
}

/** Far over the callers, roles and tools of one installation; what is beyond is counted. */
const MAX_USES = 100_000

export function createCollector(period: Period): Collector {
  const tally = createTally()
  const approvals = createApprovalList()
  const uses = new Map<string, Use>()
  const keys = new Map<string, KeyUse>()
  const keyUses = new Map<string, string>()
  const signing = new Map<Json | undefined, string>()
  const changes: JsonObject[] = []
  /** Administrative requests whose outcome has not come, by call. */
  const orders = new Map<Json | undefined, JsonObject>()
  let omitted = 0

  const addUse = (record: JsonObject, time: string): void => {
    const { principal, subject, method, tenant, roles, keyId } = object(record['who'])
    const { tool } = object(record['what'])
    const allowed = object(record['decision'])['allowed'] === true
    if (typeof keyId === 'string' && (keyUses.get(keyId) ?? '') < time) keyUses.set(keyId, time)
    const held = Array.isArray(roles) ? roles.map(String).sort() : []
    const name = canonical([principal ?? null, method ?? null, tenant ?? null, held, tool ?? null])
    let use = uses.get(name)
    if (use === undefined) {
      if (uses.size >= MAX_USES) {
        omitted++
        return
      }
      const who = { principal: principal ?? null, subject: subject ?? null, method: method ?? null }
      use = {
        ...who,
        tenant: tenant ?? null,
        roles: held,
        tool: tool ?? null,
        allowed: 0,
        refused: 0,
        lastUse: time,
      }
      uses.set(name, use)
    }
    if (allowed) use.allowed++
    else use.refused++
    if (use.lastUse < time) use.lastUse = time
  }

  const addOrder = (record: JsonObject, time: string): void => {
    const order = orderOf(record, time)
    changes.push(order)
    orders.set(record['callId'], order)
  }

  const endOrder = (record: JsonObject): void => {
    const order = orders.get(record['callId'])
    if (order === undefined) return
    orders.delete(record['callId'])
    order['status'] = object(record['outcome'])['status'] ?? null
  }

  // A key matters even where it began before the period: what it signed is in it.
  const addKey = (record: JsonObject, jwk: Json | undefined, origin: string): void => {
    const kid = thumbprint(jwk as unknown as Jwk)
    const time = String(record['time'])
    const before = signing.get(record['chain'])
    if (before !== undefined) {
      const replaced = keys.get(before)
      if (replaced !== undefined) replaced.replaced = time
    }
    signing.set(record['chain'], kid)
    if (!keys.has(kid)) keys.set(kid, { kid, origin, firstChain: String(record['chain']), from: time })
  }

  return {
    add(record) {
      const time = String(record['time'])
      if (record['type'] === 'open') addKey(record, record['key'], String(record['keyOrigin']))
      if (record['type'] === 'key') addKey(record, object(record['key'])['jwk'], 'file')
      const at = Date.parse(time)
      if (at < period.from || at >= period.to) return
      tally.add(record)
      approvals.add(record)
      if (record['type'] === 'decision') {
        addUse(record, time)
        if (isOrder(record)) addOrder(record, time)
      } else if (record['type'] === 'outcome') endOrder(record)
      else if (record['type'] === 'open' || record['type'] === 'reload') changes.push(changeOf(record, time))
    },
    result: () => ({
      population: tally.result(),
      uses: [...uses].sort(byName).map(([, use]) => use),
      omitted,
      changes,
      approvals: approvals.result(),
      keys: [...keys].sort(byName).map(([, key]) => key),
      keyUses,
    }),
  }
}

const object = (value: Json | undefined): JsonObject => (isObject(value) ? value : {})

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1)

/** What was in force from then on: the start of a process, or a file that came into force or was refused. */
function changeOf(record: JsonObject, time: string): JsonObject {
  const { chain, configDigest, instance, mode, policyDigest, reload, service, type } = record
  const all = {
    time,
    chain,
    instance,
    what: type,
    ...object(reload),
    configDigest,
    policyDigest,
    mode,
    service,
  }
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, Json] => entry[1] !== undefined),
  )
}

/** An administrative request that was let through: a revocation, the kill switch. */
function isOrder(record: JsonObject): boolean {
  const { allowed, approval } = object(record['decision'])
  return allowed === true && approval === undefined && object(record['what'])['action'] !== undefined
}

function orderOf(record: JsonObject, time: string): JsonObject {
  const { callId, chain, instance, what, who } = record
  const { action, target } = object(what)
  const all = {
    time,
    chain,
    instance,
    what: action,
    target,
    by: object(who)['principal'],
    callId,
    status: null,
  }
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, Json] => entry[1] !== undefined),
  )
}

/** The files by name, without the manifest. */
export function bundleFiles(input: BundleInput): Map<string, string> {
  const { collected, inputs, period, policy, report } = input
  const { from, to } = period
  const files: Record<string, unknown> = {
    'verification.json': {
      verdict: verdictOf(report),
      finding: report.finding ?? null,
      witnessed: report.witnessed,
      chains: report.chains,
      tornLastLines: report.torn,
      receipts: report.receipts,
      approvals: report.approvals,
      inputs: [...inputs].sort((a, b) => (a.name < b.name ? -1 : 1)),
    },
    'population.json': { from: instant(from), to: instant(to), ...collected.population },
    'access-review.json': accessReview(input),
    'changes.json': {
      changes: collected.changes,
      ...(policy !== undefined && {
        policyFile: {
          digest: policy.digest,
          inForce: collected.changes.some(({ policyDigest }) => policyDigest === policy.digest),
        },
      }),
    },
    'approvals.json': { from: instant(from), to: instant(to), ...collected.approvals },
    'keys.json': { keys: collected.keys },
    'criteria.json': { criteria: CRITERIA },
  }
  return new Map(Object.entries(files).map(([name, content]) => [name, terminalJson(content)]))
}

function verdictOf({ ok, witnessed }: Report): string {
  if (!ok) return 'not verified: the other files count only what stands before the finding'
  return witnessed ? 'complete' : 'complete within the chains given'
}

function accessReview({ apiKeys, collected, period, policy }: BundleInput): JsonObject {
  const used = new Set(collected.uses.flatMap(({ roles }) => roles))
  const review = {
    from: instant(period.from),
    to: instant(period.to),
    uses: collected.uses,
    usesOmitted: collected.omitted,
    ...(policy !== undefined && {
      roles: [...policy.roles].sort().map((role) => ({ role, used: used.has(role) })),
      rolesNotInPolicy: [...used].filter((role) => !policy.roles.includes(role)).sort(),
    }),
    ...(apiKeys !== undefined && {
      apiKeys: [...apiKeys]
        .sort((a, b) => (a.id < b.id ? -1 : 1))
        .map((key) => ({ ...key, lastUse: collected.keyUses.get(key.id) ?? null })),
    }),
  }
  return review as unknown as JsonObject
}

const instant = (time: number): string => new Date(time).toISOString()

/** What is signed: the period, and the SHA-256 of each file. */
export function manifestOf(files: ReadonlyMap<string, string>, period: Period): string {
  return canonical({
    files: [...files].sort(byName).map(([name, text]) => ({ name, sha256: hash('sha256', text) })),
    from: instant(period.from),
    to: instant(period.to),
    v: 1,
  })
}

/** Payload of the JWS of type `ductape-manifest+jwt`: no time, so that the same inputs give the same bytes. */
export const manifestPayload = (manifest: string): string =>
  canonical({ manifest: hash('sha256', manifest, 'base64url') })
