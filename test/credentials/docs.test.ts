// The examples of docs/operate/credentials.md are configurations that this build takes.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseConfig } from '../../src/config/parse.ts'

const page = readFileSync(new URL('../../docs/operate/credentials.md', import.meta.url), 'utf8')
const examples = [...page.matchAll(/^```yaml\n(# config\.yaml\n[\s\S]*?)^```/gm)].map(([, text = '']) => text)

test('there are examples', () => assert.equal(examples.length, 2))

for (const [i, text] of examples.entries()) {
  test(`example ${i + 1} is a valid config.yaml`, () => {
    const result = parseConfig(text, 'config.yaml')
    assert.deepEqual(result.ok ? [] : result.problems, [])
    assert.deepEqual(result.ok ? result.warnings : [], [])
  })
}

test('a contradiction in such a file is shown at its line with what to do', () => {
  const text = (examples[0] ?? '').replace('mode: injected', 'mode: passthrough')
  const result = parseConfig(text, 'config.yaml')
  assert.ok(!result.ok)
  assert.deepEqual(
    result.problems.map(({ path }) => path.replace('credentials.tenants.', '')),
    ['acme.publishableKey', 'acme.publicKey', 'acme.workspaceId', 'acme.userId', 'globex.publishableKey'],
  )
  for (const { path, line } of result.problems)
    assert.ok(text.split('\n')[line - 1]?.includes(`${path.split('.').at(-1)}:`), `${path}, line ${line}`)
  for (const { fix } of result.problems)
    assert.equal(fix, 'Set mode: injected for this tenant, or remove it.')
})
