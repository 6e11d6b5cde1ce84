// Names and rows that the configuration or an earlier check would have refused: the later check holds by itself.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { HttpRequest } from '../../../src/core/http.ts'
import { authSection } from '../../../src/identity/config.ts'
import { createCertificates } from '../../../src/identity/mtls/index.ts'
import { parseSpiffeId } from '../../../src/identity/mtls/names.ts'
import { AGENT, client, refusal, setUp } from './lib/setup.ts'
import { basicConstraints, CA_USAGE, escaped, keyUsage } from './lib/x509.ts'

const request = (certificate: string): HttpRequest =>
  ({ headers: { 'x-client-cert': certificate, 'x-real-ip': '192.0.2.7' }, raw: [] }) as unknown as HttpRequest

it('a SPIFFE ID has at most 2048 characters', () => {
  const id = `spiffe://example.test/${'a'.repeat(2048)}`
  assert.equal(parseSpiffeId(id.slice(0, 2048))?.trustDomain, 'example.test')
  assert.equal(parseSpiffeId(id.slice(0, 2049)), undefined)
})

it('a certificate that is refused names the peer all the same', () => {
  const certificates = setUp()
  const authority = client([['uri', AGENT]], { extensions: [basicConstraints(true), keyUsage(CA_USAGE)] })
  assert.match(refusal(certificates.read(escaped(authority))), /authority/)
  assert.match(certificates.peerOf(request(escaped(authority))), /^[0-9a-f]{64}$/)
  assert.equal(certificates.peerOf(request('')), '192.0.2.7')
})

describe('a row of the map that is no name', () => {
  const section = (row: object) =>
    authSection.safeParse({
      mtls: { ca: { file: 'ca.pem' }, trustDomains: ['example.test'], map: [{ roles: ['r'], ...row }] },
    })
  for (const row of [
    { uri: 'spiffe://example.test/ns/**' },
    { uri: 'spiffe://*/ns/a' },
    { uri: 'spiffe://example.test' },
    { uri: 'no name' },
    { dns: 'a..b' },
    { dns: 'a**.example.com' },
  ])
    it(JSON.stringify(row), () => {
      const parsed = section(row)
      assert.equal(parsed.success, false)
      const options = {
        ca: { file: 'ca.pem' },
        trustDomains: [],
        skew: 0,
        map: [{ roles: [], scopes: [], ...row }],
      }
      const ports = { now: () => 0, revocations: { isRevoked: () => false } }
      assert.throws(() => createCertificates(options, ports), TypeError)
    })
  it('good ones are taken', () => {
    assert.equal(section({ uri: 'spiffe://example.test/ns/*' }).success, true)
    assert.equal(section({ dns: 'agent-*.example.com' }).success, true)
  })
})
