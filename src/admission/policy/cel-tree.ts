// The syntax tree of the CEL library, as far as conditions look at it; pinned by the exact version and by test/policy/cel.

/** A node; `args` depends on `op`: children, names, literals. */
export interface Node {
  readonly op: string
  readonly args: unknown
  /** Offset into the source. */
  readonly start: number
  /** Set by the type check: what evaluates the node once its operands are known. */
  handle?: Handle
  /** `alternate`: what a macro or a constant stands for. */
  readonly meta: { readonly alternate?: Node }
}

type Handle = (first: unknown, second: unknown, third: unknown, fourth: unknown) => unknown

/** Child nodes, in the order of the source. */
export function children(node: Node): Node[] {
  return nodesIn(node.args)
}

function nodesIn(value: unknown): Node[] {
  if (Array.isArray(value)) return value.flatMap(nodesIn)
  return isNode(value) ? [value] : []
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'op' in value && 'args' in value

export function countNodes(node: Node): number {
  let count = 1
  for (const child of children(node)) count += countNodes(child)
  return count
}
