// The stage `identity`: the first responsible authenticator decides who calls, from the request head alone; the body stays unread.
import type { Call, Stage, Verdict } from '../core/call.ts'
import { type Denial, deny } from '../core/denials.ts'
import { type HttpRequest, header, retryAfter } from '../core/http.ts'
import type { Principal } from '../core/principal.ts'
import {
  type ClientCertificate,
  isDenial,
  type Presented,
  type TokenAuthenticator,
  type Verified,
} from './authenticator.ts'

export type Proof = 'oauth' | 'api-key' | 'mtls'

/** Reads the client certificate that nginx has forwarded and makes a principal of it. */
export interface CertificateAuthenticator {
  read(header: string): ClientCertificate | Denial
  principal(certificate: ClientCertificate): Verified
}

export interface IdentityOptions {
  /** Asked in turn; the first that is responsible for a token decides alone. */
  tokens: readonly TokenAuthenticator[]
  /** Undefined where certificates prove nothing here: no `auth.mtls`, or a TCP listener, where anybody could send the header. */
  certificates: CertificateAuthenticator | undefined
  /** All of these are demanded; empty = one is enough. */
  require: readonly Proof[]
  /** The caller where no authenticator is configured: TCP loopback only. */
  local: Principal | undefined
  /** Paths that tell how to get in, and hold nothing else. */
  isOpen(path: string): boolean
  /** Adds the WWW-Authenticate header. */
  challenge(denial: Denial): Denial
  /** The people who approve calls, at their own paths; undefined where there are none. */
  people?: PeopleCallers | undefined
  /** Milliseconds since the epoch. */
  now(): number
}

/** At these paths their tokens are the only proof that counts, and nowhere else do they count. */
export interface PeopleCallers {
  isTheirs(path: string): boolean
  authenticator: TokenAuthenticator
  challenge(denial: Denial): Denial
}

/** Header of nginx with the client certificate, URL-encoded PEM; read on the unix socket only. */
export const CERTIFICATE_HEADER = 'x-client-cert'

// RFC 6750 2.1 and RFC 9449 7.1: scheme, one space or more, b64token. Schemes are case-insensitive (RFC 9110 11.1).
const CREDENTIALS = /^(bearer|dpop) +([A-Za-z0-9\-._~+/]+=*)$/i
const QUERY_TOKEN = /(?:^|&)(?:access_token|token|api_?key|authorization)=/i

export function prepareIdentity(options: IdentityOptions): Stage {
  const { tokens, certificates, local, now } = options
  const demanded = new Set(options.require)

  return (call): Verdict | Promise<Verdict> => {
    const { request } = call
    // A browser's preflight never carries credentials (Fetch standard); `transport` lets no other OPTIONS through.
    if (request === undefined || request.method === 'OPTIONS' || options.isOpen(request.path))
      return undefined
    const people = options.people?.isTheirs(request.path) ? options.people : undefined
    // RFC 6750 2.3 is not offered: a query stands in logs and proxies.
    if (request.query !== '' && QUERY_TOKEN.test(request.query))
      return (people ?? options).challenge(deny('token_in_query'))
    if (people !== undefined) return person(call, request, people)
    if (local !== undefined) {
      call.principal = local
      return undefined
    }
    const verified = verify(call, request)
    return verified instanceof Promise
      ? verified.then((settled) => conclude(call, settled))
      : conclude(call, verified)
  }

  function conclude(call: Call, verified: Verified, challenge = options.challenge): Verdict {
    if (isDenial(verified)) return challenge(withRetryAfter(verified))
    call.principal = verified
    return undefined
  }

  /** No certificate, no API key, no token for agents, and nobody because of where the request comes from. */
  function person(call: Call, request: HttpRequest, people: PeopleCallers): Verdict | Promise<Verdict> {
    const { authenticator, challenge } = people
    const authorization = header(request, 'authorization')
    if (authorization === undefined) return challenge(deny('token_missing'))
    const presented = present(call, request, authorization, undefined)
    if ('code' in presented) return challenge(presented)
    if (!authenticator.isResponsible(presented.token)) return challenge(deny('token_invalid', NO_FORM))
    const verified = authenticator.authenticate(presented)
    return verified instanceof Promise
      ? verified.then((settled) => conclude(call, settled, challenge))
      : conclude(call, verified, challenge)
  }

  function verify(call: Call, request: HttpRequest): Verified | Promise<Verified> {
    const sent = certificates === undefined ? undefined : header(request, CERTIFICATE_HEADER)
    const read = sent === undefined || sent === '' ? undefined : certificates?.read(sent)
    const refused = read !== undefined && 'code' in read ? read : undefined
    const certificate = read === refused ? undefined : (read as ClientCertificate | undefined)
    const authorization = header(request, 'authorization')
    if (authorization === undefined) return refused ?? withoutToken(certificate)
    // A token decides alone: a certificate that does not hold binds nothing, and only one that was revoked on purpose stands in its way.
    if (refused?.code === 'token_revoked') return refused
    const presented = present(call, request, authorization, certificate)
    if ('code' in presented) return presented
    const authenticator = tokens.find((one) => one.isResponsible(presented.token))
    if (authenticator === undefined) return deny('token_invalid', NO_FORM)
    const verified = authenticator.authenticate(presented)
    if (demanded.size === 0) return verified
    return verified instanceof Promise
      ? verified.then((settled) => withBoth(settled, refused ?? certificate))
      : withBoth(verified, refused ?? certificate)
  }

  function withoutToken(certificate: ClientCertificate | undefined): Verified {
    if (certificate === undefined || certificates === undefined) return deny('token_missing')
    for (const proof of demanded) if (proof !== 'mtls') return deny('credential_missing', WANTED[proof])
    return certificates.principal(certificate)
  }

  /** `require` beyond the token itself: a certificate that makes a principal of the same tenant. */
  function withBoth(verified: Verified, certificate: ClientCertificate | Denial | undefined): Verified {
    if (isDenial(verified)) return verified
    if (demanded.has('mtls') && certificate !== undefined && 'code' in certificate) return certificate
    for (const proof of demanded) {
      if (proof === verified.method) continue
      if (
        proof !== 'mtls' ||
        certificate === undefined ||
        'code' in certificate ||
        certificates === undefined
      )
        return deny('credential_missing', WANTED[proof])
      const peer = certificates.principal(certificate)
      if (isDenial(peer)) return peer
      if (peer.tenant !== undefined && peer.tenant !== verified.tenant) return deny('identity_conflict')
    }
    return verified
  }

  function present(
    call: Call,
    request: HttpRequest,
    authorization: string,
    certificate: ClientCertificate | undefined,
  ): Presented | Denial {
    const match = CREDENTIALS.exec(authorization)
    if (match === null) {
      return /^(?:bearer|dpop)(?: |$)/i.test(authorization)
        ? deny('authorization_malformed', 'the scheme is not followed by one token')
        : // Another scheme is no token, good or bad (RFC 6750 3.1).
          deny('token_missing')
    }
    const scheme = (match[1] as string).length === 4 ? 'dpop' : 'bearer'
    return { scheme, token: match[2] as string, request, certificate, runtime: call.runtime, now: now() }
  }
}

const withRetryAfter = (denial: Denial): Denial =>
  denial.retryAfterMs === undefined
    ? denial
    : { ...denial, headers: { ...denial.headers, ...retryAfter(denial.retryAfterMs) } }

const NO_FORM = 'this service takes no credential of this form'
const WANTED: Record<Proof, string> = {
  oauth: 'an access token',
  'api-key': 'an API key',
  mtls: 'a client certificate',
}
