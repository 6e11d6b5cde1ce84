// A writer of records over a chain that keeps its lines, and what calls can have beside their arguments.
import assert from 'node:assert/strict'
import canonicalize from 'canonicalize'
import { RECORD_SCHEMA } from '../../../scripts/generate/records.ts'
import { createRecordWriter, type RecordWriter } from '../../../src/audit/record.ts'
import type { ApprovalNote, GuardNote } from '../../../src/core/call.ts'
import { misfit } from '../../lib/schema.ts'
import { FLEET, type KeptChain, keepLines, newDigests } from '../fake.ts'

export type Recorded = Record<string, Record<string, unknown>> & {
  type: string
  callId: string
  hash: string
}

export function start(): { chain: KeptChain; records: RecordWriter; last: () => Recorded } {
  const chain = keepLines()
  const digests = newDigests()
  const records = createRecordWriter(chain, {
    digests,
    tick: () => 12.3456,
  })
  const last = (): Recorded => {
    const line = chain.lines.at(-1) ?? ''
    const record = JSON.parse(line) as Recorded
    assert.equal(line, canonicalize(record))
    assert.equal(misfit(RECORD_SCHEMA, record), undefined, line)
    return record
  }
  return { chain, records, last }
}

/** As the pipeline leaves a call that needed a person. */
export const ASKED: ApprovalNote = {
  id: 'Zx3mLk0Qp8T2vYw6',
  state: 'used',
  approver: 'people:https://idp.example|bob',
  requester: undefined,
  request: FLEET.mac('request-digest', 'another'),
  rule: 'cd'.repeat(32),
  expiresAt: Date.parse('2026-11-21T23:30:00.000Z'),
}
export const GUARDED: readonly GuardNote[] = [
  { guard: 'sql', at: '/params/0/query', found: 'read-only' },
  { guard: 'path', at: '/params/0/file', found: 'plain' },
  { guard: 'path', at: '/params/1/file', found: 'plain' },
]
