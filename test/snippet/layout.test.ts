// How literals are laid out: readable in the small, bounded in the large, and shown in the order in which they run.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from '../../src/core/json.ts'
import { findOperation, writeSnippet } from '../../src/tools/snippet/index.ts'
import { evaluateTypeScript } from './lib/evaluate.ts'
import { difference } from './lib/same.ts'

function write(payload: Json): string {
  const found = findOperation('fallback', 'run')
  assert.ok(found.ok)
  return writeSnippet('typescript', found.operation, payload)
}

/** The lines of the payload literal, without its indentation. */
function lines(payload: Json): string[] {
  const source = write(payload)
  const literal = source.slice(source.indexOf('const payload = ') + 16, source.indexOf(';\n\n  // The same'))
  return literal.split('\n').map((line) => line.trim())
}

test('short lists share a line, long lists of numbers are filled, the rest has a line each', () => {
  assert.deepEqual(lines({ a: [], b: {}, c: ['id', 'total'], d: [1, null, true] }), [
    '{',
    'a: [],',
    'b: {},',
    'c: ["id", "total"],',
    'd: [1, null, true],',
    '}',
  ])
  assert.deepEqual(lines([['x'.repeat(70)], [{}]]), [
    '[',
    '[',
    `"${'x'.repeat(70)}",`,
    '],',
    '[',
    '{},',
    '],',
    ']',
  ])
  const filled = write(Array.from({ length: 1000 }, (_, i) => i)).split('\n')
  assert.ok(filled.every((line) => line.length <= 100))
  assert.ok(filled.length < 150)
})

test('names are quoted only where they must be', () => {
  const payload = JSON.parse(
    '{"$eq":1,"_a1":2,"class":3,"body:email":4,"1":5,"":6,"caf\u00e9":7,"__proto__":8}',
  ) as Json
  const [, ...members] = lines(payload)
  assert.deepEqual(members.slice(0, -1), [
    '"1": 5,',
    '$eq: 1,',
    '_a1: 2,',
    'class: 3,',
    '"body:email": 4,',
    '"": 6,',
    '"caf\u00e9": 7,',
    '["__proto__"]: 8,',
  ])
})

test('right-to-left text stays readable, but never beside other right-to-left text', () => {
  assert.deepEqual(lines({ '\u05d0': '\u05d1', list: ['\u05d0', '\u05d1', 1] }), [
    '{',
    '"\\u05d0": "\u05d1",',
    'list: [',
    '"\u05d0",',
    '"\u05d1",',
    '1,',
    '],',
    '}',
  ])
  assert.deepEqual(lines(['\u202eabc\u2066', '\u2028', '\u{e0041}', '\ud800']), [
    '["\\u202eabc\\u2066", "\\u2028", "\\u{e0041}", "\\ud800"]',
  ])
})

test('indentation does not multiply a deep and wide payload', () => {
  let payload: Json = Array.from({ length: 100_000 }, () => ({ a: 0 }))
  for (let level = 0; level < 60; level++) payload = [payload]
  const source = write(payload)
  // Twice the payload, a few characters per member, and the two budgets.
  assert.ok(source.length < 2 * (100_000 * 16 + 1_100_000), String(source.length))
  assert.equal(difference(payload, evaluateTypeScript(source).payload), undefined)
})
