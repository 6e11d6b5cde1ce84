// Makes a throw-away certificate authority with a server and client certificates (P-256, one day), by openssl.
import { execFileSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { path } from './tools.ts'

export interface KeyPair {
  readonly cert: Buffer
  readonly key: Buffer
}

export interface Certificates {
  readonly ca: string
  readonly server: { readonly certFile: string; readonly keyFile: string }
  readonly client: KeyPair
  readonly caFile: string
  /** A client certificate with these subject alternative names, as openssl writes them: `URI:...`, `DNS:...`. */
  readonly issue: (names: string, change?: { readonly days?: number; readonly purpose?: string }) => KeyPair
  /** Another server certificate of the same authority, as a stem of its two files. */
  readonly issueServer: () => { readonly certFile: string; readonly keyFile: string }
  /** A revocation list with these certificates, as PEM; `ends` = "YYMMDDHHMMSSZ", in a day where it is left out. */
  readonly revocationList: (revoked: readonly KeyPair[], ends?: string) => string
}

/** The origin that agents are told; the server certificate names its host. */
export const PUBLIC_URL = 'https://mcp.example.test'
export const TRUST_DOMAIN = 'example.test'

export const agentId = (name: string): string => `spiffe://${TRUST_DOMAIN}/ns/agents/sa/${name}`

/** SHA-256 of the DER form, lower-case hex. */
export const fingerprintOf = ({ cert }: KeyPair): string =>
  createHash('sha256').update(new X509Certificate(cert).raw).digest('hex')

/** As nginx writes it in `$ssl_client_escaped_cert`. */
export const escapedOf = ({ cert }: KeyPair): string =>
  encodeURIComponent(new X509Certificate(cert).toString())

export function makeCertificates(folder: string, name: string): Certificates {
  const openssl = (...args: string[]): void => {
    execFileSync(path('openssl'), args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  }
  const file = (suffix: string): string => join(folder, `${name}-${suffix}`)
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc']
  openssl(
    ...['req', '-x509', ...newKey, '-days', '1', '-subj', `/CN=${name} test CA`],
    ...['-keyout', file('ca.key'), '-out', file('ca.crt')],
    ...['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
  )
  let issued = 0
  const issue = (kind: string, names: string, purpose: string, days = 1): string => {
    const stem = `${kind}-${++issued}`
    openssl(
      ...['req', '-new', ...newKey, '-subj', `/CN=${kind}`],
      ...['-keyout', file(`${stem}.key`), '-out', file(`${stem}.csr`)],
    )
    const extensions = file(`${stem}.ext`)
    writeFileSync(
      extensions,
      `basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=${purpose}\nsubjectAltName=${names}\n`,
    )
    openssl(
      ...['x509', '-req', '-in', file(`${stem}.csr`), '-CA', file('ca.crt'), '-CAkey', file('ca.key')],
      ...['-CAcreateserial', '-days', String(days), '-extfile', extensions, '-out', file(`${stem}.crt`)],
    )
    return file(stem)
  }
  const pair = (stem: string): KeyPair => ({
    cert: readFileSync(`${stem}.crt`),
    key: readFileSync(`${stem}.key`),
  })
  const issueServer = () => {
    const names = `DNS:localhost,DNS:${new URL(PUBLIC_URL).hostname},IP:127.0.0.1`
    const stem = issue('server', names, 'serverAuth')
    return { certFile: `${stem}.crt`, keyFile: `${stem}.key` }
  }
  let lists = 0
  const revocationList = (revoked: readonly KeyPair[], ends?: string): string => {
    const stem = file(`list-${++lists}`)
    writeFileSync(`${stem}.txt`, '')
    const number = `crlnumber = ${stem}.number\n`
    writeFileSync(`${stem}.number`, '01\n')
    writeFileSync(
      `${stem}.cnf`,
      `[ca]\ndefault_ca = it\n[it]\ndatabase = ${stem}.txt\n${number}default_md = sha256\ndefault_crl_days = 1\n`,
    )
    const authority = ['-config', `${stem}.cnf`, '-cert', file('ca.crt'), '-keyfile', file('ca.key')]
    for (const { cert } of revoked) {
      writeFileSync(`${stem}.crt`, cert)
      openssl('ca', ...authority, '-revoke', `${stem}.crt`)
    }
    const dates = ends === undefined ? [] : ['-crl_lastupdate', '200101000000Z', '-crl_nextupdate', ends]
    openssl('ca', ...authority, '-gencrl', ...dates, '-out', `${stem}.pem`)
    return readFileSync(`${stem}.pem`, 'utf8')
  }
  return {
    ca: readFileSync(file('ca.crt'), 'utf8'),
    caFile: file('ca.crt'),
    server: issueServer(),
    client: pair(issue('client', `URI:${agentId('a1')}`, 'clientAuth')),
    issue: (names, { days, purpose = 'clientAuth' } = {}) => pair(issue('client', names, purpose, days)),
    issueServer,
    revocationList,
  }
}
