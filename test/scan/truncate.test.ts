// Whatever is cut stays JSON, holds nothing that was not there, and fits.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { truncateDeclared, truncateJson } from '../../src/response/scan/truncate.ts'

/** True where every value of `part` is the beginning of the one of `whole` at the same place. */
function begins(part: unknown, whole: unknown): boolean {
  if (typeof part === 'string' && typeof whole === 'string')
    return part === whole || part === '' || (part.endsWith('…') && whole.startsWith(part.slice(0, -1)))
  if (Array.isArray(part) && Array.isArray(whole))
    return part.every((item, index) => begins(item, whole[index]))
  if (typeof part === 'object' && part !== null && typeof whole === 'object' && whole !== null) {
    return Object.entries(part).every(
      ([name, value]) =>
        Object.hasOwn(whole, name) && begins(value, (whole as Record<string, unknown>)[name]),
    )
  }
  return Object.is(part, whole) || (part === 0 && whole === 0)
}

test('any JSON cut to any size', () => {
  let cuts = 0
  fc.assert(
    fc.property(
      fc.jsonValue({ stringUnit: 'binary' }),
      fc.constantFrom(undefined, 2),
      fc.integer({ min: 2, max: 400 }),
      (value, indent, max) => {
        const source = JSON.stringify(value, null, indent)
        const cut = truncateJson(source, max)
        if (cut === undefined) return
        if (cut !== source) cuts++
        assert.ok(cut === source || cut.length <= max, `${cut.length} > ${max}`)
        assert.ok(begins(JSON.parse(cut), JSON.parse(source)), cut)
      },
    ),
    { numRuns: 3000 },
  )
  assert.ok(cuts > 100, String(cuts))
})

test('a text of escapes is not cut inside one', () => {
  for (const piece of ['\\', '"', '\n', '\u0001', '\ud83d\ude00', '\\\\n', 'é']) {
    const source = JSON.stringify({ a: piece.repeat(80) })
    for (let max = 30; max < source.length; max++) {
      const cut = truncateJson(source, max) ?? 'null'
      assert.ok(cut.length <= max)
      assert.ok(begins(JSON.parse(cut), JSON.parse(source)), cut)
    }
  }
})

test('as much is kept as fits', () => {
  const rows = Array.from({ length: 100 }, (_, id) => ({ id, name: `row ${id}` }))
  const cut = truncateJson(JSON.stringify(rows), 1000) ?? ''
  assert.ok(cut.length > 950, String(cut.length))
})

test('a declared form is kept whatever the size: named members and types stay', () => {
  const FRAME = '{"payload":{"payload":{},"meta":{}},"snippet":""}'
  const schema = {
    type: 'object',
    properties: {
      payload: {
        type: 'object',
        properties: { payload: { type: 'object' }, meta: { type: 'object' } },
      },
      snippet: { type: 'string' },
    },
  }
  const object = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }))
  let cuts = 0
  fc.assert(
    fc.property(
      fc.record({
        payload: fc.record({ payload: object, meta: object }),
        snippet: fc.string({ maxLength: 200 }),
      }),
      fc.integer({ min: 0, max: 400 }),
      (value, max) => {
        const source = JSON.stringify(value)
        const cut = truncateDeclared(JSON.parse(source), schema, max)
        if (cut !== source) cuts++
        // What has to stand may take more than its share where there is hardly room for it; the stage then tries with less.
        assert.ok(cut.length <= max + FRAME.length, `${cut.length} > ${max}`)
        assert.equal(truncateDeclared(JSON.parse(source), schema, 0), FRAME)
        const parsed = JSON.parse(cut)
        assert.ok(begins(parsed, JSON.parse(source)), cut)
        assert.equal(typeof parsed.snippet, 'string')
        for (const member of [parsed.payload.payload, parsed.payload.meta])
          assert.ok(typeof member === 'object' && member !== null && !Array.isArray(member))
      },
    ),
    { numRuns: 2000 },
  )
  assert.ok(cuts > 100, String(cuts))
})

test('a small member of a declared form leaves its room to the large ones', () => {
  const schema = { properties: { small: {}, large: {} } }
  const value = { small: 'x', large: 'y'.repeat(1000), extra: 'z' }
  const cut = truncateDeclared(value, schema, 300)
  assert.ok(cut.length > 290 && cut.length <= 300, cut)
  assert.deepEqual(Object.keys(JSON.parse(cut)), ['small', 'large'])
  assert.equal(JSON.parse(cut).small, 'x')
})
