// Finds the checks of a source file, and what the file is with one of them left out.
import { parse } from '@babel/parser'

export interface Mutant {
  readonly file: string
  readonly line: number
  /** What is left out, on one line; a second one of the same words ends in `(2)`. With the file it names the mutant, whatever line it stands on. */
  readonly text: string
  readonly start: number
  readonly end: number
  readonly replacement: string
}

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly loc: { readonly start: { readonly line: number } }
  readonly [member: string]: unknown
}

/** Rules that a schema is given by a method; what the method is called on is the schema without it. */
const SCHEMA_RULES = new Set(['min', 'max', 'length', 'regex', 'refine', 'superRefine', 'check'])

/** `x === undefined` inside a larger expression says when the rest has something to look at. */
function isPresence(node: Node): boolean {
  const { operator, right } = node as unknown as { operator?: string; right?: Node }
  return (operator === '===' || operator === '!==') && right?.['name'] === 'undefined'
}

/**
 * Every way to leave out one check of this file, in the order of the source: the condition of an `if` is false, an operand of `&&`
 * or `||`, or one of two calls joined by `??`, is gone, a conditional expression has one branch, a list is not filtered, a schema
 * lacks a rule.
 */
export function findMutants(file: string, source: string): Mutant[] {
  const found: Mutant[] = []
  const program = parse(source, { sourceType: 'module', plugins: ['typescript'] })
  const isSchema = file.endsWith('/config.ts')
  const textOf = ({ start, end }: Node): string => source.slice(start, end)
  // A whole condition can be long; its beginning says which it is.
  const brief = (node: Node): string => textOf(node).replace(/\s+/g, ' ').slice(0, 120)

  function add(node: Node, text: string, replacement: string): void {
    const { start, end } = node
    found.push({ file, line: node.loc.start.line, text, start, end, replacement })
  }

  /** `kept` stands in brackets: it may bind less tightly than what it replaces. */
  const keep = (node: Node, kept: Node, text: string): void => add(node, text, `(${textOf(kept)})`)

  function visit(node: Node): void {
    if (node.type === 'IfStatement') {
      const test = node['test'] as Node
      add(test, `if (${brief(test)})`, 'false')
    }
    if (node.type === 'LogicalExpression') visitLogical(node)
    if (node.type === 'ConditionalExpression') visitConditional(node)
    if (node.type === 'CallExpression') visitCall(node)
  }

  function visitLogical(node: Node): void {
    const { left, right, operator } = node as unknown as { left: Node; right: Node; operator: string }
    // A value with its default is no check; one check after another is.
    if (operator === '??' && (left.type !== 'CallExpression' || right.type !== 'CallExpression')) return
    // Of `a && b && c` the operands are left out one by one, each where it stands.
    if ((left.type !== 'LogicalExpression' || left['operator'] !== operator) && !isPresence(left))
      keep(node, right, `${brief(left)} ${operator}`)
    if (!isPresence(right)) keep(node, left, `${operator} ${brief(right)}`)
  }

  function visitConditional(node: Node): void {
    const { test, consequent, alternate } = node as unknown as Record<
      'test' | 'consequent' | 'alternate',
      Node
    >
    if (isPresence(test)) return
    keep(node, alternate, `${brief(test)} ? ${brief(consequent)}`)
    keep(node, consequent, `${brief(test)} : ${brief(alternate)}`)
  }

  function visitCall(node: Node): void {
    const callee = node['callee'] as Node
    if (callee.type !== 'MemberExpression') return
    const name = (callee['property'] as { name?: string }).name ?? ''
    if (name !== 'filter' && !(isSchema && SCHEMA_RULES.has(name))) return
    const object = callee['object'] as Node
    keep(
      node,
      object,
      `.${name}${textOf(node).slice((callee['property'] as Node).end - node.start)}`
        .replace(/\s+/g, ' ')
        .slice(0, 120),
    )
  }

  walk(program.program as unknown as Node, visit)
  return numbered(found.sort((one, other) => one.start - other.start || one.end - other.end))
}

function numbered(mutants: readonly Mutant[]): Mutant[] {
  const seen = new Map<string, number>()
  return mutants.map((mutant) => {
    const count = (seen.get(mutant.text) ?? 0) + 1
    seen.set(mutant.text, count)
    return count === 1 ? mutant : { ...mutant, text: `${mutant.text} (${count})` }
  })
}

export const apply = (source: string, { start, end, replacement }: Mutant): string =>
  source.slice(0, start) + replacement + source.slice(end)

function walk(node: Node, visit: (node: Node) => void): void {
  visit(node)
  for (const value of Object.values(node)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (typeof item === 'object' && item !== null && typeof (item as Node).type === 'string')
        walk(item as Node, visit)
    }
  }
}
