// The file of signing keys: what is read, what is refused without showing a key, what is published, and how a change comes into force.
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import canonicalize from 'canonicalize'
import { publicKeyOf, readJws, thumbprint } from '../../src/audit/jws.ts'
import { bootRing, createSigningKeys, loadSigningKeys } from '../../src/audit/keys.ts'

const NOW = Date.UTC(2026, 10, 21)
const DAY = 24 * 3_600_000
const pair = () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return {
    priv: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
    pub: publicKey.export({ format: 'pem', type: 'spki' }) as string,
    jwk: publicKey.export({ format: 'jwk' }) as { x: string },
  }
}
const [a, b, c] = [pair(), pair(), pair()]
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
  format: 'pem',
  type: 'pkcs8',
})
const ringOf = (text: string) => {
  const file = loadSigningKeys(text, NOW)
  assert.ok(file.ok, file.ok ? '' : file.message)
  return file.ring
}
type Set = { keys: Record<string, unknown>[] }

describe('signing keys', () => {
  test('the first private key signs, and all are published with their times', async () => {
    const keys = createSigningKeys(
      ringOf(
        `\n${a.priv}\nnot-before: 2026-12-01\n${b.priv}not-before: 2026-01-01\r\nnot-after: 2026-11-20T12:00:00Z\n${c.pub}`,
      ),
      () => NOW,
    )
    const { keys: published } = JSON.parse(keys.jwks()) as Set
    assert.equal(keys.jwks(), canonicalize(JSON.parse(keys.jwks())))
    assert.deepEqual(
      published.map(({ x }) => x),
      [a, b, c].map(({ jwk }) => jwk.x),
    )
    assert.deepEqual(
      published.map(({ nbf, exp }) => [nbf, exp]),
      [
        [undefined, undefined],
        [Date.UTC(2026, 11, 1) / 1000, undefined],
        [Date.UTC(2026, 0, 1) / 1000, Date.UTC(2026, 10, 20, 12) / 1000],
      ],
    )
    for (const key of published) {
      assert.equal(key['kid'], thumbprint({ crv: 'Ed25519', kty: 'OKP', x: String(key['x']) }))
      assert.deepEqual([key['alg'], key['use'], key['ductape-origin']], ['EdDSA', 'sig', undefined])
      assert.ok(!('d' in key))
    }
    const current = keys.current()
    assert.deepEqual([current.jwk.x, current.origin], [a.jwk.x, 'file'])
    for (const text of [
      current.signNow('ductape-checkpoint+jwt', '{"a":1}'),
      await current.sign('ductape-checkpoint+jwt', '{"a":1}'),
    ]) {
      const jws = readJws(text, 'ductape-checkpoint+jwt')
      assert.ok(jws.ok && jws.kid === current.kid && jws.verify(publicKeyOf(current.jwk)))
    }
    assert.equal(keys.warning(), undefined)
  })

  test('a key of this start is marked as such', () => {
    const keys = createSigningKeys(bootRing(), () => NOW)
    const [key] = (JSON.parse(keys.jwks()) as Set).keys
    assert.equal(key?.['ductape-origin'], 'boot')
    assert.equal(keys.current().origin, 'boot')
  })

  const block = (text: string): string => text.split('\n').slice(1, -2).join('')
  const refused: [what: string, text: string, message: RegExp][] = [
    ['nothing', '', /holds no private key/],
    ['public keys alone', `not-after: 2026-01-01\n${a.pub}`, /holds no private key/],
    ['another line', `${a.priv}kid: 7\n`, /^line 4: is not /],
    ['another kind of block', a.priv.replaceAll('PRIVATE', 'ENCRYPTED PRIVATE'), /^line 1: is not /],
    ['an RSA key', String(rsa), /^line 1: is not an Ed25519 key/],
    ['a broken key', a.priv.replace(/\n.{20}/, '\n'), /^line 1: is not an Ed25519 key/],
    ['a block without end', a.priv.split('\n').slice(0, 2).join('\n'), /^line 1: the block has no end/],
    ['the same key twice', a.priv + a.priv, /^line 4: this key stands twice/],
    [
      'the same key as an older one',
      `${a.priv}not-after: 2026-01-01\n${a.pub}`,
      /^line 5: this key stands twice/,
    ],
    ['a public key without an end', a.priv + b.pub, /^line 4: a public key is an older one/],
    ['a time that is none', `not-after: tomorrow\n${a.priv}`, /^line 1: not-after needs a time/],
    [
      'a time twice',
      `not-after: 2027-01-01\nnot-after: 2028-01-01\n${a.priv}`,
      /^line 2: not-after stands twice/,
    ],
    [
      'an end before the beginning',
      `${a.priv}not-before: 2026-02-01\nnot-after: 2026-01-01\n${b.pub}`,
      /^line 6: not-after lies before/,
    ],
    ['a time behind the last key', `${a.priv}not-after: 2027-01-01\n`, /ends with a time/],
    [
      'a key that has ended',
      `not-after: 2026-11-20\n${a.priv}`,
      /^line 2: the key that signs is not valid at this time/,
    ],
    [
      'a key that has not begun',
      `not-before: 2026-11-22\n${a.priv}`,
      /^line 2: the key that signs is not valid at this time/,
    ],
    ['too much', ' '.repeat(70_000), /larger than 64 KiB/],
    [
      'too many',
      a.priv + Array.from({ length: 64 }, () => `not-after: 2026-01-01\n${pair().pub}`).join(''),
      /more than 64 keys/,
    ],
  ]
  for (const [what, text, message] of refused)
    test(`refused: ${what}`, () => {
      const file = loadSigningKeys(text, NOW)
      assert.ok(!file.ok)
      assert.match(file.message, message)
      for (const key of [a, b]) assert.ok(!file.message.includes(block(key.priv).slice(4, 24)))
    })

  test('a change comes into force whole, or not at all', () => {
    const keys = createSigningKeys(ringOf(a.priv), () => NOW)
    const first = keys.current()
    assert.match(String(keys.reload('rubbish')), /^line 1/)
    assert.match(String(keys.reload(undefined)), /is gone/)
    assert.equal(keys.current(), first)
    assert.equal(keys.reload(`${a.priv}${b.priv}`), undefined)
    assert.equal(keys.current(), first, 'the same key is the same object')
    assert.equal((JSON.parse(keys.jwks()) as Set).keys.length, 2)
    assert.equal(keys.reload(`${b.priv}not-after: 2026-11-21\n${a.pub}`), undefined)
    assert.equal(keys.current().jwk.x, b.jwk.x)
    assert.equal((JSON.parse(keys.jwks()) as Set).keys.length, 2)
  })

  test('the end of the key that signs is warned of', () => {
    let now = NOW
    const keys = createSigningKeys(ringOf(`not-after: 2027-01-01\n${a.priv}`), () => now)
    assert.equal(keys.warning(), undefined)
    now = Date.UTC(2027, 0, 1) - 13 * DAY
    assert.match(String(keys.warning()), /ends on 2027-01-01/)
    now += 20 * DAY
    assert.match(String(keys.warning()), /ended on 2027-01-01/)
  })
})
