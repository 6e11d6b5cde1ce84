// Text of a service on a terminal: nothing moves the cursor, hides or reorders, and JSON keeps its meaning.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { terminalJson, terminalPhrase, terminalText } from '../../src/core/terminal.ts'

const SEED = 20260728

const CASES: [name: string, text: string, shown: string][] = [
  ['plain text and its line feeds and tabs', 'a\n\tb', 'a\n\tb'],
  ['other scripts', 'Ωμέγα 日本語 עברית', 'Ωμέγα 日本語 עברית'],
  ['an escape sequence', '\x1b[2Jx', '\\u001b[2Jx'],
  ['a carriage return', 'real\rfake', 'real\\u000dfake'],
  ['a C1 control', '\x9b31m', '\\u009b31m'],
  ['bidirectional overrides', 'a\u202eb\u2066c', 'a\\u202eb\\u2066c'],
  ['zero width', 'a\u200bb\ufeffc', 'a\\u200bb\\ufeffc'],
  ['invisible tag characters', '\u{e0041}', '\\udb40\\udc41'],
  ['line separators', 'a\u2028b', 'a\\u2028b'],
  ['half a surrogate pair', '\ud800', '\\ud800'],
]

for (const [name, text, shown] of CASES) {
  test(`${name} is shown so`, () => assert.equal(terminalText(text), shown))
}

test('a JSON document means the same after escaping and holds no hidden character', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string({ unit: 'binary' }), (value, text) => {
      const document = { value, text }
      const shown = terminalJson(document)
      assert.deepEqual(JSON.parse(shown), JSON.parse(JSON.stringify(document)))
      assert.doesNotMatch(shown, /[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]--[\n\t]]/v)
    }),
    { seed: SEED, numRuns: 500 },
  )
})

test('a phrase is one bounded line', () => {
  assert.equal(terminalPhrase(' a\n b\t\tc '), 'a b c')
  assert.equal(terminalPhrase('x'.repeat(5000)).length, 500)
})
