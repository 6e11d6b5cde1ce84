// The three kinds of limit, counted in this process: a rate (GCRA, ITU-T I.371 A), a budget in a fixed window, places taken at the same time.
import type { Rate } from '../../core/principal.ts'

/** So much in so many milliseconds. */
export interface WindowBudget {
  readonly count: number
  readonly window: number
}

/** One limit of one caller, tool or tenant. `tick` is monotonic, in milliseconds. */
export interface Meter<Setting = unknown> {
  /**
   * Takes `n`; with 0 it only asks whether anything is left. Gives 0 where it has, else the milliseconds until it could (Infinity = it never
   * will). A promise only where the store has to be asked; it never rejects.
   */
  take(n: number, tick: number): number | Promise<number>
  /** Gives back what was taken at `takenAt` and not used. */
  giveBack(n: number, takenAt: number, tick: number): void
  /** Counts what has been used already, even beyond the limit. */
  charge(n: number, tick: number): void
  /** A new setting from a reload; what has been used stays used. */
  configure(setting: Setting, tick: number): void
  /** True where a new meter would decide the same, so that this one may be forgotten. */
  isIdle(tick: number): boolean
}

/** When a place becomes free nobody knows; a second is what a caller should wait before it asks again. */
export const PLACE_RETRY = 1000

/** Sums of fractions of a millisecond: without it the last call of a burst could be refused by a rounding error. */
const EPSILON = 1e-3

export class RateMeter implements Meter<Rate> {
  /** Milliseconds that one call costs. */
  private interval: number
  private burst: number
  /** Until then the calls so far have used up the rate (GCRA's theoretical arrival time); one number is the whole bucket. */
  private usedUntil = 0

  constructor({ perMinute, burst }: Rate) {
    this.interval = 60_000 / perMinute
    this.burst = burst
  }

  take(n: number, tick: number): number {
    const next = (this.usedUntil > tick ? this.usedUntil : tick) + n * this.interval
    const wait = next - tick - this.burst * this.interval
    if (wait > EPSILON) return wait
    this.usedUntil = next
    return 0
  }

  giveBack(n: number): void {
    this.usedUntil -= n * this.interval
  }

  charge(n: number, tick: number): void {
    const next = Math.max(this.usedUntil, tick) + n * this.interval
    this.usedUntil = Math.min(next, tick + this.burst * this.interval)
  }

  configure({ perMinute, burst }: Rate, tick: number): void {
    const used = Math.max(0, this.usedUntil - tick) / this.interval
    this.interval = 60_000 / perMinute
    this.burst = burst
    this.usedUntil = tick + Math.min(used, burst) * this.interval
  }

  isIdle(tick: number): boolean {
    return this.usedUntil <= tick
  }
}

/** The window opens with the first use and closes after its length: within it never more than `count`. */
export class WindowMeter implements Meter<WindowBudget> {
  private count: number
  private window: number
  private start = Number.NEGATIVE_INFINITY
  /** Of the window that was open at the last use. */
  used = 0

  constructor({ count, window }: WindowBudget) {
    this.count = count
    this.window = window
  }

  take(n: number, tick: number): number {
    const open = tick < this.start + this.window
    const used = open ? this.used : 0
    if (n > this.count) return Number.POSITIVE_INFINITY
    if (used + n > this.count || used >= this.count) return this.start + this.window - tick
    if (n > 0) this.charge(n, tick)
    return 0
  }

  giveBack(n: number, takenAt: number): void {
    // What was taken in an earlier window is no use of this one.
    if (takenAt >= this.start) this.used = Math.max(0, this.used - n)
  }

  charge(n: number, tick: number): void {
    if (tick >= this.start + this.window) {
      this.start = tick
      this.used = 0
    }
    this.used += n
  }

  configure({ count, window }: WindowBudget): void {
    this.count = count
    this.window = window
  }

  /** Closes the window now. */
  reset(): void {
    this.start = Number.NEGATIVE_INFINITY
    this.used = 0
  }

  isIdle(tick: number): boolean {
    return this.used === 0 || tick >= this.start + this.window
  }
}

export class PlacesMeter implements Meter<number> {
  private places: number
  private taken = 0

  constructor(places: number) {
    this.places = places
  }

  take(n: number): number {
    if (this.taken + n > this.places) return PLACE_RETRY
    this.taken += n
    return 0
  }

  giveBack(n: number): void {
    this.taken -= n
  }

  charge(n: number): void {
    this.taken += n
  }

  configure(places: number): void {
    this.places = places
  }

  isIdle(): boolean {
    return this.taken === 0
  }
}
