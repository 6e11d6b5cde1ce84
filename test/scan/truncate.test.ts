// Whatever is cut stays JSON, holds nothing that was not there, and fits.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { truncateJson } from '../../src/response/scan/truncate.ts'

/** True where every value of `part` is the beginning of the one of `whole` at the same place. */
function begins(part: unknown, whole: unknown): boolean {
  if (typeof part === 'string' && typeof whole === 'string')
    return part === whole || (part.endsWith('…') && whole.startsWith(part.slice(0, -1)))
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
