// Says in one sentence why a service could not be asked: the words behind connection and certificate error codes.
import { terminalPhrase } from '../core/terminal.ts'

/** A failure that a command reports with exit code 1; its message is a whole sentence, safe to show. */
export class ClientFailure extends Error {
  /** The service answered, and refused by this code of its table; undefined = it did not, or something in between refused. */
  readonly refusal: string | undefined
  constructor(message: string, refusal?: string) {
    super(message)
    this.refusal = refusal
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'it closed the connection',
  EPIPE: 'it closed the connection',
  UND_ERR_SOCKET: 'it closed the connection',
  ETIMEDOUT: 'it did not answer in time',
  UND_ERR_CONNECT_TIMEOUT: 'it did not answer in time',
  UND_ERR_HEADERS_TIMEOUT: 'it did not answer in time',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no route to it',
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name could not be looked up',
  ERR_ACCESS_DENIED: 'node runs with --permission and without --allow-net',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS',
  EPROTO: 'it does not speak TLS',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate authority is not trusted here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate authority is not trusted here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate authority is not trusted here',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  HPE_INVALID_CONSTANT: 'it does not speak HTTP',
  UND_ERR_HTTP_PARSER: 'it does not speak HTTP',
}

/** The reason behind an error of a connection; fetch wraps the real one in `cause`, a dual-stack dial in `errors`. */
export function connectionReason(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; depth++) {
    const code = 'code' in at ? String(at.code) : ''
    if (Object.hasOwn(REASONS, code)) return REASONS[code]
    if (code.startsWith('HPE_')) return 'it does not speak HTTP'
    if (code.startsWith('ERR_TLS') || code.startsWith('ERR_SSL') || code.startsWith('CERT_'))
      return `the TLS handshake failed (${code})`
    at = at.cause ?? (at instanceof AggregateError ? at.errors[0] : undefined)
  }
  return undefined
}

export function unreachable(url: string, error: unknown): ClientFailure {
  const reason = connectionReason(error) ?? 'the connection failed'
  return new ClientFailure(`${terminalPhrase(url)} cannot be reached: ${reason}.`)
}
