// The section `credentials`: its defaults, and every contradiction a problem at its own place with what to do.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { credentialsSection } from '../../src/credentials/config.ts'

const FILE = { file: '/keys/a' }
const ID = `k1.${'A'.repeat(43)}`
const PUBLIC = { publicKey: FILE, workspaceId: 'ws_1', userId: 'usr_1' }

function problems(value: unknown): string[] {
  const parsed = credentialsSection.safeParse(value)
  return parsed.success ? [] : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
}

describe('what is accepted', () => {
  test('nothing: passthrough without tenants', () => {
    assert.deepEqual(credentialsSection.parse({}), { mode: 'passthrough', tenants: {} })
  })

  for (const [what, value] of [
    ['injected, one key', { mode: 'injected', tenants: { acme: { publishableKey: FILE } } }],
    ['injected, the other key with its ids', { mode: 'injected', tenants: { acme: PUBLIC } }],
    ['injected, both', { mode: 'injected', tenants: { acme: { publishableKey: FILE, ...PUBLIC } } }],
    ['injected for one tenant', { tenants: { acme: { mode: 'injected', publishableKey: FILE }, beta: {} } }],
    ['passthrough for one tenant', { mode: 'injected', tenants: { acme: { mode: 'passthrough' } } }],
    ['bound key ids', { tenants: { acme: { credentialIds: [ID] } } }],
    ['no id at all may be presented', { tenants: { acme: { credentialIds: [] } } }],
    [
      'names as tokens have them',
      { tenants: { 'https://id/a b': {}, constructor: {}, ACME: {}, acme: {}, ü: {} } },
    ],
  ] as const) {
    test(what, () => assert.deepEqual(problems(value), []))
  }
})

describe('what is refused', () => {
  for (const [what, value, expected] of [
    [
      'a tenant without a key',
      { mode: 'injected', tenants: { acme: {} } },
      ['tenants.acme: has no key, so every call of this tenant would be refused'],
    ],
    [
      'a file in passthrough',
      { tenants: { acme: { publishableKey: FILE } } },
      ['tenants.acme.publishableKey: has no effect in mode passthrough, where the caller brings the key'],
    ],
    [
      'ids in passthrough',
      { mode: 'injected', tenants: { acme: { mode: 'passthrough', workspaceId: 'ws', userId: 'u' } } },
      [
        'tenants.acme.workspaceId: has no effect in mode passthrough, where the caller brings the key',
        'tenants.acme.userId: has no effect in mode passthrough, where the caller brings the key',
      ],
    ],
    [
      'bound ids in injected',
      { mode: 'injected', tenants: { acme: { publishableKey: FILE, credentialIds: [ID] } } },
      ['tenants.acme.credentialIds: has no effect in mode injected, where the caller cannot present a key'],
    ],
    [
      'a public key without its ids',
      { mode: 'injected', tenants: { acme: { publicKey: FILE } } },
      [
        'tenants.acme.publicKey: needs workspaceId beside it',
        'tenants.acme.publicKey: needs userId beside it',
      ],
    ],
    [
      'an id without the public key',
      { mode: 'injected', tenants: { acme: { publishableKey: FILE, userId: 'u' } } },
      ['tenants.acme.userId: has no effect without publicKey'],
    ],
    [
      'a name with a space at its end',
      { tenants: { 'acme ': {} } },
      ['tenants.acme : is not the name of a tenant'],
    ],
    ['an empty name', { tenants: { '': {} } }, ['tenants.: is not the name of a tenant']],
    [
      'an invisible name',
      { tenants: { 'ac\u200bme': {} } },
      ['tenants.ac\u200bme: is not the name of a tenant'],
    ],
    [
      'a long name',
      { tenants: { ['a'.repeat(129)]: {} } },
      [`tenants.${'a'.repeat(129)}: is not the name of a tenant`],
    ],
    [
      'too many tenants',
      { tenants: Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`t${i}`, {}])) },
      ['tenants: has more than 1000 tenants'],
    ],
  ] as const) {
    test(what, () => assert.deepEqual(problems(value), expected))
  }

  for (const [what, value, path] of [
    [
      'a key in the place of its file',
      { mode: 'injected', tenants: { a: { publishableKey: 'pk_live_0123456789' } } },
      'tenants.a.publishableKey',
    ],
    ['an unknown mode', { mode: 'inject' }, 'mode'],
    ['an unknown key', { tenants: { a: { key: FILE } } }, 'tenants.a'],
    ['a default tenant by list', { tenants: [] }, 'tenants'],
    [
      'an id of another form',
      { tenants: { a: { credentialIds: ['pk_live_0123456789'] } } },
      'tenants.a.credentialIds.0',
    ],
    [
      'a workspace id with a space',
      { mode: 'injected', tenants: { a: { ...PUBLIC, workspaceId: 'a b' } } },
      'tenants.a.workspaceId',
    ],
  ] as const) {
    test(what, () => {
      const found = problems(value)
      assert.equal(found.length, 1, found.join('\n'))
      assert.ok(found[0]?.startsWith(`${path}: `), found.join())
    })
  }

  test('each contradiction says what to do', () => {
    const parsed = credentialsSection.safeParse({
      mode: 'injected',
      tenants: { a: {}, b: { credentialIds: [] } },
    })
    assert.ok(!parsed.success)
    for (const issue of parsed.error.issues) {
      assert.equal(issue.code, 'custom')
      assert.match(String(issue.params?.['fix']), /^[A-Z].*\.$/)
    }
  })
})
