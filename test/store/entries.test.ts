// Entries of the store that are authenticated or sealed: only the fleet's own, unchanged, and under their own key are read.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { createFleet } from '../../src/keys/fleet.ts'
import { openEntry, readEntry, sealEntry, signEntry } from '../../src/store/index.ts'

const SEED = 20_260_403
const RUNS = 500

const secret = (fill: number) => Buffer.alloc(32, fill)
const fleet = createFleet([{ id: 'k1', secret: secret(1) }], true)
const stranger = createFleet([{ id: 'k1', secret: secret(2) }], true)
const rotated = createFleet(
  [
    { id: 'k2', secret: secret(3) },
    { id: 'k1', secret: secret(1) },
  ],
  true,
)
const later = createFleet([{ id: 'k2', secret: secret(3) }], true)

for (const [name, write, read] of [
  ['signed', signEntry, readEntry],
  ['sealed', sealEntry, openEntry],
] as const) {
  describe(`a ${name} entry (seed ${SEED}, ${RUNS} runs)`, () => {
    const key = fc.string({ maxLength: 20 })
    const value = fc.string({ maxLength: 60, unit: 'grapheme' })

    test('is read as it was written, and under no other key', () => {
      fc.assert(
        fc.property(key, key, value, (own, other, text) => {
          const raw = write(fleet, own, text)
          assert.equal(read(fleet, own, raw), text)
          if (own !== other) assert.equal(read(fleet, other, raw), undefined)
          assert.equal(read(stranger, own, raw), undefined)
        }),
        { seed: SEED, numRuns: RUNS },
      )
    })

    test('key and value have a border: nothing moves from one to the other', () => {
      for (const [a, b] of [
        [
          ['ab', 'c'],
          ['a', 'bc'],
        ],
        [
          ['a', ' b'],
          ['a ', 'b'],
        ],
        [
          ['1 a', 'b'],
          ['1', 'a b'],
        ],
        [
          ['', '0 a'],
          ['0', ' a'],
        ],
      ] as const) {
        const [[key, text], [otherKey, otherText]] = [a, b]
        const [mac] = signEntry(fleet, key, text).split(' ', 1)
        assert.equal(readEntry(fleet, otherKey, `${mac} ${otherText}`), undefined)
      }
    })

    test('with any other character it reads as absent', () => {
      fc.assert(
        fc.property(value, fc.nat(), fc.constantFrom('A', 'z', '0', '.', ' ', '_'), (text, at, put) => {
          const raw = write(fleet, 'approval:1', text)
          const place = at % raw.length
          const changed = raw.slice(0, place) + put + raw.slice(place + 1)
          // The last character of base64url may carry bits that nobody reads; only the text counts there.
          const found = read(fleet, 'approval:1', changed)
          if (changed !== raw && found !== undefined) assert.equal(found, text)
          if (changed !== raw && name === 'signed') assert.equal(found, undefined)
        }),
        { seed: SEED, numRuns: RUNS },
      )
    })

    test('cut short, empty, absent or made up it reads as absent', () => {
      const raw = write(fleet, 'k', 'value')
      for (let length = 0; length < raw.length; length++)
        assert.equal(read(fleet, 'k', raw.slice(0, length)), undefined, String(length))
      for (const made of [undefined, '', ' ', 'k1.', 'k1. value', 'value', '. ', 'k9.AAAA value', '\0'])
        assert.equal(read(fleet, 'k', made), undefined, String(made))
    })

    test('outlives the rotation of the fleet key, until the old key is gone', () => {
      const raw = write(fleet, 'k', 'value')
      assert.equal(read(rotated, 'k', raw), 'value')
      assert.equal(read(later, 'k', raw), undefined)
      assert.equal(read(later, 'k', write(rotated, 'k', 'value')), 'value')
    })
  })
}

test('a sealed entry does not show what is in it, and none is like another', () => {
  const [one, two] = [sealEntry(fleet, 'k', 'canary-value'), sealEntry(fleet, 'k', 'canary-value')]
  assert.notEqual(one, two)
  for (const raw of [one, two]) {
    assert.ok(!raw.includes('canary'))
    assert.ok(!Buffer.from(raw.slice(raw.indexOf('.') + 1), 'base64url').includes('canary'))
  }
})

test('one form is not the other', () => {
  assert.equal(openEntry(fleet, 'k', signEntry(fleet, 'k', 'value')), undefined)
  assert.equal(readEntry(fleet, 'k', sealEntry(fleet, 'k', 'value')), undefined)
})
