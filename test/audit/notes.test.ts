// What a decision says of the person who was asked and of what the guards have found.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Call, GuardNote } from '../../src/core/call.ts'
import { deny } from '../../src/core/denials.ts'
import { execute } from './fake.ts'
import { ASKED, start } from './lib/written.ts'

test('an approval: what the record says anyhow is left out, what a person decided on says it all', () => {
  const { records, last } = start()
  const call = execute('databases', 'insert', [{ product: 'acme:shop' }])
  records.decision(call)
  const request = call.requestDigest ?? ''
  const bare = { ...ASKED, approver: undefined, request, state: 'asked' } as const
  records.decision({ ...call, approval: bare, denial: deny('approval_required', 'x') })
  assert.deepEqual(last()['decision'], {
    allowed: false,
    approval: {
      expiresAt: '2026-11-21T23:30:00.000Z',
      id: ASKED.id,
      rule: ASKED.rule,
      state: 'asked',
    },
    code: 'approval_required',
    rule: 'r/allow/0',
    stage: 'approval',
  })
  for (const [action, state] of [
    ['approval.approve', 'approved'],
    ['approval.deny', 'denied'],
  ] as const) {
    const decided: Call = {
      ...call,
      tool: undefined,
      prepared: undefined,
      policy: undefined,
      requestDigest: undefined,
      action,
      approval: { ...bare, state, requester: 'agent' },
    }
    records.decision(decided)
    assert.deepEqual(last()['decision'], {
      allowed: true,
      approval: {
        expiresAt: '2026-11-21T23:30:00.000Z',
        id: ASKED.id,
        request,
        requester: 'agent',
        rule: ASKED.rule,
        state,
      },
    })
  }
})

test('what guards found is of names and words: everything else is not shown', () => {
  const { records, last } = start()
  const guarded = (...notes: GuardNote[]): unknown => {
    records.decision({ ...execute('databases', 'query', []), guarded: notes })
    return last()['decision']?.['guards']
  }
  assert.equal(guarded(), undefined)
  assert.deepEqual(guarded({ guard: 'sql', at: "/params/0/select 'x'", found: "Not a word: 'x'" }), [
    { found: 'other', guard: 'sql' },
  ])
  assert.deepEqual(guarded({ guard: 'url', at: `/${'a'.repeat(64)}`, found: 'x' }), [
    { found: 'x', guard: 'url' },
  ])
  const many = Array.from({ length: 100 }, (_, i): GuardNote => ({ guard: 'path', at: '/a', found: `f${i}` }))
  assert.equal((guarded(...many) as unknown[]).length, 8)
})
