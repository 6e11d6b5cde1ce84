// Makes a throw-away certificate authority with a server and a client certificate (P-256, one day), by openssl.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { path } from './tools.ts'

export interface Certificates {
  readonly ca: string
  readonly server: { readonly certFile: string; readonly keyFile: string }
  readonly client: { readonly cert: Buffer; readonly key: Buffer }
  readonly caFile: string
}

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
  const issue = (kind: 'server' | 'client', san: string): void => {
    openssl(
      ...['req', '-new', ...newKey, '-subj', `/CN=${kind}`],
      ...['-keyout', file(`${kind}.key`), '-out', file(`${kind}.csr`)],
    )
    const extensions = file(`${kind}.ext`)
    writeFileSync(
      extensions,
      `basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=${kind}Auth\nsubjectAltName=${san}\n`,
    )
    openssl(
      ...['x509', '-req', '-in', file(`${kind}.csr`), '-CA', file('ca.crt'), '-CAkey', file('ca.key')],
      ...['-CAcreateserial', '-days', '1', '-extfile', extensions, '-out', file(`${kind}.crt`)],
    )
  }
  issue('server', 'DNS:localhost,IP:127.0.0.1')
  issue('client', 'URI:spiffe://example.test/agent')
  return {
    ca: readFileSync(file('ca.crt'), 'utf8'),
    caFile: file('ca.crt'),
    server: { certFile: file('server.crt'), keyFile: file('server.key') },
    client: { cert: readFileSync(file('client.crt')), key: readFileSync(file('client.key')) },
  }
}
