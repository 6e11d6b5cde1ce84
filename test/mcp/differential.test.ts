// The codec against the stock SDK: one corpus through both; status, JSON-RPC code, id and result may differ only as differences.ts says.
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { DIFFERENCES } from './differences.ts'
import { compare, type Difference } from './lib/compare.ts'
import { corpus } from './lib/corpus.ts'

const SEED = 20_260_728
const PAIRS = 400

describe('differential', () => {
  const cases = corpus(SEED, PAIRS)
  let found: readonly Difference[] = []
  let calls = 0
  before(async () => {
    const compared = await compare(cases)
    found = compared.differences
    calls = compared.calls
  })

  test(`${cases.length} requests (seed ${SEED}) differ only where intended`, (context) => {
    context.diagnostic(`${cases.length} requests, seed ${SEED}, ${found.length} intended differences`)
    assert.ok(cases.length >= 2000)
    const unexplained = found.filter((difference) => !DIFFERENCES.some((row) => row.matches(difference)))
    assert.deepEqual(
      unexplained.slice(0, 20).map(({ sent, ours, theirs }) => ({ sent: sent.label, ours, theirs })),
      [],
      `${unexplained.length} differences have no row`,
    )
  })

  for (const row of DIFFERENCES) {
    test(`${row.id} still is a difference, and has a reason`, () => {
      assert.ok(row.reason.length > 40)
      assert.ok(found.some((difference) => row.matches(difference)))
    })
  }

  test('the corpus is not all refusals, and most answers are the very same', () => {
    assert.ok(calls > 600, `${calls} calls were served by both`)
    assert.ok(found.length < cases.length * 0.12, `${found.length} of ${cases.length} differ`)
  })
})
