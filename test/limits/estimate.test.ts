// The token estimate against the counts of a real tokenizer (o200k_base), which are committed with their texts.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { estimateTokens } from '../../src/admission/limits/index.ts'

const SEED = 20_260_404
console.log(`# seed ${SEED}`)

interface Sample {
  name: string
  tokens: number
  text: string
}

const ROOT = join(import.meta.dirname, '../..')
const samples = JSON.parse(readFileSync(join(import.meta.dirname, 'fixture/texts.json'), 'utf8')) as Sample[]
const error = ({ text, tokens }: Sample): number => estimateTokens(text) / tokens - 1

describe('the estimate', () => {
  for (const sample of samples) {
    test(`${sample.name}: within a quarter of the count`, () => {
      const off = error(sample)
      assert.ok(Math.abs(off) <= 0.25, `${(off * 100).toFixed(0)} %`)
    })
  }

  test('over all texts it is within a twentieth', () => {
    const counted = samples.reduce((sum, { tokens }) => sum + tokens, 0)
    const estimated = samples.reduce((sum, { text }) => sum + estimateTokens(text), 0)
    assert.ok(Math.abs(estimated / counted - 1) <= 0.05, `${estimated} for ${counted}`)
  })

  test('docs/operate/limits.md states the errors that are measured here', () => {
    const page = readFileSync(join(ROOT, 'docs/operate/limits.md'), 'utf8')
    const errors = samples.map(error)
    const percent = (value: number): string =>
      `${value > 0 ? '+' : '-'}${Math.abs(Math.round(value * 100))} %`
    assert.ok(page.includes(`${percent(Math.min(...errors))} to ${percent(Math.max(...errors))}`))
    assert.ok(page.includes(`${samples.length} texts`))
  })

  test('a text and its bytes cost the same, and nothing is free', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (text) => {
        const tokens = estimateTokens(text)
        assert.equal(estimateTokens(Buffer.from(text)), tokens)
        assert.ok(tokens >= 1 && tokens <= Buffer.byteLength(text) * 3)
      }),
      { seed: SEED, numRuns: 500 },
    )
  })

  test('no bytes, odd bytes, much of the same', () => {
    assert.equal(estimateTokens(''), 0)
    for (let byte = 0; byte < 256; byte++) assert.ok(estimateTokens(Uint8Array.of(byte)) <= 3)
    for (const character of ['a', 'Z', '7', ' ', '\n', '{', '-', 'é', 'α', 'ж', 'ש', '日', 'ก', '…', '🎉'])
      assert.ok(estimateTokens(character.repeat(100_000)) >= 1000, character)
  })
})
