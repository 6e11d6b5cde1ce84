// Which approval a decision asks for where rule, tool and effect say different things, and the digest that an approval is bound to.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { explain, localPolicy } from '../../src/admission/policy/index.ts'
import type { PolicyDecision } from '../../src/core/policy.ts'
import { policyOf, question } from './lib/policy.ts'

type Given = Parameters<typeof question>[1]

describe('approval', () => {
  const policy = policyOf(`
    roles:
      a: { allow: [{ tool: "*", approval: none }, { effect: write, approval: notify }, { name: ask, effect: destructive, approval: confirm }] }
      b: { allow: [{ effect: write, approval: confirm }] }
  `)
  it('the strongest of the rules that hold', () => {
    assert.deepEqual(
      (['read', 'write', 'destructive'] as const).map(
        (effect) => policy.decide(question(['a'], { effect })).approval,
      ),
      ['none', 'notify', 'confirm'],
    )
    assert.equal(policy.decide(question(['a', 'b'], { effect: 'write' })).approval, 'confirm')
  })
  it('the rule that asks for it is named', () =>
    assert.equal(policy.decide(question(['a'], { effect: 'destructive' })).rule, 'ask'))

  const EFFECTS = ['read', 'write', 'destructive', 'admin'] as const
  const approvalsOf = (file: object): string[] =>
    EFFECTS.map((effect) => policyOf(file).decide(question(['r'], { effect })).approval)
  const tool = (requires_approval?: boolean) => ({
    dangerous_tools: [{ name: 'ductape_execute', requires_approval }],
  })
  const ownForm = (approval?: string) => ({ roles: { r: { allow: [{ tool: '*', approval }] } } })
  const SEED_FORM = { policies: [{ role: 'r', allowed_tools: ['*'] }] }
  const ALL_BUT_READS = ['none', 'confirm', 'confirm', 'confirm']
  for (const [what, file, approvals] of [
    ['a rule that says nothing asks a person about everything but reads', ownForm(), ALL_BUT_READS],
    ['a rule can say that nobody is asked', ownForm('none'), Array(4).fill('none')],
    ['a list of tools that says nothing asks as well', SEED_FORM, ALL_BUT_READS],
    [
      'requires_approval asks about all calls of the tool',
      { ...SEED_FORM, ...tool(true) },
      Array(4).fill('confirm'),
    ],
    ['requires_approval: false asks about none', { ...SEED_FORM, ...tool(false) }, Array(4).fill('none')],
    [
      'also where a rule of the other form allows it',
      { ...ownForm(), ...tool(false) },
      Array(4).fill('none'),
    ],
    ['but what a rule asks for stays', { ...ownForm('notify'), ...tool(false) }, Array(4).fill('notify')],
    ['a row without it says nothing', { ...SEED_FORM, ...tool() }, ALL_BUT_READS],
    [
      'a rule cannot take away what the tool asks',
      { ...ownForm('none'), ...tool(true) },
      Array(4).fill('confirm'),
    ],
  ] as const)
    it(what, () => assert.deepEqual(approvalsOf(file), approvals))

  it('the policy local asks nobody', () => {
    const asked = question(['local'], { effect: 'destructive' })
    assert.deepEqual(pick(localPolicy().decide(asked)), [true, 'none'])
  })
})

const pick = ({ allowed, approval }: PolicyDecision): [boolean, string] => [allowed, approval]

describe('the digest of the deciding rule', () => {
  const digest = (file: object, given: Given = {}): string | undefined =>
    policyOf(file).decide(question(['r'], given)).ruleDigest
  const file = (rule: object, more: object = {}) => ({ ...more, roles: { r: { allow: [rule] } } })
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

  it('is that of its canonical JSON, with the condition as it is written', () => {
    const rule = { when: 'args.x == 1', tool: '*', approval: 'confirm' }
    assert.equal(
      digest(file(rule), { args: { x: 1 } }),
      sha256('{"allow":{"approval":"confirm","tool":"*","when":"args.x == 1"},"role":"r"}'),
    )
  })
  it('is the same wherever the rule stands, and another for another rule', () => {
    const alone = digest(file({ tool: '*', env: 'dev' }))
    const second = digest({ roles: { r: { allow: [{ tool: 'x' }, { env: 'dev', tool: '*' }] } } })
    assert.equal(alone, second)
    const others = [{ tool: '*' }, { tool: '*', env: ['dev'] }, { tool: '*', env: 'dev', approval: 'none' }]
    const all = [alone, ...others.map((rule) => digest(file(rule)))]
    assert.equal(new Set(all).size, all.length)
  })
  it('covers what the tool asks for', () => {
    const tool = (requires_approval: boolean) => ({
      dangerous_tools: [{ name: 'ductape_execute', requires_approval }],
    })
    const all = [{}, tool(true), tool(false)].map((more) => digest(file({ tool: '*' }, more)))
    assert.equal(new Set(all).size, 3)
  })
  it('is there for an entry of a list of tools too', () => {
    const policies = [{ role: 'r', allowed_tools: ['*'] }]
    assert.equal(digest({ policies }), sha256('{"allowed_tools":"*","role":"r"}'))
  })
  it('while the policy observes it is that of the rule that asks for approval', () => {
    const rule = { tool: '*', approval: 'confirm' }
    const observing = {
      mode: 'observe',
      until: '2026-12-01',
      roles: { r: { allow: [rule], deny: [{ env: 'dev' }] } },
    }
    const decision = policyOf(observing).decide(question(['r']))
    assert.deepEqual([decision.rule, decision.approval, decision.wouldDeny], ['r/deny/0', 'confirm', true])
    assert.equal(decision.ruleDigest, digest(file(rule)))
  })
  it('there is none where no rule decides', () =>
    assert.equal(policyOf(file({ tool: 'x' })).decide(question(['r'])).ruleDigest, undefined))
})

describe('explain says why a call needs its approval', () => {
  const tool = (requires_approval: boolean) => ({
    dangerous_tools: [{ name: 'ductape_execute', requires_approval }],
  })
  const observe = { mode: 'observe', until: '2026-12-01' }
  const role = (approval?: string, deny: object[] = []) => ({
    roles: { r: { allow: [{ tool: '*', approval }], deny } },
  })
  const refused = [{ env: 'dev' }]
  for (const [what, file, because] of [
    ['the rule', role('confirm'), 'r/allow/0 says so'],
    ['the effect', role(), 'r/allow/0 says nothing of approval, and the effect is read'],
    [
      'the tool',
      { ...role(), ...tool(true) },
      'dangerous_tools says requires_approval: true for ductape_execute',
    ],
    [
      'the tool, where it asks for none',
      { ...role(), ...tool(false) },
      'dangerous_tools says requires_approval: false for ductape_execute',
    ],
    [
      'the rule, which asks for as much as the tool',
      { ...role('confirm'), ...tool(true) },
      'r/allow/0 says so',
    ],
    [
      'another rule than the one that is relaxed',
      { ...observe, ...role('notify', refused) },
      'a rule that allows the call asks for it',
    ],
    [
      'that rule, which asks for more than the tool',
      { ...observe, ...role('notify', refused), ...tool(false) },
      'a rule that allows the call asks for it',
    ],
    [
      'nothing, while the policy observes',
      { ...observe, ...role('none', refused) },
      'no rule that asks for one allows the call',
    ],
    ['nothing, where the call is refused', role('confirm', refused), undefined],
  ] as const)
    it(what, () => assert.equal(explain(policyOf(file), question(['r'])).approvalBecause, because))
})
