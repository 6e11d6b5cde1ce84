// Why an access token is refused: the closed set of sentences that fill the detail of `token_invalid` and `proof_invalid`.

/** None holds anything of the token. */
export const REASONS = {
  size: 'it is larger than auth.oauth.maxTokenBytes',
  form: 'it is not a signed JWT of three base64url parts',
  header: 'its header is not one exact JSON object',
  headerMember: 'its header has a member that this service does not process',
  payload: 'its payload is not one exact JSON object',
  issuer: 'its issuer is not one that this service trusts',
  type: 'its type is not that of an access token',
  idToken: 'it looks like an ID token, not like an access token',
  algorithm: 'its signature algorithm is not accepted from this issuer',
  key: 'its issuer does not publish a key that fits it',
  signature: 'its signature is not valid',
  expiry: 'it names no time of expiry',
  expired: 'it has expired',
  notYet: 'it is not valid yet',
  issuedAt: 'its time of issue is missing or in the future',
  lifetime: 'it is valid for longer than auth.oauth.maxLifetime',
  audience: 'it was issued for another service',
  subject: 'it names no usable subject',
  client: 'it names no usable client',
  tokenId: 'it names no usable token id',
  tenant: 'it names no usable tenant',
  roles: 'its roles are malformed or too many',
  scopes: 'its scopes are malformed or too many',
  actors: 'its chain of actors is malformed or too long',
  confirmation: 'it is bound to its sender in a way that this service cannot check',
  unbound: 'it is not bound to its sender in the way that this service demands',
  scheme: 'it is not bound to a DPoP key, so it cannot be sent with the scheme DPoP',
} as const

export type Reason = keyof typeof REASONS

/** For `proof_invalid`. */
export const PROOF_REASONS = {
  bearer: 'the token was sent as Bearer, not as DPoP with a proof',
  certificate: 'the client certificate is missing or not the one that the token names',
} as const
