// The protected resource metadata (RFC 9728): both documents, open to everybody, and made of the configuration alone.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { authSection } from '../../src/identity/config.ts'
import { DPOP_ALGORITHMS } from '../../src/identity/dpop/index.ts'
import { startApp } from '../lib/app.ts'
import { bearer, call, PUBLIC_URL, type Secured, send, startSecured } from '../live/lib/secured.ts'

const ROOT = '/.well-known/oauth-protected-resource'
const PATHS = [ROOT, `${ROOT}/mcp`] as const
const ISSUERS = ['https://login.example.com', 'https://login.example.com/realms/main']

describe('with authorization servers', () => {
  let service: Secured
  before(async () => {
    service = await startSecured({
      auth: { apiKeys: {}, oauth: { issuers: ISSUERS.map((issuer) => ({ issuer })) } },
    })
  })
  after(() => service.close())

  // "The resource value returned MUST be identical to the protected resource's resource identifier value into which the well-known URI
  // path suffix was inserted" (RFC 9728 3.3).
  for (const [path, resource] of [
    [PATHS[0], PUBLIC_URL],
    [PATHS[1], `${PUBLIC_URL}/mcp`],
  ] as const) {
    test(`${path} needs no token and names ${resource}`, async () => {
      const { status, headers, body } = await send(service, { method: 'GET', path })
      assert.equal(status, 200)
      assert.equal(headers['content-type'], 'application/json')
      assert.deepEqual(body, {
        resource,
        authorization_servers: ISSUERS,
        bearer_methods_supported: ['header'],
        // The least that a client should ask for, without offline_access (mcp.md 4, SHOULD 11).
        scopes_supported: ['ductape:read'],
        resource_name: 'ductape-mcp',
        dpop_signing_alg_values_supported: [...DPOP_ALGORITHMS],
      })
    })
  }

  test('neither a bad credential nor a good one nor the Host changes them', async () => {
    for (const path of PATHS) {
      const { text } = await send(service, { method: 'GET', path })
      for (const headers of [
        { authorization: 'Bearer a.b.c' },
        bearer('reader'),
        bearer('nobody'),
        { host: 'localhost' },
        { host: '127.0.0.1:1', 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' },
      ]) {
        const answer = await send(service, { method: 'GET', path, headers })
        assert.deepEqual([answer.status, answer.text], [200, text])
      }
    }
  })

  test('HEAD is as GET, and no other method is taken', async () => {
    for (const path of PATHS) {
      const head = await send(service, { method: 'HEAD', path })
      assert.deepEqual([head.status, head.text], [200, ''])
      for (const method of ['POST', 'PUT', 'DELETE']) {
        const answer = await send(service, { method, path, body: '{}' })
        assert.deepEqual([answer.status, answer.headers.allow], [405, 'GET, HEAD'], method)
      }
    }
  })

  test('nothing else is open: what they do not name exactly is refused or not there', async () => {
    for (const path of [
      `${ROOT}/`,
      `${ROOT}/mcp/`,
      `${ROOT}/v1`,
      `${ROOT}x`,
      '/.well-known/oauth-authorization-server',
    ])
      assert.equal((await send(service, { method: 'GET', path })).status, 404, path)
    for (const path of ['/v1/tools', '/openapi.json'])
      assert.equal((await send(service, { method: 'GET', path })).status, 401, path)
  })

  test('a 401 of MCP leads to the document that names the URL which was called', async () => {
    const refused = await call(service, 'legacy')
    const [, url = ''] = /resource_metadata="([^"]+)"/.exec(String(refused.headers['www-authenticate'])) ?? []
    assert.ok(url.startsWith(PUBLIC_URL))
    const { body } = await send(service, { method: 'GET', path: url.slice(PUBLIC_URL.length) })
    assert.equal(body['resource'], `${PUBLIC_URL}/mcp`)
  })
})

test('without an authorization server there is none, with and without other authenticators', async () => {
  const auth = authSection.parse({ apiKeys: {} })
  for (const config of [{}, { publicUrl: PUBLIC_URL }, { publicUrl: PUBLIC_URL, auth: auth as never }]) {
    const service = await startApp({ config })
    try {
      for (const path of PATHS) {
        const answer = await send(service, { method: 'GET', path, headers: { host: '127.0.0.1' } })
        assert.deepEqual([answer.status, answer.body['code']], [404, 'path_unknown'])
      }
    } finally {
      await service.close()
    }
  }
})
