// Decides whether a peer may send one more request before anybody knows who it is: it protects the process, the limits protect the backend.
import { isIPv6 } from 'node:net'
import { createSweep } from '../core/bounded.ts'

export interface PeerBucketOptions {
  /** Requests a minute of one peer. */
  perMinute: number
  /** Requests of one peer that may come at once. */
  burst: number
  /** Peers that are told apart at one time. */
  maxPeers?: number
  /** Monotonic milliseconds. */
  tick(): number
}

export interface PeerBucket {
  /** Takes one request of the peer: 0, or the whole milliseconds until it may send the next. */
  take(peer: string): number
  size(): number
}

interface Bucket {
  /** Until then its requests have used up the rate (theoretical arrival time of GCRA, ITU-T I.371 A). */
  usedUntil: number
}

/** Buckets that are looked at to make room for one. */
const LOOK = 32
/** Rounding errors of fractions of a millisecond. */
const EPSILON = 1e-3

/** One host commonly has a whole /64 of IPv6 (RFC 6177 2, RFC 4291 2.5.4), so that is the peer; an IPv4-mapped address is its IPv4. */
export function bucketName(peer: string): string {
  // Every other name, a fingerprint above all, is told apart by this alone.
  if (!peer.includes(':') || !isIPv6(peer)) return peer
  if (peer.includes('.')) return peer.slice(peer.lastIndexOf(':') + 1)
  const [head = '', tail] = peer.split('%', 1)[0]?.split('::') ?? []
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const groups =
    tail === undefined ? before : [...before, ...zeros(8 - before.length - after.length), ...after]
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}

const zeros = (count: number): string[] => new Array<string>(count).fill('0')

export function createPeerBucket(options: PeerBucketOptions): PeerBucket {
  const { maxPeers = 10_000, tick } = options
  const interval = 60_000 / options.perMinute
  const depth = options.burst * interval
  const buckets = new Map<string, Bucket>()
  // When all are in use, the peers that there is no room for share one: a crowd of new addresses gets no more than one peer does.
  const overflow: Bucket = { usedUntil: 0 }
  // A full bucket is as good as none.
  const sweep = createSweep(buckets, ({ usedUntil }, now) => usedUntil <= now)

  const bucketOf = (peer: string, now: number): Bucket => {
    const known = buckets.get(peer)
    if (known !== undefined) return known
    if (buckets.size >= maxPeers) sweep(LOOK, now)
    if (buckets.size >= maxPeers) return overflow
    const bucket: Bucket = { usedUntil: 0 }
    buckets.set(peer, bucket)
    return bucket
  }

  return {
    take(peer) {
      const now = tick()
      const bucket = bucketOf(bucketName(peer), now)
      const next = Math.max(bucket.usedUntil, now) + interval
      const wait = next - now - depth
      if (wait > EPSILON) return Math.ceil(wait)
      bucket.usedUntil = next
      return 0
    },
    size: () => buckets.size,
  }
}
