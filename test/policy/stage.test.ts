// The stage policy: its refusals in their order, the seed's sentence, scopes, key binding; and that arguments are measured only when asked for.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { preparePolicy } from '../../src/admission/policy/stage.ts'
import { type Call, openCall } from '../../src/core/call.ts'
import { type Denial, denialText } from '../../src/core/denials.ts'
import type { JsonObject } from '../../src/core/json.ts'
import type { Policy } from '../../src/core/policy.ts'
import type { Principal } from '../../src/core/principal.ts'
import type { Effect, Operation } from '../../src/core/tool.ts'
import { policyOf, principal } from './lib/policy.ts'

interface Given {
  policy?: Policy | undefined
  caller?: Principal
  effect?: Effect
  operation?: Partial<Operation>
  args?: JsonObject
  credentialId?: string
  /** Credential ids that the caller may present. */
  bound?: string[]
  /** What an operator has switched off of it. */
  off?: string
}

const OPEN = policyOf('roles: { r: { allow: [{ tool: "*" }] } }')
const reader = principal(['r'], { scopes: [] })

function run(given: Given): { call: Call; denial: Denial | undefined } {
  const { policy = OPEN, caller = reader, effect = 'read', args = {} } = given
  const call = openCall({
    id: 'x',
    startedAt: 0,
    startedTick: 0,
    channel: 'http',
    peer: 'p',
    principal: caller,
    runtime: { policy: 'policy' in given ? given.policy : policy } as Call['runtime'],
  })
  call.toolName = 'ductape_execute'
  call.credentialId = given.credentialId
  call.prepared = {
    operation: {
      module: 'databases',
      method: 'query',
      effect,
      env: ['dev'],
      product: ['acme:shop'],
      path: [],
      ...given.operation,
    },
    arguments: args,
    text: JSON.stringify(args),
    credentials: [],
    request: () => assert.fail('the stage sends nothing'),
    answer: () => assert.fail('the stage reads nothing'),
  }
  const stage = preparePolicy({
    challenge: (_, scopes) => ({ 'www-authenticate': scopes.join(' ') }),
    credentialAllowed: (_, id) => given.bound?.includes(id) ?? true,
    killed: () => given.off,
  })
  const verdict = stage(call)
  assert.ok(!(verdict instanceof Promise), 'policy is synchronous')
  return { call, denial: verdict }
}

describe('refusals', () => {
  it('no policy: policy_missing', () => {
    assert.equal(run({ policy: undefined }).denial?.code, 'policy_missing')
  })

  it('what an operator has switched off: killed, before any other refusal', () => {
    const { denial, call } = run({ off: 'tool ductape_execute', policy: undefined })
    assert.deepEqual([denial?.code, denial?.detail], ['killed', 'tool ductape_execute'])
    assert.equal(call.policy, undefined)
  })

  it('the sentence of seed 004, word for word', () => {
    const { denial, call } = run({ caller: principal(['developer']) })
    assert.equal(
      denialText(denial!),
      'Access denied: tool "ductape_execute" is not permitted for role "developer".',
    )
    assert.equal(call.policy?.refusal, 'role')
    assert.match(denialText(run({ caller: principal([]) }).denial!), / for role "none"\.$/)
    assert.match(denialText(run({ caller: principal(['a', 'b']) }).denial!), / for role "a, b"\.$/)
  })

  it('roles come from a token: what is shown of them is bounded and visible', () => {
    const { denial } = run({ caller: principal(['evil\u202e\u0007\nrole', 'x'.repeat(5000)]) })
    assert.ok(denialText(denial!).length < 400)
    assert.doesNotMatch(denialText(denial!), /[\p{Cc}\p{Cf}]/u)
  })

  it('a condition that fails: policy_failed', () => {
    const policy = policyOf('roles: { r: { allow: [{ when: "args.x == 1" }] } }')
    assert.equal(run({ policy }).denial?.code, 'policy_failed')
    assert.equal(run({ policy, args: { x: 1 } }).denial, undefined)
  })

  it('a rule that asks for a person passes, and the stage approval learns of it', () => {
    const asks = (approval: string) =>
      run({ policy: policyOf(`roles: { r: { allow: [{ tool: "*", approval: ${approval} }] } }`) })
    assert.equal(asks('confirm').denial, undefined)
    assert.equal(asks('confirm').call.policy?.approval, 'confirm')
    assert.equal(asks('block').denial?.code, 'policy_denied')
    assert.equal(asks('notify').denial, undefined)
    assert.equal(asks('notify').call.policy?.approval, 'notify')
  })
})

describe('the question', () => {
  it('holds what the call is known to do', () => {
    const given = {
      operation: { path: ['reports/a'] },
      credentialId: 'k1.one',
      args: { x: 1 },
      caller: principal(['r'], { tenant: 'acme' }),
    }
    for (const rule of [
      '{ tool: ductape_execute }',
      '{ module: databases }',
      '{ method: query }',
      '{ effect: read }',
      '{ env: dev }',
      '{ product: "acme:shop" }',
      '{ path: reports }',
      '{ credentialId: k1.one }',
      '{ when: "args.x == 1" }',
      '{ when: "principal.tenant == \'acme\'" }',
    ]) {
      const policy = policyOf(`roles: { r: { allow: [${rule}] } }`)
      assert.equal(run({ policy, ...given }).denial, undefined, rule)
    }
  })
})

describe('scopes', () => {
  const HELD = ['ductape:read', 'ductape:write', 'ductape:destructive', 'ductape:configure'] as const
  const EFFECTS = ['read', 'write', 'destructive', 'admin'] as const

  it('an effect needs its own scope or a stronger one; reading needs none', () => {
    for (const [needed, effect] of EFFECTS.entries()) {
      for (const [held, scope] of HELD.entries()) {
        const { denial } = run({ effect, caller: principal(['r'], { scopes: ['openid', scope] }) })
        assert.equal(denial?.code, effect === 'read' || held >= needed ? undefined : 'scope_insufficient')
      }
      const { denial } = run({ effect })
      if (effect === 'read') assert.equal(denial, undefined)
      else {
        assert.equal(denial?.detail, HELD[needed])
        assert.deepEqual(denial?.headers, { 'www-authenticate': HELD[needed] })
      }
    }
  })

  it('who came through an authenticator needs them; a local caller has nobody to ask', () => {
    for (const method of ['oauth', 'api-key', 'mtls'] as const)
      assert.equal(
        run({ effect: 'write', caller: principal(['r'], { method }) }).denial?.code,
        'scope_insufficient',
      )
    for (const method of ['none', 'stdio'] as const)
      assert.equal(run({ effect: 'write', caller: principal(['r'], { method }) }).denial, undefined)
  })

  it('no other name grants anything', () => {
    for (const scope of ['ductape:admin', 'ductape:*', 'DUCTAPE:WRITE', 'ductape:write2', ''])
      assert.equal(
        run({ effect: 'write', caller: principal(['r'], { scopes: [scope] }) }).denial?.code,
        'scope_insufficient',
      )
  })
})

describe('order and observe', () => {
  const observing = policyOf('mode: observe\nuntil: 2026-12-01\nroles: {}')

  it('who is refused anyway is asked for no scope, and who lacks a scope for no approval', () => {
    assert.equal(run({ caller: principal([]), effect: 'write' }).denial?.code, 'policy_denied')
    const policy = policyOf('roles: { r: { allow: [{ tool: "*", approval: confirm }] } }')
    assert.equal(run({ policy, effect: 'write' }).denial?.code, 'scope_insufficient')
    const bound = { policy, credentialId: 'k1.two', bound: ['k1.one'] }
    assert.equal(run(bound).denial?.code, 'credential_not_allowed')
  })

  it('a key of another tenant is refused, whatever the policy says', () => {
    assert.equal(run({ credentialId: 'k1.two', bound: ['k1.one'] }).denial?.code, 'credential_not_allowed')
    assert.equal(run({ credentialId: 'k1.one', bound: ['k1.one'] }).denial, undefined)
    assert.equal(run({ bound: [] }).denial, undefined)
  })

  it('observing relaxes the policy alone: scope and key stay', () => {
    assert.equal(run({ policy: observing }).call.policy?.wouldDeny, true)
    assert.equal(run({ policy: observing }).denial, undefined)
    assert.equal(run({ policy: observing, effect: 'write' }).denial?.code, 'scope_insufficient')
    const bound = { policy: observing, credentialId: 'k1.two', bound: ['k1.one'] }
    assert.equal(run(bound).denial?.code, 'credential_not_allowed')
    assert.equal(run({ policy: observing, effect: 'admin' }).denial?.code, 'policy_denied')
  })
})

describe('the arguments', () => {
  it('over 64 KiB they are not offered, and the call is refused', () => {
    const policy = policyOf('roles: { r: { allow: [{ when: "args.x == 1" }] } }')
    const of = (bytes: number) => ({ x: 1, text: 'a'.repeat(bytes - '{"x":1,"text":""}'.length) })
    assert.equal(run({ policy, args: of(64 * 1024) }).denial, undefined)
    assert.equal(run({ policy, args: of(64 * 1024 + 1) }).denial?.code, 'policy_failed')
  })

  it('are those of this call', () => {
    const policy = policyOf('roles: { r: { allow: [{ when: "args.x == 1" }] } }')
    const codes = [1, 2, 1, 2].map((x) => run({ policy, args: { x } }).denial?.code)
    assert.deepEqual(codes, [undefined, 'policy_denied', undefined, 'policy_denied'])
  })
})
