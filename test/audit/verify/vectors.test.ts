// Every committed vector gets the verdict that it names, and every code has at least one.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { CODES } from '../../../src/audit/verify/index.ts'
import type { ReceiptVector, Vector } from '../lib/vector.ts'
import { judgeReceipt, judgeRecords } from './judge.ts'

const read = <T>(name: string): T[] =>
  readFileSync(new URL(`../vectors/${name}.jsonl`, import.meta.url), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as T)

const records = read<Vector>('records')
const receipts = read<ReceiptVector>('receipts')

describe('vectors of records', () => {
  for (const vector of records)
    test(vector.name, async () => assert.deepEqual(await judgeRecords(vector), vector.expect))
})

describe('vectors of receipts', () => {
  for (const vector of receipts)
    test(vector.name, () => assert.deepEqual(judgeReceipt(vector), vector.expect))
})

test('every code has a vector, every vector a name of its own', () => {
  const all = [...records, ...receipts]
  const named = new Set(all.map(({ expect }) => ('code' in expect ? expect.code : 'ok')))
  assert.deepEqual([...named].sort(), [...Object.keys(CODES), 'ok'].sort())
  assert.equal(new Set(records.map(({ name }) => name)).size, records.length)
  assert.equal(new Set(receipts.map(({ name }) => name)).size, receipts.length)
})

test('the codes are those of the page', () => {
  const page = readFileSync(new URL('../../../docs/reference/evidence.md', import.meta.url), 'utf8')
  const rows = [...page.matchAll(/^\| `([a-z_]+)` \| .+ \|$/gm)].map(([, code]) => code as string)
  assert.deepEqual(rows.slice(rows.indexOf('line_malformed')), Object.keys(CODES))
})
