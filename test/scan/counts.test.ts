// A slice of what `npm run verify scan` counts in full: benign pieces that are flagged, and planted secrets that are found.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countBenign, countPlanted } from './lib/counts.ts'
import { planOf, rulesFor } from './lib/look.ts'

const plan = planOf(await rulesFor({}))

test('of 400 pieces of real text at most 0.5 % are flagged, and none is blocked', () => {
  const { flagged, blocked, rules } = countBenign(plan, 400, 1)
  assert.ok(flagged <= 2, JSON.stringify([...rules]))
  assert.equal(blocked, 0)
})

test('of 300 planted secrets of all kinds 99 % are found', () => {
  const { planted, found, kinds, missed } = countPlanted(plan, 300, 2)
  assert.ok(kinds >= 40)
  assert.equal(planted, 300)
  assert.ok(found >= 297, missed.join())
})
