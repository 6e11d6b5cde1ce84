// LIKE and regular expressions without backtracking: time grows with pattern times text, under a step budget.

import { failed } from './refusal.ts'

export interface Budget {
  steps: number
}
const MAX_STEPS = 20_000_000
const MAX_PATTERN = 256
const MAX_STATES = 2000
const MAX_REPEAT = 100

const wrong = (message: string) => failed('QUERY_ERROR', message)

export function spend(budget: Budget, steps: number): void {
  budget.steps += steps
  if (budget.steps > MAX_STEPS) throw wrong('the text search takes too long')
}

// "%" is any run and "_" any one character; the last "%" alone may be retried, so this is no recursion.
export function likeMatch(mask: string, text: string, budget: Budget): boolean {
  let m = 0
  let t = 0
  let star = -1
  let resume = 0
  while (t < text.length) {
    spend(budget, 1)
    if (m < mask.length && mask[m] === '%') {
      star = m++
      resume = t
    } else if (m < mask.length && (mask[m] === '_' || mask[m] === text[t])) {
      m++
      t++
    } else if (star >= 0) {
      m = star + 1
      t = ++resume
    } else return false
  }
  while (mask[m] === '%') m++
  return m === mask.length
}

type Test = (character: string) => boolean

// A Thompson automaton: each state either reads one character, asserts an edge of the text, or splits.
type State =
  | { kind: 'char'; test: Test; next: number }
  | { kind: 'start' | 'end'; next: number }
  | { kind: 'split'; next: number; other: number }
  | { kind: 'match' }

type Node =
  | { kind: 'char'; test: Test }
  | { kind: 'start' | 'end' }
  | { kind: 'sequence'; items: Node[] }
  | { kind: 'choice'; items: Node[] }
  | { kind: 'repeat'; item: Node; min: number; max: number }

const digit: Test = (c) => c >= '0' && c <= '9'
const word: Test = (c) => digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c === '_'
const space: Test = (c) => /^\s$/.test(c)
const not =
  (test: Test): Test =>
  (c) =>
    !test(c)
const CLASSES: Record<string, Test> = {
  d: digit,
  D: not(digit),
  w: word,
  W: not(word),
  s: space,
  S: not(space),
}
const CONTROLS: Record<string, string> = { n: '\n', t: '\t', r: '\r', f: '\f', v: '\v' }

export interface Pattern {
  test(text: string, budget: Budget): boolean
}

// Supported: literals . classes \d\w\s ^ $ groups | * + ? {m,n}; look-around and back-references are not.
export function pattern(source: string): Pattern {
  if (source.length > MAX_PATTERN) throw wrong(`a pattern has at most ${MAX_PATTERN} characters`)
  const states = compile(parse(source))
  return { test: (text, budget) => run(states, text, budget) }
}

function parse(source: string): Node {
  const input = [...source]
  let at = 0
  const bad = (what: string) => wrong(`the pattern is not supported: ${what}`)

  function escaped(): Test {
    const c = input[at++]
    if (c === undefined) throw bad('it ends with a backslash')
    const known = Object.hasOwn(CLASSES, c) ? CLASSES[c] : undefined
    if (known) return known
    if (/[1-9a-zA-Z]/.test(c) && !Object.hasOwn(CONTROLS, c)) throw bad(`\\${c}`)
    const literal = CONTROLS[c] ?? c
    return (x) => x === literal
  }

  function bracket(): Test {
    const tests: Test[] = []
    const negated = input[at] === '^'
    if (negated) at++
    while (input[at] !== ']') {
      const low = input[at++]
      if (low === undefined) throw bad('a class is not closed')
      if (low === '\\') {
        tests.push(escaped())
      } else if (input[at] === '-' && input[at + 1] !== ']' && input[at + 1] !== undefined) {
        const high = input[at + 1] ?? ''
        at += 2
        if (high < low || high === '\\') throw bad('a range is out of order')
        tests.push((x) => x >= low && x <= high)
      } else tests.push((x) => x === low)
    }
    at++
    const any: Test = (x) => tests.some((test) => test(x))
    return negated ? not(any) : any
  }

  function atom(): Node {
    const c = input[at++] ?? ''
    if (c === '(') {
      if (input[at] === '?') {
        if (input[at + 1] !== ':') throw bad('look-around')
        at += 2
      }
      const inner = choice()
      if (input[at++] !== ')') throw bad('a group is not closed')
      return inner
    }
    if (c === '[') return { kind: 'char', test: bracket() }
    if (c === '.') return { kind: 'char', test: (x) => x !== '\n' }
    if (c === '^') return { kind: 'start' }
    if (c === '$') return { kind: 'end' }
    if (c === '\\') return { kind: 'char', test: escaped() }
    if (c === '*' || c === '+' || c === '?') throw bad('nothing to repeat')
    return { kind: 'char', test: (x) => x === c }
  }

  function repeated(item: Node): Node {
    for (;;) {
      const c = input[at]
      const rest = input.slice(at, at + 12).join('')
      const counted = /^\{(\d{1,3})(,(\d{0,3}))?\}/.exec(rest)
      if (counted) {
        at += [...counted[0]].length
        const min = Number(counted[1])
        const max =
          counted[2] === undefined ? min : counted[3] === '' ? Number.POSITIVE_INFINITY : Number(counted[3])
        if (min > MAX_REPEAT || (Number.isFinite(max) && max > MAX_REPEAT) || max < min)
          throw bad('a repeat count')
        item = { kind: 'repeat', item, min, max }
      } else if (c === '*' || c === '+' || c === '?') {
        at++
        item = { kind: 'repeat', item, min: c === '+' ? 1 : 0, max: c === '?' ? 1 : Number.POSITIVE_INFINITY }
      } else return item
      if (input[at] === '?') at++ // laziness changes what is captured, never whether there is a match
    }
  }

  function choice(): Node {
    const items: Node[] = []
    do {
      const sequence: Node[] = []
      while (at < input.length && input[at] !== '|' && input[at] !== ')') sequence.push(repeated(atom()))
      items.push({ kind: 'sequence', items: sequence })
    } while (input[at] === '|' && ++at)
    return items.length === 1 && items[0] ? items[0] : { kind: 'choice', items }
  }

  const tree = choice()
  if (at < input.length) throw bad('a group is not opened')
  return tree
}

// Built from the end backwards: emit(node, next) answers the state in which the node begins.
function compile(tree: Node): State[] {
  const states: State[] = [{ kind: 'match' }]
  const add = (state: State): number => {
    if (states.length >= MAX_STATES) throw wrong('the pattern is too large')
    return states.push(state) - 1
  }
  function emit(node: Node, next: number): number {
    switch (node.kind) {
      case 'char':
        return add({ kind: 'char', test: node.test, next })
      case 'start':
      case 'end':
        return add({ kind: node.kind, next })
      case 'sequence':
        return node.items.reduceRight((after, item) => emit(item, after), next)
      case 'choice':
        return node.items
          .map((item) => emit(item, next))
          .reduce((other, first) => add({ kind: 'split', next: first, other }))
      case 'repeat': {
        let after = next
        if (node.max === Number.POSITIVE_INFINITY) {
          const loop = { kind: 'split' as const, next: 0, other: next }
          after = add(loop)
          loop.next = emit(node.item, after)
        } else {
          for (let i = node.min; i < node.max; i++)
            after = add({ kind: 'split', next: emit(node.item, after), other: next })
        }
        for (let i = 0; i < node.min; i++) after = emit(node.item, after)
        return after
      }
    }
  }
  add({ kind: 'split', next: emit(tree, 0), other: 0 })
  return states
}

function run(states: State[], text: string, budget: Budget): boolean {
  const first = states.at(-1)
  const entry = first?.kind === 'split' ? first.next : 0
  const characters = [...text]
  let current: number[] = []
  const seen = new Uint32Array(states.length)
  let mark = 0
  let matched = false

  const follow = (from: number, at: number): void => {
    const stack = [from]
    for (let s = stack.pop(); s !== undefined; s = stack.pop()) {
      spend(budget, 1)
      if (seen[s] === mark) continue
      seen[s] = mark
      const state = states[s]
      if (state === undefined) continue
      if (state.kind === 'match') matched = true
      else if (state.kind === 'char') current.push(s)
      else if (state.kind === 'split') stack.push(state.next, state.other)
      else if (state.kind === 'start' ? at === 0 : at === characters.length) stack.push(state.next)
    }
  }

  for (let at = 0; at <= characters.length; at++) {
    const before = current
    current = []
    mark++
    const c = characters[at - 1] ?? ''
    for (const s of before) {
      const state = states[s]
      if (state?.kind === 'char' && state.test(c)) follow(state.next, at)
    }
    follow(entry, at) // unanchored: a match may begin at every position
    spend(budget, before.length)
    if (matched) return true
  }
  return false
}
