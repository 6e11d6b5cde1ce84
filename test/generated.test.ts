// Each generated file stands in the repository exactly as its generator writes it today.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GENERATED, readCommitted } from '../scripts/generate.ts'

for (const [path, make] of Object.entries(GENERATED)) {
  test(path, async () => {
    const text = await make()
    assert.ok(text.length > 0 && text.endsWith('\n'))
    assert.equal(readCommitted(path), text, 'run npm run generate')
    assert.equal(await make(), text, 'the generator gives the same text twice')
  })
}
