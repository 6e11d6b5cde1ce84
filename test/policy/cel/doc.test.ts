// The reference page of conditions: its examples compile, and it names everything that there is.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { BUDGET, FUNCTIONS, METHODS } from '../../../src/admission/policy/cel-meter.ts'
import { CALL_FIELDS, OPTIONAL_FIELDS, PRINCIPAL_FIELDS } from '../../../src/admission/policy/cel-values.ts'
import { compiled, decide } from './lib.ts'

const page = readFileSync(new URL('../../../docs/reference/cel.md', import.meta.url), 'utf8')

it('every example compiles', () => {
  const examples = [...page.matchAll(/```cel\n([^`]+)```/g)].map((match) => match[1] ?? '')
  assert.equal(examples.length, 4)
  for (const example of examples) compiled(example)
  const args = { params: [{ table: 'orders', limit: 50 }] }
  assert.equal(decide(examples[2] ?? '', args), true)
  assert.equal(decide(examples[2] ?? '', { params: [{ table: 'orders' }] }), false)
  assert.equal(decide(examples[1] ?? '', { params: ['acme:shop'] }), true)
  assert.equal(decide(examples[3] ?? '', {}, { path: ['reports/a.csv'] }), true)
  assert.equal(decide(examples[3] ?? '', {}, { path: ['reports/Salaries.csv'] }), false)
})

it('it names every field, function and method', () => {
  const fields = [
    ...Object.keys(PRINCIPAL_FIELDS).map((name) => `principal.${name}`),
    ...Object.keys(CALL_FIELDS).map((name) => `call.${name}`),
  ]
  for (const name of fields) assert.ok(page.includes(`\`${name}\``), name)
  for (const name of [...FUNCTIONS.keys(), ...METHODS.keys()])
    assert.match(page, new RegExp(`\`${name}[\`(]`), name)
  for (const name of OPTIONAL_FIELDS) assert.match(page, new RegExp(`\`${name}\`.*\\| .*absent`), name)
})

it('its bounds are those of the code', () => {
  assert.ok(page.includes(`${BUDGET.toLocaleString('en-US')} units`))
})
