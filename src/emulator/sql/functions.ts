// SQL functions for the filter operators that SQLite lacks: bounded, so that no pattern can stall a query.

import type { DatabaseSync } from 'node:sqlite'
import { type Budget, likeMatch, type Pattern, pattern, spend } from '../text-match.ts'

const MAX_PATTERNS = 500
const PER_CALL = 16 // a call from SQLite costs about as much as this many steps

function parsed(value: unknown): unknown[] {
  if (typeof value !== 'string') return []
  try {
    const result: unknown = JSON.parse(value)
    return Array.isArray(result) ? result : [result]
  } catch {
    return []
  }
}

const members = (value: unknown): Set<string> => new Set(parsed(value).map((item) => JSON.stringify(item)))
const whole = (answer: boolean): number => (answer ? 1 : 0)

// One budget per statement would need a hook that SQLite lacks; the reader resets it before each statement.
export const budget: Budget = { steps: 0 }

export function installFunctions(sqlite: DatabaseSync): void {
  const options = { deterministic: true, directOnly: true } as const
  // A statement may alternate between as many patterns as a filter has terms, row by row.
  const patterns = new Map<string, Pattern>()
  const compiled = (source: string): Pattern => {
    let found = patterns.get(source)
    if (found === undefined) {
      if (patterns.size >= MAX_PATTERNS) patterns.clear()
      found = pattern(source)
      patterns.set(source, found)
    }
    return found
  }
  const keys = (value: unknown): Set<string> => {
    spend(budget, PER_CALL + String(value).length)
    return members(value)
  }
  sqlite.function('emu_like', options, (mask, text, fold) => {
    if (text === null) return null
    spend(budget, PER_CALL)
    const [a, b] = fold
      ? [String(mask).toLowerCase(), String(text).toLowerCase()]
      : [String(mask), String(text)]
    return whole(likeMatch(a, b, budget))
  })
  sqlite.function('emu_regex', options, (source, text) => {
    if (text === null) return null
    spend(budget, PER_CALL)
    return whole(compiled(String(source)).test(String(text), budget))
  })
  sqlite.function('emu_contains', options, (stored, wanted) => {
    if (stored === null) return null
    const have = keys(stored)
    return whole([...keys(wanted)].every((item) => have.has(item)))
  })
  sqlite.function('emu_overlaps', options, (stored, wanted) => {
    if (stored === null) return null
    const have = keys(stored)
    return whole([...keys(wanted)].some((item) => have.has(item)))
  })
}
