// docs/reference/records.md: every field that the seeds have is mapped, and each name that it is given here stands in a record.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRecordWriter } from '../../src/audit/record.ts'
import { deny } from '../../src/core/denials.ts'
import { makePrincipal } from '../../src/core/principal.ts'
import { page, tableRows } from '../docs/pages.ts'
import { execute, keepLines, newDigests } from './fake.ts'

// Seed 002, AuditEvent; seed 004 9.1, AuditEntry.
const SEEDS = {
  'seed 002':
    'timestamp event_type tool_name arguments result_type user_id session_id duration_ms error_message',
  'seed 004': 'id timestamp userId sessionId toolName parameters result durationMs error',
}

const rows = tableRows(page('docs/reference/records.md').text).filter(([seed]) =>
  /^seed 00\d$/.test(seed ?? ''),
)

test('every audit field of the seeds has its row', () => {
  for (const [seed, fields] of Object.entries(SEEDS))
    assert.deepEqual(
      rows.filter((row) => row[0] === seed).map((row) => /`([^`]+)`/.exec(row[1] ?? '')?.[1]),
      fields.split(' '),
    )
})

test('every name that a field is given here stands in a record', () => {
  const chain = keepLines()
  const records = createRecordWriter(chain, { digests: newDigests(), tick: () => 1 })
  const call = execute('databases', 'query', [{ product: 'a:b' }], 'redacted')
  const principal = makePrincipal({ method: 'oauth', id: 'x', subject: 'x', tokenId: 'jti' })
  const refused = { ...call, principal, denial: deny('backend_failed') }
  records.decision(refused)
  records.outcome(refused, { status: 200, bytes: 1 })
  const written = new Set(chain.lines.flatMap((line) => pathsOf(JSON.parse(line))))
  const named = rows.flatMap((row) =>
    [...(row[2] ?? '').matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ''),
  )
  assert.ok(named.length > 20)
  const sketched = new Set(rows.map((row) => /`([^`]+)`/.exec(row[1] ?? '')?.[1]))
  for (const name of named) assert.ok(written.has(name) || sketched.has(name), name)
})

function pathsOf(value: unknown, before = ''): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, member]) => [
    `${before}${name}`,
    ...pathsOf(member, `${before}${name}.`),
  ])
}
