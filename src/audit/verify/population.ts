// Counts what is in the records, to be held against the counters of the service: by tool, caller, code, outcome and hour.
import { isObject, type Json, type JsonObject, member } from '../../core/json.ts'

export interface Counts {
  [name: string]: number
}

export interface Population {
  records: number
  /** Times of the first and the last record, as the records have them. */
  first: string
  last: string
  types: Counts
  /** Decisions, `tool allowed`, `tool replayed` and `tool refused`; `-` where the call did not get as far as a tool. */
  tools: Counts
  /** Decisions by caller; beyond 10,000 callers the rest is one line. */
  principals: Counts
  /** `allowed`, `replayed` where the end of an earlier call was told again, or the code of the refusal; repeated refusals of a peer are counted in. */
  decisions: Counts
  outcomes: Counts
  /** Decisions and repeated refusals, by the hour of their record. */
  hours: Counts
}

const MAX_NAMES = 10_000
const OTHERS = '(others)'

export const newPopulation = (): Population => ({
  records: 0,
  first: '',
  last: '',
  types: {},
  tools: {},
  principals: {},
  decisions: {},
  outcomes: {},
  hours: {},
})

export interface Tally {
  add(record: JsonObject): void
  result(): Population
}

export function createTally(from: Population = newPopulation()): Tally {
  const counts = {
    types: new Map(Object.entries(from.types)),
    tools: new Map(Object.entries(from.tools)),
    principals: new Map(Object.entries(from.principals)),
    decisions: new Map(Object.entries(from.decisions)),
    outcomes: new Map(Object.entries(from.outcomes)),
    hours: new Map(Object.entries(from.hours)),
  }
  let { records, first, last } = from

  const count = (map: Map<string, number>, name: string, by = 1): void => {
    const known = map.get(name)
    if (known !== undefined) map.set(name, known + by)
    // A name that was cut out of a line would keep the line.
    else if (map.size < MAX_NAMES) map.set(Buffer.from(name).toString(), by)
    else map.set(OTHERS, (map.get(OTHERS) ?? 0) + by)
  }

  return {
    add(record) {
      const time = record['time'] as string
      const type = record['type'] as string
      records++
      // Times of one form compare as text.
      if (first === '' || time < first) first = Buffer.from(time).toString()
      if (time > last) last = Buffer.from(time).toString()
      count(counts.types, type)
      if (type === 'decision') {
        const { allowed, code, replayOf } = record['decision'] as JsonObject
        const went = replayOf !== undefined ? 'replayed' : allowed === true ? 'allowed' : 'refused'
        count(counts.tools, `${text(member(record['what'], 'tool'))} ${went}`)
        count(counts.principals, text(member(record['who'], 'principal')))
        count(counts.decisions, went === 'refused' ? text(code) : went)
        count(counts.hours, time.slice(0, 13))
      } else if (type === 'outcome') {
        count(counts.outcomes, text(member(record['outcome'], 'status')))
      } else if (type === 'refusals' && isObject(record['refusals'])) {
        const by = Number(record['refusals']['count'])
        count(counts.decisions, text(record['refusals']['code']), by)
        count(counts.hours, time.slice(0, 13), by)
      }
    },
    result: () => ({
      records,
      first,
      last,
      types: sorted(counts.types),
      tools: sorted(counts.tools),
      principals: sorted(counts.principals),
      decisions: sorted(counts.decisions),
      outcomes: sorted(counts.outcomes),
      hours: sorted(counts.hours),
    }),
  }
}

const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '-')

/** By name, so that the same records give the same text. */
const sorted = (map: ReadonlyMap<string, number>): Counts =>
  Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)))
