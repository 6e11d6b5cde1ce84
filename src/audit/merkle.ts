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

/** 0x01, left, right. Reading hashes from text into these bytes costs half of what a Buffer for each node does. */
const pair = Buffer.alloc(65, 1)

function nodeText(left: string, right: string): string {
  pair.write(left, 1, 'base64url')
  pair.write(right, 33, 'base64url')
  return hash('sha256', pair, 'base64url')
}

/** The root over the leaves (base64url, one at least), and for each leaf the JSON text of the list of steps that lead there. */
export function treePaths(leaves: readonly string[]): { root: string; paths: string[] } {
  // Pairing neighbours and carrying an odd last one up gives the tree of RFC 9162, which splits at powers of two.
  const levels: (readonly string[])[] = []
  let level = leaves
  while (level.length > 1) {
    levels.push(level)
    const next: string[] = []
    for (let i = 0; i < level.length; i += 2) {
      const right = level[i + 1]
      const left = level[i] as string
      next.push(right === undefined ? left : nodeText(left, right))
    }
    level = next
  }
  // From the root down, so that what two leaves share of their ways is put together once.
  let ways = ['']
  for (const nodes of levels.reverse()) {
    ways = nodes.map((_, i) => {
      const above = ways[i >> 1] as string
      const sibling = nodes[i ^ 1]
      if (sibling === undefined) return above
      const step = i & 1 ? `"L${sibling}"` : `"R${sibling}"`
      return above === '' ? step : `${step},${above}`
    })
  }
  return { root: level[0] ?? EMPTY.toString('base64url'), paths: ways.map((way) => `[${way}]`) }
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
