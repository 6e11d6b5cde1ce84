// Prepared needles find what a search for each of them finds, however they overlap and whatever stands around them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { prepareNeedles } from '../../src/core/needles.ts'

const SEED = 20261121

// Few different characters, so that needles overlap and share their pieces; two of them beyond ASCII.
const unit = fc.constantFrom('a', 'b', '_', '\u0161', '\u{1f511}')
const needle = fc.string({ unit, minLength: 12, maxLength: 20 })

test(`the same as one search for each (seed ${SEED})`, () => {
  let hits = 0
  fc.assert(
    fc.property(
      fc.uniqueArray(needle, { maxLength: 20 }).chain((needles) =>
        fc.tuple(
          fc.constant(needles),
          fc
            .array(fc.oneof(fc.string({ unit, maxLength: 15 }), fc.constantFrom('', ...needles)), {
              maxLength: 8,
            })
            .map((parts) => parts.join('')),
        ),
      ),
      ([needles, text]) => {
        const expected = needles.filter((one) => text.includes(one))
        hits += expected.length
        assert.deepEqual(prepareNeedles(needles)(text), expected)
      },
    ),
    { seed: SEED, numRuns: 3000 },
  )
  assert.ok(hits > 1000, `${hits} found`)
})

test('a needle is found at every place, alone and at both ends', () => {
  const find = prepareNeedles(['pk_live_0123456789'])
  for (let before = 0; before < 40; before++)
    for (const after of ['', '9', '0123456789'])
      assert.equal(find(`${'0'.repeat(before)}pk_live_0123456789${after}`).length, 1, `after ${before}`)
  for (const text of ['', 'pk_', 'pk_live_012345678', 'k_live_0123456789', '0123456789'.repeat(9)])
    assert.deepEqual(find(text), [])
})

test('thousands with the same beginning, in a megabyte of that beginning, take no more than a moment', () => {
  const needles = Array.from(
    { length: 20_000 },
    (_, i) => `pk_live_${i * 7_919}_${(i * 104_729).toString(36)}_end${i}`,
  )
  const find = prepareNeedles(needles)
  assert.deepEqual(find('pk_live_'.repeat(131_072)), [])
  assert.deepEqual(find(`${'pk_live_'.repeat(1000)}${needles[77]}`), [needles[77]])
})

test('one that is too short to look for is a fault of ours', () => {
  assert.throws(() => prepareNeedles(['long enough it is', 'too short']), RangeError)
  assert.deepEqual(prepareNeedles([])('anything at all'), [])
})
