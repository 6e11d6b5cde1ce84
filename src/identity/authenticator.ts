// What the authenticators share: what a request presents, and how each of them answers.
import type { Denial } from '../core/denials.ts'
import type { HttpRequest } from '../core/http.ts'
import type { Principal } from '../core/principal.ts'
import type { Runtime } from '../core/runtime.ts'

/** A client certificate that nginx has verified and the service has checked again. */
export interface ClientCertificate {
  /** SHA-256 of the DER form, lower-case hex: names the peer and is what a deny list holds. */
  readonly fingerprint: string
  /** The same as base64url without padding: `x5t#S256` (RFC 8705 3.1). */
  readonly thumbprint: string
  readonly uris: readonly string[]
  readonly dnsNames: readonly string[]
  /** Milliseconds since the epoch. */
  readonly notBefore: number
  readonly notAfter: number
}

/** What came in the Authorization header, with everything that a token can be bound to. */
export interface Presented {
  readonly scheme: 'bearer' | 'dpop'
  /** Never leaves the authenticator. */
  readonly token: string
  readonly request: HttpRequest
  readonly certificate: ClientCertificate | undefined
  readonly runtime: Runtime
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** A principal, or why there is none. A Denial is known by its `code`. */
export type Verified = Principal | Denial

export const isDenial = (verified: Verified): verified is Denial => 'code' in verified

/** Decides alone about every Authorization header that it is responsible for. */
export interface TokenAuthenticator {
  /** By the form of the token alone, without checking it. */
  isResponsible(token: string): boolean
  authenticate(presented: Presented): Verified | Promise<Verified>
}

/** Checks a DPoP proof against the token that it came with and the key that the token is bound to (RFC 9449 4.3). */
export interface DpopVerifier {
  verify(presented: Presented, jkt: string): Denial | undefined | Promise<Denial | undefined>
}
