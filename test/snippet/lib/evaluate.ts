// Reads the literals of a TypeScript snippet from its syntax tree, without running anything.
import { parse } from '@babel/parser'

interface Named {
  type: string
  [member: string]: unknown
}

export interface Evaluated {
  payload: unknown
  args: unknown
  /** The call path of the awaited call, e.g. ductape.databases.query. */
  call: string
  /** The type of each top-level statement, in order. */
  statements: string[]
}

/** Parses the snippet as a TypeScript module and evaluates `payload` and `args` of its function run. */
export function evaluateTypeScript(source: string): Evaluated {
  const tree = parse(source, { sourceType: 'module', plugins: ['typescript'] })
  const body = tree.program.body as unknown as Named[]
  const run = body.find((node) => node.type === 'FunctionDeclaration')
  const constants = new Map<string, Named>()
  for (const statement of (run as unknown as { body: { body: Named[] } }).body.body) {
    if (statement.type !== 'VariableDeclaration' || statement['kind'] !== 'const') continue
    for (const declarator of statement['declarations'] as { id: { name: string }; init: Named }[]) {
      constants.set(declarator.id.name, declarator.init)
    }
  }
  const awaited = constants.get('result')?.['argument'] as Named
  return {
    payload: evaluate(constants.get('payload')),
    args: evaluate(constants.get('args')),
    call: pathOf(awaited['callee'] as Named),
    statements: body.map((node) => node.type),
  }
}

function pathOf(node: Named): string {
  if (node.type === 'Identifier') return node['name'] as string
  return `${pathOf(node['object'] as Named)}.${(node['property'] as { name: string }).name}`
}

function evaluate(node: Named | undefined): unknown {
  switch (node?.type) {
    case 'NullLiteral':
      return null
    case 'BooleanLiteral':
    case 'StringLiteral':
    case 'NumericLiteral':
      return node['value']
    case 'UnaryExpression':
      if (node['operator'] !== '-') break
      return -(evaluate(node['argument'] as Named) as number)
    case 'ArrayExpression':
      return (node['elements'] as Named[]).map(evaluate)
    case 'ObjectExpression':
      return Object.fromEntries((node['properties'] as Named[]).map(member))
    case 'CallExpression': {
      const [text] = node['arguments'] as Named[]
      if (pathOf(node['callee'] as Named) !== 'JSON.parse') break
      return JSON.parse(evaluate(text) as string)
    }
  }
  throw new Error(`not a literal: ${node?.type}`)
}

function member(property: Named): [string, unknown] {
  const key = property['key'] as Named
  if (property.type !== 'ObjectProperty' || property['shorthand'] === true)
    throw new Error('not a plain member')
  const name = key.type === 'Identifier' && property['computed'] !== true ? key['name'] : evaluate(key)
  if (typeof name !== 'string') throw new Error('not a string as a name')
  // ECMA-262 B.3.1: such a member sets the prototype.
  if (name === '__proto__' && property['computed'] !== true) throw new Error('sets the prototype')
  return [name, evaluate(property['value'] as Named)]
}
