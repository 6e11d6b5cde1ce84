// Client certificates and files of authorities that are refused: one row for each reason, citing the rule.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { createCertificates } from '../../../src/identity/mtls/index.ts'
import { REFUSALS, type Refusal } from '../../../src/identity/mtls/leaf.ts'
import { AGENT, client, MAP, refusal, root, setUp } from './lib/setup.ts'
import * as x509 from './lib/x509.ts'

const { NOW, makeAuthority, makeClient, escaped } = x509

const withExtensions = (...extensions: Buffer[]) =>
  client([], { extensions: [...extensions, x509.alternativeNames(['uri', AGENT])] })

describe('refused', () => {
  const nobody = makeAuthority()
  const intermediate = makeAuthority({ subject: 'other', issuer: root })
  const big = x509.extension('2b0601040182370b', randomBytes(13_000))
  const twoBasic = [x509.basicConstraints(false), x509.basicConstraints(false)]
  const names = [['uri', AGENT]] as const
  const good = client(names)
  // biome-ignore format: a table, one row a line
  const rows: readonly [Refusal, string, { pem: string } | string][] = [
    ['malformed', 'no certificate', ''],
    ['malformed', 'not escaped', good.pem],
    ['malformed', 'a percent sign that escapes nothing', `${escaped(good)}%`],
    ['malformed', 'bytes that are no UTF-8', `${escaped(good)}%ff`],
    ['malformed', 'two certificates', escaped({ pem: good.pem + good.pem })],
    ['malformed', 'text before it', escaped({ pem: `x\n${good.pem}` })],
    ['malformed', 'text behind it', escaped({ pem: `${good.pem}x` })],
    ['malformed', 'joined by Node because it was sent twice', `${escaped(good)}, ${escaped(good)}`],
    ['malformed', 'a private key', escaped({ pem: String(good.key.export({ type: 'pkcs8', format: 'pem' })) })],
    ['malformed', 'another label', escaped({ pem: good.pem.replaceAll('CERTIFICATE', 'TRUSTED CERTIFICATE') })],
    ['malformed', 'DER with bytes behind it', { pem: x509.pemOf(Buffer.concat([good.der, Buffer.from([0])])) }],
    ['malformed', 'DER cut short', { pem: x509.pemOf(good.der.subarray(0, -1)) }],
    ['malformed', 'base64 that is not canonical', escaped({ pem: good.pem.replace('\n-----END', '=\n-----END') })],
    ['malformed', 'no DER at all', { pem: x509.pemOf(Buffer.from('hello')) }],
    // RFC 5280 4.2: "A certificate MUST NOT include more than one instance of a particular extension."
    ['malformed', 'an extension twice', withExtensions(...twoBasic)],
    ['malformed', 'more than 64 names', client(Array.from({ length: 65 }, (_, i) => ['dns', `a${i}.example.com`]))],
    ['tooLarge', 'more than 16 KiB', withExtensions(big)],
    // X509-SVID 5.2: "the validator MUST ensure that the CA field is set to false, and that keyCertSign and cRLSign are not set".
    ['authority', 'the root itself', root],
    ['authority', 'an authority that the root has issued', intermediate],
    ['authority', 'cA without keyUsage', client(names, { extensions: [x509.basicConstraints(true)] })],
    ['authority', 'keyCertSign without cA', withExtensions(x509.keyUsage(0x84))],
    ['authority', 'cRLSign without cA', withExtensions(x509.keyUsage(0x82))],
    // RFC 5280 4.2.1.12: "the certificate MUST only be used for one of the purposes indicated".
    ['purpose', 'serverAuth only', withExtensions(x509.extendedKeyUsage('serverAuth'))],
    ['purpose', 'anyExtendedKeyUsage only, as nginx refuses it', withExtensions(x509.extendedKeyUsage('any'))],
    ['purpose', 'a key that may not sign', withExtensions(x509.keyUsage(0x20))],
    ['key', 'RSA of 1024 bits', client(names, { key: x509.newKey(1024) })],
    ['key', 'P-224', client(names, { key: x509.newKey('P-224') })],
    ['key', 'secp256k1', client(names, { key: x509.newKey('secp256k1') })],
    // RFC 5280 4.2: a system "MUST reject the certificate if it encounters a critical extension it does not recognize".
    ['extension', 'an unknown critical extension', withExtensions(x509.unknownExtension(true))],
    ['extension', 'name constraints', withExtensions(x509.nameConstraints('example.com'))],
    ['extension', 'name constraints that are not critical', withExtensions(x509.nameConstraints('example.com', false))],
    ['names', 'a DNS name longer than 253 characters', client([['dns', `${'a.'.repeat(126)}ab`]])],
    ['names', 'a line feed in a URI', client([['uri', `${AGENT}\n`]])],
    ['names', 'a NUL in a DNS name', client([['dns', 'agent-1.example.com\0.evil.test']])],
    ['names', 'a space and a second name in one', client([['uri', `https://x.test/, URI:${AGENT}`]])],
    ['names', 'a quote in a DNS name', client([['dns', 'a", DNS:agent-1.example.com']])],
    ['names', 'a comma in a DNS name', client([['dns', 'a,agent-1.example.com']])],
    ['names', 'letters beyond ASCII', client([['dns', 'ägent-1.example.com']])],
    ['names', 'a wildcard', client([['dns', '*.example.com']])],
    ['names', 'an empty name', client([['dns', '']])],
    ['names', 'a URI without a scheme', client([['uri', 'agents']])],
    // X509-SVID 2: "Validators encountering an SVID containing more than one URI SAN MUST reject the SVID."
    ['severalUris', 'two SPIFFE IDs', client([['uri', AGENT], ['uri', `${AGENT}2`]])],
    ['severalUris', 'another URI before it', client([['uri', 'https://x.test/'], ['uri', AGENT]])],
    // X509-SVID 5.2: "MUST ensure that the SPIFFE ID has a non-root path component".
    ['spiffeId', 'no path', client([['uri', 'spiffe://example.test']])],
    ['spiffeId', 'an empty path', client([['uri', 'spiffe://example.test/']])],
    // SPIFFE-ID 2.1: "The userinfo and port parts of the authority component MUST NOT be set".
    ['spiffeId', 'a port', client([['uri', 'spiffe://example.test:443/a']])],
    ['spiffeId', 'a user', client([['uri', 'spiffe://u@example.test/a']])],
    ['spiffeId', 'a query', client([['uri', `${AGENT}?x=1`]])],
    ['spiffeId', 'a trailing slash', client([['uri', `${AGENT}/`]])],
    ['spiffeId', 'a dot segment', client([['uri', 'spiffe://example.test/ns/../agents']])],
    ['spiffeId', 'percent-encoding', client([['uri', 'spiffe://example.test/ns/%61gents']])],
    ['spiffeId', 'a capital in the trust domain', client([['uri', 'spiffe://Example.test/a']])],
    ['spiffeId', 'a capital in the scheme', client([['uri', 'SPIFFE://example.test/a']])],
    ['names', 'a URI longer than 2048 bytes', client([['uri', `spiffe://example.test/${'a'.repeat(2027)}`]])],
    ['trustDomain', 'another trust domain', client([['uri', 'spiffe://other.test/ns/agents/sa/a1']])],
    ['trustDomain', 'one that ends alike', client([['uri', 'spiffe://an.example.test/ns/agents/sa/a1']])],
    ['chain', 'another authority of the same name', makeClient(nobody, names)],
    ['chain', 'self-signed', x509.make({ extensions: [...x509.CLIENT, x509.alternativeNames(...names)] })],
    ['chain', 'an intermediate that is not in the file', makeClient(intermediate, names)],
    ['chain', 'signed with SHA-1', client(names, { digest: 'sha1' })],
    // RFC 5280 6.1.3 (a)(4): the issuer name is the subject name of the authority.
    ['chain', 'signed by the root under the name of another', makeClient({ ...root, name: intermediate.name }, names)],
    // RFC 5280 6.1.3 (a)(1): the signature verifies with the key of the issuer.
    ['chain', 'a signature of another key under the right name', makeClient({ ...root, key: nobody.key }, names)],
  ]
  for (const [reason, what, given] of rows)
    it(`${what}: ${REFUSALS[reason]}`, () => {
      const certificates = setUp()
      const header = typeof given === 'string' ? given : escaped(given)
      assert.equal(refusal(certificates.read(header)), REFUSALS[reason])
      // Kept, and the same again.
      assert.equal(refusal(certificates.read(header)), REFUSALS[reason])
    })

  it('every reason has a row here or below', () => {
    const elsewhere: Refusal[] = ['notYetValid', 'expired', 'authorityExpired', 'unmapped']
    const shown = new Set([...rows.map(([reason]) => reason), ...elsewhere])
    assert.deepEqual([...shown].toSorted(), Object.keys(REFUSALS).toSorted())
  })

  it('before the first good file of authorities', () => {
    const certificates = createCertificates(
      { ca: { file: 'ca.crt' }, trustDomains: ['example.test'], skew: 0, map: MAP },
      { now: () => NOW, revocations: { isRevoked: () => false } },
    )
    assert.equal(refusal(certificates.read(escaped(good))), REFUSALS.chain)
  })
})

describe('the path to a root', () => {
  const names = [['uri', AGENT]] as const
  const one = makeAuthority({ subject: 'one', issuer: root })
  const two = makeAuthority({ subject: 'two', issuer: one })
  const three = makeAuthority({ subject: 'three', issuer: two })

  it('leads over at most two intermediates', () => {
    const certificates = setUp({ pem: two.pem + root.pem + one.pem })
    for (const issuer of [root, one, two])
      assert.ok('fingerprint' in certificates.read(escaped(makeClient(issuer, names))))
    assert.match(
      String(setUp().reload(Buffer.from([root, one, two, three].map(({ pem }) => pem).join('')))),
      /does not lead to a self-signed one/,
    )
  })

  it('keeps to the path length of its authorities', () => {
    // RFC 5280 4.2.1.9: the number of intermediates that may follow, those that issued themselves aside.
    const none = makeAuthority({ subject: 'none', pathLength: 0 })
    const below = makeAuthority({ subject: 'below', issuer: none })
    assert.match(String(setUp().reload(Buffer.from(none.pem + below.pem))), /does not lead/)
    assert.ok('fingerprint' in setUp({ pem: none.pem }).read(escaped(makeClient(none, names))))
    const rolled = makeAuthority({ subject: 'none', issuer: none })
    assert.ok('fingerprint' in setUp({ pem: none.pem + rolled.pem }).read(escaped(makeClient(rolled, names))))
    const first = makeAuthority({ subject: 'first', pathLength: 1 })
    const second = makeAuthority({ subject: 'second', issuer: first })
    assert.ok(
      'fingerprint' in setUp({ pem: first.pem + second.pem }).read(escaped(makeClient(second, names))),
    )
  })

  it('is one of names and signatures', () => {
    const alike = makeAuthority()
    const other = makeAuthority({ subject: 'other' })
    const rolled = makeAuthority({ subject: 'authority', issuer: root })
    for (const [what, pem] of [
      ['a root of the same name with another key', alike.pem + one.pem],
      [
        'signed by the root under the name of another',
        root.pem + makeAuthority({ subject: 'x', issuer: { ...root, name: other.name } }).pem,
      ],
      ['same name as its issuer, but no root', rolled.pem],
    ] as const)
      assert.match(String(setUp().reload(Buffer.from(pem))), /does not lead to a self-signed one/, what)
  })

  it('an authority with a SPIFFE ID speaks for its own trust domain only', () => {
    const spiffe = (domain: string) =>
      makeAuthority({
        subject: domain,
        extensions: [
          x509.basicConstraints(true),
          x509.keyUsage(x509.CA_USAGE),
          x509.alternativeNames(['uri', `spiffe://${domain}`]),
        ],
      })
    const own = spiffe('example.test')
    const foreign = spiffe('foreign.test')
    const { read } = setUp({ pem: own.pem + foreign.pem })
    assert.ok('fingerprint' in read(escaped(makeClient(own, names))))
    assert.equal(refusal(read(escaped(makeClient(foreign, names)))), REFUSALS.chain)
  })
})

describe('the file of authorities', () => {
  const names = [['uri', AGENT]] as const
  const usage = (bits: number) => [x509.basicConstraints(true), x509.keyUsage(bits)]
  const lonely = makeAuthority({ subject: 'lonely', issuer: root })
  const wrong: readonly [string, string, RegExp][] = [
    ['empty', '', /no certificate/],
    ['text', 'hello', /no certificate/],
    [
      'a private key beside it',
      root.pem + root.key.export({ type: 'pkcs8', format: 'pem' }),
      /something else/,
    ],
    ['cut', root.pem.slice(0, -10), /ends inside/],
    ['garbage in PEM', x509.pemOf(Buffer.from('hello')), /number 1\) that cannot be read/],
    ['a client certificate', root.pem + client(names).pem, /number 2\) that is not that of an authority/],
    ['no keyCertSign', makeAuthority({ extensions: usage(0x80) }).pem, /that (may not sign|is not that)/],
    [
      'for servers only',
      makeAuthority({ extensions: [...usage(6), x509.extendedKeyUsage('serverAuth')] }).pem,
      /may not vouch for clients/,
    ],
    [
      'name constraints',
      makeAuthority({ extensions: [...usage(6), x509.nameConstraints('example.com')] }).pem,
      /name constraints/,
    ],
    ['RSA of 1024 bits', makeAuthority({ key: x509.newKey(1024) }).pem, /key of a kind or size/],
    ['an intermediate without its root', lonely.pem, /does not lead to a self-signed one/],
    [
      'an intermediate signed with SHA-1',
      root.pem + makeAuthority({ subject: 'weak', issuer: root, digest: 'sha1' }).pem,
      /does not lead/,
    ],
    ['too large', root.pem + '#'.repeat(256 * 1024), /larger than 256 KiB/],
    ['too many', root.pem.repeat(65), /more than 64/],
  ]
  for (const [what, pem, sentence] of wrong)
    it(`${what}: refused, and the last good one stays`, () => {
      const certificates = setUp()
      const header = escaped(client(names))
      assert.match(String(certificates.reload(Buffer.from(pem))), sentence)
      assert.ok('fingerprint' in certificates.read(header))
    })

  it('text between certificates, one twice, CR LF: taken', () => {
    const pem = `# ours\n${root.pem}\nSubject: x\n${root.pem.replaceAll('\n', '\r\n')}`
    assert.ok('fingerprint' in setUp({ pem }).read(escaped(client(names))))
  })

  it('a new one takes what it vouches for from then on, and nothing else', () => {
    const next = makeAuthority({ subject: 'next' })
    const certificates = setUp()
    const old = escaped(client(names))
    const fresh = escaped(makeClient(next, names))
    assert.ok('fingerprint' in certificates.read(old))
    assert.equal(refusal(certificates.read(fresh)), REFUSALS.chain)
    assert.equal(certificates.reload(Buffer.from(root.pem + next.pem)), undefined)
    assert.ok('fingerprint' in certificates.read(old) && 'fingerprint' in certificates.read(fresh))
    assert.equal(certificates.reload(Buffer.from(next.pem)), undefined)
    assert.equal(refusal(certificates.read(old)), REFUSALS.chain)
    assert.ok('fingerprint' in certificates.read(fresh))
  })
})
