// Durations counted by bucket, with the trace of the last sampled one: what a histogram shows, kept without the library that shows it.

export interface Exemplar {
  readonly labelSet: { readonly trace_id: string }
  readonly value: number
  /** Seconds since the epoch. */
  readonly timestamp: number
}

export interface Distribution {
  /** Upper ends of the buckets, in seconds. */
  readonly bounds: readonly number[]
  /** One more than there are bounds. */
  readonly counts: number[]
  sum: number
  readonly exemplars: (Exemplar | undefined)[]
}

export const createDistribution = (bounds: readonly number[]): Distribution => ({
  bounds,
  counts: new Array<number>(bounds.length + 1).fill(0),
  sum: 0,
  exemplars: [],
})

/** Counts one duration and says in which bucket it fell. */
export function count(distribution: Distribution, seconds: number): number {
  const { bounds, counts } = distribution
  let bucket = 0
  while (bucket < bounds.length && seconds > (bounds[bucket] as number)) bucket++
  counts[bucket] = (counts[bucket] as number) + 1
  distribution.sum += seconds
  return bucket
}
