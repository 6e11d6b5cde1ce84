// The URL guard refuses every attack of the corpus and no honest address, agrees with other parsers about the host, and answers anything in time.
import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { judgeUrl } from '../../../src/admission/guards/url/index.ts'
import type { UrlGuard } from '../../../src/core/guards.ts'
import { isPrivateAddress } from '../../../src/core/private-address.ts'
import { assertBenign, assertCorpus } from '../lib/corpus.ts'
import { settingsOf } from '../lib/defaults.ts'
import { milliseconds } from '../lib/time.ts'
import { ATTACKS } from './attacks.ts'
import { BENIGN } from './benign.ts'
import { anyText, pieces, WORST } from './made.ts'

const SEED = Number(process.env['SEED'] ?? 20261122)
const settings = (rule: object): UrlGuard => settingsOf({ url: [rule] }).url
const DEFAULT = settingsOf().url
const judge = (text: string, rule?: object): string | undefined =>
  judgeUrl(text, rule === undefined ? DEFAULT : settings(rule), { resource: false })

describe('the corpus', () => {
  test('has enough families and texts, none of them twice', () => assertCorpus(ATTACKS))
  for (const [family, texts] of Object.entries(ATTACKS))
    test(`${family}: all refused`, () => {
      for (const text of texts) assert.notEqual(judge(text), undefined, JSON.stringify(text.slice(0, 80)))
    })
  test('honest addresses pass', () => {
    assertBenign(BENIGN)
    for (const text of BENIGN) assert.equal(judge(text), undefined, text)
  })
})

test('Outbound URL Validation (seed 004, 11.3)', () => {
  // Its rule: https alone, and two hosts.
  const seed = { schemes: 'https', hosts: ['api.github.com', 'registry.npmjs.org'] }
  for (const url of [
    'http://169.254.169.254/latest/meta-data/',
    'http://localhost:8080/admin',
    'https://evil.com/exfiltrate',
    'ftp://internal-server/data',
    'https://10.0.0.1:8443/internal',
    'http://[::1]/admin',
  ])
    assert.notEqual(judge(url, seed), undefined, url)
  for (const url of ['https://api.github.com/repos', 'https://registry.npmjs.org/express'])
    assert.equal(judge(url, seed), undefined, url)
})

describe('what a rule can allow', () => {
  test('schemes', () => {
    assert.equal(judge('http://example.com/', { schemes: ['http', 'https'] }), undefined)
    assert.notEqual(judge('postgres://db.example.com/x', { schemes: 'https' }), undefined)
    assert.notEqual(judge('host=db.example.com dbname=x', { schemes: 'https' }), undefined)
    assert.notEqual(judge('broker.example.com:9092', { schemes: 'https' }), undefined)
    assert.equal(judge('broker.example.com:9092', { schemes: ['https', 'host'] }), undefined)
    for (const text of ['host://example.com', 'dsn://example.com']) assert.notEqual(judge(text), undefined)
  })
  test('hosts: a pattern stands for public ones, a full name for itself', () => {
    const hosts = { hosts: ['*', '10.20.0.5', 'db.internal', 'fd00::5', 'localhost'] }
    for (const url of [
      'https://example.com/',
      'postgres://10.20.0.5/x',
      'postgres://db.internal:5433/x',
      'https://[fd00::5]/',
      'https://localhost:8443',
    ])
      assert.equal(judge(url, hosts), undefined, url)
    for (const url of [
      'https://10.20.0.6/',
      'https://other.internal/',
      'https://0x0a140005/',
      'https://10.20.1285/',
      'https://app.localhost/',
    ])
      assert.notEqual(judge(url, hosts), undefined, url)
    const own = { hosts: '*.acme.example' }
    assert.equal(judge('https://API.acme.example./x', own), undefined)
    for (const url of [
      'https://acme.example/',
      'https://acme.example.evil.example/',
      'https://evilacme.example/',
    ])
      assert.notEqual(judge(url, own), undefined, url)
  })
  test('a resource of an app is a path behind its base URL', () => {
    const resource = (text: string): string | undefined => judgeUrl(text, DEFAULT, { resource: true })
    for (const text of [
      '/v1/charges',
      '/users/{id}?x=1',
      '/@scope/a',
      'https://api.example.com/x',
      '/a:b/c@d',
    ])
      assert.equal(resource(text), undefined, text)
    for (const text of [
      '//evil.example/x',
      '.evil.example/x',
      '@evil.example/x',
      ':8080/x',
      'evil.example',
      '/../admin',
      '/a/%2e%2e/b',
      '/a\r\nb',
      '/\\evil.example',
      'https://10.0.0.1/x',
      'javascript:alert(1)',
    ])
      assert.notEqual(resource(text), undefined, text)
  })
})

/** Every notation of an IPv4 address that inet_aton or a browser takes. */
const notations: readonly ((parts: readonly number[]) => string)[] = [
  (parts) => parts.join('.'),
  (parts) => String(number(parts)),
  (parts) => `0x${number(parts).toString(16)}`,
  (parts) => `0${number(parts).toString(8)}`,
  (parts) => parts.map((one) => `0x${one.toString(16)}`).join('.'),
  (parts) => parts.map((one) => `0${one.toString(8)}`).join('.'),
  ([a = 0, b = 0, c = 0, d = 0]) => `${a}.${b}.${c * 256 + d}`,
  ([a = 0, b = 0, c = 0, d = 0]) => `${a}.${(b * 256 + c) * 256 + d}`,
  (parts) => `[::ffff:${parts.join('.')}]`,
  (parts) => `[::${parts.join('.')}]`,
  (parts) => `[64:ff9b::${parts.join('.')}]`,
  (parts) => `[2002:${hex(parts)}::1]`,
  (parts) => `${parts.join('.')}.`,
  (parts) => wide(parts.join('.')),
  (parts) => `${parts.join('.')}.nip.io`,
  (parts) => `${parts.join('-')}.sslip.io`,
]
const number = (parts: readonly number[]): number => parts.reduce((sum, one) => sum * 256 + one, 0)
const hex = ([a = 0, b = 0, c = 0, d = 0]: readonly number[]): string =>
  `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
const wide = (text: string): string =>
  text.replace(/[0-9]/g, (digit) => String.fromCodePoint(digit.charCodeAt(0) + 0xfee0))

test('a private address is refused in every notation', () => {
  const inside = fc.constantFrom(
    [127, 0, 0],
    [10, 1, 2],
    [192, 168, 0],
    [172, 16, 9],
    [169, 254, 169],
    [100, 64, 0],
  )
  const last = fc.integer({ min: 0, max: 255 })
  fc.assert(
    fc.property(
      fc.tuple(inside, last),
      fc.constantFrom(...notations),
      fc.constantFrom('https', 'postgres', 'redis'),
      ([first, end], write, scheme) => {
        const url = `${scheme}://${write([...first, end])}/x`
        assert.notEqual(judge(url), undefined, url)
      },
    ),
    { seed: SEED, numRuns: 2000 },
  )
})

test('what passes leads to no private address, as the parser of browsers reads it', () => {
  let passed = 0
  fc.assert(
    fc.property(pieces, (text) => {
      if (judge(text) !== undefined) return
      passed++
      const { hostname, username, password } = new URL(text)
      const host = hostname.replace(/^\[|\]$/g, '')
      assert.equal(username + password, '', text)
      assert.ok(isIP(host) === 0 || !isPrivateAddress(host), text)
      assert.doesNotMatch(host, /(?:^|\.)localhost\.?$/, text)
    }),
    { seed: SEED, numRuns: 10_000 },
  )
  assert.ok(passed > 100, String(passed))
})

test('anything is answered, and the worst text within 20 ms', () => {
  fc.assert(
    fc.property(anyText(), (text) => void judge(text)),
    { seed: SEED, numRuns: 4000 },
  )
  for (const [what, text] of Object.entries(WORST)) {
    const took = milliseconds(() => judge(text))
    assert.ok(took < 20, `${what} took ${took} ms`)
  }
})
