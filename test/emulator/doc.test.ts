// docs/reference/emulator.md is what the emulator's tables say, and the tables name only what exists.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { generateEmulatorDoc } from '../../scripts/generate/emulator.ts'
import { findMethod, MODULES } from '../../src/catalogue/index.ts'
import { MODULE_HANDLERS, NOT_SUPPORTED } from '../../src/emulator/modules/index.ts'
import { NOTES } from '../../src/emulator/modules/notes.ts'

test('the committed page is the generated one', () => {
  const path = new URL('../../docs/reference/emulator.md', import.meta.url)
  assert.equal(readFileSync(path, 'utf8'), generateEmulatorDoc(), 'run npm run generate')
})

test('every handler and every refusal belongs to an allowed method', () => {
  for (const [module, handlers] of MODULE_HANDLERS) {
    for (const method of handlers.keys()) {
      assert.equal(findMethod(module, method)?.allowlisted, true, `${module}.${method}`)
      assert.equal(NOT_SUPPORTED.has(`${module}.${method}`), false, `${module}.${method}`)
    }
  }
  for (const name of NOT_SUPPORTED.keys()) {
    const dot = name.indexOf('.')
    assert.equal(findMethod(name.slice(0, dot), name.slice(dot + 1))?.allowlisted, true, name)
  }
  assert.deepEqual(Object.keys(NOTES).sort(), [...MODULES].sort())
})
