// The cost of a look grows with the text and nothing else: hostile texts of each rule, repetitions that are bounded, slices that end.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { lookOn, openLook } from '../../src/response/scan/look.ts'
import { hostileTo } from './lib/hostile.ts'
import { planOf, rulesFor, timeOf } from './lib/look.ts'

const plan = planOf(await rulesFor({ rules: { email: 'flag', 'soft-hyphen': 'flag' } }))

const timed = (text: string): number => timeOf(plan, text)

/** Fastest of a few runs, in milliseconds: the others were disturbed. */
function fastest(text: string): number {
  let best = Number.POSITIVE_INFINITY
  for (let run = 0; run < 3; run++) {
    best = Math.min(best, timed(text))
  }
  return best
}

const SIZE = 64 * 1024
describe('four times of whatever a rule is slow on costs four times as much', () => {
  for (const rule of plan.rules) {
    test(rule.id, () => {
      for (const unit of hostileTo(rule)) {
        const small = unit.repeat(Math.ceil(SIZE / 4 / unit.length))
        const large = unit.repeat(Math.ceil(SIZE / unit.length))
        // What is quadratic costs 16 times as much; so small a cost that it says nothing is none.
        const once = timed(large)
        if (once < 20) continue
        const ratio = fastest(large) / fastest(small)
        assert.ok(ratio < 10, `${JSON.stringify(unit.slice(0, 80))}: ${ratio} times the cost`)
      }
    })
  }
})

test('a slice ends after so much work, whatever there is to look at', () => {
  for (const unit of ['word ', '-----BEGIN ', 'eyJ', 'a@b.c ', '\u200b', 'password="']) {
    const text = unit.repeat(Math.ceil((1 << 20) / unit.length))
    const look = openLook(plan, text)
    let slices = 1
    while (!lookOn(look)) slices++
    assert.ok(slices >= text.length / (64 * 1024), `${unit}: ${slices} slices`)
  }
})
