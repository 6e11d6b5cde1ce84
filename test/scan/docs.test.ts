// The page for operators names every rule that live/scan.yaml may name, and no other.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { RULE_IDS } from '../../src/response/scan/index.ts'

test('docs/operate/scanning.md has the ids of all rules', () => {
  const page = readFileSync(new URL('../../docs/operate/scanning.md', import.meta.url), 'utf8')
  const lists = page.match(/Rules?: `[^\n]*?`(?: \([^)]*\))?\./g) ?? []
  const named = lists.flatMap((list) => [...list.matchAll(/`([a-z\d-]+)`/g)].map(([, id]) => id))
  assert.deepEqual([...new Set(named)].sort(), [...RULE_IDS].sort())
})
