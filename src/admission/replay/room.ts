// How many bytes of answers are kept for one tenant, so that none fills the store that all of them use.
import { setBounded } from '../../core/bounded.ts'

/** For each tenant, in each retention, from this process. */
const MAX_BYTES = 16 * 1024 * 1024
const MAX_TENANTS = 10_000

/** True where there was room, which is then taken. Windows are fixed, so two of them together can hold twice the bytes. */
export function createRoom(
  now: () => number,
  window: number,
  limit = MAX_BYTES,
): (tenant: string | undefined, bytes: number) => boolean {
  const used = new Map<string | undefined, number>()
  let end = 0
  return (tenant, bytes) => {
    const time = now()
    if (time >= end) {
      used.clear()
      end = time + window
    }
    const sum = (used.get(tenant) ?? 0) + bytes
    if (sum > limit) return false
    setBounded(used, tenant, sum, MAX_TENANTS)
    return true
  }
}
