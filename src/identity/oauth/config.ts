// The config section `auth.oauth`: whose access tokens count, what they must say, and what their claims mean here.
import * as z from 'zod'
import { choice, duration, fileReference, judged, kinds, line, list, size } from '../../config/fields.ts'
import { isPath } from './path.ts'
import { isIssuer, isSafeUrl } from './url.ts'

const text = (type: string, fix: string, isGood: (value: string) => boolean) =>
  judged({ type, expects: type, fix }, { fault: (value) => (isGood(value) ? undefined : `must be ${type}`) })

const issuerUrl = () =>
  text(
    'an issuer URL: https, or http on loopback, without query and fragment',
    'Write it exactly as the claim iss of the tokens has it, for example "https://login.example.com/realms/main".',
    isIssuer,
  )

const keySetUrl = () =>
  text(
    'a URL: https, or http on loopback',
    'Write the jwks_uri of the issuer, for example "https://login.example.com/jwks".',
    isSafeUrl,
  )

const claimPath = () =>
  text(
    'a claim: its name, names with dots, or a JSON pointer',
    'Write for example "roles", "realm_access.roles", or "/https:~1~1example.com~1roles" where a name holds a dot.',
    isPath,
  )

const audienceText = () =>
  text(
    'an audience of 1 to 255 visible characters without spaces',
    'Write it exactly as the claim aud of the tokens has it.',
    (value) => /^[\x21-\x7e]{1,255}$/.test(value),
  )

function nameMap(what: string) {
  const schema = z.record(z.string(), list(line(`a ${what}`, 128), `${what}s`, 100))
  kinds.add(schema, {
    type: `map of claim value to list of ${what}s`,
    expects: `a map of claim value to list of ${what}s`,
    fix: `Write one value a line, for example: "platform-team": ["${what === 'role' ? 'operator' : 'ductape:read'}"].`,
  })
  return schema
}

const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const

const claims = z.strictObject({
  subject: claimPath().prefault('sub').describe('Claim that names the caller'),
  client: list(claimPath(), 'claims', 8)
    .prefault(['client_id', 'azp'])
    .describe('Claims that may name the client; the first that is there counts'),
  tenant: claimPath()
    .optional()
    .describe('Claim that names the tenant; where set, a token without it is refused'),
  roles: claimPath().prefault('roles').describe('Claim with the roles: a list, or one role'),
  scopes: list(claimPath(), 'claims', 8)
    .prefault(['scope', 'scp'])
    .describe(
      'Claims that may hold the scopes, as a list or with spaces between them; the first that is there counts',
    ),
})

/** Exact values of `aud`. */
export const audiences = () => list(audienceText(), 'audiences', 16)

/** Where the keys of an issuer are, and what its tokens look like. */
export const issuerFields = {
  issuer: issuerUrl().describe('Issuer identifier, compared with the claim iss letter by letter'),
  tokenType: choice(['at+jwt', 'jwt'])
    .prefault('at+jwt')
    .describe(
      'Type that the token header must have: at+jwt of RFC 9068, or jwt for issuers whose access tokens have no type of their own, as Entra ID and Keycloak send by default',
    ),
  jwksUri: keySetUrl()
    .optional()
    .describe('Where the keys are; without it the metadata of the issuer is asked'),
  algorithms: list(choice(ALGORITHMS), 'algorithms', ALGORITHMS.length)
    .prefault([...ALGORITHMS])
    .describe('Signature algorithms that are accepted'),
  privateNetwork: z
    .boolean()
    .prefault(false)
    .describe('Whether the hosts of the issuer may have private addresses, as inside a cluster'),
  ca: fileReference()
    .optional()
    .describe(
      'PEM file with the certificate authorities that may vouch for the issuer, in place of the built-in ones',
    ),
  claims: claims.prefault({}).describe('Which claim means what'),
  tenant: line('a tenant', 128).optional().describe('Tenant of every token of this issuer'),
} as const

export const scopesMap = () =>
  nameMap('scope')
    .optional()
    .describe(
      'Scopes here for values of the scopes claim; values without a row give no scope. Without it the values are the scopes',
    )

/** A token has one tenant, from one place. */
export function oneTenant(
  value: { readonly tenant?: string | undefined; readonly claims: { readonly tenant?: string | undefined } },
  context: Pick<z.RefinementCtx, 'addIssue'>,
): void {
  if (value.tenant === undefined || value.claims.tenant === undefined) return
  context.addIssue({
    code: 'custom',
    path: ['tenant'],
    message: 'names a tenant, and claims.tenant says where to read one',
    params: { fix: 'Keep one of the two.' },
  })
}

const { issuer: issuerField, ...otherFields } = issuerFields

const issuer = z
  .strictObject({
    issuer: issuerField,
    audience: audiences()
      .optional()
      .describe(
        'Values of aud that mean this service, compared letter by letter; without it publicUrl alone',
      ),
    ...otherFields,
    roles: nameMap('role')
      .optional()
      .describe(
        'Roles here for values of the roles claim; values without a row give no role. Without it the values are the roles',
      ),
    scopes: scopesMap(),
    requireBinding: choice(['none', 'any', 'dpop', 'mtls'])
      .prefault('none')
      .describe('Whether tokens have to be bound to their sender, by a DPoP key or a client certificate'),
  })
  .superRefine(oneTenant)

const issuers = list(issuer, 'issuers', 16).superRefine((value, context) => {
  if (value.length === 0)
    context.addIssue({
      code: 'custom',
      message: 'is empty',
      params: { fix: 'Name an issuer, or remove auth.oauth.' },
    })
  const seen = new Set<string>()
  for (const [index, { issuer: identifier }] of value.entries()) {
    if (seen.has(identifier))
      context.addIssue({
        code: 'custom',
        path: [index, 'issuer'],
        message: 'is named twice',
        params: { fix: 'Keep one entry for each issuer.' },
      })
    seen.add(identifier)
  }
})

/** Optional in `auth`: without it no access token is accepted. */
export const oauthSection = z.strictObject({
  issuers: issuers.describe('Authorization servers whose access tokens are accepted'),
  skew: duration({ min: '0s', max: '120s' })
    .prefault('30s')
    .describe('By how much the clocks of an issuer and this service may differ'),
  maxLifetime: duration({ min: '1m', max: '720h' })
    .prefault('24h')
    .describe('Longest time from issue to expiry that a token may have'),
  maxTokenBytes: size({ min: '1KiB', max: '15KiB' }).prefault('8KiB').describe('Largest access token'),
})
