// Proofs whose members are of another type than they should be: what JavaScript would convert must not be converted (RFC 9449 4.2, RFC 7518 6).
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Denial } from '../../../src/core/denials.ts'
import { freshJti, NOW, newPair, PUBLIC_URL, present, proofOf, verifier } from './lib.ts'

const SECONDS = NOW / 1000
const EC = await newPair('ES256')
const RSA = await newPair('RS256')
const { dpop } = verifier()
const refusal = async (proof: string, jkt = EC.jkt): Promise<Denial | undefined> =>
  dpop.verify(present(proof), jkt)

describe('claims', () => {
  const rows: [string, Record<string, unknown>, RegExp][] = [
    ['htu in a list', { htu: [`${PUBLIC_URL}/mcp`] }, /its htu/],
    ['an end in text', { exp: String(SECONDS + 60) }, /expired/],
    ['an end in a list', { exp: [SECONDS + 60] }, /expired/],
    ['a beginning in text', { nbf: String(SECONDS - 60) }, /not valid yet/],
    ['a beginning in a list', { nbf: [SECONDS - 60] }, /not valid yet/],
  ]
  for (const [what, claims, detail] of rows)
    it(what, async () => {
      const denial = await refusal(proofOf(EC, { jti: freshJti(), ...claims }))
      assert.equal(denial?.code, 'proof_invalid')
      assert.match(denial.detail ?? '', detail)
    })

  it('times that are numbers are taken', async () =>
    assert.equal(await refusal(proofOf(EC, { exp: SECONDS + 60, nbf: SECONDS - 60 })), undefined))
})

describe('keys', () => {
  const { e, n } = RSA.jwk
  const { x, y } = EC.jwk
  const rows: [string, string, unknown][] = [
    ['no key but null', 'ES256', null],
    ['a list', 'ES256', [EC.jwk]],
    ['RSA without an exponent', 'RS256', { kty: 'RSA', n }],
    ['RSA with an exponent that is a number', 'RS256', { kty: 'RSA', e: 65537, n }],
    ['RSA without a modulus', 'RS256', { kty: 'RSA', e }],
    ['RSA with a modulus that is a list', 'RS256', { kty: 'RSA', e, n: [n] }],
    ['a point without its second coordinate', 'ES256', { kty: 'EC', crv: 'P-256', x }],
    ['a point without its first coordinate', 'ES256', { kty: 'EC', crv: 'P-256', y }],
    ['a coordinate that is a list', 'ES256', { kty: 'EC', crv: 'P-256', x: [x], y }],
    ['a second coordinate that is no base64url', 'ES256', { kty: 'EC', crv: 'P-256', x, y: '!'.repeat(43) }],
  ]
  for (const [what, alg, jwk] of rows)
    it(what, async () => {
      const denial = await refusal(proofOf(alg === 'ES256' ? EC : RSA, {}, { alg, jwk }))
      assert.match(denial?.detail ?? '', /^its jwk is not a key$/)
    })
})
