// DPoP proofs: what is accepted, and one row for each sentence of RFC 9449 by which one is refused.
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, it } from 'node:test'
import * as dpopClient from 'dpop'
import type { Denial } from '../../../src/core/denials.ts'
import { denialText } from '../../../src/core/denials.ts'
import type { Store } from '../../../src/core/store.ts'
import { DPOP_ALGORITHMS } from '../../../src/identity/dpop/index.ts'
import { normaliseUri } from '../../../src/identity/dpop/uri.ts'
import { createMemoryStore } from '../../../src/store/index.ts'
import {
  freshJti,
  NOW,
  newPair,
  PUBLIC_URL,
  pairOf,
  present,
  proofOf,
  type Sent,
  TOKEN,
  verifier,
} from './lib.ts'
import { EC, OTHER, REFUSED } from './rows.ts'

const SLOW = await pairOf(
  'RS256',
  generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 2 ** 31 - 1 }),
)

const { dpop } = verifier()
const verify = (proof: string, jkt = EC.jkt, sent: Sent = {}): Promise<Denial | undefined> =>
  Promise.resolve(dpop.verify(present(proof, sent), jkt))

const SECONDS = NOW / 1000

describe('a proof is accepted', () => {
  for (const alg of [
    'ES256',
    'ES384',
    'ES512',
    'EdDSA',
    'Ed25519',
    'RS256',
    'RS384',
    'RS512',
    'PS256',
    'PS384',
    'PS512',
  ])
    it(`that is signed with ${alg}`, async () => {
      const pair = await newPair(alg)
      assert.equal(await verify(proofOf(pair), pair.jkt), undefined)
      assert.ok(DPOP_ALGORITHMS.includes(alg))
    })

  for (const alg of ['ES256', 'RS256', 'PS256', 'Ed25519'] as const)
    it(`that the library dpop makes with ${alg}`, async () => {
      const pair = await dpopClient.generateKeyPair(alg)
      const proof = await dpopClient.generateProof(pair, `${PUBLIC_URL}/mcp`, 'POST', undefined, TOKEN)
      const jkt = await dpopClient.calculateThumbprint(pair.publicKey)
      assert.equal(await verify(proof, jkt, { now: Date.now() }), undefined)
    })

  const rows: readonly [
    what: string,
    claims: Record<string, unknown>,
    header?: Record<string, unknown>,
    sent?: Sent,
  ][] = [
    [
      'with members of the jwk that are no part of the key',
      {},
      { jwk: { ...EC.jwk, kid: 'a', use: 'sig', key_ops: ['verify'], ext: true } },
    ],
    [
      'with headers and claims that nobody asked for',
      { sub: 'x', nonce: 'from elsewhere' },
      { kid: 'x', jku: 'https://evil.example/' },
    ],
    ['as old as it may be', { iat: SECONDS - 60 }],
    ['as far ahead as it may be', { iat: SECONDS + 60 }],
    ['with a fraction in its time', { iat: SECONDS + 0.25 }],
    ['with a jti of 128 characters', { jti: `${'j'.repeat(127)}a` }],
    ['with an end to come and a beginning that has been', { exp: SECONDS + 1, nbf: SECONDS }],
    ['with another method, when that is the method', { htm: 'GET' }, {}, { method: 'GET' }],
    [
      'for another path, when that is the path',
      { htu: `${PUBLIC_URL}/v1/tools/x` },
      {},
      { path: '/v1/tools/x' },
    ],
    ['with the header name in any case', {}, {}, { raw: [] }],
    // RFC 9449 4.3: "ignoring any query and fragment parts"; "SHOULD employ syntax-based normalization ... and scheme-based normalization".
    ['with a query and a fragment in htu', { htu: `${PUBLIC_URL}/mcp?a=b#c` }],
    ['with capital letters in scheme and host', { htu: 'HTTPS://MCP.Example.COM/mcp' }],
    ['with the default port', { htu: 'https://mcp.example.com:443/mcp' }],
    ['with dot segments', { htu: `${PUBLIC_URL}/a/../b/%2e%2e/./mcp` }],
    ['with needless percent-encoding', { htu: `${PUBLIC_URL}/%6dcp` }],
    ['with percent-encoding in small letters', { htu: `${PUBLIC_URL}/v1/a%2fb` }, {}, { path: '/v1/a%2Fb' }],
  ]
  for (const [what, claims, header = {}, sent = {}] of rows)
    it(what, async () => {
      const proof = proofOf(EC, claims, header)
      const raw = sent.raw === undefined ? {} : { raw: ['dPoP', proof] }
      assert.equal(await verify(proof, EC.jkt, { ...sent, ...raw }), undefined)
    })
})

describe('a proof is refused', () => {
  for (const { rule, what, claims, header, pair = EC, jkt, text, sent, detail } of REFUSED)
    it(`${what}: RFC 9449 ${rule}`, async () => {
      const proof = text?.() ?? proofOf(pair, claims, header)
      const denial = await verify(proof, jkt ?? pair.jkt, sent?.(proof))
      assert.equal(denial?.code, 'proof_invalid')
      assert.match(denial?.detail ?? '', detail)
      const said = JSON.stringify(denial) + denialText(denial as Denial)
      for (const part of [...proof.split('.').filter((one) => one.length > 8), 'canary'])
        assert.ok(!said.includes(part), 'the refusal repeats the request')
    })

  it('an RSA exponent of four bytes is taken, a longer one is not tried', async () => {
    assert.equal(await verify(proofOf(SLOW), SLOW.jkt), undefined)
  })
})

describe('a jti counts once (RFC 9449 11.1)', () => {
  it('the second use is refused', async () => {
    const proof = proofOf(EC)
    assert.equal(await verify(proof), undefined)
    assert.match((await verify(proof))?.detail ?? '', /used before/)
  })

  it('of two at the same time one is accepted', async () => {
    const proof = proofOf(EC)
    const denials = await Promise.all([verify(proof), verify(proof), verify(proof)])
    assert.equal(denials.filter((denial) => denial === undefined).length, 1)
  })

  it('another proof with the same jti is refused, with another key it is not', async () => {
    const jti = freshJti()
    assert.equal(await verify(proofOf(EC, { jti })), undefined)
    assert.match((await verify(proofOf(EC, { jti, iat: SECONDS + 1 })))?.detail ?? '', /used before/)
    assert.equal(await verify(proofOf(OTHER, { jti }), OTHER.jkt), undefined)
  })

  it('a refused proof does not use it up', async () => {
    const jti = freshJti()
    const bad = proofOf(EC, { jti }).replace(/\.[^.]+$/, proofOf(EC).slice(-87))
    assert.match((await verify(bad))?.detail ?? '', /signature/)
    assert.equal(await verify(proofOf(EC, { jti })), undefined)
  })

  it('it is remembered as long as the proof could be accepted', async () => {
    let now = NOW
    const timed = verifier({ store: createMemoryStore({ now: () => now }) }).dpop
    const proof = proofOf(EC, { iat: SECONDS + 60 })
    assert.equal(await timed.verify(present(proof, { now }), EC.jkt), undefined)
    now = NOW + 120_000
    assert.match((await timed.verify(present(proof, { now }), EC.jkt))?.detail ?? '', /used before/)
    now = NOW + 120_001
    assert.match((await timed.verify(present(proof, { now }), EC.jkt))?.detail ?? '', /its iat/)
  })

  it('the store holds neither the jti nor the key', async () => {
    const keys: string[] = []
    const store = createMemoryStore({ now: () => NOW })
    const spy: Store = {
      ...store,
      setIfAbsent: (key, value, ttl) => {
        keys.push(`${key} ${value} ${ttl}`)
        return store.setIfAbsent(key, value, ttl)
      },
    }
    assert.equal(await verifier({ store: spy }).dpop.verify(present(proofOf(EC)), EC.jkt), undefined)
    assert.match(keys.join(), /^dpop:[A-Za-z0-9_-]{43} 1 125000$/)
  })

  it('without the store nothing is accepted', async () => {
    const store = createMemoryStore({ now: () => NOW })
    await store.close()
    const denial = await verifier({ store }).dpop.verify(present(proofOf(EC)), EC.jkt)
    assert.equal(denial?.code, 'store_unavailable')
    const broken = { ...store, setIfAbsent: () => Promise.reject(new TypeError('a fault')) }
    await assert.rejects(
      async () => verifier({ store: broken }).dpop.verify(present(proofOf(EC)), EC.jkt),
      TypeError,
    )
  })
})

describe('URIs in one form (RFC 3986 6.2)', () => {
  for (const [text, normal] of [
    ['https://a.example', 'https://a.example/'],
    ['http://a.example:80/x', 'http://a.example/x'],
    ['https://a.example:80/x', 'https://a.example:80/x'],
    ['https://[2001:DB8::1]/', 'https://[2001:db8::1]/'],
    ['https://a.example/%7Euser/%e2%82%ac', 'https://a.example/~user/%E2%82%AC'],
    ['https://a.example/a%2Fb', 'https://a.example/a%2Fb'],
    ['https://a.example/%zz', 'https://a.example/%zz'],
    ['ftp://a.example/', undefined],
    ['https://', undefined],
    ['https:a.example', undefined],
    ['https://a.example/\t', undefined],
    ['https://a.example/ä', undefined],
    [' https://a.example/', undefined],
    ['https://a.example:99999/', undefined],
    ['https://:p@a.example/', undefined],
  ] as const)
    it(JSON.stringify(text), () => assert.equal(normaliseUri(text), normal))
})
