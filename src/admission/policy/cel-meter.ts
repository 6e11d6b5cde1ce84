// Counts the work of conditions while they run and ends them where it is too much: the CEL library itself has no cost limit.
import { countNodes, type Node } from './cel-tree.ts'

/** Units that the conditions of one question may use together; a unit is about 10 ns. */
export const BUDGET = 10_000_000

/** A node of the expression that is evaluated once. */
export const NODE = 20
/** An error that `||`, `&&`, all() or exists() absorbs: it is made and thrown all the same. */
export const ABSORBED = 500
/** An element or entry of a list or map that is looked at. */
const ITEM = 20
/** Characters that a native comparison passes in one unit. */
const COMPARED = 64

const EXHAUSTED = new Error('the conditions cost more than they may')

interface Purse {
  spent: number
}

const NOBODY: Purse = { spent: 0 }
// Conditions are synchronous, so one variable says who pays.
let purse = NOBODY

/** From now on `payer` pays. */
export function charge(payer: Purse): void {
  purse = payer
}

/** Throws where the budget is used up, and from then on always: an operator that absorbs the error pays for that, so it throws again. */
export function spend(units: number): void {
  purse.spent += units
  if (purse.spent > BUDGET) throw EXHAUSTED
}

const length = (value: unknown): number => (typeof value === 'string' ? value.length : 0)

/** Pays for looking at all of a value, while it looks: shared parts count each time they are met. */
function weigh(value: unknown): void {
  spend(ITEM + length(value) / COMPARED)
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value)) for (const item of value) weigh(item)
  else if (value instanceof Map) {
    for (const [key, item] of value) {
      weigh(key)
      weigh(item)
    }
  } else for (const item of Object.values(value)) weigh(item)
}

const isContainer = (value: unknown): boolean => typeof value === 'object' && value !== null

/** Pays for comparing two values: both are walked in step, so the left one bounds it. */
function compare(left: unknown, right: unknown): void {
  if (isContainer(left)) {
    if (isContainer(right)) weigh(left)
  } else spend(Math.min(length(left), length(right)) / COMPARED)
}

const OPERATORS: ReadonlyMap<string, (left: unknown, right: unknown) => void> = new Map([
  ['==', compare],
  ['!=', compare],
  ['<', compare],
  ['<=', compare],
  ['>', compare],
  ['>=', compare],
  // Membership in a list compares with each element; in a map it hashes the key.
  ['in', (left, right) => (Array.isArray(right) ? weigh(right) : spend(length(left)))],
  // What is put together is held in memory: each character and element is paid for in full.
  [
    '+',
    (left, right) =>
      spend(
        Array.isArray(left) && Array.isArray(right)
          ? ITEM * (left.length + right.length)
          : length(left) + length(right),
      ),
  ],
])

/** It goes from code point to code point. */
const perCodePoint = (args: readonly unknown[]): void => spend(3 * length(args[0]))
const perCharacter = (args: readonly unknown[]): void => spend(length(args[0]))

type Price = (args: readonly unknown[]) => void

/** The functions that a condition may call, with what they cost besides their node. */
export const FUNCTIONS: ReadonlyMap<string, Price> = new Map([
  ['size', perCodePoint],
  ['int', perCharacter],
  ['double', perCharacter],
  ['string', perCharacter],
  ['type', () => {}],
])

/** The methods of values that it may call; the receiver is the first argument. */
export const METHODS: ReadonlyMap<string, Price> = new Map([
  ['size', perCodePoint],
  ['lowerAscii', perCharacter],
  ['upperAscii', perCharacter],
  ['trim', perCharacter],
  ['startsWith', (args) => spend(length(args[1]) / COMPARED)],
  ['endsWith', (args) => spend(length(args[1]) / COMPARED)],
  // The worst case of the native search is the product of both lengths.
  ['contains', (args) => spend((length(args[0]) * Math.max(1, length(args[1]))) / COMPARED)],
])

/** A compiled pattern, and the instructions that one character can cost. */
export interface Pattern {
  readonly size: number
  test(text: string): boolean
}

/** What a comprehension keeps of its last run. */
interface Comprehension {
  readonly iterable: Node
  readonly step: Node
  readonly iterCtx: { iterValue: unknown; accuValue: unknown; reuse(parent: unknown): void }
}

/** Makes every node of a checked tree pay before it works. `patterns` are those of the calls of glob() and re(). */
export function meter(nodes: readonly Node[], patterns: ReadonlyMap<Node, Pattern>): void {
  for (const node of nodes) {
    // The library would quote the source line in every error, also in those that are absorbed.
    Object.defineProperty(node, 'input', { value: '' })
    const pattern = patterns.get(node)
    if (pattern !== undefined) node.handle = (args) => match(pattern, (args as readonly unknown[])[0])
    else if (node.meta.alternate?.op === 'comprehension') meterComprehension(node.meta.alternate)
    else if (node.op === 'call') meterCall(node, FUNCTIONS)
    else if (node.op === 'rcall') meterCall(node, METHODS)
    else meterOperator(node)
  }
}

function match(pattern: Pattern, text: unknown): boolean {
  if (typeof text !== 'string') throw NOT_TEXT
  spend(NODE + text.length * pattern.size)
  return pattern.test(text)
}

// A list of numbers would be taken for bytes.
const NOT_TEXT = new Error('only a string can be matched')

function meterOperator(node: Node): void {
  const inner = node.handle
  if (inner === undefined) return
  const pay = OPERATORS.get(node.op)
  if (pay !== undefined) {
    node.handle = (left, right, ast, evaluator) => {
      pay(left, right)
      return inner(left, right, ast, evaluator)
    }
  } else if (node.op === '.?' || node.op === '[?]') {
    // It absorbs the errors of what it looks into.
    node.handle = (left, right, ast, evaluator) => {
      spend(ABSORBED)
      return inner(left, right, ast, evaluator)
    }
  }
}

function meterCall(node: Node, prices: ReadonlyMap<string, Price>): void {
  const inner = node.handle
  const pay = prices.get((node.args as readonly [string])[0])
  if (inner === undefined || pay === undefined) return
  node.handle = (args, second, third, fourth) => {
    pay(args as readonly unknown[])
    return inner(args, second, third, fourth)
  }
}

function meterComprehension(node: Node): void {
  const inner = node.handle
  if (inner === undefined) throw new TypeError('a comprehension without a handle')
  Object.defineProperty(node, 'input', { value: '' })
  const { step } = node.args as Comprehension
  const price = NODE * (1 + countNodes(step))
  node.handle = (items, second, third, fourth) => {
    spend(price * sizeOf(items))
    return inner(items, second, third, fourth)
  }
}

const sizeOf = (items: unknown): number => {
  if (Array.isArray(items)) return items.length
  if (items instanceof Map) return items.size
  return isContainer(items) ? Object.keys(items as object).length : 0
}

/** Lets go of the question: a comprehension would hold the arguments that it last saw. */
export function release(comprehensions: readonly Node[]): void {
  purse = NOBODY
  for (const node of comprehensions) {
    const { iterCtx } = node.args as Comprehension
    iterCtx.iterValue = undefined
    iterCtx.accuValue = undefined
    iterCtx.reuse(undefined)
  }
}
