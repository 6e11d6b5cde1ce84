// Decides which CEL a condition may use: a closed list of names, no nested loops, literal patterns only. Everything else is refused when it is compiled.
import { FUNCTIONS, METHODS, type Pattern } from './cel-meter.ts'
import { compileGlob, compileRegex } from './cel-pattern.ts'
import { children, type Node } from './cel-tree.ts'
import { CALL_FIELDS, OPTIONAL_FIELDS, PRINCIPAL_FIELDS } from './cel-values.ts'

/** Loops over lists in one condition, one after the other; one inside another is refused. */
const MAX_LOOPS = 8
const MAX_WARNINGS = 20

const FIELDS: ReadonlyMap<string, Readonly<Record<string, string>>> = new Map<string, Record<string, string>>(
  [
    ['principal', PRINCIPAL_FIELDS],
    ['call', CALL_FIELDS],
  ],
)
const TYPE_NAMES: ReadonlySet<string> = new Set([
  'string',
  'bool',
  'int',
  'double',
  'list',
  'map',
  'null_type',
])
const LOOPS: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'filter', 'map'])
const OF_OPTIONALS: ReadonlySet<string> = new Set(['hasValue', 'or', 'orValue'])
/** The library leaves these keys out of a map without a word. */
const DROPPED_KEYS: ReadonlySet<unknown> = new Set(['__proto__', 'constructor', 'prototype'])
const OPERATORS: ReadonlySet<string> = new Set(
  '== != < <= > >= in + - * / % && || ?: !_ -_ list map [?]'.split(' '),
)
/** Names that a variable of a loop may not take. */
const TAKEN: ReadonlySet<string> = new Set([
  ...FIELDS.keys(),
  ...TYPE_NAMES,
  'args',
  'cel',
  'google',
  'optional',
])
const MAX_INT = 2n ** 63n

export interface Checked {
  readonly nodes: readonly Node[]
  /** The loops, as the library runs them. */
  readonly comprehensions: readonly Node[]
  readonly patterns: ReadonlyMap<Node, Pattern>
  readonly usesArgs: boolean
  readonly warnings: readonly string[]
}

/** Why a condition is refused. */
export interface Problem {
  readonly text: string
  /** Offset into the source. */
  readonly at: number
}

interface Walk {
  readonly nodes: Node[]
  readonly comprehensions: Node[]
  readonly patterns: Map<Node, Pattern>
  /** Chains such as args.a.b that are read, and the paths that has() asks for. */
  readonly reads: Node[]
  readonly guards: Set<string>
  /** Variable of the loop that the walk is in. */
  variable: string | undefined
  usesArgs: boolean
}

/** Walks a parsed condition before its types are checked. */
export function checkTree(root: Node): Checked | Problem {
  const walk: Walk = {
    nodes: [],
    comprehensions: [],
    patterns: new Map(),
    reads: [],
    guards: new Set(),
    variable: undefined,
    usesArgs: false,
  }
  return visit(walk, root) ?? { ...walk, warnings: findUnguarded(walk) }
}

const problem = (node: Node, text: string): Problem => ({ text, at: node.start })

function visitAll(walk: Walk, nodes: readonly Node[]): Problem | undefined {
  for (const node of nodes) {
    const found = visit(walk, node)
    if (found !== undefined) return found
  }
  return undefined
}

/** `inChain`: what stands around the node reads a part of it and has been noted itself. */
function visit(walk: Walk, node: Node, inChain = false): Problem | undefined {
  walk.nodes.push(node)
  switch (node.op) {
    case 'value':
      return checkLiteral(node)
    case 'id':
      return checkName(walk, node)
    case '.':
    case '.?':
      return visitField(walk, node, inChain)
    case '[]':
      return visitIndex(walk, node, inChain)
    case 'call':
      return visitCall(walk, node)
    case 'rcall':
      return visitMethod(walk, node)
    case 'map':
      return checkKeys(node) ?? visitAll(walk, children(node))
    default:
      return OPERATORS.has(node.op)
        ? visitAll(walk, children(node))
        : problem(node, 'this operator is not part of conditions')
  }
}

function checkLiteral(node: Node): Problem | undefined {
  const value = node.args
  if (typeof value === 'bigint' && (value >= MAX_INT || value < -MAX_INT))
    return problem(node, 'an integer has at most 64 bits')
  // Nothing in JSON is either of them.
  if (typeof value === 'object' && value !== null)
    return problem(node, 'there are no bytes and no unsigned integers here; write a string or an integer')
  return undefined
}

function checkName(walk: Walk, node: Node): Problem | undefined {
  const name = node.args as string
  if (name === walk.variable || TYPE_NAMES.has(name)) return undefined
  if (name === 'args') {
    walk.usesArgs = true
    return undefined
  }
  return FIELDS.has(name)
    ? problem(node, `${name} is used by its fields only, as in ${name}.method`)
    : problem(node, `there is no ${name}; a condition reads principal, call and args`)
}

/** `object.name` or `object.?name`. */
function visitField(walk: Walk, node: Node, inChain: boolean): Problem | undefined {
  const [object, name] = node.args as readonly [Node, string]
  if (node.op === '.' && !inChain) walk.reads.push(node)
  const fields = object.op === 'id' ? FIELDS.get(object.args as string) : undefined
  if (fields === undefined) return visit(walk, object, node.op === '.')
  walk.nodes.push(object)
  // The library would let has() and `.?` ask for a field that no caller ever has.
  return Object.hasOwn(fields, name)
    ? undefined
    : problem(node, `${object.args} has no field ${name}; it has ${Object.keys(fields).join(', ')}`)
}

function visitIndex(walk: Walk, node: Node, inChain: boolean): Problem | undefined {
  const [object, index] = node.args as readonly [Node, Node]
  if (!inChain) walk.reads.push(node)
  return visit(walk, object, true) ?? visit(walk, index)
}

function visitCall(walk: Walk, node: Node): Problem | undefined {
  const [name, args] = node.args as readonly [string, readonly Node[]]
  const [first, second] = args
  if (name === 'has') return first === undefined ? undefined : visitHas(walk, first)
  if (name !== 'glob' && name !== 're') {
    return FUNCTIONS.has(name) ? visitAll(walk, args) : problem(node, `there is no function ${name}()`)
  }
  const text = second?.op === 'value' ? second.args : undefined
  if (typeof text !== 'string')
    return problem(node, `the second argument of ${name}() is a pattern in quotes, never a computed one`)
  const pattern = name === 'glob' ? compileGlob(text) : compileRegex(text)
  if (typeof pattern === 'string') return problem(second ?? node, pattern)
  walk.patterns.set(node, pattern)
  return visitAll(walk, args)
}

/** What has() asks for is no read; what stands before its last dot is. */
function visitHas(walk: Walk, asked: Node): Problem | undefined {
  const path = pathOf(asked)
  if (path !== undefined) walk.guards.add(path)
  const before = asked.op === '.' ? (asked.args as readonly [Node, string])[0] : undefined
  if (before?.op === '.') walk.reads.push(before)
  return visit(walk, asked, true)
}

function visitMethod(walk: Walk, node: Node): Problem | undefined {
  const [name, receiver, args] = node.args as readonly [string, Node, readonly Node[]]
  if (name === 'matches')
    return problem(node, 'matches() is not offered: write re(text, "pattern"), which runs in linear time')
  if (LOOPS.has(name)) return visit(walk, receiver) ?? visitLoop(walk, node, name, args)
  if (!OF_OPTIONALS.has(name) && !METHODS.has(name)) return problem(node, `there is no method ${name}()`)
  return visit(walk, receiver) ?? visitAll(walk, args)
}

function visitLoop(walk: Walk, node: Node, name: string, args: readonly Node[]): Problem | undefined {
  if (walk.variable !== undefined) return problem(node, `${name}() may not stand inside another loop`)
  const [variable, ...body] = args
  const loop = node.meta.alternate
  // Only with the right number of arguments has the library made a loop of it.
  if (variable?.op !== 'id' || loop?.op !== 'comprehension')
    return problem(node, `${name}() takes a variable and an expression, as in ${name}(x, x == "a")`)
  const own = variable.args as string
  if (TAKEN.has(own)) return problem(variable, `${own} has a meaning already; rename the variable`)
  walk.comprehensions.push(loop)
  if (walk.comprehensions.length > MAX_LOOPS)
    return problem(node, `a condition has at most ${MAX_LOOPS} loops`)
  walk.variable = own
  const found = visitAll(walk, body)
  walk.variable = undefined
  return found
}

function checkKeys(node: Node): Problem | undefined {
  for (const [key] of node.args as readonly (readonly [Node, Node])[]) {
    if (key.op !== 'value') return problem(key, 'the keys of a map are literals here')
    if (DROPPED_KEYS.has(key.args)) return problem(key, `a map here cannot have the key ${key.args}`)
  }
  return undefined
}

/** `args.a.b` of a chain of dots, `args.a[...].b` of one with an index; undefined where it is anything else. */
function pathOf(node: Node): string | undefined {
  if (node.op === 'id') return node.args as string
  if (node.op !== '.' && node.op !== '[]') return undefined
  const [object, name] = node.args as readonly [Node, unknown]
  const before = pathOf(object)
  if (before === undefined) return undefined
  return node.op === '.' ? `${before}.${name}` : `${before}[...]`
}

/** A sentence for each chain that a call may lack and that nothing asks for first. */
function findUnguarded(walk: Walk): string[] {
  const found = new Set<string>()
  for (const chain of walk.reads) {
    const missing = prefixesOf(chain).find((path) => mayBeAbsent(path) && !walk.guards.has(path))
    if (missing !== undefined && found.size < MAX_WARNINGS) found.add(warningOf(missing))
  }
  return [...found]
}

/** Paths of a chain, the shortest first, without its root; none where it does not begin with a name. */
function prefixesOf(chain: Node): string[] {
  const paths: string[] = []
  for (let node = chain; node.op === '.' || node.op === '[]'; [node] = node.args as readonly [Node]) {
    const path = pathOf(node)
    if (path === undefined) return []
    paths.unshift(path)
  }
  return paths
}

const mayBeAbsent = (path: string): boolean =>
  OPTIONAL_FIELDS.has(path) || !/^(?:principal|call)\.\w+$/.test(path)

const warningOf = (path: string): string => {
  const ask = path.includes('[') ? '.? and [?] with orValue() ask first' : `has(${path}) asks first`
  return `${path} may be absent, and a call without it cannot be decided and is refused; ${ask}`
}
