// The gate's states are made when they are needed and may be forgotten: it sees every trigger all the same.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileGate, UNKNOWN } from '../../src/response/scan/gate.ts'
import type { Rule } from '../../src/response/scan/rule.ts'
import { lookAt, planOf, rulesFor } from './lib/look.ts'
import { PLANTED } from './lib/planted.ts'
import { letters, random } from './lib/random.ts'

const none = (): undefined => undefined
const row = (id: string, triggers: Rule['triggers'], more: Partial<Rule> = {}): Rule => ({
  detector: 'secret',
  id,
  triggers,
  find: none,
  ...more,
})
const ROWS: readonly Rule[] = [
  row('overlapping', ['ab', 'abab', 'b-a']),
  row('sets', [
    ['ab', '-1', 'ab'],
    ['1', '1', '1', '1'],
  ]),
  row('cases', ['Ba1', 'b-'], { anyCase: true }),
]

/** Every trigger that ends at each place, found the long way. */
function endings(text: string): string[] {
  return [...text].flatMap((_, at) =>
    ROWS.flatMap((rule, number) =>
      rule.triggers.flatMap((trigger) => {
        const from = at + 1 - trigger.length
        const seen = text.slice(Math.max(0, from), at + 1)
        const fits =
          from >= 0 &&
          [...trigger].every((set, index) => {
            const letter = seen.charAt(index)
            const all = rule.anyCase ? set.toLowerCase() + set.toUpperCase() : set
            return all.includes(letter)
          })
        return fits ? [`${at} ${number} ${trigger.length}`] : []
      }),
    ),
  )
}

test('all triggers at all places, with all states kept or nearly none', () => {
  const next = random(1)
  for (const maxStates of [undefined, 2, 3, 7]) {
    const gate = compileGate(ROWS, maxStates)
    let found = 0
    for (let round = 0; round < 300; round++) {
      const text = letters(next, 'abAB1-', 40)
      const seen: string[] = []
      let state = 0
      for (let at = 0; at < text.length; at++) {
        const code = text.charCodeAt(at)
        let entry = gate.next[state + code] as number
        if (entry === UNKNOWN) entry = gate.step(state, code)
        state = entry < 0 ? ~entry : entry
        if (entry < 0) for (const { rule, length } of gate.endsIn(state)) seen.push(`${at} ${rule} ${length}`)
        // As between the slices of a look.
        if (at % 7 === 6) state = gate.stateOf(gate.seenIn(state))
      }
      found += seen.length
      assert.deepEqual(seen.sort(), endings(text).sort(), text)
    }
    assert.ok(found > 1000, String(found))
  }
})

test('what is found does not depend on how many states are kept', async () => {
  const plan = planOf(await rulesFor({}))
  const small = { ...plan, gate: compileGate(plan.rules, 40) }
  const next = random(2)
  const text = Object.values(PLANTED)
    .map((make) => `some words, then ${make(next)} and on\n`)
    .join('')
  const ids = (one: typeof plan): string[] => lookAt(one, text).map(({ rule, from }) => `${rule.id} ${from}`)
  assert.ok(ids(plan).length > 100)
  assert.deepEqual(ids(small), ids(plan))
})
