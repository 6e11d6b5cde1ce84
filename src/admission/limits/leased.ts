// Limits that replicas share: permits are leased from the store in blocks and used here; without the store a replica has its share.
import type { Rate } from '../../core/principal.ts'
import type { Budget, Lease } from '../../core/store.ts'
import { type Meter, RateMeter, type WindowBudget, WindowMeter } from './meter.ts'
import type { Holder, Replica } from './replica.ts'
import { giveBackWindow, leaseWindow } from './shared-window.ts'

/** What the blocks of all replicas together may hold back from the others, as a part of the limit. */
const HELD_PART = 20
/** A refusal by the store holds here for at most so long, since another replica may give permits back. */
const REFUSAL = 1000
/** Milliseconds by which the clocks of this process and of the store may differ about the end of a window. */
const CLOCK_DRIFT = 5000

interface Waiter {
  readonly n: number
  readonly tick: number
  resolve(wait: number): void
}

/** The half that all shared limits have in common; a subclass says how the store is asked. */
abstract class LeasedMeter<Setting> implements Meter<Setting>, Holder {
  protected readonly replica: Replica
  protected readonly key: string
  /** Permits here; below zero, what was used beyond them and is still to be taken from the store. */
  protected held = 0
  /** Counts every use, so that what this replica has used already is no part of its share. */
  private readonly share: Meter<Setting>
  /** Counts what the store gives, up to twice the limit, which it never gives by itself: who can write to it must not lift the limit. */
  private readonly ceiling: Meter<Setting>
  /** All permits that there are; a larger wish can never be met. */
  private capacity = 0
  private block = 1
  private readonly waiting: Waiter[] = []
  private asking = false
  private usedAt = 0
  private refusedUntil = Number.NEGATIVE_INFINITY
  private freeAt = 0

  constructor(replica: Replica, key: string, share: Meter<Setting>, ceiling: Meter<Setting>) {
    this.replica = replica
    this.key = key
    this.share = share
    this.ceiling = ceiling
  }

  protected abstract ask(want: number): Promise<Lease>
  protected abstract putBack(permits: number): Promise<void>
  /** Drops what belongs to a window that has closed. */
  protected abstract expire(tick: number): void
  /** True where a permit taken then is still worth something. */
  protected abstract isCurrent(takenAt: number, tick: number): boolean
  /** Notes what was used without the store. */
  protected abstract owe(n: number, tick: number): void
  /** Milliseconds after which unused permits go back. */
  protected abstract readonly idleTime: number
  /** Milliseconds that bring one permit; 0 where they all come at once. */
  protected refillTime = 0

  protected resize(capacity: number, share: Setting, ceiling: Setting, tick: number): void {
    this.capacity = capacity
    this.block = 1 + Math.floor(capacity / (HELD_PART * this.replica.maxReplicas))
    this.share.configure(share, tick)
    this.ceiling.configure(ceiling, tick)
  }

  abstract configure(setting: Setting, tick: number): void

  take(n: number, tick: number): number | Promise<number> {
    if (this.waiting.length === 0) {
      this.expire(tick)
      if (this.held >= (n === 0 ? 1 : n)) {
        this.spend(n, tick)
        return 0
      }
      if (n > this.capacity) return Number.POSITIVE_INFINITY
      if (!this.replica.isReachable(tick)) return this.takeShare(n, tick)
      if (tick < this.refusedUntil) return Math.max(1, this.freeAt - tick)
    }
    return new Promise((resolve) => {
      this.waiting.push({ n, tick, resolve })
      if (!this.asking) void this.serve()
    })
  }

  giveBack(n: number, takenAt: number, tick: number): void {
    this.expire(tick)
    this.share.giveBack(n, takenAt, tick)
    if (this.isCurrent(takenAt, tick)) this.hold(n)
  }

  charge(n: number, tick: number): void {
    this.expire(tick)
    this.spend(n, tick)
  }

  isIdle(tick: number): boolean {
    const isAtRest = this.held === 0 && this.waiting.length === 0 && !this.asking
    return isAtRest && this.share.isIdle(tick) && this.ceiling.isIdle(tick)
  }

  async tend(tick: number, all: boolean): Promise<void> {
    this.expire(tick)
    const reachable = this.replica.isReachable(tick)
    if (this.held < 0 && !this.asking && reachable) await this.serve()
    if (this.held > 0 && reachable && (all || tick - this.usedAt >= this.idleTime)) {
      const permits = this.held
      this.held = 0
      try {
        await this.putBack(permits)
        this.mayGiveAgain(permits)
        this.replica.succeeded()
      } catch (error) {
        // They stay taken: a rate refills, a window closes.
        this.replica.failed(error, this.replica.tick())
      }
    }
    if (this.held === 0) this.replica.holders.delete(this)
  }

  protected hold(permits: number): void {
    this.held += permits
    if (this.held !== 0) this.replica.holders.add(this)
  }

  private spend(n: number, tick: number): void {
    this.usedAt = tick
    this.hold(-n)
    this.share.charge(n, tick)
  }

  private takeShare(n: number, tick: number): number {
    const wait = this.share.take(n, tick) as number
    if (wait === 0) this.owe(n, tick)
    // More than the share ever has: the store may be back at any time.
    return wait === Number.POSITIVE_INFINITY ? REFUSAL : wait
  }

  /** Asks the store for all that wait, again and again until nobody does: they share one request at a time. */
  private async serve(): Promise<void> {
    this.asking = true
    try {
      do {
        await this.serveOnce()
      } while (this.waiting.length > 0)
    } catch (error) {
      this.replica.failed(error, this.replica.tick())
      for (const { n, tick, resolve } of this.waiting.splice(0)) resolve(this.takeShare(n, tick))
    } finally {
      this.asking = false
    }
  }

  private checkCeiling(lease: Lease): Lease {
    const wait = lease.granted === 0 ? 0 : (this.ceiling.take(lease.granted, this.replica.tick()) as number)
    return wait === 0 ? lease : { granted: 0, retryAfter: wait }
  }

  /** What the store has forgotten, or has back, it may give again. */
  protected mayGiveAgain(permits: number): void {
    const tick = this.replica.tick()
    this.ceiling.giveBack(permits, tick, tick)
  }

  private async serveOnce(): Promise<void> {
    let need = -this.held
    for (const { n } of this.waiting) need += n === 0 ? 1 : n
    let lease: Lease | undefined
    if (need > 0) {
      const want = Math.min(this.capacity, Math.max(need, this.block))
      lease = this.checkCeiling(await this.ask(want))
      this.replica.succeeded()
      this.hold(lease.granted)
      if (lease.granted === want) lease = undefined
    }
    const unserved: Waiter[] = []
    for (const waiter of this.waiting.splice(0)) {
      if (this.held >= (waiter.n === 0 ? 1 : waiter.n)) {
        this.spend(waiter.n, waiter.tick)
        waiter.resolve(0)
      } else unserved.push(waiter)
    }
    if (lease === undefined) {
      // They came while the store was being asked.
      this.waiting.push(...unserved)
      return
    }
    const tick = this.replica.tick()
    const owed = Math.max(0, -this.held)
    const wait = Math.max(1, lease.retryAfter + owed * this.refillTime)
    this.freeAt = tick + wait
    this.refusedUntil = tick + Math.min(wait, REFUSAL)
    for (const { resolve } of unserved) resolve(wait)
  }
}

export class LeasedRate extends LeasedMeter<Rate> {
  protected override readonly idleTime = 1000
  private budget: Budget = { capacity: 1, refill: 1, per: 60_000 }

  constructor(replica: Replica, key: string, rate: Rate, tick: number) {
    super(replica, key, new RateMeter(shareOf(rate, replica)), new RateMeter(ceilingOf(rate)))
    this.configure(rate, tick)
  }

  override configure(rate: Rate, tick: number): void {
    this.budget = { capacity: rate.burst, refill: rate.perMinute, per: 60_000 }
    this.refillTime = 60_000 / rate.perMinute
    this.resize(rate.burst, shareOf(rate, this.replica), ceilingOf(rate), tick)
  }

  protected override async ask(want: number): Promise<Lease> {
    const { granted, retryAfter } = await this.replica.store.lease(this.key, this.budget, want)
    // Something was granted, but not enough for all: the rest waits for the next refill.
    return { granted, retryAfter: retryAfter > 0 ? retryAfter : this.refillTime }
  }

  protected override putBack(permits: number): Promise<void> {
    return this.replica.store.giveBack(this.key, this.budget, permits)
  }

  protected override expire(): void {
    // Permits of a rate do not age: what is held was taken from the bucket.
  }

  protected override isCurrent(_takenAt: number, tick: number): boolean {
    // Without the store it came from the share, which has it back already.
    return this.replica.isReachable(tick)
  }

  protected override owe(n: number): void {
    // The bucket in the store refills meanwhile, up to its capacity: so much of that is this replica's to pay for.
    const most = partOf(this.budget.capacity, this.replica)
    this.hold(-Math.min(n, Math.max(0, this.held + most)))
  }
}

export class LeasedWindow extends LeasedMeter<WindowBudget> {
  protected override readonly idleTime = 60_000
  private budget: WindowBudget
  /** What this replica has used in the window, with and without the store. */
  private readonly own: WindowMeter
  /** Start of the window in the store, in milliseconds since the epoch: its name; 0 = none is known. */
  private start = 0
  /** On the clock of `tick`: until when the window before lasted, and when this one closes. */
  private opened = Number.NEGATIVE_INFINITY
  private closes = Number.POSITIVE_INFINITY

  constructor(replica: Replica, key: string, budget: WindowBudget, tick: number) {
    const own = new WindowMeter(windowShareOf(budget, replica))
    super(replica, key, own, new WindowMeter(windowCeilingOf(budget)))
    this.own = own
    this.budget = budget
    this.configure(budget, tick)
  }

  override configure(budget: WindowBudget, tick: number): void {
    // Of another length it may be over already; then the store has lost nothing.
    if (budget.window !== this.budget.window) this.start = 0
    this.budget = budget
    this.resize(budget.count, windowShareOf(budget, this.replica), windowCeilingOf(budget), tick)
  }

  protected override async ask(want: number): Promise<Lease> {
    const { store, now, tick } = this.replica
    const lease = await leaseWindow(store, this.key, this.budget, want, Math.floor(now()))
    const early = this.closes - tick() > Math.max(CLOCK_DRIFT, this.budget.window / 100)
    // The window was not over, so the store has lost it (a restart without persistence): this replica's part is counted again.
    if (lease.start !== this.start && this.start !== 0 && early) {
      this.hold(-this.own.used)
      this.mayGiveAgain(this.own.used)
    }
    this.start = lease.start
    this.closes = tick() + lease.left
    return { granted: lease.granted, retryAfter: lease.left }
  }

  protected override putBack(permits: number): Promise<void> {
    const { store, now } = this.replica
    return giveBackWindow(store, this.key, this.budget, { start: this.start, permits }, Math.floor(now()))
  }

  protected override expire(tick: number): void {
    if (tick < this.closes) return
    this.held = 0
    this.own.reset()
    this.start = 0
    this.opened = tick
    this.closes = Number.POSITIVE_INFINITY
  }

  protected override isCurrent(takenAt: number): boolean {
    return takenAt >= this.opened
  }

  protected override owe(n: number, tick: number): void {
    this.hold(-n)
    if (this.closes === Number.POSITIVE_INFINITY) this.closes = tick + this.budget.window
  }
}

const shareOf = (rate: Rate, replica: Replica): Rate => ({
  perMinute: rate.perMinute / replica.maxReplicas,
  burst: partOf(rate.burst, replica),
})

// The blocks that are held here come on top of what the bucket refills meanwhile.
const ceilingOf = ({ perMinute, burst }: Rate): Rate => ({ perMinute, burst: 2 * burst })

// Two windows of the store can lie in one of this process.
const windowCeilingOf = ({ count, window }: WindowBudget): WindowBudget => ({ count: 2 * count, window })

const partOf = (burst: number, { maxReplicas }: Replica): number =>
  Math.max(1, Math.floor(burst / maxReplicas))

const windowShareOf = ({ count, window }: WindowBudget, replica: Replica): WindowBudget => ({
  count: partOf(count, replica),
  window,
})
