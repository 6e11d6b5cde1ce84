// POST /v1/admin/revocations as a function, and the file live/revocations.yaml.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseLive } from '../../../src/config/live.ts'
import { type Denial, denialText } from '../../../src/core/denials.ts'
import type { Json } from '../../../src/core/json.ts'
import { makePrincipal } from '../../../src/core/principal.ts'
import { adminRevocations, readableRevocations } from '../../../src/identity/revocations/index.ts'
import { keyNamed } from '../apikey/lib.ts'
import { NOW, world } from './lib.ts'

const OPS = makePrincipal({ method: 'oauth', id: 'oauth:https://issuer|ops', subject: 'ops' })
const UNTIL = '2027-01-15T13:00:00Z'
const HEX = 'AB'.repeat(32)

async function post(body: Json) {
  const { replica, events, now } = world()
  const revocations = replica()
  const done = await adminRevocations(body, OPS, revocations, now)
  return { done, revocations, events }
}

describe('the administrative request', () => {
  for (const [kind, value, found] of [
    ['jti', 'token-1', 'token-1'],
    ['subject', 'Ada Lovelace <ada@example.com>', 'Ada Lovelace <ada@example.com>'],
    ['key', 'key-7f3a', 'key-7f3a'],
    ['fingerprint', HEX, HEX.toLowerCase()],
    ['fingerprint', HEX.replace(/..(?=.)/g, '$&:'), HEX.toLowerCase()],
  ] as const)
    it(`revokes a ${kind}`, async () => {
      const { done, revocations, events } = await post({ kind, value, until: UNTIL })
      assert.deepEqual(done, { answer: { kind, until: '2027-01-15T13:00:00.000Z' } })
      assert.equal(revocations.isRevoked(kind, found), true)
      assert.match(events.join(), /"by":"oauth:https:\/\/issuer\|ops"/)
    })

  const good = { kind: 'jti', value: 'canary', until: UNTIL }
  const wrong: readonly [what: string, body: Json, said: RegExp][] = [
    ['no object', null, /body must be an object/],
    ['a list', [good], /body must be an object/],
    ['a text', 'canary', /body must be an object/],
    ['another member', { ...good, reason: 'canary' }, /other members/],
    ['no kind', { value: 'canary', until: UNTIL }, /kind must be one of jti, subject, key, fingerprint/],
    ['an unknown kind', { ...good, kind: 'canary' }, /kind must be/],
    ['a kind that every object has', { ...good, kind: 'constructor' }, /kind must be/],
    ['no value', { kind: 'jti', until: UNTIL }, /value must be a text/],
    ['an empty value', { ...good, value: '' }, /value must be a text/],
    ['a long value', { ...good, value: 'x'.repeat(513) }, /value must be a text/],
    ['a value with a line break', { ...good, value: 'canary\nx' }, /value must be a text/],
    ['a number', { ...good, value: 7 }, /value must be a text/],
    ['no fingerprint', { ...good, kind: 'fingerprint' }, /value must be a SHA-256 in hex/],
    ['a key itself', { ...good, kind: 'key', value: keyNamed('canary') }, /API key itself/],
    ['no end', { kind: 'jti', value: 'canary' }, /until must be/],
    ['an end that has been', { ...good, until: '2027-01-15T12:00:00Z' }, /until must be/],
    ['an end in words', { ...good, until: '24h' }, /until must be/],
    ['an end as a number', { ...good, until: NOW + 1000 }, /until must be/],
    ['an end too far away', { ...good, until: '2028-06-01' }, /366 days.*live\/revocations\.yaml/],
  ]
  for (const [what, body, said] of wrong)
    it(`is refused with ${what}`, async () => {
      const { done, revocations, events } = await post(body)
      assert.ok('code' in done)
      assert.equal(done.code, 'admin_invalid')
      assert.match(done.detail ?? '', said)
      assert.ok(
        !denialText(done).includes('canary') && !denialText(done).includes(keyNamed('canary').slice(5)),
      )
      assert.deepEqual([revocations.stats().shared, events.length], [0, 0])
    })

  it('is refused while the store is away, or full', async () => {
    const { store, replica, now } = world()
    const full = replica({ store: { ...store, indexAdd: async () => false } })
    const denial = (await adminRevocations(good, OPS, full, now)) as Denial
    assert.equal(denial.code, 'admin_invalid')
    assert.match(denial.detail ?? '', /takes no more/)
    const away = replica()
    await store.close()
    assert.equal(((await adminRevocations(good, OPS, away, now)) as Denial).code, 'store_unavailable')
  })

  it('throws a fault that is ours', async () => {
    const { now } = world()
    await assert.rejects(
      adminRevocations(good, OPS, { revoke: () => Promise.reject(new TypeError('ours')) }, now),
      TypeError,
    )
  })
})

const FILE = `version: 1
revocations:
  - kind: subject
    value: ada
    reason: has left
  - { kind: jti, value: "7f3a", until: 2027-02-01 }
  - { kind: fingerprint, value: "${HEX}" }
`

const parse = (text: string) => parseLive('revocations.yaml', text, 'live/revocations.yaml')

describe('live/revocations.yaml', () => {
  it('holds revocations', () => {
    const parsed = parse(FILE)
    assert.ok(parsed.ok)
    const revocations = world().replica()
    revocations.setLive(parsed.value.revocations)
    assert.equal(revocations.isRevoked('subject', 'ada'), true)
    assert.equal(revocations.isRevoked('jti', '7f3a'), true)
    assert.equal(revocations.isRevoked('fingerprint', HEX.toLowerCase()), true)
  })

  it('may be empty', () => {
    for (const text of ['', '# none\n', 'version: 1\n']) assert.deepEqual(parse(text).ok && 1, 1)
  })

  const wrong: readonly [what: string, from: string, to: string, said: RegExp, stillRevoked: number][] = [
    ['an unknown kind', 'kind: subject', 'kind: user', /^3 revocations\[0\]\.kind must be one of/, 2],
    ['a number', 'value: ada', 'value: 7', /^4 revocations\[0\]\.value must be/, 2],
    ['no value', '    value: ada\n', '', /revocations\[0\]\.value is missing/, 2],
    ['half a fingerprint', HEX, HEX.slice(2), /^7 revocations\[2\]\.value is not a SHA-256 in hex/, 2],
    [
      'an end that cannot be read, which then is none',
      '2027-02-01',
      'soon',
      /^6 revocations\[1\]\.until must be a time/,
      3,
    ],
    [
      'a slip in another member',
      'reason: has left',
      'reasons: has left',
      /^5 revocations\[0\]\.reasons is not a known key/,
      3,
    ],
    ['another version', 'version: 1', 'version: 2', /^1 version must be 1/, 3],
  ]
  for (const [what, from, to, said, stillRevoked] of wrong)
    it(`is refused with ${what}, and what can be read still counts`, () => {
      assert.ok(FILE.includes(from))
      const parsed = parse(FILE.replace(from, to))
      assert.ok(!parsed.ok)
      assert.match(
        parsed.problems.map(({ line, path, message }) => `${line} ${path} ${message}`).join('\n'),
        said,
      )
      const revocations = world().replica()
      revocations.addLive(readableRevocations(parsed.unchecked))
      assert.equal(revocations.stats().live, stillRevoked)
    })

  it('can be anything, and nothing is thrown', () => {
    for (const what of [
      undefined,
      null,
      7,
      'x',
      [],
      {},
      { revocations: 7 },
      { revocations: [null, 7, [], {}, { kind: 'jti' }] },
    ])
      assert.deepEqual(readableRevocations(what), [])
    assert.deepEqual(
      readableRevocations(JSON.parse('{"__proto__":{"revocations":[{"kind":"jti","value":"a"}]}}')),
      [],
    )
  })
})
