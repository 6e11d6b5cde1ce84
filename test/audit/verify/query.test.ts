// `ductape-mcp audit query` as an incident responder runs it: which calls it shows, and how.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { auditCommand } from '../../../src/cli/audit.ts'
import { approvalChain, ID } from '../lib/approvals.ts'
import { goodChain } from '../lib/good.ts'
import { command, folder } from './command.ts'

describe('audit query', () => {
  const chain = goodChain()
  const pending = chain.callId()
  chain.decision(pending)
  const file = folder({ a: `${chain.text()}no record\n` })('a')
  const query = (...argv: string[]) => command(auditCommand, ['query', file, ...argv])
  const rows = ({ out }: { out: string }): string[] => out.trimEnd().split('\n').slice(1)

  test('one line a call, with what became of it', async () => {
    const all = await query()
    assert.equal(all.code, 0)
    assert.deepEqual(
      rows(all).map((line) => line.slice(64, 92).trimEnd()),
      [
        'executed',
        'refused policy_denied',
        'failed backend_refused',
        '41 more token_missing',
        'executed',
        'no outcome',
      ],
    )
    assert.equal(all.err, '1 lines are no records of ours; ductape-mcp audit verify says what is wrong.\n')
  })

  for (const [what, argv, expected] of [
    ['code of a decision', ['--code', 'policy_denied'], 1],
    ['code of an outcome', ['--code', 'backend_refused'], 1],
    ['code of a flood', ['--code', 'token_missing'], 1],
    ['either code', ['--code', 'policy_denied', '--code', 'backend_refused'], 2],
    ['call', ['--call', pending], 1],
    ['principal', ['--principal', 'oauth:https://login.example#agent-7'], 5],
    ['subject', ['--principal', 'agent-7'], 5],
    ['another principal', ['--principal', 'agent-8'], 0],
    ['tool', ['--tool', 'ductape_execute'], 5],
    ['all of them', ['--tool', 'ductape_execute', '--code', 'backend_refused', '--principal', 'agent-7'], 1],
    ['a time before', ['--since', '2026-11-21'], 6],
    ['a time after', ['--since', '2026-11-22'], 0],
    ['a span', ['--since', '2m'], 6],
  ] as const)
    test(`by ${what}`, async () => assert.equal(rows(await query(...argv)).filter(Boolean).length, expected))

  test('an approval: who asked, who decided, which call used it', async () => {
    const file = folder({ a: approvalChain().text() })('a')
    const { out } = await command(auditCommand, ['query', file, '--approval', ID])
    assert.deepEqual(
      rows({ out }).map((line) => line.slice(64).split(/ {2,}/)),
      [
        ['refused approval_required', 'databases.insert', 'oauth:https://login.example#agent-7'],
        ['refused approval_required', 'databases.insert', 'oauth:https://login.example#agent-7'],
        ['executed', 'approval.approve', 'people:https://login.example#bob'],
        ['failed approval_decided', 'approval.approve', 'people:https://login.example#eve'],
        ['executed', 'databases.insert', 'oauth:https://login.example#agent-7'],
      ],
    )
    const all = await command(auditCommand, ['query', file])
    assert.match(all.out, /executed +kill module databases +people/)
  })

  test('--json is the records of the calls, as they stand', async () => {
    const { out } = await query('--json', '--code', 'backend_refused')
    assert.deepEqual(out.trimEnd().split('\n'), [chain.lines[5], chain.lines[6]])
  })

  test('--form ocsf is events', async () => {
    const { out } = await query('--form', 'ocsf', '--code', 'backend_refused')
    const events = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    assert.deepEqual(
      events.map(({ class_uid }) => class_uid),
      [6003, 6003],
    )
  })

  test('a form that there is not: exit 2', async () => assert.equal((await query('--form', 'xml')).code, 2))
})
