// The file live/keys.yaml: what it may hold, and what is said where it does not.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseLive } from '../../../src/config/live.ts'
import { formatInstant, parseInstant, parseSpan } from '../../../src/core/instant.ts'
import { apiKeysSection } from '../../../src/identity/apikey/config.ts'
import { compileKeys, hashKey } from '../../../src/identity/apikey/index.ts'
import { keyNamed, rowFor } from './lib.ts'

const HASH = hashKey(keyNamed('one'))

const FILE = `# who may call
version: 1
keys:
  - id: key-7f3a
    sha256: ${HASH}
    owner: Größe & Söhne
    purpose: nightly report
    tenant: acme
    roles: [reader, reporter]
    scopes: [ductape:write]
    tools: ["ductape_execute", "ductape_execute:databases.*"]
    rate: { perMinute: 60, burst: 10 }
    createdAt: 2027-01-15T12:00:00Z
    expiresAt: 2027-04-15
`

const problems = (text: string): string[] => {
  const parsed = parseLive('keys.yaml', text, 'live/keys.yaml')
  assert.equal(parsed.ok, false)
  return parsed.ok
    ? []
    : parsed.problems.map(({ line, path, message, fix }) => `${line} ${path} ${message}. ${fix}`)
}

describe('live/keys.yaml', () => {
  it('holds records', () => {
    const parsed = parseLive('keys.yaml', FILE, 'live/keys.yaml')
    assert.ok(parsed.ok)
    const record = compileKeys(parsed.value).find(HASH)
    assert.ok(record)
    const { principal, ...rest } = record as typeof record & { principal: unknown }
    assert.ok(principal)
    assert.deepEqual(rest, {
      id: 'key-7f3a',
      sha256: HASH,
      owner: 'Größe & Söhne',
      purpose: 'nightly report',
      tenant: 'acme',
      roles: ['reader', 'reporter'],
      scopes: ['ductape:write'],
      tools: ['ductape_execute', 'ductape_execute:databases.*'],
      rate: { perMinute: 60, burst: 10 },
      createdAt: Date.UTC(2027, 0, 15, 12),
      expiresAt: Date.UTC(2027, 3, 15),
    })
  })

  it('may be empty, and says JSON as well', () => {
    for (const text of ['', '# nobody\n', 'version: 1\n', 'keys: []\n', '{"version":1,"keys":[]}']) {
      const parsed = parseLive('keys.yaml', text, 'live/keys.yaml')
      assert.ok(parsed.ok)
      assert.equal(compileKeys(parsed.value).size, 0)
    }
    const json = parseLive('keys.yaml', JSON.stringify({ keys: [rowFor(keyNamed('one'))] }), 'live/keys.yaml')
    assert.ok(json.ok && compileKeys(json.value).size === 1)
  })

  it('knows nobody by a name that every object has', () => {
    const { find } = compileKeys({ version: 1, keys: [] })
    for (const name of ['__proto__', 'constructor', '']) assert.equal(find(name), undefined)
  })

  const wrong: readonly [what: string, from: string, to: string, said: RegExp][] = [
    ['an id with spaces', 'id: key-7f3a', 'id: my key', /^4 keys\[0\]\.id must be an id/],
    ['no hash', `    sha256: ${HASH}\n`, '', /^4 keys\[0\]\.sha256 is missing/],
    [
      'the key in place of its hash',
      HASH,
      keyNamed('one'),
      /^5 keys\[0\]\.sha256 must be a SHA-256 .*the key itself never stands here/,
    ],
    ['a hash in capitals', HASH, HASH.toUpperCase(), /^5 keys\[0\]\.sha256/],
    ['an owner with a line break', 'owner: Größe & Söhne', 'owner: "a\\nb"', /^6 keys\[0\]\.owner/],
    [
      'an owner that is a number',
      'owner: Größe & Söhne',
      'owner: 7',
      /^6 keys\[0\]\.owner must be .* not the number 7/,
    ],
    ['roles in one text', '[reader, reporter]', 'reader', /^9 keys\[0\]\.roles must be a list/],
    ['a scope with a space', '[ductape:write]', '["a b"]', /^10 keys\[0\]\.scopes\[0\]/],
    [
      'half a rate',
      '{ perMinute: 60, burst: 10 }',
      '{ perMinute: 60 }',
      /^12 keys\[0\]\.rate\.burst is missing/,
    ],
    ['a rate of nothing', 'burst: 10', 'burst: 0', /^12 keys\[0\]\.rate\.burst/],
    ['a day that is not there', '2027-04-15', '2027-02-30', /^14 keys\[0\]\.expiresAt must be a time/],
    ['a local time', '2027-04-15', '2027-04-15T12:00:00', /^14 keys\[0\]\.expiresAt must be a time/],
    ['a time that is a number', '2027-04-15', '1800000000', /^14 keys\[0\]\.expiresAt must be a time/],
    [
      'a member that nobody knows',
      'tenant: acme',
      'tenants: acme',
      /^8 keys\[0\]\.tenants is not a known key\. Did you mean tenant\?/,
    ],
    ['another version', 'version: 1', 'version: 2', /^2 version must be 1/],
  ]
  for (const [what, from, to, said] of wrong)
    it(`is refused with ${what}`, () => {
      assert.ok(FILE.includes(from))
      const found = problems(FILE.replace(from, to))
      assert.match(found.join('\n'), said)
      assert.ok(!found.join().includes(keyNamed('one').slice(5, 20)), 'a value is quoted')
    })

  it('is refused where two records share an id or a hash, and does not drown in it', () => {
    const rows = (count: number, over: (i: number) => object): string =>
      JSON.stringify({
        keys: Array.from({ length: count }, (_, i) => ({ ...rowFor(keyNamed('one')), ...over(i) })),
      })
    const twins = problems(rows(2, (i) => ({ id: `key-${i}` })))
    assert.match(twins.join('\n'), /^0 keys\[1\]\.sha256 stands in an earlier record too/)
    assert.equal(twins.length, 1)
    assert.ok(problems(rows(1000, () => ({}))).length < 25)
  })
})

describe('the section auth.apiKeys', () => {
  it('may be empty', () => {
    assert.deepEqual(apiKeysSection.parse({}), {})
    assert.deepEqual(apiKeysSection.parse({ maxLifetime: '2160h' }), { maxLifetime: 90 * 24 * 3_600_000 })
  })
})

describe('times as people write them', () => {
  for (const [text, time] of [
    ['1970-01-01', 0],
    ['2027-01-31', Date.UTC(2027, 0, 31)],
    ['2027-01-31T12:30:05Z', Date.UTC(2027, 0, 31, 12, 30, 5)],
    ['2027-01-31T12:30:05.25Z', Date.UTC(2027, 0, 31, 12, 30, 5, 250)],
    ['2028-02-29', Date.UTC(2028, 1, 29)],
    ['2027-02-29', undefined],
    ['2027-13-01', undefined],
    ['2027-01-31T24:00:00Z', undefined],
    ['2027-01-31T12:30:05+01:00', undefined],
    ['2027-01-31 12:30:05Z', undefined],
    ['1969-12-31', undefined],
    ['31.1.2027', undefined],
    ['90d', undefined],
    ['', undefined],
  ] as const)
    it(`${text || 'nothing'} is ${time ?? 'no time'}`, () => assert.equal(parseInstant(text), time))

  for (const [text, span] of [
    ['1m', 60_000],
    ['24h', 86_400_000],
    ['90d', 7_776_000_000],
    ['0d', undefined],
    ['-1d', undefined],
    ['1.5d', undefined],
    ['90', undefined],
    ['1y', undefined],
    ['9999999d', undefined],
  ] as const)
    it(`${text} is ${span ?? 'no'} ms`, () => assert.equal(parseSpan(text), span))

  it('are written so that they are read back', () => {
    assert.equal(formatInstant(1_800_000_000_999), '2027-01-15T08:00:00Z')
    assert.equal(parseInstant(formatInstant(1_800_000_000_999)), 1_800_000_000_000)
  })
})
