// What WWW-Authenticate says to a refused caller: its grammar, which error belongs to which refusal, and what is only said where tokens are accepted.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { DENIALS, type DenialCode, deny } from '../../src/core/denials.ts'
import { prepareChallenges } from '../../src/identity/challenge.ts'
import { PROOF_REASONS } from '../../src/identity/oauth/reasons.ts'

const OPTIONS = {
  publicUrl: 'https://mcp.example.com',
  issuers: ['https://login.example.com'],
  baseline: ['ductape:read'],
  dpopAlgorithms: ['ES256', 'EdDSA'],
}
const METADATA = 'https://mcp.example.com/.well-known/oauth-protected-resource/mcp'
const withTokens = prepareChallenges(OPTIONS)
const withKeysAlone = prepareChallenges({ ...OPTIONS, issuers: [] })

type Challenge = Record<string, string>

/** The challenges of a header, by the grammar alone (RFC 9110 11.2, 11.6.1); every value is a quoted-string. */
function parse(text: string): Challenge[] {
  const challenges: Challenge[] = []
  let rest = text
  while (rest !== '') {
    const scheme = /^([A-Za-z]+) (?=[a-z_]+=)/.exec(rest)
    if (scheme !== null) {
      challenges.push({ scheme: scheme[1] as string })
      rest = rest.slice(scheme[0].length)
    }
    const param = /^([a-z_]+)="([\x20\x21\x23-\x5b\x5d-\x7e]*)"(?:, (?=[A-Za-z])|$)/.exec(rest)
    const current = challenges.at(-1)
    assert.ok(param !== null && current !== undefined, `not a challenge at: ${rest}`)
    const [whole, name = '', value = ''] = param
    assert.ok(!Object.hasOwn(current, name), `${name} twice`)
    current[name] = value
    rest = rest.slice(whole.length)
  }
  return challenges
}

const headerOf = (code: DenialCode, detail?: string, from = withTokens, scopes?: string[]) =>
  from.answer(deny(code, detail), scopes).headers?.['www-authenticate']
const shown = (...given: Parameters<typeof headerOf>): Challenge[] => parse(headerOf(...given) ?? '')

/** A challenge without its sentence, which has to be there. */
function withoutSentence({ error_description: sentence, ...rest }: Challenge = {}): Challenge {
  assert.ok(sentence !== undefined && sentence !== '')
  return rest
}

describe('a challenge', () => {
  const bearer = {
    scheme: 'Bearer',
    realm: 'ductape-mcp',
    scope: 'ductape:read',
    resource_metadata: METADATA,
  }
  const dpop = { scheme: 'DPoP', realm: 'ductape-mcp', algs: 'ES256 EdDSA' }

  // "If the request lacks any authentication information ... SHOULD NOT include an error code" (RFC 6750 3.1).
  test('holds no error where no token was presented or none was at fault', () => {
    for (const code of ['token_missing', 'certificate_refused', 'credential_missing'] as const)
      assert.deepEqual(shown(code, 'x'), [bearer, dpop], code)
  })

  const ERRORS: readonly [code: DenialCode, error: string, detail?: string][] = [
    // "invalid_request ... SHOULD respond with the HTTP 400" (RFC 6750 3.1).
    ['authorization_malformed', 'invalid_request'],
    ['token_in_query', 'invalid_request'],
    // "expired, revoked, malformed, or invalid for other reasons" (RFC 6750 3.1).
    ['token_invalid', 'invalid_token'],
    ['token_revoked', 'invalid_token'],
    ['key_invalid', 'invalid_token'],
    ['identity_conflict', 'invalid_token'],
    // "MUST reject the resource access request with an HTTP 401 status code and the invalid_token error code" (RFC 8705 3).
    ['proof_invalid', 'invalid_token', PROOF_REASONS.certificate],
  ]
  for (const [code, error, detail = 'x'] of ERRORS) {
    test(`of ${code} names ${error} and says why, under status ${DENIALS[code].status}`, () => {
      const [challenge, ...others] = shown(code, detail)
      assert.deepEqual(withoutSentence(challenge), { ...bearer, error })
      assert.deepEqual(others, [])
      assert.equal(DENIALS[code].status, error === 'invalid_request' ? 400 : 401)
    })
  }

  test('to a bound token that came without its proof refuses the token and asks for the other scheme (RFC 9449 7.2)', () => {
    const [first, second] = shown('proof_invalid', PROOF_REASONS.bearer)
    assert.deepEqual([first?.scheme, first?.['error']], ['Bearer', 'invalid_token'])
    assert.deepEqual(second, dpop)
  })

  test('to a proof that does not hold is of DPoP, with the algorithms that would (RFC 9449 7.1)', () => {
    const [challenge, ...others] = shown('proof_invalid', 'its iat is old')
    assert.deepEqual(withoutSentence(challenge), {
      ...dpop,
      error: 'invalid_dpop_proof',
      resource_metadata: METADATA,
    })
    assert.match(challenge?.['error_description'] ?? '', /its iat is old/)
    assert.deepEqual(others, [])
  })

  // "the scope attribute ... all scopes needed for this operation", and where to get them (mcp.md 4, SHOULD 10).
  test('for more scope names those of this operation and the metadata', () => {
    const headers = withTokens.forScopes(undefined, ['ductape:write'])
    const [challenge] = parse(headers['www-authenticate'] ?? '')
    assert.deepEqual(withoutSentence(challenge), {
      ...bearer,
      scope: 'ductape:write',
      error: 'insufficient_scope',
    })
    assert.match(challenge?.['error_description'] ?? '', /ductape:write/)
    assert.equal(DENIALS.scope_insufficient.status, 403)
  })

  test('stands on every 401, on every 400 of the stage, and on nothing that a new token would not mend', () => {
    for (const [code, { status, stage }] of Object.entries(DENIALS)) {
      // The nonce is asked for by the check of proofs itself.
      if (code === 'proof_nonce') continue
      const wanted =
        status === 401 || (stage === 'identity' && status === 400) || code === 'scope_insufficient'
      assert.equal(headerOf(code as DenialCode, 'x') !== undefined, wanted, code)
    }
  })

  test('keeps the other headers of the denial', () => {
    const { headers } = withTokens.answer({ ...deny('token_invalid', 'x'), headers: { 'retry-after': '1' } })
    assert.equal(headers?.['retry-after'], '1')
  })

  test('names no scope, metadata or other scheme where no authorization server is known', () => {
    assert.deepEqual(shown('token_missing', undefined, withKeysAlone), [
      { scheme: 'Bearer', realm: 'ductape-mcp' },
    ])
    const [challenge] = shown('key_invalid', undefined, withKeysAlone)
    assert.deepEqual(withoutSentence(challenge), {
      scheme: 'Bearer',
      realm: 'ductape-mcp',
      error: 'invalid_token',
    })
    assert.equal(withKeysAlone.metadata(''), undefined)
    assert.equal(withKeysAlone.metadata('/mcp'), undefined)
  })

  test('keeps its grammar whatever the detail is (seed 7)', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 0x2ff }), { maxLength: 60 }), (units) => {
        const detail = String.fromCharCode(...units)
        for (const code of ['token_invalid', 'authorization_malformed', 'proof_invalid'] as const) {
          const header = headerOf(code, `${detail}", error="none"\\`) ?? ''
          assert.match(header, /^[\x20-\x7e]+$/)
          assert.equal(parse(header).length, 1)
        }
      }),
      { seed: 7, numRuns: 500 },
    )
  })
})

test('an operation without a scope asks for none', () => {
  const { headers } = withTokens.answer(deny('token_missing'), [])
  assert.doesNotMatch(String(headers?.['www-authenticate']), /scope=/)
})
