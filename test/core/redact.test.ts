// No form of a credential survives the redactor, and what holds none comes back as the very same value.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { createHeldRedactor, createRedactor, MIN_CREDENTIAL, redactorFor } from '../../src/core/redact.ts'
import { REDACTED } from '../../src/core/text.ts'

const SEED = 20260728
const RUNS = 2000
const check = (property: fc.IProperty<never> | fc.IPropertyWithHooks<never>): void =>
  fc.assert(property, { seed: SEED, numRuns: RUNS })

// What the tools take: 12 to 512 visible ASCII characters. Parts of the mark itself would stand in every redacted text.
const visible = fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code))
const credential = fc
  .oneof(
    fc.string({ unit: visible, minLength: MIN_CREDENTIAL, maxLength: 40 }),
    fc.string({
      unit: fc.constantFrom('a', '_', '%', '2', '5', '+', '/', '=', '&'),
      minLength: MIN_CREDENTIAL,
      maxLength: 40,
    }),
    fc.string({ unit: visible, minLength: 3, maxLength: 12 }).map((text) => `pk_live_0123456789${text}`),
    fc.constantFrom(
      '$&$&$&$&$&$&',
      '...........+',
      '^^^^^^^^^^^^^',
      '\\\\\\\\\\\\\\\\\\\\\\\\',
      '""""""""""""',
      'a'.repeat(512),
    ),
  )
  .filter((text) => !text.includes('[') && !text.includes(']'))

/** Encoded where `which` says so; a percent sign always is, or it would not be the encoding of this text. */
const percent = (text: string, which: (index: number) => boolean, capitals: boolean): string =>
  [...Buffer.from(text)]
    .map((byte, index) => {
      const character = String.fromCharCode(byte)
      if (!which(index) && character !== '%') return character
      const hex = byte.toString(16).padStart(2, '0')
      return `%${capitals ? hex.toUpperCase() : hex}`
    })
    .join('')

/** One of the forms in which a credential may turn up, and how to find it again. */
interface Form {
  text: string
  /** Reads every credential out of a text that may hold this form. */
  read(text: string): string[]
}

const decodePercent = (text: string): string => {
  const bytes: number[] = []
  for (let at = 0; at < text.length; at++) {
    const hex = /^%([0-9a-fA-F]{2})/.exec(text.slice(at, at + 3))?.[1]
    if (hex === undefined) bytes.push(text.charCodeAt(at))
    else {
      bytes.push(Number.parseInt(hex, 16))
      at += 2
    }
  }
  return Buffer.from(bytes).toString('latin1')
}

const decodeBase64 = (text: string): string[] =>
  (text.match(/[A-Za-z0-9+/_-]{4,}/g) ?? []).flatMap((run) =>
    [0, 1, 2, 3].map((skip) =>
      Buffer.from(run.slice(skip).replaceAll('-', '+').replaceAll('_', '/'), 'base64').toString('latin1'),
    ),
  )

const form = (key: string): fc.Arbitrary<Form> =>
  fc.oneof(
    fc.constant<Form>({ text: key, read: (text) => [text] }),
    fc.tuple(fc.infiniteStream(fc.boolean()), fc.boolean()).map(([bits, capitals]): Form => {
      const choices = [...bits.take(key.length)]
      return {
        text: percent(key, (index) => choices[index] === true, capitals),
        read: (text) => [decodePercent(text)],
      }
    }),
    fc.constant<Form>({ text: encodeURIComponent(key), read: (text) => [decodePercent(text)] }),
    fc
      .tuple(
        fc.uint8Array({ maxLength: 5 }),
        fc.uint8Array({ maxLength: 5 }),
        fc.constantFrom<BufferEncoding>('base64', 'base64url'),
      )
      .map(
        ([before, after, encoding]): Form => ({
          text: Buffer.concat([before, Buffer.from(key), after]).toString(encoding),
          read: decodeBase64,
        }),
      ),
  )

// The text around must not be such that a form goes on in it.
const around = fc
  .string({ unit: fc.constantFrom(' ', 'x', 'ü', '{', '"', ':', '\u{1f600}', '\n'), maxLength: 6 })
  .map((text) => ` ${text} `)

test('no form of a credential survives in a text', () => {
  check(
    fc.property(
      credential.chain((key) =>
        fc.tuple(fc.constant(key), fc.array(form(key), { minLength: 1, maxLength: 4 }), around),
      ),
      ([key, forms, space]) => {
        const text = forms.map((one) => one.text).join(space)
        const redacted = createRedactor([key]).text(text)
        assert.ok(redacted.includes(REDACTED))
        for (const { read } of forms) {
          for (const reading of [redacted, ...read(redacted)]) assert.ok(!reading.includes(key), reading)
        }
      },
    ) as never,
  )
})

test('no form survives in strings and member names of a value, however deep, and the shape stays', () => {
  check(
    fc.property(
      credential.chain((key) => fc.tuple(fc.constant(key), form(key))),
      fc.jsonValue({ maxDepth: 3 }),
      ([key, { text }], other) => {
        const value = { a: [other, { [`n ${text}`]: text }], [text]: [[text, 1, null, true]], b: other }
        const before = JSON.stringify(value)
        const redacted = createRedactor([key]).value(value)
        assert.equal(JSON.stringify(value), before, 'the input was changed')
        const held = JSON.stringify(other).includes(text)
        if (!held) assert.deepEqual(redacted.b, other)
        const strings = collect(redacted)
        assert.ok(strings.every((one) => !one.includes(text)))
        assert.ok(strings.some((one) => one.includes(REDACTED)))
      },
    ) as never,
  )
})

function collect(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, member]) => [name, ...collect(member)])
}

test('a value without the credential is the same object, and its JSON is known to be clean', () => {
  check(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const redactor = createRedactor(['pk_live_0123456789abcdef', '%%%%%%%%%%%%'])
      assert.equal(redactor.value(value), value)
      const source = JSON.stringify(value)
      assert.equal(redactor.cleanJson(source), !/\\[u/"\\]/.test(source))
    }) as never,
  )
})

test('only what holds the credential is copied', () => {
  const clean = { deep: [1, 'two'] }
  const value = { clean, list: [clean, 'pk_live_0123456789abcdef'] }
  const redacted = createRedactor(['pk_live_0123456789abcdef']).value(value)
  assert.equal(redacted.clean, clean)
  assert.equal(redacted.list[0], clean)
  assert.deepEqual(redacted.list[1], REDACTED)
})

test('JSON text in which an escape could hide a credential is not taken for clean', () => {
  const key = 'pk_"live"\\0/123'
  const redactor = createRedactor([key])
  const escaped = [...key]
    .map((character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')
  for (const source of [
    JSON.stringify(key),
    `"${escaped}"`,
    JSON.stringify(key).replace('/', '\\/'),
    `["\\u0070${JSON.stringify(key).slice(2)}]`,
  ]) {
    assert.equal(redactor.cleanJson(source), false, source)
    assert.ok(!JSON.stringify(redactor.value(JSON.parse(source))).includes('live'))
  }
  assert.equal(redactor.cleanJson('{"a":"\\n\\t\\b\\f\\r"}'), true)
})

test('numbers keep the backend’s own digits', () => {
  const value = {
    n: JSON.rawJSON('1.50'),
    list: ['pk_live_0123456789abcdef', JSON.rawJSON('12345678901234567890')],
  }
  assert.equal(
    JSON.stringify(createRedactor(['pk_live_0123456789abcdef']).value(value)),
    '{"n":1.50,"list":["[REDACTED]",12345678901234567890]}',
  )
})

test('a member named __proto__ stays a member', () => {
  const value = JSON.parse('{"__proto__":{"a":"pk_live_0123456789abcdef"}}')
  const redacted = createRedactor(['pk_live_0123456789abcdef']).value(value)
  assert.equal(JSON.stringify(redacted), '{"__proto__":{"a":"[REDACTED]"}}')
  assert.equal(Object.getPrototypeOf(redacted), Object.prototype)
})

test('several credentials, one inside the other, and those too short to look for', () => {
  for (const order of [
    ['pk_live_0123456789', 'pk_live_0123456789_and_more', 'short', ''],
    ['', 'short', 'pk_live_0123456789_and_more', 'pk_live_0123456789'],
  ]) {
    const redactor = createRedactor(order)
    assert.equal(redactor.text('a short pk_live_0123456789_and_more'), `a short ${REDACTED}`)
    assert.equal(
      redactor.text('pk_live_0123456789_and pk_live%5F0123456789_and_more'),
      `${REDACTED}_and ${REDACTED}`,
    )
  }
  const none = createRedactor([])
  const value = { a: 'pk_live_0123456789' }
  assert.equal(none.value(value), value)
  assert.equal(none.cleanJson('"%41%41%41"'), true)
})

test('characters with a meaning in expressions and replacements are taken as they are', () => {
  const keys = ['.*+?^$()|/\\{}', "$&$1$$$`$'$<a>"]
  for (const key of keys) {
    const redactor = createRedactor([key])
    assert.equal(
      redactor.text(`xxxxxxxxxxxxxxxxxxx ${key} ${percent(key, () => true, true)}`),
      `xxxxxxxxxxxxxxxxxxx ${REDACTED} ${REDACTED}`,
    )
  }
})

/** Keys as an operator has them, beginnings and ends in common, some of them prefixes of others. */
const many = fc
  .array(credential, { minLength: 1, maxLength: 12 })
  .map((keys) => keys.flatMap((key, i) => (i % 3 === 0 ? [key, `${key}_and_more`] : [key])))

test('prepared for many calls it replaces what it would for one', () => {
  check(
    fc.property(
      many.chain((keys) =>
        fc.tuple(
          fc.constant(keys),
          fc.array(
            fc.oneof(
              fc.constantFrom(...keys).chain(form),
              fc.string().map((text) => ({ text })),
            ),
            {
              maxLength: 6,
            },
          ),
          around,
        ),
      ),
      ([keys, forms, space]) => {
        const [one, held] = [createRedactor(keys), createHeldRedactor(keys)]
        const text = forms.map((part) => part.text).join(space)
        assert.equal(held.text(text), one.text(text))
        assert.equal(held.cleanPlain(text), one.cleanPlain(text))
        assert.equal(held.cleanJson(JSON.stringify(text)), one.cleanJson(JSON.stringify(text)))
        assert.deepEqual(held.value({ [text]: [text] }), one.value({ [text]: [text] }))
      },
    ) as never,
  )
})

test('with those that are held, a key of the call that is the beginning of one leaves none of it standing', () => {
  const held = createHeldRedactor(['pk_live_0123456789_a_key'])
  const both = redactorFor({ credentials: ['pk_live_0123456789'], held, ownRedactor: undefined })
  for (const text of ['pk_live_0123456789_a_key', btoa('pk_live_0123456789_a_key')]) {
    assert.equal(both.text(text), REDACTED)
    assert.deepEqual(both.value([text]), [REDACTED])
  }
  assert.equal(both.text('pk_live_0123456789'), REDACTED)
  for (const [text, clean] of [
    ['pk_live_0123456789', false],
    ['pk_live_0123456789_a_key', false],
    ['neither of them', true],
  ] as const)
    assert.deepEqual([both.cleanPlain(text), both.cleanJson(JSON.stringify(text))], [clean, clean])
  const none = createHeldRedactor([])
  assert.equal(none.text('%41 pk_live_0123456789_a_key'), '%41 pk_live_0123456789_a_key')
  assert.equal(none.cleanPlain('%41'), true)
})

test('a megabyte of near hits takes no more than a moment', () => {
  const key = `${'%25'.repeat(160)}end`
  const redactor = createRedactor([key, `${'a'.repeat(500)}b`])
  const text = '%25'.repeat(350_000) + 'a'.repeat(100_000)
  assert.equal(redactor.text(text), text)
  assert.equal(createHeldRedactor([key, `${'a'.repeat(500)}b`]).text(text), text)
})
