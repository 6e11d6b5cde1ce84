// Signs as RFC 7518 and 8037 say, apart from the code under test.
import { constants, type KeyObject, sign as signBytes } from 'node:crypto'

const digestOf = (alg: string): string | null => (alg.startsWith('Ed') ? null : `sha${alg.slice(-3)}`)

export function sign(alg: string, key: KeyObject, text: string): string {
  if (alg === 'none') return ''
  const pss = alg.startsWith('PS')
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : {}
  return signBytes(digestOf(alg), Buffer.from(text), { key, dsaEncoding: 'ieee-p1363', ...pss }).toString(
    'base64url',
  )
}
