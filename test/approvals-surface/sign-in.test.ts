// What the page signs in with: from the issuer's metadata, kept while it is fresh, asked for again with pauses, and never an endpoint that is less safe than the issuer.
import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { createPeople, type People } from '../../src/identity/people/index.ts'

const ISSUER = 'https://login.example.com'
const METADATA: Record<string, unknown> = {
  issuer: ISSUER,
  authorization_endpoint: `${ISSUER}/auth`,
  token_endpoint: 'https://tokens.example.com/token',
}

describe('sign-in', () => {
  let now: number
  let asked: number
  let events: unknown[]
  let metadata: Record<string, unknown> | undefined

  beforeEach(() => {
    now = 0
    asked = 0
    events = []
    metadata = METADATA
  })

  const people = (more: object = {}): People =>
    createPeople(
      {
        peopleUrl: 'https://approve.example.com',
        issuer: ISSUER,
        clientId: 'page',
        requestScopes: ['openid', 'ductape:approve'],
        resource: true,
        dpopAlgorithms: ['ES256'],
        ...more,
      },
      { isResponsible: () => true, authenticate: () => assert.fail('no token is looked at') } as never,
      {
        fetch: async () => {
          asked++
          if (metadata === undefined) throw new Error('no route')
          return { status: 200, body: Buffer.from(JSON.stringify(metadata)) }
        },
        tick: () => now,
        onEvent: (name, fields) => void events.push([name, fields.problem]),
      },
    )

  test('is made of the metadata and the configuration', async () => {
    assert.deepEqual(await people().signIn(), {
      issuer: ISSUER,
      authorizationEndpoint: `${ISSUER}/auth`,
      tokenEndpoint: 'https://tokens.example.com/token',
      issParameter: false,
      clientId: 'page',
      scope: 'openid ductape:approve',
      resource: 'https://approve.example.com',
      redirectUri: 'https://approve.example.com/approvals',
    })
    assert.equal((await people({ resource: false }).signIn())?.resource, undefined)
    assert.equal((await people({ audience: ['urn:approvals', 'x'] }).signIn())?.resource, 'urn:approvals')
  })

  test('is asked for once by all who wait, and again when it is old', async () => {
    const one = people()
    await Promise.all([one.signIn(), one.signIn(), one.signIn()])
    now = 599_999
    await one.signIn()
    assert.equal(asked, 1)
    now = 600_000
    await one.signIn()
    assert.equal(asked, 2)
  })

  test('that was known still serves while the issuer cannot be asked, which is tried with pauses', async () => {
    const one = people()
    await one.signIn()
    metadata = undefined
    now = 600_000
    assert.ok((await one.signIn()) !== undefined)
    const after = asked
    now += 9_999
    await one.signIn()
    assert.equal(asked, after)
    now += 1
    await one.signIn()
    assert.ok(asked > after)
    assert.deepEqual(events.at(-1), ['sign_in_failed', 'unreachable'])
  })

  test('there is none before the issuer was reached', async () => {
    metadata = undefined
    const one = people()
    assert.equal(await one.signIn(), undefined)
    metadata = METADATA
    assert.equal(await one.signIn(), undefined, 'not before the pause is over')
    now = 10_000
    assert.ok((await one.signIn()) !== undefined)
  })

  for (const [what, change, problem] of [
    ['another issuer in the metadata', { issuer: 'https://evil.example' }, 'issuer_differs'],
    ['no token endpoint', { token_endpoint: undefined }, 'endpoints_refused'],
    ['a plain http endpoint', { token_endpoint: 'http://127.0.0.1:9/token' }, 'endpoints_refused'],
    ['an endpoint that is a script', { authorization_endpoint: 'javascript:alert(1)' }, 'endpoints_refused'],
    ['an endpoint with a user name', { authorization_endpoint: 'https://a@b.example/' }, 'endpoints_refused'],
  ] as const) {
    test(`is refused: ${what}`, async () => {
      metadata = { ...METADATA, ...change }
      assert.equal(await people().signIn(), undefined)
      assert.deepEqual(events, [['sign_in_failed', problem]])
    })
  }
})
