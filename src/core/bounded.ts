// Keeps maps that grow with their callers within a size: the oldest entry goes, or those that are idle.

/** Sets the value; a new key in a map of `max` entries takes the place of the oldest. */
export function setBounded<K, V>(map: Map<K, V>, key: K, value: V, max: number): void {
  if (map.size >= max && !map.has(key)) {
    // Maps keep their order: the first key is the oldest.
    for (const oldest of map.keys()) {
      map.delete(oldest)
      break
    }
  }
  map.set(key, value)
}

/** Deletes the idle ones among the next `count` entries, round and round; `now` is given to `isIdle`. */
export type Sweep = (count: number, now: number) => void

export function createSweep<K, V>(map: Map<K, V>, isIdle: (value: V, now: number) => boolean): Sweep {
  // A Map's iterator stays valid while entries come and go.
  let hand = map.entries()
  return (count, now) => {
    // Once round a small map is enough.
    for (let left = Math.min(count, map.size); left > 0; left--) {
      let next = hand.next()
      if (next.done === true) {
        hand = map.entries()
        next = hand.next()
        if (next.done === true) return
      }
      const [key, value] = next.value
      if (isIdle(value, now)) map.delete(key)
    }
  }
}
