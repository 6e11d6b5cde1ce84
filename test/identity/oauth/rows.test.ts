// Every row of the table, on a fresh authenticator and again from its memory; and what the accepted ones make of a principal.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isDenial, type Verified } from '../../../src/identity/authenticator.ts'
import { PROOF_REASONS, REASONS } from '../../../src/identity/oauth/reasons.ts'
import { paperFetch, presented, SECONDS, setup, token } from './lib/paper.ts'
import { DOCUMENTS, OPTIONS, PAPERS, ROWS, type Row } from './rows.ts'

const isProof = (expect: Row['expect']): expect is keyof typeof PROOF_REASONS =>
  Object.hasOwn(PROOF_REASONS, expect)

function verdict(verified: Verified): unknown {
  return isDenial(verified) ? verified : 'accepted'
}

function expected(expect: Row['expect']): unknown {
  if (expect === 'accepted') return expect
  return isProof(expect)
    ? { code: 'proof_invalid', detail: PROOF_REASONS[expect] }
    : { code: 'token_invalid', detail: REASONS[expect] }
}

describe('the table', () => {
  for (const row of ROWS) {
    test(`${row.expect}: ${row.name} (${row.cites})`, async () => {
      const { oauth } = setup(OPTIONS, { fetch: paperFetch(DOCUMENTS) })
      const request = presented(row.token, row.presented)
      assert.deepEqual(verdict(await oauth.authenticate(request)), expected(row.expect))
      assert.deepEqual(verdict(await oauth.authenticate(request)), expected(row.expect), 'the second time')
    })
  }

  test('has no two rows of one name, and one for every reason', () => {
    assert.equal(new Set(ROWS.map(({ name }) => name)).size, ROWS.length)
    const met = new Set<string>(ROWS.map(({ expect }) => expect))
    assert.deepEqual(
      [...Object.keys(REASONS), ...Object.keys(PROOF_REASONS)].filter((reason) => !met.has(reason)),
      [],
    )
  })
})

describe('the principal', () => {
  async function principalOf(text: string, changes = {}): Promise<Record<string, unknown>> {
    const { oauth } = setup(OPTIONS, { fetch: paperFetch(DOCUMENTS) })
    const verified = await oauth.authenticate(presented(text, changes))
    assert.ok(!isDenial(verified), JSON.stringify(verified))
    return { ...verified }
  }
  const { A, B, MAPPED, PLAIN, THUMBPRINT, mapped, actors } = PAPERS
  const empty = {
    method: 'oauth',
    keyId: undefined,
    owner: undefined,
    fingerprint: undefined,
    spiffeId: undefined,
    tools: undefined,
    rate: undefined,
    binding: 'none',
    actors: [],
    roles: [],
    tenant: undefined,
    tokenId: 'token-1',
    expiresAt: (SECONDS + 300) * 1000,
  }

  test('has the claims of RFC 9068', async () => {
    assert.deepEqual(await principalOf(token(A, { roles: ['a', 'b', 'a'], scope: ' ductape:read  x ' })), {
      ...empty,
      id: 'oauth:https://a.example|agent-7',
      subject: 'agent-7',
      issuer: A.url,
      client: 'planner',
      roles: ['a', 'b'],
      scopes: ['ductape:read', 'x'],
    })
  })

  test('has what the mapping makes of other claims, and nothing of a value without a row', async () => {
    assert.deepEqual(await principalOf(mapped()), {
      ...empty,
      id: 'oauth:https://mapped.example|o-1',
      subject: 'o-1',
      issuer: MAPPED.url,
      client: 'desk',
      tenant: 'acme',
      roles: ['operator', 'reader'],
      scopes: ['ductape:read'],
    })
  })

  test('takes the first claim that is there', async () => {
    const claims = { client_id: undefined, azp: 'desk', scope: undefined, scp: ['ductape:read'] }
    const made = await principalOf(token(PLAIN, claims, { typ: 'JWT' }))
    assert.deepEqual([made['client'], made['scopes']], ['desk', ['ductape:read']])
  })

  test('has the fixed tenant, whatever the token says', async () => {
    const { tenant } = await principalOf(token(B, { aud: 'urn:second', tenant: 'evil' }, { kid: undefined }))
    assert.equal(tenant, 'acme')
  })

  test('takes no tenant from a claim that nobody mapped', async () => {
    assert.equal((await principalOf(token(A, { tenant: 'evil', org: 'evil' })))['tenant'], undefined)
  })

  test('names the actors, the newest first', async () => {
    assert.deepEqual((await principalOf(token(A, { act: actors(3) })))['actors'], [
      'actor-3',
      'actor-2',
      'actor-1',
    ])
  })

  test('says how it is bound', async () => {
    const dpop = await principalOf(token(A, { cnf: { jkt: THUMBPRINT } }), { scheme: 'dpop' })
    assert.deepEqual([dpop['binding'], dpop['fingerprint']], ['dpop', undefined])
    const fingerprint = Buffer.from(THUMBPRINT, 'base64url').toString('hex')
    const mtls = await principalOf(token(A, { cnf: { 'x5t#S256': THUMBPRINT } }), {
      certificate: { thumbprint: THUMBPRINT },
    })
    assert.deepEqual([mtls['binding'], mtls['fingerprint']], ['mtls', fingerprint])
  })

  test('cannot be changed, and is the same object for every call of one token', async () => {
    const { oauth } = setup(OPTIONS, { fetch: paperFetch(DOCUMENTS) })
    const text = token(A, { roles: ['a'], act: actors(1) })
    const first = await oauth.authenticate(presented(text))
    assert.ok(!isDenial(first))
    assert.ok([first, first.roles, first.scopes, first.actors].every(Object.isFrozen))
    assert.equal(oauth.authenticate(presented(text)), first)
  })
})
