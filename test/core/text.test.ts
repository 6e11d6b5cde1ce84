// Foreign text that is shown is visible, well formed and bounded, and a name that may be a key is not shown at all.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { looksLikeKey, REDACTED, shownName, visibleText } from '../../src/core/text.ts'

const SEED = 20260728
const RUNS = 2000

const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u
const anyText = fc.string({
  unit: fc.oneof(
    fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
    fc.constantFrom(
      '\u0000',
      '\u001b',
      '\u007f',
      '\u0085',
      '\u00ad',
      '\u034f',
      '\u061c',
      '\u115f',
      '\u180e',
      '\u200b',
      '\u202e',
      '\u2028',
      '\u2066',
      '\u3164',
      '\ufe0f',
      '\ufeff',
      '\ufff9',
      '\ud800',
      '\udfff',
      '\u{1f600}',
      '\u{e0041}',
      '\n',
      'a',
    ),
  ),
  maxLength: 80,
})

test('visible text has no hidden character but the line feed, no broken pair, and keeps its bound', () => {
  fc.assert(
    fc.property(anyText, fc.integer({ min: 2, max: 100 }), (text, max) => {
      const shown = visibleText(text, max)
      assert.ok(shown.length <= max)
      assert.ok(shown.isWellFormed())
      assert.doesNotMatch(shown.replaceAll('\n', ''), HIDDEN)
      assert.equal(visibleText(shown, max), shown)
    }),
    { seed: SEED, numRuns: RUNS },
  )
})

test('what is visible already stays as it is', () => {
  for (const text of [
    '',
    'plain',
    'zwei Wörter\nzwei Zeilen',
    '日本語',
    '\u{1f600}',
    'e\u0301',
    '$& %s {detail}',
  ])
    assert.equal(visibleText(text, 500), text)
})

test('the bound: a text of its length stays, a longer one ends in an ellipsis', () => {
  assert.equal(visibleText('x'.repeat(500), 500), 'x'.repeat(500))
  assert.equal(visibleText('x'.repeat(501), 500), `${'x'.repeat(499)}…`)
  assert.equal(visibleText('x'.repeat(1e6), 500), `${'x'.repeat(499)}…`)
  assert.equal(visibleText(`${'x'.repeat(498)}\u{1f600}x`, 500), `${'x'.repeat(498)}\ufffd…`)
})

test('a shown name is one short line in quotes', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const shown = shownName(text)
      if (shown === REDACTED) return
      assert.doesNotMatch(shown, HIDDEN)
      assert.ok(shown.length <= 2 + 64 * 2)
      assert.equal(typeof JSON.parse(shown), 'string')
    }),
    { seed: SEED, numRuns: RUNS },
  )
  assert.equal(shownName('two\nlines "quoted"'), '"two lines \\"quoted\\""')
})

const KEYS = [
  'pk_live_0123456789abcdef',
  'dpk_0123456789ab',
  'pub_demo_0123456789ab',
  'sk-abcdefghijkl',
  'ghp_abcdefghijklmnopqrst',
  'AKIAIOSFODNN7EXAMPLE',
  'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl',
  '3f8a1c9e7b2d4f6a8c0e1b3d5f7a9c1e',
  'kZ8vQ2mN5xR7tY1wE4uI0pL3',
]

test('a name that is, holds, or encodes a key is not shown', () => {
  for (const key of KEYS) {
    for (const name of [
      key,
      `run ${key}`,
      `${key} now`,
      `"${key}"`,
      `a:${key}:b`,
      `x_${key}`,
      `${'y '.repeat(25)}${key}`,
      encodeURIComponent(`${key}/`),
      Buffer.from(key).toString('base64'),
      [...Buffer.from(key)].map((byte) => `%${byte.toString(16)}`).join(''),
    ]) {
      assert.equal(shownName(name), REDACTED, name)
      assert.ok(looksLikeKey(name), name)
    }
  }
})

test('ordinary names are shown', () => {
  for (const name of [
    'publishable_key',
    'fetchAll',
    'databases',
    'resources/templates/list',
    'environment_slug_of_the_product',
    'param2',
    'schema.createIndex',
    'Sky',
    'Markdown',
    'risk_level',
    'disk',
    'eye',
    'ductape:my-product',
    '',
  ])
    assert.equal(shownName(name), JSON.stringify(name))
})

test('a megabyte of one word takes no more than a moment', () => {
  for (const unit of ['a', '%', 'pk', '_', '0', ' ']) assert.ok(shownName(unit.repeat(1e6)).length <= 66)
})
