// What is known to be catastrophic is refused when it is compiled, runs in linear time, or ends at the budget; work is counted, not timed.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { ABSORBED, BUDGET } from '../../../src/admission/policy/cel-meter.ts'
import { sheetOf } from '../../../src/admission/policy/cel-values.ts'
import type { Json } from '../../../src/core/json.ts'
import { ENDED, LINEAR, LINEAR_PATTERNS, REFUSED, REFUSED_PATTERNS } from './corpus.ts'
import { compiled, decide, question, refusal } from './lib.ts'

/** Characters that code written in JavaScript looks at while `run` runs. */
function countReads(run: () => void): number {
  const { charCodeAt, codePointAt } = String.prototype
  let reads = 0
  String.prototype.charCodeAt = function (index) {
    reads++
    return charCodeAt.call(this, index)
  }
  String.prototype.codePointAt = function (index) {
    reads++
    return codePointAt.call(this, index)
  }
  try {
    run()
  } finally {
    Object.assign(String.prototype, { charCodeAt, codePointAt })
  }
  return reads
}

function units(source: string, args: Json): { spent: number; outcome: boolean | 'error' } {
  const asked = question(args)
  assert.ok(asked.size <= 64 * 1024, `${source}: the arguments are too large to be offered`)
  const outcome = compiled(source).evaluate(asked)
  return { spent: sheetOf(asked, true).spent, outcome }
}

const literal = (pattern: string): string => JSON.stringify(pattern)

/** Work for n and for 2n; linear work no more than doubles, and quadratic work would be four times as much. */
function assertLinear(what: string, work: (n: number) => number): void {
  const [once, twice] = [work(2000), work(4000)]
  assert.ok(twice <= 2.2 * once + 200, `${what}: ${once}, then ${twice}`)
}

describe('the corpus of catastrophic conditions', () => {
  it('is large enough', () => {
    const known = [LINEAR_PATTERNS, REFUSED_PATTERNS, REFUSED, LINEAR, ENDED]
    assert.ok(known.reduce((sum, list) => sum + list.length, 0) >= 120)
  })

  it('patterns run in linear time', () => {
    for (const [pattern, attack] of LINEAR_PATTERNS) {
      const condition = compiled(`re(args.s, ${literal(pattern)}) || false`)
      assertLinear(pattern, (n) =>
        countReads(() => {
          assert.equal(typeof condition.evaluate(question({ s: attack(n) })), 'boolean', pattern)
        }),
      )
      assertLinear(pattern, (n) => units(`re(args.s, ${literal(pattern)})`, { s: attack(n) }).spent)
    }
  })

  it('the check tells linear from quadratic work', () => {
    const quadratic = (n: number): number =>
      countReads(() => {
        const text = 'a'.repeat(n / 20)
        for (let from = 0; from < text.length; from++)
          for (let at = from; at < text.length; at++) text.charCodeAt(at)
      })
    assert.throws(() => assertLinear('quadratic', quadratic))
  })

  it('patterns that RE2 cannot run or that are too large are refused', () => {
    for (const pattern of REFUSED_PATTERNS)
      assert.match(refusal(`re(args.s, ${literal(pattern)})`), /pattern/)
    assert.match(refusal(`glob(args.s, ${literal('*'.repeat(513))})`), /pattern/)
  })

  it('a glob of nothing but stars is linear', () => {
    const condition = compiled(`glob(args.s, ${literal(`${'*a'.repeat(60)}b`)})`)
    assertLinear('stars', (n) =>
      countReads(() => assert.equal(condition.evaluate(question({ s: 'a'.repeat(n) })), false)),
    )
  })

  it('expressions are refused', () => {
    for (const source of REFUSED) assert.ok(refusal(source).length <= 300)
  })

  it('expressions cost in proportion to their arguments', () => {
    for (const [source, args] of LINEAR) {
      for (const n of [1000, 2000]) assert.notEqual(units(source, args(n)).spent, 0)
      assertLinear(source, (n) => units(source, args(n)).spent)
      assert.ok(units(source, args(2000)).spent < BUDGET, source)
    }
  })

  it('expressions end at the budget', () => {
    for (const [source, args] of ENDED) {
      const { spent, outcome } = units(source, args)
      assert.equal(outcome, 'error', source)
      assert.ok(spent > BUDGET, `${source}: ${spent}`)
    }
  })

  it('an error that is absorbed is paid for', () => {
    const l = Array.from({ length: 1000 }, () => [])
    for (const source of [
      'args.l.exists(x, x.a == 1)',
      'args.l.exists(x, x.a || false)',
      'args.l.exists(x, x[?3].hasValue())',
    ])
      assert.ok(units(source, { l }).spent > 1000 * ABSORBED, source)
  })

  it('the states that a text drives a pattern to do not fill the memory', () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    let random = 1
    const text = Array.from({ length: 50_000 }, () => {
      random = (Math.imul(random, 1103515245) + 12345) & 0x7fffffff
      return random & 0x10000 ? 'a' : 'b'
    }).join('')
    const conditions = Array.from({ length: 10 }, (_, index) =>
      compiled(`re(args.s, "(a|b)*a(a|b){12}[${index}]?$")`),
    )
    collect()
    const before = process.memoryUsage().heapUsed
    for (const condition of conditions) assert.notEqual(condition.evaluate(question({ s: text })), 'error')
    collect()
    // At the engine's own bound it is ten times 8 MiB.
    assert.ok(process.memoryUsage().heapUsed - before < 16 * 1024 * 1024)
  })

  it('no operator absorbs the end of the budget', () => {
    const expensive = 'args.l.all(x, size(args.s) > 1)'
    const args = { l: Array.from({ length: 10_000 }, () => 1), s: 'a'.repeat(30_000) }
    for (const source of [
      `${expensive} || true`,
      `true && (${expensive} || true)`,
      `!(${expensive} && false)`,
      `[1].exists(y, y == 1) && (${expensive} || true)`,
      `args.?l.hasValue() && (${expensive} || true)`,
      'args.l.exists(x, size(args.s) > 99999 || x == 1)',
    ])
      assert.equal(decide(source, args), source.startsWith('args.l.exists') ? true : 'error', source)
  })

  it('the conditions of one question share the budget', () => {
    const asked = question({ l: Array.from({ length: 10_000 }, () => 1) })
    const condition = compiled('args.l.all(x, x == 1 && x == 1 && x == 1 && x == 1)')
    const outcomes = Array.from({ length: 10 }, () => condition.evaluate(asked))
    assert.equal(outcomes[0], true)
    assert.equal(outcomes.at(-1), 'error')
    // Another question has its own.
    assert.equal(condition.evaluate(question({ l: [1] })), true)
  })

  it('new shapes of arguments leave nothing behind in the library', () => {
    const sources = [
      'args.x == 1 || args.x != args.y',
      'size(args.x) == 1',
      'args.x in [1]',
      'type(args.x) == list',
      '!args.x',
      'args.x ? true : false',
      'args.x && true',
      'args.x.size() == 1',
      'args.x + args.y == [1]',
      'args.x < 1',
      '-args.x < 1.0',
      'args.x.exists(e, e == args.y)',
    ]
    const conditions = sources.map(compiled)
    const { set } = Map.prototype
    let types = 0
    // Its caches of types are maps by name.
    Map.prototype.set = function (key, value) {
      if (typeof key === 'string' && /^(list|map|dyn|optional)</.test(key)) types++
      return set.call(this, key, value)
    }
    try {
      for (let shape = 1; shape < 300; shape++) {
        let value: Json = shape % 2 === 0 ? 1 : 'a'
        for (let bits = shape; bits > 0; bits >>= 1) value = bits & 1 ? [value] : { a: value }
        for (const condition of conditions) condition.evaluate(question({ x: value, y: value }))
      }
    } finally {
      Map.prototype.set = set
    }
    assert.equal(types, 0)
  })
})
