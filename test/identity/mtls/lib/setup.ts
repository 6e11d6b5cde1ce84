// Certificates under test: one root, a map of two rows, a clock and a deny list that a test moves.
import assert from 'node:assert/strict'
import type { RevocationKind } from '../../../../src/core/runtime.ts'
import { type Certificates, createCertificates, type MapRow } from '../../../../src/identity/mtls/index.ts'
import * as x509 from './x509.ts'

export const AGENT = 'spiffe://example.test/ns/agents/sa/a1'
export const MAP: readonly MapRow[] = [
  { uri: 'spiffe://example.test/ns/agents/sa/*', tenant: 'acme', roles: ['agent'], scopes: ['ductape:read'] },
  { dns: 'agent-*.example.com', subject: 'fleet', roles: ['fleet'], scopes: [] },
]

export const root = x509.makeAuthority()

/** A client certificate that the root has issued. */
export const client = (names: x509.Names, recipe?: x509.Recipe): x509.Made =>
  x509.makeClient(root, names, recipe)

export interface UnderTest extends Certificates {
  readonly clock: { at: number }
  revoke(kind: RevocationKind, value: string): void
}

export function setUp(options: { pem?: string; map?: readonly MapRow[]; skew?: number } = {}): UnderTest {
  const revoked = new Set<string>()
  const clock = { at: x509.NOW }
  const certificates = createCertificates(
    {
      ca: { file: 'ca.crt' },
      trustDomains: ['example.test'],
      skew: options.skew ?? 30_000,
      map: options.map ?? MAP,
    },
    {
      now: () => clock.at,
      revocations: { isRevoked: (kind, value) => revoked.has(`${kind} ${value}`) },
    },
  )
  assert.equal(certificates.reload(Buffer.from(options.pem ?? root.pem)), undefined)
  return {
    ...certificates,
    clock,
    revoke: (kind, value) => void revoked.add(`${kind} ${value}`),
  }
}

/** The detail of a refusal; fails where the certificate was taken. */
export function refusal(answer: object): string {
  assert.ok('code' in answer, `taken: ${JSON.stringify(answer)}`)
  assert.equal(answer.code, 'certificate_refused')
  return (answer as { detail?: string }).detail ?? ''
}
