// Which entry ends first: a binary heap that knows the place of each entry, so that one can end early or live longer.

export interface Expiring {
  /** When it ends, in milliseconds; Infinity = never. */
  end: number
  /** Its place in the heap; the heap's own. */
  slot: number
}

export interface Expiry<T extends Expiring> {
  size(): number
  first(): T | undefined
  add(item: T): void
  remove(item: T): void
  /** After a change of its end. */
  moved(item: T): void
}

export function createExpiry<T extends Expiring>(): Expiry<T> {
  const heap: T[] = []

  const put = (item: T, slot: number): void => {
    heap[slot] = item
    item.slot = slot
  }

  /** Lets the item rise or sink from a free slot to where it belongs. */
  const settle = (item: T, from: number): void => {
    let slot = from
    while (slot > 0) {
      const above = (slot - 1) >> 1
      const parent = heap[above]
      if (parent === undefined || parent.end <= item.end) break
      put(parent, slot)
      slot = above
    }
    for (;;) {
      const left = 2 * slot + 1
      const right = left + 1
      const sooner = (heap[right]?.end ?? Number.NaN) < (heap[left]?.end ?? Number.NaN) ? right : left
      const child = heap[sooner]
      if (child === undefined || child.end >= item.end) break
      put(child, slot)
      slot = sooner
    }
    put(item, slot)
  }

  return {
    size: () => heap.length,
    first: () => heap[0],
    add: (item) => settle(item, heap.length),
    remove(item) {
      const last = heap.pop()
      if (last !== undefined && last !== item) settle(last, item.slot)
    },
    moved: (item) => settle(item, item.slot),
  }
}
