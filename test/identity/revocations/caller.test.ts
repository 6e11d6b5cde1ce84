// Whether a caller is still one after a while: everything that vouches for it is asked for, and nothing else.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { makePrincipal } from '../../../src/core/principal.ts'
import type { RevocationKind } from '../../../src/core/runtime.ts'
import { isCallerRevoked } from '../../../src/identity/revocations/index.ts'

const caller = makePrincipal({
  method: 'oauth',
  id: 'oauth:https://login.example.com|alice',
  subject: 'alice',
  actors: ['bot', 'earlier-bot'],
  tokenId: 'token-1',
  keyId: 'key-1',
  fingerprint: 'f1',
})

const revoked = (kind: RevocationKind, value: string): boolean =>
  isCallerRevoked({ isRevoked: (one, what) => one === kind && what === value }, caller)

describe('a caller', () => {
  for (const [kind, value] of [
    ['subject', 'alice'],
    ['subject', 'bot'],
    ['jti', 'token-1'],
    ['key', 'key-1'],
    ['fingerprint', 'f1'],
  ] as const)
    test(`is none any more when ${kind} ${value} is revoked`, () => assert.equal(revoked(kind, value), true))

  for (const [kind, value] of [
    ['subject', 'earlier-bot'],
    ['jti', 'alice'],
    ['key', 'token-1'],
    ['fingerprint', 'key-1'],
  ] as const)
    test(`stays one when ${kind} ${value} is revoked`, () => assert.equal(revoked(kind, value), false))

  test('that has none of them is asked for by its subject alone', () => {
    const asked: string[] = []
    const bare = makePrincipal({ method: 'api-key', id: 'api-key:a', subject: 'a' })
    assert.equal(isCallerRevoked({ isRevoked: (kind) => asked.push(kind) === 0 }, bare), false)
    assert.deepEqual(asked, ['subject'])
  })
})
