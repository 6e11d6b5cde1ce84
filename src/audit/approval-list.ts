// The approvals of a period as the evidence bundle lists them: who asked for what, who decided and how soon, and which call used it.
import { isObject, type Json, type JsonObject } from '../core/json.ts'

interface Decided {
  readonly time: string
  readonly by: Json
  readonly decision: 'approved' | 'denied'
  /** How it ended: one that came too late is `failed`. */
  status: Json
  code?: Json
}

interface Used {
  readonly time: string
  readonly callId: Json
  status: Json
}

interface Entry {
  id: string
  requester: Json
  tenant: Json
  tool: Json
  module: Json
  method: Json
  effect: Json
  rule: Json
  /** First time; null where the record of it was not given. */
  asked: string | null
  /** Calls that were told to wait for it. */
  asks: number
  decisions: Decided[]
  used: Used[]
  /** From the first time it was asked for to the decision that holds. */
  secondsToDecision: number | null
}

export interface ApprovalReview {
  readonly approvals: readonly Entry[]
  /** Approvals that had no room in the list. */
  readonly omitted: number
  /** Calls of which somebody was only told. */
  readonly notified: number
}

export interface ApprovalList {
  add(record: JsonObject): void
  result(): ApprovalReview
}

/** Far over what the people of one installation decide; what is beyond is counted. */
const MAX_APPROVALS = 100_000

export function createApprovalList(): ApprovalList {
  const entries = new Map<string, Entry>()
  /** What waits for the outcome of its call. */
  const waiting = new Map<Json | undefined, Decided | Used>()
  const omitted = new Set<string>()
  let notified = 0

  const entryOf = (id: string): Entry | undefined => {
    let entry = entries.get(id)
    if (entry === undefined && entries.size >= MAX_APPROVALS) omitted.add(id)
    else if (entry === undefined) {
      entry = newEntry(id)
      entries.set(id, entry)
    }
    return entry
  }

  const addDecision = (record: JsonObject, note: JsonObject): void => {
    const { state, requester } = note
    if (state === 'notified') {
      notified++
      return
    }
    const entry = entryOf(String(note['id']))
    if (entry === undefined) return
    const { principal, tenant } = object(record['who'])
    const { action, effect, method, module, tool } = object(record['what'])
    const { allowed, rule } = object(record['decision'])
    const time = String(record['time'])
    entry.tenant ??= tenant ?? null
    if (action !== undefined) {
      if (allowed !== true) return
      entry.requester ??= requester ?? null
      const decision = state === 'approved' ? 'approved' : 'denied'
      const decided: Decided = { time, by: principal ?? null, decision, status: null }
      entry.decisions.push(decided)
      waiting.set(record['callId'], decided)
      return
    }
    entry.requester ??= principal ?? null
    Object.assign(entry, compact({ effect, method, module, rule, tool }))
    if (state === 'asked') {
      entry.asks++
      if (entry.asked === null || time < entry.asked) entry.asked = time
    } else if (state === 'used' && allowed === true) {
      const used: Used = { time, callId: record['callId'] ?? null, status: null }
      entry.used.push(used)
      waiting.set(record['callId'], used)
    }
  }

  return {
    add(record) {
      if (record['type'] === 'decision') {
        const note = object(record['decision'])['approval']
        if (isObject(note)) addDecision(record, note)
      } else if (record['type'] === 'outcome') {
        const waits = waiting.get(record['callId'])
        if (waits === undefined) return
        waiting.delete(record['callId'])
        const { code, status } = object(record['outcome'])
        Object.assign(waits, compact({ code, status }))
      }
    },
    result: () => ({
      approvals: [...entries.values()].map(finished).sort(byTime),
      omitted: omitted.size,
      notified,
    }),
  }
}

const newEntry = (id: string): Entry => ({
  id,
  requester: null,
  tenant: null,
  tool: null,
  module: null,
  method: null,
  effect: null,
  rule: null,
  asked: null,
  asks: 0,
  decisions: [],
  used: [],
  secondsToDecision: null,
})

function finished(entry: Entry): Entry {
  const decisions = entry.decisions.toSorted((a, b) => (a.time < b.time ? -1 : 1))
  const held = decisions.find(({ status }) => status === 'executed')
  const secondsToDecision =
    held === undefined || entry.asked === null
      ? null
      : (Date.parse(held.time) - Date.parse(entry.asked)) / 1000
  return { ...entry, decisions, secondsToDecision }
}

const firstTime = ({ asked, decisions, used }: Entry): string =>
  asked ?? decisions[0]?.time ?? used[0]?.time ?? ''

/** Whatever the order in which the records came. */
const byTime = (a: Entry, b: Entry): number =>
  `${firstTime(a)} ${a.id}` < `${firstTime(b)} ${b.id}` ? -1 : 1

const object = (value: Json | undefined): JsonObject => (isObject(value) ? value : {})

const compact = (value: { [name: string]: Json | undefined }): JsonObject =>
  Object.fromEntries(Object.entries(value).filter((entry): entry is [string, Json] => entry[1] !== undefined))
