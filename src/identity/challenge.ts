// What a refused caller is told about getting in: WWW-Authenticate (RFC 6750 3, RFC 9449 7.1) and the protected resource metadata (RFC 9728).
import { type Denial, type DenialCode, denialSentence, deny } from '../core/denials.ts'
import { PROOF_REASONS } from './oauth/reasons.ts'

export interface ChallengeOptions {
  publicUrl: string | undefined
  /** Issuers of accepted tokens; empty where no token is. */
  issuers: readonly string[]
  /** The least scopes that a client should ask for (mcp.md 4, SHOULD 10 and 11). */
  baseline: readonly string[]
  /** Algorithms of DPoP proofs. */
  dpopAlgorithms: readonly string[]
  /** Path of the resource whose metadata a refused caller is sent to; /mcp unless given. */
  resource?: '' | '/mcp'
}

export interface Challenges {
  /** The same denial with the header that its status demands; scopes where the operation needs some. */
  answer(denial: Denial, scopes?: readonly string[]): Denial
  /** Headers that ask for these scopes. */
  forScopes(call: unknown, scopes: readonly string[]): Record<string, string>
  /** JSON of the metadata for the resource at this path of publicUrl, or undefined where there is none to publish. */
  metadata(path: '' | '/mcp'): string | undefined
}

export const METADATA_PATH = '/.well-known/oauth-protected-resource'

// RFC 6750 3.1, RFC 9449 7.1. Undefined: no token was presented, or none was at fault, and a client must not throw a good one away.
const ERRORS: Partial<Record<DenialCode, string | undefined>> = {
  token_missing: undefined,
  certificate_refused: undefined,
  credential_missing: undefined,
  authorization_malformed: 'invalid_request',
  token_in_query: 'invalid_request',
  token_invalid: 'invalid_token',
  token_revoked: 'invalid_token',
  key_invalid: 'invalid_token',
  identity_conflict: 'invalid_token',
  proof_invalid: 'invalid_token',
  scope_insufficient: 'insufficient_scope',
}

// Without a proof it is the token that is refused (RFC 8705 3, RFC 9449 7.2).
const UNPROVEN: readonly string[] = Object.values(PROOF_REASONS)

/** A quoted-string holds no quote, backslash or control character here (RFC 6750 3). */
const quoted = (text: string): string => `"${text.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, ' ')}"`

export function prepareChallenges(options: ChallengeOptions): Challenges {
  const { publicUrl, issuers, baseline, dpopAlgorithms, resource = '/mcp' } = options
  const withTokens = issuers.length > 0 && publicUrl !== undefined
  const realm = 'realm="ductape-mcp"'
  const where = withTokens ? `, resource_metadata="${publicUrl}${METADATA_PATH}${resource}"` : ''
  const algorithms = `, algs="${dpopAlgorithms.join(' ')}"`

  const challenges: Challenges = {
    answer(denial, scopes = baseline) {
      if (!Object.hasOwn(ERRORS, denial.code)) return denial
      const ofProof = denial.code === 'proof_invalid' && !UNPROVEN.includes(denial.detail ?? '')
      const error = ofProof ? 'invalid_dpop_proof' : ERRORS[denial.code]
      const why =
        error === undefined ? '' : `, error="${error}", error_description=${quoted(denialSentence(denial))}`
      // Without an authorization server there are no scopes to ask for.
      const scope = withTokens && scopes.length > 0 ? `, scope="${scopes.join(' ')}"` : ''
      const both = error === undefined || denial.detail === PROOF_REASONS.bearer
      const challenge = ofProof
        ? `DPoP ${realm}${why}${algorithms}${where}`
        : `Bearer ${realm}${why}${scope}${where}${both && withTokens ? `, DPoP ${realm}${algorithms}` : ''}`
      return { ...denial, headers: { ...denial.headers, 'www-authenticate': challenge } }
    },
    forScopes: (_, scopes) =>
      challenges.answer(deny('scope_insufficient', scopes.join(' ')), scopes).headers ?? {},
    metadata: (path) =>
      withTokens
        ? JSON.stringify({
            resource: `${publicUrl}${path}`,
            authorization_servers: issuers,
            bearer_methods_supported: ['header'],
            scopes_supported: baseline,
            resource_name: 'ductape-mcp',
            dpop_signing_alg_values_supported: dpopAlgorithms,
          })
        : undefined,
  }
  return challenges
}
