// What is remembered of a verified token, for how long, and what is looked at on every call all the same.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { deny } from '../../../src/core/denials.ts'
import { type DpopVerifier, isDenial } from '../../../src/identity/authenticator.ts'
import {
  certificate,
  NOW,
  paperFetch,
  paperKey,
  presented,
  SECONDS,
  setup,
  signRaw,
  token,
} from './lib/paper.ts'
import { DOCUMENTS, OPTIONS, PAPERS } from './rows.ts'

const { A, B, THUMBPRINT } = PAPERS
const world = (ports = {}) => setup(OPTIONS, { fetch: paperFetch(DOCUMENTS), ...ports })
const bound = (...members: string[]) => ({
  cnf: Object.fromEntries(members.map((name) => [name, THUMBPRINT])),
})

describe('a remembered token', () => {
  test('is answered at once and counted', async () => {
    const { oauth } = world()
    const text = token(A)
    assert.ok(oauth.authenticate(presented(text)) instanceof Promise)
    await oauth.authenticate(presented(text))
    const { hits, misses, cached } = oauth.stats()
    const again = oauth.authenticate(presented(text))
    assert.ok(!(again instanceof Promise) && !isDenial(again))
    assert.deepEqual(oauth.stats().hits, hits + 1)
    assert.deepEqual([oauth.stats().misses, oauth.stats().cached], [misses, cached])
    assert.equal(cached, 1)
  })

  for (const [name, exp, lasts] of [
    ['for a minute', SECONDS + 300, 60_000],
    ['to its end where that is sooner', SECONDS + 20, 20_000],
  ] as const) {
    test(`counts ${name}`, async () => {
      const { oauth } = world()
      const text = token(A, { exp })
      await oauth.authenticate(presented(text))
      const hit = async (now: number): Promise<boolean> => {
        const { hits } = oauth.stats()
        assert.ok(!isDenial(await oauth.authenticate(presented(text, { now }))))
        return oauth.stats().hits > hits
      }
      assert.equal(await hit(NOW + lasts - 1), true)
      assert.equal(await hit(NOW + lasts), false)
    })
  }

  test('is refused when it has expired since', async () => {
    const { oauth } = world()
    const text = token(A, { exp: SECONDS + 20 })
    await oauth.authenticate(presented(text))
    const late = await oauth.authenticate(presented(text, { now: NOW + 50_000 }))
    assert.ok(isDenial(late) && late.code === 'token_invalid')
    assert.equal(oauth.stats().cached, 0)
  })

  for (const [entry, changes, extra] of [
    ['jti token-1', {}, {}],
    ['subject agent-7', {}, {}],
    [
      `fingerprint ${certificate(THUMBPRINT).fingerprint}`,
      bound('x5t#S256'),
      { certificate: certificate(THUMBPRINT) },
    ],
  ] as const) {
    test(`is refused once it is revoked by ${entry.split(' ')[0]}, and taken again when that ends`, async () => {
      const { oauth, revocations } = world()
      const request = presented(token(A, changes), extra)
      assert.ok(!isDenial(await oauth.authenticate(request)))
      revocations.set.add(entry)
      assert.deepEqual(oauth.authenticate(request), { code: 'token_revoked' })
      revocations.set.clear()
      const again = oauth.authenticate(request)
      assert.ok(!(again instanceof Promise) && !isDenial(again))
    })
  }

  test('is refused on its first call where it was revoked before', async () => {
    const { oauth, revocations } = world()
    revocations.set.add('jti token-1')
    assert.deepEqual(await oauth.authenticate(presented(token(A))), { code: 'token_revoked' })
  })

  test('is bound on every call', async () => {
    const { oauth } = world()
    const text = token(A, bound('x5t#S256'))
    const good = presented(text, { certificate: certificate(THUMBPRINT) })
    assert.ok(!isDenial(await oauth.authenticate(good)))
    for (let i = 0; i < 2; i++) {
      const stolen = oauth.authenticate(presented(text))
      assert.ok(!(stolen instanceof Promise) && isDenial(stolen) && stolen.code === 'proof_invalid')
    }
    const again = oauth.authenticate(good)
    assert.ok(!(again instanceof Promise) && !isDenial(again))
  })

  test('has its proof checked on every call, with the request and the key of the token', async () => {
    const seen: unknown[] = []
    const answers: ReturnType<DpopVerifier['verify']>[] = [
      undefined,
      deny('proof_invalid', 'used before'),
      Promise.resolve(undefined),
      Promise.resolve(deny('proof_nonce')),
    ]
    const dpop: DpopVerifier = {
      verify(request, jkt) {
        seen.push([request, jkt])
        return answers[seen.length - 1]
      },
    }
    const { oauth } = world({ dpop })
    const request = presented(token(A, bound('jkt')), { scheme: 'dpop' })
    const first = await oauth.authenticate(request)
    assert.ok(!isDenial(first))
    assert.deepEqual(oauth.authenticate(request), deny('proof_invalid', 'used before'))
    assert.equal(await oauth.authenticate(request), first)
    assert.deepEqual(await oauth.authenticate(request), deny('proof_nonce'))
    assert.deepEqual(seen, Array(4).fill([request, THUMBPRINT]))
  })

  test('with both bindings is not asked for a proof before its certificate fits', async () => {
    let asked = 0
    const { oauth } = world({ dpop: { verify: () => void asked++ } })
    const text = token(A, bound('jkt', 'x5t#S256'))
    const denied = await oauth.authenticate(presented(text, { scheme: 'dpop' }))
    assert.ok(isDenial(denied) && denied.code === 'proof_invalid')
    assert.equal(asked, 0)
  })

  test('is forgotten by drop', async () => {
    const { oauth } = world()
    await oauth.authenticate(presented(token(A)))
    oauth.drop()
    assert.equal(oauth.stats().cached, 0)
  })

  test('is one of ten thousand: the oldest goes first', async () => {
    const key = paperKey('ed25519', 'quick')
    const url = 'https://quick.example'
    const { oauth } = setup(
      { ...OPTIONS, issuers: [{ ...OPTIONS.issuers[0]!, issuer: url, jwksUri: `${url}/jwks` }] },
      { fetch: paperFetch(new Map([[`${url}/jwks`, { keys: [key.jwk] }]])) },
    )
    const texts = Array.from({ length: 10_001 }, (_, i) =>
      token({ url, key }, { jti: `${i}` }, { alg: 'EdDSA' }),
    )
    for (const text of texts) assert.ok(!isDenial(await oauth.authenticate(presented(text))))
    assert.equal(oauth.stats().cached, 10_000)
    const { misses } = oauth.stats()
    await oauth.authenticate(presented(texts[1]!))
    assert.equal(oauth.stats().misses, misses)
    await oauth.authenticate(presented(texts[0]!))
    assert.equal(oauth.stats().misses, misses + 1)
  })
})

describe('a refused token', () => {
  test('is not remembered', async () => {
    const { oauth } = world()
    await oauth.authenticate(presented(token(A, { exp: 1 })))
    await oauth.authenticate(presented(`${token(A)}AA`))
    assert.equal(oauth.stats().cached, 0)
  })

  test('nothing of it stands in the answer or in an event', async () => {
    const canary = 'c4n4ry'
    const { oauth, events } = world()
    const key = paperKey('ec', canary)
    const tokens = [
      token({ url: `https://${canary}.example`, key }),
      token({ url: A.url, key }, { sub: canary, roles: [canary], jti: canary }),
      token(A, { [canary]: canary, aud: canary }),
      token(A, { roles: { [canary]: canary } }),
      token(A, {}, { [canary]: 1 }),
      token(A, {}, { typ: canary }),
      token(A, {}, { kid: canary }),
      signRaw(`{"${canary}"`, `{"${canary}"`, 'ES256', B.key.privateKey),
      `${canary}.${canary}.${canary}`,
    ]
    for (const text of tokens) {
      const denied = await oauth.authenticate(presented(text))
      assert.ok(isDenial(denied))
      assert.ok(!JSON.stringify([denied, events]).includes(canary))
    }
  })
})

test('a token is known by its form: no API key holds a dot', () => {
  const { oauth } = world()
  assert.equal(oauth.isResponsible(token(A)), true)
  assert.equal(oauth.isResponsible('a.b.c.d.e'), true)
  assert.equal(oauth.isResponsible('dmcp_0123456789abcdef'), false)
})
