// The section auth.oauth: its defaults, what it refuses, and how a claim path is read.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { oauthSection } from '../../../src/identity/oauth/config.ts'
import type { IssuerOptions, OauthOptions } from '../../../src/identity/oauth/index.ts'
import { claimAt, compilePath } from '../../../src/identity/oauth/path.ts'
import { ALGORITHMS } from '../../../src/identity/oauth/signature.ts'

const ISSUER = 'https://login.example.com/realms/main'
const parse = (issuer: Record<string, unknown>, section: Record<string, unknown> = {}) =>
  oauthSection.safeParse({ issuers: [{ issuer: ISSUER, ...issuer }], ...section })
const problems = (issuer: Record<string, unknown>, section?: Record<string, unknown>): string[] =>
  (parse(issuer, section).error?.issues ?? []).map(({ path, message }) => `${path.join('.')} ${message}`)

describe('the section', () => {
  test('needs an issuer and nothing else', () => {
    const section = oauthSection.parse({ issuers: [{ issuer: ISSUER }] })
    const options: OauthOptions = { ...section, publicUrl: 'https://mcp.example.com' }
    assert.deepEqual(options, {
      publicUrl: 'https://mcp.example.com',
      issuers: [
        {
          issuer: ISSUER,
          tokenType: 'at+jwt',
          algorithms: Object.keys(ALGORITHMS),
          privateNetwork: false,
          claims: { subject: 'sub', client: ['client_id', 'azp'], roles: 'roles', scopes: ['scope', 'scp'] },
          requireBinding: 'none',
        } as IssuerOptions,
      ],
      skew: 30_000,
      maxLifetime: 86_400_000,
      maxTokenBytes: 8192,
    })
  })

  test('comes back as it was written', () => {
    const input = {
      issuers: [
        {
          issuer: ISSUER,
          audience: ['api://ductape'],
          tokenType: 'jwt',
          jwksUri: 'https://login.example.com/keys?v=2',
          algorithms: ['RS256'],
          privateNetwork: true,
          ca: { file: '/etc/ca.pem' },
          claims: {
            subject: 'oid',
            client: ['azp'],
            tenant: 'tid',
            roles: 'realm_access.roles',
            scopes: ['scp'],
          },
          roles: { 'platform team': ['operator'] },
          scopes: { 'Tools.Read': ['ductape:read'] },
          requireBinding: 'dpop',
        },
      ],
      skew: '10s',
      maxLifetime: '1h',
      maxTokenBytes: '4KiB',
    }
    assert.deepEqual(z.encode(oauthSection, oauthSection.parse(input)), input)
  })

  for (const [name, value] of [
    ['plain http', 'http://login.example.com'],
    ['a query', 'https://login.example.com?tenant=1'],
    ['a fragment', 'https://login.example.com#x'],
    ['an empty fragment', 'https://login.example.com#'],
    ['a password', 'https://a:b@login.example.com'],
    ['a user name', 'https://a@login.example.com'],
    ['a password alone', 'https://:b@login.example.com'],
    ['a host that is none', 'https://[login'],
    ['another scheme', 'file:///etc/issuer'],
    ['a space', 'https://login.example.com/a b'],
    ['no URL', 'login.example.com'],
    ['a host that only looks like loopback', 'http://127.0.0.1.example.com'],
    ['too much', `https://login.example.com/${'x'.repeat(2048)}`],
  ] as const) {
    test(`an issuer with ${name} is refused`, () => {
      assert.equal(problems({ issuer: value }).length, 1)
    })
  }

  test('an issuer on loopback may be plain http; every spelling stays as it is', () => {
    for (const issuer of ['http://127.0.0.1:8080', 'http://localhost:1/x', 'http://[::1]:80', `${ISSUER}/`])
      assert.equal(parse({ issuer }).data?.issuers[0]?.issuer, issuer)
  })

  for (const [name, issuer, section] of [
    ['a symmetric algorithm', { algorithms: ['HS256'] }, {}],
    ['none', { algorithms: ['none'] }, {}],
    ['a key set over plain http', { jwksUri: 'http://keys.example.com' }, {}],
    ['an empty claim path', { claims: { roles: '' } }, {}],
    ['a claim path with an empty name', { claims: { roles: 'a..b' } }, {}],
    ['a pointer with a stray "~"', { claims: { roles: '/a~2b' } }, {}],
    ['a path without end', { claims: { roles: `${'a.'.repeat(8)}a` } }, {}],
    ['an empty role', { roles: { x: [''] } }, {}],
    ['a role with a line feed', { roles: { x: ['a\nb'] } }, {}],
    ['an audience with a space', { audience: ['a b'] }, {}],
    ['an unknown key', { secret: 'x' }, {}],
    ['a skew of more than two minutes', {}, { skew: '121s' }],
    ['a token larger than the headers', {}, { maxTokenBytes: '16KiB' }],
    ['no issuer', {}, { issuers: [] }],
  ] as const) {
    test(`${name} is refused`, () => {
      assert.equal(problems(issuer, section).length, 1)
    })
  }

  for (const path of ['roles', 'a~b.c', '/https:~1~1example.com~1roles', '/a~0b', 'a.b.c.d.e.f.g.h']) {
    test(`the claim path ${path} is taken`, () => {
      assert.deepEqual(problems({ claims: { roles: path } }), [])
    })
  }

  test('one tenant, from one place', () => {
    assert.deepEqual(problems({ tenant: 'acme', claims: { tenant: 'tid' } }), [
      'issuers.0.tenant names a tenant, and claims.tenant says where to read one',
    ])
  })

  test('an issuer once', () => {
    assert.deepEqual(problems({}, { issuers: [{ issuer: ISSUER }, { issuer: ISSUER }] }), [
      'issuers.1.issuer is named twice',
    ])
  })
})

describe('a claim path', () => {
  const claims = {
    roles: ['a'],
    realm_access: { roles: ['b'] },
    text: 'abc',
    nothing: null,
    'a.b': 1,
    'https://x/y': { '~': 2 },
  }
  for (const [path, value] of [
    ['roles', ['a']],
    ['realm_access.roles', ['b']],
    ['/realm_access/roles', ['b']],
    ['/a.b', 1],
    ['a.b', undefined],
    ['/https:~1~1x~1y/~0', 2],
    ['roles.0', undefined],
    ['realm_access.roles.length', undefined],
    ['missing.roles', undefined],
    ['text.length', undefined],
    ['nothing.at.all', undefined],
    ['constructor', undefined],
    ['toString.name', undefined],
  ] as const) {
    test(`${path} is ${JSON.stringify(value)}`, () => {
      assert.deepEqual(claimAt(claims, compilePath(path)), value)
    })
  }
})
