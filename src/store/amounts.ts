// What both adapters make of times and budgets before they use them: whole milliseconds, and the arithmetic of a token bucket.
import type { Budget } from '../core/store.ts'

/** A hundred years: longer than anything here lives, and still exact in a double when added to the time of day. */
const LONGEST = 100 * 365 * 86_400_000

/** A time to live as Redis takes it: a whole number from 1. */
export function milliseconds(ttl: number): number {
  if (Number.isNaN(ttl)) throw new RangeError('a time to live is a number')
  return Math.min(LONGEST, Math.max(1, Math.ceil(ttl)))
}

/** Whole permits that are asked for or given back. */
export const permits = (count: number): number => Math.max(0, Math.floor(count))

/** Throws where the budget would never refill or cannot be counted. */
export function checkBudget({ capacity, refill, per }: Budget): void {
  if (!(capacity >= 0 && refill > 0 && per > 0 && capacity * per <= Number.MAX_SAFE_INTEGER))
    throw new RangeError('a budget has a capacity from 0 and refills')
}

/**
 * A bucket that is not full. One permit is `per` units and one millisecond brings `refill` of them, so that whole budgets are counted
 * in whole numbers and nothing is lost or won by rounding. A bucket that nobody has is full.
 */
export interface Bucket {
  readonly level: number
  /** When the level was that, in milliseconds. */
  readonly at: number
  readonly per: number
}

/** Units in the bucket now. A clock that went back brings nothing; a budget whose period changed keeps its share. */
export function levelAt(bucket: Bucket | undefined, { capacity, refill, per }: Budget, now: number): number {
  const full = capacity * per
  if (bucket === undefined) return full
  return Math.min(full, (bucket.level * per) / bucket.per + Math.max(0, now - bucket.at) * refill)
}

/** Milliseconds until a permit can be had. */
export const untilOne = (level: number, { refill, per }: Budget): number => Math.ceil((per - level) / refill)

/** Milliseconds until the bucket is full and need not be kept. */
export const untilFull = (level: number, { capacity, refill, per }: Budget): number =>
  milliseconds((capacity * per - level) / refill)
