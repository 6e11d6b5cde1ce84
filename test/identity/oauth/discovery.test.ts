// Where the keys of an issuer are: its metadata, in the order of the two standards, and what is not believed of it (RFC 8414, OpenID Connect Discovery 1.0).
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FetchProblem } from '../../../src/identity/oauth/index.ts'
import {
  type Answer,
  down,
  FIRST,
  json,
  published,
  SECOND,
  URL_OF_ISSUER,
  type World,
  world,
} from './lib/endpoint.ts'
import { issuerOptions, oauthOptions, setup } from './lib/paper.ts'

describe('discovery', () => {
  const METADATA = `${URL_OF_ISSUER}/.well-known/oauth-authorization-server`
  const OPENID = `${URL_OF_ISSUER}/.well-known/openid-configuration`
  const KEYS = 'https://keys.example/jwks?v=1'
  const good = { issuer: URL_OF_ISSUER, jwks_uri: KEYS }
  const missing: Answer = { status: 404, body: Buffer.alloc(0) }
  const discovering = (documents: Record<string, Answer | (() => Promise<Answer>)>): World => {
    const made = world({ jwksUri: undefined })
    made.answer = (url) => {
      const document = documents[url] ?? missing
      return typeof document === 'function' ? document() : document
    }
    return made
  }

  test('RFC 8414 comes first', async () => {
    const made = discovering({ [METADATA]: json(good), [KEYS]: published(FIRST) })
    assert.equal(await made.send(FIRST), 'accepted')
    assert.deepEqual(made.urls, [METADATA, KEYS])
  })

  test('OpenID Connect comes second', async () => {
    const made = discovering({ [OPENID]: json(good), [KEYS]: published(FIRST) })
    assert.equal(await made.send(FIRST), 'accepted')
    assert.deepEqual(made.urls, [METADATA, OPENID, KEYS])
  })

  const bad: readonly [FetchProblem, string, Record<string, Answer | (() => Promise<Answer>)>][] = [
    ['no_metadata', 'no document at all', {}],
    ['unreachable', 'nobody there', { [METADATA]: down, [OPENID]: down }],
    ['not_json', 'a login page', { [METADATA]: { status: 200, body: Buffer.from('<html>') } }],
    [
      'issuer_differs',
      'the metadata of another issuer (RFC 8414 3.3: MUST NOT be used)',
      { [METADATA]: json({ ...good, issuer: `${URL_OF_ISSUER}/` }), [OPENID]: json(good) },
    ],
    ['issuer_differs', 'metadata without issuer', { [METADATA]: json({ jwks_uri: KEYS }) }],
    ['jwks_uri_refused', 'no jwks_uri', { [METADATA]: json({ issuer: URL_OF_ISSUER }) }],
    ['jwks_uri_refused', 'a list with one', { [METADATA]: json({ ...good, jwks_uri: [KEYS] }) }],
    [
      'jwks_uri_refused',
      'keys over plain http (RFC 8414 2: MUST use https)',
      { [METADATA]: json({ ...good, jwks_uri: 'http://keys.example/jwks' }) },
    ],
    ['jwks_uri_refused', 'keys in a file', { [METADATA]: json({ ...good, jwks_uri: 'file:///etc/passwd' }) }],
    [
      'jwks_uri_refused',
      'keys behind a password',
      { [METADATA]: json({ ...good, jwks_uri: 'https://a:b@keys.example/jwks' }) },
    ],
  ]
  for (const [problem, name, documents] of bad) {
    test(`${problem}: ${name}`, async () => {
      const made = discovering({ ...documents, [KEYS]: published(FIRST) })
      assert.equal(await made.send(FIRST), 'issuer_unavailable')
      assert.equal(made.events.at(-1)?.fields['problem'], problem)
      assert.ok(!made.urls.includes(KEYS))
    })
  }

  test('follows an issuer that moves its keys', async () => {
    const documents: Record<string, Answer> = { [METADATA]: json(good), [KEYS]: published(FIRST) }
    const made = discovering(documents)
    await made.send(FIRST)
    const moved = 'https://keys.example/new'
    documents[METADATA] = json({ ...good, jwks_uri: moved })
    documents[moved] = published(SECOND)
    assert.equal(await made.send(SECOND), 'accepted')
  })

  test('puts the path of an issuer where each standard has it', async () => {
    const urls: string[] = []
    const issuer = 'https://login.example/realms/main'
    const { oauth } = setup(oauthOptions([issuerOptions(issuer, { jwksUri: undefined })]), {
      fetch: (url) => {
        urls.push(url)
        return Promise.resolve(missing)
      },
    })
    await oauth.check()
    assert.deepEqual(urls, [
      'https://login.example/.well-known/oauth-authorization-server/realms/main',
      'https://login.example/realms/main/.well-known/openid-configuration',
    ])
  })
})
