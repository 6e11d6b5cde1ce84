// Checks DPoP proofs: that the sender of a token holds the key which the token is bound to (RFC 9449 4.3).
import { isUtf8 } from 'node:buffer'
import { hash } from 'node:crypto'
import { type Denial, deny } from '../../core/denials.ts'
import type { Fleet } from '../../core/fleet.ts'
import type { HttpRequest } from '../../core/http.ts'
import { type JsonObject, parseObject } from '../../core/json.ts'
import { type Store, StoreUnavailable } from '../../core/store.ts'
import type { DpopVerifier, Presented } from '../authenticator.ts'
import { DPOP_ALGORITHMS, type ProofKey, readProofKey, signatureHolds } from './jwk.ts'
import { isFreshNonce, nonceAt } from './nonce.ts'
import { normaliseUri } from './uri.ts'

export { DPOP_ALGORITHMS }

export interface DpopOptions {
  /** Origin under which agents reach the service: the only source of the expected `htu`, never the Host header. */
  publicUrl: string
  /** How far `iat` may lie from now, before or after, in milliseconds. */
  maxAge: number
  /** `required`: every proof carries a nonce of ours (RFC 9449 9). */
  nonce: 'off' | 'required'
  /** Remembers each `jti` for as long as its proof could be accepted. */
  store: Store
  fleet: Fleet
}

interface Proof {
  readonly key: ProofKey
  readonly claims: JsonObject
  readonly signature: Buffer
  /** What was signed: header and payload as they were sent. */
  readonly signed: string
}

/** Bytes of a proof; one with an RSA key of 4096 bits has some 2 KiB. */
const MAX_PROOF = 4096
const MAX_JTI = 128
/** The clocks of two replicas may differ by this much, in milliseconds, before one of them would take a proof that another has seen. */
const CLOCK_SLACK = 5000

const COMPACT = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/

/** Refusals are `proof_invalid`, `proof_nonce` (with its headers) and `store_unavailable`. */
export function createDpop(options: DpopOptions): DpopVerifier {
  const { publicUrl, maxAge, nonce, store, fleet } = options

  /** What is wrong with the claims, in words of ours. */
  function claimFault({ claims }: Proof, { request, token, now }: Presented): string | undefined {
    const { jti, htm, htu, iat, ath, exp, nbf } = claims
    if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI)
      return 'its jti is not a text of 1 to 128 characters'
    if (htm !== request.method) return 'its htm is not the method of this request'
    if (typeof htu !== 'string' || !isSameTarget(htu, request))
      return 'its htu is not the URI of this request'
    if (typeof iat !== 'number') return 'its iat is not a time'
    if (Math.abs(now - iat * 1000) > maxAge) return 'its iat is not recent; is the clock right?'
    // Neither is asked for, but a JWT that says it is over is over (RFC 7519 4.1.4, 4.1.5).
    if (exp !== undefined && !(typeof exp === 'number' && now < exp * 1000)) return 'it has expired'
    if (nbf !== undefined && !(typeof nbf === 'number' && now >= nbf * 1000)) return 'it is not valid yet'
    if (ath !== hash('sha256', token, 'base64url')) return 'its ath is not the hash of this access token'
    return undefined
  }

  function isSameTarget(htu: string, request: HttpRequest): boolean {
    const expected = publicUrl + request.path
    if (htu === expected) return true
    const normal = normaliseUri(htu)
    return normal !== undefined && normal === normaliseUri(expected)
  }

  return {
    // The cheap checks come first and the jti comes last: a proof that is refused must not use up the jti of a good one.
    verify(presented, jkt) {
      const proof = readProof(presented.request)
      if (typeof proof === 'string') return invalid(proof)
      const { now } = presented
      const fault = claimFault(proof, presented)
      if (fault !== undefined) return invalid(fault)
      if (proof.key.thumbprint !== jkt) return invalid('its key is not the one that the token is bound to')
      if (nonce === 'required' && !isFreshNonce(fleet, proof.claims['nonce'], now))
        return nonceNeeded(nonceAt(fleet, now))
      if (!signatureHolds(proof.key, proof.signed, proof.signature))
        return invalid('its signature does not hold')
      // Hashed, so that the entry is short and says nothing about the caller.
      const entry = `dpop:${hash('sha256', `${jkt} ${proof.claims['jti']}`, 'base64url')}`
      // An iat of now + maxAge is accepted until now + 2 maxAge.
      return store.setIfAbsent(entry, '1', 2 * maxAge + CLOCK_SLACK).then(judgeUse, judgeFailure)
    },
  }
}

const invalid = (fault: string): Denial => deny('proof_invalid', fault)

const judgeUse = (fresh: boolean): Denial | undefined =>
  fresh ? undefined : invalid('its jti was used before')

function judgeFailure(error: unknown): Denial {
  if (error instanceof StoreUnavailable) return deny('store_unavailable')
  throw error
}

const nonceNeeded = (value: string): Denial => ({
  code: 'proof_nonce',
  headers: {
    'dpop-nonce': value,
    'www-authenticate': `DPoP realm="ductape-mcp", error="use_dpop_nonce", error_description="The proof needs the nonce of this service.", algs="${DPOP_ALGORITHMS.join(' ')}"`,
  },
})

/** The proof with everything checked that needs neither the request nor the token; or what is wrong with it. */
function readProof(request: HttpRequest): Proof | string {
  const text = soleProof(request.raw)
  if (text === undefined) return 'there has to be one DPoP header'
  if (text.length > MAX_PROOF) return 'it is longer than 4 KiB'
  const parts = COMPACT.exec(text)
  if (parts === null) return 'it is not a JWT'
  const [, head = '', body = '', tail = ''] = parts
  const signature = Buffer.from(tail, 'base64url')
  // Two spellings of one signature would be two proofs; header and payload are signed as they are spelled.
  if (signature.toString('base64url') !== tail) return 'it is not a JWT'
  const header = readObject(head)
  if (header === undefined) return 'its header is not exact JSON'
  if (header['typ'] !== 'dpop+jwt') return 'its typ is not dpop+jwt'
  if (header['crit'] !== undefined) return 'it names a critical extension'
  const key = readProofKey(header['alg'], header['jwk'])
  if (typeof key === 'string') return key
  const claims = readObject(body)
  if (claims === undefined) return 'its payload is not exact JSON'
  return { key, claims, signature, signed: text.slice(0, head.length + 1 + body.length) }
}

/** The header where there is exactly one: Node would join two into one text. */
function soleProof(raw: readonly string[]): string | undefined {
  let found: string | undefined
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] as string
    if (name.length !== 4 || name.toLowerCase() !== 'dpop') continue
    if (found !== undefined) return undefined
    found = raw[i + 1]
  }
  return found
}

function readObject(encoded: string): JsonObject | undefined {
  const bytes = Buffer.from(encoded, 'base64url')
  return isUtf8(bytes) ? parseObject(bytes.toString('utf8')) : undefined
}
