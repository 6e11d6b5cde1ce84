// The table of tokens and what becomes of them, each row with the sentence that it shows; a mutation run goes through it too.
import { createHash, createPublicKey } from 'node:crypto'
import type { Presented } from '../../../src/identity/authenticator.ts'
import type { IssuerOptions, OauthOptions } from '../../../src/identity/oauth/index.ts'
import type { PROOF_REASONS, REASONS } from '../../../src/identity/oauth/reasons.ts'
import {
  certificate,
  goodClaims,
  issuerOptions,
  oauthOptions,
  type Paper,
  PUBLIC_URL,
  paperKey,
  SECONDS,
  signature,
  signRaw,
  token,
} from './lib/paper.ts'

export interface Row {
  name: string
  /** Where it is demanded, and in short what. */
  cites: string
  token: string
  presented?: Partial<Presented>
  expect: 'accepted' | keyof typeof REASONS | keyof typeof PROOF_REASONS
}

const A: Paper = { url: 'https://a.example', key: paperKey('ec', 'es-1', { use: 'sig', alg: 'ES256' }) }
/** One key without a name. */
const B: Paper = { url: 'https://b.example', key: paperKey('ec') }
/** Tokens without a type of their own, as Keycloak and Entra ID send them. */
const PLAIN: Paper = { url: 'https://plain.example/realms/main', key: paperKey('ec', 'plain-1') }
const MAPPED: Paper = { url: 'https://mapped.example', key: paperKey('ec', 'mapped-1') }
const ANY: Paper = { url: 'https://any.example', key: B.key }
const DPOP: Paper = { url: 'https://dpop.example', key: B.key }
const MTLS: Paper = { url: 'https://mtls.example', key: B.key }
const NARROW: Paper = { url: 'https://narrow.example', key: A.key }
const STRANGER: Paper = { url: 'https://stranger.example', key: paperKey('ec', 'es-1') }

const RSA = paperKey('rsa', 'rsa-1')
const PSS_ONLY = paperKey('rsa', 'ps-1', { alg: 'PS256' })
const ED = paperKey('ed25519', 'ed-1')
const ED_SECOND = paperKey('ed25519', 'ed-2', { alg: 'EdDSA' })
const ED448 = paperKey('ed448', 'ed448-1')
const P384 = paperKey('p384', 'p384-1')
const SMALL = paperKey('rsa1024', 'small-1')
const ENCRYPTION = paperKey('ec', 'enc-1', { use: 'enc' })
const VERIFIER = paperKey('ec', 'ops-2', { key_ops: ['verify'] })
const NO_OPERATION = paperKey('ec', 'ops-1', { key_ops: [] })
const PUBLIC_PEM = Buffer.from(createPublicKey(A.key.privateKey).export({ type: 'spki', format: 'pem' }))
const SECRET = Buffer.from('a symmetric key of 32 bytes, no less')

const keySets: readonly [string, readonly unknown[]][] = [
  [
    A.url,
    [
      A.key.jwk,
      RSA.jwk,
      PSS_ONLY.jwk,
      ED.jwk,
      ED_SECOND.jwk,
      ED448.jwk,
      P384.jwk,
      SMALL.jwk,
      ENCRYPTION.jwk,
      VERIFIER.jwk,
      NO_OPERATION.jwk,
      { ...NO_OPERATION.jwk, kid: 'ops-3', key_ops: 7 },
      { kty: 'oct', kid: 'oct-1', k: SECRET.toString('base64url') },
      { kty: 'unknown', kid: 'odd-1' },
      'no key at all',
      null,
      [],
    ],
  ],
  [B.url, [B.key.jwk, ENCRYPTION.jwk]],
  [PLAIN.url, [PLAIN.key.jwk]],
  [MAPPED.url, [MAPPED.key.jwk]],
  [ANY.url, [B.key.jwk]],
  [DPOP.url, [B.key.jwk]],
  [MTLS.url, [B.key.jwk]],
  [NARROW.url, [A.key.jwk, RSA.jwk]],
]

export const DOCUMENTS: ReadonlyMap<string, unknown> = new Map(
  keySets.map(([issuer, keys]) => [`${issuer}/jwks`, { keys }]),
)

const MAPPING: Partial<IssuerOptions> = {
  claims: {
    subject: 'oid',
    client: ['azp'],
    tenant: '/https:~1~1example.com~1tenant',
    roles: 'realm_access.roles',
    scopes: ['scp'],
  },
  roles: { 'platform team': ['operator', 'reader'], staff: ['reader'] },
  scopes: { 'Tools.Read': ['ductape:read'] },
}

export const OPTIONS: OauthOptions = oauthOptions([
  issuerOptions(A.url),
  issuerOptions(B.url, {
    audience: ['api://ductape', 'urn:second'],
    foreign: ['urn:people'],
    tenant: 'acme',
  }),
  issuerOptions(PLAIN.url, { tokenType: 'jwt' }),
  issuerOptions(MAPPED.url, MAPPING),
  issuerOptions(ANY.url, { requireBinding: 'any' }),
  issuerOptions(DPOP.url, { requireBinding: 'dpop' }),
  issuerOptions(MTLS.url, { requireBinding: 'mtls' }),
  issuerOptions(NARROW.url, { algorithms: ['RS256'] }),
])

const THUMBPRINT = createHash('sha256').update('a certificate').digest('base64url')
const OTHER = createHash('sha256').update('another one').digest('base64url')
const withCertificate = { certificate: certificate(THUMBPRINT) }
const withProof = { scheme: 'dpop' } as const
const bound = (...members: ('jkt' | 'x5t#S256')[]) => ({
  cnf: Object.fromEntries(members.map((member) => [member, THUMBPRINT])),
})

const HEADER = { alg: 'ES256', typ: 'at+jwt', kid: 'es-1' }
const CLAIMS = goodClaims(A.url)
const raw = (header: unknown, payload: unknown = CLAIMS, key = A.key, algorithm = 'ES256'): string =>
  signRaw(text(header), text(payload), algorithm, key.privateKey)
const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))
/** Signed by another key of A than the first. */
const by = (key: typeof RSA, alg: string, header = {}): string =>
  raw({ ...HEADER, alg, kid: key.kid, ...header }, CLAIMS, key, alg)
const json = JSON.stringify

/** Parts of a good token, for what can be done to the text of one. */
const good = token(A)
const [H = '', P = '', S = ''] = good.split('.')
const resigned = (input: string): string =>
  `${input}.${signature(input, 'ES256', A.key.privateKey).toString('base64url')}`
/** The same bytes spelled with the unused bits of the last character set. */
const strayBits = (part: string): string => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return part.slice(0, -1) + alphabet[alphabet.indexOf(part.slice(-1)) + 1]
}
/** A payload whose encoding has unused bits. */
const ragged = ['', 'y', 'yy']
  .map((x) => Buffer.from(json({ ...CLAIMS, x })))
  .find((bytes) => bytes.length % 3 === 1)
  ?.toString('base64url') as string
/** A good token of just so many bytes. */
function sized(length: number): string {
  let padding = Math.floor(length * 0.7)
  for (let text = good; text.length < length; padding++) {
    text = token(A, { padding: 'x'.repeat(padding) })
    if (text.length === length) return text
  }
  throw new Error(`no token has ${length} bytes`)
}
const certificateAttack = paperKey('ec', 'es-1')
const actors = (depth: number): unknown =>
  depth === 0 ? undefined : { sub: `actor-${depth}`, act: actors(depth - 1) }
const many = (count: number): string[] => Array.from({ length: count }, (_, index) => `r${index}`)
const plain = (claims = {}, header = {}) =>
  token(PLAIN, { client_id: undefined, jti: undefined, ...claims }, { typ: undefined, ...header })
const mapped = (claims = {}) =>
  token(MAPPED, {
    oid: 'o-1',
    azp: 'desk',
    'https://example.com/tenant': 'acme',
    realm_access: { roles: ['platform team', 'staff', 'nobody here knows it'] },
    scp: 'Tools.Read Tools.Unknown',
    ...claims,
  })

// biome-ignore format: a table, one row a line
const table: readonly [expect: Row['expect'], name: string, cites: string, token: string, presented?: Partial<Presented>][] = [
  // What is good.
  ['accepted', 'a token of RFC 9068', 'RFC 9068 4: it is validated in this way', good],
  ['accepted', 'the long form of the type', 'RFC 9068 4: typ is at+jwt or application/at+jwt', token(A, {}, { typ: 'application/at+jwt' })],
  ['accepted', 'a type in capital letters', 'RFC 7515 4.1.9: media type names are not case-sensitive', token(A, {}, { typ: 'AT+JWT' })],
  ['accepted', 'several audiences', 'RFC 7519 4.1.3: aud may be an array', token(A, { aud: ['https://other.example', PUBLIC_URL] })],
  ['accepted', 'a configured audience', 'RFC 8707 2: the resource is named by an absolute URI', token(B, { aud: 'urn:second' })],
  ['accepted', 'no kid and one key that fits', 'RFC 7515 4.1.4: kid is optional', token(B, { aud: 'api://ductape' }, { kid: undefined })],
  ['accepted', 'no kid and one named key that fits', 'RFC 7515 4.1.4: kid is optional', plain({}, { kid: undefined })],
  ['accepted', 'RS256', 'RFC 7518 3.3', by(RSA, 'RS256')],
  ['accepted', 'PS384', 'RFC 7518 3.5', by(RSA, 'PS384')],
  ['accepted', 'a key that names its algorithm', 'RFC 7517 4.4', by(PSS_ONLY, 'PS256')],
  ['accepted', 'a key that may verify', 'RFC 7517 4.3: key_ops', by(VERIFIER, 'ES256')],
  ['accepted', 'ES384', 'RFC 7518 3.4', by(P384, 'ES384')],
  ['accepted', 'EdDSA', 'RFC 8037 3.1', by(ED, 'EdDSA')],
  ['accepted', 'Ed25519 by its own name', 'RFC 9864 2.2: fully specified algorithms', by(ED, 'Ed25519')],
  ['accepted', 'a clock that is behind by less than the skew', 'RFC 9068 4: some small leeway for clock skew', token(A, { exp: SECONDS - 29 })],
  ['accepted', 'a clock that is ahead by less than the skew', 'RFC 7519 4.1.5: some small leeway', token(A, { nbf: SECONDS + 30, iat: SECONDS + 30 })],
  ['accepted', 'header members that point to keys, unused', 'RFC 7515 4.1.2, 4.1.5, 4.1.6: OPTIONAL', token(A, {}, { jku: 'https://evil.example', x5u: 'https://evil.example', x5t: 'x', 'x5t#S256': 'x' })],
  ['accepted', 'five actors', 'RFC 8693 4.1: a chain of delegation', token(A, { act: actors(5) })],
  ['accepted', 'roles and scopes as lists', 'RFC 9068 2.2.3.1: roles', token(A, { roles: ['operator'], scope: ['ductape:read'] })],
  ['accepted', 'a role as text', 'RFC 9068 2.2.3.1', token(A, { roles: 'operator' })],
  ['accepted', 'a role and a scope of 128 characters', 'bounded', token(A, { roles: 'r'.repeat(128), scope: 's'.repeat(128) })],
  ['accepted', 'a hundred roles', 'bounded', token(A, { roles: many(100) })],
  ['accepted', 'mapped claims', 'RFC 9068 6: profiles of deployments', mapped()],
  ['accepted', 'more values than roles, through the map', 'bounded by the map', mapped({ realm_access: { roles: many(300) } })],

  // Size and form.
  ['accepted', 'a token of just the largest size', 'bounded', sized(8192)],
  ['size', 'a token of one byte more', 'bounded', `${sized(8192)}A`],
  ['size', 'an oversized token', 'bounded', token(A, { padding: 'x'.repeat(8192) })],
  ['form', 'two parts', 'RFC 7515 7.1: a JWS has three parts', `${H}.${P}`],
  ['form', 'four parts', 'RFC 7515 7.1', `${good}.`],
  ['form', 'five parts: encrypted', 'RFC 7516 7.1: this service holds no key to decrypt with', `${H}.${P}.${S}.${H}.${P}`],
  ['form', 'no signature', 'RFC 7515 3.1', `${H}.${P}.`],
  ['form', 'no header', 'RFC 7515 3.1', `.${P}.${S}`],
  ['form', 'padding', 'RFC 7515 2: base64url with all trailing "=" omitted', `${H}.${P}.${S}==`],
  ['form', 'the other alphabet', 'RFC 7515 2: base64url', `${H}.${P}.${S.slice(0, -2)}+/`],
  ['form', 'stray bits in the signature', 'RFC 4648 3.5: pad bits MUST be zero', `${H}.${P}.${strayBits(S)}`],
  ['form', 'stray bits in the payload', 'RFC 4648 3.5', resigned(`${H}.${strayBits(ragged)}`)],
  ['form', 'bytes that are no UTF-8', 'RFC 7519 7.2: the payload is UTF-8', resigned(`${H}.${Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]).toString('base64url')}`)],
  ['header', 'a header that is no JSON', 'RFC 7515 5.2 step 3', raw('{"alg":"ES256"')],
  ['header', 'a header that is a list', 'RFC 7515 5.2 step 3: a JSON object', raw('["ES256"]')],
  ['header', 'a header that is a text', 'RFC 7515 5.2 step 3', raw('"ES256"')],
  ['header', 'a header that is null', 'RFC 7515 5.2 step 3', raw('null')],
  ['header', 'a header that names a member twice', 'RFC 7515 4: names MUST be unique', raw('{"alg":"ES256","typ":"at+jwt","kid":"es-1","alg":"ES256"}')],
  ['header', 'no algorithm', 'RFC 7515 4.1.1: alg MUST be present', raw({ typ: 'at+jwt', kid: 'es-1' })],
  ['header', 'a kid that is a number', 'RFC 7515 4.1.4: a string', raw({ ...HEADER, kid: 1 })],
  ['header', 'a kid without end', 'RFC 8725 3.10: do not trust received claims', raw({ ...HEADER, kid: 'k'.repeat(257) })],
  ['header', 'a type that is a number', 'RFC 7515 4.1.9: a string', raw({ ...HEADER, typ: 1 })],
  ['headerMember', 'a critical extension', 'RFC 7515 4.1.11: not understood, the JWS is invalid', raw({ ...HEADER, crit: ['exp'], exp: 1 })],
  ['headerMember', 'an empty list of critical extensions', 'RFC 7515 4.1.11: MUST NOT be empty', raw({ ...HEADER, crit: [] })],
  ['headerMember', 'an unencoded payload', 'RFC 7797 6: b64 needs crit', raw({ ...HEADER, b64: false })],
  ['headerMember', 'a nested token', 'RFC 7519 5.2: cty JWT', raw({ ...HEADER, cty: 'JWT' })],
  ['headerMember', 'a compressed payload', 'RFC 8725 3.6: no compression', raw({ ...HEADER, zip: 'DEF' })],
  ['payload', 'a payload that is no JSON', 'RFC 7519 7.2 step 10', raw(HEADER, 'no json')],
  ['payload', 'a payload that is a list', 'RFC 7519 7.2 step 10: a JSON object', raw(HEADER, [CLAIMS])],
  ['payload', 'a payload that is a number', 'RFC 7519 7.2 step 10', raw(HEADER, '7')],
  ['payload', 'a payload that is null', 'RFC 7519 7.2 step 10', raw(HEADER, 'null')],
  ['payload', 'a claim that stands twice', 'RFC 7519 4: names within a claims set MUST be unique', raw(HEADER, json(CLAIMS).replace('{', '{"sub":"somebody else",'))],

  // Whose token it is.
  ['issuer', 'an issuer that is not trusted', 'RFC 9068 4: iss MUST exactly match', token(STRANGER)],
  ['issuer', 'an issuer with a slash more', 'RFC 9068 4: exactly', token({ ...A, url: `${A.url}/` })],
  ['issuer', 'no issuer', 'RFC 9068 2.2: iss is REQUIRED', token(A, { iss: undefined })],
  ['issuer', 'an issuer that is a list', 'RFC 7519 4.1.1: one StringOrURI', token(A, { iss: [A.url] })],
  ['signature', 'the name of one issuer, the key of another', 'RFC 8725 3.8: the keys MUST belong to the issuer', token({ url: A.url, key: STRANGER.key })],
  ['key', 'the kid of another issuer', 'RFC 8725 3.8', token({ url: A.url, key: PLAIN.key })],
  ['key', 'a kid that nobody knows', 'RFC 9068 4: the keys provided by the authorization server', token(A, {}, { kid: 'nobody' })],
  ['key', 'a kid that looks like SQL', 'RFC 8725 3.10: kid is not to be trusted', token(A, {}, { kid: "x' UNION SELECT" })],
  ['key', 'the longest kid that is looked at', 'RFC 7515 4.1.4', token(A, {}, { kid: 'k'.repeat(256) })],
  ['key', 'no kid and several keys that fit', 'RFC 7515 6: the key is not known', raw({ alg: 'EdDSA', typ: 'at+jwt' }, CLAIMS, ED, 'EdDSA')],
  ['signature', 'an embedded key', 'RFC 8725 3.8, RFC 7515 10.3: the key of the token proves nothing', raw({ ...HEADER, jwk: certificateAttack.jwk }, CLAIMS, certificateAttack)],
  ['signature', 'an embedded certificate', 'RFC 8725 3.8', raw({ ...HEADER, x5c: ['MIIB'] }, CLAIMS, certificateAttack)],
  ['signature', 'a key set of the attacker', 'RFC 8725 3.10: jku', raw({ ...HEADER, jku: 'https://evil.example/jwks' }, CLAIMS, certificateAttack)],
  ['signature', 'claims that were changed', 'RFC 9068 4: the signature MUST be validated', `${H}.${Buffer.from(json({ ...CLAIMS, sub: 'root' })).toString('base64url')}.${S}`],
  ['signature', 'EdDSA claims that were changed', 'RFC 8037 3.1', by(ED, 'EdDSA').replace(/\.[^.]+\./, `.${Buffer.from(json({ ...CLAIMS, sub: 'root' })).toString('base64url')}.`)],
  ['signature', 'a signature of nothing', 'RFC 7515 5.2', `${H}.${P}.AAAA`],
  ['signature', 'an ECDSA signature of zeros', 'RFC 7518 3.4 (CVE-2022-21449)', `${H}.${P}.${Buffer.alloc(64).toString('base64url')}`],

  // Algorithms and keys.
  ['algorithm', 'none', 'RFC 9068 4: MUST reject alg none', `${Buffer.from(json({ ...HEADER, alg: 'none' })).toString('base64url')}.${P}.AA`],
  ['form', 'none with an empty signature', 'RFC 8725 3.2', `${Buffer.from(json({ ...HEADER, alg: 'none' })).toString('base64url')}.${P}.`],
  ['algorithm', 'None', 'RFC 7515 4.1.1: alg is case-sensitive', raw({ ...HEADER, alg: 'None' })],
  ['algorithm', 'HS256 with the public key as secret', 'RFC 8725 2.1, 3.1: algorithm confusion', signRaw(json({ ...HEADER, alg: 'HS256' }), json(CLAIMS), 'HS256', PUBLIC_PEM)],
  ['algorithm', 'HS256 with a published symmetric key', 'RFC 8725 3.5', signRaw(json({ ...HEADER, alg: 'HS256', kid: 'oct-1' }), json(CLAIMS), 'HS256', SECRET)],
  ['algorithm', 'es256 in small letters', 'RFC 7515 4.1.1: case-sensitive', raw({ ...HEADER, alg: 'es256' })],
  ['algorithm', 'an algorithm that this issuer must not use', 'RFC 8725 3.1: no other algorithms than those of the caller', token(NARROW)],
  ['algorithm', 'the name of a member of every object', 'RFC 8725 3.10', raw({ ...HEADER, alg: 'constructor' })],
  ['key', 'another algorithm than that of the key', 'RFC 8725 3.1: each key with exactly one algorithm', by(PSS_ONLY, 'RS256')],
  ['key', 'Ed25519 with a key for EdDSA', 'RFC 8725 3.1', by(ED_SECOND, 'Ed25519')],
  ['key', 'ES256 with a key of another curve', 'RFC 7518 3.4: P-256 and SHA-256', by(P384, 'ES256')],
  ['key', 'EdDSA with Ed448', 'RFC 8037: not offered', by(ED448, 'EdDSA')],
  ['key', 'RS256 with an EC key', 'RFC 8725 3.1', raw({ ...HEADER, alg: 'RS256' })],
  ['key', 'RS256 with an EC key that names no algorithm', 'RFC 8725 3.1', raw({ ...HEADER, alg: 'RS256', kid: 'p384-1' }, CLAIMS, P384, 'ES384')],
  ['key', 'RS256 in the header, signed by Ed25519', 'RFC 8725 3.1', raw({ ...HEADER, alg: 'RS256', kid: 'ed-1' }, CLAIMS, ED, 'EdDSA')],
  ['key', 'an RSA key of 1024 bits', 'RFC 7518 3.3: 2048 bits or larger MUST be used', by(SMALL, 'RS256')],
  ['key', 'a key for encryption', 'RFC 7517 4.2: use', by(ENCRYPTION, 'ES256')],
  ['key', 'a key that may do nothing', 'RFC 7517 4.3: key_ops', by(NO_OPERATION, 'ES256')],

  // Kind of token.
  ['type', 'an ID token', 'RFC 8725 3.12: rules for different kinds MUST be mutually exclusive', raw({ ...HEADER, typ: 'JWT' }, { ...CLAIMS, nonce: 'n' })],
  ['type', 'no type', 'RFC 9068 4: reject any other value', raw({ alg: 'ES256', kid: 'es-1' })],
  ['type', 'an ID-JAG', 'draft-ietf-oauth-identity-assertion-authz-grant: for the authorization server only', token(A, {}, { typ: 'oauth-id-jag+jwt' })],
  ['type', 'a DPoP proof', 'RFC 9449 4.2: typ dpop+jwt', token(A, {}, { typ: 'dpop+jwt' })],
  ['type', 'a logout token', 'OpenID Connect Back-Channel Logout 2.4', token(A, {}, { typ: 'logout+jwt' })],
  ['type', 'an empty type', 'RFC 9068 4', token(A, {}, { typ: '' })],
  ['accepted', 'no type, where the issuer gives none', 'issue 4: tokenType jwt', plain()],
  ['accepted', 'JWT, where the issuer says so', 'RFC 7519 5.1', plain({}, { typ: 'JWT' })],
  ['accepted', 'roles in place of scopes', 'issue 4: scope, scp or roles', plain({ scope: undefined, roles: ['operator'] })],
  ['accepted', 'scp in place of scope', 'issue 4: scope, scp or roles', plain({ scope: undefined, scp: 'ductape:read' })],
  ['type', 'ID-JAG where the issuer gives no type', 'RFC 8725 3.12', plain({}, { typ: 'oauth-id-jag+jwt' })],
  ['idToken', 'neither scope, scp nor roles', 'issue 4: an ID token has none', plain({ scope: undefined })],
  ['idToken', 'a nonce', 'OpenID Connect Core 2: nonce is of ID tokens', plain({ nonce: 'n' })],
  ['idToken', 'at_hash', 'OpenID Connect Core 3.1.3.6', plain({ at_hash: 'h' })],
  ['idToken', 'c_hash', 'OpenID Connect Core 3.3.2.11', plain({ c_hash: 'h' })],
  ['accepted', 'no time of issue, where the profile does not demand it', 'RFC 7519 4.1.6: optional', plain({ iat: undefined })],
  ['lifetime', 'no time of issue and a late end', 'a bounded life', plain({ iat: undefined, exp: SECONDS + 86_401 })],
  ['tokenId', 'a token id that is a number, where it is optional', 'RFC 7519 4.1.7: a string', plain({ jti: 7 })],

  // Times.
  ['expired', 'an expired token', 'RFC 7519 4.1.4: MUST NOT be accepted on or after exp', token(A, { exp: SECONDS - 30 })],
  ['expired', 'a token that expired long ago', 'RFC 9068 4', token(A, { exp: 1 })],
  ['expiry', 'no expiry', 'RFC 9068 2.2: exp is REQUIRED', token(A, { exp: undefined })],
  ['expiry', 'an expiry in words', 'RFC 7519 4.1.4: a NumericDate', token(A, { exp: String(SECONDS + 300) })],
  ['lifetime', 'an expiry of 1e300', 'a bounded life', raw(HEADER, json(CLAIMS).replace(/"exp":\d+/, '"exp":1e300'))],
  ['payload', 'an expiry that no double holds', 'RFC 8259 6', raw(HEADER, json(CLAIMS).replace(/"exp":\d+/, '"exp":1e400'))],
  ['lifetime', 'a life of more than a day', 'OAuth 2.1 7.1: short-lived tokens', token(A, { exp: SECONDS + 86_391 })],
  ['accepted', 'a life of just a day', 'OAuth 2.1 7.1', token(A, { exp: SECONDS + 86_390 })],
  ['notYet', 'a future beginning', 'RFC 7519 4.1.5: MUST NOT be accepted before nbf', token(A, { nbf: SECONDS + 31 })],
  ['notYet', 'a beginning in words', 'RFC 7519 4.1.5: a NumericDate', token(A, { nbf: 'soon' })],
  ['issuedAt', 'issued in the future', 'RFC 7519 4.1.6', token(A, { iat: SECONDS + 31 })],
  ['issuedAt', 'no time of issue', 'RFC 9068 2.2: iat is REQUIRED', token(A, { iat: undefined })],
  ['issuedAt', 'a time of issue in words', 'RFC 7519 4.1.6: a NumericDate', token(A, { iat: String(SECONDS) })],

  // For whom it is.
  ['audience', 'the audience of another service', 'RFC 9068 4: MUST be rejected', token(A, { aud: 'https://other.example' })],
  ['audience', 'the audience with a slash more', 'RFC 8707 2: exact strings', token(A, { aud: `${PUBLIC_URL}/` })],
  ['audience', 'a list without ours', 'RFC 9068 4', token(A, { aud: ['https://other.example', 'api://ductape'] })],
  ['audience', 'a list inside the list', 'RFC 7519 4.1.3: strings', token(A, { aud: [[PUBLIC_URL]] })],
  ['audience', 'no audience', 'RFC 9068 2.2: aud is REQUIRED', token(A, { aud: undefined })],
  ['audience', 'publicUrl where others are configured', 'RFC 8707 2', token(B)],
  ['audience', 'an audience of ours and one of other callers', 'RFC 8707 3: a token for several resources wants trust between them', token(B, { aud: ['urn:second', 'urn:people'] })],
  ['audience', 'the client as audience', 'OpenID Connect Core 2: aud of an ID token', token(A, { aud: 'planner' })],

  // Names.
  ['subject', 'no subject', 'RFC 9068 2.2: sub is REQUIRED', token(A, { sub: undefined })],
  ['subject', 'a subject that is a number', 'RFC 7519 4.1.2: StringOrURI', token(A, { sub: 7 })],
  ['subject', 'an empty subject', 'RFC 9068 2.2', token(A, { sub: '' })],
  ['subject', 'a subject of 256 characters', 'OpenID Connect Core 2: at most 255', token(A, { sub: 's'.repeat(256) })],
  ['accepted', 'a subject of 255 characters', 'OpenID Connect Core 2', token(A, { sub: 's'.repeat(255) })],
  ['subject', 'a subject with a line feed', 'records are lines', token(A, { sub: 'a\nb' })],
  ['subject', 'a subject with an invisible character', 'two names that look the same', token(A, { sub: 'agent\u200b-7' })],
  ['subject', 'no mapped subject', 'issue 4: claims -> subject', mapped({ oid: undefined })],
  ['client', 'no client', 'RFC 9068 2.2: client_id is REQUIRED', token(A, { client_id: undefined })],
  ['client', 'azp in place of client_id', 'RFC 9068 2.2', token(A, { client_id: undefined, azp: 'planner' })],
  ['client', 'a client that is a list', 'RFC 8693 4.3: a string', token(A, { client_id: ['planner'] })],
  ['client', 'a mapped client that is a number', 'issue 4: claims -> client', mapped({ azp: 7 })],
  ['tokenId', 'no token id', 'RFC 9068 2.2: jti is REQUIRED', token(A, { jti: undefined })],
  ['tokenId', 'a token id that is a number', 'RFC 7519 4.1.7: a string', token(A, { jti: 7 })],
  ['tokenId', 'a token id without end', 'bounded', token(A, { jti: 'j'.repeat(256) })],
  ['tenant', 'no mapped tenant', 'fail closed', mapped({ 'https://example.com/tenant': undefined })],
  ['tenant', 'a tenant that is a number', 'fail closed', mapped({ 'https://example.com/tenant': 7 })],
  ['tenant', 'a tenant of 129 characters', 'bounded', mapped({ 'https://example.com/tenant': 't'.repeat(129) })],
  ['roles', 'roles that are an object', 'RFC 9068 2.2.3.1', token(A, { roles: { operator: true } })],
  ['roles', 'a role that is a number', 'RFC 9068 2.2.3.1', token(A, { roles: ['reader', 7] })],
  ['roles', 'a mapped role that is a number', 'issue 4: claims -> roles', mapped({ realm_access: { roles: ['staff', 7] } })],
  ['roles', 'a role of 129 characters', 'bounded', token(A, { roles: ['r'.repeat(129)] })],
  ['roles', 'a role with a line feed', 'records are lines', token(A, { roles: ['a\nb'] })],
  ['roles', 'more than a hundred roles', 'bounded', token(A, { roles: many(101) })],
  ['scopes', 'scopes that are a number', 'RFC 8693 4.2: a string', token(A, { scope: 7 })],
  ['scopes', 'a scope with a quote', 'RFC 6749 3.3: scope-token', token(A, { scope: 'a"b' })],
  ['scopes', 'a scope of 129 characters', 'bounded', token(A, { scope: 's'.repeat(129) })],
  ['scopes', 'more than a hundred scopes', 'bounded', token(A, { scope: many(101).join(' ') })],
  ['actors', 'six actors', 'RFC 8693 4.1, bounded', token(A, { act: actors(6) })],
  ['actors', 'an actor without a subject', 'RFC 8693 4.1', token(A, { act: { iss: A.url } })],
  ['actors', 'an actor that is a text', 'RFC 8693 4.1: a JSON object', token(A, { act: 'somebody' })],
  ['actors', 'an actor that is null', 'RFC 8693 4.1: a JSON object', token(A, { act: null })],

  // Bound to the sender.
  ['accepted', 'bound to the certificate of this connection', 'RFC 8705 3', token(A, bound('x5t#S256')), withCertificate],
  ['accepted', 'not bound, on a connection with a certificate', 'issue 4: the certificate then only binds', good, withCertificate],
  ['certificate', 'bound, and no certificate', 'RFC 8705 3: MUST be rejected', token(A, bound('x5t#S256'))],
  ['certificate', 'bound, and another certificate', 'RFC 8705 3: does not match, MUST be rejected', token(A, bound('x5t#S256')), { certificate: certificate(OTHER) }],
  ['accepted', 'bound to a key, with a proof', 'RFC 9449 7.1', token(A, bound('jkt')), withProof],
  ['accepted', 'an unknown member beside the key', 'RFC 7800 3.1: MUST be ignored (Keycloak: kc-jkt-type)', token(A, { cnf: { jkt: THUMBPRINT, 'kc-jkt-type': 'x' } }), withProof],
  ['bearer', 'bound to a key, sent as Bearer', 'RFC 9449 7.2: MUST reject', token(A, bound('jkt'))],
  ['scheme', 'not bound, sent as DPoP', 'RFC 9449 7.1: the key MUST match', good, withProof],
  ['accepted', 'bound twice, and both are there', 'RFC 7800 3.1', token(A, bound('jkt', 'x5t#S256')), { ...withCertificate, ...withProof }],
  ['certificate', 'bound twice, without the certificate', 'RFC 8705 3', token(A, bound('jkt', 'x5t#S256')), withProof],
  ['bearer', 'bound twice, without the proof', 'RFC 9449 7.2', token(A, bound('jkt', 'x5t#S256')), withCertificate],
  ['confirmation', 'bound in an unknown way', 'fail closed', token(A, { cnf: { kid: 'x' } })],
  ['confirmation', 'an empty confirmation', 'fail closed', token(A, { cnf: {} })],
  ['confirmation', 'a confirmation that is a text', 'RFC 7800 3.1: a JSON object', token(A, { cnf: THUMBPRINT })],
  ['confirmation', 'a confirmation that is null', 'RFC 7800 3.1: a JSON object', token(A, { cnf: null })],
  ['confirmation', 'a thumbprint that is none', 'RFC 8705 3.1: base64url of SHA-256', token(A, { cnf: { 'x5t#S256': 'short' } })],
  ['confirmation', 'a thumbprint in a list', 'RFC 9449 6.1: a string', token(A, { cnf: { jkt: [THUMBPRINT] } }), withProof],
  ['confirmation', 'a key thumbprint that is a number', 'RFC 9449 6.1', token(A, { cnf: { jkt: 7 } })],
  ['unbound', 'not bound where it has to be', 'issue 4: requireBinding any', token(ANY, {}, { kid: undefined })],
  ['accepted', 'bound in any way', 'issue 4: requireBinding any', token(ANY, bound('x5t#S256'), { kid: undefined }), withCertificate],
  ['accepted', 'bound in the other way', 'issue 4: requireBinding any', token(ANY, bound('jkt'), { kid: undefined }), withProof],
  ['unbound', 'a certificate where a key is demanded', 'issue 4: requireBinding dpop', token(DPOP, bound('x5t#S256'), { kid: undefined }), withCertificate],
  ['accepted', 'a key where one is demanded', 'issue 4: requireBinding dpop', token(DPOP, bound('jkt'), { kid: undefined }), withProof],
  ['unbound', 'a key where a certificate is demanded', 'issue 4: requireBinding mtls', token(MTLS, bound('jkt'), { kid: undefined }), withProof],
  ['accepted', 'a certificate where one is demanded', 'issue 4: requireBinding mtls', token(MTLS, bound('x5t#S256'), { kid: undefined }), withCertificate],
]

export const ROWS: readonly Row[] = table.map(([expect, name, cites, sent, presented]) => ({
  name,
  cites,
  token: sent,
  expect,
  ...(presented === undefined ? {} : { presented }),
}))

/** The issuers and keys of the table, for tests that go further. */
export const PAPERS = { A, B, PLAIN, MAPPED, mapped, THUMBPRINT, actors } as const
