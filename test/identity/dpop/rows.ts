// The proofs that are refused, one row a sentence of RFC 9449 (or of what it builds on); a mutation run over the code has to make one fail.
import { createHmac, generateKeyPairSync } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import {
  athOf,
  claimsOf,
  compact,
  freshJti,
  headerOf,
  NOW,
  newPair,
  type Pair,
  PUBLIC_URL,
  pairOf,
  proofOf,
  type Sent,
  TOKEN,
} from './lib.ts'

export const EC = await newPair('ES256')
export const OTHER = await newPair('ES256')
const RSA = await newPair('RS256')
const SMALL = await pairOf('RS256', generateKeyPairSync('rsa', { modulusLength: 1024 }))

const SECONDS = NOW / 1000

/** `text`: the proof as it is sent, where header and claims cannot say it. */
export interface Row {
  rule: string
  what: string
  claims?: Record<string, unknown>
  header?: Record<string, unknown>
  pair?: Pair
  /** Key that the token is bound to; the pair's where nothing is said. */
  jkt?: string
  text?: () => string
  sent?: (proof: string) => Sent
  detail: RegExp
}

const without = (name: string): string => {
  const claims = claimsOf()
  delete claims[name]
  return compact(EC, headerOf(EC), claims)
}

/** HMAC with the public key as the secret: the classic confusion. */
function confused(): string {
  const head = Buffer.from(JSON.stringify(headerOf(EC, { alg: 'HS256' }))).toString('base64url')
  const body = Buffer.from(JSON.stringify(claimsOf())).toString('base64url')
  const mac = createHmac('sha256', JSON.stringify(EC.jwk)).update(`${head}.${body}`).digest('base64url')
  return `${head}.${body}.${mac}`
}

/** The same signature, with its spare bits set. */
function otherLastCharacter(proof: string): string {
  const last = proof.at(-1) as string
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  // 64 bytes leave four spare bits in the last of 86 characters.
  return proof.slice(0, -1) + alphabet[alphabet.indexOf(last) ^ 1]
}

function withForeignSignature(): string {
  const claims = claimsOf()
  const foreign = compact(OTHER, headerOf(EC), claims)
  return compact(EC, headerOf(EC), claims).replace(/\.[^.]+$/, foreign.slice(foreign.lastIndexOf('.')))
}

// biome-ignore format: a table, one row a line
export const REFUSED: readonly Row[] = [
  { rule: '4.3 (1) "not more than one DPoP HTTP request header field"', what: 'two headers', sent: (proof) => ({ raw: ['DPoP', proof, 'dpop', proof] }), detail: /one DPoP header/ },
  { rule: '4.3 (1)', what: 'two proofs in one header', text: () => `${proofOf(EC)}, ${proofOf(EC)}`, detail: /not a JWT/ },
  { rule: '7.1 "the request MUST include a DPoP proof"', what: 'no header', sent: () => ({ raw: ['Host', 'mcp.example.com'] }), detail: /one DPoP header/ },
  { rule: '4.3 (2) "a single and well-formed JWT"', what: 'an empty header', text: () => '', detail: /not a JWT/ },
  { rule: '4.3 (2)', what: 'two parts', text: () => proofOf(EC).split('.').slice(0, 2).join('.'), detail: /not a JWT/ },
  { rule: '4.3 (2)', what: 'four parts', text: () => `${proofOf(EC)}.e30`, detail: /not a JWT/ },
  { rule: '4.3 (2), RFC 7515 2 "without padding"', what: 'padding', text: () => `${proofOf(EC)}==`, detail: /not a JWT/ },
  { rule: '4.3 (2), RFC 4648 3.5', what: 'another spelling of the same signature', text: () => otherLastCharacter(proofOf(EC)), detail: /not a JWT/ },
  { rule: '4.3 (2)', what: 'a header that is no JSON', text: () => compact(EC, '{', claimsOf()), detail: /header is not exact JSON/ },
  { rule: '4.3 (2), RFC 7515 4 "Header Parameter names MUST be unique"', what: 'a header member twice', text: () => compact(EC, `{"typ":"dpop+jwt","typ":"dpop+jwt","alg":"ES256","jwk":${JSON.stringify(EC.jwk)}}`, claimsOf()), detail: /header is not exact JSON/ },
  { rule: '4.3 (2), RFC 7519 4 "Claim Names within a JWT Claims Set MUST be unique"', what: 'a claim twice', text: () => compact(EC, headerOf(EC), JSON.stringify(claimsOf()).replace('{', `{"jti":"${freshJti()}",`)), detail: /payload is not exact JSON/ },
  { rule: '4.3 (2)', what: 'a payload that is an array', text: () => compact(EC, headerOf(EC), '[]'), detail: /payload is not exact JSON/ },
  { rule: '4.3 (2)', what: 'a payload that is not UTF-8', text: () => compact(EC, headerOf(EC), Buffer.from(JSON.stringify(claimsOf({ jti: `\xff${freshJti()}` })), 'latin1')), detail: /payload is not exact JSON/ },
  { rule: '4.3 (2), bounded', what: 'a proof over 4 KiB', text: () => proofOf(EC, { more: 'x'.repeat(4096) }), detail: /longer than 4 KiB/ },
  ...['jti', 'htm', 'htu', 'iat', 'ath'].map((name): Row => ({ rule: '4.3 (3) "All required claims per Section 4.2 are contained in the JWT"', what: `no ${name}`, text: () => without(name), detail: new RegExp(`its ${name} `) })),
  { rule: '4.2 jti "Unique identifier"', what: 'an empty jti', claims: { jti: '' }, detail: /its jti/ },
  { rule: '4.2 jti', what: 'a jti that is a number', claims: { jti: 7 }, detail: /its jti/ },
  { rule: '4.2 jti, 11.1 bounded', what: 'a jti of 129 characters', claims: { jti: 'j'.repeat(129) }, detail: /its jti/ },
  { rule: '4.3 (4) "typ ... has the value dpop+jwt"', what: 'typ JWT', header: { typ: 'JWT' }, detail: /its typ/ },
  { rule: '4.3 (4)', what: 'typ at+jwt', header: { typ: 'at+jwt' }, detail: /its typ/ },
  { rule: '4.3 (4)', what: 'no typ', header: { typ: undefined }, detail: /its typ/ },
  { rule: '4.3 (5) "alg ... is not none"', what: 'alg none', text: () => `${Buffer.from(JSON.stringify(headerOf(EC, { alg: 'none' }))).toString('base64url')}.${Buffer.from(JSON.stringify(claimsOf())).toString('base64url')}.`, detail: /not a JWT/ },
  { rule: '4.3 (5)', what: 'alg none with a signature', header: { alg: 'none' }, detail: /its alg/ },
  { rule: '4.3 (5) "a registered asymmetric digital signature algorithm"', what: 'alg HS256 with the public key as secret', text: confused, detail: /its alg/ },
  { rule: '4.3 (5)', what: 'an unknown alg', header: { alg: 'ES256K' }, detail: /its alg/ },
  { rule: '4.3 (5)', what: 'no alg', header: { alg: undefined }, detail: /its alg/ },
  { rule: '4.3 (5), RFC 8725 3.1', what: 'alg of another key type', header: { alg: 'RS256' }, detail: /does not fit/ },
  { rule: '4.3 (5), RFC 7518 3.4', what: 'alg of another curve', header: { alg: 'ES384' }, detail: /does not fit/ },
  { rule: '4.3 (5), RFC 7518 3.3 "A key of size 2048 bits or larger MUST be used"', what: 'RSA with 1024 bits', pair: SMALL, detail: /signature/ },
  { rule: '4.3 (5), bounded', what: 'RSA with an exponent as long as the modulus', header: { alg: 'RS256', jwk: { kty: 'RSA', n: RSA.jwk.n, e: RSA.jwk.n } }, detail: /not a key/ },
  { rule: '4.3 (6) "The JWT signature verifies with the public key contained in the jwk"', what: 'the signature of another key', text: withForeignSignature, detail: /signature/ },
  { rule: '4.3 (6)', what: 'a signature that is too short', text: () => proofOf(EC).replace(/\.[^.]+$/, '.AAAA'), detail: /signature/ },
  { rule: '4.3 (6)', what: 'a point that is not on the curve', header: { jwk: { ...EC.jwk, y: 'A'.repeat(43) } }, jkt: await calculateJwkThumbprint({ ...EC.jwk, y: 'A'.repeat(43) }), detail: /signature/ },
  { rule: '4.2 jwk', what: 'no jwk', header: { jwk: undefined }, detail: /its jwk/ },
  { rule: '4.2 jwk', what: 'a jwk that is a text', header: { jwk: 'key' }, detail: /its jwk/ },
  { rule: '4.2 jwk, RFC 7518 6.2.1.3', what: 'a short second coordinate', header: { jwk: { ...EC.jwk, y: EC.jwk.y?.slice(1) } }, detail: /not a key/ },
  { rule: '4.2 jwk, RFC 7518 6.2.1.2', what: 'a short coordinate', header: { jwk: { ...EC.jwk, x: EC.jwk.x?.slice(1) } }, detail: /not a key/ },
  { rule: '4.2 jwk', what: 'a coordinate that would end the text of the thumbprint', header: { jwk: { ...EC.jwk, x: `"${'A'.repeat(42)}` } }, detail: /not a key/ },
  { rule: '4.3 (7) "does not contain a private key"', what: 'a private key', header: { jwk: { ...EC.jwk, d: 'AAAA' } }, detail: /not a public key/ },
  { rule: '4.3 (7)', what: 'a prime of a private key', pair: RSA, header: { jwk: { ...RSA.jwk, p: 'AAAA' } }, detail: /not a public key/ },
  { rule: '4.2 jwk "MUST NOT contain a private key", 4.3 (5)', what: 'a symmetric key', header: { jwk: { kty: 'oct', k: 'AAAA' } }, detail: /not a public key/ },
  { rule: '4.3 (8) "The htm claim matches the HTTP method of the current request"', what: 'another method', claims: { htm: 'GET' }, detail: /its htm/ },
  { rule: '4.3 (8), RFC 9110 9.1 "case-sensitive"', what: 'the method in small letters', claims: { htm: 'post' }, detail: /its htm/ },
  { rule: '4.3 (9) "The htu claim matches the HTTP URI value"', what: 'another path', claims: { htu: `${PUBLIC_URL}/v1/tools` }, detail: /its htu/ },
  { rule: '4.3 (9)', what: 'a slash more', claims: { htu: `${PUBLIC_URL}/mcp/` }, detail: /its htu/ },
  { rule: '4.3 (9)', what: 'another case of the path', claims: { htu: `${PUBLIC_URL}/MCP` }, detail: /its htu/ },
  { rule: '4.3 (9)', what: 'http', claims: { htu: 'http://mcp.example.com/mcp' }, detail: /its htu/ },
  { rule: '4.3 (9)', what: 'another port', claims: { htu: `${PUBLIC_URL}:8443/mcp` }, detail: /its htu/ },
  { rule: '4.3 (9)', what: 'the host of the Host header', claims: { htu: 'https://evil.example/mcp' }, detail: /its htu/ },
  { rule: '4.3 (9)', what: 'a user before the host', claims: { htu: 'https://a@mcp.example.com/mcp' }, detail: /its htu/ },
  { rule: '4.3 (9)', what: 'a backslash for a slash', claims: { htu: 'https://mcp.example.com\\mcp' }, detail: /its htu/ },
  { rule: '4.3 (9)', what: 'backslashes', claims: { htu: 'https:\\\\mcp.example.com\\mcp' }, detail: /its htu/ },
  { rule: '4.3 (9)', what: 'a path alone', claims: { htu: '/mcp' }, detail: /its htu/ },
  { rule: '4.3 (9)', what: 'an encoded slash for a slash', claims: { htu: `${PUBLIC_URL}/v1%2Ftools` }, sent: (proof) => ({ raw: ['DPoP', proof], path: '/v1/tools' }), detail: /its htu/ },
  { rule: '4.3 (11) "within an acceptable window"', what: 'a proof of 61 seconds ago', claims: { iat: SECONDS - 61 }, detail: /its iat/ },
  { rule: '4.3 (11)', what: 'a proof of 61 seconds ahead', claims: { iat: SECONDS + 61 }, detail: /its iat/ },
  { rule: '4.3 (11)', what: 'milliseconds for seconds', claims: { iat: NOW }, detail: /its iat/ },
  { rule: '4.3 (11)', what: 'a time in text', claims: { iat: String(SECONDS) }, detail: /its iat/ },
  { rule: '4.3 (11)', what: 'a time beyond all numbers', text: () => compact(EC, headerOf(EC), JSON.stringify(claimsOf()).replace(/"iat":\d+/, '"iat":1e999')), detail: /payload is not exact JSON/ },
  { rule: 'RFC 7519 4.1.4 "MUST NOT be accepted for processing"', what: 'a proof that has expired', claims: { exp: SECONDS }, detail: /expired/ },
  { rule: 'RFC 7519 4.1.4', what: 'an end that is no time', claims: { exp: 'never' }, detail: /expired/ },
  { rule: 'RFC 7519 4.1.5', what: 'a proof for later', claims: { nbf: SECONDS + 1 }, detail: /not valid yet/ },
  { rule: '4.3 (12) "the value of the ath claim equals the hash of that access token"', what: 'the hash of another token', claims: { ath: athOf('another') }, detail: /its ath/ },
  { rule: '4.3 (12), 4.2 ath "base64url"', what: 'the hash in hex', claims: { ath: Buffer.from(athOf(TOKEN), 'base64url').toString('hex') }, detail: /its ath/ },
  { rule: '4.3 (12) "the public key to which the access token is bound matches"', what: 'another key', pair: OTHER, jkt: EC.jkt, detail: /not the one that the token is bound to/ },
  { rule: 'RFC 7515 4.1.11 "MUST understand"', what: 'a critical extension', header: { crit: ['b64'], b64: false }, detail: /critical/ },
]
