// The config section `auth.mtls`: which authorities and trust domains vouch for client certificates, and whose certificate is which caller.
import * as z from 'zod'
import { duration, fileReference, judged, list } from '../../config/fields.ts'
import { compilePattern, isSpiffe, isTrustDomain, parseSpiffeId } from './names.ts'

const FAULTS = {
  'two stars in one segment': 'has more than one star in a segment',
  'star before the path': 'has a star before its path',
  'not a name': 'is not a name that a certificate can have',
  'not a SPIFFE ID of a workload': 'is not the SPIFFE ID of a workload: spiffe://TRUST-DOMAIN/PATH',
} as const

const namePattern = (kind: 'uri' | 'dns', example: string, pattern: string) =>
  judged(
    {
      type: `${kind === 'uri' ? 'URI' : 'DNS name'}, with a star for a part of a segment`,
      expects: `a name such as "${example}"`,
      fix: `Write a name such as "${example}"; a star stands for one or more characters of one segment.`,
    },
    {
      pattern,
      fault: (text) => {
        const compiled = compilePattern(kind, text)
        return typeof compiled === 'string' ? FAULTS[compiled] : undefined
      },
    },
  )

// RFC 6749 3.3, scope-token; roles and tenants are spelled with the same characters.
const TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/

const word = (noun: string, max: number) =>
  judged(
    {
      type: `${noun}, at most ${max} characters`,
      expects: `a ${noun}`,
      fix: `Write a ${noun} of visible ASCII characters without space, quote or backslash.`,
    },
    {
      max,
      pattern: TOKEN.source,
      fault: (text) => (TOKEN.test(text) ? undefined : `must be a ${noun} of visible ASCII characters`),
    },
  )

const trustDomain = () =>
  judged(
    {
      type: 'SPIFFE trust domain',
      expects: 'a trust domain such as "example.com"',
      fix: 'Write it without scheme and path, in lower case: "example.com".',
    },
    {
      max: 255,
      pattern: '^[a-z0-9._-]+$',
      fault: (text) =>
        isTrustDomain(text) ? undefined : 'must be a trust domain: lower-case letters, digits, . _ -',
    },
  )

const row = z
  .strictObject({
    uri: namePattern('uri', 'spiffe://example.com/ns/agents/sa/*', '^[A-Za-z][A-Za-z0-9+.-]*:.+$')
      .optional()
      .describe('URI of the certificate (subject alternative name), such as a SPIFFE ID'),
    dns: namePattern('dns', 'agent-*.example.com', '^[a-z0-9_.*-]+$')
      .optional()
      .describe('DNS name of the certificate (subject alternative name), in lower case'),
    subject: word('subject', 255)
      .optional()
      .describe('Name of the caller in records and revocations, in place of the name in the certificate'),
    tenant: word('tenant', 128).optional().describe('Tenant of the caller'),
    roles: list(word('role', 128), 'roles', 100)
      .prefault([])
      .describe('Roles of the caller, as the policy names them'),
    scopes: list(word('scope', 128), 'scopes', 100)
      .prefault([])
      .describe('Scopes of the caller; an effect beyond reading needs one'),
  })
  .superRefine(({ uri, dns }, context) => {
    if ((uri === undefined) === (dns === undefined))
      context.addIssue({
        code: 'custom',
        message: 'must have one of uri and dns',
        params: { fix: 'Write the name that the certificates have under one of the two.' },
      })
  })

export const mtlsSection = z
  .strictObject({
    ca: fileReference().describe(
      'PEM file with the certificate authorities of the clients, roots and intermediates; the same that nginx verifies against',
    ),
    trustDomains: list(trustDomain(), 'trust domains', 64)
      .prefault([])
      .describe('SPIFFE trust domains that are accepted; with none, no certificate with a SPIFFE ID is'),
    skew: duration({ min: '0s', max: '2m' })
      .prefault('30s')
      .describe('Tolerance of the dates in certificates, for clocks that differ'),
    map: list(row, 'rows', 256)
      .prefault([])
      .describe(
        'Whose certificate is which caller, the first row that fits; one that fits none only binds tokens',
      ),
  })
  .superRefine(({ trustDomains, map }, context) => {
    for (const [index, { uri }] of map.entries()) {
      const domain =
        uri !== undefined && isSpiffe(uri) ? parseSpiffeId(uri.replaceAll('*', 'a'))?.trustDomain : undefined
      if (domain === undefined || trustDomains.includes(domain)) continue
      context.addIssue({
        code: 'custom',
        path: ['map', index, 'uri'],
        message: 'names a trust domain that is not accepted',
        params: { fix: 'Add the trust domain to auth.mtls.trustDomains, or remove the row.' },
      })
    }
  })
