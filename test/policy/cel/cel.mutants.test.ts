// Checks of conditions that only a look at single nodes, prices and warnings can tell from their absence.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ABSORBED, NODE } from '../../../src/admission/policy/cel-meter.ts'
import { sheetOf } from '../../../src/admission/policy/cel-values.ts'
import type { Json } from '../../../src/core/json.ts'
import { compiled, decide, question, refusal } from './lib.ts'

describe('every part of a condition is looked at', () => {
  for (const source of [
    '{"a": args.s.matches("x")}["a"]',
    'args.s.startsWith(args.t.matches("x") ? "a" : "b")',
    '[args.s.matches("x")][0]',
    'args.l[args.s.matches("x") ? 0 : 1] == 1',
  ])
    it(source, () => assert.match(refusal(source), /matches\(\) is not offered/))

  it('a text or a double is no integer of more than 64 bits', () => {
    compiled('args.s == "99999999999999999999"')
    compiled('args.d < 1e300')
    assert.match(refusal('args.i == 9223372036854775808'), /64 bits/)
  })

  it('null may stand in a loop', () => assert.equal(decide('args.l.all(x, x != null)', { l: [1] }), true))
})

describe('warnings', () => {
  const rows: [string, RegExp[]][] = [
    ['args["a"] == 1', [/^args\[\.\.\.\] may be absent.*\[\?\] with orValue/]],
    ['args.l[0] == 1', [/^args\.l may be absent.*has\(args\.l\) asks first/]],
    ['has(args.a.b)', [/^args\.a may be absent/]],
    ['has(args.a) && has(args.a.b)', []],
    ['args.?a.orValue("") == "x"', []],
    ['args.?a.b.orValue("") == "x"', []],
    ['{"a": {"b": 1}}.a.b == 1', []],
    ['has(args.a) && args.a.b == 1', [/^args\.a\.b may be absent/]],
  ]
  for (const [source, expected] of rows)
    it(source, () => {
      const { warnings } = compiled(source)
      assert.equal(warnings.length, expected.length, warnings.join('\n'))
      for (const [index, pattern] of expected.entries()) assert.match(warnings[index] ?? '', pattern)
    })

  it('a refusal of the whole condition names no place', () =>
    assert.match(refusal('args.a'), /^the result has to be bool/))
})

describe('prices', () => {
  const cost = (source: string, args: Json): number => {
    const asked = question(args)
    compiled(source).evaluate(asked)
    return sheetOf(asked, true).spent
  }
  /** Price of an element that is looked at. */
  const ITEM = 20
  const long = (n: number): string => 'x'.repeat(64 * n)

  /** By how much the second arguments cost more than the first ones. */
  const rows: [string, string, Json, Json, number][] = [
    [
      'lists are compared by element',
      'args.a == args.b',
      { a: [], b: [] },
      { a: [1, 2], b: [1, 2] },
      2 * ITEM,
    ],
    ['with the text in them', 'args.a == args.b', { a: [''], b: [''] }, { a: [long(2)], b: [''] }, 2],
    ['maps by key and value', 'args.a == args.b', { a: {}, b: {} }, { a: { '': 1 }, b: {} }, 2 * ITEM],
    ['texts by 64 characters', 'args.a == args.b', { a: '', b: '' }, { a: long(3), b: long(9) }, 3],
    ['a list and a number not at all', 'args.a == args.b', { a: [], b: [] }, { a: [], b: 1 }, -ITEM],
    ['a list and null not at all', 'args.a == args.b', { a: [], b: [] }, { a: [], b: null }, -ITEM],
    ['null in a list as an element', 'args.a == args.b', { a: [], b: [] }, { a: [null], b: [null] }, ITEM],
    ['in looks at every element', '1 in args.l', { l: [] }, { l: [2, 3, 4] }, 3 * ITEM],
    ['in a map only at the key', '"k" in args.m', { m: {} }, { m: { a: 1, b: 2 } }, 0],
    [
      'lists are joined by element',
      '[] == args.a + args.b',
      { a: [], b: [] },
      { a: [1], b: [1, 2] },
      3 * ITEM,
    ],
    ['texts by character', '"" == args.a + args.b', { a: '', b: '' }, { a: 'abc', b: 'de' }, 5],
    ['a text and a list by the text', '"" == args.a + args.b', { a: '', b: [] }, { a: 'abc', b: [1] }, 3],
    ['a list and a text by the text', '"" == args.a + args.b', { a: [], b: '' }, { a: [1], b: 'abc' }, 3],
  ]
  for (const [name, source, before, after, more] of rows)
    it(name, () => assert.equal(cost(source, after) - cost(source, before), more))

  it('null in a list can be compared', () =>
    assert.equal(decide('args.a == args.b', { a: [null], b: [null] }), true))

  it('a loop over a map costs what one over a list of its keys costs', () => {
    const more = (value: Json, none: Json): number =>
      cost('args.v.all(k, k != "")', { v: value }) - cost('args.v.all(k, k != "")', { v: none })
    assert.equal(more({ a: 1, b: 2, c: 3 }, {}), more(['a', 'b', 'c'], []))
    assert.ok(more(['a', 'b', 'c'], []) >= 3 * NODE)
  })

  it('a loop over a map of the condition costs its entries', () => {
    const of = (map: string): number => cost(`${map}.all(k, k != "")`, {})
    assert.ok(of('{"a": 1, "b": 2}') - of('{"a": 1}') > 2 * NODE)
  })

  it('what absorbs an error pays for it, by name and by index', () => {
    for (const source of ['args.?a.orValue(1) == 1', 'args[?"a"].orValue(1) == 1'])
      assert.ok(cost(source, {}) >= ABSORBED, source)
  })

  it('arguments that are nested too deeply decide nothing', () => {
    let deep: Json = 1
    for (let i = 0; i < 100; i++) deep = [deep]
    assert.equal(decide('has(args.a)', { a: deep }), 'error')
  })
})
