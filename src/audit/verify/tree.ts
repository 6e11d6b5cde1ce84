// The verifier's own Merkle tree (RFC 9162 2.1): plain data, so that a state can be copied and saved. It shares no code with the writer.
import { hash } from 'node:crypto'

/** The right edge of a tree: roots of full subtrees, the largest first, one for each bit that is set in `size`. */
export interface Edge {
  size: number
  nodes: Buffer[]
}

export const newEdge = (): Edge => ({ size: 0, nodes: [] })
// Nodes are never changed in place.
export const copyEdge = ({ size, nodes }: Edge): Edge => ({ size, nodes: nodes.slice() })

// The hash takes its input at once, so one buffer of each kind serves all calls.
const leafInput = Buffer.alloc(33)
const nodeInput = Buffer.alloc(65)
nodeInput[0] = 1

function node(left: Buffer, right: Buffer): Buffer {
  left.copy(nodeInput, 1)
  right.copy(nodeInput, 33)
  return hash('sha256', nodeInput, 'buffer')
}

/** Adds a record by its hash, which has been checked for its form. */
export function addRecord(edge: Edge, recordHash: string): void {
  leafInput.write(recordHash, 1, 'base64url')
  let added: Buffer = hash('sha256', leafInput, 'buffer')
  for (let bits = edge.size; bits & 1; bits >>>= 1) added = node(edge.nodes.pop() as Buffer, added)
  edge.nodes.push(added)
  edge.size++
}

/** The root over at least one record, base64url. */
export function rootOf({ nodes }: Edge): string {
  let root = nodes.at(-1) as Buffer
  for (let i = nodes.length - 2; i >= 0; i--) root = node(nodes[i] as Buffer, root)
  return root.toString('base64url')
}

const STEP = /^[LR][\w-]{43}$/
const MAX_STEPS = 20

/** The root to which the path of a receipt leads; undefined where it is not of the form. */
export function climbPath(claims: string, path: unknown): string | undefined {
  if (!Array.isArray(path) || path.length > MAX_STEPS) return undefined
  let at: Buffer = hash('sha256', `\0ductape-receipt/1${claims}`, 'buffer')
  for (const step of path) {
    if (typeof step !== 'string' || !STEP.test(step)) return undefined
    const sibling = Buffer.from(step.slice(1), 'base64url')
    if (sibling.toString('base64url') !== step.slice(1)) return undefined
    at = step.startsWith('L') ? node(sibling, at) : node(at, sibling)
  }
  return at.toString('base64url')
}
