// The Merkle tree of a group of receipts (RFC 9162 2.1): its root, and the path of each receipt to it.
import { hash } from 'node:crypto'

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
  return { root: level[0] as string, paths: ways.map((way) => `[${way}]`) }
}
