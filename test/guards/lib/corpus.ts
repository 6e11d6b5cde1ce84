// What all corpora of attacks are held to: enough families, enough texts in each, no text twice in another dress.
import assert from 'node:assert/strict'

/** Lower case, without white space, and each run of one character as one. */
const squeezed = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[ \t]+/g, '')
    .replace(/(.)\1{2,}/gsu, '$1')

export function assertCorpus(families: Readonly<Record<string, readonly string[]>>): void {
  assert.ok(Object.keys(families).length >= 12, 'families')
  const seen = new Map<string, string>()
  for (const [family, texts] of Object.entries(families)) {
    assert.ok(texts.length >= 15, `${family}: ${texts.length}`)
    for (const text of texts) {
      const key = squeezed(text)
      assert.ok(!seen.has(key), `${family}: ${JSON.stringify(text.slice(0, 80))} is also in ${seen.get(key)}`)
      seen.set(key, family)
    }
  }
}

export function assertBenign(texts: readonly string[]): void {
  assert.ok(new Set(texts).size >= 300, `${new Set(texts).size}`)
}
