// What a refused certificate or token means where auth.require names something: the refusal that is told, and what does not matter.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Call, openCall } from '../../src/core/call.ts'
import { type Denial, deny } from '../../src/core/denials.ts'
import { ANONYMOUS, makePrincipal } from '../../src/core/principal.ts'
import type { ClientCertificate, Verified } from '../../src/identity/authenticator.ts'
import { type Proof, prepareIdentity } from '../../src/identity/stage.ts'
import { RUNTIME } from '../lib/runtime.ts'

const ALICE = makePrincipal({ method: 'oauth', id: 'alice', subject: 'alice', tenant: 'acme' })
const PEER = makePrincipal({ method: 'mtls', id: 'peer', subject: 'peer', tenant: 'acme' })
const CERTIFICATE = { thumbprint: 't' } as ClientCertificate
const BAD_CERTIFICATE = deny('certificate_refused', 'it has expired')

const callOf = (method: string, path: string, headers: Record<string, string>): Call =>
  openCall({
    ...{ id: 'x', startedAt: 0, startedTick: 0, channel: 'http', peer: 'p' },
    principal: ANONYMOUS,
    runtime: RUNTIME,
    request: {
      ...{ method, path, query: '', raw: [], headers },
      read: () => assert.fail('the body is not for this stage'),
    },
  })

/** The code of the refusal, or who calls. */
async function outcome(
  require: readonly Proof[],
  token: Verified,
  certificate: ClientCertificate | Denial,
): Promise<string> {
  const stage = prepareIdentity({
    tokens: [{ isResponsible: () => true, authenticate: () => token }],
    certificates: { read: () => certificate, principal: () => PEER },
    require,
    local: undefined,
    isOpen: () => false,
    challenge: (denial) => denial,
    now: () => 0,
  })
  const call = callOf('POST', '/mcp', { authorization: 'Bearer a', 'x-client-cert': 'c' })
  return (await stage(call))?.code ?? call.principal.id
}

const BAD_TOKEN = deny('token_invalid')

test('a bad token is told as one, whatever else is demanded', async () => {
  assert.equal(await outcome(['mtls', 'oauth'], BAD_TOKEN, CERTIFICATE), 'token_invalid')
  assert.equal(await outcome(['oauth', 'mtls'], BAD_TOKEN, CERTIFICATE), 'token_invalid')
  assert.equal(await outcome(['mtls', 'oauth'], BAD_TOKEN, BAD_CERTIFICATE), 'token_invalid')
})

test('a bad certificate is told as one where it is demanded, and does not matter elsewhere', async () => {
  assert.equal(await outcome(['mtls', 'oauth'], ALICE, BAD_CERTIFICATE), 'certificate_refused')
  assert.equal(await outcome(['oauth'], ALICE, BAD_CERTIFICATE), 'alice')
  assert.equal(await outcome([], ALICE, BAD_CERTIFICATE), 'alice')
})

test('both are taken together', async () =>
  assert.equal(await outcome(['mtls', 'oauth'], ALICE, CERTIFICATE), 'alice'))

test('people: only a token that is theirs, sent as one; every refusal is their challenge', async () => {
  const authorizations: [string, string | undefined, string | undefined][] = [
    ['nothing', undefined, 'token_missing'],
    ['another scheme', 'Basic YTpi', 'token_missing'],
    ['no token', 'Bearer', 'authorization_malformed'],
    ['a token of another form', 'Bearer other', 'token_invalid'],
    ['a bad token', 'Bearer bad', 'token_invalid'],
    ['a good token', 'Bearer theirs', undefined],
  ]
  for (const settle of [(one: Verified) => one, async (one: Verified) => one])
    for (const [what, authorization, code] of authorizations) {
      const stage = prepareIdentity({
        tokens: [{ isResponsible: () => true, authenticate: () => assert.fail('agents') }],
        certificates: { read: () => assert.fail('certificates'), principal: () => PEER },
        require: [],
        local: PEER,
        isOpen: () => false,
        challenge: () => assert.fail('agents'),
        people: {
          isTheirs: (path) => path === '/v1/approvals',
          authenticator: {
            isResponsible: (token) => token !== 'other',
            authenticate: ({ token }) => settle(token === 'bad' ? BAD_TOKEN : ALICE),
          },
          challenge: (denial) => ({ ...denial, headers: { 'www-authenticate': 'theirs' } }),
        },
        now: () => 0,
      })
      const call = callOf('GET', '/v1/approvals', authorization === undefined ? {} : { authorization })
      const denial = await stage(call)
      assert.equal(denial?.code, code, what)
      if (code === undefined) assert.equal(call.principal, ALICE)
      else assert.equal(denial?.headers?.['www-authenticate'], 'theirs', what)
    }
})
