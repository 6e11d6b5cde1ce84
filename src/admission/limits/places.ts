// Places that replicas share: each is held in the store by this replica, used by one call after the other, and renewed while it is in use.
import { type Meter, PLACE_RETRY } from './meter.ts'
import type { Holder, Replica } from './replica.ts'

/** A replica that dies holds its places for so long. */
const HOLD = 60_000
const RENEW = 20_000
/** What all replicas together may keep while nobody uses it, as a part of the limit. */
const KEPT_PART = 20
const IDLE = 1000

export class LeasedPlaces implements Meter<number>, Holder {
  private readonly replica: Replica
  private readonly key: string
  private places: number
  private taken = 0
  /** Names under which this replica holds places in the store. */
  private readonly names: string[] = []
  private made = 0
  private asking = 0
  private usedAt = 0
  private renewedAt = 0

  constructor(replica: Replica, key: string, places: number) {
    this.replica = replica
    this.key = key
    this.places = places
  }

  configure(places: number): void {
    this.places = places
  }

  // A call takes one place: `n` is always 1.
  take(_n: number, tick: number): number | Promise<number> {
    this.usedAt = tick
    if (this.taken >= this.places) return PLACE_RETRY
    if (this.taken < this.names.length) {
      this.taken++
      return 0
    }
    return this.replica.isReachable(tick) ? this.acquire(tick) : this.takeShare()
  }

  giveBack(_n: number, _takenAt: number, tick: number): void {
    this.taken--
    const kept = Math.floor(this.places / (KEPT_PART * this.replica.maxReplicas))
    while (this.names.length > Math.max(0, this.taken + kept)) void this.release(tick)
  }

  charge(n: number): void {
    this.taken += n
  }

  isIdle(): boolean {
    return this.taken === 0 && this.asking === 0 && this.names.length === 0
  }

  async tend(tick: number, all: boolean): Promise<void> {
    const work: Promise<void>[] = []
    const kept = all ? 0 : tick - this.usedAt >= IDLE ? this.taken : this.names.length
    while (this.names.length > kept) work.push(this.release(tick))
    if (tick - this.renewedAt >= RENEW && this.replica.isReachable(tick)) {
      this.renewedAt = tick
      for (const name of this.names) work.push(this.renew(name))
    }
    await Promise.all(work)
    if (this.names.length === 0) this.replica.holders.delete(this)
  }

  private async acquire(tick: number): Promise<number> {
    const name = `${this.replica.instance}/${this.made++}`
    this.asking++
    try {
      const got = await this.replica.store.acquire(this.key, name, this.places, HOLD)
      this.replica.succeeded()
      if (!got) return PLACE_RETRY
      if (this.names.length === 0) this.renewedAt = tick
      this.names.push(name)
      this.replica.holders.add(this)
      this.taken++
      return 0
    } catch (error) {
      // If the store did give the place, it ends by itself.
      this.replica.failed(error, this.replica.tick())
      return this.takeShare()
    } finally {
      this.asking--
    }
  }

  private takeShare(): number {
    if (this.taken >= Math.max(1, Math.floor(this.places / this.replica.maxReplicas))) return PLACE_RETRY
    this.taken++
    return 0
  }

  private async release(tick: number): Promise<void> {
    const name = this.names.pop()
    // Without the store the place ends by itself.
    if (name === undefined || !this.replica.isReachable(tick)) return
    try {
      await this.replica.store.release(this.key, name)
      this.replica.succeeded()
    } catch (error) {
      this.replica.failed(error, this.replica.tick())
    }
  }

  private async renew(name: string): Promise<void> {
    try {
      const kept = await this.replica.store.acquire(this.key, name, this.places, HOLD)
      this.replica.succeeded()
      const at = this.names.indexOf(name)
      // It had ended meanwhile, and somebody else has it.
      if (!kept && at >= 0) this.names.splice(at, 1)
    } catch (error) {
      this.replica.failed(error, this.replica.tick())
    }
  }
}
