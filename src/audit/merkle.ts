// Merkle trees of RFC 9162 2.1: the head over the records of a chain, kept as it grows, and the paths of a small tree of receipts.
import { createHash, hash } from 'node:crypto'

const NODE = Buffer.from([1])
const LEAF = Buffer.from([0])
/** H of nothing: the head of a tree without leaves. */
const EMPTY = hash('sha256', Buffer.alloc(0), 'buffer')

/** H(0x00, data...). */
export function leafHash(...data: readonly (Buffer | string)[]): Buffer {
  const digest = createHash('sha256').update(LEAF)
  for (const part of data) digest.update(part)
  return digest.digest()
}

export const nodeHash = (left: Buffer, right: Buffer): Buffer =>
  hash('sha256', Buffer.concat([NODE, left, right], 65), 'buffer')

export interface TreeHead {
  readonly size: number
  /** Adds a leaf hash. */
  add(leaf: Buffer): void
  /** Root over all leaves so far. */
  root(): Buffer
}

/** A tree of which only the right edge is kept: 32 bytes for each bit of its size. */
export function createTreeHead(): TreeHead {
  /** Roots of full subtrees, the largest first: one for each bit that is set in `size`. */
  const edge: Buffer[] = []
  let size = 0
  return {
    get size() {
      return size
    },
    add(leaf) {
      let node = leaf
      for (let bits = size; bits & 1; bits >>>= 1) node = nodeHash(edge.pop() as Buffer, node)
      edge.push(node)
      size++
    },
    root() {
      let node = edge.at(-1)
      if (node === undefined) return EMPTY
      for (let i = edge.length - 2; i >= 0; i--) node = nodeHash(edge[i] as Buffer, node)
      return node
    },
  }
}

/** A step from a leaf to the root: `L` or `R`, where the sibling stands, and its hash in base64url. */
export type Step = string

export const MAX_STEPS = 20

/** The root over the leaves, of which there is one at least, and for each leaf the steps that lead there. */
export function treePaths(leaves: readonly Buffer[]): { root: Buffer; paths: Step[][] } {
  const paths: Step[][] = leaves.map(() => [])
  /** Nodes of one level, each with the first of the leaves below it; the next one's first ends its run. */
  let level = leaves.map((node, first) => ({ node, first }))
  // Pairing neighbours and carrying an odd last one up gives the tree of RFC 9162, which splits at powers of two.
  while (level.length > 1) {
    const next: typeof level = []
    for (let i = 0; i < level.length; i += 2) {
      const left = level[i] as (typeof level)[number]
      const right = level[i + 1]
      if (right === undefined) {
        next.push(left)
        continue
      }
      const end = level[i + 2]?.first ?? leaves.length
      const toLeft = `L${left.node.toString('base64url')}`
      const toRight = `R${right.node.toString('base64url')}`
      for (let at = left.first; at < right.first; at++) paths[at]?.push(toRight)
      for (let at = right.first; at < end; at++) paths[at]?.push(toLeft)
      next.push({ node: nodeHash(left.node, right.node), first: left.first })
    }
    level = next
  }
  return { root: level[0]?.node ?? EMPTY, paths }
}

const STEP = /^[LR][\w-]{43}$/

/** The root to which the steps lead; undefined where one is not of the form, or not canonical base64url. */
export function climb(leaf: Buffer, path: readonly unknown[]): Buffer | undefined {
  if (path.length > MAX_STEPS) return undefined
  let node = leaf
  for (const step of path) {
    if (typeof step !== 'string' || !STEP.test(step)) return undefined
    const sibling = Buffer.from(step.slice(1), 'base64url')
    if (sibling.toString('base64url') !== step.slice(1)) return undefined
    node = step.startsWith('L') ? nodeHash(sibling, node) : nodeHash(node, sibling)
  }
  return node
}
