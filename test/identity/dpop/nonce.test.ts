// Nonces of DPoP proofs (RFC 9449 9): handed out with the refusal, good for minutes on every replica, kept by nobody.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import type { Denial } from '../../../src/core/denials.ts'
import { createDpop } from '../../../src/identity/dpop/index.ts'
import { isFreshNonce, NONCE_WINDOW, nonceAt } from '../../../src/identity/dpop/nonce.ts'
import { createFleet } from '../../../src/keys/index.ts'
import { createMemoryStore } from '../../../src/store/index.ts'
import { claimsOf, compact, FLEET, headerOf, NOW, newPair, PUBLIC_URL, present } from './lib.ts'

const EC = await newPair('ES256')
const keyOf = (text: string) => createHash('sha256').update(text).digest()

const replica = (fleet = FLEET) =>
  createDpop({
    publicUrl: PUBLIC_URL,
    maxAge: 60_000,
    nonce: 'required',
    fleet,
    store: createMemoryStore({ now: () => NOW }),
  })

async function ask(
  claims: Record<string, unknown>,
  now = NOW,
  dpop = replica(),
): Promise<Denial | undefined> {
  const proof = compact(EC, headerOf(EC), claimsOf({ iat: now / 1000, ...claims }))
  return dpop.verify(present(proof, { now }), EC.jkt)
}

const nonceOf = (denial: Denial | undefined): string => denial?.headers?.['dpop-nonce'] ?? ''

describe('a nonce', () => {
  it('comes with the refusal, as RFC 9449 9 shows it', async () => {
    const denial = await ask({})
    assert.equal(denial?.code, 'proof_nonce')
    // 8.1: nonce-chars are those of a quoted-string without quotes.
    assert.match(nonceOf(denial), /^[\x21\x23-\x5b\x5d-\x7e]+$/)
    assert.match(denial?.headers?.['www-authenticate'] ?? '', /^DPoP .*error="use_dpop_nonce".*algs="ES256 /)
  })

  it('is accepted by every replica of the fleet, more than once', async () => {
    const nonce = nonceOf(await ask({}))
    assert.equal(await ask({ nonce }), undefined)
    assert.equal(await ask({ nonce }, NOW, replica()), undefined)
  })

  for (const [what, nonce] of [
    ['an empty one', ''],
    ['a made-up one', 'k1.AAAA'],
    ['a number', 7],
    ['none', undefined],
    ['one of another key', nonceAt(createFleet([{ id: 'k1', secret: keyOf('other') }], true), NOW)],
    ['the MAC of another use', FLEET.mac('store-auth', String(Math.floor(NOW / NONCE_WINDOW)))],
  ] as const)
    it(`${what} is refused with a good one`, async () => {
      const denial = await ask({ nonce })
      assert.equal(denial?.code, 'proof_nonce')
      assert.equal(await ask({ nonce: nonceOf(denial) }), undefined)
    })

  it('is good for the next window and the clock of a replica that is behind, and then no more', () => {
    const start = Math.floor(NOW / NONCE_WINDOW) * NONCE_WINDOW
    const nonce = nonceAt(FLEET, start)
    assert.equal(isFreshNonce(FLEET, nonce, start - 1), true)
    assert.equal(isFreshNonce(FLEET, nonce, start + 2 * NONCE_WINDOW - 1), true)
    assert.equal(isFreshNonce(FLEET, nonce, start + 2 * NONCE_WINDOW), false)
    assert.equal(isFreshNonce(FLEET, nonce, start - NONCE_WINDOW - 1), false)
  })

  it('of the old fleet key is good while that key is accepted', () => {
    const next = createFleet(
      [
        { id: 'k2', secret: keyOf('new') },
        { id: 'k1', secret: keyOf('test') },
      ],
      true,
    )
    assert.equal(isFreshNonce(next, nonceAt(FLEET, NOW), NOW), true)
    assert.notEqual(nonceAt(next, NOW), nonceAt(FLEET, NOW))
  })

  it('is not asked of a proof that is bad anyway', async () => {
    assert.equal((await ask({ htm: 'GET' }))?.code, 'proof_invalid')
  })
})
