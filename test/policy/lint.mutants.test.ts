// Which rule covers which, selector by selector: each one has to be looked at, and of two equal rules only the later one is named.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { lintPolicy } from '../../src/admission/policy/index.ts'
import { OPERATIONS } from './lib/arbitrary.ts'
import { policyOf } from './lib/policy.ts'

/** Places of the rules that are said never to decide, each with the one that covers it. */
const useless = (file: object): string[] =>
  lintPolicy(policyOf(file), { operations: OPERATIONS })
    .filter(({ message }) => message.startsWith('never decides'))
    .map(({ path, message }) => `${path}: ${message.replace(/never decides: | covers it/g, '')}`)

const allowing = (...allow: object[]): string[] => useless({ roles: { r: { allow } } })
const denying = (...deny: object[]): string[] => useless({ roles: { r: { allow: [{ tool: '*' }], deny } } })

describe('a rule covers another', () => {
  const rows: [string, object, object][] = [
    ['tool', { tool: 'exec*' }, { tool: 'gen*' }],
    ['module', { module: 'd*' }, { module: 'x*' }],
    ['method', { method: 'q*' }, { method: 'i*' }],
    ['env', { env: 'dev' }, { env: 'prd' }],
    ['product', { product: 'a*' }, { product: 'b*' }],
    ['credentialId', { credentialId: 'k1.a' }, { credentialId: 'k1.b' }],
    ['effect', { effect: ['read', 'write'] }, { effect: ['write', 'admin'] }],
    ['path', { path: ['a', 'b'] }, { path: ['a/x', 'c'] }],
    ['when', { when: 'call.effect == "read"' }, { when: 'call.effect == "write"' }],
  ]
  for (const [name, one, other] of rows)
    it(`of the same ${name}, not of another`, () => {
      // What they have beside it keeps the second one from covering the first.
      assert.deepEqual(allowing(one, { ...one, ...extra(name) }), ['roles.r.allow[1]: roles.r.allow[0]'])
      assert.deepEqual(allowing(one, { ...other, ...extra(name) }), [])
      assert.deepEqual(allowing(one, extra(name)), [])
    })

  function extra(name: string): object {
    return name === 'env' ? { product: 'p' } : { env: 'snd' }
  }

  it('a star covers what names no tool, another pattern does not', () => {
    assert.deepEqual(allowing({ tool: '*' }, { env: 'dev' }), ['roles.r.allow[1]: roles.r.allow[0]'])
    assert.deepEqual(allowing({ tool: 'e*' }, { env: 'dev' }), [])
  })
})

describe('which of two is named', () => {
  it('the later one of two equal ones', () => {
    assert.deepEqual(allowing({ tool: 'execute' }, { tool: 'execute' }), [
      'roles.r.allow[1]: roles.r.allow[0]',
    ])
    assert.deepEqual(denying({ env: 'dev' }, { env: 'dev' }), ['roles.r.deny[1]: roles.r.deny[0]'])
  })

  it('the narrower one, wherever it stands', () => {
    assert.deepEqual(allowing({ tool: 'execute', env: 'dev' }, { tool: 'execute' }), [
      'roles.r.allow[0]: roles.r.allow[1]',
    ])
    assert.deepEqual(denying({ env: 'dev', module: 'x' }, { env: 'dev' }), [
      'roles.r.deny[0]: roles.r.deny[1]',
    ])
  })

  it('of two that differ in their approval the weaker one, wherever it stands', () => {
    const confirm = { tool: 'execute', approval: 'confirm' }
    assert.deepEqual(allowing({ tool: 'execute' }, confirm), ['roles.r.allow[0]: roles.r.allow[1]'])
    assert.deepEqual(allowing(confirm, { tool: 'execute' }), ['roles.r.allow[1]: roles.r.allow[0]'])
  })

  it('a narrower one that asks for more stays', () =>
    assert.deepEqual(allowing({ tool: '*' }, { tool: 'execute', approval: 'confirm' }), []))

  it('an allow rule covers no deny rule', () => assert.deepEqual(denying({ tool: 'execute' }), []))
})

describe('the form of a list of tools', () => {
  const policies = (allowed: string[], denied: string[] = []): string[] =>
    useless({ policies: [{ role: 'r', allowed_tools: allowed, denied_tools: denied }] })

  it('a tool covers its operations, and an operation itself only', () => {
    assert.deepEqual(policies(['execute', 'execute:READ']), [
      'policies[0].allowed_tools[1]: policies[0].allowed_tools[0]',
    ])
    assert.deepEqual(policies(['execute:READ', 'execute:WRITE']), [])
    assert.deepEqual(policies(['execute:READ', 'execute']), [
      'policies[0].allowed_tools[0]: policies[0].allowed_tools[1]',
    ])
    assert.deepEqual(policies(['e*:READ', 'g*:READ']), [])
  })

  it('a denied star that spares something covers only what spares the same', () => {
    assert.deepEqual(policies(['execute:READ'], ['*', 'generate']), [])
    assert.deepEqual(policies(['execute:READ'], ['*', '*']), [
      'policies[0].denied_tools[1]: policies[0].denied_tools[0]',
    ])
  })
})
