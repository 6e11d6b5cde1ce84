// No mutation of a segment of 64 records verifies: a seeded slice of the 10^6 of `npm run verify evidence`.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { seeded } from '../store/lib/random.ts'
import { apply, KIND_NAMES, makeSegment, mutate } from './lib/mutate.ts'
import { prepareRefusal } from './lib/refuse.ts'
import { KEYS } from './lib/vector.ts'
import { judgeRecords } from './verify/judge.ts'

const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
const COUNT = 20_000

describe(`mutations, seed ${SEED}`, () => {
  const segment = makeSegment()
  const refuse = prepareRefusal(segment)

  test('the segment has 64 records of every type', () => {
    const types = new Set(segment.lines.map((line) => (JSON.parse(line) as { type: string }).type))
    assert.equal(segment.lines.length, 64)
    assert.equal(types.size, 9)
  })

  test(`none of ${COUNT} verifies`, () => {
    const random = seeded(SEED)
    for (let i = 0; i < COUNT; i++) {
      const mutation = mutate(segment, KIND_NAMES[i % KIND_NAMES.length] as string, random)
      assert.notEqual(refuse(mutation).code, 'ok', `number ${i}, ${mutation.kind} at byte ${mutation.from}`)
    }
  })

  test('reading the whole segment gives the same code and line', async () => {
    const random = seeded(SEED + 1)
    for (let i = 0; i < 220; i++) {
      const mutation = mutate(segment, KIND_NAMES[i % KIND_NAMES.length] as string, random)
      const file = { name: 'a', base64: apply(segment, mutation).toString('base64') }
      const verdict = await judgeRecords({
        name: mutation.kind,
        files: [file],
        keys: KEYS,
        witness: segment.witness,
        expect: { ok: true },
      })
      assert.ok('code' in verdict, mutation.kind)
      assert.deepEqual(
        { code: verdict.code, line: verdict.line },
        refuse(mutation),
        `number ${i}, ${mutation.kind}`,
      )
    }
  })
})
