// API keys: their form, who they make of a caller, and every reason to refuse one.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseLive } from '../../../src/config/live.ts'
import { denialText } from '../../../src/core/denials.ts'
import type { Principal } from '../../../src/core/principal.ts'
import type { Revocations } from '../../../src/core/runtime.ts'
import {
  createApiKeys,
  hashKey,
  isWellFormed,
  KEY_PATTERN,
  makeKey,
  SECRET_BYTES,
} from '../../../src/identity/apikey/index.ts'
import { isDenial, type Verified } from '../../../src/identity/authenticator.ts'
import { compile, keyNamed, NOTHING_REVOKED, NOW, present, revoked, rowFor } from './lib.ts'

const SEED = Number(process.env['SEED'] ?? 42)
const KEY = keyNamed('one')
const DAY = 24 * 3_600_000
const iso = (time: number): string => new Date(time).toISOString()

const secrets = fc
  .uint8Array({ minLength: SECRET_BYTES, maxLength: SECRET_BYTES })
  .map((bytes) => Buffer.from(bytes))

/** CRC-32 as ISO 3309 has it, bit by bit. */
function slowCrc(text: string): number {
  let crc = 0xffffffff
  for (const byte of Buffer.from(text)) {
    crc ^= byte
    for (let i = 0; i < 8; i++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return (crc ^ 0xffffffff) >>> 0
}

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const fromBase62 = (text: string): bigint =>
  [...text].reduce((value, digit) => value * 62n + BigInt(DIGITS.indexOf(digit)), 0n)

const toBase62 = (value: number): string =>
  Array.from({ length: 6 }, (_, i) => DIGITS[Math.floor(value / 62 ** (5 - i)) % 62]).join('')

describe('the form of a key', () => {
  it('is what docs/concepts/keys.md gives to secret scanners', () => {
    assert.equal(makeKey(Buffer.alloc(32)), `dmcp_${'0'.repeat(43)}4aaHwL`)
    const page = readFileSync(new URL('../../../docs/concepts/keys.md', import.meta.url), 'utf8')
    assert.ok(page.includes(`\n${KEY_PATTERN.source.slice(1, -1)}\n`))
    const record =
      /```yaml\n(version: 1\nkeys:\n[\s\S]*?)```/.exec(page)?.[1] ?? assert.fail('there is no record')
    assert.equal(parseLive('keys.yaml', record, 'the page').ok, true)
  })

  it(`holds all 32 bytes and their CRC-32 (seed ${SEED})`, () => {
    fc.assert(
      fc.property(fc.oneof(secrets, fc.constant(Buffer.alloc(32, 255))), (random) => {
        const key = makeKey(random)
        assert.match(key, KEY_PATTERN)
        assert.equal(fromBase62(key.slice(5, 48)), BigInt(`0x${random.toString('hex')}`))
        assert.equal(fromBase62(key.slice(48)), BigInt(slowCrc(key.slice(0, 48))))
        assert.equal(isWellFormed(key), true)
      }),
      { seed: SEED, numRuns: 500 },
    )
  })

  it(`one changed character is seen without asking anybody (seed ${SEED})`, () => {
    fc.assert(
      fc.property(
        secrets,
        fc.nat({ max: 53 }),
        fc.constantFrom(...DIGITS, '-', ' ', 'é'),
        (random, at, other) => {
          const key = makeKey(random)
          fc.pre(key[at] !== other)
          assert.equal(isWellFormed(key.slice(0, at) + other + key.slice(at + 1)), false)
        },
      ),
      { seed: SEED, numRuns: 2000 },
    )
  })

  it('is made of 32 bytes and nothing else', () => {
    assert.throws(() => makeKey(Buffer.alloc(31)), RangeError)
    for (const text of ['', 'dmcp_', KEY.slice(0, -1), `${KEY}0`, ` ${KEY}`, `${KEY}\n`, KEY.toUpperCase()])
      assert.equal(isWellFormed(text), false)
    // With a checksum that holds: too short, too long, another alphabet, another prefix.
    for (const body of [
      KEY.slice(0, 47),
      `${KEY.slice(0, 48)}0`,
      `${KEY.slice(0, 47)}-`,
      `DMCP_${KEY.slice(5, 48)}`,
    ])
      assert.equal(isWellFormed(body + toBase62(slowCrc(body))), false, body.slice(0, 5))
    assert.equal(isWellFormed(KEY.slice(0, 48) + toBase62(slowCrc(KEY.slice(0, 48)))), true)
  })
})

const ask = (
  token: string,
  row = {},
  revocations: Revocations = NOTHING_REVOKED,
  over = {},
  options = {},
): Verified =>
  createApiKeys(options, { revocations }).authenticate(
    present(token, compile(rowFor(KEY, row)), over),
  ) as Verified

const codeOf = (verified: Verified): string => (isDenial(verified) ? verified.code : 'accepted')

describe('a key that is known', () => {
  it('makes the caller that its record says (seed 004, section 4.2)', () => {
    const verified = ask(KEY, {
      tenant: 'acme',
      scopes: ['ductape:write'],
      tools: ['ductape_execute'],
      rate: { perMinute: 60, burst: 10 },
      expiresAt: iso(NOW + DAY),
    })
    const wanted: Partial<Principal> = {
      method: 'api-key',
      id: 'api-key:key-one',
      subject: 'team-data',
      owner: 'team-data',
      keyId: 'key-one',
      tenant: 'acme',
      roles: ['reader'],
      scopes: ['ductape:write'],
      tools: ['ductape_execute'],
      rate: { perMinute: 60, burst: 10 },
      expiresAt: NOW + DAY,
      binding: 'none',
      fingerprint: undefined,
    }
    for (const [name, value] of Object.entries(wanted))
      assert.deepEqual((verified as unknown as Record<string, unknown>)[name], value, name)
    assert.ok(!JSON.stringify(verified).includes(KEY.slice(5, 20)))
    assert.ok(!JSON.stringify(verified).includes(hashKey(KEY)))
  })

  it('gives the same object each time, and cannot be changed', () => {
    const keys = compile(rowFor(KEY))
    const { authenticate } = createApiKeys({}, { revocations: NOTHING_REVOKED })
    const first = authenticate(present(KEY, keys))
    assert.equal(authenticate(present(KEY, keys)), first)
    assert.ok(Object.isFrozen(first))
  })

  it('is found among 100,000, wherever it stands', () => {
    const hashes = Array.from({ length: 100_000 }, (_, i) =>
      createHash('sha256').update(String(i)).digest('hex'),
    )
    const rows = hashes.map((sha256, i) => rowFor(KEY, { id: `key-${i}`, sha256 }))
    for (const at of [0, 50_000, 99_999]) rows[at] = rowFor(keyNamed(String(at)), { id: `mine-${at}` })
    const keys = compile(...rows)
    assert.equal(keys.size, 100_000)
    const { authenticate } = createApiKeys({}, { revocations: NOTHING_REVOKED })
    for (const at of [0, 50_000, 99_999])
      assert.equal((authenticate(present(keyNamed(String(at)), keys)) as Principal).keyId, `mine-${at}`)
    assert.equal(codeOf(authenticate(present(keyNamed('none'), keys)) as Verified), 'key_invalid')
  })

  it('two live keys stand beside each other while one is rotated', () => {
    const next = keyNamed('next')
    const keys = compile(
      rowFor(KEY, { expiresAt: iso(NOW + DAY) }),
      rowFor(next, { id: 'key-two', expiresAt: iso(NOW + 90 * DAY) }),
    )
    const { authenticate } = createApiKeys({}, { revocations: NOTHING_REVOKED })
    assert.equal((authenticate(present(KEY, keys)) as Principal).keyId, 'key-one')
    assert.equal((authenticate(present(next, keys)) as Principal).keyId, 'key-two')
    assert.equal(codeOf(authenticate(present(KEY, keys, { now: NOW + DAY })) as Verified), 'key_invalid')
  })
})

describe('a key is refused', () => {
  const rows: readonly [what: string, verified: () => Verified, code: string][] = [
    ['that nobody knows', () => ask(keyNamed('stranger')), 'key_invalid'],
    [
      'with a wrong checksum',
      () => ask(`${KEY.slice(0, -1)}${KEY.endsWith('0') ? '1' : '0'}`),
      'key_invalid',
    ],
    ['that is the hash of the key', () => ask(hashKey(KEY)), 'key_invalid'],
    ['of which only the beginning is there', () => ask('dmcp_'), 'key_invalid'],
    ['at the moment it ends', () => ask(KEY, { expiresAt: iso(NOW) }), 'key_invalid'],
    ['that was revoked by its id', () => ask(KEY, {}, revoked('key', 'key-one')), 'token_revoked'],
    ['whose owner was revoked', () => ask(KEY, {}, revoked('subject', 'team-data')), 'token_revoked'],
    [
      'with the scheme DPoP',
      () => ask(KEY, {}, NOTHING_REVOKED, { scheme: 'dpop' }),
      'authorization_malformed',
    ],
    [
      'that never ends, where keys have to',
      () => ask(KEY, {}, NOTHING_REVOKED, {}, { maxLifetime: DAY }),
      'key_invalid',
    ],
    [
      'that was made for longer than keys may live',
      () =>
        ask(
          KEY,
          { createdAt: iso(NOW - DAY), expiresAt: iso(NOW + 1) },
          NOTHING_REVOKED,
          {},
          { maxLifetime: DAY },
        ),
      'key_invalid',
    ],
    [
      'that ends too late, where nothing says when it was made',
      () => ask(KEY, { expiresAt: iso(NOW + DAY + 1) }, NOTHING_REVOKED, {}, { maxLifetime: DAY }),
      'key_invalid',
    ],
    [
      'that pretends to be made later than now',
      () =>
        ask(
          KEY,
          { createdAt: iso(NOW + DAY), expiresAt: iso(NOW + 2 * DAY) },
          NOTHING_REVOKED,
          {},
          { maxLifetime: DAY },
        ),
      'key_invalid',
    ],
  ]
  for (const [what, verified, code] of rows)
    it(what, () => {
      const denial = verified()
      assert.equal(codeOf(denial), code)
      assert.ok(isDenial(denial))
      const said = JSON.stringify(denial) + denialText(denial)
      for (const secret of [KEY.slice(5, 20), hashKey(KEY), 'team-data', 'key-one'])
        assert.ok(!said.includes(secret))
    })

  it('and what is left of its time is used', () => {
    assert.equal(codeOf(ask(KEY, { expiresAt: iso(NOW + 1) })), 'accepted')
    assert.equal(
      codeOf(
        ask(
          KEY,
          { createdAt: iso(NOW), expiresAt: iso(NOW + DAY) },
          NOTHING_REVOKED,
          {},
          { maxLifetime: DAY },
        ),
      ),
      'accepted',
    )
    assert.equal(codeOf(ask(KEY, {}, revoked('key', 'key-two'))), 'accepted')
    assert.equal(codeOf(ask(KEY, {}, revoked('subject', 'key-one'))), 'accepted')
  })

  it('without being looked up, where its checksum is wrong', () => {
    const keys = { size: 0, find: () => assert.fail('it was looked up') }
    const { authenticate } = createApiKeys({}, { revocations: NOTHING_REVOKED })
    assert.equal(codeOf(authenticate(present(`${KEY.slice(0, -6)}000000`, keys)) as Verified), 'key_invalid')
  })

  it('an unknown and an expired one look the same', () => {
    assert.deepEqual(ask(KEY, { expiresAt: iso(NOW) }), ask(keyNamed('stranger')))
  })

  it('a lookup that gives another record than asked for is not believed', () => {
    const wrong = compile(rowFor(keyNamed('other')))
    const keys = { size: 1, find: () => wrong.find(hashKey(keyNamed('other'))) }
    const { authenticate } = createApiKeys({}, { revocations: NOTHING_REVOKED })
    assert.equal(codeOf(authenticate(present(KEY, keys)) as Verified), 'key_invalid')
  })
})

describe('responsibility', () => {
  const { isResponsible } = createApiKeys({}, { revocations: NOTHING_REVOKED })
  it('goes by the prefix alone, so that a mangled key is not taken for a token', () => {
    for (const mine of [KEY, 'dmcp_', 'dmcp_x.y.z']) assert.equal(isResponsible(mine), true)
    for (const other of ['', 'DMCP_x', ` ${KEY}`, 'eyJhbGciOiJFUzI1NiJ9.e30.c2ln', 'dmcp'])
      assert.equal(isResponsible(other), false)
  })
})
