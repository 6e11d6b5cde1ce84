// Exact JSON: what a request may say, what is refused because two readers could differ, and a backend answer that keeps its digits.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type Json, MAX_DEPTH, parseExact, parseLossless } from '../../src/core/json.ts'

const SEED = 20_260_202
const RUNS = 3000

const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`

/** The numbers of a JSON text, as they are spelled. */
const numbersOf = (text: string): string[] =>
  text.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""').match(/-?\d[\d.eE+-]*/g) ?? []

const spaces = fc.stringMatching(/^[ \t\r\n]{0,2}$/)
/** A number in any spelling that JSON has. */
const spelled = fc.oneof(
  fc.stringMatching(/^-?(?:0|[1-9]\d{0,24})$/),
  fc.stringMatching(/^-?(?:0|[1-9]\d{0,12})\.\d{1,24}$/),
  fc.stringMatching(/^-?(?:0|[1-9]\d{0,3})(?:\.\d{1,3})?[eE][+-]?\d{1,2}$/),
)
/** JSON texts with odd spacing, escapes and number spellings. */
const texts = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(
      spelled,
      fc.string().map((value) => JSON.stringify(value)),
      fc.string({ unit: 'binary' }).map((value) => JSON.stringify(value)),
      fc.stringMatching(/^(?:[ -!#-[\]-~]|\\u[0-9a-f]{4}|\\["\\/bfnrt]){0,6}$/).map((value) => `"${value}"`),
      fc.constantFrom('true', 'false', 'null'),
    ),
    fc
      .tuple(fc.array(tie('value'), { maxLength: 4 }), spaces)
      .map(([items, space]) => `[${space}${items.join(`${space},${space}`)}${space}]`),
    fc
      .tuple(
        fc.uniqueArray(fc.string(), { maxLength: 4 }),
        fc.array(tie('value'), { minLength: 4, maxLength: 4 }),
        spaces,
      )
      .map(
        ([names, values, space]) =>
          `{${space}${names.map((name, i) => `${JSON.stringify(name)}${space}:${space}${values[i]}`).join(',')}${space}}`,
      ),
  ),
})).value

describe('a request', () => {
  test('names that were read before stay the names of the text', () => {
    // More names than are kept, so that each is taken from where another one was.
    const names = Array.from({ length: 1000 }, (_, i) => `n${i}`)
    names.push('', '0', '__proto__', 'constructor', 'naïve', '\u{1f511}', 'x'.repeat(32), 'x'.repeat(33))
    for (let round = 0; round < 3; round++) {
      for (const name of names) {
        const parsed = parseExact(`{${JSON.stringify(name)}:1,"other":2}`)
        assert.ok(parsed.ok)
        assert.deepEqual(
          Object.entries(parsed.value as object).sort(),
          [
            [name, 1],
            ['other', 2],
          ].sort(),
        )
        assert.equal(parseExact(`{"${name}":1,"${name}":2}`).ok, false)
      }
    }
  })

  test('whole numbers of every length come back digit by digit, or are refused', () => {
    for (let digits = 1; digits <= 20; digits++) {
      const text = '9123456789123456789'.slice(0, digits)
      const parsed = parseExact(`[${text},0]`)
      if (digits <= 15) assert.deepEqual(parsed, { ok: true, value: [Number(text), 0] })
      else assert.equal(parsed.ok, BigInt(text) === BigInt(Number(text)))
      for (const wrong of [`0${text}`, `${text}.`, `${text}e`, `${text}E+`, `-${text}-`])
        assert.equal(parseExact(`[${wrong}]`).ok, false, wrong)
    }
  })

  for (const [text, value] of [
    ['1.0', 1],
    ['1e3', 1000],
    ['1E+3', 1000],
    ['0.1', 0.1],
    ['0.30000000000000004', 0.30000000000000004],
    ['1.7976931348623157e308', Number.MAX_VALUE],
    ['5e-324', 5e-324],
    ['9007199254740992', 2 ** 53],
    ['18014398509481984', 2 ** 54],
    ['100000000000000000000', 1e20],
    ['0.0000000', 0],
    ['0e999', 0],
    ['  [ ] ', []],
    ['\t{"a" :\r\n[1 , 2]}', { a: [1, 2] }],
    ['"\\u00e9\\ud83d\\ude00\\/\\b"', 'é😀/\b'],
    ['"\u2028\u007f"', '\u2028\u007f'],
    ['""', ''],
    ['null', null],
  ] as const) {
    test(`${text.slice(0, 40)} is accepted`, () => {
      assert.deepEqual(parseExact(text), { ok: true, value })
    })
  }

  test('-0 stays -0', () => {
    const parsed = parseExact('[-0, -0.0]')
    assert.ok(parsed.ok)
    assert.ok((parsed.value as number[]).every((item) => Object.is(item, -0)))
  })

  for (const [text, reason] of [
    ['{"a":1,"a":1}', /names the same member twice/],
    ['{"a":1,"b":{"c":1,"\\u0063":2}}', /names the same member twice/],
    ['{"__proto__":1,"__proto__":2}', /names the same member twice/],
    ['9007199254740993', /more digits than a double holds/],
    ['-9007199254740993', /more digits than a double holds/],
    ['123456789012345678901234567890', /more digits than a double holds/],
    [`1${'0'.repeat(400)}`, /too large for a double/],
    ['1e309', /too large for a double/],
    ['-1e309', /too large for a double/],
    ['1e-400', /too small for a double/],
    [`0.${'0'.repeat(400)}1`, /too small for a double/],
    ['0.123456789012345678', /more than 17 significant digits/],
    ['1.00000000000000000001', /more than 17 significant digits/],
    ['"\\ud800"', /half of a surrogate pair/],
    ['"\\udc00\\ud800"', /half of a surrogate pair/],
    ['{"\\ud800":1}', /half of a surrogate pair/],
    [nested(MAX_DEPTH + 1), /nested deeper than 64 levels/],
    [`${'{"a":'.repeat(MAX_DEPTH + 1)}1${'}'.repeat(MAX_DEPTH + 1)}`, /nested deeper than 64 levels/],
    ['['.repeat(1_000_000), /nested deeper than 64 levels/],
  ] as const) {
    test(`${text.slice(0, 40)} is not exact`, () => {
      const parsed = parseExact(text)
      assert.ok(!parsed.ok)
      assert.equal(parsed.fault.kind, 'inexact')
      assert.match(parsed.fault.reason, reason)
    })
  }

  for (const text of [
    '',
    ' ',
    '{',
    '[1,]',
    '{"a":1,}',
    '{a:1}',
    "{'a':1}",
    '{"a" 1}',
    '[1 2]',
    '01',
    '+1',
    '.5',
    '1.',
    '1.e3',
    '1e',
    '0x10',
    '-',
    'NaN',
    'Infinity',
    'undefined',
    'tru',
    'nulll',
    '"a',
    '"a\nb"',
    '"\\x41"',
    '"\\u12g4"',
    '"\\u{41}"',
    '"\\',
    '[1]]',
    '1 1',
    '/* a */1',
    '\ufeff{}',
    '\u00a0{}',
    '\v1',
  ]) {
    test(`${JSON.stringify(text)} is not JSON`, () => {
      const parsed = parseExact(text)
      assert.ok(!parsed.ok)
      assert.equal(parsed.fault.kind, 'syntax')
      assert.ok(parsed.fault.at <= text.length)
      assert.throws(() => JSON.parse(text), SyntaxError)
    })
  }

  test('exactly the deepest nesting is accepted', () => {
    assert.ok(parseExact(nested(MAX_DEPTH)).ok)
  })

  test('what is accepted is what JSON.parse reads', () => {
    let accepted = 0
    fc.assert(
      fc.property(texts, (text) => {
        const parsed = parseExact(text)
        if (parsed.ok) {
          accepted++
          assert.deepEqual(parsed.value, JSON.parse(text))
        } else assert.equal(parsed.fault.kind, 'inexact', `${text}: ${parsed.fault.reason}`)
      }),
      { seed: SEED, numRuns: RUNS },
    )
    assert.ok(accepted > RUNS / 10, `only ${accepted} were accepted`)
  })

  test('text with one character changed: the same verdict as JSON.parse, or inexact', () => {
    const mutated = fc.tuple(
      texts,
      fc.nat(),
      fc.constantFrom('', '"', '\\', '{', ']', ',', ':', '0', '.', 'e', ' '),
    )
    fc.assert(
      fc.property(mutated, ([text, place, insert]) => {
        const at = place % (text.length + 1)
        const changed = text.slice(0, at) + insert + text.slice(at + 1)
        const parsed = parseExact(changed)
        if (!parsed.ok && parsed.fault.kind === 'inexact') return
        if (parsed.ok) assert.deepEqual(parsed.value, JSON.parse(changed))
        else assert.throws(() => JSON.parse(changed), SyntaxError, changed)
      }),
      { seed: SEED, numRuns: RUNS },
    )
  })

  test('__proto__ is a member like any other', () => {
    const parsed = parseExact('{"__proto__":{"polluted":true},"constructor":1,"toString":2}')
    assert.ok(parsed.ok)
    const value = parsed.value as Record<string, Json>
    assert.deepEqual(Object.keys(value), ['__proto__', 'constructor', 'toString'])
    assert.equal(Object.getPrototypeOf(value), Object.prototype)
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
  })

  test('a reason never holds text of the request', () => {
    for (const text of [
      '{"pk_secret_0123456789":1,"pk_secret_0123456789":1}',
      'pk_secret_0123456789',
      '"pk_secret',
    ])
      assert.doesNotMatch(JSON.stringify(parseExact(text)), /pk_secret/)
  })
})

describe('an answer', () => {
  for (const number of [
    '1.0',
    '1.50',
    '1e3',
    '1E+03',
    '-0',
    '-0.0',
    '0.00001',
    '1e-7',
    '0.0000001',
    '12345678901234567890',
    '9007199254740993',
    '1234567.123456789012',
    '9007199254740.993',
    '0.1000000000000000055511151231257827',
    '1e400',
    '123456789012345678901234567890.5e-3',
  ]) {
    test(`${number} comes back as it was spelled`, () => {
      for (const text of [number, `[${number}]`, `{"a":${number},"b":"\\u0041"}`, `[ ${number} ]`])
        assert.deepEqual(numbersOf(JSON.stringify(parseLossless(text))), numbersOf(text))
    })
  }

  test('every number comes back as it was spelled, every other value as JSON.parse reads it', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const value = parseLossless(text)
        // An object with integer-like names is written in another order, so the numbers are compared as a set.
        assert.deepEqual(numbersOf(JSON.stringify(value)).sort(), numbersOf(text).sort())
        assert.deepEqual(JSON.parse(JSON.stringify(value)), JSON.parse(text))
      }),
      { seed: SEED, numRuns: RUNS },
    )
  })

  test('what a request may not say an answer may', () => {
    assert.deepEqual(parseLossless('{"a":1,"a":2}'), { a: 2 })
    assert.equal(parseLossless('"\\ud800"'), '\ud800')
    assert.equal(JSON.stringify(parseLossless(nested(1000))), nested(1000))
  })

  test('what is no JSON throws SyntaxError, whatever its depth', () => {
    for (const text of [
      '',
      '{',
      '[1,]',
      '"\\',
      '1 1',
      '["\\u0041"',
      '1e',
      '['.repeat(100_000),
      `"\\n"${'['.repeat(5000)}`,
    ])
      assert.throws(
        () => parseLossless(text),
        (error) => error instanceof SyntaxError || error instanceof RangeError,
      )
  })
})
