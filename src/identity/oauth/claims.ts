// Whether the claims of a token make it an access token for this service, now (RFC 9068 2.2 and 4, RFC 7519 4.1, RFC 8725 3.8 to 3.12).
import type { Json, JsonObject } from '../../core/json.ts'
import { visibleText } from '../../core/text.ts'
import type { Reason } from './reasons.ts'

export interface ClaimRules {
  /** `at+jwt` is RFC 9068; `jwt` is for issuers that give access tokens no type of their own. */
  readonly tokenType: 'at+jwt' | 'jwt'
  /** Exact strings (RFC 8707). */
  readonly audience: readonly string[]
  /** Audiences of another kind of caller: a token that names one of them as well is refused. */
  readonly foreign: readonly string[]
  /** Seconds. */
  readonly skew: number
  readonly maxLifetime: number
}

const MAX_NAME = 255

/** One line of 1 to `max` visible characters: names stand in records and keys of maps. */
export const isName = (value: Json | undefined, max = MAX_NAME): value is string =>
  typeof value === 'string' && value !== '' && !value.includes('\n') && visibleText(value, max) === value

/** Undefined where the token is good; `now` in seconds since the epoch. The issuer has been chosen by `iss` and the signature is another matter. */
export function checkClaims(
  claims: JsonObject,
  typ: string | undefined,
  rules: ClaimRules,
  now: number,
): Reason | undefined {
  return checkType(claims, typ, rules) ?? checkTimes(claims, rules, now) ?? checkNames(claims, rules)
}

function checkType(claims: JsonObject, typ: string | undefined, rules: ClaimRules): Reason | undefined {
  // ID tokens, ID-JAG assertions, DPoP proofs and logout tokens are all JWTs of the same issuer (RFC 8725 3.11, 3.12).
  if (rules.tokenType === 'at+jwt') return typ === 'at+jwt' ? undefined : 'type'
  if (typ !== undefined && typ !== 'jwt') return 'type'
  if (claims['nonce'] !== undefined || claims['at_hash'] !== undefined || claims['c_hash'] !== undefined)
    return 'idToken'
  if (claims['scope'] === undefined && claims['scp'] === undefined && claims['roles'] === undefined)
    return 'idToken'
  return undefined
}

function checkTimes(claims: JsonObject, rules: ClaimRules, now: number): Reason | undefined {
  const { exp, nbf, iat } = claims
  const { skew, maxLifetime } = rules
  if (typeof exp !== 'number') return 'expiry'
  if (now >= exp + skew) return 'expired'
  if (nbf !== undefined && (typeof nbf !== 'number' || nbf > now + skew)) return 'notYet'
  if (iat === undefined) {
    if (rules.tokenType === 'at+jwt') return 'issuedAt'
  } else if (typeof iat !== 'number' || iat > now + skew) return 'issuedAt'
  return exp - (iat ?? now) > maxLifetime ? 'lifetime' : undefined
}

function checkNames(claims: JsonObject, rules: ClaimRules): Reason | undefined {
  const { aud, jti, client_id: client } = claims
  const named: readonly (Json | undefined)[] = Array.isArray(aud) ? aud : [aud]
  const holds = (audiences: readonly (Json | undefined)[]): boolean =>
    named.some((one) => audiences.includes(one))
  if (!holds(rules.audience) || holds(rules.foreign)) return 'audience'
  const required = rules.tokenType === 'at+jwt'
  if ((required || jti !== undefined) && !isName(jti)) return 'tokenId'
  return required && !isName(client) ? 'client' : undefined
}
