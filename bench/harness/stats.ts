// The arithmetic of the runs: medians, percentiles, least-squares slope and a seeded generator.

/** The middle value, or the mean of the two middle ones; NaN when there is none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const upper = sorted[sorted.length >> 1] ?? Number.NaN
  if (sorted.length % 2 === 1) return upper
  return (upper + (sorted[(sorted.length >> 1) - 1] ?? Number.NaN)) / 2
}

/** Nearest-rank percentile of an ascending list, `p` from 0 to 100; NaN when the list is empty. */
export function percentile(ascending: ArrayLike<number>, p: number): number {
  const rank = Math.max(1, Math.ceil((p / 100) * ascending.length))
  return ascending[rank - 1] ?? Number.NaN
}

/** Least-squares slope of y over x; NaN for fewer than two distinct x. */
export function slope(points: readonly { readonly x: number; readonly y: number }[]): number {
  const n = points.length
  const meanX = points.reduce((sum, p) => sum + p.x, 0) / n
  const meanY = points.reduce((sum, p) => sum + p.y, 0) / n
  let covariance = 0
  let variance = 0
  for (const { x, y } of points) {
    covariance += (x - meanX) * (y - meanY)
    variance += (x - meanX) ** 2
  }
  return covariance / variance
}

/**
 * The median of the pairwise ratios. Two servers measured in the same round share that round's noise, so the ratio
 * of a pair is steadier than the ratio of two medians.
 */
export function medianRatio(above: readonly number[], below: readonly number[]): number {
  if (above.length !== below.length) throw new Error('a ratio needs one value of each side per round')
  return median(above.map((value, i) => value / (below[i] ?? Number.NaN)))
}

/** The list turned left by `by`: each round begins with another server. */
export function rotated<T>(list: readonly T[], by: number): T[] {
  const at = list.length === 0 ? 0 : by % list.length
  return [...list.slice(at), ...list.slice(0, at)]
}

/** A seeded generator of numbers in [0, 1): a 32-bit Weyl sequence through a finaliser of xor-shifts and multiplies. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let x = state
    x = Math.imul(x ^ (x >>> 16), 0x21f0aaad)
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97)
    return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32
  }
}

/** Picks an index with the chance that its weight has in the sum; `roll` is in [0, 1). */
export function weighted(weights: readonly number[], roll: number): number {
  let left = roll * weights.reduce((sum, weight) => sum + weight, 0)
  for (const [index, weight] of weights.entries()) {
    left -= weight
    if (left < 0) return index
  }
  return weights.length - 1
}
