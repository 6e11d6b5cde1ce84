// Whatever a payload holds, the TypeScript snippet parses and its literals evaluate to the payload and to the flattened arguments.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { SNIPPET_FAMILIES, snippetFamily } from '../../src/catalogue/index.ts'
import type { Json } from '../../src/core/json.ts'
import { flatten } from '../../src/tools/snippet/flatten.ts'
import { findOperation, type SnippetOperation, writeSnippet } from '../../src/tools/snippet/index.ts'
import { FIXED, payloads, RUNS, SEED } from './lib/corpus.ts'
import { evaluateTypeScript } from './lib/evaluate.ts'
import { difference } from './lib/same.ts'

const OPERATIONS: readonly SnippetOperation[] = SNIPPET_FAMILIES.flatMap((family) =>
  (snippetFamily(family)?.methods ?? []).map((method) => {
    const found = findOperation(family, method)
    assert.ok(found.ok)
    return found.operation
  }),
)

// Everything that a display hides, reorders or breaks a line at, but the plain space and the line feeds of the layout.
const HIDDEN = /[^\P{C}\n]|[^\P{Z} ]|\p{Default_Ignorable_Code_Point}/u

function check(operation: SnippetOperation, payload: Json): void {
  const source = writeSnippet('typescript', operation, payload)
  assert.doesNotMatch(source, HIDDEN)
  const evaluated = evaluateTypeScript(source)
  assert.equal(difference(payload, evaluated.payload), undefined)
  assert.equal(difference(flatten(operation, payload), evaluated.args), undefined)
  assert.equal(evaluated.call, ['ductape', ...operation.path].join('.'))
  assert.deepEqual(evaluated.statements, [
    'ImportDeclaration',
    'VariableDeclaration',
    'FunctionDeclaration',
    'ExpressionStatement',
  ])
}

test('fixed hostile payloads, with every operation', () => {
  for (const payload of FIXED) for (const operation of OPERATIONS) check(operation, payload)
})

test('random hostile payloads', (t) => {
  t.diagnostic(`seed ${SEED}, ${RUNS} runs`)
  fc.assert(fc.property(fc.constantFrom(...OPERATIONS), payloads, check), { seed: SEED, numRuns: RUNS })
})

test('a number keeps the digits that it was written with', () => {
  const operation = OPERATIONS[0]!
  const raw = (JSON as unknown as { rawJSON(text: string): Json }).rawJSON
  for (const digits of ['123456789012345678901', '-0.10', '1E5', '1.0']) {
    for (const language of ['typescript', 'python'] as const) {
      assert.match(
        writeSnippet(language, operation, { n: raw(digits) }),
        new RegExp(`n"?: ${digits.replaceAll('.', '\\.')},`),
      )
    }
  }
})
