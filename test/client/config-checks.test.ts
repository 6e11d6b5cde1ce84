// What `doctor` finds in what a configuration leans on: files of live/, the store, issuers of tokens, authorities of client certificates.
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import type { Check } from '../../src/client/checks.ts'
import { checkConfigured } from '../../src/client/config-checks.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { startIssuer } from '../identity/lib/issuer.ts'
import { createAuthority } from '../lib/certificate.ts'
import { freePort } from '../lib/ports.ts'

const NOW = Date.parse('2026-12-01T12:00:00Z')
const TIMEOUT = 3000

async function checks(config: object, files: Record<string, string | { code: string }> = {}) {
  const parsed = parseConfig(JSON.stringify(config), 'config.yaml')
  assert.ok(parsed.ok, parsed.ok ? '' : JSON.stringify(parsed.problems))
  const found = await checkConfigured(parsed.config, {
    io: {
      readFile(path) {
        const text = files[path] ?? { code: 'ENOENT' }
        if (typeof text === 'string') return text
        throw Object.assign(new Error('no'), text)
      },
    },
    now: () => NOW,
    timeout: TIMEOUT,
  })
  const one = (name: string): Check => {
    const check = found.find((item) => item.name === name)
    assert.ok(check)
    assert.equal(check.remedy !== undefined, check.status === 'finding', 'a finding says what to do')
    return check
  }
  return { live: one('live'), store: one('store'), issuers: one('issuers'), mtls: one('mtls') }
}

const AUTH = { publicUrl: 'https://mcp.example.com', auth: { apiKeys: {} } }

describe('live', () => {
  const LIVE = { ...AUTH, live: 'live' }
  const GOOD = '{"roles":{"reader":{"allow":[{"effect":"read"}]}}}'
  const ROWS: [
    name: string,
    config: object,
    files: Record<string, string | { code: string }>,
    status: Check['status'],
    words: RegExp,
  ][] = [
    ['no folder', AUTH, {}, 'skipped', /the defaults hold/],
    [
      'good files',
      LIVE,
      { 'live/policy.yaml': GOOD, 'live/limits.yaml': '{}' },
      'ok',
      /^good: policy\.yaml, limits\.yaml$/,
    ],
    [
      'no policy where callers are known',
      LIVE,
      {},
      'finding',
      /no live\/policy\.yaml, so every call is refused/,
    ],
    ['no files on loopback', { live: 'live' }, {}, 'ok', /none of the files: the defaults hold/],
    [
      'every fault of every file',
      LIVE,
      {
        'live/policy.yaml': 'rolls: {}\n',
        'live/limits.yaml': 'principal: 3\n',
        'live/keys.yaml': 'keys: []\n',
      },
      'finding',
      /^live\/policy\.yaml:1:1: rolls is not a known key[\s\S]*live\/limits\.yaml:1:12: principal must be a map/,
    ],
    [
      'a policy that holds and does not compile',
      LIVE,
      { 'live/policy.yaml': 'mode: observe\nuntil: 2027-12-01\n' },
      'finding',
      /live\/policy\.yaml: until .*30 days/,
    ],
    [
      'a credential id without a fleet key',
      LIVE,
      { 'live/policy.yaml': `{"roles":{"a":{"allow":[{"credentialId":"k1.${'a'.repeat(43)}"}]}}}` },
      'finding',
      /another meaning after each start/,
    ],
    [
      'a file that may not be read',
      LIVE,
      { 'live/policy.yaml': { code: 'EACCES' } },
      'finding',
      /cannot be read \(EACCES\)/,
    ],
  ]
  for (const [name, config, files, status, words] of ROWS) {
    test(name, async () => {
      const { live } = await checks(config, files)
      assert.equal(live.status, status, live.found)
      assert.match(live.found, words)
    })
  }
})

describe('store', () => {
  test('memory is not looked at', async () => {
    assert.equal((await checks({})).store.status, 'skipped')
  })

  test('a server that cannot be reached, and a password that cannot be read', async () => {
    const url = `redis://127.0.0.1:${await freePort()}`
    const keys = { fleet: { file: 'fleet' } }
    const { store } = await checks({ keys, store: { redis: { url } } })
    assert.equal(store.status, 'finding')
    assert.match(store.found, /the store cannot be reached/)
    const secret = await checks({ keys, store: { redis: { url, password: { file: 'password' } } } })
    assert.equal(secret.store.status, 'finding')
    assert.match(secret.store.found, /cannot be reached: file$/)
  })
})

describe('issuers', () => {
  const trusting = (...issuers: string[]) => ({
    ...AUTH,
    auth: { oauth: { issuers: issuers.map((issuer) => ({ issuer })) } },
  })

  test('none configured', async () => {
    assert.equal((await checks(AUTH)).issuers.status, 'skipped')
  })

  test('a real one, one that is gone, and one whose authorities cannot be read', async () => {
    const issuer = await startIssuer({ resources: ['https://mcp.example.com'] })
    const gone = `http://127.0.0.1:${await freePort()}`
    try {
      const good = await checks(trusting(issuer.url))
      assert.deepEqual(good.issuers, { name: 'issuers', status: 'ok', found: `${issuer.url}: 1 key` })
      assert.ok(issuer.requests.length > 0)
      const bad = await checks(trusting(issuer.url, gone))
      assert.equal(bad.issuers.status, 'finding')
      assert.equal(
        bad.issuers.found,
        `${issuer.url}: 1 key\n${gone} cannot be reached, or its certificate is not trusted`,
      )
      const config = { ...AUTH, auth: { oauth: { issuers: [{ issuer: issuer.url, ca: { file: 'none' } }] } } }
      assert.match((await checks(config)).issuers.found, /cannot be reached/)
    } finally {
      await issuer.close()
    }
  })

  test('one that answers with something else', async () => {
    const issuer = await startIssuer({ resources: ['https://mcp.example.com'] })
    issuer.intercept = (_request, response) => {
      response.end('<html>')
      return true
    }
    try {
      assert.match((await checks(trusting(issuer.url))).issuers.found, /does not answer with a JSON object/)
    } finally {
      await issuer.close()
    }
  })
})

describe('mtls', () => {
  const MTLS = {
    publicUrl: 'https://mcp.example.com',
    listen: 'unix:/run/mcp.sock',
    auth: { mtls: { ca: { file: 'ca.crt' }, map: [{ dns: 'agent.example.com' }] } },
  }
  const { publicKey } = generateKeyPairSync('ed25519')
  for (const [name, files, status, words] of [
    ['authorities', { 'ca.crt': createAuthority().certificate }, 'ok', /holds the authorities/],
    ['no file', {}, 'finding', /ca\.crt cannot be read \(ENOENT\)/],
    ['an empty file', { 'ca.crt': '' }, 'finding', /ca\.crt: \S/],
    [
      'no certificate',
      { 'ca.crt': publicKey.export({ type: 'spki', format: 'pem' }) as string },
      'finding',
      /ca\.crt: \S/,
    ],
    [
      'a server certificate',
      { 'ca.crt': createAuthority().issue(['x.example']).certificate },
      'finding',
      /ca\.crt: \S/,
    ],
  ] as const) {
    test(name, async () => {
      const { mtls } = await checks(MTLS, files)
      assert.equal(mtls.status, status, mtls.found)
      assert.match(mtls.found, words)
    })
  }
})
