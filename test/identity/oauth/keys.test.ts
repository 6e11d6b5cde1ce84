// The keys of an issuer: how often they are fetched, what a bad or silent endpoint does, and how long old keys serve.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isDenial } from '../../../src/identity/authenticator.ts'
import type { FetchProblem } from '../../../src/identity/oauth/index.ts'
import { KEY_TIMES } from '../../../src/identity/oauth/keys.ts'
import { REASONS } from '../../../src/identity/oauth/reasons.ts'
import {
  type Answer,
  down,
  FIRST,
  json,
  paper,
  published,
  SECOND,
  URL_OF_ISSUER,
  world,
} from './lib/endpoint.ts'
import { issuerOptions, oauthOptions, paperKey, presented, setup, token } from './lib/paper.ts'

describe('a key set', () => {
  test('is fetched for the first token and then taken as it is', async () => {
    const { send, urls, clock } = world()
    assert.equal(await send(FIRST), 'accepted')
    clock.tick += KEY_TIMES.fresh - 1
    assert.equal(await send(FIRST), 'accepted')
    assert.equal(urls.length, 1)
    clock.tick += 1
    assert.equal(await send(FIRST), 'accepted')
    assert.equal(urls.length, 2)
  })

  test('is fetched once for all who wait for it', async () => {
    const made = world()
    const { promise, resolve } = Promise.withResolvers<Answer>()
    made.answer = () => promise
    const all = Array.from({ length: 20 }, () => made.send(FIRST))
    resolve(published(FIRST))
    assert.deepEqual(new Set(await Promise.all(all)), new Set(['accepted']))
    assert.equal(made.urls.length, 1)
  })

  test('is at hand without a promise once it is there', async () => {
    const made = world()
    await made.send(FIRST)
    assert.ok(!(made.oauth.authenticate(presented(token(paper(FIRST), { jti: 'sync' }))) instanceof Promise))
  })

  test('is never fetched for a token that is bad anyway', async () => {
    const made = world()
    const expired = made.oauth.authenticate(presented(token(paper(FIRST), { exp: 1 })))
    assert.ok(!(expired instanceof Promise) && isDenial(expired))
    assert.deepEqual(made.urls, [])
  })
})

describe('a new key', () => {
  test('is picked up at once, also just after the first fetch', async () => {
    const made = world()
    await made.send(FIRST)
    made.answer = () => published(SECOND, FIRST)
    made.clock.tick += 1
    assert.equal(await made.send(SECOND), 'accepted')
    assert.equal(await made.send(FIRST), 'accepted')
    assert.equal(made.urls.length, 2)
    assert.deepEqual(made.events.at(-1), {
      name: 'oauth_keys_loaded',
      fields: { issuer: URL_OF_ISSUER, keys: 2, removed: 0 },
    })
  })

  test('is one of two with the same id: the first that fits counts', async () => {
    const made = world()
    made.answer = () =>
      json({ keys: [paperKey('rsa', 'first').jwk, FIRST.jwk, { ...SECOND.jwk, kid: 'first' }] })
    assert.equal(await made.send(FIRST), 'accepted')
    assert.equal(await made.send(SECOND, { kid: 'first' }), REASONS.signature)
  })

  test('unknown ones cause one fetch in a cool-down, however many there are', async () => {
    const made = world()
    await made.send(FIRST)
    for (let i = 0; i < 50; i++) assert.equal(await made.send(SECOND, { kid: `random-${i}` }), REASONS.key)
    assert.equal(made.urls.length, 2)
    made.clock.tick += KEY_TIMES.cooldown - 1
    await made.send(SECOND, { kid: 'one more' })
    assert.equal(made.urls.length, 2)
    made.clock.tick += 1
    await made.send(SECOND, { kid: 'another one' })
    assert.equal(made.urls.length, 3)
  })

  test('those who wait for an unknown one share a fetch', async () => {
    const made = world()
    await made.send(FIRST)
    const { promise, resolve } = Promise.withResolvers<Answer>()
    made.answer = () => promise
    const all = [made.send(SECOND), made.send(SECOND), made.send(SECOND)]
    resolve(published(SECOND))
    assert.deepEqual(await Promise.all(all), ['accepted', 'accepted', 'accepted'])
    assert.equal(made.urls.length, 2)
  })

  test('one that was not there is not looked for again so soon', async () => {
    const made = world()
    await made.send(FIRST)
    await made.send(SECOND)
    made.clock.tick += KEY_TIMES.cooldown
    assert.equal(await made.send(SECOND), REASONS.key)
    assert.equal(made.urls.length, 2)
    made.clock.tick += KEY_TIMES.unknown - KEY_TIMES.cooldown
    made.answer = () => published(SECOND)
    assert.equal(await made.send(SECOND), 'accepted')
    assert.equal(made.urls.length, 3)
  })

  test('what is remembered of unknown ones is bounded: the oldest is forgotten', async () => {
    const made = world()
    await made.send(FIRST)
    const { promise, resolve } = Promise.withResolvers<Answer>()
    made.answer = () => promise
    const all = Array.from({ length: 1001 }, (_, i) => made.send(SECOND, { kid: `k-${i}` }))
    resolve(published(FIRST))
    await Promise.all(all)
    assert.equal(made.urls.length, 2)
    made.clock.tick += KEY_TIMES.cooldown
    await made.send(SECOND, { kid: 'k-1' })
    assert.equal(made.urls.length, 2, 'still remembered')
    await made.send(SECOND, { kid: 'k-0' })
    assert.equal(made.urls.length, 3, 'forgotten')
  })
})

describe('a key that is published no more', () => {
  test('takes its remembered tokens along', async () => {
    const made = world()
    made.answer = () => published(FIRST, SECOND)
    const text = token(paper(FIRST))
    const kept = token(paper(SECOND))
    for (const one of [text, kept]) await made.oauth.authenticate(presented(one))
    made.answer = () => published(SECOND)
    made.clock.tick += KEY_TIMES.fresh
    await made.send(SECOND)
    assert.deepEqual(await made.oauth.authenticate(presented(text)), {
      code: 'token_invalid',
      detail: REASONS.key,
    })
    const { hits } = made.oauth.stats()
    assert.ok(!isDenial(await made.oauth.authenticate(presented(kept))))
    assert.equal(made.oauth.stats().hits, hits + 1)
    assert.deepEqual(made.events[1]?.fields, { issuer: URL_OF_ISSUER, keys: 1, removed: 1 })
  })

  test('under the same id is another key', async () => {
    const made = world()
    const text = token(paper(FIRST))
    await made.oauth.authenticate(presented(text))
    made.answer = () => published(paperKey('ec', 'first'))
    await made.oauth.check()
    assert.deepEqual(await made.oauth.authenticate(presented(text)), {
      code: 'token_invalid',
      detail: REASONS.signature,
    })
  })

  test('under a new id answers to that alone', async () => {
    const made = world()
    await made.send(FIRST)
    made.answer = () => json({ keys: [{ ...FIRST.jwk, kid: 'renamed' }] })
    await made.oauth.check()
    assert.equal(await made.send(FIRST, { kid: 'renamed' }), 'accepted')
    assert.equal(await made.send(FIRST), REASONS.key)
  })

  test('for one algorithm alone, from now on', async () => {
    const made = world()
    const key = paperKey('rsa', 'rsa')
    made.answer = () => published(key)
    assert.equal(await made.send(key, { alg: 'RS256' }), 'accepted')
    made.answer = () => json({ keys: [{ ...key.jwk, alg: 'PS256' }] })
    await made.oauth.check()
    assert.equal(await made.send(key, { alg: 'RS256' }), REASONS.key)
    assert.equal(await made.send(key, { alg: 'PS256' }), 'accepted')
  })

  test('all of them: an issuer may take every key back', async () => {
    for (const empty of [json({ keys: [] }), published(paperKey('ec', 'e', { use: 'enc' }))]) {
      const made = world()
      await made.send(FIRST)
      made.answer = () => empty
      made.clock.tick += KEY_TIMES.fresh
      assert.equal(await made.send(FIRST), REASONS.key)
    }
  })
})

describe('a bad endpoint', () => {
  const cases: readonly [FetchProblem, string, (url: string) => Answer | Promise<Answer>][] = [
    ['unreachable', 'that is down or too slow', down],
    ['status', 'that answers with an error', () => ({ status: 503, body: Buffer.from('{"keys":[]}') })],
    ['status', 'that redirects', () => ({ status: 302, body: published(FIRST).body })],
    ['not_json', 'that sends HTML', () => ({ status: 200, body: Buffer.from('<!doctype html>') })],
    ['not_json', 'that sends a list', () => json([FIRST.jwk])],
    ['not_json', 'that sends a number', () => json(7)],
    ['not_json', 'that sends null', () => json(null)],
    [
      'not_json',
      'that names a member twice',
      () => ({ status: 200, body: Buffer.from('{"keys":[],"keys":[]}') }),
    ],
    ['not_a_key_set', 'that sends no keys', () => json({ jwks: [FIRST.jwk] })],
    ['not_a_key_set', 'whose keys are no list', () => json({ keys: FIRST.jwk })],
    [
      'too_large',
      'that sends 256 KiB and more',
      () => json({ keys: [FIRST.jwk], padding: 'x'.repeat(256 * 1024) }),
    ],
    [
      'too_many_keys',
      'that sends more than a hundred keys',
      () => json({ keys: Array.from({ length: 101 }, (_, i) => ({ ...FIRST.jwk, kid: `k-${i}` })) }),
    ],
  ]
  for (const [problem, name, answer] of cases) {
    test(`${name} is no answer: ${problem}`, async () => {
      const made = world()
      made.answer = answer
      const verified = await made.oauth.authenticate(presented(token(paper(FIRST))))
      assert.deepEqual(verified, { code: 'issuer_unavailable', retryAfterMs: KEY_TIMES.retry })
      assert.deepEqual(made.events, [
        { name: 'oauth_keys_failed', fields: { issuer: URL_OF_ISSUER, problem, serving: 'nothing' } },
      ])
      // Not asked again for each token, and well again by itself.
      assert.equal(await made.send(FIRST), 'issuer_unavailable')
      assert.equal(made.urls.length, 1)
      made.answer = () => published(FIRST)
      made.clock.tick += KEY_TIMES.retry
      assert.equal(await made.send(FIRST), 'accepted')
    })
  }

  test('at the very bounds is good', async () => {
    const made = world()
    const keys = Array.from({ length: 99 }, (_, i) => ({ ...FIRST.jwk, kid: `k-${i}` }))
    const bare = JSON.stringify({ keys: [FIRST.jwk, ...keys], padding: '' }).length
    made.answer = () => json({ keys: [FIRST.jwk, ...keys], padding: 'x'.repeat(256 * 1024 - bare) })
    assert.equal(await made.send(FIRST), 'accepted')
    assert.equal(made.oauth.stats().issuers[0]?.keys, 100)
  })

  test('leaves the keys of before in force for an hour', async () => {
    const made = world()
    await made.send(FIRST)
    const loadedAt = made.clock.tick
    made.answer = down
    made.clock.tick = loadedAt + KEY_TIMES.fresh
    assert.equal(await made.send(FIRST), 'accepted')
    assert.equal(made.urls.length, 2)
    assert.deepEqual(made.events.at(-1)?.fields, {
      issuer: URL_OF_ISSUER,
      problem: 'unreachable',
      serving: 'last_keys',
    })
    assert.equal(await made.send(FIRST), 'accepted')
    assert.equal(made.urls.length, 2, 'within the pause')
    made.clock.tick = loadedAt + KEY_TIMES.stale - 1
    assert.equal(await made.send(FIRST), 'accepted')
    made.clock.tick = loadedAt + KEY_TIMES.stale
    assert.equal(await made.send(FIRST), 'issuer_unavailable')
  })

  test('that has been silent once makes nobody wait who has a key', async () => {
    const made = world()
    await made.send(FIRST)
    made.answer = down
    made.clock.tick += KEY_TIMES.fresh
    await made.send(FIRST)
    const { promise, resolve } = Promise.withResolvers<Answer>()
    made.answer = () => promise
    made.clock.tick += KEY_TIMES.retry
    const atOnce = made.oauth.authenticate(presented(token(paper(FIRST), { jti: 'now' })))
    assert.ok(!(atOnce instanceof Promise) && !isDenial(atOnce))
    const waits = made.send(SECOND)
    resolve(published(FIRST, SECOND))
    assert.equal(await waits, 'accepted')
    assert.equal(made.urls.length, 3)
  })

  test('says of an unknown key that it cannot be checked, not that it is bad', async () => {
    const made = world()
    await made.send(FIRST)
    made.answer = down
    assert.equal(await made.send(SECOND), 'issuer_unavailable')
    // The endpoint is back before the cool-down has passed.
    made.answer = () => published(FIRST, SECOND)
    made.clock.tick += KEY_TIMES.cooldown
    assert.equal(await made.send(SECOND), 'accepted')
  })

  test('does not block one that works', async () => {
    const made = setup(
      oauthOptions([issuerOptions('https://a.example'), issuerOptions('https://b.example')]),
      {
        fetch: (url) => (url.startsWith('https://a.') ? down() : Promise.resolve(published(FIRST))),
      },
    )
    const send = async (url: string): Promise<boolean> =>
      isDenial(await made.oauth.authenticate(presented(token({ url, key: FIRST }))))
    assert.deepEqual([await send('https://a.example'), await send('https://b.example')], [true, false])
  })
})

describe('doctor', () => {
  test('hears of each issuer how many keys it has, or what is wrong', async () => {
    const made = setup(
      oauthOptions([issuerOptions('https://a.example'), issuerOptions('https://b.example')]),
      {
        fetch: (url) => (url.startsWith('https://a.') ? down() : Promise.resolve(published(FIRST, SECOND))),
      },
    )
    assert.deepEqual(await made.oauth.check(), [
      { issuer: 'https://a.example', keys: 0, problem: 'unreachable' },
      { issuer: 'https://b.example', keys: 2, problem: undefined },
    ])
    assert.deepEqual(made.oauth.stats(), {
      cached: 0,
      hits: 0,
      misses: 0,
      issuers: [
        { issuer: 'https://a.example', keys: 0, fetches: 1, failures: 1 },
        { issuer: 'https://b.example', keys: 2, fetches: 1, failures: 0 },
      ],
    })
  })
})
