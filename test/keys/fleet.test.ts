// Keys derived from the fleet key: by RFC 5869, apart from each other, and nothing forged, cut, moved or re-spelled is taken.
import assert from 'node:assert/strict'
import crypto, { createHmac, randomBytes } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { MacUse } from '../../src/core/fleet.ts'
import { bootKeys, createFleet, credentialId, type FleetKey } from '../../src/keys/index.ts'

const SEED = Number(process.env['FLEET_SEED'] ?? 20260728)
const USES: readonly MacUse[] = ['credential-id', 'request-digest', 'store-auth', 'dpop-nonce', 'replay-id']

const secret = (byte: number): Buffer => Buffer.from(Array.from({ length: 32 }, (_, i) => (byte + i) & 255))
const K1: FleetKey = { id: 'k1', secret: secret(0) }
const K2: FleetKey = { id: 'k2', secret: secret(100) }

/** RFC 5869 2.2 and 2.3, written out. */
function hkdf(ikm: Buffer, salt: Buffer, info: Buffer, length: number): Buffer {
  const prk = createHmac('sha256', salt.length === 0 ? Buffer.alloc(32) : salt)
    .update(ikm)
    .digest()
  let block: Buffer = Buffer.alloc(0)
  let out = Buffer.alloc(0)
  for (let i = 1; out.length < length; i++) {
    block = createHmac('sha256', prk)
      .update(Buffer.concat([block, info, Buffer.from([i])]))
      .digest()
    out = Buffer.concat([out, block])
  }
  return out.subarray(0, length)
}

describe('derivation', () => {
  test('the reference of this test meets RFC 5869 A.1 and A.3', () => {
    const ikm = Buffer.alloc(22, 0x0b)
    assert.equal(
      hkdf(
        ikm,
        Buffer.from('000102030405060708090a0b0c', 'hex'),
        Buffer.from('f0f1f2f3f4f5f6f7f8f9', 'hex'),
        42,
      ).toString('hex'),
      '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
    )
    assert.equal(
      hkdf(ikm, Buffer.alloc(0), Buffer.alloc(0), 42).toString('hex'),
      '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
    )
  })

  test('every MAC is HMAC-SHA-256 under the key that HKDF gives for its use', () => {
    const fleet = createFleet([K1], true)
    for (const use of USES) {
      const key = hkdf(K1.secret, Buffer.alloc(0), Buffer.from(`ductape-mcp/1/${use}`), 32)
      const expected = createHmac('sha256', key).update('the text').digest('base64url')
      assert.equal(fleet.mac(use, 'the text'), `k1.${expected}`)
    }
  })

  test('texts of every length and alphabet have the HMAC of node:crypto', () => {
    const fleet = createFleet([K1], true)
    const key = hkdf(K1.secret, Buffer.alloc(0), Buffer.from('ductape-mcp/1/request-digest'), 32)
    const lengths = [0, 1, 55, 56, 63, 64, 65, 119, 120, 8191, 8192, 8193, 100_000]
    for (const letter of ['a', '\u00e9', '\u6f22', '\ud83d\ude00'])
      for (const length of lengths) {
        const text = letter.repeat(length / letter.length)
        const expected = createHmac('sha256', key).update(text).digest('base64url')
        assert.equal(fleet.mac('request-digest', text), `k1.${expected}`, `${length} of ${letter}`)
      }
  })

  test('a credential id is the same in every version: rules and records name it', () => {
    assert.equal(
      credentialId(createFleet([K1], true), 'pk_live_0123456789abcdef'),
      'k1.deakRQzqdwIgVNfMS1f0CeKAYGOysRZ4kCGYpKObMxs',
    )
  })

  test('the uses give different values for one text', () => {
    const fleet = createFleet([K1], true)
    assert.equal(new Set(USES.map((use) => fleet.mac(use, 'x'))).size, USES.length)
  })

  test('a key made at boot is not shared and differs each time', () => {
    const boot = () => createFleet(bootKeys(randomBytes), false)
    const [a, b] = [boot(), boot()]
    assert.equal(a.shared, false)
    assert.deepEqual(a.ids, ['boot'])
    assert.notEqual(a.mac('credential-id', 'x'), b.mac('credential-id', 'x'))
    assert.equal(b.verify('credential-id', 'x', a.mac('credential-id', 'x')), false)
  })
})

describe('a MAC under a key of the list', () => {
  test('is the one that this key gives as the first, whatever the order', () => {
    for (const use of USES)
      for (const list of [createFleet([K1, K2], true), createFleet([K2, K1], true)]) {
        assert.equal(list.macUnder('k1', use, 'text'), createFleet([K1], true).mac(use, 'text'))
        assert.equal(list.macUnder('k2', use, 'text'), createFleet([K2], true).mac(use, 'text'))
      }
    assert.throws(() => createFleet([K1], true).macUnder('k2', 'replay-id', 'text'), /no key of this id/)
  })
})

describe('verify', () => {
  const both = createFleet([K2, K1], true)
  const old = createFleet([K1], true)

  test('the first key makes, every key of the list is accepted, others are not', () => {
    assert.deepEqual(both.ids, ['k2', 'k1'])
    assert.match(both.mac('store-auth', 'x'), /^k2\./)
    assert.ok(both.verify('store-auth', 'x', both.mac('store-auth', 'x')))
    assert.ok(both.verify('store-auth', 'x', old.mac('store-auth', 'x')))
    assert.equal(old.verify('store-auth', 'x', both.mac('store-auth', 'x')), false)
    const impostor = createFleet([{ id: 'k1', secret: secret(7) }], true)
    assert.equal(both.verify('store-auth', 'x', impostor.mac('store-auth', 'x')), false)
  })

  test('a value of one key under the id of the other is refused', () => {
    const value = old.mac('store-auth', 'x').replace('k1.', 'k2.')
    assert.equal(both.verify('store-auth', 'x', value), false)
  })

  test('a value of one use is none of another', () => {
    for (const use of USES) {
      for (const other of USES)
        assert.equal(both.verify(other, 'x', both.mac(use, 'x')), use === other, `${use} as ${other}`)
    }
  })

  test('cut at any length, lengthened or with any character changed it is refused', () => {
    const value = both.mac('store-auth', 'x')
    for (let length = 0; length < value.length; length++)
      assert.equal(both.verify('store-auth', 'x', value.slice(0, length)), false, `${length} characters`)
    for (const more of ['A', '=', '.', ' ', '\0', value]) {
      assert.equal(both.verify('store-auth', 'x', value + more), false)
      assert.equal(both.verify('store-auth', 'x', more + value), false)
    }
    for (let at = 0; at < value.length; at++) {
      const changed = `${value.slice(0, at)}${value[at] === 'A' ? 'B' : 'A'}${value.slice(at + 1)}`
      assert.equal(both.verify('store-auth', 'x', changed), false, `character ${at}`)
    }
  })

  test('any text that is not the value is refused without a throw', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => !both.verify('store-auth', 'x', value)),
      { seed: SEED, numRuns: 500 },
    )
    for (const value of ['', '.', 'k1', 'k1.', 'k1x', '__proto__.x', `k1.${'A'.repeat(1e6)}`])
      assert.equal(both.verify('store-auth', 'x', value), false)
  })

  test('values of the right length are compared in constant time', (t) => {
    const compare = t.mock.method(crypto, 'timingSafeEqual')
    syncBuiltinESMExports()
    try {
      const value = both.mac('store-auth', 'x')
      assert.equal(both.verify('store-auth', 'x', value), true)
      assert.equal(both.verify('store-auth', 'y', value), false)
      assert.equal(compare.mock.callCount(), 2)
    } finally {
      compare.mock.restore()
      syncBuiltinESMExports()
    }
  })
})

describe('seal', () => {
  const both = createFleet([K2, K1], true)
  const old = createFleet([K1], true)
  const text = fc.string({ unit: 'grapheme', maxLength: 200 })

  test(`what was sealed comes back with its context and no other (seed ${SEED})`, () => {
    fc.assert(
      fc.property(text, text, text, (sealed, context, other) => {
        const value = both.seal(sealed, context)
        assert.equal(both.open(value, context), sealed)
        if (context !== other) assert.equal(both.open(value, other), undefined)
        assert.notEqual(both.seal(sealed, context), value, 'a new IV each time')
      }),
      { seed: SEED, numRuns: 300 },
    )
  })

  test('every key of the list opens, others do not', () => {
    assert.equal(both.open(old.seal('x', 'c'), 'c'), 'x')
    assert.equal(old.open(both.seal('x', 'c'), 'c'), undefined)
    assert.equal(both.open(old.seal('x', 'c').replace('k1.', 'k2.'), 'c'), undefined)
  })

  test('cut, lengthened, changed or spelled otherwise it does not open', () => {
    const value = both.seal('some text', 'c')
    for (let length = 0; length < value.length; length++)
      assert.equal(both.open(value.slice(0, length), 'c'), undefined, `${length} characters`)
    for (let at = 0; at < value.length; at++) {
      const changed = `${value.slice(0, at)}${value[at] === 'A' ? 'B' : 'A'}${value.slice(at + 1)}`
      assert.equal(both.open(changed, 'c'), undefined, `character ${at}`)
    }
    // The lenient decoder would take all of these for the same bytes.
    for (const other of [`${value}=`, `${value} `, `${value}\n`, value.replace(/^k2\./, 'k2. ')])
      assert.equal(both.open(other, 'c'), undefined, JSON.stringify(other))
  })
})
