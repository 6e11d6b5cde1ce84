// The Merkle tree over the records of a chain as it grows (RFC 9162 2.1.1): only its right edge is kept, 32 bytes for each bit of its size.
import { hash } from 'node:crypto'

export interface RecordTree {
  /** Adds a record by its hash, base64url. */
  add(recordHash: string): void
  /** The root over all records so far, one at least, base64url. */
  root(): string
}

// Hashes are kept as texts of 32 characters, a byte each: making a Buffer of every one costs four times as much, twice a record.
// Records wait until somebody asks for the root: a hundred of them in one loop cost less than half of one hash here and one there.
const leafInput = Buffer.alloc(33, 0)
const nodeInput = Buffer.alloc(65, 1)

function node(left: string, right: string): string {
  nodeInput.write(left, 1, 'latin1')
  nodeInput.write(right, 33, 'latin1')
  return hash('sha256', nodeInput, 'latin1')
}

const MAX_WAITING = 1024

export function createRecordTree(): RecordTree {
  /** Roots of full subtrees, the largest first: one for each bit that is set in `size`. */
  const edge: string[] = []
  let size = 0
  const waiting: string[] = []

  const grow = (recordHash: string): void => {
    leafInput.write(recordHash, 1, 'base64url')
    let added = hash('sha256', leafInput, 'latin1')
    for (let bits = size; bits & 1; bits >>>= 1) added = node(edge.pop() as string, added)
    edge.push(added)
    size++
  }

  const catchUp = (): void => {
    for (const recordHash of waiting) grow(recordHash)
    waiting.length = 0
  }

  return {
    add(recordHash) {
      if (waiting.push(recordHash) >= MAX_WAITING) catchUp()
    },
    root() {
      catchUp()
      let root = edge.at(-1) as string
      for (let i = edge.length - 2; i >= 0; i--) root = node(edge[i] as string, root)
      return Buffer.from(root, 'latin1').toString('base64url')
    },
  }
}
