// The cost of a look grows with the text and nothing else: hostile texts of each rule, repetitions that are bounded, slices that end.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { lookOn, openLook } from '../../src/response/scan/look.ts'
import { lookAt, planOf, rulesFor } from './lib/look.ts'
import { PLANTED } from './lib/planted.ts'
import { random } from './lib/random.ts'

const plan = planOf(await rulesFor({ rules: { email: 'flag', 'soft-hyphen': 'flag' } }))

function timed(text: string): number {
  const start = performance.now()
  lookAt(plan, text)
  return performance.now() - start
}

/** Fastest of a few runs, in milliseconds: the others were disturbed. */
function fastest(text: string): number {
  let best = Number.POSITIVE_INFINITY
  for (let run = 0; run < 3; run++) {
    best = Math.min(best, timed(text))
  }
  return best
}

const SIZE = 64 * 1024
/** What a rule could be made to look at again and again. */
const hostile = (trigger: string, planted: string): string[] => [
  trigger,
  `${trigger} `,
  `"${trigger}`,
  `${trigger}A1`,
  `${trigger}=`,
  `${trigger}="`,
  `${trigger}a1b2c3d4.`,
  planted.slice(0, -1),
  `${planted.slice(0, Math.ceil(planted.length / 2))} `,
]

describe('four times of whatever a rule is slow on costs four times as much', () => {
  for (const rule of plan.rules) {
    test(rule.id, () => {
      const planted = PLANTED[rule.id]?.(random(3)) ?? ''
      const triggers = rule.triggers.map((trigger) =>
        typeof trigger === 'string' ? trigger : trigger.map((letters) => letters.charAt(0)).join(''),
      )
      for (const unit of new Set([...triggers, ''].flatMap((trigger) => hostile(trigger, planted)))) {
        if (unit === '') continue
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
