// The cost of a look grows with the text and nothing else: hostile texts of each rule, repetitions that are bounded, slices that end.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { lookOn, openLook } from '../../src/response/scan/look.ts'
import { hostileTo } from './lib/hostile.ts'
import { planOf, rulesFor, timeOf } from './lib/look.ts'

const plan = planOf(await rulesFor({ rules: { email: 'flag', 'soft-hyphen': 'flag' } }))

/** Milliseconds of one look, over as many as take a while: the kernel counts a thread's time in ticks of some milliseconds. */
function cost(text: string): number {
  let [sum, looks] = [0, 0]
  for (; sum < 40; looks++) sum += timeOf(plan, text)
  return sum / looks
}

const SIZE = 64 * 1024
describe('four times of whatever a rule is slow on costs four times as much', () => {
  for (const rule of plan.rules) {
    test(rule.id, () => {
      for (const unit of hostileTo(rule)) {
        const small = unit.repeat(Math.ceil(SIZE / 4 / unit.length))
        const large = unit.repeat(Math.ceil(SIZE / unit.length))
        // So small a cost that it says nothing is none.
        if (timeOf(plan, large) < 20) continue
        // What is quadratic costs 16 times as much, however often one asks; what the machine does meanwhile can only add.
        let ratio = Number.POSITIVE_INFINITY
        for (let ask = 0; ask < 5 && ratio >= 10; ask++) ratio = Math.min(ratio, cost(large) / cost(small))
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
