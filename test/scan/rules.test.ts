// Every rule finds what it is for and leaves alone what only looks like it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RULE_IDS } from '../../src/response/scan/index.ts'
import { idsIn, lookAt, planOf, rulesFor } from './lib/look.ts'
import { HARMLESS, PLANTED, VARIANTS } from './lib/planted.ts'
import { random } from './lib/random.ts'

const plan = planOf(await rulesFor({ rules: { email: 'flag', 'soft-hyphen': 'flag' } }))

test('every rule has something planted', () => {
  assert.deepEqual(Object.keys(PLANTED).sort(), [...RULE_IDS].sort())
})

test('there are at least 40 kinds of secrets', () => {
  const kinds = plan.rules.filter(({ detector }) => detector === 'secret')
  assert.ok(kinds.length >= 40, String(kinds.length))
})

test('every rule has something harmless', () => {
  const secrets = plan.rules.filter(({ detector }) => detector === 'secret').map(({ id }) => id)
  assert.deepEqual([...new Set([...secrets, ...Object.keys(HARMLESS)])].sort(), [...RULE_IDS].sort())
})

// A secret that was cut short is none, as in a text that shows how one begins.
for (const { id } of plan.rules.filter((rule) => rule.detector === 'secret')) {
  test(`${id} is not found in the beginning of one`, () => {
    const next = random(5)
    const whole = PLANTED[id]?.(next) ?? ''
    const part = whole.slice(0, Math.ceil(whole.length * 0.3))
    for (const around of [part, `see ${part} here`, `{"a":"${part}…"}`])
      assert.ok(!idsIn(plan, around).includes(id), `${around}: ${idsIn(plan, around).join()}`)
  })
}

for (const [id, makers] of Object.entries(VARIANTS)) {
  test(`${id} is found in its other forms`, () => {
    for (const make of makers) {
      const text = make(random(7))
      assert.ok(idsIn(plan, `a "${text}" b`).includes(id), `${text}: ${idsIn(plan, text).join()}`)
    }
  })
}

for (const [id, make] of Object.entries(PLANTED)) {
  test(`${id} is found, alone and in the middle of text`, () => {
    const next = random(11)
    for (const around of [
      (text: string) => text,
      (text: string) => `before ${text} after`,
      (text: string) => `{"a":1,"b":"${text}","c":[true]}`,
      (text: string) => `# title\n\n- ${text}\n- next`,
    ]) {
      const text = around(make(next))
      assert.ok(idsIn(plan, text).includes(id), `${text}: ${idsIn(plan, text).join()}`)
    }
  })
}

for (const [id, texts] of Object.entries(HARMLESS)) {
  test(`${id} is not found where there is none`, () => {
    for (const text of texts)
      for (const around of [text, `see ${text} here`, `{"a":"${text}"}`])
        assert.ok(!idsIn(plan, around).includes(id), `${around}: ${idsIn(plan, around).join()}`)
  })
}

test('what is found is the secret, not the words around it', () => {
  const password = ['k9x', 'Q2vR', '7mT4'].join('')
  const found = (text: string): string[] => lookAt(plan, text).map(({ from, to }) => text.slice(from, to))
  assert.deepEqual(found(`postgres://shop:${password}@db/shop`), [password])
  assert.deepEqual(found(`{"password": "${password}"}`), [password])
  assert.deepEqual(found(`x ${'4111 1111 1111 1111'} y`), ['4111 1111 1111 1111'])
  assert.deepEqual(found('mail jane@shop.example now'), ['jane@shop.example'])
})

test('a token beside its name is found once, by the rule that knows it best', () => {
  const token = `ghp_${'a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8'}`
  assert.deepEqual(idsIn(plan, `"token": "${token}"`), ['github-token'])
})
